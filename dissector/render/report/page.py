"""What a report says, as plain records of texts: a template makes HTML of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from dissector.model import Task
from dissector.numbers import count
from dissector.render.alike import ProblemRow, problem_rows
from dissector.render.by_task import TaskEvents
from dissector.render.charts.view import title_of
from dissector.render.ladder import elapsed
from dissector.render.points import point_lines
from dissector.render.report.drawing import Drawing, drawing
from dissector.render.rows import range_parts
from dissector.render.steps import LadderStep
from dissector.render.text import duration, escape
from dissector.render.times import clock
from dissector.wire.masking import Mask

#: Steps of a ladder, rows below it and lines of a log that a report shows; of more the beginning and the end.
MAX_STEPS, MAX_LOG = 300, 500
#: Parts of a list of packets (``9, 11-15``) that are shown one by one.
_MAX_PARTS = 12
#: Who the lanes of a ladder are.
_WHO = ("client", "remote", "task process")
_WHO_ON_AGENT = ("master", "agent", "task process")


class Link(NamedTuple):
    """A text that leads to the part of the page with the id ``target``, if there is one."""

    text: str
    target: str = ""


class Card(NamedTuple):
    """A problem: what happened, its proof, why, and what to do."""

    severity: str
    code: str
    task: Link
    summary: str
    cause: str
    remedy: str
    logs: str
    others: str
    packets: tuple[Link, ...]


class GroupRow(NamedTuple):
    """A line of figures: how the tasks of a job did."""

    name: str
    tasks: int
    failed: str
    running: int
    median: str
    p95: str
    most: str
    delay: str


class TableRow(NamedTuple):
    """A task's line of the table, its cells in the order of the columns."""

    task: Link
    cells: tuple[str, ...]
    outcome: str
    severity: str


class FiguresTable(NamedTuple):
    """Other figures, each line's name first; ``there``: how many lines there would be."""

    id: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    there: int = 0


class MessageRow(NamedTuple):
    """A message, or what happened to a connection.  ``id``: what links to its packets lead to; ``left_out``: lines
    before it that are not shown."""

    id: str
    packets: str
    time: str
    who: str
    what: str
    answer: str
    latency: str
    failed: bool
    left_out: int


class LogRow(NamedTuple):
    time: str
    level: str
    text: str


class Section(NamedTuple):
    """All about one task."""

    id: str
    title: str
    facts: tuple[tuple[str, str], ...]
    cards: tuple[Card, ...]
    ladder: Drawing
    rows: tuple[MessageRow, ...]
    log: tuple[LogRow, ...]
    log_left_out: int


class PacketRows:
    """Which rows show which packets: the ids that links lead to, each of them once."""

    def __init__(self) -> None:
        self._rows: dict[int, str] = {}

    def add(self, row: str, packets: Iterable[int]) -> None:
        for packet in packets:
            self._rows.setdefault(packet, row)

    def of(self, packets: Iterable[int]) -> str:
        """The first row that shows one of them; empty without one."""
        return next((self._rows[packet] for packet in packets if packet in self._rows), "")


def task_id(number: int) -> str:
    """The id of a task's section."""
    return f"task-{number}"


# --- problems ------------------------------------------------------------------------------------------------------


def card(row: ProblemRow, places: Mapping[int, PacketRows]) -> Card:
    """``places``: by the numbers of the tasks that have a section."""
    target = task_id(row.task) if row.task in places else ""
    packets = tuple(_packet_links(row.numbers, places.get(row.task, PacketRows())))
    texts = (row.summary, row.cause, row.remedy, row.logs, row.others)
    return Card(row.severity.value, row.code, Link(row.where, target), *texts, packets)


def _packet_links(numbers: Sequence[int], places: PacketRows) -> Iterator[Link]:
    for text, part in range_parts(numbers, _MAX_PARTS):
        yield Link(text, places.of(part))


# --- a task --------------------------------------------------------------------------------------------------------


def section(task: Task, conversation: TaskEvents, mask: Mask, *, alone: bool) -> tuple[Section, PacketRows]:
    """``alone``: the only task of the report, whose title and problems stand above."""
    proof = {packet for problem in task.problems for packet in problem.packets}
    every, left_out = _bounded(conversation.steps(mask, verbose=True), proof)
    total = max((step.time for step in every), default=task.start) - task.start
    places, rows = PacketRows(), []
    for number, step in enumerate(every, 1):
        row = f"t{task.n}-{number}"
        places.add(row, step.packets)
        rows.append(_row(row, step, task, total, left_out.get(number, 0)))
    steps, _ = _bounded(conversation.steps(mask), proof)
    ladder = drawing(task, steps, [places.of(step.packets[-1:]) for step in steps])
    problems = () if alone else problem_rows(task.problems, mask, True)
    cards = tuple(card(row._replace(where=""), {task.n: places}) for row in problems)
    facts = tuple((name, str(fact)) for name, fact in _facts(task) if fact not in (None, ""))
    title = "What happened" if alone else title_of(task, mask)
    log, log_left_out = _log(task, mask)
    return Section(task_id(task.n), title, facts, cards, ladder, tuple(rows), log, log_left_out), places


def _facts(task: Task) -> Iterator[tuple[str, object]]:
    yield ("client" if task.agent is None else "master", task.client)
    yield ("remote" if task.agent is None else "agent", task.remote)
    yield "task process", task.callback_peer
    yield "callback port", task.callback_port
    yield "via", None if task.via == "tcp" else task.via
    yield "kind", task.kind
    yield "process_id", task.process_id
    yield "pid", task.pid
    yield "took", duration(task.end - task.start) if task.end else None
    yield "callback after", duration(task.callback_delay) if task.callback_delay is not None else None
    yield "calls", f"{task.counts.calls} of the client, {count(task.counts.callbacks, 'callback')}"
    for line in point_lines(task):
        yield "seen at", line


def _bounded(steps: list[LadderStep], proof: set[int]) -> tuple[list[LadderStep], dict[int, int]]:
    """The first and last steps and those that prove a problem; how many are left out before which of them (from 1)."""
    if len(steps) <= MAX_STEPS:
        return steps, {}
    first, last = MAX_STEPS * 2 // 3, len(steps) - MAX_STEPS // 3
    proving = [at for at in range(first, last) if not proof.isdisjoint(steps[at].packets)][:MAX_STEPS]
    chosen = [*range(first), *proving, *range(last, len(steps))]
    before = pairwise(chosen)
    return [steps[at] for at in chosen], {
        place: second - one - 1 for place, (one, second) in enumerate(before, 2) if second - one > 1
    }


def _row(row: str, step: LadderStep, task: Task, total: int, left_out: int) -> MessageRow:
    names = _WHO if task.agent is None else _WHO_ON_AGENT
    who = "" if step.source is None or step.target is None else f"{names[step.source]} → {names[step.target]}"
    return MessageRow(
        row,
        ", ".join(map(str, step.packets[-3:])),
        elapsed(step.time - task.start, total),
        who,
        step.label,
        "  ".join(filter(None, (step.said.text, step.folded))),
        "" if step.latency is None else duration(step.latency),
        step.said.failed or step.style == "error",
        left_out,
    )


def _log(task: Task, mask: Mask) -> tuple[tuple[LogRow, ...], int]:
    """The lines of the log, a row each, and how many are left out in its middle."""
    lines = list(task.log)
    left_out = max(len(lines) - MAX_LOG, 0)
    if left_out:
        lines = [*lines[: MAX_LOG // 2], *lines[-MAX_LOG // 2 :]]
    rows = []
    for line in lines:
        parts = mask.text(line.text).rstrip("\n").split("\n")
        for place, part in enumerate(parts):
            time, level = (clock(line.time), line.level) if place == 0 else ("", "")
            rows.append(LogRow(time, level, escape(part)))
    return tuple(rows), left_out
