"""How a task ended: the outcome word, from the facts alone.

Read top down; the first thing that went wrong decides, as the operator would have met it.  Times in nanoseconds.
"""

from __future__ import annotations

from dissector.limits import CLOCK_JITTER
from dissector.model import Connection, Mark, Outcome
from dissector.session.agent_facts import AgentFacts
from dissector.session.task import TaskFacts
from dissector.traffic import IcmpError, Side

SECOND = 1_000_000_000
#: The client gives up after 60 s without a callback; recordings of the engine show 59 s to 69 s.
GIVE_UP_FROM = 55 * SECOND
GIVE_UP_TO = 75 * SECOND
#: An unanswered SYN may still be answered for so long; Linux repeats it after 1, 2 and 3 s, Windows after 3 s.
_SYN_PATIENCE = 3 * SECOND
#: A callback connection that shows no end this long after the remote reported the process gone lost its end on the way.
_END_PATIENCE = 2 * SECOND
#: Data that was sent again so often, for so long, and behind which nothing new came, got stuck.
_STUCK_RETRANSMISSIONS = 3
_STUCK_PATIENCE = 2 * SECOND
#: A hole that TCP has not filled after so long will not be filled.
_HOLE_PATIENCE = 10 * SECOND


def outcome(facts: TaskFacts, now: int) -> Outcome:
    """The outcome as of packet time ``now`` (the last packet seen)."""
    if facts.agent is not None:
        return _on_agent(facts, facts.agent, now)
    command = facts.record.command
    if command is not None and not command.established:
        return _unconnected(command, now)
    if facts.start_error is not None or is_rejected(facts):
        return Outcome.REFUSED
    if facts.record.callback is None:
        return _without_callback(facts, now)
    return _with_callback(facts, facts.record.callback, now)


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
    left = _end_of_command(facts)
    end = facts.close.time if facts.close else now if left is None else left
    return end - facts.start.time


def _end_of_command(facts: TaskFacts) -> int | None:
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
    first = connection.first_end
    return first if first in marks else min(marks, key=lambda mark: mark.number, default=None)


def came_late(facts: TaskFacts) -> bool:
    """True when the command connection had begun to end before the client sent the close."""
    close = facts.close
    late = close.connection.sides[Side.CLIENT].late_data if close is not None else None
    return facts.proof.close_late or (close is not None and late is not None and late.number in close.packets)


def closed_by(connection: Connection) -> Side | None:
    """Which end sent the first FIN or RST; None when the packets of one end were not captured at all."""
    first = end_mark(connection)
    if first is None or (connection.established and 0 in (side.packets for side in connection.sides)):
        return None
    client = connection.sides[Side.CLIENT]
    return Side.CLIENT if first in (client.fin, client.rst) else Side.SERVER


def stuck_side(connection: Connection, now: int) -> Side | None:
    """The end whose data nobody acknowledges any more: sent again and again, or with a hole that was never filled
    (its first segments do not even reach this capture point)."""
    for side in Side:
        if not connection.unacknowledged(side) or not connection.sides[side.other].packets:
            continue
        tries = stuck_tries(connection, side, now)
        if len(tries) >= _STUCK_RETRANSMISSIONS or (tries and _is_reported(connection, side)):
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
    return tries if last is not None and now - last.time >= _STUCK_PATIENCE else []


def has_hole(connection: Connection, side: Side, now: int) -> bool:
    """True when bytes of ``side`` never came here nor to the other end, while few of those behind them were sent
    again."""
    facts = connection.sides[side]
    if facts.last_data is None or not facts.never_acknowledged:
        return False
    few = len(stuck_tries(connection, side, now)) < _STUCK_RETRANSMISSIONS
    return few and now - facts.last_data.time > _HOLE_PATIENCE


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


def _unconnected(command: Connection, now: int) -> Outcome:
    if not command.syns:
        return Outcome.UNKNOWN
    if is_refused(command) or now - command.syns[0].time > _SYN_PATIENCE:
        return Outcome.UNREACHABLE
    return Outcome.RUNNING


def _without_callback(facts: TaskFacts, now: int) -> Outcome:
    time = waited(facts, now)
    if facts.intruder is not None:
        return Outcome.NO_CALLBACK
    unheard = is_unheard(facts, now)
    if facts.kill is not None and time < GIVE_UP_FROM and not unheard:
        return Outcome.KILLED
    if facts.attempts:
        hopeless = any(is_refused(a) or (a.syns and now - a.syns[0].time > _SYN_PATIENCE) for a in facts.attempts)
        if hopeless and _may_be_killed(facts, facts.record.start + GIVE_UP_FROM):
            return Outcome.UNKNOWN
        return Outcome.NO_CALLBACK if hopeless else Outcome.RUNNING
    if facts.start is None:
        return Outcome.UNKNOWN
    if unheard:
        return Outcome.NO_CALLBACK
    if facts.close is None and _end_of_command(facts) is None:
        return Outcome.RUNNING if time <= GIVE_UP_TO else Outcome.UNKNOWN
    if facts.close is None and is_answer_missing(facts):
        return Outcome.UNKNOWN  # the remote may have refused the start as well
    if GIVE_UP_FROM <= time <= GIVE_UP_TO or facts.close is None:
        return Outcome.NO_CALLBACK
    return Outcome.UNKNOWN  # closed early or late without a callback: it ran, but was not captured


def _may_be_killed(facts: TaskFacts, until: int) -> bool:
    """The client said something before ``until`` that the snap length cut off: it may have been a kill."""
    return facts.cut_command is not None and facts.cut_command <= until + CLOCK_JITTER and facts.kill is None


def is_answer_missing(facts: TaskFacts) -> bool:
    """The start may have been answered, but the capture lacks the answer, or a part of it."""
    command = facts.record.command
    if facts.start_answer is not None or command is None:
        return False
    return is_incomplete(command) or command.sides[Side.SERVER].bytes > 0


def is_unheard(facts: TaskFacts, now: int) -> bool:
    """The client's last command is retransmitted again and again, and never acknowledged."""
    command = facts.record.command
    return command is not None and stuck_side(command, now) is Side.CLIENT


def _was_killed(facts: TaskFacts, until: int, now: int) -> bool:
    """The client asked for it before ``until``, and the remote heard it."""
    return facts.kill is not None and facts.kill.time <= until + CLOCK_JITTER and not is_unheard(facts, now)


def _with_callback(facts: TaskFacts, callback: Connection, now: int) -> Outcome:
    if one_sided(callback):
        return Outcome.UNKNOWN  # how it went stood in what was not captured
    end = end_mark(callback)
    left = facts.released or (facts.release if end is not None and closed_by(callback) is Side.SERVER else None)
    if left is not None:
        return _of_results(facts, killed=_was_killed(facts, left.time, now))
    if end is None:
        return _unfinished(facts, callback, now)
    if stuck_side(callback, now) is None and _was_killed(facts, end.time, now):
        return Outcome.KILLED
    if callback.snapped and not facts.record.counts.calls:
        return Outcome.UNKNOWN  # not one call of the client could be read: its release can not be either
    if callback.gaps and closed_by(callback) is Side.SERVER:
        return _unreleased(facts)  # the client closed as always, but its last words are not in the capture
    is_lossy = callback.mid_stream or callback.gaps
    if is_lossy and facts.release is None and not facts.open_requests and is_fin(callback, end):
        return _unreleased(facts)  # closed as always, with nothing open; the release may be what was not captured
    return Outcome.UNKNOWN if _may_be_killed(facts, end.time) else Outcome.LOST


def _unreleased(facts: TaskFacts) -> Outcome:
    """Of a task whose release may be among what was not captured."""
    return Outcome.FAILURE if _has_failed(facts) else Outcome.UNKNOWN


def _has_failed(facts: TaskFacts) -> bool:
    """True when an error was seen, or how the job's process ended."""
    record = facts.record
    return bool(record.exit_code or record.signal or facts.client_error or facts.begin_refused)


def is_fin(connection: Connection, mark: Mark) -> bool:
    return mark in (side.fin for side in connection.sides)


def _of_results(facts: TaskFacts, *, killed: bool) -> Outcome:
    if killed:
        return Outcome.KILLED
    if _has_failed(facts):
        return Outcome.FAILURE
    return Outcome.SUCCESS if _went_well(facts) else Outcome.UNKNOWN


def _went_well(facts: TaskFacts) -> bool:
    """True when all that decides how the job went was captured, and nothing of it is an error."""
    if facts.result is not None:
        return facts.record.exit_code == 0 and not facts.result_odd
    return facts.proof.holds(facts.release)


def _unfinished(facts: TaskFacts, callback: Connection, now: int) -> Outcome:
    asked_to_end = facts.close is not None or facts.kill is not None
    if stuck_side(callback, now) is not None or (asked_to_end and is_unheard(facts, now)):
        return Outcome.LOST
    answer = facts.close_answer
    if answer is not None and answer.request is facts.close:
        silent = now - answer.time > _END_PATIENCE or callback.end < answer.time - _END_PATIENCE
        if silent and callback.end <= answer.time:
            return Outcome.LOST
    if _may_be_killed(facts, now) and _end_of_command(facts) is not None:
        return Outcome.UNKNOWN  # the client left it, and why was cut off
    return Outcome.KILLED if facts.kill is not None else Outcome.RUNNING


def _on_agent(facts: TaskFacts, about: AgentFacts, now: int) -> Outcome:
    """A task on a Universal Agent: its exchanges say more than the ends of the connections that carried them."""
    if about.start_failure is not None:
        return Outcome.REFUSED
    killed = about.kill is not None and not about.failed_before_kill
    if facts.released is not None:
        return _of_results(facts, killed=killed)
    if killed:
        return Outcome.KILLED
    if about.failed is not None or about.outage is not None or now - about.heard > about.timeout:
        return Outcome.LOST
    if about.close is not None:
        return _unreleased(facts)
    return Outcome.RUNNING
