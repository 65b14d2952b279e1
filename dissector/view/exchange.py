"""An exchange over HTTP on the message page: its request and its response, each as a message that can be entered."""

from __future__ import annotations

import json

from dissector.model import Exchange, Message
from dissector.numbers import count
from dissector.render.text import escape
from dissector.wire.agent import json_of
from dissector.wire.http import start_line_of
from dissector.wire.http_message import HttpMessage
from dissector.wire.masking import Mask

#: Kinds of messages that are sides of an exchange; their numbers are the exchange's.
KINDS = ("HTTP request", "HTTP response")
#: Characters of a body that are shown.
_MOST = 100_000


def sides(exchange: Exchange) -> tuple[Message, ...]:
    """The request and, if there is one, the response: with ``HttpMessage`` bodies."""
    at, raw = exchange.time, exchange.request_raw
    request = _side(exchange, at, exchange.request_packets, KINDS[0], exchange.request, raw)
    if exchange.response is None:
        return (request,)
    request.answered_by = exchange.n
    at, raw = exchange.answered or exchange.time, exchange.response_raw
    response = _side(exchange, at, exchange.response_packets, KINDS[1], exchange.response, raw)
    response.answers, response.latency = exchange.n, exchange.latency
    return request, response


def _side(exchange: Exchange, time: int, packets: tuple[int, ...], kind: str, body: HttpMessage, raw: bytes) -> Message:
    is_request = kind == KINDS[0]
    message = Message(
        exchange.n,
        exchange.connection,
        time,
        packets,
        is_request,
        kind,
        exchange.type,
        body,
        raw,
        len(raw),
        exchange.task,
    )
    message.exchange = exchange.n
    return message


def text_of(message: Message, mask: Mask) -> str:
    """The start line and the body of one side, JSON with a line for each member; without secrets."""
    body: HttpMessage = message.body
    start_line = escape(mask.agent(start_line_of(body.head)))
    shown = _body(body, mask)
    missing = len(shown) - _MOST
    if missing > 0:
        shown = f"{shown[:_MOST]}\n… {count(missing, 'character')} more"
    lines = [start_line, "", *map(escape, shown.split("\n"))] if shown else [start_line]
    return "\n".join(lines + ([f"({escape(mask.agent(body.reason))})"] if body.reason else []))


def _body(message: HttpMessage, mask: Mask) -> str:
    value = json_of(message)
    if value is None:
        value = message.json
    if value is not None:
        return json.dumps(mask.json(value), indent=2, ensure_ascii=False)
    body = message.body
    if b"\0" in body:
        return f"({count(len(body), 'byte')})"
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("iso-8859-1")
    return mask.agent(text.replace("\r\n", "\n"))
