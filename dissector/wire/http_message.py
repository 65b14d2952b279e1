"""A request or a response over HTTP: a command of a classic scheduler, or one that goes to a Universal Agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dissector.numbers import Bounds, number
from dissector.wire.control import Attributes, Document, XmlError, parse_answer, parse_command
from dissector.wire.http import PLAIN, Codings, decoded, header_of, headers_of, split_http, start_line_of, text_of
from dissector.wire.json_text import JsonError, json_value

_STATUS = Bounds(100, 999)


@dataclass(slots=True)
class HttpMessage:
    """A request (``method`` and ``path``) or a response (``status``).

    ``head`` is the start line and the headers as they were sent (``lower``: the same in lower case), ``sent`` the body
    with its ``codings``.  ``document`` is there when the body is XML (the classic agent's commands); ``reason`` says
    why the body can not be read, or not wholly.  ``masked`` is the text without secrets, of a message in which they are
    hidden.
    """

    # There are as many of them as requests and responses, and many may be held: what only views need is made when they
    # ask for it, and what a body unpacks to is never kept.  Not frozen: that would make each three times as slow.
    head: bytes
    lower: bytes = field(repr=False, compare=False)
    sent: bytes
    codings: Codings
    method: str | None
    path: str | None
    status: int | None
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
    def element(self) -> str:
        """Its name: ``POST /jobscheduler/engine/command``, ``HTTP 200``."""
        first, _, rest = start_line_of(self.head).partition(" ")
        return f"{first if self.method is not None else 'HTTP'} {rest.partition(' ')[0]}".rstrip()

    @property
    def text(self) -> str:
        """The head and, where the body is text, the decoded body."""
        return self.masked if self.masked is not None else text_of(self.head, self.body, self.header("Content-Type"))

    @property
    def headers(self) -> Attributes:
        return headers_of(self.head)

    def header(self, name: str) -> str | None:
        """Value of a header; names are matched without case."""
        return header_of(self.head, self.lower, name)

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
    first, _, rest = start_line_of(head).partition(" ")
    path = rest.partition(" ")[0]
    document = None
    if body.lstrip()[:1] == b"<" and "html" not in (header_of(head, lower, "Content-Type") or "").lower():
        document = (parse_command if is_request else parse_answer)(body)
        reason = reason or document.reason
    if is_request:
        return HttpMessage(head, lower, sent, codings, first, path, None, document, reason)
    return HttpMessage(head, lower, sent, codings, None, None, number(path, _STATUS), document, reason)
