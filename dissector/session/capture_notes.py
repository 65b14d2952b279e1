"""What was odd about the capture as a whole: problems of no task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Endpoint, Problem, address_text
from dissector.numbers import count
from dissector.session.case import problem
from dissector.session.timeouts import SECOND
from dissector.session.verdict import closed_by
from dissector.traffic import Fragment, Packet, Side


@dataclass(slots=True)
class CaptureNotes:
    """What was odd about the capture as a whole."""

    _backwards: list[int] = field(default_factory=list)
    _most: int = 0
    _fragments: list[Fragment] = field(default_factory=list)
    _fragment_count: int = 0
    _first_time: int = 0
    #: The first and the last packet behind an earlier one's time.
    clock_steps: tuple[int, int] | None = None
    _unanswered: list[Connection] = field(default_factory=list)
    _unanswered_count: int = 0
    _copies: list[tuple[tuple[Endpoint, Endpoint], Connection]] = field(default_factory=list)
    _copy_count: int = 0
    _unused: list[Connection] = field(default_factory=list)
    _unused_count: int = 0

    def clock_backwards(self, packet: Packet, latest: int) -> None:
        self._first_time = self._first_time or packet.time
        self._most = max(self._most, latest - packet.time)
        self.clock_steps = (self.clock_steps[0] if self.clock_steps else packet.number, packet.number)
        if len(self._backwards) < MAX_EVIDENCE:
            self._backwards.append(packet.number)

    def fragment(self, fragment: Fragment) -> None:
        self._fragment_count += 1
        if len(self._fragments) < MAX_EVIDENCE:
            self._fragments.append(fragment)

    def unanswered(self, connection: Connection) -> None:
        """A command connection that never was, beyond the number that is shown one by one."""
        self._unanswered_count += 1
        if len(self._unanswered) < MAX_EVIDENCE:
            self._unanswered.append(connection)

    def unused(self, connection: Connection) -> None:
        """One to a command port that carried no byte.  A scheduler sends its command at once, so somebody only looked
        whether the port is open; worth a word when the remote ended it, as it does with hosts that it does not know."""
        if closed_by(connection) is Side.SERVER:
            self._unused_count += 1
            if len(self._unused) < MAX_EVIDENCE:
                self._unused.append(connection)

    def copied(self, original: tuple[Endpoint, Endpoint], copy: Connection) -> None:
        """The same connection on another leg of a gateway."""
        self._copy_count += 1
        if len(self._copies) < MAX_EVIDENCE:
            self._copies.append((original, copy))

    def problems(self) -> Iterator[Problem]:
        if self._copies:
            (client, server), copy = self._copies[0]
            summary = f"{count(self._copy_count, 'connection')} of two legs of a gateway, shown once: "
            summary += f"{client} to {server} is {copy.client} to {copy.server}."
            yield problem("duplicates", summary, [copy.first_packet for _, copy in self._copies], time=copy.start)
        if self._unused:
            one = self._unused[0]
            summary = f"{count(self._unused_count, 'connection')} to command ports ended without a byte"
            summary += f", the first one from {one.client.ip} to {one.server}."
            packets = [connection.first_packet for connection in self._unused]
            yield problem("unused_connections", summary, packets, time=one.start)
        if self._unanswered:
            summary = f"{count(self._unanswered_count, 'more connection')} to command ports got no answer."
            packets = [connection.first_packet for connection in self._unanswered]
            yield problem("connection_flood", summary, packets, time=self._unanswered[0].start)
        if self._backwards:
            summary = f"The capture's clock goes backwards, by up to {self._most / SECOND:.3f} s."
            yield problem("clock_backwards", summary, self._backwards, time=self._first_time)
        if self._fragments:
            first = self._fragments[0]
            way = f"{address_text(first.src)} to {address_text(first.dst)}"
            summary = f"{count(self._fragment_count, 'IP datagram')} with TCP lack fragments, the first one from {way}."
            yield problem("ip_fragment", summary, [f.number for f in self._fragments], time=first.time)
