"""Messages over HTTP as masters and agents write them: one segment each, their heads alike but for a few values.

What such a head says is read once, by what reads every other one, and then known by its bytes: those of a request
without its number and length, of a response without its date, its heartbeat's id and its length.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from dissector.stream.http import HttpReader
from dissector.traffic import Chunk, RawDocument, Side
from dissector.wire.agent import REQUEST_ID, SECRET_HEADER, RequestHead, head_of, request_id
from dissector.wire.http import PLAIN
from dissector.wire.http_message import HttpMessage, parse_http

_END, _LENGTH = b"\r\n\r\n", b"\r\nContent-Length: "
_ID, _DATE, _HEARTBEAT = b"\r\nX-JobScheduler-Request-ID: ", b"\r\nDate: ", b"\r\nX-JobScheduler-Heartbeat: "
#: A tunnel's request up to its id and behind it; and the tunnel's secret.
_TUNNEL = re.compile(rb"(POST /jobscheduler/agent/api/tunnel/)(\d{1,9})( HTTP/1\.1\r\n.*)", re.DOTALL)
_SECRET, _A_SECRET = re.compile(rb"(?<=\r\nX-JobScheduler-Tunnel-Secret: )[\w-]+(?=\r\n)", re.ASCII), b"s"
_ID_NAME, _SECRET_NAME, _ACCEPTED = REQUEST_ID.lower().encode(), SECRET_HEADER.lower().encode(), b" 202 "
#: Digits of a length that fits into one segment, and of a request's number.
_LENGTH_DIGITS, _ID_DIGITS = 6, 9
#: Longer heads are read each time.
_LONGEST = 2_048
#: How a body begins that may be XML.
_MAY_BE_XML = frozenset(b"< \t\r\n\v\f")

_CR = ord("\r")

_new = tuple.__new__


class Request(NamedTuple):
    """``number`` is its Request-ID."""

    message: HttpMessage
    head: RequestHead
    number: int | None


class Response(NamedTuple):
    message: HttpMessage
    status: int


class KnownRequest(NamedTuple):
    """What requests with the same head have in common: whether their bodies are plain, what the head says, and the
    number where that is in here."""

    is_plain: bool
    head: RequestHead
    number: int | None


class KnownResponse(NamedTuple):
    """The same of responses."""

    is_plain: bool
    status: int


class Usual(NamedTuple):
    """A usual message: its head without what differs from one to the next, its number, and where the head ends."""

    head: bytes
    number: int | None
    end: int


def request_of(data: bytes) -> Request | None:
    """A segment that is just one such request; None for any other."""
    usual = usual_request(data)
    if usual is None:
        return None
    known = known_request(usual[0])
    assert known is not None
    return request_as(data, usual[1], usual[2], known)


def response_of(data: bytes) -> Response | None:
    """The same of a response."""
    usual = usual_response(data)
    if usual is None:
        return None
    known = known_response(usual[0])
    assert known is not None
    return response_as(data, usual[2], known)


def usual_request(data: bytes) -> Usual | None:
    """What a request is as a usual one, if ``known_request`` knows its head."""
    end = _end_of_head(data)
    if not end:
        return None
    at = data.rfind(_LENGTH, 0, end)
    begin = data.find(_ID, 0, at) + 29
    number = None
    if begin < 29:
        head = data[:at]
    else:
        stop = data.find(b" ", begin, at)
        digits = data[begin:stop]
        if not digits.isdigit() or len(digits) > _ID_DIGITS:
            return None
        number, head = int(digits), data[:begin] + _END + data[stop:at]
    return _new(Usual, (head, number, end)) if known_request(head) is not None else None


def usual_response(data: bytes) -> Usual | None:
    """The same of a response."""
    end = _end_of_head(data)
    if not end:
        return None
    head = _without(data[: data.rfind(_LENGTH, 0, end)], _DATE)
    if data[8:13] == _ACCEPTED:
        head = _without(head, _HEARTBEAT)
    return _new(Usual, (head, None, end)) if known_response(head) is not None else None


def request_as(data: bytes, number: int | None, end: int, known: KnownRequest) -> Request:
    """A request with a head that is known."""
    message = _message(data, end, is_plain=known[0], is_request=True)
    return _new(Request, (message, known[1], known[2] if number is None else number))


def response_as(data: bytes, end: int, known: KnownResponse) -> Response:
    return _new(Response, (_message(data, end, is_plain=known[0], is_request=False), known[1]))


def _end_of_head(data: bytes) -> int:
    """Where the head of a message ends that tells its length last, and has it; 0 for any other."""
    end = data.find(_END)
    at = data.rfind(_LENGTH, 0, end) + 18 if 0 <= end <= _LONGEST else 0
    digits = data[at:end]
    is_whole = at >= 18 and digits.isdigit() and len(digits) <= _LENGTH_DIGITS and int(digits) == len(data) - end - 4
    return end if is_whole else 0


def _message(data: bytes, end: int, *, is_plain: bool, is_request: bool) -> HttpMessage:
    sent = data[end + 4 :]
    if is_plain and (not sent or sent[0] not in _MAY_BE_XML):
        return HttpMessage(data[:end], sent, PLAIN, is_request)
    return parse_http(data, is_request)


def _without(head: bytes, name: bytes) -> bytes:
    """A head without the value of one of its lines."""
    at = head.find(name)
    if at < 0:
        return head
    at += len(name)
    end = head.find(b"\n", at)
    if end < 0:
        return head[:at]
    return head[:at] + head[end - 1 if head[end - 1] == _CR else end :]


@lru_cache(maxsize=4_096)
def known_request(head: bytes) -> KnownRequest | None:
    """What the head of a ``Usual`` says; None: it is not read so."""
    tunnel = _TUNNEL.match(head)
    if tunnel is None:
        return _known_request(head)
    # Each task has an id and a secret of its own: all else is read once for all of them.
    start, number, rest = tunnel.groups()
    secrets = _SECRET.findall(rest)
    if len(secrets) != 1 or rest.lower().count(_SECRET_NAME) != 1:
        return _known_request(head)
    known = _known_request(start + b"1" + _SECRET.sub(_A_SECRET, rest))
    if known is None or known.head.target is None:
        return known
    target, name = known.head.target, number.decode("ascii")
    target = target._replace(rest=f"/tunnel/{name}", tunnel=name)
    return known._replace(head=known.head._replace(target=target, secret=secrets[0].decode("ascii")))


@lru_cache(maxsize=1_024)
def _known_request(head: bytes) -> KnownRequest | None:
    front, is_numbered, behind = head.partition(_END)
    if is_numbered and _ID_NAME in front[: -len(_ID)].lower():
        return None  # there twice
    message = _read(front + b"1" + behind if is_numbered else front, Side.CLIENT)
    if message is None:
        return None
    return KnownRequest(message.codings is PLAIN, head_of(message), None if is_numbered else request_id(message))


@lru_cache(maxsize=1_024)
def known_response(head: bytes) -> KnownResponse | None:
    """The same of responses."""
    message = _read(head, Side.SERVER)
    if message is None or message.status is None or message.status < 200:
        return None
    return KnownResponse(message.codings is PLAIN, message.status)


def _read(head: bytes, side: Side) -> HttpMessage | None:
    """A message with this head and a body of one byte; None where that is not just one message."""
    data = head + _LENGTH + b"1" + _END + b"-"
    found = HttpReader(side).feed(Chunk(side, 0, data, 1, 0))
    if len(found) != 1 or not isinstance(found[0], RawDocument) or found[0].data != data:
        return None
    return parse_http(data, is_request=side is Side.CLIENT)
