"""What kept a task from starting: the command connection that never was, and the callback that never got through.

The operator reads Z-REMOTE-118 after 60 s in every one of these cases; the packets tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissector.model import Connection, Mark, Outcome, Problem, address_text
from dissector.session.case import Case, by_whom, count, refusals, span
from dissector.session.task import TaskFacts
from dissector.session.verdict import (
    GIVE_UP_FROM,
    SECOND,
    closed_by,
    end_mark,
    got_through,
    is_refused,
    is_rejected,
    one_sided,
    waited,
)
from dissector.traffic import Side

#: A callback that takes longer than this to come is worth a word.
_SLOW_START = 5 * SECOND
#: What ICMP says when somebody does not want the connection; everything else says that there is no way.
_BANS = ("prohibited", "port unreachable", "protocol unreachable", "rejected", "policy", "precedence")


def unmask_intruder(facts: TaskFacts) -> None:
    """A connection from a foreign address that took the announced port and never sent an answer was never the task
    process: somebody who only connected."""
    record = facts.record
    callback, remote = record.callback, record.remote
    if callback is None or remote is None or facts.confirmed or facts.intruder is not None or one_sided(callback):
        return
    if callback.client.ip != remote.ip and callback.sides[Side.CLIENT].bytes == 0 and not callback.mid_stream:
        facts.intruder = callback
        facts.attempts.remove(callback)
        record.callback = record.callback_peer = None


def command(case: Case) -> Iterator[Problem]:
    """The command connection that never was, or that the remote did not like."""
    facts = case.facts
    connection = facts.record.command
    if connection is None or facts.record.outcome not in (Outcome.UNREACHABLE, Outcome.REFUSED):
        return
    if facts.record.outcome is Outcome.UNREACHABLE:
        syns = [mark.number for mark in connection.syns]
        if is_refused(connection):
            summary = f"{connection.server} refused the command connection{by_whom(connection)}."
            cause, remedy = _rejecting(connection) if connection.icmp else (None, None)
            evidence = syns + refusals(connection)
            yield case.problem("command_refused", summary, evidence, connection, cause=cause, remedy=remedy)
        else:
            yield _unanswered(case, "command_unanswered", connection)
    elif is_rejected(facts):
        end = end_mark(connection)
        summary = f"{connection.server} accepted the command connection and closed it without a byte."
        yield case.problem("command_rejected", summary, [end.number] if end else [], connection)
    elif facts.start_error is not None and facts.start_answer is not None:
        error = facts.start_error
        words = error.text if error.text.startswith(error.code) else f"{error.code} {error.text}"
        summary = f"The remote refused to start the task: {words}".rstrip()
        yield case.problem("start_error", summary, facts.start_answer.packets, connection)


def callback(case: Case) -> Iterator[Problem]:
    """The callback that never came, never got through, or took its time."""
    facts = case.facts
    record = facts.record
    if facts.intruder is not None:
        yield _foreign(case, facts.intruder)
    elif record.outcome is Outcome.NO_CALLBACK:
        yield from _client_left(case)
        if facts.attempts:
            yield _failed_attempt(case, facts.attempts[0])
        else:
            yield _missing(case)
    elif record.callback is not None and _start_took(facts, record.callback) >= _SLOW_START:
        yield _slow(case, record.callback)


def _missing(case: Case) -> Problem:
    facts = case.facts
    command = facts.record.command
    packets = facts.start.packets if facts.start else ()
    if facts.start_answer is None and (command is None or not _may_be_answered(command)):
        summary = "The start command was not answered, and no callback connection was seen."
        cause = "the remote scheduler is busy, stopped or hangs: its system acknowledged the command, it did not answer"
        remedy = "look at the remote scheduler's process and load"
        return case.problem("callback_missing", summary, packets, facts.record.command, cause=cause, remedy=remedy)
    answered = "The start was answered, but" if facts.start_answer is not None else "After the start"
    summary = f"{answered} no callback connection was seen."
    return case.problem("callback_missing", summary, packets, facts.record.command)


def _may_be_answered(command: Connection) -> bool:
    """True when an answer to the start may be among what could not be read."""
    return one_sided(command) or command.gaps > 0 or command.sides[Side.SERVER].bytes > 0


def _client_left(case: Case) -> Iterator[Problem]:
    """A command connection that ends long before the client's 60 s are over: one of the schedulers ended."""
    facts = case.facts
    connection = facts.record.command
    end = end_mark(connection) if connection is not None else None
    if connection is None or end is None or facts.close is not None or waited(facts, case.now) >= GIVE_UP_FROM:
        return
    if facts.start_answer is not None:
        summary = "The command connection ended before the callback came."
        whose = "client" if closed_by(connection) is Side.CLIENT else "remote"
        cause = f"the {whose} scheduler ended or was restarted, or a device in between cut the connection"
        if not facts.attempts:
            cause += "; or the callback is not in the capture, and the task was running"
        yield case.problem("command_lost_first", summary, [end.number], connection, time=end.time, cause=cause)


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
    if _is_late(case, attempt):
        return _late(case, attempt, evidence)
    if is_refused(attempt):
        return _refused(case, attempt, evidence)
    return _unanswered(case, "callback_dropped", attempt)


def _unanswered(case: Case, code: str, attempt: Connection) -> Problem:
    syns = attempt.syns
    summary = f"{count(len(syns), 'SYN')} to {attempt.server} in {span(syns)}, no answer."
    problem = case.problem(code, summary, [mark.number for mark in syns], attempt)
    if len(syns) == 1:
        problem.cause += " (less certain: a SYN that nobody answers is sent again, so an answer may not be captured)"
    return problem


def _is_late(case: Case, attempt: Connection) -> bool:
    """True when the callback came, or got through to be refused, after the client had given up."""
    facts = case.facts
    if facts.start is None or not attempt.syns:
        return False
    if attempt.syns[0].time - facts.start.time > GIVE_UP_FROM:
        return True
    answer = attempt.sides[Side.SERVER].rst
    gave_up = facts.close.time if facts.close and waited(facts, case.now) >= GIVE_UP_FROM else None
    return answer is not None and gave_up is not None and gave_up < answer.time and len(attempt.syns) > 1


def _late(case: Case, attempt: Connection, evidence: list[int]) -> Problem:
    facts = case.facts
    since = (attempt.syns[-1].time - facts.start.time) / SECOND if facts.start else 0
    came = "reached" if is_refused(attempt) or attempt.established else "was still sent to"
    summary = f"The callback {came} {attempt.server} {since:.0f} s after the start, when the client had given up."
    cause = None
    if len(attempt.syns) > 1:
        cause = (
            f"{len(attempt.syns) - 1} earlier SYNs in {span(attempt.syns)} were not answered: "
            "a firewall dropped the way back, or packets were lost"
        )
    elif facts.start_answer is not None and facts.start_answer.latency and facts.start_answer.latency > GIVE_UP_FROM:
        cause = "the remote scheduler took that long to answer the start: it was stopped, busy or overloaded"
    return case.problem("callback_late", summary, evidence, attempt, cause=cause)


def _refused(case: Case, attempt: Connection, evidence: list[int]) -> Problem:
    summary = f"The callback to {attempt.server} was refused{by_whom(attempt)}."
    cause, remedy = _rejecting(attempt) if attempt.icmp else _resetting(case, attempt)
    return case.problem("callback_refused", summary, evidence, attempt, cause=cause, remedy=remedy)


def _rejecting(attempt: Connection) -> tuple[str, str | None]:
    """An ICMP error: who sent it, and what it says."""
    error = attempt.icmp[0]
    sender, target = address_text(error.sender), attempt.server
    if not any(ban in error.reason for ban in _BANS):
        cause = f"{sender} knows no way to {target.ip}: no route, that host is down, or a firewall that says so"
        return cause, f"look for the route from {sender} to {target.ip}, whether that host is up, and at reject rules"
    if sender == target.ip:
        return f"the packet filter of {sender} itself rejects connections to port {target.port}", None
    return f"a firewall ({sender}) rejects connections to {target}", None


def _resetting(case: Case, attempt: Connection) -> tuple[str | None, str | None]:
    """A reset with another TTL than the client's other packets was sent by a device, not by the client; of one with the
    same, what the client did then tells whether it still listened."""
    facts = case.facts
    command = facts.record.command
    reset = attempt.sides[Side.SERVER].rst
    usual = command.sides[Side.CLIENT].ttl if command is not None else 0
    if reset is None or command is None or not usual or not reset.ttl:
        return None, None
    if reset.ttl != usual:
        cause = (
            f"a device in between sent the reset (TTL {reset.ttl}, the client's packets have {usual}): "
            "a firewall that rejects, or an address translation without a port forward"
        )
        return cause, None
    end = end_mark(command)
    if facts.close is not None and reset.number < facts.close.packets[0] and waited(facts, case.now) >= GIVE_UP_FROM:
        cause = (
            f"{attempt.server.ip} refused it while the client still waited: its own packet filter rejects, "
            "or an address translation changes the port on the way"
        )
        return cause, "let the callback ports in at the client's own packet filter; forward ports unchanged"
    if facts.close is None and end is not None and end.number < reset.number and closed_by(command) is Side.CLIENT:
        return "the client scheduler had ended or was restarted: its port is closed or another task's", None
    cause = (
        "the client itself does not listen there (any more): it gave up, was restarted, the port changed, "
        "or somebody else took the only connection that it accepts"
    )
    return cause, "see whether the client ended its side first, or a NAT changes the port on the way"


def _start_took(facts: TaskFacts, callback: Connection) -> int:
    """From the start command until the callback got through, lost SYNs included."""
    return got_through(callback).time - facts.start.time if facts.start is not None else 0


def _slow(case: Case, connection: Connection) -> Problem:
    facts = case.facts
    seconds = _start_took(facts, connection) / SECOND
    answer = facts.start_answer
    answered = (answer.latency or 0) / SECOND if answer is not None else 0
    first = connection.syns[0] if connection.syns else Mark(connection.first_packet, connection.start)
    through = got_through(connection)
    if answered * 2 > seconds:
        cause = f"the remote scheduler answered the start only after {answered:.1f} s: it was busy or stopped"
    elif len(connection.syns) > 1:
        cause = f"{len(connection.syns)} SYNs in {span(connection.syns)}: the first ones were lost or dropped"
    else:
        cause = "the task process took that long to start (Java start, load of the remote host)"
    summary = f"The callback came {seconds:.1f} s after the start."
    return case.problem("slow_start", summary, [first.number, through.number], connection, time=first.time, cause=cause)
