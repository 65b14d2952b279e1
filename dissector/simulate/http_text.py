"""HTTP as a Universal Agent and its master write it, and as far as they read it (docs/agent.md#headers)."""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from collections.abc import Sequence
from email.utils import formatdate
from struct import pack
from typing import Any, NamedTuple

from dissector.wire.http import PLAIN, decoded, header_of, split_http

#: As both sides take it; a larger body is answered with 413.
MAX_BODY = 8 * 1024 * 1024
AGENT_API = "/jobscheduler/agent/api"
JSON, BYTES, TEXT = "application/json; charset=UTF-8", "application/octet-stream", "text/plain; charset=UTF-8"
SOFTWARE = "spray-can/1.3.4"
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
}
_GZIP_HEAD = b"\x1f\x8b\x08" + bytes(7)
Headers = Sequence[tuple[str, str]]


class HttpFaultError(Exception):
    """What came is no message that the genuine sides send."""


class Received(NamedTuple):
    """A request or a response: its start line in parts, and its body without codings."""

    start: tuple[str, str, str]
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        return header_of(self.head, self.head.lower(), name)

    @property
    def status(self) -> int:
        return int(self.start[1]) if self.start[1].isdigit() else 0

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


async def receive(reader: asyncio.StreamReader) -> Received | None:
    """The next message; None at the end of the connection.

    :raises HttpFaultError: it has no length, or more than ``MAX_BODY`` bytes
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise HttpFaultError("a head without an end") from None
    parts = split_http(head)
    length = header_of(parts.head, parts.lower, "Content-Length") or "0"
    if not length.isdigit() or len(length) > 9 or parts.codings.chunked:
        raise HttpFaultError("a body without a length")
    if int(length) > MAX_BODY:
        raise HttpFaultError("a body of more than 8 MiB")
    sent = await reader.readexactly(int(length))
    body = sent if parts.codings is PLAIN else decoded(sent, parts.codings)[0]
    first, _, rest = parts.head.partition(b"\r\n")[0].decode("iso-8859-1").partition(" ")
    second, _, third = rest.partition(" ")
    return Received((first, second, third), parts.head, body)


def request(
    target: str, host: str, headers: Headers, body: bytes = b"", kind: str | None = None, method: str = "POST"
) -> bytes:
    """``kind`` is the Content-Type of a body; a GET has none, and no length."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *_lines(headers), f"User-Agent: {SOFTWARE}"]
    if method == "GET":
        return "\r\n".join([*lines, "", ""]).encode("iso-8859-1")
    return _written(lines, body, kind)


def command(value: dict[str, Any]) -> bytes:
    """The body of a command: JSON in lines, compressed."""
    text = json.dumps(value, indent=2, ensure_ascii=False).encode()
    # Python's gzip says in the header how and where it was packed; Java's does not.
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = deflate.compress(text) + deflate.flush()
    return _GZIP_HEAD + packed + pack("<II", zlib.crc32(text), len(text))


def response(status: int, body: bytes = b"", kind: str | None = None, headers: Headers = ()) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Server: {SOFTWARE}", f"Date: {formatdate(usegmt=True)}"]
    return _written([*lines, *_lines(headers)], body, kind)


def answer(value: object) -> bytes:
    """200 with JSON."""
    return response(200, json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(), JSON)


def basic(user: str, password: str) -> str:
    """The value of ``Authorization``."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def failure(status: int, text: str, headers: Headers = ()) -> bytes:
    return response(status, text.encode(), TEXT, headers)


def _lines(headers: Headers) -> list[str]:
    return [f"{name}: {value}" for name, value in headers]


def _written(lines: list[str], body: bytes, kind: str | None) -> bytes:
    kinds = [f"Content-Type: {kind}"] if kind is not None else []
    return "\r\n".join([*lines, *kinds, f"Content-Length: {len(body)}", "", ""]).encode("iso-8859-1") + body
