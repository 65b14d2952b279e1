"""What looks at a connection until its first bytes tell what it is."""

from __future__ import annotations

from typing import Protocol

from dissector.limits import MAX_SNIFF
from dissector.model import Connection, Role
from dissector.session import detect, foreign
from dissector.traffic import Chunk, Gap


class Handler(Protocol):
    """What looks at a connection from then on."""

    def chunk(self, chunk: Chunk) -> None: ...

    def gap(self, gap: Gap) -> None: ...


#: Pieces after each of which a new connection is looked at; pieces after which nobody will know what it is.
_EVERY_PIECE, _MOST_EVENTS = 64, 2 * MAX_SNIFF


class Sniffer:
    """Keeps what a new connection says until ``verdict`` knows what it is."""

    def __init__(self, connection: Connection, *, is_command_port: bool, agents: bool = True) -> None:
        """``agents`` False: what goes to a Universal Agent is documents over HTTP like others."""
        self.connection = connection
        self._agents = agents
        self.is_command_port = is_command_port
        self.events: list[Chunk | Gap] = []
        #: Bytes are missing, so that what was captured may begin anywhere.
        self._has_gap = False
        self._heads: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._next_look = 0
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

    def verdict(self) -> Role | None:
        """As ``detect.verdict``; what comes in very many small pieces is not looked at with every one."""
        if self._is_callback:
            return Role.CALLBACK
        client, server = (bytes(head) for head in self._heads)
        if self._is_full:
            return Role.UNKNOWN
        size = len(client) + len(server)
        if len(self.events) > _EVERY_PIECE and size < self._next_look and MAX_SNIFF not in (len(client), len(server)):
            return None
        self._next_look = size + size // 16
        mid_stream = self.connection.mid_stream or self._has_gap
        role = detect.verdict(client, server, is_command_port=self.is_command_port, mid_stream=mid_stream)
        if role is Role.HTTP and not self._agents:
            role = Role.COMMAND
        self._is_callback = role is Role.CALLBACK
        return role

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
