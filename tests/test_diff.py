"""``jstrace diff``: a good and a bad run of a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Command = Callable[..., Result]


def compared(jstrace: Command, *arguments: object) -> dict[str, Any]:
    result = jstrace("diff", *arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture
def good(captures: Path) -> Path:
    return captures / "engine_shell_ok.pcap"


@pytest.fixture
def bad(captures: Path) -> Path:
    return captures / "engine_shell_fail.pcap"


def test_where_two_runs_part(good: Path, bad: Path, jstrace: Command) -> None:
    found = compared(jstrace, good, bad)
    assert not found["alike"]
    assert [(part["tag"], part["a"]["messages"], part["b"]["messages"]) for part in found["parts"]] == [
        ("equal", 23, 23),
        ("delete", 2, 0),
        ("equal", 11, 11),
    ]
    assert [one["text"] for one in found["parts"][1]["a"]["said"]] == ["log info  err", "log => ok"]
    (answer,) = found["answers"]
    assert answer["a"]["text"].startswith("step => exit code 0")
    assert answer["b"]["text"].startswith("step => exit code 5")
    assert (answer["a"]["packet"], answer["b"]["packet"]) == (39, 39)


def test_the_same_run_twice(good: Path, jstrace: Command) -> None:
    found = compared(jstrace, good, good)
    assert found["alike"]
    assert all(one["change"] == 0 for one in found["times"])
    assert "the same messages in the same order" in jstrace("diff", good, good).stdout


def test_the_times_add_up(captures: Path, jstrace: Command) -> None:
    """The agent stood still for 20 s before it answered the start."""
    found = compared(jstrace, captures / "faults/01_healthy.c.pcap", captures / "faults/28_agent_frozen_20s.c.pcap")
    for letter in "ab":
        total = sum(one[f"time_{letter}"] for one in found["times"])
        assert total == pytest.approx(found[letter]["duration"], abs=1e-6)
    slowest = found["times"][0]
    assert slowest["name"] == "start of the process"
    assert 15 < slowest["change"] < 25


def test_tasks_of_one_file(captures: Path, jstrace: Command) -> None:
    path = captures / "engine_ten_tasks.pcap"
    found = compared(jstrace, path, path, "--task", 1, "--task-b", 4)
    assert (found["a"]["task"], found["b"]["task"], found["alike"]) == (1, 4, True)


def test_by_job(captures: Path, jstrace: Command) -> None:
    path = captures / "engine_order.pcap"
    found = compared(jstrace, path, path, "--job", "OrderShell")
    assert (found["a"]["task"], found["b"]["job"]) == (2, "ordershell")


def test_a_run_that_broke_off(captures: Path, jstrace: Command) -> None:
    good, bad = captures / "faults/01b_healthy_api.c.pcap", captures / "faults/14b_task_process_killed_api.c.pcap"
    text = jstrace("diff", good, bad).stdout
    assert "lost" in text.splitlines()[1]
    assert "more" in text
    assert len(jstrace("diff", good, bad, "--full").stdout) > len(text)


def test_a_call_without_an_answer_takes_its_time(captures: Path, jstrace: Command) -> None:
    """The process died in step: the time until then is that of step, not of nobody."""
    good, bad = (captures / "faults" / f"{case}.c.pcap" for case in ("01_healthy", "14_agent_killed"))
    result = jstrace("diff", good, bad, "--format", "json")
    assert result.exit_code == 0
    (step,) = [row for row in json.loads(result.stdout)["times"] if row["name"] == "step"]
    assert (step["calls_a"], step["calls_b"]) == (1, 1)
    assert 1.9 < step["time_a"] < 2.0
    assert 3.4 < step["time_b"] < 3.45


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "10 tasks"),
        (("--task", 11), "no task 11"),
        (("--job", "nosuch"), "no task of job 'nosuch'"),
    ],
)
def test_a_task_that_is_not_there(arguments: tuple[object, ...], words: str, captures: Path, jstrace: Command) -> None:
    path = captures / "engine_ten_tasks.pcap"
    result = jstrace("diff", path, path, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


@pytest.mark.parametrize(("cap", "status"), [(16 * 14, 0), (16 * 14 - 1, 2)])
def test_how_many_messages_are_compared(
    cap: int, status: int, good: Path, captures: Path, jstrace: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between their equal beginnings and ends these two have 16 and 14."""
    monkeypatch.setattr("dissector.reports.diff.MAX_COMPARED", cap)
    result = jstrace("diff", good, captures / "engine_kill_task.pcap")
    assert result.exit_code == status
    assert ("messages are too many to be compared" in result.stderr) is bool(status)
