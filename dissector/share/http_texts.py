"""What in a message over HTTP is the user's own, and the same message without secrets; as long as it was, always.

A compressed body can not be changed in places: it is unpacked, changed and packed again, and a comment in the gzip
header fills it up to its length.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator

from dissector.wire.http import Places
from dissector.wire.http_message import HttpMessage
from dissector.wire.masked import AGENT_TASK
from dissector.wire.secret_values import Span
from dissector.wire.secrets import hide_text

_LATIN = "iso-8859-1"
_JSON_TEXT = re.compile(r"\"(?P<text>(?:[^\"\\]|\\.)*)\"(?P<colon>\s*:)?", re.DOTALL)
#: JSON fields that tell what a message is, or which task it is about (where that is a secret it is hidden already).
_KEPT_FIELD = re.compile(r"\"(?:\$TYPE|id|agentTaskId|secret|tunnelId|taskId|signal)\"\s*:\s*\Z")
_FIELD = 64
_BLANKS = re.compile(r"\n[ \t]*")
_QUERY = re.compile(r"\?(?P<query>[^\s]+)")
_HEADER = re.compile(r"\n(?P<name>[\w-]{1,64}):[ \t]*(?P<value>[^\r\n]*)")
#: Headers without which a message can not be read as before, or of which nothing is left but asterisks.
_KEPT_HEADERS = frozenset(
    (
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "expect",
        "upgrade",
        "date",
        "accept",
        "authorization",
        "x-jobscheduler-licensekey",
        "x-jobscheduler-session",
        "x-jobscheduler-tunnel-secret",
        "x-jobscheduler-heartbeat",
        "x-jobscheduler-heartbeat-start",
        "x-jobscheduler-heartbeat-continue",
        "x-jobscheduler-request-id",
        "x-jobscheduler-http-heartbeat-timeout",
    )
)
_COMMENT = 0x10


def spans(
    raw: bytes, places: Places, of_markup: Callable[[str], Iterable[Span]], of_bytes: Callable[[bytes], Iterable[Span]]
) -> list[Span]:
    """Places in the head of what says neither how long nor of which kind the message is, and in the body unless it is
    compressed."""
    pieces = places.pieces
    found = list(_head_spans(raw[: pieces[0][0] if pieces else len(raw)].decode(_LATIN)))
    if places.compressed:
        return found
    body = _joined(raw, pieces)
    text = body.decode(_LATIN)
    if text.lstrip().startswith("<"):
        inside: Iterable[Span] = of_markup(text)
    elif text.lstrip().startswith("{"):
        inside = _json_spans(text)
    else:
        inside = of_bytes(body)
    return found + list(_scattered(inside, pieces))


def without_secrets(
    raw: bytes, places: Places, message: HttpMessage, body: bytes | None = None, *, all_text: bool = False
) -> bytes:
    """The message with every secret as asterisks, of the same length; ``body`` is the body without them where it is
    known.  ``all_text``: of a compressed body every text, which has no places that can be changed."""
    pieces = places.pieces
    head_end = pieces[0][0] if pieces else len(raw)
    data = bytearray(raw)
    data[:head_end] = hidden(raw[:head_end].decode(_LATIN)).encode(_LATIN)
    old = _joined(raw, pieces)
    if body is None or len(body) != len(old):
        body = _packed_again(old, message, all_text) if places.compressed else hidden(old.decode(_LATIN)).encode(_LATIN)
    done = 0
    for start, end in pieces:
        data[start:end] = body[done : done + end - start]
        done += end - start
    return bytes(data)


def bare(raw: bytes, places: Places, message: HttpMessage) -> bytes | None:
    """A message with a compressed body without any text; None for every other message: it has places."""
    return without_secrets(raw, places, message, all_text=True) if places.compressed else None


def body_start(raw: bytes, places: Places) -> int:
    """Where the body of a message begins that comes in one piece."""
    return places.pieces[0][0] if len(places.pieces) == 1 else len(raw)


def hidden(text: str) -> str:
    """A text with every character of a secret as an asterisk."""
    return AGENT_TASK.sub(lambda match: match[1] + "*" * len(match[2]), hide_text(text))


def _packed_again(old: bytes, message: HttpMessage, all_text: bool) -> bytes:
    """A compressed body without its secrets, all asterisks where that would be longer than it was."""
    text = message.body.decode(_LATIN)
    new = hidden(text)
    if all_text and not text.lstrip().startswith("{"):
        return b"*" * len(old)
    if all_text:
        for start, end in _json_spans(new):
            new = f"{new[:start]}{'x' * (end - start)}{new[end:]}"
    if new == text:
        return old
    # Blanks that only make JSON readable give room where it does not fit.
    variants = (new, _BLANKS.sub("", new))
    return next((made for one in variants if (made := _gzip(one.encode(_LATIN), len(old)))), b"*" * len(old))


def _gzip(data: bytes, size: int) -> bytes | None:
    """``data`` as a gzip member of exactly so many bytes; None when it does not fit."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(data) + packer.flush()
    tail = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFF_FFFF)
    spare = size - 10 - len(packed) - len(tail)
    if spare < 0:
        return None
    head = struct.pack("<BBBBIBB", 0x1F, 0x8B, 8, _COMMENT if spare else 0, 0, 0, 255)
    return head + (b" " * (spare - 1) + b"\0" if spare else b"") + packed + tail


def _head_spans(head: str) -> Iterator[Span]:
    start_line, _, _ = head.partition("\n")
    if query := _QUERY.search(start_line):
        yield query.span("query")
    for header in _HEADER.finditer(head, len(start_line)):
        if header["name"].lower() not in _KEPT_HEADERS and header["value"]:
            yield header.span("value")


def _json_spans(text: str) -> Iterator[Span]:
    for match in _JSON_TEXT.finditer(text):
        name = text[max(match.start() - _FIELD, 0) : match.start()]
        if match["colon"] is None and not _KEPT_FIELD.search(name):
            yield match.span("text")


def _joined(raw: bytes, pieces: list[Span]) -> bytes:
    return b"".join(raw[start:end] for start, end in pieces)


def _scattered(found: Iterable[Span], pieces: list[Span]) -> Iterator[Span]:
    """Places in joined pieces as places in the whole."""
    for low, high in found:
        before = 0
        for start, end in pieces:
            first, last = max(low - before, 0), min(high - before, end - start)
            if first < last:
                yield start + first, start + last
            before += end - start
