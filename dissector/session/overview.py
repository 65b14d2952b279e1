"""What a capture holds where it holds no task: what was seen instead.

Noted where a connection is judged or ends and where a packet can not be read, in bounded tables; told at the end (the
rows are in ``no_task``), and only where there is no task: beside a task all of this is noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from dissector.model import Connection, Problem, Role
from dissector.session import no_task
from dissector.session.findings import first
from dissector.session.packet_time import PacketTime
from dissector.session.sights import MOST_LOOKED, Sights
from dissector.session.sniffer import Sniffer
from dissector.session.verdict import is_refused, one_sided
from dissector.stream.block import Block
from dissector.stream.kinds import kind_of
from dissector.traffic import Packet

#: Packets of a connection that tell whether both directions were captured.
_TELLING = 4


class Overview:
    """``clock`` is the tracer's; ``callback_ports`` (lowest, highest): where clients wait for task processes."""

    def __init__(self, clock: PacketTime, callback_ports: tuple[int, int]) -> None:
        self._clock = clock
        #: Then nothing is told, so nothing need be noted.
        self.has_tasks = False
        self.seen = Sights(callback_ports)

    def judged(self, sniffer: Sniffer, role: Role) -> None:
        """A connection is known for what it is, or is over and was never known (``role``: UNKNOWN)."""
        if self.has_tasks:
            return
        connection, seen = sniffer.connection, self.seen
        where = connection.start, connection.first_packet
        seen.connections.add(where)
        if connection.established:
            seen.opened.add(where)
            self._captured(sniffer, where)
            self._carried(sniffer, role, where)
        elif connection.syns and not sniffer.is_command_port:
            attempts = seen.attempts.at(connection.server)
            attempts.add(where)
            attempts.refused += is_refused(connection)

    def _captured(self, sniffer: Sniffer, where: tuple[int, int]) -> None:
        connection, seen = sniffer.connection, self.seen
        if connection.packets < _TELLING:
            seen.short += 1
        elif one_sided(connection):
            seen.one_sided.add(where)
        if connection.mid_stream:
            seen.mid_stream.add(where)
        if connection.snapped:
            seen.snapped.add(where)

    def _carried(self, sniffer: Sniffer, role: Role, where: tuple[int, int]) -> None:
        connection, name = sniffer.connection, sniffer.protocol
        if connection.snapped and name is None:
            return  # what was cut off may be a start, or say whose the connection is
        if role is Role.HTTP or (role is Role.COMMAND and name is None):
            self.seen.commands.add(where)
        elif connection.bytes or not sniffer.is_command_port:
            table = self.seen.foreign if sniffer.is_command_port else self.seen.elsewhere
            table.at((connection.server.port, name)).add(where)

    def deciphered(self, connection: Connection) -> None:
        """A connection with TLS carries commands."""
        self.seen.commands.add((connection.start, connection.first_packet))

    def unread(self, packet: Packet, tunnel: str | None = None) -> None:
        """A packet in a tunnel that can not be read, or (None) one whose headers are damaged."""
        where, seen = (packet.time, packet.number), self.seen
        if tunnel is not None:
            seen.tunnels.at(tunnel).add(where)
        elif 0 < len(packet.data) < packet.wire_length:
            seen.longest = max(seen.longest, len(packet.data))
            seen.headless.add(where)

    def without_tcp(self, block: Block) -> None:
        """A block without a plain TCP segment."""
        seen = self.seen
        if seen.looked < MOST_LOOKED and not self.has_tasks and not seen.connections.number:
            for packet in islice(block.packets(), MOST_LOOKED - seen.looked):
                seen.looked += 1
                seen.passed.at(kind_of(packet)).add((packet.time, packet.number))

    def problems(self) -> Iterator[Problem]:
        """What is worth a word of the whole capture; nothing where there are tasks."""
        if self.has_tasks:
            return
        if not self._clock.wake:  # nobody has been asked yet when to wake up
            yield from first(no_task.EMPTY, self.seen)
            return
        yield from no_task.told(self.seen)
