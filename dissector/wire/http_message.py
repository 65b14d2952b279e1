"""A request or a response over HTTP: a command of a classic scheduler, or one that goes to a Universal Agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dissector.numbers import Bounds, number
from dissector.wire.control import Attributes, Document, XmlError, parse_answer, parse_command
from dissector.wire.http import PLAIN, Codings, decoded, header_of, headers_of, split_http, start_line_of, text_of
from dissector.wire.json_text import JsonError, json_value

_STATUS = Bounds(100, 999)
_BEHIND_STATUS = (b" ", b"\r")


@dataclass(slots=True)
class HttpMessage:
    """A request (with ``method`` and ``path``) or a response (with ``status``).

    ``head`` is the start line and the headers as they were sent, ``sent`` the body with its ``codings``.  ``document``
    is there when the body is XML (the classic agent's commands); ``reason`` says why the body can not be read, or not
    wholly.  ``masked`` is the text without secrets, of a message in which they are hidden.
    """

    # There are as many of them as requests and responses, and many may be held: what only views need is made when they
    # ask for it, and what a body unpacks to is kept of the last one only.  Not frozen: that would make each three times
    # as slow.
    head: bytes
    sent: bytes
    codings: Codings
    is_request: bool
    document: Document | None = None
    reason: str | None = None
    masked: str | None = field(default=None, repr=False)

    @property
    def body(self) -> bytes:
        """The body without its codings, as far as it can be read."""
        return self.sent if self.codings is PLAIN else decoded(self.sent, self.codings)[0]

    @property
    def form(self) -> str:
        return "http"

    @property
    def method(self) -> str | None:
        return self._words[0] if self.is_request else None

    @property
    def path(self) -> str | None:
        return self._words[1] if self.is_request else None

    @property
    def status(self) -> int | None:
        if self.is_request:
            return None
        digits = self.head[9:12] if self.head[8:9] == b" " and self.head[12:13] in _BEHIND_STATUS else b""
        return int(digits) if digits.isdigit() and digits[:1] != b"0" else number(self._words[1], _STATUS)

    @property
    def element(self) -> str:
        """Its name: ``POST /jobscheduler/engine/command``, ``HTTP 200``."""
        first, second = self._words
        return f"{first if self.is_request else 'HTTP'} {second}".rstrip()

    @property
    def _words(self) -> tuple[str, str]:
        """The first two of the start line."""
        first, _, rest = start_line_of(self.head).partition(" ")
        return first, rest.partition(" ")[0]

    @property
    def text(self) -> str:
        """The head and, where the body is text, the decoded body."""
        return self.masked if self.masked is not None else text_of(self.head, self.body, self.header("Content-Type"))

    @property
    def headers(self) -> Attributes:
        return headers_of(self.head)

    def header(self, name: str) -> str | None:
        """Value of a header; names are matched without case."""
        return header_of(self.head, self.head.lower(), name)

    @property
    def json(self) -> dict[str, Any] | None:
        """The body as a JSON object (of a Universal Agent's commands); None when it is none."""
        body = self.body
        if body.lstrip()[:1] != b"{":
            return None
        try:
            value = json_value(body)
        except JsonError:
            return None
        return value if isinstance(value, dict) else None

    @property
    def json_type(self) -> str | None:
        """The object's ``$TYPE``."""
        value = (self.json or {}).get("$TYPE")
        return value if isinstance(value, str) else None

    @property
    def error(self) -> XmlError | None:
        return self.document.error if self.document else None

    def get(self, name: str) -> str | None:
        """Value of an attribute of the XML body's element."""
        return self.document.get(name) if self.document else None


def parse_http(data: bytes, is_request: bool) -> HttpMessage:
    """One whole HTTP message, of the client (``is_request``) or of the server; never raises."""
    head, lower, sent, codings = split_http(data)
    body, reason = (sent, None) if codings is PLAIN else decoded(sent, codings)
    if len(head) == len(data):
        reason = "the HTTP head has no end"
    document = None
    if body.lstrip()[:1] == b"<" and "html" not in (header_of(head, lower, "Content-Type") or "").lower():
        document = (parse_command if is_request else parse_answer)(body)
        reason = reason or document.reason
    return HttpMessage(head, sent, codings, is_request, document, reason)
