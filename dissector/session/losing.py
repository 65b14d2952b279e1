"""Connections that ended before the task did: which end closed them, in the middle of what, after which silence.

A reset that its sender's other packets do not fit to came from a device in between (see ``forged``).  A scheduler that
dies loses both connections.  A device that forgets an idle connection answers the next segment with a
reset, or drops it: then it is sent again and again and nobody acknowledges it, while the other connection lives on.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissector.model import Connection, Mark, Outcome, Problem
from dissector.session.case import Case, after_silence, end_name, open_call_text
from dissector.session.forged import by_device, forgery
from dissector.session.task import TaskFacts
from dissector.session.verdict import SECOND, closed_by, end_mark, has_hole, stuck_side, stuck_tries
from dissector.traffic import Side

#: Silence before the end of a connection that makes an idle timeout likely, with and without another proof.
_IDLE = 5 * SECOND
_LONG_IDLE = 20 * SECOND
#: The command connection counts as lost first when the task went on at least this long without it.
_LOST_FIRST = SECOND // 2
#: A scheduler that ends closes all its connections within this time.
_SAME_MOMENT = 5 * SECOND
#: A packet so shortly before a reset is what the reset answers.
_LAST_TRY = SECOND
_GONE = "the other host or the network between them is gone: nothing came from it any more"
_BY_DEVICE = "a device in between (a firewall, a translation) sent the reset: "
_KEEP_ALIVE = (
    "raise the idle timeout of that device above the longest run time of a job; "
    "releases 1.9.6 and later can send keep-alives on this connection"
)
_THEN_KILLED = "the remote then kills the task's process"
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
    elif end is None and facts.close_answer is None:
        yield from _unheard(case, callback)
    elif end is None:
        summary = "The remote reported the process gone, but the callback connection shows no end"
        packets = facts.close_answer.packets if facts.close_answer else ()
        yield case.problem("idle_connection_cut", f"{summary}{open_call_text(facts)}.", packets, callback)
    else:
        yield _early_end(case, callback, end)


def _unheard(case: Case, callback: Connection) -> Iterator[Problem]:
    """The client ends the task after a silence, and its close is never acknowledged: nothing comes from there any
    more, on either connection."""
    facts = case.facts
    command, close = facts.record.command, facts.close
    if command is None or close is None:
        return
    tries = stuck_tries(command, Side.CLIENT, case.now)
    idle = close.time - _last_heard(callback, command)
    code = "idle_connection_cut" if idle >= _LONG_IDLE else "connection_lost"
    cause = _GONE + _or_forgotten(idle)
    summary = f"The close was sent again {len(tries)} times without an answer{after_silence(idle)}"
    packets = [*close.packets, *(mark.number for mark in tries)]
    summary += f"; the callback connection is open{open_call_text(facts)}."
    yield case.problem(code, summary, packets, command, time=close.time, cause=cause)


def _or_forgotten(idle: int) -> str:
    """The other cause that a silence of both connections can have."""
    return f"; or a firewall forgot both connections in these {idle / SECOND:.0f} s of silence"


def _last_heard(callback: Connection, command: Connection) -> int:
    """When something came from the remote's end the last time."""
    marks = (callback.sides[Side.CLIENT].last, command.sides[Side.SERVER].last)
    return max(mark.time for mark in marks if mark is not None) if any(marks) else command.start


def _stuck(case: Case, callback: Connection, side: Side) -> Iterator[Problem]:
    facts = case.facts
    sender = callback.sides[side]
    marks = stuck_tries(callback, side, case.now)
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
    last = callback.sides[side.other].last
    idle = first - last.time if last else 0
    alive = _other_connection_lives(facts, side.other, first)
    # Small ones pass when something came just before or since, on this connection or the other.
    passing = alive or idle < _IDLE
    is_large = smallest is not None and smallest >= _LARGE
    if is_large and passing and callback.sides[side.other].acked:
        summary = f"{end_name(side)}'s segments of {smallest} bytes never get through, while small ones do."
        yield case.problem("path_mtu", summary, packets, callback, time=first)
    code = "idle_connection_cut" if idle >= (_IDLE if alive else _LONG_IDLE) else "connection_lost"
    cause = None
    if code == "connection_lost":
        cause = _GONE
        if idle >= _IDLE:
            cause += _or_forgotten(idle)
        if is_large:
            cause += "; or packets of this size do not pass (see path_mtu)"
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
    is_reset = callback.sides[side].rst is end
    idle = _silence_before(callback, end)
    proof = forgery(callback, side, end)
    whom = "a device in between" if proof else end_name(side).lower()
    summary = (
        f"The callback connection was {'reset' if is_reset else 'closed'} by {whom}"
        f"{open_call_text(facts)}{after_silence(idle)}."
    )
    if idle >= _IDLE and (proof or _disowned(facts, callback, side, end)):
        return case.problem("idle_connection_cut", summary, [end.number], callback, time=end.time)
    cause = _BY_DEVICE + proof if proof else _who_ended(facts, side, end)
    return case.problem("connection_lost", summary, [end.number], callback, time=end.time, cause=cause)


def _disowned(facts: TaskFacts, callback: Connection, side: Side, end: Mark) -> bool:
    """The reset says that its sender has no such connection, though it never ended it and lives: then whoever sent it
    forgot it."""
    sender = callback.sides[side]
    unknown = sender.rst is end and sender.rst_unknown and sender.fin is None
    return unknown and _other_connection_lives(facts, side, end.time)


def _answers_close(facts: TaskFacts, end: Mark) -> bool:
    """The remote answers the close by ``end``, a reset that says that it has no such connection: it had lost the
    command connection before.  (One that dies just then resets with an acknowledgement.)"""
    command = facts.record.command
    if command is None or facts.close is None:
        return False
    server = command.sides[Side.SERVER]
    return server.rst is end and server.rst_unknown and facts.close.packets[-1] < end.number


def _who_ended(facts: TaskFacts, side: Side, end: Mark) -> str:
    if side is Side.SERVER:
        return "the client scheduler ended (killed, crashed, stopped) or closed the connection"
    ended = "the task process ended (killed, crashed) or closed the connection"
    command = facts.record.command
    if command is None:
        return ended
    other, closer = end_mark(command), closed_by(command)
    if other is not None and closer is not None:
        lost = other.number < end.number and closer is Side.CLIENT
        if lost or by_device(command, closer, other) or _answers_close(facts, other):
            return "the task process ended or was killed; the remote does that when it loses the command connection"
        alone = closer is Side.SERVER and facts.close_answer is None and not command.gaps
        if alone and abs(other.time - end.time) <= _SAME_MOMENT:
            return "the remote scheduler ended (killed, crashed, stopped): both connections ended with it"
    return f"{ended}; the remote scheduler lives" if _other_connection_lives(facts, side, end.time) else ended


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
    if facts.close is not None and facts.close.packets[0] < end.number:
        yield from _close_reset(case, command, end)
        return
    last, side = end_mark(callback), closed_by(command)
    if side is None or command.gaps or (last is not None and last.number < end.number):
        return
    is_reset = command.sides[side].rst is end
    open_until = case.now if facts.record.outcome is Outcome.RUNNING else callback.end
    if (last.time if last else open_until) - end.time < (0 if is_reset else _LOST_FIRST):
        return
    proof = forgery(command, side, end)
    whom = "a device in between" if proof else end_name(side, command).lower()
    summary = f"The command connection was {'reset' if is_reset else 'closed'} by {whom} while the task was running."
    remedy = None if proof else "see why that scheduler ended: its own log, and that of its host"
    if proof:
        cause = f"{_BY_DEVICE}{proof}; {_THEN_KILLED}"
    elif side is Side.CLIENT:
        cause = f"the client scheduler ended (killed, crashed, stopped) or closed the connection; {_THEN_KILLED}"
    else:
        cause = "the remote scheduler ended (killed, crashed, stopped) or closed the connection"
    yield case.problem("command_lost_first", summary, [end.number], command, time=end.time, cause=cause, remedy=remedy)


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
    by_process = closed_by(callback) is Side.CLIENT and not by_device(callback, Side.CLIENT, last)
    return by_process and _answers_close(facts, end) and not by_device(command, Side.SERVER, end)


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
        how, packets = "is sent again without an answer", [m.number for m in stuck_tries(command, stuck, case.now)]
    elif end is not None and end.time >= facts.close.time:
        how, packets = "was answered by a reset", [*facts.close.packets, end.number]
    else:
        return
    summary = f"The close of the task {how}{after_silence(idle)} on the command connection."
    if stuck is Side.CLIENT and idle < _IDLE:
        cause = "the remote scheduler's host, or the way to it, was gone when the task ended"
        remedy = "look at the remote scheduler's host and at the network at that time"
        yield case.problem(
            "command_lost_first", summary, packets, command, time=facts.close.time, cause=cause, remedy=remedy
        )
        return
    yield case.problem(
        "idle_connection_cut",
        summary,
        packets,
        command,
        time=facts.close.time,
        cause="a firewall or translation between the schedulers forgot the idle command connection",
        remedy=_KEEP_ALIVE,
    )
