"""A pane of styled lines: as long as it likes, draws only what is seen, can follow its end and be searched."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dissector.render.terminal import StyledText, Terminal
from dissector.render.theme import STYLES

RICH_STYLES = {name: Style.parse(text) if text else Style() for name, text in STYLES.items()}
FOUND = Style(reverse=True)


class Sheet(Terminal):
    """Lines that a view writes, kept for a pane of ``width`` cells."""

    def __init__(self, width: int) -> None:
        super().__init__(StringIO(), "never")
        self.width, self.fixed = max(width, 20), True
        self.lines: list[list[StyledText]] = []

    def line(self, *spans: StyledText) -> None:
        self.lines.append(list(spans))


class LinesPane(ScrollView, can_focus=True):
    """``show`` replaces the lines; who looks at the end stays there."""

    def __init__(self, empty: str, *, id: str) -> None:
        super().__init__(id=id)
        self._empty = empty
        self._lines: list[list[StyledText]] = [[(empty, "dim")]]
        self._found = -1

    def show(self, lines: Sequence[list[StyledText]], *, begin: bool = False, end: bool = False) -> None:
        """``begin`` or else ``end``: goes there whatever was seen before."""
        following = end or self.scroll_offset.y >= self.max_scroll_y - 1
        self._lines = list(lines) or [[(self._empty, "dim")]]
        self.virtual_size = Size(max(self.size.width - 2, 1), len(self._lines))
        if begin or end:
            self._found = -1
        if begin:
            self.scroll_home(animate=False, immediate=True, force=True)
        elif following:
            self.scroll_end(animate=False, immediate=True, force=True)
        self.refresh()

    @property
    def text(self) -> str:
        return "\n".join("".join(text for text, _ in line) for line in self._lines)

    def search(self, wanted: str, step: int) -> bool:
        """Goes to the next line (``step`` 1) or the one before (-1) that has the text."""
        count = len(self._lines)
        start = self._found if self._found >= 0 else (self.scroll_offset.y if step > 0 else 0) - (step > 0)
        for distance in range(1, count + 1):
            place = (start + step * distance) % count
            if wanted.casefold() in "".join(text for text, _ in self._lines[place]).casefold():
                self._found = place
                self.scroll_to(y=max(0, place - self.size.height // 2), animate=False, immediate=True, force=True)
                self.refresh()
                return True
        return False

    def render_line(self, y: int) -> Strip:
        place, width = self.scroll_offset.y + y, self.size.width
        if place >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        mark = FOUND if place == self._found else Style()
        spans = [Segment(text, RICH_STYLES[style] + mark) for text, style in self._lines[place]]
        return Strip(spans).adjust_cell_length(width).apply_style(self.rich_style)
