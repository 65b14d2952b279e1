"""Tasks that nobody called back: what the command connection shows of the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Mark, Problem, address_text
from dissector.numbers import count
from dissector.session.case import Case, span
from dissector.session.findings import Finding, Phrase, Reason, first
from dissector.session.subjects import Ending, end_packet, end_time, forged
from dissector.session.timeouts import GIVE_UP_FROM
from dissector.session.verdict import (
    closed_by,
    end_mark,
    is_answer_missing,
    is_unheard,
    stuck_tries,
    unreachables,
    waited,
)
from dissector.traffic import IcmpError, Side

# --- the client's time was not over --------------------------------------------------------------------------------


def nobody_called(ending: Ending) -> bool:
    return not ending.case.facts.attempts


UNSEEN: Phrase[Ending] = Phrase("; or the callback is not in the capture, and the task was running", (nobody_called,))

#: A command connection that ends long before the client's 60 s are over: one of the schedulers ended.
LEFT: tuple[Finding[Ending], ...] = (
    Finding(
        "command_lost_first",
        (forged,),
        "The command connection was {how} by a device in between before the callback came.",
        (end_packet,),
        (Reason("{by_device}", "{between}"),),
        (UNSEEN,),
        end_time,
    ),
    Finding(
        "command_lost_first",
        (),
        "The command connection was {how} by {whom} before the callback came.",
        (end_packet,),
        (
            Reason(
                "{whom} scheduler ended or was restarted (on {host}), or a device in between cut the connection",
                "see the log of that scheduler, and why it ended on {host}",
            ),
        ),
        (UNSEEN,),
        end_time,
    ),
)


def left(case: Case) -> Iterator[Problem]:
    facts = case.facts
    connection = facts.record.command
    if connection is None or facts.start is None or facts.close is not None:
        return
    end, side = end_mark(connection), closed_by(connection)
    if end is None or side is None or waited(facts, case.now) >= GIVE_UP_FROM:
        return
    yield from first(LEFT, Ending(case, connection, end, side))


# --- nobody tried to call ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Uncalled:
    """A task that nobody called back, as far as the capture shows; ``about`` is its command connection."""

    case: Case
    about: Connection | None

    @property
    def tries(self) -> list[Mark]:
        """The retransmissions of a start that is never acknowledged."""
        return stuck_tries(self.about, Side.CLIENT, self.case.now) if self.about is not None else []

    @property
    def again(self) -> str:
        """`` (3 retransmissions in 7 s)``."""
        last = self.about.sides[Side.CLIENT].last_data if self.about is not None else None
        first_try = [last] if last is not None else []
        number = count(len(self.tries), "retransmission")
        return f" ({number} in {span([*first_try, *self.tries])})" if self.tries else ""

    @property
    def reports(self) -> list[IcmpError]:
        return unreachables(self.about) if self.about is not None else []

    @property
    def reporter(self) -> str:
        return address_text(self.reports[0].sender)

    @property
    def report(self) -> str:
        return self.reports[0].reason


def start_answered(task: Uncalled) -> bool:
    return task.case.facts.start_answer is not None or task.about is None


def answer_unseen(task: Uncalled) -> bool:
    """The start may have been answered."""
    return is_answer_missing(task.case.facts)


def unacknowledged(task: Uncalled) -> bool:
    return is_unheard(task.case.facts, task.case.now) or (
        task.about is not None and task.about.unacknowledged(Side.CLIENT) > 0
    )


def said_unreachable(task: Uncalled) -> bool:
    return bool(task.reports)


def start_packets(task: Uncalled) -> tuple[int, ...]:
    start = task.case.facts.start
    return start.packets if start is not None else ()


def try_packets(task: Uncalled) -> list[int]:
    return [*(mark.number for mark in task.tries), *(error.number for error in task.reports)]


UNCALLED: tuple[Finding[Uncalled], ...] = (
    Finding(
        "callback_missing",
        (start_answered,),
        "The start was answered, but no callback connection was seen.",
        (start_packets,),
    ),
    Finding(
        "callback_missing",
        (answer_unseen,),
        "No callback connection was seen, and the answer to the start is not in the capture or not complete.",
        (start_packets,),
        (
            Reason(
                "the remote refused the start (its answer would say so), the task process ended before it called back, "
                "or the capture does not show the callback",
                "capture both directions with full packets (tcpdump -s 0); see the remote scheduler's own log",
            ),
        ),
    ),
    Finding(
        "callback_missing",
        (unacknowledged,),
        "The start command was never acknowledged{again}, and no callback connection was seen.",
        (start_packets, try_packets),
        (
            Reason(
                "packets to the remote are lost: its host or a device on the path is gone, or drops them",
                "look at the path from {about.client.ip} to {about.server}, and at that host",
            ),
        ),
        (Phrase("; {reporter} says: {report}", (said_unreachable,)),),
    ),
    Finding(
        "callback_missing",
        (),
        "The start command was not answered, and no callback connection was seen.",
        (start_packets,),
        (
            Reason(
                "the remote scheduler is busy, stopped or hangs: its system acknowledged the command, it did not "
                "answer",
                "look at the remote scheduler's process and at the load of {about.server.ip}",
            ),
        ),
    ),
)


def missing(case: Case) -> Iterator[Problem]:
    """Nobody called back, as far as the capture shows."""
    return first(UNCALLED, Uncalled(case, case.facts.record.command))
