"""The field tree of one message: every field with its name, path and exact byte span.

``Reader`` is what the generated walk (``_decoder.walk_message``) drives.  It reads slowly and says exactly what is
wrong where; the fast half of ``_decoder`` only knows that something is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

from dissector.errors import DecodeError
from dissector.numbers import count
from dissector.wire.enums import Command, DispId, MessageClass, flag_names, vartype_name
from dissector.wire.messages import is_number
from dissector.wire.names import guid_name, guid_text, hresult_name, lcid_name

Value = None | int | bool | str | bytes


@dataclass(slots=True)
class FieldNode:
    """Bytes ``start`` to ``end`` (exclusive, counted from the class byte) and what they say.

    A node without children is a leaf; leaves in order cover the message without hole or overlap.  A string's leaf
    begins with its length.  ``table`` names what translates ``value`` (the grammar's ``Shown``); of a bool that
    is neither 0 nor 1 it is the byte itself.
    """

    name: str
    path: str
    start: int
    end: int
    value: Value = None
    table: str | None = None
    children: list[FieldNode] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The value as people read it: codes with their names, bytes as hex, empty for a group."""
        return display(self.value, self.table)

    def leaves(self) -> Iterator[FieldNode]:
        """The leaves below, in wire order; the node itself when it has no children."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


def display(value: Value, table: str | None) -> str:
    """``value`` as people read it; ``table`` as in the grammar's ``Shown``."""
    if isinstance(value, bytes):
        return _guid(value) if table == "guid" else value.hex()
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower() + (f" ({table})" if table else "")
    if isinstance(value, str):
        return value
    return _number(value, table)


def _guid(value: bytes) -> str:
    name = guid_name(value)
    return f"{guid_text(value)} ({name})" if name else guid_text(value)


def _number(value: int, table: str | None) -> str:
    match table:
        case "message_class":
            return f"{MessageClass(value).name} ({_character(value)})"
        case "command":
            return f"{Command(value).name} ({_character(value)})"
        case "vartype":
            return f"{vartype_name(value)} ({value:#x})"
        case "invoke_flags":
            return f"{'|'.join(flag_names(value)) or 'none'} ({value})"
        case "hresult":
            return f"{hresult_name(value)} (0x{value & 0xFFFF_FFFF:08x})"
        case "dispid":
            return f"{DispId(value).name} ({value})" if value < 0 else str(value)
        case "lcid":
            return f"{lcid_name(value)} ({value:#x})"
        case "object_id":
            return f"0x{value:016x}" if value else "null"
        case "features":
            return f"0x{value:04x}"
        case "currency":
            return f"{'-' if value < 0 else ''}{abs(value) // 10_000}.{abs(value) % 10_000:04}"
        case _:
            return str(value)


def _character(code: int) -> str:
    return f"'{chr(code)}'" if 0x20 <= code < 0x7F else f"{code:#04x}"


class Reader:
    """Cursor over one message.  ``keep`` False: only finds the error, keeps no tree.

    ``position`` is the next byte, ``last`` where the last read began, ``done`` the end of the last whole leaf.

    :raises DecodeError: from every reading method; its offset is the first byte of the field that was to be read, or
        that was read and is refused
    """

    def __init__(self, data: bytes, *, keep: bool) -> None:
        self.data = data
        self.keep = keep
        self.position = 0
        self.last = 0
        self.done = 0
        self.root = FieldNode("message", "", 0, len(data))
        self._open = [self.root]
        self._path = [""]
        self._level = 0

    # --- leaves ---

    def integer(self, name: str, size: int, signed: bool, table: str | None = None) -> int:
        start = self.position
        value = int.from_bytes(self._take(name, size), "big", signed=signed)
        self._leaf(name, start, value, table)
        return value

    def boolean(self, name: str) -> bool:
        start = self.position
        byte = self._take(name, 1)[0]
        if byte > 1:
            self.refuse(name, "a bool is neither 0 nor 1")
        self._leaf(name, start, bool(byte))
        return bool(byte)

    def truth(self, name: str) -> bool:
        """All but 0 is true; what nobody writes shows its byte."""
        start = self.position
        byte = self._take(name, 1)[0]
        self._leaf(name, start, byte != 0, f"{byte:#04x}" if byte > 1 else None)
        return byte != 0

    def blob(self, name: str, size: int, table: str | None = None) -> None:
        start = self.position
        self._leaf(name, start, self._take(name, size), table)

    def text(self, name: str, prefix: int, number: bool) -> None:
        start = self.position
        size = int.from_bytes(self._take(name, prefix), "big")
        text = self._take(name, size).decode("latin-1")
        if number and not is_number(text):
            self.refuse(name, "text that is no number")
        self._leaf(name, start, text)

    def rest(self, name: str, text: str | None = None) -> None:
        """All bytes left as one leaf, none when nothing is left; ``text`` takes the place of their value."""
        start, self.position = self.position, len(self.data)
        if start < self.position:
            self._leaf(name, start, self.data[start:] if text is None else text)

    # --- structure ---

    @contextmanager
    def group(self, name: str) -> Iterator[None]:
        path = self.path(name)
        node = FieldNode(name, path, self.position, self.position)
        if self.keep:
            self._open[-1].children.append(node)
            self._open.append(node)
        self._path.append(path)
        try:
            yield
        finally:
            self._path.pop()
            if self.keep:
                self._open.pop().end = self.done

    @contextmanager
    def nested(self, name: str, depth: int) -> Iterator[None]:
        if self._level == depth:
            self.refuse(name, f"nested deeper than {depth}", self.position)
        self._level += 1
        with self.group(name):
            yield
        self._level -= 1

    def items(self, number: int, at_least: int) -> Iterator[str]:
        """Names of ``number`` elements of ``at_least`` bytes each: ``[0]``, ``[1]``, ..."""
        left = len(self.data) - self.position
        if number * at_least > left:
            self.refuse("", f"{count(number, 'element')} can not be in the {count(left, 'byte')} left", self.position)
        for index in range(number):
            yield f"[{index}]"

    def items_to_end(self) -> Iterator[str]:
        """Names of elements while there are bytes left."""
        index = 0
        while self.position < len(self.data):
            yield f"[{index}]"
            index += 1

    def repeats(self, value: int, size: int) -> bool:
        """True when ``size`` bytes are left and the first eight say ``value``."""
        here = self.position
        return len(self.data) - here == size and int.from_bytes(self.data[here : here + 8], "big") == value

    # --- errors ---

    def give_up(self, error: DecodeError) -> None:
        """Makes everything behind the last leaf one leaf ``undecoded`` that says why."""
        self.root.children.append(FieldNode("undecoded", "undecoded", self.done, len(self.data), str(error)))

    def path(self, name: str) -> str:
        outer = self._path[-1]
        return f"{outer}.{name}" if outer and name and name[0] != "[" else outer + name

    def refuse(self, name: str, reason: str, offset: int | None = None) -> NoReturn:
        raise DecodeError(self.path(name), self.last if offset is None else offset, reason)

    def _take(self, name: str, size: int) -> bytes:
        self.last = start = self.position
        left = len(self.data) - start
        if size > left:
            self.refuse(name, f"needs {count(size, 'byte')}, {left} left")
        self.position = start + size
        return self.data[start : self.position]

    def _leaf(self, name: str, start: int, value: Value, table: str | None = None) -> None:
        self.done = self.position
        if self.keep:
            self._open[-1].children.append(FieldNode(name, self.path(name), start, self.position, value, table))
