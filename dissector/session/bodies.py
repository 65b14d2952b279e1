"""What the rules and facts ask of a message's body."""

from __future__ import annotations

from dissector.model import Message
from dissector.wire import control
from dissector.wire import messages as wire
from dissector.wire.http_message import HttpMessage


def document_of(message: Message) -> control.Document | None:
    """The XML document of a command or its answer, also of one that came by HTTP."""
    body = message.body
    return body.document if isinstance(body, HttpMessage) else body


def error_text(message: Message) -> str:
    """The words of an error answer or of a failed hresult's excepinfo; empty when there are none."""
    body = message.body
    if isinstance(body, wire.ErrorAnswer):
        return body.part("what=") or body.part("code=") or body.part("name=") or ""
    if isinstance(body, wire.InvokeAnswer) and body.failure is not None:
        return body.failure.excepinfo.description
    return ""


def asks_whether_it_exists(request: Message) -> bool:
    """``call("?spooler_open()Z")``: a leading question mark means "if it exists"."""
    body = request.body
    if not isinstance(body, wire.Call) or not body.params.arguments:
        return False
    first = body.params.natural[0].value
    return isinstance(first, str) and first.startswith("?")
