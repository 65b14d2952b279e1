"""Windows and menus of the plugin: what they show and what they ask of Wireshark, in each tshark from 4.0 to 4.6."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import plugin_kit as kit
import pytest
import tshark_kit
from screen_kit import screen

TSHARKS = [program for program in tshark_kit.TSHARKS if shutil.which(program)]
TEN = kit.CAPTURES / "engine_ten_tasks.pcap"
ORDER = kit.CAPTURES / "engine_order.pcap"
FAILED = kit.CAPTURES / "engine_shell_fail.pcap"

Screen = Callable[[Path, str], str]


@pytest.fixture(params=TSHARKS, ids=lambda name: Path(name).parent.name or "tshark")
def shown(request: pytest.FixtureRequest, tmp_path: Path) -> Screen:
    return lambda capture, steps: screen(tmp_path, capture, steps, request.param)


@pytest.mark.one_in(5)
def test_what_there_is(shown: Screen) -> None:
    assert shown(FAILED, "names()").splitlines() == [
        *("JobScheduler/Calls by member", "JobScheduler/Colour this task", "JobScheduler/Copy the jstrace command"),
        *("JobScheduler/Filter this task", "JobScheduler/Go to its end", "JobScheduler/Go to its start"),
        *("JobScheduler/Go to the answer", "JobScheduler/Go to the request", "JobScheduler/Task list"),
        "JobScheduler/Tasks by outcome",
    ]


@pytest.mark.one_in(5)
def test_the_task_list(shown: Screen) -> None:
    text = shown(FAILED, 'menu("JobScheduler/Task list") show()')
    assert text.splitlines()[:7] == [
        "task  packet  job           outcome  calls  problems",
        "   1      10  shell_fail:1  exit 5    5+10  job_failed",
        "",
        "task 1  error  job_failed  packets 39",
        '    The job\'s process ended with exit code 5 ("failing").',
        "    cause: the job itself: its connections ended in order",
        "    remedy: read the task's log: --log",
    ]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("path", sorted(kit.CAPTURES.glob("faults/*.c.pcap"))[::4], ids=lambda path: path.stem)
def test_the_task_list_fits(path: Path, tmp_path: Path) -> None:
    table = screen(tmp_path, path, 'menu("JobScheduler/Task list") show()').partition("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 74


@pytest.mark.one_in(5)
def test_the_filter_of_the_task_list(shown: Screen) -> None:
    steps = 'menu("JobScheduler/Task list") answer = "{}" button("Filter ...") show()'
    assert shown(ORDER, steps.format("ORDERSHELL success")).splitlines()[:4] == [
        "1 of 2 tasks match: ORDERSHELL success",
        "",
        "task  packet  job           outcome  calls  problems",
        "   2     165  ordershell:2  success   5+11",
    ]
    assert shown(ORDER, steps.format("127.0.0.1:34038")).startswith("1 of 2 tasks match: 127.0.0.1:34038\n")
    assert shown(ORDER, steps.format("order -shell")).startswith("1 of 2 tasks match: order -shell\n")
    assert shown(ORDER, steps.format("nothing such")).startswith("0 of 2 tasks match: nothing such\n")
    assert shown(ORDER, steps.format("")).splitlines()[0].startswith("task  packet")


def test_a_filter_is_no_pattern(shown: Screen) -> None:
    steps = 'menu("JobScheduler/Task list") answer = "%a+ .*" button("Filter ...") show()'
    assert shown(ORDER, steps).startswith("0 of 2 tasks match: %a+ .*\n")


@pytest.mark.one_in(5)
def test_to_the_packets_of_a_task(shown: Screen) -> None:
    steps = 'menu("JobScheduler/Task list") answer = "{}" button("Go to ...") button("Only ...") button("Colour ...")'
    assert shown(ORDER, steps.format("task 2")).splitlines() == [
        *("> filter frame.number == 165", "> filter jobscheduler.task == 2", "> colour 2 jobscheduler.task == 2"),
    ]
    assert shown(ORDER, steps.format("2 end")).splitlines()[0] == "> filter frame.number == 217"
    for wrong in ("3", "", "x"):
        assert shown(ORDER, steps.format(wrong)) == ""


def test_the_window_follows_and_goes(shown: Screen) -> None:
    steps = """
    menu("JobScheduler/Task list")
    window().text = "old"
    listener.draw()
    print(window().text ~= "old")
    window().close()
    window().text = "closed"
    listener.draw()
    print(window().text)
    """
    assert shown(ORDER, steps).splitlines() == ["true", "> tap removed", "closed"]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("item", "field", "value", "said"),
    [
        ("Filter this task", "jobscheduler.task", 2, ["filter jobscheduler.task == 2"]),
        ("Go to its start", "jobscheduler.task", 2, ["filter frame.number == 165"]),
        ("Go to its end", "jobscheduler.task", 2, ["filter frame.number == 217"]),
        ("Go to its end", "jobscheduler.task", 99, []),
        ("Go to the answer", "jobscheduler.response_in", 12, ["filter frame.number == 12"]),
        ("Go to the request", "jobscheduler.request_in", 11, ["filter frame.number == 11"]),
        ("Colour this task", "jobscheduler.task", 1, ["colour 1 jobscheduler.task == 1"]),
        ("Colour this task", "jobscheduler.task", 10, ["colour 10 jobscheduler.task == 10"]),
        ("Colour this task", "jobscheduler.task", 11, ["colour 1 jobscheduler.task == 11"]),
        ("Copy the jstrace command", "jobscheduler.task", 2, ["copied jstrace read FILE --task 2"]),
    ],
)
def test_the_menu_of_a_packet(item: str, field: str, value: int, said: list[str], tmp_path: Path) -> None:
    steps = f'packet_menu("JobScheduler/{item}", "{field}", {value})'
    assert screen(tmp_path, ORDER, steps).splitlines() == [f"> {one}" for one in said]


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("name", "task"),
    [("engine_order", 1), ("engine_order", 2), ("agent/ua113_shell_ok", 1), ("agent/ua113_two_tasks", 2)],
)
def test_the_end_of_a_task(name: str, task: int, tmp_path: Path) -> None:
    steps = f'packet_menu("JobScheduler/Go to its end", "jobscheduler.task", {task})'
    path = kit.CAPTURES / f"{name}.pcap"
    packets = kit.rows(path, f"jobscheduler.task == {task}", "frame.number", options=("-2",))
    (found,) = screen(tmp_path, path, steps).splitlines()
    assert found == f"> filter frame.number == {max(int(row[0]) for row in packets)}"


@pytest.mark.one_in(5)
def test_tasks_by_outcome(shown: Screen) -> None:
    assert shown(TEN, 'menu("JobScheduler/Tasks by outcome") show()').splitlines()[:2] == [
        "kind     name     tasks    share",
        "outcome  success     10  100.0 %",
    ]
    text = shown(FAILED, 'menu("JobScheduler/Tasks by outcome") show()')
    assert [line.split()[:3] for line in text.splitlines()[1:3]] == [
        ["outcome", "failure", "1"],
        ["problem", "job_failed", "1"],
    ]


def calls(text: str) -> dict[str, list[str]]:
    """Cells of the table by member: how many, errors, and the times."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:] if line}


@pytest.mark.one_in(5)
def test_calls_by_member(shown: Screen) -> None:
    text = shown(FAILED, 'menu("JobScheduler/Calls by member") show()')
    assert max(map(len, text.splitlines())) <= 74
    rows = calls(text)
    assert rows["member"] == ["n", "errors", "min", "mean", "p95", "max"]
    assert rows["step"][:2] == ["1", "0"]
    answers = kit.rows(FAILED, "jobscheduler.time", "jobscheduler.member", "jobscheduler.time", options=("-2",))
    (time,) = (float(time) for member, time in answers if member == "step")
    assert [float(cell) for cell in rows["step"][2:]] == [pytest.approx(time * 1000, abs=0.0006)] * 4


def test_calls_of_many_tasks_are_counted(tmp_path: Path) -> None:
    rows = calls(screen(tmp_path, TEN, 'menu("JobScheduler/Calls by member") show()'))
    del rows["member"]
    answers = kit.rows(TEN, "jobscheduler.time", "frame.number", options=("-2",))
    assert rows["step"][0] == "10"
    assert sum(int(cells[0]) for cells in rows.values()) == len(answers)
    low, mean, high, most = (float(cell) for cell in rows["step"][2:])
    assert low <= mean <= most
    assert high == most
    sums = [int(cells[0]) * float(cells[3]) for cells in rows.values()]
    assert all(one >= other * 0.99 for one, other in pairwise(sums))


def test_errors_are_counted(tmp_path: Path) -> None:
    path = kit.CAPTURES / "engine_api_java_errorcalls.pcap"
    rows = calls(screen(tmp_path, path, 'menu("JobScheduler/Calls by member") show()'))
    failed = kit.rows(path, 'jobscheduler.kind == "error" || jobscheduler.hresult >= 0x80000000', "frame.number")
    assert 0 < sum(int(cells[1]) for name, cells in rows.items() if name != "member") <= len(failed)
