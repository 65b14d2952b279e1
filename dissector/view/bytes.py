"""The bytes of a message in hexadecimal with a cursor, those of a field marked."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message as Event
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dissector.view import keys

_MARKED = Style(reverse=True)
_CURSOR = Style(reverse=True, bold=True, underline=True)
_OFFSET = Style(dim=True)
#: Cells of a line besides four for each byte: offset and gaps.
_BESIDES = 8
_PLENTY, _FEW = 16, 8


class BytesPane(ScrollView, can_focus=True):
    """``data`` is shown as it is: without secrets, of whoever gives it."""

    BINDINGS = keys.moves()
    DEFAULT_CSS = "BytesPane { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }"

    class Moved(Event):
        """The cursor is on another byte."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._data = b""
        self._marked = (0, 0)
        self.cursor = 0

    @property
    def a_line(self) -> int:
        """Bytes in a line."""
        return _PLENTY if self.size.width >= _BESIDES + 4 * _PLENTY else _FEW

    @property
    def marked(self) -> bytes:
        """Those of the field, or the one under the cursor."""
        start, end = self._marked
        return self._data[start:end] if end > start else self._data[self.cursor : self.cursor + 1]

    def show(self, data: bytes) -> None:
        self._data, self.cursor, self._marked = data, 0, (0, 0)
        self.on_resize()
        self.scroll_home(animate=False, immediate=True, force=True)

    def on_resize(self) -> None:
        self.virtual_size = Size(max(self.size.width - 2, 1), -(-len(self._data) // self.a_line))
        self.refresh()

    def mark(self, start: int, end: int, *, go: bool) -> None:
        """Bytes ``start`` to ``end`` (exclusive) are those of a field; ``go``: the cursor goes there too."""
        self._marked = (start, end)
        if go:
            self.cursor = min(start, max(len(self._data) - 1, 0))
            self._into_view()
        self.refresh()

    def _into_view(self) -> None:
        row, top = self.cursor // self.a_line, self.scroll_offset.y
        if row < top:
            self.scroll_to(y=row, animate=False, immediate=True, force=True)
        elif row >= top + self.size.height:
            self.scroll_to(y=row - self.size.height + 1, animate=False, immediate=True, force=True)

    def _go(self, at: int) -> None:
        self.cursor = max(0, min(at, len(self._data) - 1))
        self._into_view()
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, lines: int) -> None:
        self._go(self.cursor + lines * self.a_line)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - 1))

    def action_sideways(self, cells: int) -> None:
        self._go(self.cursor + (1 if cells > 0 else -1))

    def on_click(self, event: events.Click) -> None:
        column = (event.x - 6) // 3
        if 0 <= column < self.a_line:
            self._go((self.scroll_offset.y + event.y) * self.a_line + column)

    def render_line(self, y: int) -> Strip:
        count, width = self.a_line, self.size.width
        start = (self.scroll_offset.y + y) * count
        part = self._data[start : start + count]
        if not part:
            return Strip.blank(width, self.rich_style)
        segments = [Segment(f"{start:04x}  ", _OFFSET)]
        for place in range(start, start + len(part)):
            style, next_style = self._style(place), self._style(place + 1)
            segments.append(Segment(f"{self._data[place]:02x}", style))
            joined = self._is_marked(place) and self._is_marked(place + 1) and place + 1 < start + len(part)
            segments.append(Segment(" ", _MARKED if joined and next_style else None))
        segments.append(Segment("   " * (count - len(part)) + " "))
        for place in range(start, start + len(part)):
            byte = self._data[place]
            segments.append(Segment(chr(byte) if 32 <= byte < 127 else "·", self._style(place)))
        return Strip(segments).adjust_cell_length(width).apply_style(self.rich_style)

    def _is_marked(self, place: int) -> bool:
        return self._marked[0] <= place < self._marked[1]

    def _style(self, place: int) -> Style:
        if place == self.cursor and self.has_focus:
            return _CURSOR if not self._is_marked(place) else Style(bold=True, underline=True)
        return _MARKED if self._is_marked(place) else Style()
