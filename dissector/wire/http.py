"""One whole HTTP/1.1 message: its parts, with the body as it was before transfer and content codings."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import NamedTuple

from dissector.limits import MAX_DOCUMENT, MAX_INFLATED, MAX_INFLATION
from dissector.numbers import count, hexadecimal

_HEAD_END = re.compile(rb"\n\r?\n")  # no more than that: the search goes from one line feed to the next
#: The digits are all there are, or a line without an end would be tried from each of them.
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]+)(?![0-9A-Fa-f])[^\r\n]*\r?\n")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_COMPRESSIONS = frozenset(("gzip", "x-gzip", "deflate"))


class Codings(NamedTuple):
    """How a body was sent: in chunks, compressed."""

    chunked: bool
    compressed: bool


class HttpParts(NamedTuple):
    """``head`` is the start line and the headers as they were sent, ``lower`` the same in lower case for looking up
    names; ``sent`` is the body as it was sent, ``codings`` what it is coded with."""

    head: bytes
    lower: bytes
    sent: bytes
    codings: Codings


PLAIN = Codings(chunked=False, compressed=False)


@lru_cache(maxsize=256)
def _needle(name: str) -> bytes:
    return f"\n{name.lower()}:".encode("iso-8859-1")


def header_of(head: bytes, lower: bytes, name: str) -> str | None:
    """Value of the first header of this name; ``lower`` is the head in lower case."""
    needle = _needle(name)
    at = lower.find(needle)
    if at < 0:
        return None
    end = head.find(b"\n", at + len(needle))
    return head[at + len(needle) : end if end >= 0 else None].decode("iso-8859-1").strip()


def headers_of(head: bytes) -> tuple[tuple[str, str], ...]:
    """Names and values in their order."""
    lines = head.decode("iso-8859-1").replace("\r\n", "\n").split("\n")[1:]
    return tuple((name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines))


def start_line_of(head: bytes) -> str:
    return head.partition(b"\n")[0].rstrip(b"\r").decode("iso-8859-1")


def text_of(head: bytes, body: bytes, content_type: str | None) -> str:
    """The head and, where the body is text, the body."""
    shown = "\n".join([start_line_of(head), *(f"{name}: {value}" for name, value in headers_of(head))])
    if not body:
        return shown
    kind = (content_type or "").lower()
    if kind.startswith("text/") or "json" in kind or "xml" in kind or body.lstrip()[:1] in (b"<", b"{"):
        return f"{shown}\n\n{body.decode('iso-8859-1')}"
    return f"{shown}\n\n({count(len(body), 'byte')})"


def split_http(data: bytes) -> HttpParts:
    """Takes a message apart; never raises.  One whose head has no end is all head."""
    end = _HEAD_END.search(data)
    head, sent = (data[: end.start()].removesuffix(b"\r"), data[end.end() :]) if end is not None else (data, b"")
    lower = head.lower()
    if b"\ntransfer-encoding" not in lower and b"\ncontent-encoding" not in lower:
        return HttpParts(head, lower, sent, PLAIN)
    chunked = "chunked" in (header_of(head, lower, "Transfer-Encoding") or "").lower()
    compressed = (header_of(head, lower, "Content-Encoding") or "").lower() in _COMPRESSIONS
    return HttpParts(head, lower, sent, Codings(chunked, compressed))


@lru_cache(maxsize=1)  # whoever looks at a message asks for its body several times
def decoded(sent: bytes, codings: Codings) -> tuple[bytes, str | None]:
    """The body without its codings, as far as it can be decoded, and why not farther."""
    body, reason = _joined(sent) if codings.chunked else (sent, None)
    if codings.compressed and body:
        body, broken = _inflated(body)
        # What is cut off in a chunked body is cut off for that reason.
        reason = broken if broken is not None and (reason is None or broken != _CUT_OFF) else reason
    return body, reason


class Places(NamedTuple):
    """Where the bytes of a whole message's body are: in one piece, or in those of its chunks; ``compressed``: they can
    not be changed one by one."""

    pieces: list[tuple[int, int]]
    compressed: bool


def places_of(data: bytes) -> Places:
    head, _, sent, codings = split_http(data)
    if len(head) == len(data):
        return Places([], compressed=False)
    begin = len(data) - len(sent)
    if not codings.chunked:
        return Places([(begin, len(data))], codings.compressed)
    pieces: list[tuple[int, int]] = []
    at = begin
    while (size := _CHUNK.match(data, at)) and (length := hexadecimal(size[1].decode("ascii"))):
        pieces.append((size.end(), min(size.end() + length, len(data))))
        at = size.end() + length + 2
    return Places(pieces, codings.compressed)


def _joined(sent: bytes) -> tuple[bytes, str | None]:
    """A body without the chunked coding."""
    pieces: list[bytes] = []
    at = 0
    while size := _CHUNK.match(sent, at):
        length = hexadecimal(size[1].decode("ascii"))
        if length is None:
            break
        if not length:
            return b"".join(pieces), None
        pieces.append(sent[size.end() : size.end() + length])
        # A line end stands behind the data.
        at = size.end() + length + 2
    return b"".join(pieces), "the chunked body has no end"


def _inflated(packed: bytes) -> tuple[bytes, str | None]:
    """A body without its compression, up to the caps."""
    most = min(MAX_DOCUMENT, max(MAX_INFLATED, MAX_INFLATION * len(packed)))
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        body = inflater.decompress(packed, most)
    except zlib.error as error:
        return packed, f"the compressed body is broken: {error}"
    if inflater.unconsumed_tail:
        return body, f"{BOMB} {most} bytes, which jstrace does not read"
    return body, None if inflater.eof else _CUT_OFF


_CUT_OFF = "the body is cut off"
#: How the reason of a body begins that unpacks to more than is read.
BOMB = "the body unpacks to more than"
