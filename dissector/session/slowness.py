"""Who was slow: the client scheduler, the network or the job, from the times of the calls between them.

Where the capture was taken does not matter: each connection's handshake tells how far its listener is from there, and
the two listen at the two ends.  So of what a call took the way is known, and the rest is who had to answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dissector.model import Connection, Outcome, Problem
from dissector.session.case import Case, call_name, count
from dissector.session.slow import SlowCallbacks
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


def slowness(case: Case) -> Iterator[Problem]:
    facts, record = case.facts, case.facts.record
    callback = record.callback
    if callback is None:
        return
    times = account(facts, callback)
    sure = [entry for entry in facts.slow_callbacks.values() if entry.longest - case.grain >= SLOW_CALLBACK]
    slow = sorted(sure, key=lambda entry: -entry.longest)
    if slow:
        yield _slow_callbacks(case, callback, slow, times)
    elif times.client - case.grain * record.counts.callbacks >= max(SLOW_CLIENT, times.total // 2):
        summary = (
            f"{count(record.counts.callbacks, 'callback')} took the client scheduler {times.client / SECOND:.1f} s "
            f"of {times.total / SECOND:.1f} s ({times})."
        )
        cause = "the client scheduler was busy"
        yield case.problem("slow_call", summary, _ends(callback), callback, cause=cause)
    if record.outcome is Outcome.LOST:
        return
    trips = record.counts.calls + record.counts.callbacks
    if times.network - 2 * case.grain * trips >= max(SLOW_NETWORK, times.total // 2):
        summary = (
            f"{count(trips, 'call')} over a path of {times.trip / 1e6:.0f} ms there and back: "
            f"about {times.network / SECOND:.1f} s of {times.total / SECOND:.1f} s."
        )
        yield case.problem("slow_network", summary, _ends(callback), callback)
    longest = facts.longest_call
    if longest is not None and times.job - case.grain >= max(SLOW_JOB, times.total // 2):
        summary = f"The job took its time: {call_name(longest)} {(longest.latency or 0) / SECOND:.0f} s ({times})."
        yield case.problem("slow_job", summary, longest.packets, callback, time=longest.time)


def _slow_callbacks(case: Case, callback: Connection, slow: list[SlowCallbacks], times: Account) -> Problem:
    """Callbacks that the client scheduler answered late, member by member the slowest first."""
    total = sum(entry.certain if case.grain >= COARSE else entry.count for entry in slow)
    members = ", ".join(f"{entry.longest / SECOND:.1f} s ({call_name(entry.first)})" for entry in slow[:_SHOWN])
    summary = (
        f"{count(total, 'callback')} took the client scheduler a second or more, the longest {members}; "
        f"of {times.total / SECOND:.1f} s in all: {times}."
    )
    cause = "the client scheduler was busy or stopped"
    if total >= MANY_POLLS and all(entry.longest < POLLING for entry in slow):
        cause = "the client scheduler polls once a second: that is how it works when its command connection is gone"
    if callback.retransmissions:
        cause += ", or packets were lost (see retransmissions)"
    packets = [packet for entry in slow for packet in entry.packets]
    return case.problem("slow_call", summary, packets, callback, time=slow[0].first.time, cause=cause)


def _ends(connection: Connection) -> list[int]:
    """The handshake that tells the way."""
    handshake = (*connection.syns[:1], *connection.syn_acks[:1])
    return [mark.number for mark in handshake] or [connection.first_packet]
