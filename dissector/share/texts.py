"""What in a message is the user's own: places of texts in its bytes, as against names and numbers of the protocol.

``spans`` gives the places; ``without_secrets`` the bytes with every secret as asterisks.  Both leave every length,
name and number, so that the message is decoded as before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from dissector.model import Message
from dissector.share import http_texts
from dissector.wire import messages as wire
from dissector.wire.control import Document
from dissector.wire.decode import fields, pending_of
from dissector.wire.fields import FieldNode
from dissector.wire.http import places_of
from dissector.wire.http_message import HttpMessage
from dissector.wire.masking import Mask
from dissector.wire.secret_values import Span
from dissector.wire.secrets import MASK, hide_text

_LATIN = "iso-8859-1"
#: Bytes of a string before its text.
_STRING_HEADER = 4
#: Calls whose arguments name methods and objects.
_NAMING_CALLS = frozenset(("begin", "call"))
_NAMES = re.compile(r"(?:^|\.)(?:name|title|names\[\d+\])$")
#: Parameters of ``construct`` that tell what kind of task it is.
_KEPT_PARAMETERS = frozenset(
    (
        "language",
        "task_id",
        "has_order",
        "recompile",
        "process.ignore_error",
        "process.ignore_signal",
        "monitor.language",
        "monitor.ordering",
    )
)
#: Attributes that tell how it went, not with what.
_KEPT_ATTRIBUTES = frozenset(
    (
        "tcp_port",
        "kind",
        "process_id",
        "pid",
        "time",
        "exit_code",
        "signal",
        "spooler_process_result",
        "linenr",
        "kill",
        "code",
        "class",
        "version",
        "encoding",
    )
)
_ERROR_PART = re.compile(r"(?:name|code|what)=")
_CODE = re.compile(r"(?:SCHEDULER|Z-[A-Z]{2,10}|ERRNO|COM|XML-ERROR)-[0-9A-F]{2,8}(?![\w-])")
_MARKUP = re.compile(
    r"<!--(?P<comment>.*?)(?:-->|\Z)|<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)"
    r"|</?[A-Za-z_][\w.:-]*(?P<attributes>(?:[^<>\"']|\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z))*)>?",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"(?P<name>[\w.:-]+)\s*=\s*(?:\"(?P<double>[^\"]*)|'(?P<single>[^']*))")
_WORD = re.compile(r"\s*[\w.]+")
#: Readable bytes, four and more in a row: what may be text in bytes of unknown meaning.
_READABLE = re.compile(rb"[\t\n\r\x20-\x7e\xa0-\xff]{4,}")


def readable(data: bytes | bytearray) -> Iterator[Span]:
    """Places of what may be text in bytes of unknown meaning.  Length headers are never part of it: they begin with a
    zero byte, and too few bytes follow."""
    return (match.span() for match in _READABLE.finditer(data) if match[0].strip())


def markup_spans(text: str) -> Iterator[Span]:
    """Places of contents, comments and attributes' values in XML, also in such that is cut off."""
    place = 0
    for match in _MARKUP.finditer(text):
        yield from _filled(text, place, match.start())
        place = match.end()
        for group in ("comment", "cdata"):
            if match[group]:
                yield match.span(group)
        if match["attributes"]:
            yield from _attribute_spans(text, *match.span("attributes"))
    yield from _filled(text, place, len(text))


def spans(message: Message) -> list[Span]:
    """Places in ``message.raw`` (of its bytes) of all that is the user's own."""
    body = message.body
    if isinstance(body, HttpMessage):
        return http_texts.spans(message.raw, places_of(message.raw), markup_spans, readable)
    if isinstance(body, Document):
        return list(_document_spans(message.raw.decode(_LATIN)))
    if isinstance(body, wire.Undecoded):
        return list(readable(message.raw))
    if isinstance(body, wire.TunnelToken):
        return []
    if isinstance(body, wire.Call) and body.name.lower() in _NAMING_CALLS:
        return []
    is_construct = isinstance(body, wire.Call) and body.name.lower() == "construct"
    text_spans = (
        _parameter_spans if is_construct else _error_spans if isinstance(body, wire.ErrorAnswer) else _text_spans
    )
    return [span for leaf in _leaves(message) for span in _leaf_spans(leaf, text_spans)]


def without_secrets(message: Message) -> bytes:
    """``message.raw`` with every character of a secret as an asterisk (of a number: as a zero)."""
    body, raw = message.body, message.raw
    if isinstance(body, HttpMessage):
        return http_texts.without_secrets(raw, places_of(raw), body)
    if isinstance(body, (Document, wire.TunnelToken)):
        return hide_text(raw.decode(_LATIN)).encode(_LATIN)
    mask = Mask()
    if isinstance(body, wire.Undecoded):
        return overwritten(raw, readable(raw)) if body.data in mask.hidden(message) else raw
    if not mask.is_secret(message) and mask.passes(raw):
        return raw
    hidden = mask.hidden(message)
    data, root = bytearray(raw), _root(message)
    for leaf in root.leaves():
        if isinstance(leaf.value, (str, bytes)) and leaf.value in hidden:
            _hide_leaf(data, leaf, hidden[leaf.value])
    for number in mask.numbers(message, root):
        for leaf in number.leaves():
            _hide_number(data, leaf)
    return bytes(data)


def overwritten(data: bytes, places: Iterable[Span], filler: bytes = b"*") -> bytes:
    """The bytes with ``filler`` at these places, blanks and line ends there kept."""
    changed = bytearray(data)
    for start, end in places:
        changed[start:end] = re.sub(rb"[^\s]", filler, bytes(changed[start:end]))
    return bytes(changed)


# --- frames --------------------------------------------------------------------------------------------------------


def _root(message: Message) -> FieldNode:
    pending = pending_of(message.request.body) if message.request is not None else None
    return fields(message.raw, pending)


def _leaves(message: Message) -> Iterator[FieldNode]:
    return _root(message).leaves()


def _leaf_spans(leaf: FieldNode, text_spans: Callable[[str, int], Iterator[Span]]) -> Iterator[Span]:
    text = leaf.value
    if isinstance(text, bytes):
        # Class and interface ids have a table that names them.
        if leaf.table is None:
            yield from ((leaf.start + low, leaf.start + high) for low, high in readable(text))
        return
    if not isinstance(text, str) or not text or _NAMES.search(leaf.path):
        return
    start = leaf.end - len(text)
    if start - leaf.start != _STRING_HEADER:
        return  # a double, or what could not be decoded and has a message of its own
    yield from ((start + low, start + high) for low, high in text_spans(text, 0))


def _parameter_spans(text: str, _start: int) -> Iterator[Span]:
    """Of ``key=value`` the value."""
    key, sign, _ = text.partition("=")
    if key not in _KEPT_PARAMETERS:
        yield from _text_spans(text, len(key) + len(sign))


def _error_spans(text: str, start: int) -> Iterator[Span]:
    """``what=COM-80020009  text``: the text; name and code are the engine's."""
    part = _ERROR_PART.match(text)
    if part is None or part[0] == "what=":
        yield from _text_spans(text, part.end() if part else start)


def _text_spans(text: str, start: int) -> Iterator[Span]:
    if text[start:].lstrip().startswith("<"):
        yield from ((start + low, start + high) for low, high in markup_spans(text[start:]))
    else:
        yield from _filled(text, start, len(text))


def _filled(text: str, start: int, end: int) -> Iterator[Span]:
    """The place unless it is blank; a code of the engine at its beginning stays."""
    if code := _CODE.match(text, start, end):
        start = code.end()
    if text[start:end].strip():
        yield start, end


def _hide_leaf(data: bytearray, leaf: FieldNode, shown: str | bytes) -> None:
    value = leaf.value
    if isinstance(value, bytes):
        data[leaf.start : leaf.end] = b"*" * (leaf.end - leaf.start)
    elif isinstance(value, str):
        text = "*" * len(value) if shown == MASK else hide_text(value)
        data[leaf.end - len(value) : leaf.end] = text.encode(_LATIN)


def _hide_number(data: bytearray, leaf: FieldNode) -> None:
    """Of a double, which is text, the digits; its other leaf is the marker."""
    if isinstance(leaf.value, str):
        start = leaf.end - len(leaf.value)
        data[start : leaf.end] = re.sub(r"[1-9]", "0", leaf.value).encode(_LATIN)
    elif leaf.name == "value":
        data[leaf.start : leaf.end] = bytes(leaf.end - leaf.start)


# --- documents -----------------------------------------------------------------------------------------------------


def _attribute_spans(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _ATTRIBUTE.finditer(text, start, end):
        group = "double" if match["double"] is not None else "single"
        if match["name"].lower() not in _KEPT_ATTRIBUTES:
            yield from _filled(text, *match.span(group))


def _document_spans(text: str) -> Iterator[Span]:
    if text.lstrip().startswith("<"):
        yield from markup_spans(text)
    elif word := _WORD.match(text):
        yield from _filled(text, word.end(), len(text))
