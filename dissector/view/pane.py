"""A pane of styled lines with a cursor: as long as it likes, draws only what is seen, follows its end, can be searched.

Each line has a subject (what it is about), the same for lines that belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from itertools import pairwise
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message as Event
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dissector.render.ladder import HEADINGS
from dissector.render.steps import LadderStep
from dissector.render.terminal import StyledText, Terminal
from dissector.render.theme import STYLES
from dissector.view import keys

RICH_STYLES = {name: Style.parse(text) if text else Style() for name, text in STYLES.items()}
CURSOR = Style(reverse=True)
#: Of a text that was searched for; on the cursor's line, which is reversed already, the other way round.
FOUND = Style(reverse=True, bold=True)
_FOUND_HERE = Style(reverse=False, bold=True, underline=True)
_BAD = ("error", "warning", "log_error", "log_warn")
_WIDEST = 20_000


class PaneLine(NamedTuple):
    """``subject``: what it is about, None: nothing."""

    spans: list[StyledText]
    subject: object = None

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.spans)

    @property
    def is_bad(self) -> bool:
        return any(style in _BAD for _, style in self.spans)


class Sheet(Terminal):
    """Lines that a view writes, kept for a pane of ``width`` cells."""

    def __init__(self, width: int) -> None:
        super().__init__(StringIO(), "never")
        self.width, self.fixed = max(width, 20), True
        self.lines: list[PaneLine] = []
        self._subject: object = None

    def line(self, *spans: StyledText) -> None:
        self.lines.append(PaneLine(list(spans), self._subject))

    def about(self, subject: object) -> None:
        self._subject = subject


class LinesPane(ScrollView, can_focus=True):
    """``show`` replaces the lines; who looks at the end stays there.  Headings of lanes stay at the top."""

    BINDINGS = keys.moves()
    DEFAULT_CSS = "LinesPane { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }"

    class Moved(Event):
        """The cursor is on another line."""

        def __init__(self, pane: LinesPane) -> None:
            super().__init__()
            self.pane = pane

    class Entered(Moved):
        """The line under the cursor was clicked twice."""

    def __init__(self, empty: str, *, id: str) -> None:
        super().__init__(id=id)
        self._empty = empty
        self._lines = [PaneLine([(empty, "dim")])]
        self._heads: list[int] = []
        self._cursor = 0
        self.wanted = ""

    # --- what it shows ---------------------------------------------------------------------------------------------

    def show(self, lines: Sequence[PaneLine], *, begin: bool = False, end: bool = False) -> None:
        """``begin`` or else ``end``: goes there whatever was seen before."""
        is_at_end = self.scroll_offset.y >= self.max_scroll_y - 1 and self._cursor >= len(self._lines) - 1
        stood_at = _name(self.current.subject)
        self._lines = list(lines) or [PaneLine([(self._empty, "dim")])]
        self._heads = [at for at, line in enumerate(self._lines) if line.subject == HEADINGS]
        widest = max((sum(len(text) for text, _ in line.spans) for line in self._lines), default=1)
        self.virtual_size = Size(min(max(widest, self.size.width - 2, 1), _WIDEST), len(self._lines))
        if begin:
            self._cursor = self._first()
            self.scroll_home(animate=False, immediate=True, force=True)
        elif end or is_at_end:
            self._cursor = len(self._lines) - 1
            self.scroll_end(animate=False, immediate=True, force=True)
        else:
            self._stay(stood_at)
        self.refresh()

    def _stay(self, name: object) -> None:
        """The cursor stays on what it was on, where that is drawn in other words or at another width."""
        self._cursor = min(self._cursor, len(self._lines) - 1)
        if name is not None and _name(self.current.subject) != name:
            names = (_name(line.subject) for line in self._lines)
            self._cursor = next((at for at, one in enumerate(names) if one == name), self._cursor)

    def _first(self) -> int:
        """The first line that can be entered."""
        return next((at for at, line in enumerate(self._lines) if line.subject not in (None, HEADINGS)), 0)

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self._lines)

    @property
    def current(self) -> PaneLine:
        """The line under the cursor."""
        return self._lines[self._cursor]

    def subjects(self) -> Iterator[object]:
        """Those of the lines, in order."""
        return (line.subject for line in self._lines)

    def mark(self, subject: object) -> None:
        """Puts the cursor on the first line about this subject, without a word to others."""
        for at, line in enumerate(self._lines):
            if line.subject is not None and line.subject == subject:
                self._place(at, tell=False)
                return

    # --- the cursor ------------------------------------------------------------------------------------------------

    def action_move(self, lines: int) -> None:
        self._place(max(0, min(self._cursor + lines, len(self._lines) - 1)))

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - 1 - len(self._heads)))

    def action_sideways(self, cells: int) -> None:
        most = max(self.virtual_size.width - self.size.width + 1, 0)
        x = max(0, min(self.scroll_offset.x + cells, most))
        self.scroll_to(x=x, animate=False, immediate=True, force=True)
        self.refresh()

    def _place(self, at: int, *, tell: bool = True) -> None:
        """The cursor there, and in view."""
        self._cursor = at
        top, height = self.scroll_offset.y, self.size.height
        heads = len(self._heads) if self._heads and at > self._heads[0] else 0
        if at < top + heads:
            self.scroll_to(y=max(at - heads, 0), animate=False, immediate=True, force=True)
        elif at >= top + height:
            self.scroll_to(y=at - height + 1, animate=False, immediate=True, force=True)
        self.refresh()
        if tell:
            self.post_message(self.Moved(self))

    def on_click(self, event: events.Click) -> None:
        at = self._at(event.y)
        if at is not None:
            self._place(at)
            if event.chain == 2:
                self.post_message(self.Entered(self))

    # --- searching -------------------------------------------------------------------------------------------------

    def search(self, wanted: str, step: int) -> bool:
        """Marks all places with the text, and goes to the next line (``step`` 1) that has it or the one before (-1)."""
        self.wanted = wanted
        return self._seek(step, lambda line: wanted.casefold() in line.text.casefold())

    def next_bad(self, step: int) -> bool:
        """Goes to the next line that tells of a problem, or the one before."""
        return self._seek(step, lambda line: line.is_bad)

    def go_to(self, wanted: Callable[[object], bool]) -> bool:
        """Goes to the first line for whose subject ``wanted`` is true."""
        at = next((at for at, line in enumerate(self._lines) if wanted(line.subject)), None)
        if at is not None:
            self._place(at)
        return at is not None

    def _seek(self, step: int, is_wanted: Callable[[PaneLine], bool]) -> bool:
        count = len(self._lines)
        for distance in range(1, count + 1):
            at = (self._cursor + step * distance) % count
            if is_wanted(self._lines[at]):
                self._place(at)
                return True
        self.refresh()
        return False

    # --- drawing ---------------------------------------------------------------------------------------------------

    def _at(self, y: int) -> int | None:
        """The line that stands in row ``y`` of the screen: headings that were scrolled away stay in the first rows."""
        top = self.scroll_offset.y
        if self._heads and top > self._heads[0] and y < len(self._heads):
            return self._heads[y]
        return top + y if top + y < len(self._lines) else None

    def render_line(self, y: int) -> Strip:
        at, width, left = self._at(y), self.size.width, self.scroll_offset.x
        if at is None:
            return Strip.blank(width, self.rich_style)
        here = at == self._cursor and self.has_focus
        spans = self._lines[at].spans
        strip = Strip(styled(spans, self.wanted, here=here))
        strip = strip.crop(left, left + width).adjust_cell_length(width)
        return strip.apply_style(self.rich_style + (CURSOR if here else Style()))


def _name(subject: object) -> object:
    """What tells a subject from others; a step of a ladder is the same in other words."""
    return (subject.time, subject.packets) if isinstance(subject, LadderStep) else subject


def styled(spans: Sequence[StyledText], wanted: str, *, here: bool) -> list[Segment]:
    """The spans with every place that has the text ``wanted`` marked, also where it goes over several spans; ``here``:
    the cursor is on this line."""
    found, base = (_FOUND_HERE, CURSOR) if here else (FOUND, Style())
    places = list(_places("".join(text for text, _ in spans), wanted)) if wanted else []
    if not places:
        return [Segment(text, RICH_STYLES[style] + base) for text, style in spans]
    segments, begin = [], 0
    for text, style in spans:
        inside = {cut - begin for place in places for cut in place if 0 < cut - begin < len(text)}
        for start, end in pairwise(sorted({0, len(text)} | inside)):
            is_found = any(low <= begin + start < high for low, high in places)
            segments.append(Segment(text[start:end], RICH_STYLES[style] + base + (found if is_found else Style())))
        begin += len(text)
    return segments


def _places(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    text, wanted = text.casefold(), wanted.casefold()
    at = text.find(wanted)
    while at >= 0:
        yield at, at + len(wanted)
        at = text.find(wanted, at + len(wanted))
