"""Commands with captures of both sides of a path."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from test_faults import FAULTS
from test_places import SECOND, leg, of_interfaces, written

Run = Callable[..., Result]


def both(case: str) -> list[str]:
    return [str(FAULTS / f"{case}.{side}.pcap") for side in "cr"]


def document(jstrace: Run, *arguments: str) -> dict[str, Any]:
    result = jstrace("read", *arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_json_has_the_places_of_a_task(jstrace: Run, tmp_path: Path) -> None:
    late = written(
        tmp_path / "remote.pcap",
        leg("06_client_nat_dnat", "r"),
        lambda one: one._replace(time=one.time + 3 * SECOND // 2),
    )
    found = document(jstrace, both("06_client_nat_dnat")[0], str(late))
    (task,) = found["tasks"]
    client, remote = task["points"]
    assert (client["name"], client["client"]["ip"], client["clock_offset"]) == (
        "06_client_nat_dnat.c",
        "10.50.1.10",
        0.0,
    )
    assert (remote["name"], remote["client"]["ip"]) == ("remote", "10.50.2.1")
    assert abs(remote["clock_offset"] - 1.5) <= remote["clock_error"] < 0.001
    assert {one["point"] for one in found["connections"]} == {"06_client_nat_dnat.c", "remote"}
    assert all(one["task"] == 1 for one in found["connections"])
    assert [one["point"] for one in found["captures"]] == ["06_client_nat_dnat.c", "remote"]


def test_one_place_is_one_entry(jstrace: Run) -> None:
    found = document(jstrace, both("01_healthy")[0])
    (task,) = found["tasks"]
    (point,) = task["points"]
    assert (point["name"], point["clock_offset"], point["first_packet"]) == ("capture", 0.0, 3)
    assert found["captures"][0]["point"] is None


def test_messages_are_there_once_and_refer_to_each_other(jstrace: Run) -> None:
    found = document(jstrace, *both("01_healthy"), "--messages")
    numbers = [one["n"] for one in found["messages"]]
    assert numbers == list(range(1, len(numbers) + 1))
    alone = document(jstrace, both("01_healthy")[0], "--messages")
    assert len(numbers) == len(alone["messages"])
    by_number = {one["n"]: one for one in found["messages"]}
    answered = [one for one in found["messages"] if one["answered_by"]]
    assert answered
    assert all(by_number[one["answered_by"]]["answers"] == one["n"] for one in answered)


def test_jsonl_has_the_same(jstrace: Run) -> None:
    result = jstrace("read", *both("13_idle_firewall_rst"), "--format", "jsonl", "--messages")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    (task,) = [line for line in lines if line["record"] == "task"]
    found = document(jstrace, *both("13_idle_firewall_rst"), "--messages")
    assert {**found["tasks"][0], "record": "task"} == task
    assert sum(line["record"] == "message" for line in lines) == len(found["messages"])


def test_one_stream_reads_them_as_one(jstrace: Run) -> None:
    found = document(jstrace, *both("06_client_nat_dnat"), "--one-stream")
    assert all(len(task["points"]) == 1 for task in found["tasks"])


def test_files_may_come_with_their_names_only(jstrace: Run) -> None:
    client, remote = both("02_callback_drop")
    found = document(jstrace, "--point", f"far={remote}", "--point", f"near={client}")
    assert [point["name"] for point in found["tasks"][0]["points"]] == ["near", "far"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing argument 'FILE...'"),
        (("--point", "x"), "is no NAME=FILE"),
        (("--point", "=x"), "is no NAME=FILE"),
        (("x.pcap", "--clock-offset", "r"), "is no NAME=TIME"),
        (("x.pcap", "--clock-offset", "r=soon"), "is no NAME=TIME"),
        ((str(FAULTS / "01_healthy.c.pcap"), "--clock-offset", "r=1s"), "needs captures of several places"),
        ((*both("01_healthy"), "--clock-offset", "r=1s"), "there is no place of capture 'r'"),
    ],
)
def test_wrong_usage(jstrace: Run, arguments: tuple[str, ...], words: str) -> None:
    result = jstrace("read", *arguments)
    assert (result.exit_code, words in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("+1.5s", 1.5), ("-30ms", -0.03), ("1h", 3600.0), ("2", 2.0), ("-1min", -60.0)]
)
def test_a_clock_may_be_given(jstrace: Run, text: str, seconds: float) -> None:
    found = document(jstrace, *both("01_healthy"), "--clock-offset", f"01_healthy.r={text}")
    _, remote = found["tasks"][0]["points"]
    assert (remote["clock_offset"], remote["clock_error"]) == (seconds, 0.0)


def test_the_page_has_arrows_that_end_half_way(jstrace: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    page = jstrace("read", *both("02_callback_drop"), "--task", "1").stdout
    (line,) = [line for line in page.splitlines() if "never came to 02_callback_drop.c" in line and "│" in line]
    assert "│×╌ SYN to 10.50.1.10:59999 ╌" in line
    assert "point 02_callback_drop.c   client 10.50.1.10:52522" in page
    page = jstrace("read", *both("13_idle_firewall_rst"), "--task", "1").stdout
    (line,) = [line for line in page.splitlines() if " RST ─" in line]
    assert line.count("├── RST") == 1


def test_slice_cuts_both_sides(jstrace: Run, tmp_path: Path) -> None:
    result = jstrace("slice", *both("21_two_clients"), "--out-dir", str(tmp_path / "cut"), "--task", "3")
    assert result.exit_code == 0, result.stderr
    cut = [str(tmp_path / "cut" / f"21_two_clients.{side}.pcap") for side in "cr"]
    whole, found = document(jstrace, *both("21_two_clients")), document(jstrace, *cut)
    (task,) = found["tasks"]
    assert (task["client"], task["start"], len(task["points"])) == (
        whole["tasks"][2]["client"], whole["tasks"][2]["start"], 2
    )  # fmt: skip


def test_slice_refuses_what_is_one_stream(jstrace: Run, tmp_path: Path) -> None:
    files = [str(leg("01_healthy", "c")), str(leg("16_kill_task_immediately", "r"))]
    result = jstrace("slice", *files, "--out-dir", str(tmp_path), "--task", "1")
    assert (result.exit_code, "not of several places" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "case", ["02_callback_drop", "06_client_nat_dnat", "13_idle_firewall_rst", "26_mtu_black_hole"]
)
def test_redacted_sides_prove_the_same(case: str, jstrace: Run, tmp_path: Path) -> None:
    """One mapping for all: the copies are of the same places."""
    result = jstrace("redact", *both(case), "--out-dir", str(tmp_path))
    assert result.exit_code == 0, result.stderr
    copies = [str(tmp_path / Path(name).name) for name in both(case)]
    whole, found = document(jstrace, *both(case)), document(jstrace, *copies)
    assert [task["problems"] for task in found["tasks"]] == [task["problems"] for task in whole["tasks"]]
    assert [len(task["points"]) for task in found["tasks"]] == [2]


def test_diff_of_tasks_with_both_sides(jstrace: Run) -> None:
    (good, good_too), (bad, bad_too) = both("01_healthy"), both("28_agent_frozen_20s")
    result = jstrace("diff", good, bad, "--also-a", good_too, "--also-b", bad_too, "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)


def test_ports_count_each_task_once(jstrace: Run) -> None:
    pair = jstrace("ports", *both("22_eight_per_second"), "--format", "json").stdout
    assert json.loads(pair) == json.loads(jstrace("ports", both("22_eight_per_second")[0], "--format", "json").stdout)


@pytest.mark.parametrize("command", ["slice", "redact"])
def test_interfaces_of_a_file_stay_places(command: str, jstrace: Run, tmp_path: Path) -> None:
    """Of an open task: what tells when the capture ended is of one of its interfaces too."""
    case = "26_mtu_black_hole"
    file = of_interfaces(tmp_path / "router.pcapng", eth1=leg(case, "c"), eth2=leg(case, "r"))
    result = jstrace(command, str(file), str(tmp_path / "out.pcapng"), *(["--task", "1"] if command == "slice" else []))
    assert result.exit_code == 0, result.stderr
    whole, found = document(jstrace, str(file)), document(jstrace, str(tmp_path / "out.pcapng"))
    assert [point["name"] for point in found["tasks"][0]["points"]] == ["out:if0", "out:if1"]
    assert [task["problems"] for task in found["tasks"]] == [task["problems"] for task in whole["tasks"]]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_verify_says_that_each_place_is_by_itself(jstrace: Run) -> None:
    pair = jstrace("verify", *both("02_callback_drop"))
    assert pair.exit_code == 0, pair.output
    *files, places = pair.stdout.splitlines()
    assert [line.rpartition(": ")[2] for line in files] == ["equal"] * 2
    assert places.startswith("of 2 places of capture (02_callback_drop.c, 02_callback_drop.r): each file by itself")
    strangers = [str(leg("01_healthy", "c")), str(leg("16_kill_task_immediately", "r"))]
    assert "places" not in jstrace("verify", *strangers).stdout
