"""The page of many tasks as a whole text, at the edges of its words, and from the command line."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from render_sample import at, capture, failing_job, golden

from dissector.model import Outcome, Severity, Task
from dissector.render import table
from dissector.render.rows import TaskRow, task_row
from dissector.render.summary import SummaryPage
from dissector.render.table import MANY, TableView
from dissector.render.terminal import Terminal
from dissector.wire.masking import Mask


def day(size: int, every: int = 4) -> list[Any]:
    """Tasks of two jobs, a second apart; each ``every``-th fails."""
    events: list[Any] = []
    for number in range(1, size + 1):
        sample = failing_job()
        task = sample.task
        task.n, task.job = number, ("nightly", "hourly")[number % 2]
        task.start, task.end = at(number * 1_000), at(number * 1_000 + 500 + number)
        sample.problems[0].time = task.end
        if number % every:
            task.outcome, task.exit_code = Outcome.SUCCESS, 0
            task.problems.clear()
            events.append(task)
        else:
            events += [task, *sample.problems]
    return events


def page(events: list[Any], monkeypatch: pytest.MonkeyPatch, width: int = 120, **options: Any) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    terminal = Terminal(out)
    only = SummaryPage(terminal, Mask(), **options) if options.pop("summary", True) else None
    view = TableView(terminal, Mask(), summary=only)
    for event in events:
        view.add(event)
    view.close([capture()], sum(isinstance(event, Task) for event in events))
    return out.getvalue()


def test_whole_page(monkeypatch: pytest.MonkeyPatch) -> None:
    assert page(day(24), monkeypatch) == golden("summary_120")


def test_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = page(day(24), monkeypatch, 80)
    assert drawn == golden("summary_80")
    assert max(map(len, drawn.splitlines())) <= 80


def test_many_tasks_begin_with_their_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    few = page(day(MANY), monkeypatch, summary=False)
    assert "tasks at a time" not in few
    assert few.count("hourly") + few.count("nightly") == MANY
    many = page(day(MANY + 1), monkeypatch, summary=False)
    assert many == golden("table_many")


def test_nothing_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert " nothing failed (--full lists all tasks)\n" in page(day(MANY + 1, 1_000), monkeypatch, summary=False)


def test_of_many_tasks_those_that_went_well_keep_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory does not grow with what is not shown."""
    made = []

    def row(task: Task, mask: Mask) -> TaskRow:
        made.append(task.n)
        return task_row(task, mask)

    monkeypatch.setattr(table, "task_row", row)
    page(day(4 * MANY), monkeypatch, summary=False)
    assert made == [*range(1, MANY + 2), *range(MANY + 2, 4 * MANY + 1, 4)]


def test_top_and_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = page(day(8), monkeypatch, top=1, group_by="job", order="count")
    assert " hourly " in drawn
    assert " 1 more; --top 2 shows all\n" in drawn


def test_more_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    events = day(4)
    for number in range(4):
        events[-2].problems.append(
            events[-1].__class__(f"code{number}", Severity.ERROR, at(0), (1,), "x", task=events[-2])
        )
    assert " 2 more causes; --group-by cause lists all\n" in page(events, monkeypatch)


@pytest.mark.parametrize(
    ("earlier", "later", "words"),
    [(100, 125, "slower x1.2"), (1_000, 1_249, ""), (100, 80, "faster x1.2"), (1_000, 801, "")],
)
def test_a_trend_that_is_one(earlier: int, later: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [event for event in day(10, 1_000) if isinstance(event, Task)]
    for number, task in enumerate(tasks):
        task.job = "one"
        task.end = task.start + (earlier if number < 5 else later) * 1_000_000
    line = next(line for line in page(tasks, monkeypatch, 160).splitlines() if line.startswith(" one"))
    assert line.endswith(words) if words else line.endswith("ms")


def test_from_the_command_line(jstrace: Callable[..., Result], captures: Path) -> None:
    done = jstrace("read", captures / "engine_ten_tasks.pcap", "--group-by", "outcome")
    assert done.exit_code == 0
    assert "\n success     10" in done.stdout
    wrong = jstrace("read", captures / "engine_ten_tasks.pcap", "--summary", "--task", 1)
    assert (wrong.exit_code, "--summary is of many tasks" in wrong.stderr) == (2, True)
    wrong = jstrace("read", captures / "engine_ten_tasks.pcap", "--summary", "--format", "json")
    assert (wrong.exit_code, "--summary has no effect on --format json" in wrong.stderr) == (2, True)
