"""Agents that are not reached any more while tasks run on them, and tasks of which nothing is heard any more."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Task
from dissector.session.agent_facts import Outage
from dissector.session.tunnel import CapturePoint, Tunnel, place_of
from dissector.session.verdict import is_hopeless
from dissector.traffic import Side


class Outages:
    """Counts tasks for each master and agent, and connections that fail while there are any."""

    def __init__(self) -> None:
        self._tasks: dict[CapturePoint, dict[Tunnel, None]] = {}
        self._outages: dict[CapturePoint, Outage] = {}
        #: When bytes of the master's requests were missing last, and the packet that showed it: any connection may
        #: carry any task's.
        self._missing: dict[CapturePoint, tuple[int, int]] = {}
        #: Numbers by deadlines, as these were when they were put here, also of tasks that are over and kept nowhere.
        self._deadlines: list[tuple[int, int]] = []
        self._by_number: dict[int, Tunnel] = {}
        self._entries = count().__next__

    def __bool__(self) -> bool:
        """True while an agent is not reached."""
        return bool(self._outages)

    def add(self, tunnel: Tunnel) -> None:
        self._tasks.setdefault(tunnel.place, {})[tunnel] = None
        self._push(tunnel)

    def remove(self, tunnel: Tunnel) -> None:
        """The task is over; it keeps what is known of an outage and of requests that were missed."""
        place = tunnel.place
        self._by_number.pop(tunnel.entry, None)
        tunnel.about.outage = self._outages.get(place)
        missed = self._missing.get(place)
        if missed is not None and missed[0] > tunnel.about.missing:
            tunnel.about.misses(*missed)
        del self._tasks[place][tunnel]
        if not self._tasks[place]:
            del self._tasks[place]
            self._outages.pop(place, None)
            self._missing.pop(place, None)

    def missed(self, connection: Connection) -> None:
        """Bytes of the master on a connection to the agent are not in the capture."""
        if (place := place_of(connection)) in self._tasks:
            self._missing[place] = connection.end, connection.last_packet

    def heard(self, connection: Connection) -> None:
        """The master speaks to the agent."""
        if self._outages:
            self._outages.pop(place_of(connection), None)

    def failed(self, connection: Connection, now: int) -> Task | None:
        """Takes a connection that was refused or not answered so far: the first task that waits for that agent."""
        place = place_of(connection)
        waiting = self._tasks.get(place)
        if not waiting:
            return None
        if is_hopeless(connection, now):
            outage = self._outages.setdefault(place, Outage(connection.server))
            outage.count += 1
            outage.unanswered += connection.sides[Side.SERVER].packets == 0
            if len(outage.packets) < MAX_EVIDENCE:
                outage.packets.append(connection.first_packet)
        return next(iter(waiting)).facts.record

    def due(self, now: int) -> list[Tunnel]:
        """Tasks of which nothing was heard for longer than the agent would have kept them, each once."""
        found: list[Tunnel] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            tunnel = self._by_number.pop(heappop(self._deadlines)[1], None)
            if tunnel is None:
                continue
            if tunnel.deadline <= now:
                found.append(tunnel)
            else:
                self._push(tunnel)
        return found

    def _push(self, tunnel: Tunnel) -> None:
        tunnel.entry = self._entries()
        self._by_number[tunnel.entry] = tunnel
        heappush(self._deadlines, (tunnel.deadline, tunnel.entry))
