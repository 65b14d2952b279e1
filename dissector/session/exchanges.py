"""A connection that carries exchanges over HTTP with a Universal Agent.

The genuine sides have one request under way on a connection; others may pipeline, then responses come in order.  Where
bytes were lost, the newest request that is open is the one that a response answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from dissector.limits import MAX_PENDING_COMMANDS
from dissector.model import Connection, Exchange
from dissector.session.tunnel import Looker, Tunnel
from dissector.session.usual import KnownRequest, KnownResponse, request_as, request_of, response_as, response_of
from dissector.stream.http import HttpReader
from dissector.traffic import Chunk, Gap, RawDocument, Side, StreamProblem
from dissector.wire.agent import RequestHead, command_of, head_of, request_id, unread
from dissector.wire.http_message import HttpMessage, parse_http

_INFORMATIONAL = range(100, 200)
_TLS_ALERT = b"\x15\x03"

_new = tuple.__new__


class Agents(Protocol):
    """Who knows the tasks that the exchanges are about (``tunnels.Tunnels``)."""

    def next_exchange(self) -> int: ...
    def request(self, exchange: Exchange) -> None: ...
    def response(self, exchange: Exchange) -> None: ...
    def streak(
        self, connection: Connection, head: RequestHead, number: int, begin: int, end: int, looker: Looker
    ) -> Tunnel | None: ...
    def streak_over(self, tunnel: Tunnel, last: tuple[int, int, int] | None) -> None: ...
    def unanswered(self, exchange: Exchange, *, is_certain: bool) -> None:
        """``is_certain``: its connection ended, all of it was captured, and nothing of it says why."""

    def lost(self, connection: Connection, side: Side, newest: Exchange | None) -> None: ...
    def left(self, connection: Connection) -> None:
        """The connection ended."""

    def exchange(self, exchange: Exchange) -> None:
        """Nothing about it changes any more."""

    def stream_problem(self, problem: StreamProblem, connection: Connection) -> None: ...


class Exchanges:
    """Pairs the requests and responses of one connection."""

    def __init__(self, connection: Connection, agents: Agents) -> None:
        self.connection = connection
        self._agents = agents
        lost = connection.mid_stream
        self._readers = HttpReader(Side.CLIENT, lost=lost), HttpReader(Side.SERVER, lost=lost)
        self._open: list[Exchange] = []
        #: Requests behind these that wait for their responses too, but are not kept.
        self._unpaired, self._is_flooded = 0, False
        self._has_hole = self._is_tls = False
        #: Who said something since the newest request that was lost.
        self._lost_since: set[Side] = set()

    def chunk(self, chunk: Chunk) -> None:
        side, offset, data, number, time = chunk
        is_answer = side is Side.SERVER
        if is_answer and not offset and data[:2] == _TLS_ALERT:
            self._is_tls = True
            text = f"{self.connection.server} answered plain HTTP with an alert of TLS"
            problem = StreamProblem("tls_expected", side, 0, number, time, text)
            self._agents.stream_problem(problem, self.connection)
        if self._is_tls and is_answer:
            return
        reader = self._readers[side]
        if reader.is_between:
            if is_answer:
                if (answer := response_of(data)) is not None:
                    reader.passed()
                    self._response(_new(RawDocument, (side, offset, data, (number,), time, True, "http")), *answer)
                    return
            elif (asked := request_of(data)) is not None:
                reader.passed()
                self._request(_new(RawDocument, (side, offset, data, (number,), time, True, "http")), *asked)
                return
        self._handle(reader.feed(chunk))

    @property
    def in_step(self) -> bool:
        """True when whole messages in order are all that is expected."""
        return not self._is_tls and all(reader.is_between for reader in self._readers)

    def request(self, raw: RawDocument, number: int | None, end: int, known: KnownRequest) -> None:
        """The next message of a connection that is ``in_step``: a usual one, whose head ends at ``end``."""
        self._readers[Side.CLIENT].passed()
        self._request(raw, *request_as(raw[2], number, end, known))

    def response(self, raw: RawDocument, end: int, known: KnownResponse) -> None:
        """The same of a response."""
        self._readers[Side.SERVER].passed()
        self._response(raw, *response_as(raw[2], end, known))

    def streak(self, known: KnownRequest, number: int, begin: int, end: int, looker: Looker) -> Tunnel | None:
        """The task of exchanges that come one after the other from ``begin`` to ``end``, the first request with this
        head and ``number``: what they say may wait until ``looker`` is called, or ``streak_over``."""
        if self._open or self._unpaired:
            return None
        return self._agents.streak(self.connection, known.head, number, begin, end, looker)

    def streak_over(self, tunnel: Tunnel, last: tuple[int, int, int] | None) -> None:
        """All of it that came was fed to the tunnel; ``last``: number and time of its last request, and the time of the
        response; None without."""
        self._agents.streak_over(tunnel, last)

    def missing(self, side: Side) -> None:
        """Bytes are missing: which request the next response answers is not certain."""
        self._has_hole = True
        self._lost_since.add(side)
        self._agents.lost(self.connection, side, self._open[-1] if self._open else None)

    def gap(self, gap: Gap) -> None:
        self.missing(gap.side)
        self._handle(self._readers[gap.side].gap(gap))

    def closed(self, number: int, time: int) -> None:  # noqa: ARG002  every handler is told both
        for reader in self._readers:
            self._handle(reader.finish(time))
        is_certain = self.connection.closed is not None and not (self._has_hole or self._is_tls)
        while self._open:
            self._leave(self._open.pop(0), is_certain=is_certain)
        self._agents.left(self.connection)

    def _handle(self, items: Iterable[RawDocument | StreamProblem]) -> None:
        for item in items:
            if isinstance(item, StreamProblem):
                self._agents.stream_problem(item, self.connection)
            elif not item.complete:
                self._has_hole = True
            elif item.side is Side.CLIENT:
                request = parse_http(item.data, is_request=True)
                self._request(item, request, head_of(request), request_id(request))
            else:
                response = parse_http(item.data, is_request=False)
                self._response(item, response, response.status)

    def _request(self, raw: RawDocument, message: HttpMessage, head: RequestHead, number: int | None) -> None:
        _, _, data, packets, time, _, _ = raw
        kind = head.kind if message.sent else head.empty_kind
        exchange = Exchange(self._agents.next_exchange(), self.connection, time, packets, kind, message)
        exchange.head, exchange.request_raw, exchange.request_id = head, data, number
        if kind == "command":
            exchange.command = command_of(message)
            exchange.type = exchange.command.type
        self._tell_unread(raw, message)
        self._lost_since.clear()
        while self._has_hole and self._open:
            self._leave(self._open.pop(0))
        self._agents.request(exchange)
        if len(self._open) < MAX_PENDING_COMMANDS and not self._unpaired:
            self._open.append(exchange)
        else:
            if not self._is_flooded:
                self._tell(raw, f"more than {MAX_PENDING_COMMANDS} requests wait for responses: later ones have none")
            self._unpaired += 1
            self._is_flooded = True
            self._leave(exchange)

    def _response(self, raw: RawDocument, message: HttpMessage, status: int | None) -> None:
        if status in _INFORMATIONAL:
            return
        if not self._open:
            self._unpaired -= self._unpaired > 0
            return
        self._tell_unread(raw, message)
        if len(self._lost_since) == len(Side):
            # The answer to the request that is known may be lost, and this one be that to a request that is.
            while self._open:
                self._leave(self._open.pop(0))
            return
        _, _, data, packets, time, _, _ = raw
        exchange = self._open.pop(0)
        exchange.response, exchange.status, exchange.answered = message, status, time
        exchange.latency = time - exchange.time
        exchange.response_packets, exchange.response_raw = packets, data
        self._agents.response(exchange)
        self._agents.exchange(exchange)

    def _tell_unread(self, raw: RawDocument, message: HttpMessage) -> None:
        """What of a body is more than is read."""
        if (reason := unread(message)) is not None:
            self._tell(raw, reason)

    def _tell(self, raw: RawDocument, text: str) -> None:
        problem = StreamProblem("limit_reached", raw.side, raw.offset, raw.packets[-1], raw.time, text, is_cap=True)
        self._agents.stream_problem(problem, self.connection)

    def _leave(self, exchange: Exchange, *, is_certain: bool = False) -> None:
        """Its response will not come any more."""
        self._agents.unanswered(exchange, is_certain=is_certain)
        self._agents.exchange(exchange)
