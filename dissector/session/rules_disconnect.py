"""Callback connections that ended before the task did: by whom, in the middle of what, after which silence.

A reset that its sender's other packets do not fit to came from a device in between (see ``reset_origin``).  A scheduler
that dies loses both connections.  A device that forgets an idle connection answers the next segment with a reset, or
drops it: then it is retransmitted and nobody acknowledges it, while the other connection lives on.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissector.model import Connection, Mark, Message, Outcome, Problem, address_text
from dissector.session.case import Case, after_silence, between, by_device_text, end_name, host_of, open_call_text
from dissector.session.reset_origin import by_device, doubt, forgery
from dissector.session.task import TaskFacts
from dissector.session.timeouts import IDLE, LARGE, LAST_TRY, LONG_IDLE, OUTLIVED, SAME_MOMENT, SECOND
from dissector.session.verdict import closed_by, end_mark, has_hole, is_unheard, stuck_side, stuck_tries, unreachables
from dissector.traffic import IcmpError, Side

_Advice = tuple[str, str]


def callback_lost(case: Case) -> Iterator[Problem]:
    facts = case.facts
    callback, command = facts.record.callback, facts.record.command
    if facts.record.outcome is not Outcome.LOST or callback is None:
        return
    end, stuck = end_mark(callback), stuck_side(callback, case.now)
    asked = facts.kill or facts.close
    if stuck is not None:
        yield from _stuck(case, callback, stuck)
    elif command is not None and is_unheard(facts, case.now) and asked and (end is None or asked.time <= end.time):
        yield _unheard(case, callback, command, facts.close or asked)
    elif end is not None:
        yield _early_end(case, callback, end)
    elif facts.close is not None:
        yield _without_end(case, callback, facts.close)


def _without_end(case: Case, callback: Connection, close: Message) -> Problem:
    """The remote answered the close: the process is gone."""
    facts, idle = case.facts, close.time - callback.end
    summary = (
        "The remote reported the process gone, but the callback connection shows no end"
        f"{open_call_text(facts)}{after_silence(idle)}."
    )
    packets = facts.close_answer.packets if facts.close_answer else ()
    if idle >= IDLE:
        return case.problem("idle_connection_cut", summary, packets, callback)
    cause = "the end of the connection was lost on the path, or is not in the capture"
    remedy = f"capture on {host_of(callback, Side.CLIENT)} as well"
    return case.problem("connection_lost", summary, packets, callback, cause=cause, remedy=remedy)


# --- nobody is heard any more --------------------------------------------------------------------------------------


def _unheard(case: Case, callback: Connection, command: Connection, close: Message) -> Problem:
    """The client ends the task after a silence, and its close is never acknowledged: nothing comes from there any
    more, on either connection."""
    facts = case.facts
    tries = stuck_tries(command, Side.CLIENT, case.now)
    idle = close.time - _last_heard(callback, command)
    code = "idle_connection_cut" if idle >= LONG_IDLE else "connection_lost"
    what = "request to kill the task" if facts.kill is not None else "close"
    is_open = "is open" if end_mark(callback) is None else "was open until then"
    summary = (
        f"The {what} was retransmitted {len(tries)} times without an answer{after_silence(idle)}; "
        f"the callback connection {is_open}{open_call_text(facts)}."
    )
    errors = unreachables(command)
    packets = [*close.packets, *(mark.number for mark in tries), *(error.number for error in errors)]
    cause, remedy = _gone(case, command.server.ip, errors, close.time)
    if errors:
        code = "connection_lost"
    else:
        cause += _or_forgotten(idle)
    return case.problem(code, summary, packets, command, time=close.time, cause=cause, remedy=remedy)


def _gone(case: Case, host: str, errors: list[IcmpError], since: int) -> _Advice:
    """Nothing comes from a host any more."""
    own = [side for connection in case.facts.connections() for side in connection.sides]
    if errors:
        first = errors[0]
        told = f"{address_text(first.sender)} says: {first.reason}" + (f" ({len(errors)} times)" if errors[1:] else "")
        cause = f"the other host or the network between them is gone: nothing came from {host} any more; {told}"
    elif case.hosts.heard(host, since, *own):
        cause = f"packets of this task to and from {host} are lost, though that host talks on other connections"
        return cause, f"look at the firewalls and the network on the path to {host}"
    else:
        cause = f"the other host or the network between them is gone: nothing came from {host} any more"
    return cause, f"look at {host} and at the network path to it at that time: down, restarted, or cut off?"


def _or_forgotten(idle: int) -> str:
    """The other cause that a silence of both connections can have."""
    return f"; or a firewall forgot both connections in these {idle / SECOND:.0f} s of silence"


def _last_heard(callback: Connection, command: Connection) -> int:
    """When something came from the remote's end the last time."""
    marks = (callback.sides[Side.CLIENT].last, command.sides[Side.SERVER].last)
    return max((mark.time for mark in marks if mark is not None), default=command.start)


def _stuck(case: Case, callback: Connection, side: Side) -> Iterator[Problem]:
    facts = case.facts
    sender, host = callback.sides[side], host_of(callback, side.other)
    marks = stuck_tries(callback, side, case.now)
    packets = [mark.number for mark in marks]
    if has_hole(callback, side, case.now):
        summary = (
            f"{callback.unacknowledged(side)} bytes of {end_name(side).lower()} never arrive, later small ones do."
        )
        behind = [sender.last_data.number] if sender.last_data else []
        yield case.problem("path_mtu", summary, behind + packets, callback)
        return
    first, last, smallest = marks[0].time, callback.sides[side.other].last, sender.smallest_retransmitted
    idle = first - (last.time if last else callback.end)
    errors = unreachables(callback)
    alive = _other_connection_lives(facts, side.other, first) or case.hosts.heard(host, first, *callback.sides)
    # Small ones pass when something came just before or since, on this connection or another.
    passing = alive or idle < IDLE
    is_large = smallest is not None and smallest >= LARGE
    if is_large and passing and not errors and callback.sides[side.other].acked:
        summary = f"{end_name(side)}'s segments of {smallest} bytes never get through, while small ones do."
        yield case.problem("path_mtu", summary, packets, callback, time=first)
    is_idle_cut = not errors and idle >= (IDLE if alive else LONG_IDLE)
    summary = (
        f"{end_name(side)}'s data was retransmitted {len(marks)} times without an answer"
        f"{open_call_text(facts)}{after_silence(idle)}."
    )
    if is_idle_cut:
        yield case.problem("idle_connection_cut", summary, packets, callback, time=first)
        return
    cause, remedy = _gone(case, host, errors, first)
    if idle >= IDLE and not errors:
        cause += _or_forgotten(idle)
    if is_large and not errors:
        cause += "; or packets of this size do not pass (see path_mtu)"
    packets += [error.number for error in errors]
    yield case.problem("connection_lost", summary, packets, callback, time=first, cause=cause, remedy=remedy)


def _other_connection_lives(facts: TaskFacts, silent: Side, since: int) -> bool:
    """True when the silent end of the callback connection still talks on the command connection."""
    command = facts.record.command
    if command is None:
        return False
    last = command.sides[silent.other].last  # the two connections run in opposite directions
    return last is not None and last.time >= since


# --- somebody ended it ---------------------------------------------------------------------------------------------


def _early_end(case: Case, callback: Connection, end: Mark) -> Problem:
    facts = case.facts
    side = closed_by(callback) or Side.CLIENT
    how = "reset" if callback.sides[side].rst is end else "closed"
    idle, proof = _silence_before(callback, end), forgery(callback, side, end)
    end_of = f"{end_name(side).lower()} ({host_of(callback, side)})"
    outlived = _outlives(facts, side, end)
    during = f"{open_call_text(facts)}{after_silence(idle)}."
    summary = f"The callback connection was {how} by {'a device in between' if proof else end_of}{during}"
    if idle >= IDLE and (proof or _disowned(facts, callback, side, end)):
        return case.problem("idle_connection_cut", summary, [end.number], callback, time=end.time)
    if how == "reset" and not proof and outlived and idle >= LONG_IDLE and callback.sides[side].fin is None:
        summary = f"The callback connection was reset in the name of {end_of}{during}"
        cause = f"a firewall or translation forgot the idle connection: {end_name(side).lower()} itself {outlived}"
        return case.problem("idle_connection_cut", summary, [end.number], callback, time=end.time, cause=cause)
    if proof:
        cause, remedy = by_device_text(proof), between(callback)
    else:
        cause, remedy = _who_ended(case, callback, side, end, outlived)
        if how == "reset" and idle >= LONG_IDLE:
            cause += (
                f"; or a device that forgot the connection in these {idle / SECOND:.0f} s of silence sent the reset"
            )
        cause += doubt(callback, side) if how == "reset" else ""
    return case.problem("connection_lost", summary, [end.number], callback, time=end.time, cause=cause, remedy=remedy)


def _outlives(facts: TaskFacts, side: Side, end: Mark) -> str:
    """How the client scheduler shows that it did not end with ``end``, in words; empty when it does not."""
    command = facts.record.command
    if side is not Side.SERVER or command is None:
        return ""
    client = command.sides[Side.CLIENT]
    if client.last_data is not None and client.last_data.time > end.time:
        seconds = (client.last_data.time - end.time) / SECOND
        return f"goes on: it sends on the command connection {seconds:.1f} s later (packet {client.last_data.number})"
    if client.fin is not None and client.fin.time - end.time >= OUTLIVED:
        seconds = (client.fin.time - end.time) / SECOND
        return f"goes on: it closes the command connection {seconds:.1f} s later (packet {client.fin.number})"
    return ""


def _disowned(facts: TaskFacts, callback: Connection, side: Side, end: Mark) -> bool:
    """The reset says that its sender has no such connection, though it never ended it and lives: then whoever sent it
    forgot it."""
    sender = callback.sides[side]
    unknown = sender.rst is end and sender.rst_unknown and sender.fin is None
    return unknown and _other_connection_lives(facts, side, end.time)


def answers_close(facts: TaskFacts, end: Mark) -> bool:
    """The remote answers the close by ``end``, a reset that says that it has no such connection: it had lost the
    command connection before.  (One that dies just then resets with an acknowledgement.)"""
    command = facts.record.command
    if command is None or facts.close is None:
        return False
    server = command.sides[Side.SERVER]
    return server.rst is end and server.rst_unknown and facts.close.packets[-1] < end.number


def _who_ended(case: Case, callback: Connection, side: Side, end: Mark, outlived: str) -> _Advice:
    facts, host = case.facts, host_of(callback, side)
    command = facts.record.command
    if side is Side.SERVER and outlived:
        remedy = f"see the log of the client scheduler on {host} for why it closed the connection"
        return f"the client scheduler closed the connection; it {outlived}", remedy
    if side is Side.SERVER:
        cause = "the client scheduler ended (killed, crashed, stopped) or closed the connection"
        return cause, f"see why the client scheduler on {host} ended: its own log, and that of its host"
    ended = "the task process ended (killed, crashed) or closed the connection"
    remedy = f"see why the task process on {host} ended: the job's log, memory, crashes and kills on that host"
    if command is None:
        return ended, remedy
    other, closer = end_mark(command), closed_by(command)
    if other is not None and closer is not None:
        lost = other.number < end.number and closer is Side.CLIENT
        if lost or by_device(command, closer, other) or answers_close(facts, other):
            cause = "the task process ended or was killed; the remote does that when it loses the command connection"
            return cause, "find who ended the command connection (see command_lost_first)"
        alone = closer is Side.SERVER and facts.close_answer is None and not command.gaps
        if alone and abs(other.time - end.time) <= SAME_MOMENT:
            remedy = f"see why the remote scheduler on {host} ended: its own log, and that of its host"
            return "the remote scheduler ended (killed, crashed, stopped): both connections ended with it", remedy
    lives = _other_connection_lives(facts, side, end.time)
    return f"{ended}; the remote scheduler lives" if lives else ended, remedy


def _silence_before(callback: Connection, end: Mark) -> int:
    """Nanoseconds of silence before the end; a last try right before it (the data that a device then resets) does not
    count as an end of the silence."""
    broken = callback.silence_end
    if broken is not None and end.time - broken.time < LAST_TRY:
        return callback.silence
    return callback.idle_before_end or 0
