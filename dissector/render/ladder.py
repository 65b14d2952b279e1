"""The page of a task: who said what to whom, as arrows between client, remote scheduler and task process.

A wide screen (100 cells and more) has the texts inside the arrows; a narrow one draws small arrows with the texts
behind them.  What a step shows is decided in ``steps``; here it is only drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from dissector.model import CaptureInfo, Connection, Event, Task
from dissector.render.alike import problem_rows
from dissector.render.arrows import Columns, Lanes, draw
from dissector.render.by_task import EventsByTask, TaskEvents
from dissector.render.connections import is_open_at
from dissector.render.fields import print_fields
from dissector.render.points import columns_of, point_lines
from dissector.render.problems import print_problems
from dissector.render.rows import no_task, outcome_words
from dissector.render.steps import LadderStep, Lane
from dissector.render.terminal import StyledText, Terminal, clip, wrap
from dissector.render.text import duration, escape
from dissector.render.theme import OUTCOME_STYLES
from dissector.render.times import clock, dated, zone
from dissector.wire.masking import Mask

_WIDE = 100
_LATENCY = 9
#: Cells for a job's name, and how far in the fields of a message stand on a narrow screen.
_JOB = 60
_NARROW_MARGIN = 4
#: Lines of an error that does not fit into its line of the ladder.
_ERROR_LINES = 4
_SMALL = (0, 4, 8)
_NAMES = ("client", "remote scheduler", "task process")
_AGENT_NAMES = ("master", "agent", "task process")
_TEN_SECONDS = 10 * 10**9
#: What the column of times counts from: the task's start, the line before, or it has times of day.
TimeColumn = Literal["start", "delta", "clock"]
_TIME_HEADINGS = {"start": "time", "delta": "delta", "clock": "clock"}
#: The subject of the lines with the names of the lanes.
HEADINGS = "headings"


class Layout(NamedTuple):
    """Cells: of the packet and time columns, the places of the lanes, of what stands right of the lanes."""

    packet: int
    time: int
    lanes: Lanes
    said: int
    wide: bool

    @property
    def margin(self) -> int:
        return self.packet + self.time + 4


def layout(width: int, last_packet: int, longest_time: str) -> Layout:
    packet = max(len(str(last_packet)), 6) + 1
    time = len(longest_time) + 1
    room = width - packet - time - 4 - _LATENCY - 2
    if width < _WIDE:
        return Layout(packet, time, _SMALL, max(room - _SMALL[2] - 3, 4), wide=False)
    process = min(max(room * 66 // 100, 44), 110)
    return Layout(packet, time, (0, process * 58 // 100, process), room - process - 2, wide=True)


def elapsed(nanoseconds: int, total: int) -> str:
    """Time since the task's start, in one unit for the whole page: milliseconds, or seconds for long tasks."""
    if total < _TEN_SECONDS:
        return f"{nanoseconds / 1e6:.3f} ms"
    return f"{nanoseconds / 1e9:.6f} s"


# --- one line ------------------------------------------------------------------------------------------------------


def stretched(step: LadderStep, place: Layout) -> Lanes:
    """The lanes of one line, moved to the right for a label that is longer than its arrow, as far as there is room."""
    lanes = place.lanes
    if not place.wide or step.source is None or step.target is None:
        return lanes
    reached = max(step.source, step.target)
    missing = len(step.label) + 2 * step.depth + 8 - lanes[reached]
    free = place.said - sum(len(text) for text, _ in _said_spans(step, inside=True))
    if reached is Lane.REMOTE:
        free += lanes[Lane.PROCESS] - lanes[Lane.REMOTE]
    more = min(missing, free)
    if more <= 0:
        return lanes
    end = lanes[reached] + more
    return (lanes[0], end, max(end, lanes[2])) if reached is Lane.REMOTE else (lanes[0], lanes[1], end)


class Page:
    """Draws the steps of one task."""

    def __init__(
        self,
        terminal: Terminal,
        task: Task | None,
        connections: Sequence[Connection],
        shown: Sequence[LadderStep],
        times: TimeColumn = "start",
    ) -> None:
        self._terminal = terminal
        self._connections = connections
        self._on_agent = task is not None and task.agent is not None
        self._start = task.start if task is not None else shown[0].time if shown else 0
        last = max((step.time for step in shown), default=self._start)
        self._total = max(last - self._start, 0)
        last_packet = max((step.packets[-1] for step in shown if step.packets), default=0)
        self._times, self._before = times, self._start
        longest = clock(last) if times == "clock" else elapsed(self._total, self._total)
        self.layout = layout(terminal.width, last_packet, longest)
        self._columns = Columns()
        if task is not None and self.layout.wide:
            self._columns = columns_of(task, self.layout.lanes[Lane.REMOTE])

    def headings(self) -> None:
        self._terminal.about(HEADINGS)
        place = self.layout
        left = "packet".rjust(place.packet) + "  " + _TIME_HEADINGS[self._times].rjust(place.time) + "  "
        if place.wide:
            names = "".join(
                name.ljust(end - start)
                for name, start, end in zip(
                    _AGENT_NAMES if self._on_agent else _NAMES,
                    place.lanes,
                    (*place.lanes[1:], place.lanes[2] + place.said + 3),
                    strict=True,
                )
            )
        else:
            names = ("M   A   P  " if self._on_agent else "C   R   P  ").ljust(place.lanes[2] + 3 + place.said)
        latency = "latency".rjust(_LATENCY)
        self._terminal.line((left + names[: place.lanes[2] + 3 + place.said] + latency, "heading"))
        if self._columns.names:
            self._terminal.line((" " * place.margin, ""), (self._columns.heading(place.lanes), "dim"))
        self._terminal.about(None)

    def step(self, step: LadderStep, whole: LadderStep | None = None) -> None:
        """One line; with ``whole`` (the same step in full words) what did not fit follows below."""
        place = self.layout
        packet = str(step.packets[-1]) if step.packets else ""
        time = self._time(step.time)
        spans: list[StyledText] = [(packet.rjust(place.packet), "dim"), ("  " + time.rjust(place.time) + "  ", "dim")]
        alive = self._on_agent or is_open_at(self._connections, step.time)
        lanes = stretched(step, place)
        moved = lanes[Lane.PROCESS] - place.lanes[Lane.PROCESS]
        spans += draw(step, lanes, self._columns, alive, place.wide, place.lanes[Lane.PROCESS] + place.said)
        room = place.said - moved + (_LATENCY if step.latency is None else 0)
        spans += [("  ", ""), *_cut(_said_spans(step, place.wide), room)]
        latency = duration(step.latency) if step.latency is not None else ""
        if latency:
            used = sum(len(text) for text, _ in spans)
            room = place.margin + place.lanes[2] + 3 + place.said + _LATENCY - used
            spans.append((latency.rjust(max(room, len(latency) + 1)), "dim"))
        self._terminal.line(*spans)
        self._below("".join(text for text, _ in spans), step, whole)

    def _time(self, moment: int) -> str:
        if self._times == "clock":
            return clock(moment)
        origin = self._before if self._times == "delta" else self._start
        self._before = moment
        return elapsed(moment - origin, self._total)

    def _below(self, shown: str, step: LadderStep, whole: LadderStep | None) -> None:
        """What of a line's texts is not ``shown`` in it: all of ``whole``, else the beginning of what went wrong."""
        said_style = "error" if step.said.failed else "answer"
        texts = [(step.label, step.style), (step.said.text, said_style)]
        if whole is not None:
            texts = [(whole.label, step.style), (whole.said.text, said_style)]
        margin = self.layout.margin + 4
        for text, style in texts:
            if text in shown or (whole is None and style != "error"):
                continue
            lines = [part for line in text.split("\n") for part in wrap(line, self._terminal.width - margin)]
            for line in lines if whole is not None else lines[:_ERROR_LINES]:
                self._terminal.line((" " * margin, ""), (line, style))


def _said_spans(step: LadderStep, inside: bool) -> list[StyledText]:
    """What stands right of the lanes: the answer, what is folded, and first the label if it is not in the arrow."""
    spans: list[StyledText] = []
    if not inside and step.label:
        spans += [("  " * step.depth + step.label, step.style), ("  ", "")]
    if step.said.text:
        spans += [(step.said.text, "error" if step.said.failed else "answer"), ("  ", "")]
    if step.folded:
        spans.append((step.folded, "dim"))
    return spans


def _cut(spans: Iterable[StyledText], width: int) -> list[StyledText]:
    """The spans up to ``width`` cells, the last one folded."""
    kept: list[StyledText] = []
    for text, style in spans:
        if width <= 0:
            break
        kept.append((clip(text, width) if text.strip() else text[:width], style))
        width -= len(text)
    return kept


def _path(connection: Connection | None) -> str:
    """The tunnels that a connection was captured in, outermost first."""
    return ", ".join(map(str, connection.via)) if connection is not None else ""


def _tunnels(task: Task) -> list[tuple[str, str | None]]:
    """Those of the task's connections, once where both came in the same."""
    command, callback = _path(task.command), _path(task.callback)
    if command == callback or task.command is None or task.callback is None:
        return [("tunnel", command or callback or None)]
    return [("command tunnel", command or None), ("callback tunnel", callback or None)]


# --- pages ---------------------------------------------------------------------------------------------------------


class LadderView:
    """A page for each task, in order, then what was said outside of tasks."""

    wants_messages = True

    def __init__(
        self,
        terminal: Terminal,
        mask: Mask,
        *,
        verbose: bool = False,
        full: bool = False,
        fields: bool = False,
        http: bool = False,
        times: TimeColumn = "start",
    ) -> None:
        """``http``: a line for each exchange over HTTP."""
        self._terminal = terminal
        self._mask = mask
        self._verbose = verbose or fields
        self._full = full
        self._fields = fields
        self._http = http
        self._times = times
        self._all = EventsByTask(every=self._verbose)

    def add(self, event: Event) -> None:
        self._all.add(event)

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:  # noqa: ARG002  a view's shape
        first = True
        for task, conversation in self._all.tasks():
            if not first:
                self._terminal.line()
            first = False
            self._task(task, conversation)
        for conversation in self._all.others(http=self._http):
            if not first:
                self._terminal.line()
            first = False
            self._connection(conversation)
        if first:
            self._terminal.line((no_task(seen), "title"))
        print_problems(self._terminal, problem_rows(self._all.problems, self._mask, self._full))
        self._terminal.flush()

    def _task(self, task: Task, conversation: TaskEvents) -> None:
        job = escape(self._mask.text(task.job or "")) + (f":{task.task_id}" if task.task_id is not None else "")
        head = [(f" task {task.n}  ", "title"), (f"{clip(job, _JOB)}  " if job else "", "title")]
        head += [(outcome_words(task), OUTCOME_STYLES[task.outcome]), (f"  {dated(task.start)} {zone(task.start)}", "")]
        self._terminal.line(*_cut(head, self._terminal.width))
        facts = [
            ("client" if task.agent is None else "master", task.client),
            ("remote" if task.agent is None else "agent", task.remote),
            ("via", None if task.via == "tcp" else task.via),
            ("task process", task.callback_peer),
            ("kind", task.kind),
            ("process_id", task.process_id),
            ("pid", task.pid),
            *_tunnels(task),
        ]
        words = "   ".join(f"{name} {fact}" for name, fact in facts if fact is not None)
        self._terminal.block([(" ", "")], words, "dim")
        for line in point_lines(task):
            self._terminal.block([(" ", "")], line, "dim")
        self._page(conversation)
        print_problems(self._terminal, problem_rows(conversation.problems, self._mask, True))

    def _connection(self, conversation: TaskEvents) -> None:
        connection = conversation.connection
        assert connection is not None
        start = f"{dated(connection.start)} {zone(connection.start)}"
        title = f" connection {connection.n}  {connection.role.value}  no task  {start}"
        self._terminal.line((title, "title"))
        tunnel = f"   tunnel {path}" if (path := _path(connection)) else ""
        self._terminal.block([(" ", "")], f"client {connection.client}   remote {connection.server}{tunnel}", "dim")
        self._page(conversation)

    def _page(self, conversation: TaskEvents) -> None:
        shown = self._steps(conversation, full=False)
        whole = self._steps(conversation, full=True) if self._full else shown
        page = Page(self._terminal, conversation.task, conversation.connections, shown, self._times)
        self._terminal.line()
        page.headings()
        margin = page.layout.margin if page.layout.wide else _NARROW_MARGIN
        for step, full in zip(shown, whole, strict=True):
            self._terminal.about(step)
            page.step(step, full if self._full else None)
            if self._fields:
                for message in step.messages:
                    print_fields(self._terminal, message, self._mask, margin, self._full)
        self._terminal.about(None)

    def _steps(self, conversation: TaskEvents, full: bool) -> list[LadderStep]:
        return conversation.steps(self._mask, verbose=self._verbose, full=full, http=self._http)
