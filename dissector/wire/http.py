"""One whole HTTP/1.1 message: its parts, with the body as it was before transfer and content codings."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, NamedTuple

from dissector.limits import MAX_DOCUMENT
from dissector.numbers import hexadecimal

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]+)[^\r\n]*\r?\n")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_COMPRESSIONS = frozenset(("gzip", "x-gzip", "deflate"))


def header_of(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    """Value of the first header of this name; names are matched without case."""
    name = name.lower()
    return next((value for key, value in headers if key.lower() == name), None)


class HttpParts(NamedTuple):
    """``body`` is decoded; ``reason`` says why that failed (the body is then as far as it could be decoded)."""

    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    reason: str | None

    def header(self, name: str) -> str | None:
        """Value of a header; names are matched without case."""
        return header_of(self.headers, name)

    @property
    def json_object(self) -> dict[str, Any] | None:
        """The body as a JSON object; None when it is none."""
        if not self.body.lstrip().startswith(b"{"):
            return None
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    @property
    def text(self) -> str:
        """The head and, where the body is text, the body."""
        head = "\n".join([self.start_line, *(f"{name}: {value}" for name, value in self.headers)])
        if not self.body:
            return head
        kind = (self.header("Content-Type") or "").lower()
        if kind.startswith("text/") or "json" in kind or "xml" in kind or self.body.lstrip()[:1] in (b"<", b"{"):
            return f"{head}\n\n{self.body.decode('iso-8859-1')}"
        return f"{head}\n\n({len(self.body)} bytes)"


def split_http(data: bytes) -> HttpParts:
    """Takes a message apart; never raises."""
    parts = _head(data)
    if "chunked" in (parts.header("Transfer-Encoding") or "").lower():
        parts = _joined(parts)
    if (parts.header("Content-Encoding") or "").lower() in _COMPRESSIONS:
        parts = _inflated(parts)
    return parts


def _head(data: bytes) -> HttpParts:
    """The parts with the body as it was sent."""
    end = _HEAD_END.search(data)
    head, body = (data[: end.start()], data[end.end() :]) if end else (data, b"")
    start_line, *lines = head.decode("iso-8859-1").replace("\r\n", "\n").split("\n")
    headers = tuple((name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return HttpParts(start_line, headers, body, None if end else "the HTTP head has no end")


def is_encoded(data: bytes) -> bool:
    """True when the body of a whole message is compressed."""
    return (_head(data).header("Content-Encoding") or "").lower() in _COMPRESSIONS


def body_pieces(data: bytes) -> list[tuple[int, int]]:
    """Places of the body's bytes in a whole message: one, or those of its chunks."""
    end = _HEAD_END.search(data)
    if end is None:
        return []
    if "chunked" not in (_head(data).header("Transfer-Encoding") or "").lower():
        return [(end.end(), len(data))]
    pieces: list[tuple[int, int]] = []
    at = end.end()
    while (size := _CHUNK.match(data, at)) and (length := hexadecimal(size[1].decode("ascii"))):
        pieces.append((size.end(), min(size.end() + length, len(data))))
        at = size.end() + length + 2
    return pieces


def _joined(parts: HttpParts) -> HttpParts:
    """The body without the chunked coding."""
    pieces: list[bytes] = []
    at = 0
    while size := _CHUNK.match(parts.body, at):
        length = hexadecimal(size[1].decode("ascii"))
        if length is None:
            break
        if not length:
            return parts._replace(body=b"".join(pieces))
        pieces.append(parts.body[size.end() : size.end() + length])
        # A line end stands behind the data.
        at = size.end() + length + 2
    return parts._replace(body=b"".join(pieces), reason="the chunked body has no end")


def _inflated(parts: HttpParts) -> HttpParts:
    """The body without its compression, up to the cap on documents."""
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        body = inflater.decompress(parts.body, MAX_DOCUMENT)
    except zlib.error as error:
        return parts._replace(reason=f"the compressed body is broken: {error}")
    if inflater.unconsumed_tail:
        return parts._replace(body=body, reason=f"the body is longer than {MAX_DOCUMENT} bytes")
    return parts._replace(body=body, reason=parts.reason if inflater.eof or not parts.body else "the body is cut off")
