"""What looks at a connection until its first bytes tell what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dissector.limits import MAX_SNIFF
from dissector.model import Connection, Endpoint, Role
from dissector.session import detect, foreign
from dissector.stream.http import HttpReader
from dissector.traffic import Chunk, Gap, RawDocument, Side
from dissector.wire import tls


class Handler(Protocol):
    """What looks at a connection from then on."""

    def chunk(self, chunk: Chunk) -> None: ...

    def gap(self, gap: Gap) -> None: ...


#: Pieces after each of which a new connection is looked at; pieces after which nobody will know what it is.
_EVERY_PIECE, _MOST_EVENTS = 64, 2 * MAX_SNIFF

_SUCCESS = range(200, 300)
#: What a proxy answers that wants to know who asks; and how a client asks.
_WHO, _CONNECT = 407, b"CONNECT "


class Sniffer:
    """Keeps what a new connection says until ``verdict`` knows what it is."""

    def __init__(
        self,
        connection: Connection,
        *,
        is_command_port: bool,
        wants_tls: Callable[[bool], bool] | None = None,
        is_server: Callable[[Endpoint], bool] | None = None,
    ) -> None:
        """``wants_tls``: whether TLS is looked into, told whether the port is known for agents; None: it is not.
        ``is_server``: whether a port that a proxy is asked for is."""
        self.connection = connection
        self._is_server = is_server
        self._wants_tls = wants_tls
        self.is_command_port = is_command_port
        self.events: list[Chunk | Gap] = []
        #: Bytes are missing, so that what was captured may begin anywhere.
        self._has_gap = False
        self._heads: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._next_look = self._next_try = 0
        self._is_callback = False

    def chunk(self, chunk: Chunk) -> None:
        self.events.append(chunk)
        head = self._heads[chunk.side]
        head += chunk.data[: MAX_SNIFF - len(head)]

    def gap(self, gap: Gap) -> None:
        if not self._is_full:
            self.events.append(gap)
        self._has_gap = True
        self._heads[gap.side].clear()

    def closed(self, number: int, time: int) -> None:
        pass

    @property
    def _is_full(self) -> bool:
        return len(self.events) >= _MOST_EVENTS

    def verdict(self, *, over: bool = False) -> Role | None:
        """As ``detect.verdict``; what comes in very many small pieces is not looked at with every one.  ``over``:
        nothing more comes."""
        if self._is_callback:
            return Role.CALLBACK
        client, server = (bytes(head) for head in self._heads)
        if self._is_full:
            return Role.UNKNOWN
        if detect.asks_proxy(client) and (found := detect.proxied(client, server)) is not None:
            if found.status not in _SUCCESS:
                return self._refused(found, client[found.sizes[0] :], over=over)
            self._behind(found)
            client, server = (bytes(head) for head in self._heads)
        size = len(client) + len(server)
        if len(self.events) > _EVERY_PIECE and size < self._next_look and MAX_SNIFF not in (len(client), len(server)):
            return None
        self._next_look = size + size // 16
        is_tls = self._is_tls(client, server) if self._wants_tls is not None else False
        if is_tls is not False and self._wants_tls is not None and self._wants_tls(self.is_command_port):
            return Role.TLS if is_tls else None
        mid_stream = self.connection.mid_stream or self._has_gap
        role = detect.verdict(client, server, is_command_port=self.is_command_port, mid_stream=mid_stream)
        self._is_callback = role is Role.CALLBACK
        return role

    def _refused(self, found: detect.Proxied, rest: bytes, *, over: bool) -> Role | None:
        """A proxy did not connect the client, which sent ``rest`` then: most ask once more and say who they are."""
        asks_again = rest.startswith(_CONNECT)
        if asks_again and (over or len(self.events) >= self._next_try) and (size := self._refusal()):
            self._drop(found.sizes[0], size)
            return self.verdict(over=over)
        if found.status == _WHO and not over and (asks_again or _CONNECT.startswith(rest)):
            return None
        return Role.HTTP if self._is_known(found) else Role.UNKNOWN

    def _is_known(self, found: detect.Proxied) -> bool:
        """True where the port that the proxy was asked for is known for agents."""
        return self._is_server is not None and self._is_server(Endpoint(found.host, found.port))

    def _behind(self, found: detect.Proxied) -> None:
        """A proxy connected the client: from here on it is as if the two had talked about nothing else."""
        self.connection.asked_for = f"{found.host}:{found.port}"
        self.is_command_port = self.is_command_port or self._is_known(found)
        self._drop(*found.sizes)

    def _refusal(self) -> int:
        """Bytes of the server's first message over HTTP; 0 where there is nothing behind it yet.  What comes in very
        many small pieces is not looked at with every one."""
        if len(self.events) > _EVERY_PIECE:
            self._next_try = len(self.events) + len(self.events) // 16
        reader, size, there = HttpReader(Side.SERVER), 0, 0
        for event in self.events:
            if isinstance(event, Chunk) and event.side is Side.SERVER:
                there += len(event.data)
                found = reader.feed(event) if not size else []
                size = size or sum(len(one.data) for one in found[:1] if isinstance(one, RawDocument))
        return size if there > size else 0

    def _drop(self, *sizes: int) -> None:
        """Forgets so many of the first bytes of either end."""
        left = list(sizes)
        kept: list[Chunk | Gap] = []
        self._heads = (bytearray(), bytearray())
        for event in self.events:
            if isinstance(event, Chunk):
                size = min(left[event.side], len(event.data))
                left[event.side] -= size
                if size == len(event.data):
                    continue
                event = event._replace(offset=event.offset + size, data=event.data[size:])
                head = self._heads[event.side]
                head += event.data[: MAX_SNIFF - len(head)]
            kept.append(event)
        self.events = kept

    def _is_tls(self, client: bytes, server: bytes) -> bool | None:
        """None: it may be."""
        found = tls.is_client_hello(client) if client else False
        if found is False and self.is_command_port and (self.connection.mid_stream or not client):
            return tls.is_record(client) or tls.is_record(server)
        return found

    def replay(self, handler: Handler) -> None:
        """Gives ``handler`` what was kept."""
        for event in self.events:
            if isinstance(event, Gap):
                handler.gap(event)
            else:
                handler.chunk(event)

    @property
    def protocol(self) -> str | None:
        """The name of somebody else's protocol that the connection begins with."""
        client, server = self._heads
        return None if detect.is_engine(bytes(client), bytes(server)) else foreign.protocol(client, server)

    @property
    def is_ours(self) -> bool:
        """True when it is the bytes of a command connection that tell what it is, and not its port alone."""
        client, server = (bytes(head) for head in self._heads)
        is_xml = client.lstrip()[:1] == b"<" and foreign.protocol(client, server) is None
        return is_xml or detect.is_engine(client, server)

    @property
    def head(self) -> bytes:
        """The first bytes of the client."""
        return bytes(self._heads[0])

    @property
    def may_wait(self) -> bool:
        """True while there is room for what comes before it is known whose callback it is."""
        return len(self.events) < _EVERY_PIECE

    @property
    def swapped(self) -> bool:
        """As ``detect.swapped``, for a connection whose SYN was not captured."""
        client, server = (bytes(head) for head in self._heads)
        return self.connection.mid_stream and detect.swapped(client, server)
