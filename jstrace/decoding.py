"""The bytes of one frame of a callback connection: what it says, and its fields with their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from dissector import model
from dissector.render.fields import MaskedFields
from dissector.render.records import Records
from dissector.session.dialog import HEADER, Dialog
from dissector.traffic import Frame, Side
from dissector.wire import decode as wire
from dissector.wire.fields import FieldNode
from dissector.wire.masking import Mask
from jstrace.making import Maker
from jstrace.records import ExcepInfo, InterfaceResult, Message, Object, Value, WireError

if TYPE_CHECKING:
    from dissector.render.contract import MessageWord

_NOWHERE = model.Endpoint("0.0.0.0", None)


@dataclass(frozen=True, slots=True)
class Field:
    """Bytes ``start`` to ``end`` (exclusive, counted from the message's first byte, behind the length header) and what
    they say.  A field without children is a leaf; leaves in order cover the message without hole or overlap."""

    name: str
    #: ``invoke.params.arguments[0].value``
    path: str
    start: int
    end: int
    #: As people read it: codes with their names, bytes as hex digits, secrets as ``***``; empty for a group.
    text: str
    children: tuple[Field, ...] = field(default=(), repr=False)

    def leaves(self) -> Iterator[Field]:
        """The leaves below, in the order of bytes; the field itself when it has no children."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame of a callback connection; the keys have the meanings that they have in ``Message``."""

    kind: MessageWord
    operation: str | None
    object: Object | None
    member: str | None
    dispid: int | None
    flags: tuple[str, ...] | None
    arguments: tuple[Value, ...] | None
    hresult: int | None
    result: Value | None
    dispids: tuple[int, ...] | None
    results: tuple[InterfaceResult, ...] | None
    error: WireError | None
    excepinfo: ExcepInfo | None
    #: What is odd about it: bytes left over, an answer whose request is not known.
    note: str | None
    #: The whole message as a tree.
    fields: Field = field(repr=False)
    #: The message without its length header.
    data: bytes = field(repr=False)


def decode(frame: bytes, request: Decoded | None = None, *, show_secrets: bool = False) -> Decoded:
    """Decodes one frame, with its length header or without.

    :param frame: its bytes, all of them.
    :param request: of an answer: the request that it answers.  The bytes of an answer do not say what they are: without
        it the answer has kind ``undecoded``.
    :param show_secrets: passwords and the like are ``***`` unless this is True.
    :raises DecodeError: the bytes do not follow the grammar; it has ``path`` (the field), ``offset`` (in the message)
        and ``reason``.

    >>> frame = bytes.fromhex("0000000a 4f 9feaa85700000004 52")
    >>> request = jstrace.decode(frame)
    >>> request.kind, request.operation
    ('request', 'release')
    >>> for field in request.fields.children[:3]:
    ...     print(field.start, field.end, field.path, field.text)
    0 1 class OBJECT ('O')
    1 9 object_id 0x9feaa85700000004
    9 10 command RELEASE ('R')
    >>> jstrace.decode(b"A", request).operation
    'release'
    >>> jstrace.decode(frame[:-1] + b"?")
    Traceback (most recent call last):
    dissector.errors.DecodeError: message at offset 9: unknown object command 63
    """
    message = _without_header(bytes(frame))
    dialog = Dialog(model.Connection(_NOWHERE, _NOWHERE, 0, 0), Side.SERVER, count(1).__next__)
    pending = None
    side = Side.SERVER
    if request is not None:
        asked = dialog.feed(Frame(Side.SERVER, 0, request.data, (1,), 0))
        pending, side = wire.pending_of(asked.body), Side.CLIENT
    wire.decode(message, pending)
    found = dialog.feed(Frame(side, 0, message, (1,), 0))
    found.connection.n = 1
    mask = Mask(not show_secrets)
    return _decoded(Maker(Records(mask)).message(found), found, MaskedFields(found, mask))


def _decoded(record: Message, found: model.Message, fields: MaskedFields) -> Decoded:
    return Decoded(
        kind=record.kind,
        operation=record.operation,
        object=record.object,
        member=record.member,
        dispid=record.dispid,
        flags=record.flags,
        arguments=record.arguments,
        hresult=record.hresult,
        result=record.result,
        dispids=record.dispids,
        results=record.results,
        error=record.error,
        excepinfo=record.excepinfo,
        note=found.note,
        fields=_field(fields.root, fields),
        data=found.raw,
    )


def _field(node: FieldNode, fields: MaskedFields) -> Field:
    children = tuple(_field(child, fields) for child in node.children)
    return Field(node.name, node.path, node.start, node.end, "" if children else fields.text(node), children)


def _without_header(frame: bytes) -> bytes:
    """No message begins with the bytes of its own length: they begin with a letter, and so would be very long."""
    has_header = len(frame) > HEADER and int.from_bytes(frame[:HEADER], "big") == len(frame) - HEADER
    return frame[HEADER:] if has_header else frame
