"""The table of TCP connections: bounded, with constant work per packet whatever the traffic.

A flow stands on one of three shelves (quiet: no data yet; talking; closed), oldest first.  A shelf that is full, or
whose oldest flow has been idle for too long, gives up flows from its front.  Packets do not reorder a shelf: a flow
found at the front that had packets lately is put to the back then (the clock algorithm).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import islice
from typing import Any, NamedTuple

from dissector.limits import (
    HALF_OPEN_SECONDS,
    IDLE_SECONDS,
    MAX_CLOSED,
    MAX_CONNECTIONS,
    MAX_HALF_OPEN,
)
from dissector.model import Connection, Endpoint, address_text
from dissector.stream.direction import Direction
from dissector.traffic import ENDS, SYN, Segment, Side, key_of

Shelf = OrderedDict["Flow", None]

_SECOND = 1_000_000_000
#: Flows looked at when a new one comes: more than one, so that the shelves shrink after a flood.
_STEPS = 4


@dataclass(slots=True, eq=False)
class Flow:
    """A connection in the table.  ``handler`` is the session's own."""

    connection: Connection
    directions: tuple[Direction, Direction]
    keys: tuple[bytes, bytes]
    shelf: Shelf
    filed: int
    handler: Any = None
    #: A FIN was seen; Closed was reported; how often ``swap`` was called.
    ending: bool = False
    over: bool = False
    swaps: int = 0
    #: Segments that wait for others, with their places, their numbers and the indices of their senders; the sum of the
    #: sequence numbers of both directions that the places count from (see ``reorder``).
    held: list[tuple[int, int, int, Segment]] = field(default_factory=list)
    place: int = 0

    def settle(self) -> None:
        """Notes which directions go on as usual: see ``fast_path``."""
        going = (
            not (self.ending or self.over or self.held)
            and self.connection.bytes > 0
            and all(d.known for d in self.directions)
        )
        for direction in self.directions:
            direction.steady = going and direction.regular

    def forget(self) -> None:
        """What is known of the connection is final: packets that still come count for nobody, and its records (its task
        with the whole log) must not stay for their sake."""
        old = self.connection
        self.connection = Connection(
            old.client, old.server, old.start, old.first_packet, end=old.end, mid_stream=old.mid_stream, over=True
        )
        for direction in self.directions:
            direction.connection, direction.facts = self.connection, self.connection.sides[direction.side]

    def swap(self) -> None:
        """Client and server were guessed the wrong way round (only possible without a SYN)."""
        connection = self.connection
        connection.client, connection.server = connection.server, connection.client
        connection.sides = connection.sides[::-1]
        for direction in self.directions:
            direction.side = direction.side.other
        self.swaps += 1


class Entry(NamedTuple):
    """A flow as a packet finds it: ``place`` is that of the sender among its directions."""

    flow: Flow
    place: int
    sender: Direction
    other: Direction


class FlowTable:
    """Flows by the keys of their packets, in both directions."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._quiet: Shelf = OrderedDict()
        self._talking: Shelf = OrderedDict()
        self._closed: Shelf = OrderedDict()
        #: Keys of ignored connections, both directions of each, oldest first.
        self.foreign: dict[bytes, None] = {}
        #: The same of those that are over.
        self._gone: dict[bytes, None] = {}
        #: The table's ``get``.
        self.find = self._entries.get

    def __len__(self) -> int:
        return len(self._entries) // 2

    def unfinished(self) -> list[Flow]:
        """Flows that were not closed, by their first packets."""
        flows = [*self._quiet, *self._talking]
        return sorted(flows, key=lambda flow: flow.connection.first_packet)

    def add(self, segment: Segment, *, from_client: bool, mid_stream: bool) -> tuple[Flow, int]:
        """A new flow that begins with ``segment``: (flow, index of the sender's direction)."""
        number, time, src, sport, dst, dport = segment[:6]
        ends = Endpoint(address_text(src), sport), Endpoint(address_text(dst), dport)
        client, server = ends if from_client else ends[::-1]
        connection = Connection(client, server, time, number, end=time, mid_stream=mid_stream, via=segment.via)
        keys = key_of(src, sport, dst, dport), key_of(dst, dport, src, sport)
        keys = keys if from_client else keys[::-1]
        directions = Direction(Side.CLIENT, connection), Direction(Side.SERVER, connection)
        flow = Flow(connection, directions, keys, self._quiet, time)
        self._entries[keys[0]] = Entry(flow, 0, *directions)
        self._entries[keys[1]] = Entry(flow, 1, *directions[::-1])
        self._quiet[flow] = None
        return flow, 0 if from_client else 1

    def of(self, connection: Connection) -> Flow | None:
        """The flow of a connection."""
        client, server = connection.client, connection.server
        if client.port is None or server.port is None:
            return None
        entry = self.find(key_of(ip_address(client.ip).packed, client.port, ip_address(server.ip).packed, server.port))
        return entry.flow if entry is not None and entry.flow.connection is connection else None

    def talks(self, flow: Flow) -> None:
        """``flow`` carries data."""
        if flow.shelf is self._quiet:
            self._file(flow, self._talking)

    def close(self, flow: Flow) -> None:
        """``flow`` is over: kept for late packets only."""
        self._file(flow, self._closed)

    def remove(self, flow: Flow) -> None:
        """Takes ``flow`` out of the table."""
        flow.shelf.pop(flow, None)
        for key in flow.keys:
            entry = self._entries.get(key)
            if entry is not None and entry[0] is flow:
                del self._entries[key]

    def _file(self, flow: Flow, shelf: Shelf) -> None:
        flow.shelf.pop(flow, None)
        flow.shelf, flow.filed = shelf, flow.connection.end
        shelf[flow] = None

    # --- growing old -------------------------------------------------------------------------------------------------

    def has_room(self, more: int) -> bool:
        """True when so many ``more`` open flows would drive out nobody."""
        return len(self._quiet) + more < MAX_HALF_OPEN and len(self._talking) + more < MAX_CONNECTIONS

    def is_full(self) -> bool:
        """True when a new flow drives out one that is over."""
        return len(self._closed) >= MAX_CLOSED

    def next_due(self) -> int | None:
        """When ``stale`` has to look at a flow that is in the table now, unless it has to because of others."""
        shelves = (self._quiet, HALF_OPEN_SECONDS), (self._talking, IDLE_SECONDS), (self._closed, HALF_OPEN_SECONDS)
        due = [next(iter(shelf)).filed + seconds * _SECOND for shelf, seconds in shelves if shelf]
        return min(due, default=None)

    def stale(self, now: int) -> Iterator[Flow]:
        """Flows to give up at ``now`` (a few at a time); they are out of the table when they are yielded."""
        yield from self._retire(self._quiet, MAX_HALF_OPEN, HALF_OPEN_SECONDS * _SECOND, now)
        yield from self._retire(self._talking, MAX_CONNECTIONS, IDLE_SECONDS * _SECOND, now)
        yield from self._retire(self._closed, MAX_CLOSED, HALF_OPEN_SECONDS * _SECOND, now)

    def _retire(self, shelf: Shelf, limit: int, patience: int, now: int) -> Iterator[Flow]:
        for _ in range(_STEPS):
            flow = next(iter(shelf), None)
            full = len(shelf) >= limit
            if flow is None or (not full and now - flow.filed < patience):
                return
            connection = flow.connection
            # The session numbers what it cares about: a task may be silent for hours.
            kept = shelf is self._talking and connection.n > 0 and not connection.over
            fresh = connection.end > flow.filed if full else now - connection.end < patience
            if fresh or kept:
                flow.filed = now
                shelf.move_to_end(flow)
            else:
                self.remove(flow)
                yield flow
        if len(shelf) >= limit:
            flow = next(iter(shelf))
            self.remove(flow)
            yield flow

    # --- foreign connections -----------------------------------------------------------------------------------------

    def ignore(self, flow: Flow) -> None:
        """Forgets ``flow`` but for its name, so that its packets are known as foreign."""
        entry = self.find(flow.keys[0])
        if entry is None or entry.flow is not flow:
            return  # it was given up before
        self.remove(flow)
        if flow.over:
            self.ended(*flow.keys)
        else:
            self.passed(*flow.keys)

    def passed(self, key: bytes, back: bytes) -> None:
        """A connection is ignored; its packets have these keys."""
        self._put((key, back), self.foreign, MAX_CONNECTIONS)

    def ended(self, key: bytes, back: bytes) -> None:
        """An ignored connection is over: what follows comes late, and of those that are over few are remembered."""
        self._put((key, back), self._gone, MAX_CLOSED)

    def ignores(self, segment: Segment) -> bool:
        """True for a segment of an ignored connection; a SYN starts a new one, FIN and RST end it, but one that goes on
        behind a FIN is not over."""
        key = segment.key
        if key not in self.foreign and key not in self._gone:
            return False
        keys = key, key_of(segment.dst, segment.dport, segment.src, segment.sport)
        if segment.flags & SYN:
            self._drop(keys)
            return False
        if segment.flags & ENDS:
            self.ended(*keys)
        elif segment.length and key in self._gone:
            self.passed(*keys)
        return True

    def _drop(self, keys: tuple[bytes, bytes]) -> None:
        one, two = keys
        for place in (self.foreign, self._gone):
            place.pop(one, None)
            place.pop(two, None)

    def _put(self, keys: tuple[bytes, bytes], where: dict[bytes, None], most: int) -> None:
        """Remembers a connection's keys in ``where`` alone, which has the newest of so many connections."""
        self._drop(keys)
        where[keys[0]] = where[keys[1]] = None
        if (above := len(where) - 2 * most) > 0:
            # Some more at a time: the way to the oldest one leads over all that were there before it.
            for key in list(islice(where, above + most // 32)):
                del where[key]
