"""The table of tasks at every width, and the problems in plain words."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from render_sample import at, capture, failing_job, golden

from dissector.model import CaptureInfo, Endpoint, Outcome, Problem, Severity, Task
from dissector.render.rows import outcome_words, problem_codes, ranges, signal_name
from dissector.render.table import TableView
from dissector.render.terminal import Terminal
from dissector.wire.masking import Mask

Show = Callable[..., str]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    def table(
        events: list[Any], width: int | None = 140, infos: list[CaptureInfo] | None = None, *, full: bool = False
    ) -> str:
        monkeypatch.delenv("COLUMNS", raising=False)
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
        out = io.StringIO()
        view = TableView(Terminal(out), Mask(), full=full)
        for event in events:
            view.add(event)
        view.close([capture()] if infos is None else infos)
        return out.getvalue()

    return table


def fleet(size: int) -> list[Any]:
    """Tasks with one problem each, all of the same kind."""
    events: list[Any] = []
    for number in range(1, size + 1):
        sample = failing_job()
        sample.task.n = number
        sample.task.job = f"job{number}"
        events += [sample.task, *sample.problems]
    return events


def test_all_columns(show: Show) -> None:
    sample = failing_job()
    assert show([sample.task, *sample.problems]) == golden("table_140")


def test_a_task_that_was_shown_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for its row nor for its problems: there is no end to the tasks of a long capture."""
    monkeypatch.setenv("COLUMNS", "140")
    sample, out = failing_job(), io.StringIO()
    view, kept = TableView(Terminal(out), Mask()), [sample.task, sample.callback]
    before = [sys.getrefcount(one) for one in kept]
    view.add(sample.task)
    view.add(replace(sample.problems[0], connection=sample.callback))
    assert [sys.getrefcount(one) for one in kept] == before
    view.close([capture()])
    assert out.getvalue() == golden("table_140")


def test_80_cells(show: Show) -> None:
    sample = failing_job()
    assert show([sample.task, *sample.problems], 80) == golden("table_80")


def test_a_pipe_gets_all_columns_unshortened(show: Show) -> None:
    sample = failing_job()
    sample.task.job = "j" * 300
    assert "j" * 300 in show([sample.task], None)
    assert "j" * 300 not in show([sample.task], 140)
    assert "…" in show([sample.task], 140)


@pytest.mark.parametrize("width", [1, 20, 40, 60, 79, 80, 100, 120, 160, 250])
def test_no_line_is_wider_than_the_screen(show: Show, width: int) -> None:
    events = fleet(12)
    events[0].client = Endpoint("2001:db8:85a3:1111:2222:8a2e:370:7334", 47406)
    events[0].job = "a_job_with_quite_a_long_name_indeed/in/folders"
    lines = show(events, width).splitlines()
    assert max(map(len, lines)) <= max(width, 40)


def test_columns_without_content_are_left_out(show: Show) -> None:
    sample = failing_job()
    sample.task.problems, sample.task.job, sample.task.task_id = [], None, None
    heading = show([sample.task]).splitlines()[2].split()
    assert "problems" not in heading
    assert "job" not in heading
    assert "outcome" in heading


def test_tasks_stand_in_order_and_are_summed_up(show: Show) -> None:
    events = fleet(3)[::-1]
    tasks = [event for event in events if isinstance(event, Task)]
    tasks[0].outcome = Outcome.SUCCESS
    tasks[1].outcome = Outcome.NO_CALLBACK
    lines = show(events).splitlines()
    assert [line.split()[0] for line in lines[3:6]] == ["1", "2", "3"]
    assert lines[7] == " 3 tasks: 1 success, 1 failure, 1 no callback"


def test_many_problems_alike_are_told_once(show: Show) -> None:
    drawn = show(fleet(12))
    assert drawn.count("Cause") == 3
    assert "9 more job_failed with this cause, tasks 4-12" in drawn
    assert show(fleet(12), full=True).count("Cause") == 12
    assert show(fleet(4)).count("Cause") == 4


def test_no_task_at_all(show: Show) -> None:
    assert show([], infos=[]) == " no task\n"


def test_connections_of_nobody_are_counted(show: Show) -> None:
    sample = failing_job()
    sample.command.task = None
    assert "1 connection that belongs to no task" in show([sample.task, sample.command, sample.callback])


def test_a_capture_that_is_cut_off_says_so(show: Show) -> None:
    info = capture()
    info.truncated, info.first = True, None
    assert show([], infos=[info]).startswith(
        " engine_shell_fail.pcap  59 packets (57 TCP)  cut off in its last record\n"
    )


def test_hostile_names_are_shown_not_obeyed(show: Show) -> None:
    sample = failing_job()
    sample.task.job = "evil\x1b[31m\n"
    sample.problems[0].summary = "bad\x1b]0;x\x07\nthing"
    info = capture()
    info.file = "x\x1b[2J.pcap"
    drawn = show([sample.task, *sample.problems], 250, infos=[info])
    assert not [character for character in drawn if character != "\n" and not character.isprintable()]
    assert r"evil\x1b[31m\n" in drawn


@pytest.mark.parametrize(
    ("outcome", "exit_code", "signal", "words"),
    [
        (Outcome.SUCCESS, 0, None, "success"),
        (Outcome.FAILURE, 5, None, "failure, exit 5"),
        (Outcome.FAILURE, 0, 15, "failure, SIGTERM"),
        (Outcome.FAILURE, None, None, "failure"),
        (Outcome.KILLED, None, 9, "killed, SIGKILL"),
        (Outcome.NO_CALLBACK, None, None, "no callback"),
        (Outcome.RUNNING, None, None, "running"),
    ],
)
def test_outcomes_in_words(outcome: Outcome, exit_code: int | None, signal: int | None, words: str) -> None:
    task = Task(at(0), 1, outcome=outcome, exit_code=exit_code, signal=signal)
    assert outcome_words(task) == words


def test_signals() -> None:
    assert [signal_name(number) for number in (9, 15, 200)] == ["SIGKILL", "SIGTERM", "signal 200"]


def test_codes_the_worst_first() -> None:
    codes = [("a", Severity.INFO), ("b", Severity.ERROR), ("c", Severity.WARNING), ("b", Severity.ERROR)]
    problems = [Problem(code, severity, 0, (), "") for code, severity in codes]
    assert problem_codes(problems) == "b x2, c, a"


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([], ""),
        ([7], "7"),
        ([1, 2, 3, 5, 7, 8], "1-3, 5, 7-8"),
        (list(range(0, 40, 2)), "0, 2, 4, 6, 8, 10, 12, …, 38"),
    ],
)
def test_ranges(numbers: list[int], words: str) -> None:
    assert ranges(numbers) == words
