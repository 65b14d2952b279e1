"""Connections that ended before the task did: which end closed them, in the middle of what, after which silence.

A reset whose TTL is not the one of its sender's other packets came from a device in between.  A scheduler that dies
loses both connections in the same moment.  A device that forgets an idle connection answers the next segment with a
reset, or drops it: then it is sent again and again and nobody acknowledges it, while the other connection lives on.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissector.model import Connection, Mark, Outcome, Problem
from dissector.session.case import Case, after_silence, end_name, open_call_text
from dissector.session.task import TaskFacts
from dissector.session.verdict import SECOND, closed_by, end_mark, has_hole, stuck_side
from dissector.traffic import Side

#: Silence before the end of a connection that makes an idle timeout likely, with and without another proof.
_IDLE = 5 * SECOND
_LONG_IDLE = 20 * SECOND
#: The command connection counts as lost first when the task went on at least this long without it.
_LOST_FIRST = SECOND // 2
#: A process that dies closes all its connections within this time.
_SAME_MOMENT = SECOND // 20
#: A packet so shortly before a reset is what the reset answers.
_LAST_TRY = SECOND
#: Payload (bytes) from which on a segment may be too large for a link on the way; the smallest IPv4 MTU in use is 576.
_LARGE = 536


def callback_lost(case: Case) -> Iterator[Problem]:
    facts = case.facts
    callback = facts.record.callback
    if facts.record.outcome is not Outcome.LOST or callback is None:
        return
    end, stuck = end_mark(callback), stuck_side(callback, case.now)
    if stuck is not None:
        yield from _stuck(case, callback, stuck)
    elif end is None:
        summary = "The remote reported the process gone, but the callback connection shows no end"
        packets = facts.close_answer.packets if facts.close_answer else ()
        yield case.problem("idle_connection_cut", f"{summary}{open_call_text(facts)}.", packets, callback)
    else:
        yield _early_end(case, callback, end)


def _stuck(case: Case, callback: Connection, side: Side) -> Iterator[Problem]:
    facts = case.facts
    sender = callback.sides[side]
    marks = sender.retransmitted
    first = marks[0].time if marks else callback.end
    packets = [mark.number for mark in marks]
    smallest = sender.smallest_retransmitted
    if has_hole(callback, side, case.now):
        summary = (
            f"{callback.unacknowledged(side)} bytes of {end_name(side).lower()} never arrive, later small ones do."
        )
        behind = [sender.last_data.number] if sender.last_data else []
        yield case.problem("path_mtu", summary, behind + packets, callback)
        return
    if smallest is not None and smallest >= _LARGE and callback.sides[side.other].acked:
        summary = f"{end_name(side)}'s segments of {smallest} bytes never get through, while small ones do."
        yield case.problem("path_mtu", summary, packets, callback, time=first)
    last = callback.sides[side.other].last
    idle = first - last.time if last else 0
    alive = _other_connection_lives(facts, side.other, first)
    code = "idle_connection_cut" if idle >= (_IDLE if alive else _LONG_IDLE) else "connection_lost"
    cause = None
    if code == "connection_lost":
        cause = "the other host or the network between them is gone: nothing came from it any more"
    summary = f"{end_name(side)}'s data was sent again {len(marks)} times without an answer{open_call_text(facts)}."
    yield case.problem(code, f"{summary[:-1]}{after_silence(idle)}.", packets, callback, time=first, cause=cause)


def _other_connection_lives(facts: TaskFacts, silent: Side, since: int) -> bool:
    """True when the silent end of the callback connection still talks on the command connection."""
    command = facts.record.command
    if command is None:
        return False
    last = command.sides[silent.other].last  # the two connections run in opposite directions
    return last is not None and last.time >= since


def _early_end(case: Case, callback: Connection, end: Mark) -> Problem:
    facts = case.facts
    side = closed_by(callback) or Side.CLIENT
    sender = callback.sides[side]
    is_reset = sender.rst is end
    idle = _silence_before(callback, end)
    by_device = _by_device(callback, side, end)
    whom = "a device in between" if by_device else end_name(side).lower()
    summary = (
        f"The callback connection was {'reset' if is_reset else 'closed'} by {whom}"
        f"{open_call_text(facts)}{after_silence(idle)}."
    )
    if by_device and idle >= _IDLE:
        return case.problem("idle_connection_cut", summary, [end.number], callback, time=end.time)
    cause = (
        _who_ended(facts, side, end)
        if not by_device
        else (
            f"a device in between (a firewall, a translation) sent the reset: its TTL is {end.ttl}, "
            f"the packets of {end_name(side).lower()} have {sender.ttl}"
        )
    )
    return case.problem("connection_lost", summary, [end.number], callback, time=end.time, cause=cause)


def _by_device(connection: Connection, side: Side, end: Mark) -> bool:
    """A reset whose TTL is not that of its sender's other packets."""
    sender = connection.sides[side]
    return sender.rst is end and 0 < sender.ttl != end.ttl > 0


def _answers_close(facts: TaskFacts, end: Mark) -> bool:
    """The remote answers the close by ``end``, a reset that says that it has no such connection: it had lost the
    command connection before.  (One that dies just then resets with an acknowledgement.)"""
    command = facts.record.command
    if command is None or facts.close is None:
        return False
    server = command.sides[Side.SERVER]
    return server.rst is end and server.rst_unknown and facts.close.packets[-1] < end.number


def _who_ended(facts: TaskFacts, side: Side, end: Mark) -> str:
    command = facts.record.command
    other = end_mark(command) if command is not None else None
    if side is Side.SERVER:
        return "the client scheduler ended (killed, crashed, stopped) or closed the connection"
    if command is not None and other is not None and closed_by(command) is Side.SERVER:
        if _by_device(command, Side.SERVER, other) or _answers_close(facts, other):
            return "the task process ended or was killed; the remote does that when it loses the command connection"
        if abs(other.time - end.time) <= _SAME_MOMENT:
            return "the remote scheduler ended (killed, crashed, stopped): both connections ended in the same moment"
    return "the task process ended (killed, crashed) or closed the connection; the remote scheduler lives"


def _silence_before(callback: Connection, end: Mark) -> int:
    """Nanoseconds of silence before the end; a last try right before it (the data that a device then resets) does not
    count as an end of the silence."""
    broken = callback.silence_end
    if broken is not None and end.time - broken.time < _LAST_TRY:
        return callback.silence
    return callback.idle_before_end or 0


def command_lost(case: Case) -> Iterator[Problem]:
    """A scheduler that dies loses both connections in the same moment, in any order; a reset that comes first, or an
    end long before, is another story."""
    facts = case.facts
    command, callback = facts.record.command, facts.record.callback
    end = end_mark(command) if command is not None else None
    if command is None or callback is None or end is None or facts.start_answer is None:
        return
    if facts.close is not None and facts.close.time <= end.time:
        yield from _close_reset(case, command, end)
        return
    last = end_mark(callback)
    side = closed_by(command) or Side.CLIENT
    is_reset = command.sides[side].rst is end
    went_on = (last.time if last else callback.end) - end.time
    if went_on < (0 if is_reset else _LOST_FIRST):
        return
    whom = "a device in between" if _by_device(command, side, end) else end_name(side, command).lower()
    summary = f"The command connection was {'reset' if is_reset else 'closed'} by {whom} while the task was running."
    yield case.problem("command_lost_first", summary, [end.number], command, time=end.time)


def _close_reset(case: Case, command: Connection, end: Mark) -> Iterator[Problem]:
    """The close is answered by a reset.  If the job was killed by a signal that nobody here asked for, or its process
    was gone before, the remote had lost the connection; else only a device in between had."""
    facts = case.facts
    close = facts.close
    if close is None or facts.close_answer is not None or facts.kill is not None:
        return
    if command.sides[Side.SERVER].rst is end and (facts.record.signal or _process_gone(facts, command, end)):
        summary = "The remote answered the close with a reset: it had lost the command connection before."
        packets = (*close.packets, end.number)
        yield case.problem("command_lost_first", summary, packets, command, time=end.time)


def _process_gone(facts: TaskFacts, command: Connection, end: Mark) -> bool:
    """True when the task process ended the callback connection, and then the remote did not know the other one."""
    callback = facts.record.callback
    last = end_mark(callback) if callback is not None else None
    if callback is None or last is None or facts.record.outcome is not Outcome.LOST:
        return False
    by_process = closed_by(callback) is Side.CLIENT and not _by_device(callback, Side.CLIENT, last)
    return by_process and _answers_close(facts, end) and not _by_device(command, Side.SERVER, end)


def command_cut(case: Case) -> Iterator[Problem]:
    """The command connection was forgotten by a device while the task ran: its close is reset, or never acknowledged.
    The task itself is not harmed, but its process entry (and its place in the process class) is not freed."""
    facts = case.facts
    command = facts.record.command
    if command is None or facts.close is None or facts.close_answer is not None or facts.released is None:
        return
    if facts.record.signal and facts.kill is None:
        return
    stuck, end = stuck_side(command, case.now), command.sides[Side.SERVER].rst
    idle = facts.close.time - facts.start_answer.time if facts.start_answer else 0
    if stuck is Side.CLIENT:
        how, packets = "is sent again without an answer", [m.number for m in command.sides[stuck].retransmitted]
    elif end is not None and end.time >= facts.close.time:
        how, packets = "was answered by a reset", [*facts.close.packets, end.number]
    else:
        return
    summary = f"The close of the task {how}{after_silence(idle)} on the command connection."
    cause = "a firewall or translation between the schedulers forgot the idle command connection"
    remedy = (
        "raise the idle timeout of that device above the longest run time of a job; "
        "releases 1.9.6 and later can send keep-alives on this connection"
    )
    yield case.problem(
        "idle_connection_cut", summary, packets, command, time=facts.close.time, cause=cause, remedy=remedy
    )
