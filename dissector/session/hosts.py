"""Which hosts were heard lately: a host that talks on other connections is not down."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from dissector.limits import MAX_CONNECTIONS
from dissector.model import Connection, SideFacts
from dissector.traffic import Side

#: So many of the newest connections of a host are remembered.
_NEWEST = 8


class Hosts:
    """What the ends of connections sent, by host and by the endpoint that listened; the newest of each."""

    def __init__(self) -> None:
        self._ends: OrderedDict[Hashable, list[SideFacts]] = OrderedDict()

    def note(self, connection: Connection) -> None:
        """A connection of the engine, at any time of its life."""
        for key, end in _ends_of(connection):
            self._add(key, end)

    def forget(self, connection: Connection) -> None:
        """It is over, and nobody asks for others than it any more: of its ends stays when they were heard last."""
        for key, end in _ends_of(connection):
            ends = self._ends.get(key, [])
            ends[:] = [SideFacts(last=end.last) if known is end else known for known in ends]

    def answers(self, connection: Connection, since: int) -> int:
        """How many other connections the server's port answered at ``since`` or later (of the newest ones)."""
        return len(self._heard(connection.server, since, connection.sides[Side.SERVER]))

    def heard(self, ip: str, since: int, *besides: SideFacts) -> bool:
        """True when the host sent something at ``since`` or later on another connection."""
        return bool(self._heard(ip, since, *besides))

    def _heard(self, key: Hashable, since: int, *besides: SideFacts) -> list[SideFacts]:
        return [
            end
            for end in self._ends.get(key, ())
            if end.last is not None and end.last.time >= since and not any(end is other for other in besides)
        ]

    def _add(self, key: Hashable, end: SideFacts) -> None:
        ends = self._ends.get(key)
        if ends is None:
            self._ends[key] = [end]
            if len(self._ends) > MAX_CONNECTIONS:
                self._ends.popitem(last=False)
            return
        if not any(end is known for known in ends):
            ends.append(end)
            del ends[:-_NEWEST]
        self._ends.move_to_end(key)


def _ends_of(connection: Connection) -> tuple[tuple[Hashable, SideFacts], ...]:
    """By what is asked for each."""
    client, server = connection.sides
    return (connection.server, server), (connection.server.ip, server), (connection.client.ip, client)
