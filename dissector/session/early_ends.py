"""Callback connections that somebody ended before the task was over: who did, and why."""

from __future__ import annotations

from dataclasses import dataclass

from dissector.model import Mark
from dissector.session.case import after_silence, open_call_text
from dissector.session.conditions import kill_missed_before_end
from dissector.session.findings import Finding, Phrase, Reason
from dissector.session.reset_origin import by_device, doubt
from dissector.session.subjects import Ending, end_packet, end_time, forged, no, was_reset
from dissector.session.task import TaskFacts
from dissector.session.timeouts import IDLE, LAST_TRY, LONG_IDLE, OUTLIVED, SAME_MOMENT, SECOND
from dissector.session.unanswered import other_connection_lives
from dissector.session.verdict import closed_by, end_mark
from dissector.traffic import Side


@dataclass(slots=True)
class EarlyEnd(Ending):
    """The end of a callback connection before that of its task."""

    @property
    def idle(self) -> int:
        """Nanoseconds of silence before the end; a last try right before it (the data that a device then resets) does
        not count as an end of the silence."""
        broken = self.about.silence_end
        if broken is not None and self.end.time - broken.time < LAST_TRY:
            return self.about.silence
        return self.about.idle_before_end or 0

    @property
    def idle_seconds(self) -> str:
        return f"{self.idle / SECOND:.0f}"

    @property
    def during(self) -> str:
        return f"{open_call_text(self.case.facts)}{after_silence(self.idle)}"

    @property
    def doubt(self) -> str:
        return doubt(self.about, self.side)

    @property
    def outlived(self) -> str:
        """How the client scheduler shows that it did not end with this, in words; empty when it does not."""
        command = self.case.facts.record.command
        if self.side is not Side.SERVER or command is None:
            return ""
        client = command.sides[Side.CLIENT]
        if client.last_data is not None and client.last_data.time > self.end.time:
            return f"goes on: it sends on the command connection {self._later(client.last_data)}"
        if client.fin is not None and client.fin.time - self.end.time >= OUTLIVED:
            return f"goes on: it closes the command connection {self._later(client.fin)}"
        return ""

    def _later(self, mark: Mark) -> str:
        return f"{(mark.time - self.end.time) / SECOND:.1f} s later (packet {mark.number})"


def idle(early: EarlyEnd) -> bool:
    return early.idle >= IDLE


def long_idle(early: EarlyEnd) -> bool:
    return early.idle >= LONG_IDLE


def disowned(early: EarlyEnd) -> bool:
    """The reset says that its sender has no such connection, though it never ended it and lives: then whoever sent it
    forgot it."""
    sender = early.about.sides[early.side]
    return was_reset(early) and sender.rst_unknown and sender.fin is None and lives(early)


def goes_on(early: EarlyEnd) -> bool:
    """The client scheduler did not end with this."""
    return bool(early.outlived)


def closed_before(early: EarlyEnd) -> bool:
    """Its sender had ended the connection in order."""
    return early.about.sides[early.side].fin is not None


def by_client(early: EarlyEnd) -> bool:
    return early.side is Side.SERVER


def lives(early: EarlyEnd) -> bool:
    """The same host talks on the command connection since."""
    return other_connection_lives(early.case.facts, early.side, early.end.time)


def unasked(early: EarlyEnd) -> bool:
    """Whether the client asked for it was not captured."""
    return kill_missed_before_end(early.case)


def command_was_lost(early: EarlyEnd) -> bool:
    """The remote had lost the command connection before."""
    facts = early.case.facts
    command = facts.record.command
    other, closer = (end_mark(command), closed_by(command)) if command is not None else (None, None)
    if command is None or other is None or closer is None:
        return False
    ended_first = other.number < early.end.number and closer is Side.CLIENT
    return ended_first or by_device(command, closer, other) or answers_close(facts, other)


def both_ended(early: EarlyEnd) -> bool:
    """The remote ended the command connection in the same moment, and not as an answer to its close."""
    facts = early.case.facts
    command = facts.record.command
    other = end_mark(command) if command is not None else None
    if command is None or other is None or closed_by(command) is not Side.SERVER:
        return False
    return facts.close_answer is None and not command.gaps and abs(other.time - early.end.time) <= SAME_MOMENT


def answers_close(facts: TaskFacts, end: Mark) -> bool:
    """The remote answers the close by ``end``, a reset that says that it has no such connection: it had lost the
    command connection before.  (One that dies just then resets with an acknowledgement.)"""
    command = facts.record.command
    if command is None or facts.close is None:
        return False
    server = command.sides[Side.SERVER]
    return server.rst is end and server.rst_unknown and facts.close.packets[-1] < end.number


_BY_DEVICE = "The callback connection was {how} by a device in between{during}."
_BY_END = "The callback connection was {how} by {whom} ({host}){during}."
_PROCESS = "the task process ended (killed, crashed) or closed the connection"
_WHY_PROCESS = "see why the task process on {host} ended: the job's log, memory, crashes and kills on that host"
WHO_ENDED: tuple[Reason[EarlyEnd], ...] = (
    Reason(
        "the client scheduler closed the connection; it {outlived}",
        "see the log of the client scheduler on {host} for why it closed the connection",
        (goes_on,),
    ),
    Reason(
        "the client scheduler ended (killed, crashed, stopped) or closed the connection",
        "see why the client scheduler on {host} ended: its own log, and that of its host",
        (by_client,),
    ),
    Reason(
        "the task process ended or was killed; the remote does that when it loses the command connection",
        "find who ended the command connection (see command_lost_first)",
        (command_was_lost,),
    ),
    Reason(
        "the remote scheduler ended (killed, crashed, stopped): both connections ended with it",
        "see why the remote scheduler on {host} ended: its own log, and that of its host",
        (both_ended,),
    ),
    Reason(f"{_PROCESS}; the remote scheduler lives", _WHY_PROCESS, (lives,)),
    Reason(_PROCESS, _WHY_PROCESS),
)
EARLY_END: tuple[Finding[EarlyEnd], ...] = (
    Finding("idle_connection_cut", (forged, idle), _BY_DEVICE, (end_packet,), time=end_time),
    Finding("idle_connection_cut", (idle, disowned), _BY_END, (end_packet,), time=end_time),
    Finding(
        "connection_lost", (forged,), _BY_DEVICE, (end_packet,), (Reason("{by_device}", "{between}"),), time=end_time
    ),
    Finding(
        "idle_connection_cut",
        (was_reset, goes_on, long_idle, no(closed_before)),
        "The callback connection was reset in the name of {whom} ({host}){during}.",
        (end_packet,),
        (Reason("a firewall or translation forgot the idle connection: {whom} itself {outlived}"),),
        time=end_time,
    ),
    Finding(
        "connection_lost",
        (),
        _BY_END,
        (end_packet,),
        WHO_ENDED,
        (
            Phrase(
                "; or a device that forgot the connection in these {idle_seconds} s of silence sent the reset",
                (was_reset, long_idle),
            ),
            Phrase("; or the client asked the remote to kill the task, before the capture began", (unasked,)),
            Phrase("{doubt}", (was_reset,)),
        ),
        end_time,
    ),
)
