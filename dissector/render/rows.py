"""What the table of tasks shows, as plain text: no colours, no widths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from signal import Signals
from typing import NamedTuple

from dissector.model import RANK, CaptureInfo, Outcome, Problem, Severity, Task
from dissector.numbers import count
from dissector.render.text import duration, escape
from dissector.render.times import clock, date, dated, zone
from dissector.wire.masking import Mask

_WORDS = {Outcome.NO_CALLBACK: "no callback"}


class Column(NamedTuple):
    """A column of the task table.  A narrow screen shortens it down to ``least`` cells (0: never) and then leaves out
    columns, the ones with the highest ``rank`` first."""

    key: str
    heading: str
    right: bool = False
    rank: int = 0
    least: int = 0


COLUMNS = (
    Column("n", "#", right=True),
    Column("start", "start", rank=5),
    Column("client", "client", rank=9, least=15),
    Column("remote", "remote", rank=4, least=15),
    Column("port", "port", right=True, rank=6),
    Column("job", "job", rank=1, least=16),
    Column("task_id", "task_id", right=True, rank=10),
    Column("kind", "kind", rank=11),
    Column("outcome", "outcome"),
    Column("took", "took", right=True, rank=3),
    Column("callback", "callback", right=True, rank=7),
    Column("calls", "calls", right=True, rank=8),
    Column("problems", "problems", rank=2, least=18),
)


class TaskRow(NamedTuple):
    """Cells by column key, and what colours them; ``start`` has its date."""

    cells: dict[str, str]
    outcome: Outcome
    worst: Severity | None


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9 (the numbers of Linux)."""
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def outcome_words(task: Task) -> str:
    """``failure, exit 5``; ``killed, SIGKILL``; ``no callback``."""
    words = _WORDS.get(task.outcome, task.outcome.value)
    if task.outcome in (Outcome.SUCCESS, Outcome.REFUSED, Outcome.NO_CALLBACK, Outcome.UNREACHABLE):
        return words
    if task.signal:
        return f"{words}, {signal_name(task.signal)}"
    if task.exit_code:
        return f"{words}, exit {task.exit_code}"
    return words


def problem_codes(problems: Iterable[Problem]) -> str:
    """``job_failed, slow_call x3``: the worst first, each once."""
    ordered = sorted(problems, key=lambda problem: RANK[problem.severity])
    counts = Counter(problem.code for problem in ordered)
    return ", ".join(code if count == 1 else f"{code} x{count}" for code, count in counts.items())


def worst(problems: Iterable[Problem]) -> Severity | None:
    return min((problem.severity for problem in problems), key=RANK.__getitem__, default=None)


def task_row(task: Task, mask: Mask) -> TaskRow:
    cells = {
        "n": str(task.n),
        "start": dated(task.start),
        "client": str(task.client or ""),
        "remote": str(task.remote or ""),
        "port": "" if task.callback_port is None else str(task.callback_port),
        "job": escape(mask.text(task.job or "")),
        "task_id": "" if task.task_id is None else str(task.task_id),
        "kind": task.kind or "",
        "outcome": outcome_words(task),
        "took": duration(task.end - task.start) if task.end else "",
        "callback": "" if task.callback_delay is None else duration(task.callback_delay),
        "calls": f"{task.counts.calls}+{task.counts.callbacks}",
        "problems": problem_codes(task.problems),
    }
    return TaskRow(cells, task.outcome, worst(task.problems))


def without_date(row: TaskRow) -> TaskRow:
    """The row for a table whose tasks are all of one day."""
    return row._replace(cells={**row.cells, "start": row.cells["start"].partition(" ")[2]})


def tally(counts: Counter[Outcome]) -> str:
    """The same of outcomes that were counted; ``no task`` of none."""
    number = sum(counts.values())
    if not number:
        return "no task"
    parts = (f"{counts[outcome]} {_WORDS.get(outcome, outcome.value)}" for outcome in Outcome if counts[outcome])
    return f"{count(number, 'task')}: {', '.join(parts)}"


def no_task(seen: int | None) -> str:
    """Where no task is shown of ``seen`` ones."""
    return f" none of {count(seen, 'task')} matches" if seen else " no task"


def capture_line(info: CaptureInfo) -> str:
    """``x.pcap  59 packets (57 TCP)  2026-11-22 04:07:04 UTC, 15 ms``."""
    words = [escape(info.file), f"{count(info.packets, 'packet')} ({info.tcp_segments} TCP)"]
    if info.first is not None and info.last is not None:
        start = f"{date(info.first)} {clock(info.first)[:8]} {zone(info.first)}"
        words.append(f"{start}, {duration(info.last - info.first)}")
    if info.truncated:
        words.append("cut off in its last record")
    if info.point is not None:
        words.append(_point_words(info))
    return "  ".join(words)


def _point_words(info: CaptureInfo) -> str:
    """``point r, its clock 1.5 s ahead (+- 5 us)``"""
    name, ahead, error = f"point {escape(info.point or '')}", info.clock_offset, info.clock_error
    if ahead is None or error is None:
        return f"{name}, its clock not known"
    if abs(ahead) <= error:
        return name
    drift = f", gains {info.clock_drift * 1e6:+.1f} us in a second" if info.clock_drift else ""
    way = "ahead" if ahead > 0 else "behind"
    within = f" (within {duration(error)})" if error else ""
    return f"{name}, its clock {duration(abs(ahead))} {way}{within}{drift}"


def ranges(numbers: Iterable[int], most: int = 8) -> str:
    """``1, 3-5, 9``; behind ``most`` parts an ellipsis and the last one."""
    return ", ".join(text for text, _ in range_parts(numbers, most))


def range_parts(numbers: Iterable[int], most: int) -> list[tuple[str, range]]:
    """The parts of ``ranges`` and the numbers in them; none in the ellipsis."""
    ends: list[list[int]] = []
    for number in numbers:
        if ends and number == ends[-1][1] + 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    parts = [(str(low) if low == high else f"{low}-{high}", range(low, high + 1)) for low, high in ends]
    return parts if len(parts) <= most else [*parts[: most - 1], ("…", range(0)), parts[-1]]
