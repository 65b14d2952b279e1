"""Who was slow: the client scheduler, the network or the job, from the times of the calls between them.

Where the capture was taken does not matter: each connection's handshake tells how far its listener is from there, and
the two listen at the two ends.  So of what a call took the way is known, and the rest is who had to answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dissector.model import Connection, Outcome, Problem
from dissector.numbers import count
from dissector.session.case import Case, call_name
from dissector.session.findings import Finding, Phrase, Reason, every
from dissector.session.slow import SlowCallbacks
from dissector.session.subjects import no
from dissector.session.task import TaskFacts
from dissector.session.timeouts import (
    COARSE,
    MANY_POLLS,
    POLLING,
    SECOND,
    SLOW_CALLBACK,
    SLOW_CLIENT,
    SLOW_JOB,
    SLOW_NETWORK,
)

_SHOWN = 3


class Account(NamedTuple):
    """Nanoseconds: of the callback connection, and in it those of the job, of the client scheduler, of the way, and
    those in which nobody had to answer (the client scheduler asks when it has something to ask); ``trip`` is the way
    there and back, 0 where no handshake was captured."""

    total: int
    job: int
    client: int
    network: int
    pauses: int
    trip: int

    def __str__(self) -> str:
        parts = [("the job", self.job), ("the client scheduler", self.client), ("the network", self.network)]
        parts.append(("between calls", self.pauses))
        return ", ".join(f"{name} {time / SECOND:.1f} s" for name, time in parts)


def account(facts: TaskFacts, callback: Connection) -> Account:
    """Where the time of the task went."""
    counts = facts.record.counts
    to_client, to_remote = _trip(callback), _trip(facts.record.command)
    calls, callbacks = counts.calls, counts.callbacks
    client = max(0, facts.callback_time - to_client * callbacks)
    job = max(0, facts.call_time - facts.callback_time - to_remote * callbacks - to_remote * calls)
    network = (to_client + to_remote) * (calls + callbacks)
    total = max(callback.end - callback.start, 0)
    return Account(total, job, client, network, max(0, total - facts.call_time), to_client + to_remote)


def _trip(connection: Connection | None) -> int:
    """From here to the listener and back; lost SYNs tell nothing."""
    if connection is None or len(connection.syns) != 1 or len(connection.syn_acks) != 1:
        return 0
    (syn,), (answer,) = connection.syns, connection.syn_acks
    return max(0, answer.time - syn.time)


# --- what is told of it --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Slow:
    """A task with a callback connection; ``times`` is where its time went, ``answers`` are the callbacks that the
    client scheduler answered late for certain, by member, the slowest first."""

    case: Case
    about: Connection
    times: Account
    answers: list[SlowCallbacks]

    @property
    def total_seconds(self) -> str:
        return f"{self.times.total / SECOND:.1f}"

    @property
    def client_seconds(self) -> str:
        return f"{self.times.client / SECOND:.1f}"

    @property
    def network_seconds(self) -> str:
        return f"{self.times.network / SECOND:.1f}"

    @property
    def trip_ms(self) -> str:
        return f"{self.times.trip / 1e6:.0f}"

    @property
    def trips(self) -> int:
        counts = self.case.facts.record.counts
        return counts.calls + counts.callbacks

    @property
    def calls(self) -> str:
        return count(self.trips, "call")

    @property
    def callbacks(self) -> str:
        return count(self.case.facts.record.counts.callbacks, "callback")

    @property
    def late_number(self) -> int:
        return sum(one.certain if self.case.grain >= COARSE else one.count for one in self.answers)

    @property
    def late_callbacks(self) -> str:
        return count(self.late_number, "callback")

    @property
    def longest_callbacks(self) -> str:
        return ", ".join(f"{one.longest / SECOND:.1f} s ({call_name(one.first)})" for one in self.answers[:_SHOWN])

    @property
    def longest(self) -> str:
        """The longest call of the client."""
        call = self.case.facts.longest_call
        return f"{call_name(call)} {(call.latency or 0) / SECOND:.0f} s" if call is not None else ""


def answered_late(slow: Slow) -> bool:
    return bool(slow.answers)


def client_slow(slow: Slow) -> bool:
    """The client scheduler took most of the time."""
    exact = slow.times.client - slow.case.grain * slow.case.facts.record.counts.callbacks
    return exact >= max(SLOW_CLIENT, slow.times.total // 2)


def polls(slow: Slow) -> bool:
    """Each answer took about a second."""
    return slow.late_number >= MANY_POLLS and all(one.longest < POLLING for one in slow.answers)


def repeats(slow: Slow) -> bool:
    return slow.about.retransmissions > 0


def was_lost(slow: Slow) -> bool:
    return slow.case.facts.record.outcome is Outcome.LOST


def network_slow(slow: Slow) -> bool:
    """Most of the time passed on the way between the two ends."""
    exact = slow.times.network - 2 * slow.case.grain * slow.trips
    return exact >= max(SLOW_NETWORK, slow.times.total // 2)


def job_slow(slow: Slow) -> bool:
    if slow.case.facts.longest_call is None:
        return False
    return slow.times.job - slow.case.grain >= max(SLOW_JOB, slow.times.total // 2)


def late_packets(slow: Slow) -> list[int]:
    return [packet for one in slow.answers for packet in one.packets]


def late_time(slow: Slow) -> int:
    return slow.answers[0].first.time


def handshake_packets(slow: Slow) -> list[int]:
    """The handshake that tells the way."""
    handshake = (*slow.about.syns[:1], *slow.about.syn_acks[:1])
    return [mark.number for mark in handshake] or [slow.about.first_packet]


def longest_packets(slow: Slow) -> tuple[int, ...]:
    call = slow.case.facts.longest_call
    return call.packets if call is not None else ()


def longest_time(slow: Slow) -> int:
    call = slow.case.facts.longest_call
    return call.time if call is not None else slow.about.start


#: Every row that fits tells one.
SLOWNESS: tuple[Finding[Slow], ...] = (
    Finding(
        "slow_call",
        (answered_late,),
        "{late_callbacks} took the client scheduler a second or more, the longest {longest_callbacks}; of "
        "{total_seconds} s in all: {times}.",
        (late_packets,),
        (
            Reason(
                "the client scheduler polls once a second: that is how it works when its command connection is gone",
                when=(polls,),
            ),
            Reason("the client scheduler was busy or stopped"),
        ),
        (Phrase(", or packets were lost (see retransmissions)", (repeats,)),),
        late_time,
    ),
    Finding(
        "slow_call",
        (no(answered_late), client_slow),
        "{callbacks} took the client scheduler {client_seconds} s of {total_seconds} s ({times}).",
        (handshake_packets,),
        (Reason("the client scheduler was busy"),),
    ),
    Finding(
        "slow_network",
        (no(was_lost), network_slow),
        "{calls} over a path of {trip_ms} ms there and back: about {network_seconds} s of {total_seconds} s.",
        (handshake_packets,),
    ),
    Finding(
        "slow_job",
        (no(was_lost), job_slow),
        "The job took its time: {longest} ({times}).",
        (longest_packets,),
        time=longest_time,
    ),
)


def slowness(case: Case) -> Iterator[Problem]:
    facts, callback = case.facts, case.facts.record.callback
    if callback is None:
        return
    late = [one for one in facts.slow_callbacks.values() if one.longest - case.grain >= SLOW_CALLBACK]
    answers = sorted(late, key=lambda one: -one.longest)
    yield from every(SLOWNESS, Slow(case, callback, account(facts, callback), answers))
