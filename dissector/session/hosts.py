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
        client, server = connection.sides
        self._add(connection.server, server)
        self._add(connection.server.ip, server)
        self._add(connection.client.ip, client)

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
