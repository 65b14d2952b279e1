"""Command connections that ended while the task ran, or that a device had forgotten when it was over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Mark, Message, Outcome, Problem
from dissector.session.case import Case, after_silence
from dissector.session.early_ends import answers_close
from dissector.session.findings import Finding, Reason, first
from dissector.session.reset_origin import by_device
from dissector.session.subjects import Ending, Reported, end_packet, end_time, error_packets, forged, reported
from dissector.session.timeouts import IDLE, LOST_FIRST
from dissector.session.verdict import closed_by, end_mark, stuck_side, stuck_tries
from dissector.traffic import Side

# --- while the task ran --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class LostFirst(Ending):
    """The end of the command connection before that of the callback connection."""

    callback: Connection

    @property
    def client_data(self) -> Mark | None:
        """What the client sent last on the callback connection."""
        return self.callback.sides[Side.SERVER].last_data


def by_remote(lost: LostFirst) -> bool:
    return lost.side is Side.SERVER


def client_goes_on(lost: LostFirst) -> bool:
    """The client still serves the callback connection."""
    data = lost.client_data
    return data is not None and data.time - lost.end.time >= LOST_FIRST


_KILLED = "the remote then kills the task's process"
_WHY = "see why that scheduler ended: its own log, and that of its host ({host})"
COMMAND_LOST: tuple[Finding[LostFirst], ...] = (
    Finding(
        "command_lost_first",
        (forged,),
        "The command connection was {how} by a device in between while the task was running.",
        (end_packet,),
        (Reason(f"{{by_device}}; {_KILLED}", "{between}"),),
        time=end_time,
    ),
    Finding(
        "command_lost_first",
        (),
        "The command connection was {how} by {whom} ({host}) while the task was running.",
        (end_packet,),
        (
            Reason(
                "the remote scheduler ended (killed, crashed, stopped) or closed the connection", _WHY, (by_remote,)
            ),
            Reason(
                "the client scheduler closed the connection, or a device in between sent the end in its name: it goes "
                f"on with the callback connection (packet {{client_data.number}}); {_KILLED}",
                "see the log of the client scheduler on {host}, and {between}",
                (client_goes_on,),
            ),
            Reason(f"the client scheduler ended (killed, crashed, stopped) or closed the connection; {_KILLED}", _WHY),
        ),
        time=end_time,
    ),
)


def command_lost(case: Case) -> Iterator[Problem]:
    """A scheduler that dies loses both connections in the same moment, in any order; a reset that comes first, or an
    end long before, is another story."""
    facts = case.facts
    command, callback = facts.record.command, facts.record.callback
    if command is None or callback is None or facts.start_answer is None:
        return
    end, last, side = end_mark(command), end_mark(callback), closed_by(command)
    if end is None:
        return
    if facts.close is not None and facts.close.packets[0] < end.number:
        yield from first(CLOSE_RESET, CloseReset(case, command, end, Side.SERVER, callback, facts.close))
        return
    if side is None or command.gaps or (last is not None and last.number < end.number):
        return
    is_reset = command.sides[side].rst is end
    open_until = case.now if facts.record.outcome is Outcome.RUNNING else callback.end
    if (last.time if last else open_until) - end.time >= (0 if is_reset else LOST_FIRST):
        yield from first(COMMAND_LOST, LostFirst(case, command, end, side, callback))


# --- its close is answered by a reset ------------------------------------------------------------------------------


@dataclass(slots=True)
class CloseReset(LostFirst):
    """The end of the command connection behind the close of the task."""

    close: Message


def unasked(found: CloseReset) -> bool:
    """There was no answer before, and no request to kill the task."""
    return found.case.facts.close_answer is None and found.case.facts.kill is None


def reset_by_remote(found: CloseReset) -> bool:
    return found.about.sides[Side.SERVER].rst is found.end


def by_signal(found: CloseReset) -> bool:
    return bool(found.case.facts.record.signal)


def process_gone(found: CloseReset) -> bool:
    """The task process ended the callback connection, and then the remote did not know the other one."""
    facts, last = found.case.facts, end_mark(found.callback)
    if last is None or facts.record.outcome is not Outcome.LOST:
        return False
    by_process = closed_by(found.callback) is Side.CLIENT and not by_device(found.callback, Side.CLIENT, last)
    return by_process and answers_close(facts, found.end) and not by_device(found.about, Side.SERVER, found.end)


def close_packets(found: CloseReset) -> tuple[int, ...]:
    return found.close.packets


_HAD_LOST = "The remote answered the close with a reset: it had lost the command connection before."
#: A job that was killed by a signal which nobody here asked for, or whose process was gone before; else only a device
#: in between had lost the connection.
CLOSE_RESET: tuple[Finding[CloseReset], ...] = (
    Finding(
        "command_lost_first",
        (unasked, reset_by_remote, by_signal),
        _HAD_LOST,
        (close_packets, end_packet),
        time=end_time,
    ),
    Finding(
        "command_lost_first",
        (unasked, reset_by_remote, process_gone),
        _HAD_LOST,
        (close_packets, end_packet),
        time=end_time,
    ),
)


# --- it was forgotten ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Forgotten(Reported):
    """The close of a task that was over, on a command connection that had been silent."""

    close: Message

    @property
    def idle(self) -> int:
        """Nanoseconds of silence before."""
        return self.close.time - (self.case.facts.start_answer or self.close).time

    @property
    def after_silence(self) -> str:
        return after_silence(self.idle)


def never_acknowledged(found: Forgotten) -> bool:
    return stuck_side(found.about, found.case.now) is Side.CLIENT


def short_silence(found: Forgotten) -> bool:
    return found.idle < IDLE


def answered_by_reset(found: Forgotten) -> bool:
    reset = found.about.sides[Side.SERVER].rst
    return reset is not None and reset.time >= found.close.time


def close_tries(found: Forgotten) -> list[int]:
    return [mark.number for mark in stuck_tries(found.about, Side.CLIENT, found.case.now)]


def reset_packets(found: Forgotten) -> list[int]:
    reset = found.about.sides[Side.SERVER].rst
    return [*found.close.packets, *([reset.number] if reset is not None else [])]


def close_time(found: Forgotten) -> int:
    return found.close.time


_REPEATED = "The close of the task is retransmitted without an answer{after_silence} on the command connection."
_HOST_GONE = "the remote scheduler's host ({about.server.ip}), or the path to it, was gone when the task ended"
_LOOK = "look at {about.server.ip} and at the network path to it at that time"
_BY_FIREWALL: Reason[Forgotten] = Reason(
    "a firewall or translation between the schedulers forgot the idle command connection",
    "raise the idle timeout of that device above the longest run time of a job; "
    "releases 1.9.6 and later can send keep-alives on this connection",
)
COMMAND_CUT: tuple[Finding[Forgotten], ...] = (
    Finding(
        "command_lost_first",
        (never_acknowledged, reported),
        _REPEATED,
        (close_tries, error_packets),
        (Reason(f"{_HOST_GONE}: {{reporter}} says: {{report}}", _LOOK),),
        time=close_time,
    ),
    Finding(
        "command_lost_first",
        (never_acknowledged, short_silence),
        _REPEATED,
        (close_tries,),
        (Reason(_HOST_GONE, _LOOK),),
        time=close_time,
    ),
    Finding("idle_connection_cut", (never_acknowledged,), _REPEATED, (close_tries,), (_BY_FIREWALL,), time=close_time),
    Finding(
        "idle_connection_cut",
        (answered_by_reset,),
        "The close of the task was answered by a reset{after_silence} on the command connection.",
        (reset_packets,),
        (_BY_FIREWALL,),
        time=close_time,
    ),
)


def command_cut(case: Case) -> Iterator[Problem]:
    """The command connection was forgotten by a device while the task ran: its close is reset, or never acknowledged.
    The task itself is not harmed, but its process entry (and its place in the process class) is not freed."""
    facts = case.facts
    command = facts.record.command
    if command is None or facts.close is None or facts.close_answer is not None or facts.released is None:
        return
    if not facts.record.signal or facts.kill is not None:
        yield from first(COMMAND_CUT, Forgotten(case, command, facts.close))
