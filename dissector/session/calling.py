"""The way back: a callback that never got through, was refused, came late, or was somebody else's connection."""

from __future__ import annotations

from collections.abc import Iterator

from dissector.model import Connection, Mark, Message, Outcome, Problem
from dissector.session.case import Case, by_whom, refusals, span
from dissector.session.reset_origin import doubt, stopped, ttls
from dissector.session.rules_startup import left, missing, rejecting, syn_ack_lost, unanswered
from dissector.session.task import TaskFacts
from dissector.session.timeouts import GIVE_UP_FROM, SECOND, SLOW_START
from dissector.session.verdict import (
    closed_by,
    end_mark,
    got_through,
    is_answer_missing,
    is_refused,
    one_sided,
    unreachables,
    waited,
)
from dissector.traffic import Side


def unmask_intruder(facts: TaskFacts) -> None:
    """A connection from a foreign address that took the announced port was never the task process when it left without
    a word, or when another one then found the port closed.  One that is just silent may be the process, on a remote
    with several addresses."""
    record = facts.record
    callback, remote = record.callback, record.remote
    if callback is None or remote is None or facts.confirmed or facts.intruder is not None or one_sided(callback):
        return
    if callback.client.ip == remote.ip or callback.sides[Side.CLIENT].bytes or callback.mid_stream:
        return
    has_left = closed_by(callback) is Side.CLIENT
    if has_left or any(is_refused(other) for other in facts.attempts if other is not callback):
        facts.intruder = callback
        facts.attempts.remove(callback)
        record.callback = record.callback_peer = None


def callback(case: Case) -> Iterator[Problem]:
    """The callback that never came, never got through, or took its time."""
    facts = case.facts
    record = facts.record
    if facts.intruder is not None:
        yield _foreign(case, facts.intruder)
    elif record.outcome is Outcome.NO_CALLBACK:
        yield from left(case)
        yield _failed_attempt(case, facts.attempts[0]) if facts.attempts else missing(case)
    elif record.outcome is Outcome.UNKNOWN and record.callback is None and facts.attempts:
        yield _failed_attempt(case, facts.attempts[0])
    elif record.outcome is Outcome.UNKNOWN and record.callback is None and _may_be_refused(case):
        yield missing(case)
    elif record.callback is not None and facts.start is not None:
        took = got_through(record.callback).time - facts.start.time
        if took >= SLOW_START + case.grain:
            yield _slow(case, record.callback, took)


def _may_be_refused(case: Case) -> bool:
    """The client waited in vain, and what the remote answered is not in the capture."""
    facts = case.facts
    return waited(facts, case.now) >= GIVE_UP_FROM and facts.close is None and is_answer_missing(facts)


def _foreign(case: Case, intruder: Connection) -> Problem:
    facts = case.facts
    port = facts.record.callback_port
    if facts.foreign_packet is None:
        summary = f"{intruder.client} took the announced port {port} and never sent a byte."
        packets = [intruder.first_packet]
    else:
        summary = f"{intruder.client} took the announced port {port} and sent bytes that are no answer."
        packets = [facts.foreign_packet]
    return case.problem("callback_foreign_bytes", summary, packets, intruder)


def _failed_attempt(case: Case, attempt: Connection) -> Problem:
    record = case.facts.record
    target = attempt.server
    evidence = [mark.number for mark in attempt.syns] + refusals(attempt)
    if record.client is not None and (target.ip, target.port) != (record.client.ip, record.callback_port):
        summary = f"Port {record.callback_port} of {record.client.ip} was announced, but {target} was called."
        return case.problem("callback_elsewhere", summary, evidence, attempt)
    if attempt.syn_ack_lost:
        return syn_ack_lost(case, attempt)
    start = case.facts.start
    if start is not None and _is_late(case, attempt, start):
        return _late(case, attempt, start, evidence)
    if is_refused(attempt):
        return _refused(case, attempt, evidence)
    return unanswered(case, "callback_dropped", attempt)


def _gave_up(facts: TaskFacts, now: int) -> int | None:
    """When the client gave up after its time; None when it did not."""
    if waited(facts, now) < GIVE_UP_FROM:
        return None
    end = end_mark(facts.record.command) if facts.record.command is not None else None
    return facts.close.time if facts.close else end.time if end else None


def _is_late(case: Case, attempt: Connection, start: Message) -> bool:
    """True when the callback came, or got through to be refused, after the client had given up."""
    if not attempt.syns:
        return False
    if attempt.syns[0].time - start.time > GIVE_UP_FROM:
        return True
    answer, gave_up = attempt.sides[Side.SERVER].rst, _gave_up(case.facts, case.now)
    return answer is not None and gave_up is not None and gave_up < answer.time and len(attempt.syns) > 1


def _late(case: Case, attempt: Connection, start: Message, evidence: list[int]) -> Problem:
    since = (attempt.syns[-1].time - start.time) / SECOND
    came = "reached" if is_refused(attempt) or attempt.established else "was still sent to"
    summary = f"The callback {came} {attempt.server} {since:.0f} s after the start, when the client had given up."
    cause = remedy = None
    if len(attempt.syns) > 1:
        cause = (
            f"{len(attempt.syns) - 1} earlier SYNs in {span(attempt.syns)} were not answered: "
            "a firewall dropped them on the return path, or packets were lost"
        )
    elif _answered_late(case.facts):
        cause = "the remote scheduler took that long to answer the start: it was stopped, busy or overloaded"
        remedy = "look at the load of the remote scheduler at that time; start fewer tasks on it at a time"
    return case.problem("callback_late", summary, evidence, attempt, cause=cause, remedy=remedy)


def _answered_late(facts: TaskFacts) -> bool:
    """The start was not answered within the client's time."""
    answer = facts.start_answer
    return answer is None or (answer.latency is not None and answer.latency > GIVE_UP_FROM)


def _refused(case: Case, attempt: Connection, evidence: list[int]) -> Problem:
    summary = f"The callback to {attempt.server} was refused{by_whom(attempt)}."
    cause, remedy = rejecting(case, attempt) if unreachables(attempt) else _resetting(case, attempt)
    return case.problem("callback_refused", summary, evidence, attempt, cause=cause, remedy=remedy)


def _resetting(case: Case, attempt: Connection) -> tuple[str | None, str | None]:
    command, reset = case.facts.record.command, attempt.sides[Side.SERVER].rst
    if reset is None or command is None:
        return None, None
    if proof := _forgery(attempt, command, reset):
        target = attempt.server
        cause = (
            f"a device in between sent the reset ({proof}): "
            "a firewall that rejects, or an address translation without a port forward"
        )
        return cause, (
            f"let new TCP connections from {attempt.client.ip} to port {target.port} and lower through at that device; "
            f"behind an address translation (NAT) forward these ports of {target.ip} to the client"
        )
    cause, remedy = _why_reset(case, attempt, command, reset)
    return cause + ("" if attempt.sides[Side.SERVER].rst_again else doubt(command, Side.CLIENT)), remedy


def _forgery(attempt: Connection, command: Connection, reset: Mark) -> str:
    """What proves that a device sent the reset: a TTL that none of the client's packets has, or a SYN that never came
    near the client in a capture at two places; empty when nothing does."""
    usual = ttls(command, Side.CLIENT)
    if usual and reset.ttl and reset.ttl not in usual:
        return f"TTL {reset.ttl}, the client's packets have {' and '.join(map(str, sorted(usual)))}"
    if asked := stopped(attempt, Side.SERVER):
        return f"packet {asked.number}, which it answers, was captured before that device and not behind it"
    return ""


def _why_reset(case: Case, attempt: Connection, command: Connection, reset: Mark) -> tuple[str, str]:
    """Why the client itself refused: what it did before tells whether it still listened."""
    facts, target = case.facts, attempt.server
    end = end_mark(command)
    gave_up = _gave_up(facts, case.now)
    if gave_up is not None and gave_up < reset.time:
        waited_for = waited(facts, case.now) / SECOND
        cause = f"the client had given up {waited_for:.0f} s after the start and does not listen any more"
        return cause, "see why the callback came so late: the load of the remote, or SYNs that were lost before"
    if end is not None and end.number < reset.number and closed_by(command) is Side.CLIENT and facts.close is None:
        cause = (
            f"the client scheduler on {target.ip} had ended or was restarted (packet {end.number}): "
            "its port is closed, or another task has it"
        )
        return cause, f"see why the client scheduler on {target.ip} ended: its own log, and that of its host"
    if gave_up is not None:
        cause = (
            f"{target.ip} refused it while the client still waited: its own packet filter rejects, "
            "or an address translation changes the port on the path"
        )
        return cause, "let the callback ports in at the client's own packet filter; forward ports unchanged"
    cause = (
        f"nobody listens on {target} (any more): the client gave up or was restarted, "
        "the port was changed on the path, or somebody else took the only connection that it accepts"
    )
    return cause, "see whether the client ended its side first, whether a NAT changes the port, and who else connected"


def _slow(case: Case, connection: Connection, took: int) -> Problem:
    """``took``: nanoseconds from the start command until the callback got through, lost SYNs included."""
    answer = case.facts.start_answer
    answered = answer.latency if answer is not None else None
    first = connection.syns[0] if connection.syns else Mark(connection.first_packet, connection.start)
    through = got_through(connection)
    if answered is not None and answered * 2 > took:
        cause = f"the remote scheduler answered the start only after {answered / SECOND:.1f} s: it was busy or stopped"
    elif len(connection.syns) > 1:
        cause = f"{len(connection.syns)} SYNs in {span(connection.syns)}: the first ones were lost or dropped"
    else:
        cause = "the task process took that long to start (Java start, load of the remote host)"
    summary = f"The callback came {took / SECOND:.1f} s after the start."
    return case.problem("slow_start", summary, [first.number, through.number], connection, time=first.time, cause=cause)
