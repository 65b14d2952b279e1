"""Callback connections that ended before the task did: by whom, in the middle of what, after which silence.

A reset that its sender's other packets do not fit to came from a device in between (see ``reset_origin``).  A scheduler
that dies loses both connections.  A device that forgets an idle connection answers the next segment with a reset, or
drops it: then it is retransmitted and nobody acknowledges it, while the other connection lives on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Message, Outcome, Problem
from dissector.session.case import Case, after_silence, host_of, open_call_text
from dissector.session.conditions import kill_missed_before_end
from dissector.session.early_ends import EARLY_END, EarlyEnd
from dissector.session.findings import Finding, Reason, every, first
from dissector.session.silent_ends import STUCK, UNHEARD
from dissector.session.timeouts import IDLE
from dissector.session.unanswered import Stuck, Unheard
from dissector.session.verdict import closed_by, end_mark, is_unheard, stuck_side
from dissector.traffic import Side


@dataclass(slots=True)
class Gone:
    """A callback connection without an end, whose process the remote reported gone when it answered the close."""

    case: Case
    about: Connection
    close: Message

    @property
    def idle(self) -> int:
        return self.close.time - self.about.end

    @property
    def during(self) -> str:
        return f"{open_call_text(self.case.facts)}{after_silence(self.idle)}"

    @property
    def host(self) -> str:
        return host_of(self.about, Side.CLIENT)


def long_silent(gone: Gone) -> bool:
    return gone.idle >= IDLE


def close_answer_packets(gone: Gone) -> tuple[int, ...]:
    answer = gone.case.facts.close_answer
    return answer.packets if answer is not None else ()


_GONE = "The remote reported the process gone, but the callback connection shows no end{during}."
WITHOUT_END: tuple[Finding[Gone], ...] = (
    Finding("idle_connection_cut", (long_silent,), _GONE, (close_answer_packets,)),
    Finding(
        "connection_lost",
        (),
        _GONE,
        (close_answer_packets,),
        (
            Reason(
                "the end of the connection was lost on the path, or is not in the capture",
                "capture on {host} as well",
            ),
        ),
    ),
)


def callback_lost(case: Case) -> Iterator[Problem]:
    facts = case.facts
    callback, command = facts.record.callback, facts.record.command
    may_be_killed = facts.record.outcome is Outcome.UNKNOWN and kill_missed_before_end(case)
    if callback is None or not (facts.record.outcome is Outcome.LOST or may_be_killed):
        return
    end, stuck = end_mark(callback), stuck_side(callback, case.now)
    asked = facts.kill or facts.close
    if stuck is not None:
        yield from every(STUCK, Stuck(case, callback, stuck))
    elif command is not None and is_unheard(facts, case.now) and asked and (end is None or asked.time <= end.time):
        yield from first(UNHEARD, Unheard(case, command, Side.CLIENT, callback, facts.close or asked))
    elif end is not None:
        yield from first(EARLY_END, EarlyEnd(case, callback, end, closed_by(callback) or Side.CLIENT))
    elif facts.close is not None:
        yield from first(WITHOUT_END, Gone(case, callback, facts.close))
