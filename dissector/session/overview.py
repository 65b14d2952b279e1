"""What a capture holds where it holds no task: what was seen instead, and what to do.

Noted where a connection is judged or ends and where a packet can not be read, in bounded tables; told at the end, and
only where there is no task: beside a task all of this is noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Endpoint, Problem, Role
from dissector.numbers import count, verb
from dissector.session.capture_codes import CAPTURE_CODES
from dissector.session.case import problem
from dissector.session.foreign import TLS
from dissector.session.packet_time import PacketTime
from dissector.session.sniffer import Sniffer
from dissector.session.verdict import is_refused, one_sided
from dissector.stream.block import Block
from dissector.stream.kinds import ADVERTISEMENT, ARP_REPLY, ARP_REQUEST, SOLICITATION, kind_of
from dissector.traffic import Packet

#: Ports, protocols and tunnels that are told apart; of more there is only the number.
_MOST_KINDS = 1_024
#: How many of them are named.
_NAMED = 4
#: Packets that are looked at for what they carry.
_MOST_LOOKED = 1_000
#: What a host asks before its first packet to another one, and the answer.
_QUESTIONS = {ARP_REQUEST: ARP_REPLY, SOLICITATION: ADVERTISEMENT}
#: Packets of a connection that tell whether both directions were captured.
_TELLING = 4

_K = TypeVar("_K")
#: The port where a connection went, and the protocol that it carries: None where nobody knows.
_Kind = tuple["int | None", "str | None"]


@dataclass(slots=True)
class _Tally:
    """How many there are of something, and the first ones of them; ``refused`` of connections."""

    number: int = 0
    time: int = 0
    packets: list[int] = field(default_factory=list)
    refused: int = 0

    def add(self, where: tuple[int, int]) -> None:
        """``where``: time and packet."""
        self.time = self.time if self.number else where[0]
        self.number += 1
        if len(self.packets) < MAX_EVIDENCE:
            self.packets.append(where[1])


class _Table(Generic[_K]):
    """Tallies by what is counted, so many of them."""

    def __init__(self) -> None:
        self.kinds: dict[_K, _Tally] = {}
        self._more = _Tally()

    def at(self, kind: _K) -> _Tally:
        tally = self.kinds.get(kind)
        if tally is None:
            if len(self.kinds) >= _MOST_KINDS:
                return self._more
            tally = self.kinds[kind] = _Tally()
        return tally


class Overview:
    """``clock`` is the tracer's; ``callback_ports`` (lowest, highest): where clients wait for task processes."""

    def __init__(self, clock: PacketTime, callback_ports: tuple[int, int]) -> None:
        self._clock = clock
        self._callback_ports = callback_ports
        #: Then nothing is told, so nothing need be noted.
        self.has_tasks = False
        #: Somebody else tells what is in connections with TLS.
        self.knows_better = False
        #: TCP connections; which of them were opened, and how these were captured.
        self._connections, self._opened = _Tally(), _Tally()
        self._one_sided, self._mid_stream, self._snapped = _Tally(), _Tally(), _Tally()
        #: Opened ones with too few packets to tell whether a direction is missing.
        self._short = 0
        #: Packets that lack their headers, and the most that was captured of one (bytes).
        self._headless, self._longest = _Tally(), 0
        self._commands = _Tally()
        self._attempts: _Table[Endpoint] = _Table()
        #: Opened connections to command ports that carry no commands, and those to other ports.
        self._foreign: _Table[_Kind] = _Table()
        self._elsewhere: _Table[_Kind] = _Table()
        self._tunnels: _Table[str] = _Table()
        #: What the first packets carry where that is no TCP, and how many of these were looked at.
        self._passed: _Table[str] = _Table()
        self._looked = 0

    # --- what is noted ---------------------------------------------------------------------------------------------

    def judged(self, sniffer: Sniffer, role: Role) -> None:
        """A connection is known for what it is, or is over and was never known (``role``: UNKNOWN)."""
        if self.has_tasks:
            return
        connection = sniffer.connection
        where = connection.start, connection.first_packet
        self._connections.add(where)
        if connection.established:
            self._opened.add(where)
            self._captured(sniffer, where)
            self._carried(sniffer, role, where)
        elif connection.syns and not sniffer.is_command_port:
            attempts = self._attempts.at(connection.server)
            attempts.add(where)
            attempts.refused += is_refused(connection)

    def _captured(self, sniffer: Sniffer, where: tuple[int, int]) -> None:
        connection = sniffer.connection
        if connection.packets < _TELLING:
            self._short += 1
        elif one_sided(connection):
            self._one_sided.add(where)
        if connection.mid_stream:
            self._mid_stream.add(where)
        if connection.snapped:
            self._snapped.add(where)

    def _carried(self, sniffer: Sniffer, role: Role, where: tuple[int, int]) -> None:
        connection, name = sniffer.connection, sniffer.protocol
        if connection.snapped and name is None:
            return  # what was cut off may be a start, or say whose the connection is
        if role is Role.HTTP or (role is Role.COMMAND and name is None):
            self._commands.add(where)
        elif connection.bytes or not sniffer.is_command_port:
            table = self._foreign if sniffer.is_command_port else self._elsewhere
            table.at((connection.server.port, name)).add(where)

    def deciphered(self, connection: Connection) -> None:
        """A connection with TLS carries commands."""
        self._commands.add((connection.start, connection.first_packet))

    def unread(self, packet: Packet, tunnel: str | None = None) -> None:
        """A packet in a tunnel that can not be read, or (None) one whose headers are damaged."""
        where = packet.time, packet.number
        if tunnel is not None:
            self._tunnels.at(tunnel).add(where)
        elif 0 < len(packet.data) < packet.wire_length:
            self._longest = max(self._longest, len(packet.data))
            self._headless.add(where)

    def without_tcp(self, block: Block) -> None:
        """A block without a plain TCP segment."""
        if self._looked < _MOST_LOOKED and not self.has_tasks and not self._connections.number:
            for packet in islice(block.packets(), _MOST_LOOKED - self._looked):
                self._looked += 1
                self._passed.at(kind_of(packet)).add((packet.time, packet.number))

    # --- what is told ----------------------------------------------------------------------------------------------

    def problems(self) -> Iterator[Problem]:
        """What is worth a word of the whole capture; nothing where there are tasks."""
        if self.has_tasks:
            return
        if not self._clock.wake:  # nobody has been asked yet when to wake up
            yield problem("nothing_captured", "The capture has no packet.", (), time=0)
            return
        found = [*self._cut(), *self._sealed(), *self._attempted(), *self._on_command_ports(), *self._half_captured()]
        yield from found or (self._others() if not self.knows_better else ())

    def _cut(self) -> Iterator[Problem]:
        if self._headless.number:
            number = self._headless.number
            packets = f"{count(number, 'packet')} {verb(number, 'was')}"
            summary = f"{packets} cut off inside of their headers: at most {self._longest} bytes were captured."
            yield _told("snap_length", summary, [self._headless])
        elif self._snapped.number:
            connections = f"{self._snapped.number} of {count(self._opened.number, 'connection')}"
            summary = f"The snap length cut off bytes of {connections}: what these carry is unknown."
            yield _told("snap_length", summary, [self._snapped])

    def _sealed(self) -> Iterator[Problem]:
        kinds = self._tunnels.kinds
        if kinds:
            number = count(_sum(kinds.values()), "packet")
            summary = f"{number} in tunnels that can not be read: {_listed(kinds, str)}."
            yield _told("tunnelled_unknown", summary, kinds.values())

    def _attempted(self) -> Iterator[Problem]:
        low, high = self._callback_ports
        callbacks: dict[Endpoint, _Tally] = {}
        others: dict[Endpoint, _Tally] = {}
        for end, tally in self._attempts.kinds.items():
            (callbacks if end.port is not None and low <= end.port <= high else others)[end] = tally
        if callbacks:
            summary = f"{_attempts(callbacks)}; on such ports clients wait for callbacks."
            yield _told("callbacks_unanswered", summary, callbacks.values())
        if others:
            first = max(others, key=lambda end: others[end].number)
            remedy = f"if a remote scheduler should listen on one of these ports, name it: --command-port {first.port}"
            yield _told("unanswered_elsewhere", f"{_attempts(others)}.", others.values(), remedy)

    def _on_command_ports(self) -> Iterator[Problem]:
        kinds = self._foreign.kinds
        hidden = {kind: tally for kind, tally in kinds.items() if kind[1] == TLS}
        others = {kind: tally for kind, tally in kinds.items() if kind[1] != TLS}
        if hidden and not self.knows_better:
            summary = f"{count(_sum(hidden.values()), 'connection')} with TLS: {_listed(hidden, _name)}."
            yield _told("tls_not_decrypted", summary, hidden.values())
        if others:
            number = count(_sum(others.values()), "connection")
            summary = f"{number} to command ports without a command of a scheduler: {_listed(others, _name)}."
            yield _told("foreign_protocol", summary, others.values())
        if self._commands.number:
            number = count(self._commands.number, "command connection")
            yield _told("no_start_command", f"{number}, none with a start of a remote task.", [self._commands])

    def _half_captured(self) -> Iterator[Problem]:
        """Only where it is so with all of them: else it is not the capture that is to blame."""
        number = self._opened.number
        if self._one_sided.number and self._one_sided.number == number - self._short:
            summary = f"Only one direction of {_all(self._one_sided.number)} was captured."
            yield _told("one_direction", summary, [self._one_sided])
        if number and self._mid_stream.number == number:
            summary = f"{_all(number).capitalize()} began before the capture."
            remedy = "start the capture before the tasks: the first bytes of a connection tell what it is"
            yield _told("mid_stream", summary, [self._mid_stream], remedy)

    def _others(self) -> Iterator[Problem]:
        if self._opened.number:
            listed = _listed(self._elsewhere.kinds, _name)
            words = f"{count(self._opened.number, 'TCP connection')}, none of a JobScheduler"
            yield _told("other_traffic", f"{words}{listed and ': '}{listed}.", [self._opened])
        elif not self._connections.number:
            yield self._no_tcp()

    def _no_tcp(self) -> Problem:
        kinds = self._passed.kinds
        summary, remedy = "None of the packets carries TCP", None
        if not kinds:
            return problem("no_tcp", f"{summary}.", (), time=0)
        first = f"the first {self._looked:,} are " if self._looked == _MOST_LOOKED else ""
        summary += f": {first}{_listed(kinds, str)}"
        for question, answer in _QUESTIONS.items():
            if question in kinds and answer not in kinds:
                summary += f"; none of the {question} is answered"
                remedy = (
                    "see whether the host that is asked for is up and in this network: as long as nobody answers, no "
                    f"connection can begin; else {CAPTURE_CODES['no_tcp'].remedy}"
                )
        return _told("no_tcp", f"{summary}.", kinds.values(), remedy)


def _told(code: str, summary: str, tallies: Iterable[_Tally], remedy: str | None = None) -> Problem:
    tallies = list(tallies)
    packets = [number for tally in tallies for number in tally.packets]
    return problem(code, summary, packets, time=min(tally.time for tally in tallies), remedy=remedy)


def _all(number: int) -> str:
    return "the only connection" if number == 1 else f"all {number} connections"


def _sum(tallies: Iterable[_Tally]) -> int:
    return sum(tally.number for tally in tallies)


def _attempts(ends: Mapping[Endpoint, _Tally]) -> str:
    """``3 connections were not answered, 1 was refused: 10.0.0.2:4450 (3), 10.0.0.2:4451``"""
    number, refused = _sum(ends.values()), sum(tally.refused for tally in ends.values())
    words = [
        f"{count(some, 'connection') if not at else some} {verb(some, 'was')} {what}"
        for at, (some, what) in enumerate(
            pair for pair in ((number - refused, "not answered"), (refused, "refused")) if pair[0]
        )
    ]
    return f"{', '.join(words)}: {_listed(ends, str)}"


def _listed(kinds: Mapping[_K, _Tally], name: Callable[[_K], str]) -> str:
    """``port 80 HTTP (12), port 25 SMTP and 3 others``: the most frequent ones."""
    ordered = sorted(kinds, key=lambda kind: -kinds[kind].number)
    words = [name(kind) + (f" ({kinds[kind].number})" if kinds[kind].number > 1 else "") for kind in ordered[:_NAMED]]
    rest = len(ordered) - _NAMED
    return ", ".join(words) + (f" and {count(rest, 'other')}" if rest > 0 else "")


def _name(kind: _Kind) -> str:
    port, protocol = kind
    return f"port {port}" + (f" {protocol}" if protocol else "")
