"""Command connections that ended while the task ran, or that a device had forgotten when it was over."""

from __future__ import annotations

from collections.abc import Iterator

from dissector.model import Connection, Mark, Message, Outcome, Problem, address_text
from dissector.session.case import Case, after_silence, between, by_device_text, end_name, host_of
from dissector.session.reset_origin import by_device, forgery
from dissector.session.rules_disconnect import answers_close
from dissector.session.task import TaskFacts
from dissector.session.timeouts import IDLE, LOST_FIRST
from dissector.session.verdict import closed_by, end_mark, stuck_side, stuck_tries, unreachables
from dissector.traffic import Side

_KEEP_ALIVE = (
    "raise the idle timeout of that device above the longest run time of a job; "
    "releases 1.9.6 and later can send keep-alives on this connection"
)
_THEN_KILLED = "the remote then kills the task's process"


def command_lost(case: Case) -> Iterator[Problem]:
    """A scheduler that dies loses both connections in the same moment, in any order; a reset that comes first, or an
    end long before, is another story."""
    facts = case.facts
    command, callback = facts.record.command, facts.record.callback
    if command is None or callback is None or facts.start_answer is None:
        return
    end = end_mark(command)
    if end is None:
        return
    if facts.close is not None and facts.close.packets[0] < end.number:
        yield from _close_reset(case, command, callback, facts.close, end)
        return
    last, side = end_mark(callback), closed_by(command)
    if side is None or command.gaps or (last is not None and last.number < end.number):
        return
    is_reset = command.sides[side].rst is end
    open_until = case.now if facts.record.outcome is Outcome.RUNNING else callback.end
    if (last.time if last else open_until) - end.time < (0 if is_reset else LOST_FIRST):
        return
    proof = forgery(command, side, end)
    whom = "a device in between" if proof else f"{end_name(side, command).lower()} ({host_of(command, side)})"
    summary = f"The command connection was {'reset' if is_reset else 'closed'} by {whom} while the task was running."
    cause, remedy = by_device_text(f"{proof}; {_THEN_KILLED}"), between(command)
    if not proof:
        cause, remedy = _ended_by(command, callback, side, end)
    yield case.problem("command_lost_first", summary, [end.number], command, time=end.time, cause=cause, remedy=remedy)


def _ended_by(command: Connection, callback: Connection, side: Side, end: Mark) -> tuple[str, str]:
    """Cause and remedy of an end that nobody forged as far as its packet tells."""
    host = host_of(command, side)
    remedy = f"see why that scheduler ended: its own log, and that of its host ({host})"
    if side is Side.SERVER:
        return "the remote scheduler ended (killed, crashed, stopped) or closed the connection", remedy
    data = callback.sides[Side.SERVER].last_data
    if data is not None and data.time - end.time >= LOST_FIRST:
        cause = (
            "the client scheduler closed the connection, or a device in between sent the end in its name: "
            f"it goes on with the callback connection (packet {data.number})"
        )
        return f"{cause}; {_THEN_KILLED}", f"see the log of the client scheduler on {host}, and {between(command)}"
    cause = "the client scheduler ended (killed, crashed, stopped) or closed the connection"
    return f"{cause}; {_THEN_KILLED}", remedy


def _close_reset(case: Case, command: Connection, callback: Connection, close: Message, end: Mark) -> Iterator[Problem]:
    """The close is answered by a reset.  If the job was killed by a signal that nobody here asked for, or its process
    was gone before, the remote had lost the connection; else only a device in between had."""
    facts = case.facts
    if facts.close_answer is not None or facts.kill is not None:
        return
    if command.sides[Side.SERVER].rst is end and (facts.record.signal or _process_gone(facts, command, callback, end)):
        summary = "The remote answered the close with a reset: it had lost the command connection before."
        packets = (*close.packets, end.number)
        yield case.problem("command_lost_first", summary, packets, command, time=end.time)


def _process_gone(facts: TaskFacts, command: Connection, callback: Connection, end: Mark) -> bool:
    """True when the task process ended the callback connection, and then the remote did not know the other one."""
    last = end_mark(callback)
    if last is None or facts.record.outcome is not Outcome.LOST:
        return False
    by_process = closed_by(callback) is Side.CLIENT and not by_device(callback, Side.CLIENT, last)
    return by_process and answers_close(facts, end) and not by_device(command, Side.SERVER, end)


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
    idle = facts.close.time - (facts.start_answer or facts.close).time
    if stuck is Side.CLIENT:
        how, packets = "is retransmitted without an answer", [m.number for m in stuck_tries(command, stuck, case.now)]
    elif end is not None and end.time >= facts.close.time:
        how, packets = "was answered by a reset", [*facts.close.packets, end.number]
    else:
        return
    summary = f"The close of the task {how}{after_silence(idle)} on the command connection."
    time, errors = facts.close.time, unreachables(command)
    if stuck is Side.CLIENT and (idle < IDLE or errors):
        host = command.server.ip
        cause = f"the remote scheduler's host ({host}), or the path to it, was gone when the task ended"
        if errors:
            cause += f": {address_text(errors[0].sender)} says: {errors[0].reason}"
        remedy = f"look at {host} and at the network path to it at that time"
        packets += [error.number for error in errors]
        yield case.problem("command_lost_first", summary, packets, command, time=time, cause=cause, remedy=remedy)
        return
    cause = "a firewall or translation between the schedulers forgot the idle command connection"
    yield case.problem("idle_connection_cut", summary, packets, command, time=time, cause=cause, remedy=_KEEP_ALIVE)
