"""What the capture lacks and what the network did: problems that weaken a verdict, or explain slowness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Endpoint, Message, Outcome, Problem, Severity, address_text
from dissector.session.case import Case, count, end_name, general, span
from dissector.session.codes import CODES
from dissector.session.task import TaskFacts
from dissector.session.timeouts import LOW_PORTS_FROM, LOW_PORTS_TO, MANY_RETRANSMISSIONS, SECOND
from dissector.session.verdict import closed_by, is_answer_missing, is_incomplete, one_sided
from dissector.traffic import Fragment, Packet, Side, StreamProblem

#: Codes of what is wrong with the capture itself.
FLAWS = frozenset({"clock_backwards", "gap", "mid_stream", "one_direction", "snap_length"})


def doubts(facts: TaskFacts, clock_steps: tuple[int, int] | None) -> list[str]:
    """What makes a verdict about the task less certain: the flaws of its connections' capture."""
    record, connections = facts.record, facts.connections()
    last = max((connection.last_packet for connection in connections), default=record.first_packet)
    found = {
        "clock_backwards": clock_steps is not None and record.first_packet <= clock_steps[1] and clock_steps[0] <= last,
        "gap": any(connection.gaps > _lost_on_the_way(connection) for connection in connections),
        "mid_stream": any(connection.mid_stream for connection in connections),
        "one_direction": any(one_sided(connection) for connection in connections),
        "snap_length": any(connection.snapped for connection in connections),
    }
    return [flaw for flaw, holds in found.items() if holds]


def _lost_on_the_way(connection: Connection) -> int:
    """1 when the only hole was never acknowledged: it is none of the capture."""
    return int(connection.gaps == 1 and any(side.never_acknowledged for side in connection.sides))


def address(case: Case) -> Iterator[Problem]:
    """The callback came from elsewhere than the remote: legal, and good to know for a firewall."""
    record = case.facts.record
    callback, peer, remote = record.callback, record.callback_peer, record.remote
    if callback is not None and peer is not None and remote is not None and peer.ip != remote.ip:
        summary = f"The callback came from {peer.ip}, the remote is {remote.ip}."
        yield case.problem("callback_other_address", summary, [callback.first_packet], callback)


def port(case: Case) -> Iterator[Problem]:
    """Ports are given from 59999 down: a low one tells of many tasks at a time, or of ports that are not free again."""
    record = case.facts.record
    if case.facts.start is not None and LOW_PORTS_FROM <= (record.callback_port or 0) < LOW_PORTS_TO:
        summary = f"The client announced callback port {record.callback_port}."
        yield case.problem("port_range_low", summary, case.facts.start.packets, record.command)


def capture(case: Case) -> Iterator[Problem]:
    """What the capture lacks, and what the network did."""
    facts = case.facts
    record = facts.record
    if record.command is None and facts.pair_unclear:
        summary = "More than one start fits this callback connection, so it was joined to none."
        yield case.problem("pair_unclear", summary, [record.first_packet], record.callback)
    elif record.command is None and facts.unread_command is not None:
        command = facts.unread_command
        summary = f"A command connection of these hosts is captured, but no start command: {_lack(command)}."
        yield case.problem("command_unreadable", summary, [command.first_packet], command)
    elif record.command is None and facts.agent is None:
        summary = "The command connection of this task is not in the capture."
        yield case.problem("command_not_captured", summary, [record.first_packet])
    elif record.callback is None and record.outcome is Outcome.UNKNOWN and facts.start and not _may_be_refused(facts):
        summary = "The callback connection of this task is not in the capture."
        yield case.problem("callback_not_captured", summary, facts.start.packets, record.command)
    for connection in (record.command, record.callback):
        if connection is not None:
            yield from _connection_quality(case, connection)


def _may_be_refused(facts: TaskFacts) -> bool:
    """There may have been no callback at all."""
    return facts.close is None and is_answer_missing(facts)


def _lack(connection: Connection) -> str:
    """Why a command could not be read."""
    if one_sided(connection):
        return "one direction is missing"
    if connection.snapped:
        return "packets were cut off by the snap length"
    return "the connection began before the capture" if connection.mid_stream else "packets are missing"


def _connection_quality(case: Case, connection: Connection) -> Iterator[Problem]:
    name = f"The {connection.role.value} connection"
    first = [connection.first_packet]
    if connection.mid_stream:
        yield case.problem("mid_stream", f"{name} began before the capture.", first, connection)
    if one_sided(connection):
        yield case.problem("one_direction", f"{name} was captured in one direction only.", first, connection)
    if connection.snapped:
        summary = f"{name}: the snap length cut off {count(connection.snapped, 'byte')}."
        yield case.problem("snap_length", summary, first, connection)
    repeated = [mark for side in connection.sides for mark in side.retransmitted]
    if connection.retransmissions >= MANY_RETRANSMISSIONS:
        waited = sum(side.repeat_wait for side in connection.sides) / SECOND
        summary = (
            f"{name}: {connection.retransmissions} segments were retransmitted, {waited:.1f} s behind the first try."
        )
        yield case.problem("retransmissions", summary, [mark.number for mark in repeated], connection)
    for side in Side:
        marks = connection.sides[side].zero_windows
        if marks:
            times = f"{count(len(marks), 'time')} in {span(marks)}"
            summary = f"{name}: {end_name(side, connection)} announced a zero window {times}."
            yield case.problem(
                "zero_window",
                summary,
                [m.number for m in marks],
                connection,
                time=marks[0].time,
                severity=Severity.INFO,
            )


def frames(case: Case) -> Iterator[Problem]:
    """Messages that could not be decoded, or not wholly."""
    facts = case.facts
    for code, messages in (("undecoded_frame", facts.undecoded), ("trailing_bytes", facts.trailing)):
        if messages:
            first = messages[0]
            packets = [message.packets[-1] for message in messages]
            summary = f"{count(len(messages), 'message')}: {first.note}"
            severity = cause = remedy = None
            if all(map(_lacks_its_request, messages)):
                severity, cause = Severity.INFO, _lack(first.connection)
                cause = (
                    f"their requests are not in the capture ({cause}), and no answer can be read without its request"
                )
                remedy = "nothing is wrong on the wire; start the capture before the task and capture full packets"
            yield case.problem(
                code, summary, packets, first.connection, time=first.time, severity=severity, cause=cause, remedy=remedy
            )


def numbers(case: Case) -> Iterator[Problem]:
    """Texts that should be numbers and are none."""
    for message, words in case.facts.odd_numbers.values():
        yield case.problem("odd_number", f"{words}.", message.packets, message.connection, time=message.time)


def _lacks_its_request(message: Message) -> bool:
    """An answer that could not be decoded because the capture lacks its request, which is told as such already."""
    connection = message.connection
    return is_incomplete(connection) and message.raw[:1] == b"A" and message.request is None


# --- problems without a task ---------------------------------------------------------------------------------------


def of_stream(problem: StreamProblem, connection: Connection) -> Problem:
    """A problem of the bytes themselves, for the connection's task if it has one.

    What the snap length cut off is no loss of the capture; its sum is told once (see ``_connection_quality``), so each
    message is a remark.
    """
    is_cut = problem.code == "gap" and connection.snapped > 0 and connection.gaps == 0
    code = "snap_length" if is_cut else problem.code
    entry = CODES[code]
    cause, remedy = entry.cause, entry.remedy
    if problem.is_cap:
        cause = "a cap of jstrace itself, so that no capture takes all memory: nothing is wrong on the wire"
        remedy = "everything around it can be read; what it says can not"
    if code == "gap" and connection.sides[problem.side].never_acknowledged:
        cause = "they were lost in the network, not by the capture: the receiver never acknowledged them"
        remedy = "see whether larger segments pass at all, and where packets are lost"
    return Problem(
        code=code,
        severity=Severity.INFO if is_cut else entry.severity,
        time=problem.time,
        packets=(problem.number,),
        summary=f"{connection.role.value} connection, {end_name(problem.side, connection).lower()}: {problem.text}",
        cause=cause,
        remedy=remedy,
        task=connection.task,
        connection=connection,
    )


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
            yield general("duplicates", summary, copy.start, [copy.first_packet for _, copy in self._copies])
        if self._unused:
            one = self._unused[0]
            summary = f"{count(self._unused_count, 'connection')} to command ports ended without a byte"
            summary += f", the first one from {one.client.ip} to {one.server}."
            packets = [connection.first_packet for connection in self._unused]
            yield general("unused_connections", summary, one.start, packets)
        if self._unanswered:
            summary = f"{count(self._unanswered_count, 'more connection')} to command ports got no answer."
            packets = [connection.first_packet for connection in self._unanswered]
            yield general("connection_flood", summary, self._unanswered[0].start, packets)
        if self._backwards:
            summary = f"The capture's clock goes backwards, by up to {self._most / SECOND:.3f} s."
            yield general("clock_backwards", summary, self._first_time, self._backwards)
        if self._fragments:
            first = self._fragments[0]
            way = f"{address_text(first.src)} to {address_text(first.dst)}"
            summary = f"{count(self._fragment_count, 'IP datagram')} with TCP lack fragments, the first one from {way}."
            yield general("ip_fragment", summary, first.time, [f.number for f in self._fragments])
