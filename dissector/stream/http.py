"""HTTP/1.1 messages of one direction: bytes in, whole messages out.

A command connection whose first byte is an upper-case letter is HTTP for its life (see
docs/protocol.md#where-a-document-ends; docs/agent.md#classic-agent-over-http has the requests).  Only what delimits a
message is read here (RFC 9112 section 6): Content-Length and the chunked coding.  A response to HEAD can not be told
from one direction alone; JobScheduler sends no HEAD.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from dissector.limits import MAX_HTTP_HEAD
from dissector.numbers import COUNT, hexadecimal, number
from dissector.stream import wrong_bytes
from dissector.stream.assembly import Assembly
from dissector.traffic import Chunk, Gap, RawDocument, Side, StreamProblem

_START_LINE = re.compile(rb"(?:HTTP/1\.\d (?P<status>\d{3})(?: [^\r\n]*)?|[A-Z]{1,20} [^ \r\n]+ HTTP/1\.\d)\r?\n")
#: How a message begins, for the search for one behind a hole.
HTTP_BEGINNING = re.compile(rb"HTTP/1\.|[A-Z]{3,20} [/*h]")
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"^content-length[ \t]*:([^\r\n]*)\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding[ \t]*:[^\r\n]*\bchunked\b", re.IGNORECASE | re.MULTILINE)
_BOTH = "an HTTP message has both Content-Length and Transfer-Encoding: read by the latter"
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r?\n")
_LINE_BREAKS = re.compile(rb"[\r\n]*")


class _State(Enum):
    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK_DATA = auto()
    TRAILER = auto()
    UNTIL_CLOSE = auto()
    LOST = auto()


class HttpReader:
    """Cuts the bytes of one direction into HTTP messages; each is one ``RawDocument`` of kind http."""

    def __init__(self, side: Side, *, lost: bool = False) -> None:
        """``lost``: the first bytes may be in the middle of a message."""
        self._message = Assembly(side)
        self._state = _State.LOST if lost else _State.HEAD
        self._remaining = 0
        #: No message is under way: one that is whole may be taken from the stream before it gets here (``passed``).
        self.is_between = True

    def passed(self) -> None:
        """A whole message was taken from the stream."""
        self._state = _State.HEAD

    def feed(self, chunk: Chunk) -> list[RawDocument | StreamProblem]:
        if self._state is _State.LOST:
            if not HTTP_BEGINNING.match(chunk.data):
                return []
            self._state = _State.HEAD
        self._message.add(chunk)
        found: list[RawDocument | StreamProblem] = []
        while self._message.buffer and self._state is not _State.LOST and self._step(chunk, found):
            pass
        found += self._message.limit(chunk)
        self.is_between = not self._message.under_way
        return found

    def gap(self, gap: Gap) -> list[RawDocument | StreamProblem]:
        """A hole inside a body of known length spoils this message only; behind any other the next beginning is
        looked for."""
        if not self._message.under_way:
            was_lost, self._state = self._state is _State.LOST, _State.LOST
            return [] if was_lost else [self._message.between(gap)]
        report = self._message.problem("gap", gap.number, gap.time, wrong_bytes.missing_of_http(gap.size))
        bounded = self._state in (_State.BODY, _State.CHUNK_DATA)
        if bounded and gap.size < self._remaining:
            self._remaining -= gap.size
            self._message.clear()
            self._message.skipping = True
        elif self._state is _State.UNTIL_CLOSE:
            self._message.clear()
            self._message.skipping = True
        else:
            self._lose()
        self.is_between = not self._message.under_way
        return [report]

    def finish(self, time: int) -> list[RawDocument | StreamProblem]:
        """What is left over; the body of a response without a length is complete now."""
        if not self._message.buffer:
            return []
        complete = self._state is _State.UNTIL_CLOSE
        return [*self._message.take(len(self._message.buffer), time, "http", complete)]

    def _lose(self) -> None:
        self._message.clear()
        self._state = _State.LOST

    def _step(self, chunk: Chunk, found: list[RawDocument | StreamProblem]) -> bool:
        """One piece of a message: False when more bytes are needed."""
        match self._state:
            case _State.HEAD:
                return self._head(chunk, found)
            case _State.CHUNK_SIZE:
                return self._chunk_size(chunk, found)
            case _State.TRAILER:
                return self._trailer(chunk, found)
            case _State.UNTIL_CLOSE:
                self._message.at = len(self._message.buffer)
                return False
            case _:
                return self._body(chunk, found)

    def _head(self, chunk: Chunk, found: list[RawDocument | StreamProblem]) -> bool:
        message = self._message
        if message.at == 0 and (blanks := _LINE_BREAKS.match(message.buffer)) and blanks.end():
            message.drop(blanks.end())
            return True
        end = _HEAD_END.search(message.buffer, message.at)
        if end is None:
            message.at = max(len(message.buffer) - 2, 1)
            if len(message.buffer) > MAX_HTTP_HEAD:
                self._long_head(chunk, found)
            return False
        head = bytes(message.buffer[: end.end()])
        if len(head) > MAX_HTTP_HEAD:
            self._long_head(chunk, found)
            return False
        start = _START_LINE.match(head)
        if start is None:
            self._broken(chunk, found, "no HTTP start line")
            return False
        message.at = end.end()
        state = self._framing(head, start["status"])
        if isinstance(state, str):
            self._broken(chunk, found, state)
            return False
        if state is _State.CHUNK_SIZE and _LENGTH.search(head):
            found.append(message.problem("http_ambiguous", chunk.number, chunk.time, _BOTH))
        self._state = state
        if state is _State.HEAD:
            self._complete(chunk, found)
        return True

    def _framing(self, head: bytes, status: bytes | None) -> _State | str:
        """What follows the head: HEAD when the message has no body, or why nobody can tell."""
        if _is_bodiless(status):
            return _State.HEAD
        if _CHUNKED.search(head):
            return _State.CHUNK_SIZE
        lengths = {text.strip() for line in _LENGTH.findall(head) for text in line.split(b",")}
        if not lengths:
            return _State.HEAD if status is None else _State.UNTIL_CLOSE
        if len(lengths) > 1:
            return "HTTP Content-Length is there twice, with different numbers"
        size = number(lengths.pop().decode("latin-1"), COUNT)
        if size is None:
            return "HTTP Content-Length is no number that is possible there"
        self._remaining = size
        return _State.BODY if size else _State.HEAD

    def _body(self, chunk: Chunk, found: list[RawDocument | StreamProblem]) -> bool:
        message = self._message
        size = min(self._remaining, len(message.buffer) - message.at)
        message.at += size
        self._remaining -= size
        if self._remaining:
            return False
        if self._state is _State.CHUNK_DATA:
            self._state = _State.CHUNK_SIZE
        else:
            self._complete(chunk, found)
        return True

    def _chunk_size(self, chunk: Chunk, found: list[RawDocument | StreamProblem]) -> bool:
        message = self._message
        line_end = message.buffer.find(b"\n", message.at)
        if (line_end if line_end >= 0 else len(message.buffer)) - message.at > MAX_HTTP_HEAD:
            text = f"an HTTP chunk is not read: its first line has more than {MAX_HTTP_HEAD} bytes"
            self._broken(chunk, found, text, is_cap=True)
            return False
        if line_end < 0:
            return False
        size = _CHUNK_SIZE.match(message.buffer, message.at)
        length = hexadecimal(size[1].decode("ascii")) if size is not None else None
        if size is None or length is None:
            self._broken(chunk, found, "HTTP chunk without a size that is possible")
            return False
        message.at = size.end()
        # The CR LF behind a chunk's data is taken with it.
        self._remaining = length + 2
        self._state = _State.CHUNK_DATA if length else _State.TRAILER
        return True

    def _trailer(self, chunk: Chunk, found: list[RawDocument | StreamProblem]) -> bool:
        message = self._message
        line_end = message.buffer.find(b"\n", message.at)
        if line_end < 0:
            if len(message.buffer) - message.at > MAX_HTTP_HEAD:
                self._broken(chunk, found, "HTTP trailer without an end")
            return False
        last = not message.buffer[message.at : line_end].strip()
        message.at = line_end + 1
        if last:
            self._complete(chunk, found)
        return True

    def _complete(self, chunk: Chunk, found: list[RawDocument | StreamProblem]) -> None:
        found += self._message.take(self._message.at, chunk.time, "http")
        self._state = _State.HEAD

    def _long_head(self, chunk: Chunk, found: list[RawDocument | StreamProblem]) -> None:
        text = f"an HTTP head is not read: jstrace reads heads of up to {MAX_HTTP_HEAD} bytes"
        self._broken(chunk, found, text, is_cap=True)

    def _broken(
        self, chunk: Chunk, found: list[RawDocument | StreamProblem], text: str, *, is_cap: bool = False
    ) -> None:
        report = self._message.problem("undecoded_frame", chunk.number, chunk.time, text)
        found.append(report._replace(is_cap=is_cap))
        self._lose()


def _is_bodiless(status: bytes | None) -> bool:
    """True for responses that never have a body, whatever their headers say."""
    return status is not None and (status[:1] == b"1" or status in (b"204", b"304"))
