"""One message: its text whole, its fields, its bytes; the bytes of the chosen field are marked, and the field of the
chosen byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from dissector.model import Message
from dissector.render.fields import FieldSpan, print_fields
from dissector.render.terminal import wrap
from dissector.render.text import duration, size
from dissector.render.times import dated
from dissector.render.words import Words
from dissector.view import exchange
from dissector.view.bytes import BytesPane
from dissector.view.pane import LinesPane, Sheet
from dissector.wire.masking import Mask

_ANSWERS = ("answer", "error", "command_answer")
_WIDE = 120


class MessagePane(Container):
    """``clean`` gives the bytes of a message without secrets, as many as there are."""

    DEFAULT_CSS = """
    MessagePane { layout: grid; grid-size: 1 3; grid-rows: 1fr 1fr 8; }
    MessagePane.wide { grid-size: 2 2; grid-rows: 1fr 2fr; grid-columns: 1fr 76; }
    MessagePane.wide #words { column-span: 2; }
    MessagePane LinesPane, MessagePane BytesPane { border-top: solid $primary; }
    """
    ORDER: ClassVar[tuple[str, ...]] = ("words", "fields", "bytes")

    def __init__(self, mask: Mask, clean: Callable[[Message], bytes], *, id: str) -> None:
        super().__init__(id=id)
        self._mask, self._clean = mask, clean
        self.message: Message | None = None

    def compose(self) -> ComposeResult:
        for name in ("words", "fields"):
            pane = LinesPane("", id=name)
            pane.border_title = {"words": "message", "fields": "fields"}[name]
            yield pane
        pane_of_bytes = BytesPane(id="bytes")
        pane_of_bytes.border_title = "bytes"
        yield pane_of_bytes

    @property
    def words_pane(self) -> LinesPane:
        return self.query_one("#words", LinesPane)

    @property
    def fields_pane(self) -> LinesPane:
        return self.query_one("#fields", LinesPane)

    @property
    def bytes_pane(self) -> BytesPane:
        return self.query_one(BytesPane)

    # --- what it shows ---------------------------------------------------------------------------------------------

    def show(self, message: Message) -> None:
        self.message = message
        self.bytes_pane.show(self._clean(message) if self._mask.enabled else message.raw)
        self._draw()

    def on_resize(self) -> None:
        self.set_class(self.size.width >= _WIDE, "wide")
        if self.message is not None:
            self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        message = self.message
        if message is None:
            return
        sheet = Sheet(self.words_pane.size.width - 2)
        self._write(sheet, message)
        self.words_pane.show(sheet.lines, begin=True)
        sheet = Sheet(self.fields_pane.size.width - 2)
        print_fields(sheet, message, self._mask, 0, full=False)
        self.fields_pane.show(sheet.lines, begin=True)
        self._mark_bytes(go=False)

    def _write(self, sheet: Sheet, message: Message) -> None:
        facts = [
            f"packet{'' if len(message.packets) == 1 else 's'} {', '.join(map(str, message.packets))}",
            dated(message.time),
            "to the remote" if message.to_remote else "to the client",
            message.kind + (f" of {message.operation}" if message.operation else ""),
            size(message.size).replace(" ", "\u00a0"),
        ]
        if message.latency is not None:
            facts.append(f"answered after {duration(message.latency)}")
        sheet.block([(" ", "")], "   ".join(facts), "dim")
        for line in self._text(message).split("\n"):
            for part in wrap(line, sheet.width - 2) if line.strip() else [""]:
                sheet.line((" " + part, ""))

    def _text(self, message: Message) -> str:
        if message.kind in exchange.KINDS:
            return exchange.text_of(message, self._mask)
        words = Words(self._mask, full=True)
        return (words.answer(message).text if message.kind in _ANSWERS else words.request(message)) or "ok"

    @property
    def title(self) -> str:
        message = self.message
        if message is None:
            return ""
        task = f" of task {message.task.n}" if message.task is not None else ""
        name = message.kind if message.kind in exchange.KINDS else "Message"
        return f" {name} {message.n}{task}, packet {message.packets[-1] if message.packets else '?'}"

    # --- ways ------------------------------------------------------------------------------------------------------

    @property
    def _panes(self) -> list[Widget]:
        return [self.words_pane, self.fields_pane, self.bytes_pane]

    def deeper(self, step: int) -> bool:
        """The focus to the next pane (``step`` 1) or the one before; False where there is none."""
        at = next((at for at, pane in enumerate(self._panes) if pane.has_focus), 0) + step
        if 0 <= at < len(self._panes):
            self._panes[at].focus()
        return 0 <= at < len(self._panes)

    def around(self) -> None:
        """The focus to the next pane, behind the last one to the first."""
        if not self.deeper(1):
            self.words_pane.focus()

    # --- fields and bytes ------------------------------------------------------------------------------------------

    @property
    def field(self) -> FieldSpan | None:
        """The one under the cursor."""
        found = self.fields_pane.current.subject
        return found if isinstance(found, FieldSpan) else None

    def on_lines_pane_moved(self, event: LinesPane.Moved) -> None:
        if event.pane is self.fields_pane:
            self._mark_bytes(go=True)

    def _mark_bytes(self, *, go: bool) -> None:
        if (field := self.field) is not None:
            self.bytes_pane.mark(field.start, field.end, go=go)

    def on_bytes_pane_moved(self) -> None:
        """The field of the byte is the smallest one that has it."""
        at = self.bytes_pane.cursor
        known = (one for one in self.fields_pane.subjects() if isinstance(one, FieldSpan))
        if fields := [one for one in known if one.start <= at < one.end]:
            smallest = min(fields, key=lambda one: one.end - one.start)
            self.fields_pane.mark(smallest)
            self.bytes_pane.mark(smallest.start, smallest.end, go=False)
