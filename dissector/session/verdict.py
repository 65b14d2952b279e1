"""Facts of connections and tasks that outcomes and problems rest on: who ended what, what is stuck, what is missing.

How a task ended is read off the table in ``outcomes``.  Times in nanoseconds.
"""

from __future__ import annotations

from dissector.model import Connection, Mark
from dissector.session.task import TaskFacts
from dissector.session.timeouts import (
    HOLE_PATIENCE,
    STUCK_PATIENCE,
    STUCK_RETRANSMISSIONS,
    SYN_PATIENCE,
)
from dissector.traffic import IcmpError, Side


def is_rejected(facts: TaskFacts) -> bool:
    """The remote accepted the command connection and closed it without a byte."""
    command = facts.record.command
    if command is None or command.gaps or facts.record.callback is not None:
        return False
    if command.mid_stream and facts.start is None:
        return False  # its bytes may have been before the capture
    return command.sides[Side.SERVER].bytes == 0 and closed_by(command) is Side.SERVER


def waited(facts: TaskFacts, now: int) -> int:
    """How long the client waited for the callback: from the start command to its close, or to the end of the command
    connection, or until now."""
    if facts.start is None:
        return 0
    left = end_of_command(facts)
    end = facts.close.time if facts.close else now if left is None else left
    return end - facts.start.time


def end_of_command(facts: TaskFacts) -> int | None:
    """When the first end of the command connection left it; None while it is open."""
    command = facts.record.command
    if command is None:
        return None
    mark = end_mark(command)
    return mark.time if mark is not None else command.end if command.closed else None


def end_mark(connection: Connection) -> Mark | None:
    """The first FIN or RST; a reset from outside of the stream ends nothing."""
    resets = [side.rst for side in connection.sides if not side.rst_outside]
    marks = [mark for mark in (*resets, *(side.fin for side in connection.sides)) if mark is not None]
    return min(marks, key=lambda mark: mark.number, default=None)


def ended_before(connection: Connection, packet: int) -> bool:
    mark = end_mark(connection)
    return connection.over if mark is None else mark.number < packet


def closed_by(connection: Connection) -> Side | None:
    """Which end sent the first FIN or RST; None when the packets of one end were not captured at all, or when the other
    end's own FIN may be what the capture lacks."""
    first = end_mark(connection)
    if first is None or (connection.established and 0 in (side.packets for side in connection.sides)):
        return None
    client = connection.sides[Side.CLIENT]
    closer = Side.CLIENT if first in (client.fin, client.rst) else Side.SERVER
    is_later = may_have_ended(connection, closer.other) and connection.sides[closer.other].lost_by <= first.number
    return None if is_later else closer


def may_have_ended(connection: Connection, side: Side) -> bool:
    """What ``side`` sent last was acknowledged, but not captured: bytes, its FIN, or both.  The other end says nothing
    more to who has ended."""
    facts, answer = connection.sides[side], connection.sides[side.other].last_data
    if facts.fin is not None or facts.rst is not None or (answer is not None and answer.number >= facts.lost_by):
        return False
    return facts.end_acked > facts.sent or lacks_tail(connection, side)


def end_unseen(connection: Connection) -> bool:
    """One of its ends may have closed it, and that is not in the capture."""
    return any(may_have_ended(connection, side) for side in Side)


def lacks_tail(connection: Connection, side: Side) -> bool:
    """The last bytes of ``side`` are not in the capture, though they were sent."""
    facts = connection.sides[side]
    return 0 < facts.lost_to == facts.sent


def stuck_side(connection: Connection, now: int) -> Side | None:
    """The end whose data nobody acknowledges any more: sent again and again, or with a hole that was never filled
    (its first segments do not even reach this capture point)."""
    for side in Side:
        if not connection.unacknowledged(side) or not connection.sides[side.other].packets:
            continue
        tries = stuck_tries(connection, side, now)
        if len(tries) >= STUCK_RETRANSMISSIONS or (tries and _is_reported(connection, side)):
            return side
        if has_hole(connection, side, now):
            return side
    return None


def _is_reported(connection: Connection, side: Side) -> bool:
    """A router says that what ``side`` sent last does not arrive."""
    last = connection.sides[side].last_data
    return last is not None and any(error.time >= last.time for error in unreachables(connection))


def unreachables(connection: Connection) -> list[IcmpError]:
    """The ICMP errors that say that a packet will never arrive (one that is too large comes again in smaller ones)."""
    return [error for error in connection.icmp if error.reason != "fragmentation needed"]


def stuck_tries(connection: Connection, side: Side, now: int) -> list[Mark]:
    """The retransmissions of what ``side`` sent last, if they went on for long enough to be more than a loss."""
    facts = connection.sides[side]
    last = facts.last_data
    tries = [mark for mark in facts.retransmitted if last is None or mark.number > last.number]
    return tries if last is not None and now - last.time >= STUCK_PATIENCE else []


def has_hole(connection: Connection, side: Side, now: int) -> bool:
    """True when bytes of ``side`` never came here nor to the other end, while few of those behind them were sent
    again.  (What the capture lacks of the other end may have acknowledged them.)"""
    facts = connection.sides[side]
    if facts.last_data is None or not facts.never_acknowledged:
        return False
    if connection.sides[side.other].lost_by >= facts.last_data.number:
        return False
    few = len(stuck_tries(connection, side, now)) < STUCK_RETRANSMISSIONS
    return few and now - facts.last_data.time > HOLE_PATIENCE


def one_sided(connection: Connection) -> bool:
    """True when only one direction of a connection that carried data was captured."""
    return connection.bytes > 0 and 0 in (connection.sides[0].packets, connection.sides[1].packets)


def is_incomplete(connection: Connection) -> bool:
    """True when bytes of the connection are not in the capture."""
    return connection.mid_stream or connection.gaps > 0 or connection.snapped > 0 or one_sided(connection)


def got_through(attempt: Connection) -> Mark:
    """When a connection came about at last: its first SYN+ACK (its first packet where none was captured)."""
    return attempt.syn_acks[0] if attempt.syn_acks else Mark(attempt.first_packet, attempt.start)


def is_refused(attempt: Connection) -> bool:
    """A SYN that was answered by RST or by an ICMP error."""
    return attempt.sides[Side.SERVER].rst is not None or bool(unreachables(attempt))


def is_hopeless(attempt: Connection, now: int) -> bool:
    """It was refused, or not answered in time."""
    return is_refused(attempt) or (bool(attempt.syns) and now - attempt.syns[0].time > SYN_PATIENCE)


def is_answer_missing(facts: TaskFacts) -> bool:
    """The start may have been answered, but the capture lacks the answer, or a part of it."""
    command = facts.record.command
    if facts.start_answer is not None or command is None:
        return False
    server = command.sides[Side.SERVER].bytes
    return server > 0 or is_incomplete(command) or may_have_ended(command, Side.SERVER)


def is_unheard(facts: TaskFacts, now: int) -> bool:
    """The client's last command is retransmitted again and again, and never acknowledged."""
    command = facts.record.command
    return command is not None and stuck_side(command, now) is Side.CLIENT


def is_fin(connection: Connection, mark: Mark) -> bool:
    return mark in (side.fin for side in connection.sides)
