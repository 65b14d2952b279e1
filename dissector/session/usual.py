"""Messages over HTTP as masters and agents write them: one segment each, their heads alike but for a few values.

What such a head says is read once, by what reads every other one, and then known by its bytes: those of a request
without its number and length, of a response without its date, its heartbeat's id and its length.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from dissector.stream.http import HttpReader
from dissector.traffic import Chunk, RawDocument, Side
from dissector.wire.agent import REQUEST_ID, RequestHead, head_of, request_id
from dissector.wire.http import PLAIN
from dissector.wire.http_message import HttpMessage, parse_http

_END, _LENGTH = b"\r\n\r\n", b"\r\nContent-Length: "
_ID, _DATE, _HEARTBEAT = b"\r\nX-JobScheduler-Request-ID: ", b"\r\nDate: ", b"\r\nX-JobScheduler-Heartbeat: "
_ID_NAME, _ACCEPTED = REQUEST_ID.lower().encode(), b" 202 "
#: Digits of a length that fits into one segment, and of a request's number.
_LENGTH_DIGITS, _ID_DIGITS = 6, 9
#: Longer heads are read each time.
_LONGEST = 2_048
#: How a body begins that may be XML.
_MAY_BE_XML = frozenset(b"< \t\r\n\v\f")

_new = tuple.__new__


class Request(NamedTuple):
    """``number`` is its Request-ID."""

    message: HttpMessage
    head: RequestHead
    number: int | None


class Response(NamedTuple):
    message: HttpMessage
    status: int


def request_of(data: bytes) -> Request | None:
    """A segment that is just one such request; None for any other."""
    end = _end_of_head(data)
    if not end:
        return None
    at = data.rfind(_LENGTH, 0, end)
    begin = data.find(_ID, 0, at) + 29
    if begin < 29:
        known = _request(data[:at], b"")
        number = known[2] if known is not None else None
    else:
        stop = data.find(b" ", begin, at)
        digits = data[begin:stop]
        if not digits.isdigit() or len(digits) > _ID_DIGITS:
            return None
        number, known = int(digits), _request(data[:begin], data[stop:at])
    if known is None:
        return None
    request: Request = _new(Request, (_message(data, end, known[0], is_request=True), known[1], number))
    return request


def response_of(data: bytes) -> Response | None:
    """The same of a response."""
    end = _end_of_head(data)
    if not end:
        return None
    head = data[: data.rfind(_LENGTH, 0, end)]
    head = _without(head, _DATE)
    known = _response(_without(head, _HEARTBEAT) if data[8:13] == _ACCEPTED else head)
    if known is None:
        return None
    response: Response = _new(Response, (_message(data, end, known[0], is_request=False), known[1]))
    return response


def _end_of_head(data: bytes) -> int:
    """Where the head of a message ends that tells its length last, and has it; 0 for any other."""
    end = data.find(_END)
    at = data.rfind(_LENGTH, 0, end) + 18 if 0 <= end <= _LONGEST else 0
    digits = data[at:end]
    is_whole = at >= 18 and digits.isdigit() and len(digits) <= _LENGTH_DIGITS and int(digits) == len(data) - end - 4
    return end if is_whole else 0


def _message(data: bytes, end: int, is_plain: bool, *, is_request: bool) -> HttpMessage:
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
    return head[:at] + head[end:] if end >= 0 else head[:at]


@lru_cache(maxsize=4_096)
def _request(front: bytes, behind: bytes) -> tuple[bool, RequestHead, int | None] | None:
    """Whether the bodies of requests with such a head are plain, what the head says, and its number if that is in here;
    None: it is not read so.  ``front`` and ``behind`` are what stands before the number and behind it."""
    if behind and _ID_NAME in front[: -len(_ID)].lower():
        return None  # there twice
    message = _read(front + b"1" + behind if behind else front, Side.CLIENT)
    return (message.codings is PLAIN, head_of(message), request_id(message)) if message is not None else None


@lru_cache(maxsize=1_024)
def _response(head: bytes) -> tuple[bool, int] | None:
    """The same of responses, and their status."""
    message = _read(head, Side.SERVER)
    status = message.status if message is not None else None
    return (message.codings is PLAIN, status) if message is not None and status is not None and status >= 200 else None


def _read(head: bytes, side: Side) -> HttpMessage | None:
    """A message with this head and a body of one byte; None where that is not just one message."""
    data = head + _LENGTH + b"1" + _END + b"-"
    found = HttpReader(side).feed(Chunk(side, 0, data, 1, 0))
    if len(found) != 1 or not isinstance(found[0], RawDocument) or found[0].data != data:
        return None
    return parse_http(data, is_request=side is Side.CLIENT)
