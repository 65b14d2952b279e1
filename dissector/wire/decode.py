"""Bytes to records and back: the one entry to the wire format.

``decode`` runs the generated decoder.  Only when that refuses a message the slow walk is asked where and why.
``reference_decode`` gives the same answers through construct itself; tests hold the two together.
"""

from __future__ import annotations

import io
import re
import struct
from typing import NamedTuple, NoReturn

from dissector.errors import DecodeError
from dissector.numbers import count
from dissector.wire import messages as m
from dissector.wire._decoder import decode_message, walk_message
from dissector.wire.enums import Command, MessageClass, Operation
from dissector.wire.fields import FieldNode, Reader

__all__ = [
    "NO_REQUEST",
    "Decoded",
    "FieldNode",
    "Pending",
    "decode",
    "encode",
    "encode_frame",
    "fields",
    "operation_name",
    "operation_of",
    "pending_of",
    "reference_decode",
]

#: Why an answer is not decoded when its request is not known.
NO_REQUEST = "answer without its request"

_new = tuple.__new__  # twice as fast as Decoded(...)
_TUNNEL_TOKEN = re.compile(rb'\{\s*"tunnelToken"\s*:')


class Pending(NamedTuple):
    """The request that an answer belongs to: ``count`` is its number of interface ids or names, else 0."""

    operation: Operation
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody asks a request for


class Decoded(NamedTuple):
    """A message's record, and how many bytes were left over behind it."""

    body: m.Body
    trailing: int


class _Kind(NamedTuple):
    """What a record's bytes begin with, and the operation that it is part of (None: of several or none)."""

    message_class: MessageClass
    command: Command | None
    operation: Operation | None


_KINDS: dict[type, _Kind] = {
    m.CreateInstance: _Kind(MessageClass.SESSION, Command.CREATE_INSTANCE, Operation.CREATE_INSTANCE),
    m.Release: _Kind(MessageClass.OBJECT, Command.RELEASE, Operation.RELEASE),
    m.QueryInterface: _Kind(MessageClass.OBJECT, Command.QUERY_INTERFACE, Operation.QUERY_INTERFACE),
    m.JavaQueryInterface: _Kind(MessageClass.OBJECT, Command.GET_IDS_OF_NAMES, Operation.QUERY_INTERFACE),
    m.GetIdsOfNames: _Kind(MessageClass.OBJECT, Command.GET_IDS_OF_NAMES, Operation.GET_IDS_OF_NAMES),
    m.Invoke: _Kind(MessageClass.OBJECT, Command.INVOKE, Operation.INVOKE),
    m.Call: _Kind(MessageClass.OBJECT, Command.CALL, Operation.CALL),
    m.KeepAlive: _Kind(MessageClass.KEEP_ALIVE, None, Operation.KEEP_ALIVE),
    m.CreateInstanceAnswer: _Kind(MessageClass.ANSWER, None, Operation.CREATE_INSTANCE),
    m.QueryInterfaceAnswer: _Kind(MessageClass.ANSWER, None, Operation.QUERY_INTERFACE),
    m.GetIdsOfNamesAnswer: _Kind(MessageClass.ANSWER, None, Operation.GET_IDS_OF_NAMES),
    m.InvokeAnswer: _Kind(MessageClass.ANSWER, None, Operation.INVOKE),
    m.CallAnswer: _Kind(MessageClass.ANSWER, None, Operation.CALL),
    m.EmptyAnswer: _Kind(MessageClass.ANSWER, None, None),
    m.ErrorAnswer: _Kind(MessageClass.ERROR, None, None),
}

#: What most requests leave pending, whatever is in them.
_PENDING = {
    of: Pending(kind.operation, 0)
    for of, kind in _KINDS.items()
    if kind.operation and kind.message_class is not MessageClass.ANSWER
}


#: Of an invoke, class up to flags; of a call, class up to its name's length; and how no arguments are written.
_BEFORE_ARGUMENTS, _BEFORE_NAME, _NO_ARGUMENTS = 38, 14, bytes(8)


#: What requests and answers are called.
_NAMES = {of: kind.operation.value for of, kind in _KINDS.items() if kind.operation}


def operation_name(body: m.Body) -> str | None:
    """The operation's word in the output contract, None as ``operation_of``."""
    return _NAMES.get(type(body))


def operation_of(body: m.Body) -> Operation | None:
    """The operation that a record asks for or answers; None for what fits several (empty and error answers)."""
    kind = _KINDS.get(type(body))
    return kind.operation if kind else None


def pending_of(request: m.Body) -> Pending | None:
    """What the answer to ``request`` will be decoded with; None for anything but a request."""
    if type(request) is m.GetIdsOfNames:
        return Pending(Operation.GET_IDS_OF_NAMES, len(request.names))
    if type(request) is m.CreateInstance:
        return Pending(Operation.CREATE_INSTANCE, len(request.iids))
    if type(request) is m.Undecoded and request.asks is not None:
        return pending_of(request.asks)
    return _PENDING.get(type(request))


def without_arguments(head: bytes) -> bytes:
    """The first bytes of an invoke or call as a whole message that has no arguments; others as they are."""
    if head[:1] != b"O" or head[9:10] not in (b"I", b"A"):
        return head
    end = _BEFORE_ARGUMENTS if head[9:10] == b"I" else _BEFORE_NAME + int.from_bytes(head[10:_BEFORE_NAME], "big")
    return head[:end] + _NO_ARGUMENTS if end <= len(head) else head


def decode(message: bytes, pending: Pending | None) -> Decoded:
    """The record of one message (without its length header); ``pending`` is the request that an answer belongs to.

    An answer without ``pending`` is ``Undecoded``: its layout is not in its bytes.

    :raises DecodeError: and nothing else, for any bytes
    """
    operation, count = pending or ("", 0)
    try:
        body, end = decode_message(message, operation, count)
    except (ValueError, IndexError, struct.error):
        return _odd(message, pending) or _refuse(message, operation, count)
    trailing = len(message) - end
    if trailing < 0:
        _refuse(message, operation, count)
    decoded: Decoded = _new(Decoded, (body, trailing))
    return decoded


def fields(message: bytes, pending: Pending | None) -> FieldNode:
    """The field tree of a message; its leaves cover every byte.

    What can not be decoded is a last leaf ``undecoded`` whose value says why; nothing is raised.
    """
    reader = Reader(message, keep=True)
    odd = _odd(message, pending)
    if odd is not None and isinstance(odd.body, m.TunnelToken):
        reader.rest("tunnel_token", odd.body.text)
    elif odd is not None:
        reader.integer("class", 1, False, "message_class")
        reader.rest("undecoded", NO_REQUEST)
    else:
        try:
            walk_message(reader, *(pending or ("", 0)))
        except DecodeError as error:
            reader.give_up(error)
    return reader.root


def _odd(message: bytes, pending: Pending | None) -> Decoded | None:
    """Messages that the grammar has no words for: an answer whose request is unknown, and the JSON tunnel token."""
    if message[:1] == b"A" and pending is None:
        return Decoded(m.Undecoded(message, NO_REQUEST), 0)
    if message[:1] == b"{" and _TUNNEL_TOKEN.match(message):
        return Decoded(m.TunnelToken(message.decode("latin-1")), 0)
    return None


def _refuse(message: bytes, operation: str, count: int) -> NoReturn:
    """Raises the error that tells what is wrong with ``message``."""
    walk_message(Reader(message, keep=False), operation, count)
    raise DecodeError("", 0, "the decoder's halves disagree")


# --- through construct ---------------------------------------------------------------------------------------------
#
# construct is imported only here, when first needed: no command that reads captures needs it.


class _Cursor(io.BytesIO):
    """A stream that remembers where the last read began and refuses a read that it can not serve in full."""

    last = 0
    shortage = ""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return super().read()
        self.last = self.tell()
        left = self.getbuffer().nbytes - self.last
        if size > left:
            self.shortage = f"needs {count(size, 'byte')}, {left} left"
            raise EOFError
        return super().read(size)


def reference_decode(message: bytes, pending: Pending | None) -> Decoded:
    """``decode`` as construct's interpreter does it: slow, and the measure for the generated decoder.

    :raises DecodeError: equal to the one of ``decode`` in path, offset and reason
    """
    import construct

    from dissector.wire.grammar import MESSAGE

    odd = _odd(message, pending)
    if odd is not None:
        return odd
    cursor = _Cursor(message)
    operation, count = pending or ("", 0)
    try:
        found = MESSAGE.parse_stream(cursor, operation=operation, count=count)
    except construct.ConstructError as error:
        raise _decode_error(error, cursor) from None
    body = found["_body"]
    return Decoded(body["_request"] if isinstance(body, construct.Container) else body, len(found["trailing"]))


def _decode_error(error: Exception, cursor: _Cursor) -> DecodeError:
    """A construct error as the error that ``decode`` raises."""
    import construct

    from dissector.wire.grammar import GrammarError

    path = _dotted(getattr(error, "path", None) or "")
    if isinstance(error, GrammarError):
        return DecodeError(path, cursor.last if error.offset is None else error.offset, error.reason)
    reason = "a bool is neither 0 nor 1" if isinstance(error, construct.MappingError) else cursor.shortage
    return DecodeError(path, cursor.last, reason)


def _dotted(path: str) -> str:
    """``(parsing) -> _body -> invoke -> params -> [2] -> vt`` -> ``invoke.params[2].vt``."""
    parts = [part for part in path.split(" -> ")[1:] if not part.startswith("_")]
    return ".".join(parts).replace(".[", "[")


def encode(body: m.Body, trailing: bytes = b"") -> bytes:
    """The message that ``decode`` reads as ``body``, with ``trailing`` behind it, without length header.

    :raises ValueError: a value does not fit its field (text beyond ISO-8859-1, more than 100 arguments, ...)
    """
    import construct

    from dissector.wire.grammar import MESSAGE

    if isinstance(body, m.Undecoded):
        return body.data + trailing
    if isinstance(body, m.TunnelToken):
        return body.text.encode("latin-1") + trailing
    kind = _KINDS[type(body)]
    message = {"class": kind.message_class, "_body": _enveloped(body, kind.command), "trailing": trailing}
    try:
        built: bytes = MESSAGE.build(message, operation=kind.operation or Operation.RELEASE, count=0)
    except (construct.ConstructError, AttributeError, TypeError) as error:
        raise ValueError(f"{type(body).__name__} can not be encoded: {error}") from None
    return built


def _enveloped(body: m.Body, command: Command | None) -> object:
    """``body`` with what the grammar puts around a request: its id and command."""
    if command is None:
        return body
    ids = {name: getattr(body, name) for name in ("session_id", "object_id") if hasattr(body, name)}
    return {**ids, "command": command, "_request": body}


def encode_frame(body: m.Body, trailing: bytes = b"") -> bytes:
    """``encode`` with the length header in front.

    :raises ValueError: as ``encode``
    """
    message = encode(body, trailing)
    return struct.pack(">i", len(message)) + message
