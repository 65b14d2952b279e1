"""One line of a ladder: the vertical lines of those who speak and of the places of capture, and an arrow over them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from dissector.render.steps import LadderStep, Lane
from dissector.render.terminal import StyledText, clip

#: Cells at which the lanes are.
Lanes = tuple[int, int, int]
#: Of each kind of line: what it is drawn with, and its crossing of a lane.
_SHAFTS = {"solid": ("─", "┼"), "double": ("═", "╪"), "dashed": ("╌", "╌")}
_LANE, _COLUMN = "│", "┊"


class Columns(NamedTuple):
    """Places of capture by name, and the cells at which they are: on the way from the client to the remote host."""

    names: tuple[str, ...] = ()
    at: tuple[int, ...] = ()

    @classmethod
    def along(cls, names: Sequence[str], end: int) -> Columns:
        """``end``: the remote host's cell."""
        count = len(names)
        return cls(tuple(names), tuple(end * number // (count + 1) for number in range(1, count + 1)))

    def middle(self, between: tuple[str, str]) -> int | None:
        """The cell half way between two places; None where they have no columns."""
        if not {*between} <= {*self.names}:
            return None
        one, two = (self.at[self.names.index(name)] for name in between)
        return (one + two) // 2

    def heading(self, lanes: Lanes) -> str:
        """Their names, each behind its own line; of names that do not fit the end, in which they differ."""
        room = min(b - a for a, b in zip(self.at, (*self.at[1:], lanes[Lane.REMOTE]), strict=True)) - 3
        names = self.names
        if max(map(len, names)) > room:
            same = sum(1 for _ in takewhile(lambda letters: len({*letters}) == 1, zip(*names, strict=False)))
            names = tuple(f"…{name[same:]}" if same > 1 else name for name in names)
        cells = [" "] * (lanes[Lane.REMOTE] + 1)
        cells[lanes[Lane.CLIENT]] = cells[lanes[Lane.REMOTE]] = _LANE
        for at, name in zip(self.at, names, strict=True):
            text = f"{_COLUMN} {clip(name, max(room, 1))}"
            cells[at : at + len(text)] = text
        return "".join(cells)


def draw(
    step: LadderStep, lanes: Lanes, columns: Columns, process_alive: bool, inside: bool, room: int
) -> list[StyledText]:
    """The lanes of one line: an arrow, with its label if ``inside``, or a remark of up to ``room`` cells."""
    cells = [" "] * (lanes[Lane.PROCESS] + 1)
    for at in columns.at:
        cells[at] = _COLUMN
    for lane in Lane:
        if lane is not Lane.PROCESS or process_alive:
            cells[lanes[lane]] = _LANE
    shaft = "lane"
    start, end = 3, room
    if step.source is not None and step.target is not None:
        left, right = _ends(step, lanes, columns)
        cells[left : right + 1] = _arrow(step, cells[left : right + 1])
        start, end = left + 3 + min(2 * step.depth, (right - left) // 4), right - 2
        shaft = step.style if step.line == "dashed" else "lane"
    line = "".join(cells)
    if not inside:
        return [(line, shaft)]
    label = clip(step.label, max(end - start - 3, 1))
    if step.source is not None and label:
        label = f" {label} "
    return [(line[:start], shaft), (label, step.style), (line[start + len(label) :], shaft)]


def _ends(step: LadderStep, lanes: Lanes, columns: Columns) -> tuple[int, int]:
    """The cells from which and to which an arrow goes, the left one first."""
    assert step.source is not None
    assert step.target is not None
    left, right = sorted((lanes[step.source], lanes[step.target]))
    if not step.half:
        return left, right
    middle = columns.middle(step.between)
    middle = (left + right) // 2 if middle is None else middle
    # An arrow to the right that ends half way covers the left half, as does one to the left that begins there.
    is_left = (step.half == "end") is (step.target > step.source)
    return (left, middle) if is_left else (middle, right)


def _arrow(step: LadderStep, crossed: Sequence[str]) -> list[str]:
    """An arrow as long as the cells that it is drawn over, with signs where it crosses a lane."""
    shaft, cross = _SHAFTS[step.line]
    middle = [cross if cell == _LANE else cell if cell == _COLUMN else shaft for cell in crossed[1:-1]]
    rightward = step.target == max(step.source or 0, step.target or 0)
    head = "×" if step.line == "dashed" else "▶" if rightward else "◀"
    middle[-1 if rightward else 0] = head
    return ["├" if rightward else _LANE, *middle, _LANE if rightward else "┤"]
