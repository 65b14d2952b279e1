"""The bytes of a message, field by field: ``0009..000c  dispid  14``; offsets count from the class byte."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import zip_longest
from typing import NamedTuple

from dissector.model import Message
from dissector.render.terminal import Terminal
from dissector.render.text import escape, fold, size
from dissector.wire.control import Document
from dissector.wire.decode import fields, pending_of
from dissector.wire.fields import FieldNode
from dissector.wire.http_message import HttpMessage
from dissector.wire.masking import Mask
from dissector.wire.messages import Undecoded

_BYTES_A_LINE = 16
#: Lines of bytes that could not be decoded, unless all are wanted.
_LINES = 4
_MASKED = "***"
_UNPRINTABLE = re.compile(rb"[\x00-\x08\x0e-\x1f]")


class FieldSpan(NamedTuple):
    """A field as it is shown: bytes ``start`` to ``end`` (exclusive), ``text`` without secrets."""

    name: str
    path: str
    start: int
    end: int
    text: str


def print_fields(terminal: Terminal, message: Message, mask: Mask, margin: int, full: bool) -> None:
    """Under a line of the ladder; what can not be decoded is shown as bytes."""
    body = message.body
    if isinstance(body, HttpMessage):
        _print_http(terminal, message.raw, body, mask, margin, full)
        return
    if isinstance(body, Document):
        _print_lines(terminal, message.raw, mask.text, margin, full)
        return
    found = MaskedFields(message, mask)
    _Printer(terminal, message, found, margin, full).node(found.root, 0)


class MaskedFields:
    """The field tree of a frame (``root``) and the text of each of its leaves without secrets."""

    def __init__(self, message: Message, mask: Mask) -> None:
        pending = pending_of(message.request.body) if message.request is not None else None
        self.root = fields(message.raw, pending)
        self._mask = mask
        self._hidden = mask.hidden(message)
        self._numbers = {
            (leaf.start, leaf.end) for number in mask.numbers(message, self.root) for leaf in number.leaves()
        }
        #: Somewhere in what could not be decoded is a secret.
        self.opaque = isinstance(message.body, Undecoded) and message.body.data in self._hidden

    def text(self, leaf: FieldNode) -> str:
        value = leaf.value
        if (leaf.start, leaf.end) in self._numbers:
            return _MASKED
        if not isinstance(value, (str, bytes)):
            return leaf.text
        if self.opaque and leaf.name != "undecoded":
            return _MASKED
        if value in self._hidden:
            return str(self._hidden[value])
        return self._mask.text(leaf.text) if isinstance(value, str) else leaf.text


class _Printer:
    def __init__(self, terminal: Terminal, message: Message, found: MaskedFields, margin: int, full: bool) -> None:
        self._terminal = terminal
        self._raw = message.raw
        self._found = found
        self._margin = margin
        self._full = full

    def node(self, node: FieldNode, depth: int) -> None:
        last = max(node.end - 1, node.start)
        place = f"{node.start:04x}..{last:04x}" if node.end > node.start else f"{node.start:04x}  none"
        head = " " * self._margin + f"{place}  " + "  " * depth
        text = "" if node.children else escape(self._found.text(node))
        room = max(self._terminal.width - len(head) - len(node.name) - 2, 8)
        text = text if self._full else fold(text, room)
        self._terminal.about(FieldSpan(node.name, node.path, node.start, node.end, text))
        self._terminal.line((head, "dim"), (node.name, "key"), (f"  {text}" if text else "", ""))
        if node.name == "undecoded":
            self._bytes(node)
        for child in node.children:
            self.node(child, depth + 1)

    def _bytes(self, node: FieldNode) -> None:
        """The bytes themselves, of many the first ones."""
        end = node.end if self._full else min(node.end, node.start + _LINES * _BYTES_A_LINE)
        if self._found.opaque:
            end = node.start
        for offset in range(node.start, end, _BYTES_A_LINE):
            part = self._raw[offset : min(offset + _BYTES_A_LINE, end)]
            readable = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
            self._terminal.line(
                (" " * self._margin + f"{offset:04x}  ", "dim"), (f"{part.hex(' '):<47}  ", ""), (readable, "dim")
            )
        if end < node.end:
            why = ", a secret among them" if self._found.opaque else ""
            self._terminal.line((" " * self._margin + f"{end:04x}  … {size(node.end - end)} more{why}", "dim"))


def _print_http(terminal: Terminal, raw: bytes, message: HttpMessage, mask: Mask, margin: int, full: bool) -> None:
    """Head and body line by line; of a body that is no text, or compressed, how long it is."""
    start = len(raw) - len(message.sent)
    is_text = not message.codings.compressed and not _UNPRINTABLE.search(message.sent.rstrip(b"\0"))
    _print_lines(terminal, raw if is_text else raw[:start], mask.agent, margin, full)
    if not is_text:
        text = size(len(message.sent)) + (", compressed" if message.codings.compressed else "")
        terminal.about(FieldSpan("body", "body", start, len(raw), text))
        terminal.line((f"{' ' * margin}{start:04x}..{len(raw) - 1:04x}  ", "dim"), ("body", "key"), (f"  {text}", ""))


def _print_lines(terminal: Terminal, raw: bytes, masked_text: Callable[[str], str], margin: int, full: bool) -> None:
    """A text line by line.  It is masked as a whole: a secret may go over several lines."""
    plain = raw.decode("iso-8859-1").splitlines(keepends=True)
    masked = masked_text("".join(plain)).splitlines(keepends=True)
    offset = 0
    for line, shown in zip_longest(plain, masked, fillvalue=""):
        text = escape(shown.rstrip("\r\n\0"))
        head = " " * margin + f"{offset:04x}..{offset + len(line) - 1:04x}  "
        room = max(terminal.width - len(head), 8)
        terminal.about(FieldSpan("text", "text", offset, offset + len(line), text))
        terminal.line((head, "dim"), (text if full else fold(text, room), ""))
        offset += len(line)
