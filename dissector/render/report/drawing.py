"""The ladder of a task as a drawing: where lines, arrows and texts are.  How they look is the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dissector.model import Task
from dissector.render.charts.view import names_of
from dissector.render.ladder import elapsed
from dissector.render.steps import LadderStep, Lane
from dissector.render.terminal import clip
from dissector.render.text import duration

#: Units of the drawing: its width, the lanes, where packet numbers, times and latencies end.
WIDTH = 1040
_LANES = (200, 530, 900)
_PACKET, _TIME, _LATENCY = 64, 176, WIDTH - 8
#: A character of the labels, and how far apart lines of text, steps and nested calls are.
_CELL, _LINE, _GAP, _INDENT = 7.25, 15, 9, 14
_HEAD, _MARGIN = 44, 8
#: How long the head of an arrow is, and half of its width.
_TIP, _WING = 9, 4


class Label(NamedTuple):
    """``anchor``: start, middle or end."""

    x: int
    y: int
    text: str
    style: str = ""
    anchor: str = "start"


class Shaft(NamedTuple):
    """A horizontal line with what is at its end: a tip (points of a polygon), or a cross for what never arrived."""

    x1: int
    x2: int
    y: int
    line: str
    tip: str
    cross: str


class Drawn(NamedTuple):
    """One step: ``packet`` leads to the row with the id ``row``."""

    style: str
    row: str
    texts: tuple[Label, ...]
    packet: Label | None
    shaft: Shaft | None


class Drawing(NamedTuple):
    height: int
    heads: tuple[Label, ...]
    lanes: tuple[int, ...]
    steps: tuple[Drawn, ...]
    width: int = WIDTH
    top: int = _HEAD


def drawing(task: Task, steps: Sequence[LadderStep], rows: Sequence[str]) -> Drawing:
    """``rows``: the ids of the rows that the steps' packets lead to."""
    total = max((step.time for step in steps), default=task.start) - task.start
    y, drawn = _HEAD, []
    for step, row in zip(steps, rows, strict=True):
        one, y = _step(step, row, y, elapsed(step.time - task.start, max(total, 0)))
        drawn.append(one)
    return Drawing(y + _MARGIN, _heads(task), _LANES, tuple(drawn))


def _heads(task: Task) -> tuple[Label, ...]:
    """Two lines each: who, and the address."""
    heads = []
    for x, name in zip(_LANES, names_of(task), strict=True):
        words, _, address = name.rpartition(" ")
        if not any(sign in address for sign in ".:"):
            words, address = name, ""
        heads += [Label(x, 16, words, "head", "middle"), Label(x, 32, clip(address, 42), "head address", "middle")]
    return tuple(heads)


def _step(step: LadderStep, row: str, top: int, time: str) -> tuple[Drawn, int]:
    """The step, and where the next one begins."""
    source, target = step.source, step.target
    if source is None or target is None:
        left, shaft, base = _LANES[0], None, top + _GAP + _LINE
    else:
        left, base = _LANES[min(source, target)], top + _GAP + _LINE
        shaft = _shaft(step, source, target, base + 6)
    x = left + 8 + step.depth * _INDENT
    room = int((_LATENCY - 72 - x) / _CELL)
    texts = [Label(x, base, clip(step.label, room), "label"), Label(_TIME, base, time, "time", "end")]
    if step.latency is not None:
        texts.append(Label(_LATENCY, base, duration(step.latency), "time", "end"))
    end = base + (6 if shaft is not None else 0)
    said = "  ".join(filter(None, (step.said.text, step.folded)))
    if said:
        end += _LINE
        texts.append(Label(x, end, clip(said, room), "said failed" if step.said.failed else "said"))
    packet = Label(_PACKET, base, str(step.packets[-1]), "packet", "end") if step.packets else None
    return Drawn(step.style, row, tuple(texts), packet, shaft), end


def _shaft(step: LadderStep, source: Lane, target: Lane, y: int) -> Shaft:
    """``half`` tells the end that is missing."""
    x1, x2 = _LANES[source], _LANES[target]
    way = 1 if x2 > x1 else -1
    if step.half == "begin":
        x1 = (x1 + x2) // 2
    lost = step.line == "dashed" or step.half == "end"
    if step.half == "end":
        x2 = (x1 + x2) // 2
    elif lost:
        x2 -= way * 24
    if lost:
        cross = f"M{x2 - 5} {y - 5}L{x2 + 5} {y + 5}M{x2 - 5} {y + 5}L{x2 + 5} {y - 5}"
        return Shaft(x1, x2, y, step.line, "", cross)
    back = x2 - way * _TIP
    return Shaft(x1, back, y, step.line, f"{x2},{y} {back},{y - _WING} {back},{y + _WING}", "")
