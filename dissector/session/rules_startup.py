"""What kept a task from starting, as the command connection shows it: no connection, no answer, an error, an early end.

The operator reads Z-REMOTE-118 after 60 s in every one of these cases; the packets tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from dissector.model import Connection, Mark, Message, Outcome, Problem, Role, address_text
from dissector.session.case import Case, between, by_device_text, by_whom, count, end_name, host_of, refusals, span
from dissector.session.reset_origin import forgery
from dissector.session.rules_agent import http_error
from dissector.session.start_errors import advice
from dissector.session.timeouts import AT_ONCE, GIVE_UP_FROM, LATELY, SECOND
from dissector.session.verdict import (
    closed_by,
    end_mark,
    is_answer_missing,
    is_refused,
    is_rejected,
    is_unheard,
    stuck_tries,
    unreachables,
    waited,
)
from dissector.traffic import Side
from dissector.wire.control import XmlError

#: What ICMP says when somebody does not want the connection; everything else says that there is no path.
_BANS = ("prohibited", "port unreachable", "protocol unreachable", "rejected", "policy", "precedence")


def command(case: Case) -> Iterator[Problem]:
    """The command connection that never was, or that the remote did not like."""
    facts = case.facts
    connection = facts.record.command
    if connection is None or facts.record.outcome not in (Outcome.UNREACHABLE, Outcome.REFUSED):
        return
    if facts.record.outcome is Outcome.UNREACHABLE:
        yield _unreachable(case, connection)
    elif facts.start_error is not None and (answer := facts.start_answer) is not None:
        yield http_error(case, answer) or _start_error(case, connection, facts.start_error, answer)
    elif is_rejected(facts) and (end := end_mark(connection)) is not None:
        yield _rejected(case, connection, end)


def _start_error(case: Case, connection: Connection, error: XmlError, answer: Message) -> Problem:
    words = error.text if error.text.startswith(error.code) else f"{error.code} {error.text}"
    summary = f"The remote answered the start with an error: {words}".rstrip()
    cause, remedy = advice(error, connection.client.ip, str(connection.server), connection.server.ip)
    return case.problem("start_error", summary, answer.packets, connection, cause=cause, remedy=remedy)


def _unreachable(case: Case, connection: Connection) -> Problem:
    if connection.syn_ack_lost:
        return syn_ack_lost(case, connection)
    if not is_refused(connection):
        return unanswered(case, "command_unanswered", connection)
    summary = f"{connection.server} refused the command connection{by_whom(connection)}."
    evidence = [mark.number for mark in connection.syns] + refusals(connection)
    cause, remedy = rejecting(case, connection) if unreachables(connection) else (None, None)
    return case.problem("command_refused", summary, evidence, connection, cause=cause, remedy=remedy)


def _rejected(case: Case, connection: Connection, end: Mark) -> Problem:
    """A remote that does not know the client ends the connection in order, with a FIN, when it accepts it; a reset
    alone, or an end long after, is something else."""
    opened = connection.syn_acks[0].time if connection.syn_acks else connection.start
    after = end.time - opened
    server, proof = connection.sides[Side.SERVER], forgery(connection, Side.SERVER, end)
    if server.fin is end and after <= AT_ONCE:
        summary = f"{connection.server} accepted the command connection and closed it without a byte."
        return case.problem("command_rejected", summary, [end.number], connection)
    is_reset = server.rst is end
    whom = "a device in between" if proof else str(connection.server)
    summary = (
        f"{whom[0].upper()}{whom[1:]} {'reset' if is_reset else 'closed'} the command connection "
        f"{_time(after)} after it was opened, before the start was answered."
    )
    remedy = f"see why the remote scheduler on {connection.server.ip} ended: its own log, and that of its host"
    if proof:
        cause, remedy = by_device_text(proof), between(connection)
    elif is_reset:
        cause = "the remote scheduler ended (killed, crashed, stopped) before it answered, or a device sent the reset"
    else:
        cause = "the remote scheduler ended (killed, crashed, stopped) before it answered, or closed the connection"
    return case.problem("start_cut", summary, [end.number], connection, cause=cause, remedy=remedy)


def _time(nanoseconds: int) -> str:
    return f"{nanoseconds / SECOND:.1f} s" if nanoseconds >= SECOND else f"{nanoseconds / 1e6:.0f} ms"


# --- no callback, and nobody tried ---------------------------------------------------------------------------------


def missing(case: Case) -> Problem:
    """Nobody called back, as far as the capture shows."""
    facts = case.facts
    command, packets = facts.record.command, facts.start.packets if facts.start else ()
    if facts.start_answer is not None or command is None:
        summary = "The start was answered, but no callback connection was seen."
        return case.problem("callback_missing", summary, packets, command)
    if is_answer_missing(facts):
        summary = "No callback connection was seen, and the answer to the start is not in the capture or not complete."
        cause = (
            "the remote refused the start (its answer would say so), the task process ended before it called back, "
            "or the capture does not show the callback"
        )
        remedy = "capture both directions with full packets (tcpdump -s 0); see the remote scheduler's own log"
        return case.problem("callback_missing", summary, packets, command, cause=cause, remedy=remedy)
    if is_unheard(facts, case.now) or command.unacknowledged(Side.CLIENT):
        return _unacknowledged(case, command)
    summary = "The start command was not answered, and no callback connection was seen."
    cause = "the remote scheduler is busy, stopped or hangs: its system acknowledged the command, it did not answer"
    remedy = f"look at the remote scheduler's process and at the load of {command.server.ip}"
    return case.problem("callback_missing", summary, packets, command, cause=cause, remedy=remedy)


def _unacknowledged(case: Case, command: Connection) -> Problem:
    facts = case.facts
    tries = stuck_tries(command, Side.CLIENT, case.now)
    summary = "The start command was never acknowledged, and no callback connection was seen."
    if tries:
        again = f"{count(len(tries), 'retransmission')} in {span([*_first(command), *tries])}"
        summary = f"The start command was never acknowledged ({again}), and no callback connection was seen."
    cause, errors = "packets to the remote are lost: its host or a device on the path is gone, or drops them", ""
    if reported := unreachables(command):
        errors = f"; {address_text(reported[0].sender)} says: {reported[0].reason}"
    remedy = f"look at the path from {command.client.ip} to {command.server}, and at that host"
    packets = [*(facts.start.packets if facts.start else ()), *(mark.number for mark in tries)]
    packets += [error.number for error in reported]
    return case.problem("callback_missing", summary, packets, command, cause=cause + errors, remedy=remedy)


def _first(command: Connection) -> list[Mark]:
    last = command.sides[Side.CLIENT].last_data
    return [last] if last is not None else []


def left(case: Case) -> Iterator[Problem]:
    """A command connection that ends long before the client's 60 s are over: one of the schedulers ended."""
    facts = case.facts
    connection = facts.record.command
    if connection is None or facts.start is None or facts.close is not None:
        return
    end, side = end_mark(connection), closed_by(connection)
    if end is None or side is None or waited(facts, case.now) >= GIVE_UP_FROM:
        return
    proof, host = forgery(connection, side, end), host_of(connection, side)
    whom = end_name(side, connection).lower()
    how = "reset" if connection.sides[side].rst is end else "closed"
    summary = (
        f"The command connection was {how} by {'a device in between' if proof else whom} before the callback came."
    )
    cause = f"{whom} scheduler ended or was restarted (on {host}), or a device in between cut the connection"
    remedy = f"see the log of that scheduler, and why it ended on {host}"
    if proof:
        cause, remedy = by_device_text(proof), between(connection)
    if not facts.attempts:
        cause += "; or the callback is not in the capture, and the task was running"
    packets = [end.number]
    yield case.problem("command_lost_first", summary, packets, connection, time=end.time, cause=cause, remedy=remedy)


# --- connections that do not come about ----------------------------------------------------------------------------


def unanswered(case: Case, code: str, attempt: Connection) -> Problem:
    """SYNs without an answer."""
    syns, cause, remedy = attempt.syns, None, None
    summary = f"{count(len(syns), 'SYN')} to {attempt.server} in {span(syns)}, no answer."
    if code == "command_unanswered" and _answers_others(case, attempt):
        cause = (
            f"{attempt.server} answers other connections at that time: the remote scheduler is too busy to accept "
            f"more, packets are lost, or a firewall drops those of {attempt.client.ip}"
        )
        remedy = f"look at the load of the remote scheduler on {attempt.server.ip}; start fewer tasks at a time"
    problem = case.problem(code, summary, [mark.number for mark in syns], attempt, cause=cause, remedy=remedy)
    if code == "callback_dropped" and not _is_heard(case, attempt):
        problem.cause += f", or that host is down: nothing came from {attempt.server.ip} since"
        problem.remedy += f"; look at {attempt.server.ip}"
    if len(syns) == 1:
        problem.cause += " (less certain: an unanswered SYN is retransmitted, so an answer may not be captured)"
    return problem


def _is_heard(case: Case, attempt: Connection) -> bool:
    """The host that does not answer a callback sends something else meanwhile."""
    command, since = case.facts.record.command, attempt.start
    last = command.sides[Side.CLIENT].last if command is not None else None
    return (last is not None and last.time >= since) or case.hosts.heard(attempt.server.ip, since, *attempt.sides)


def _answers_others(case: Case, attempt: Connection) -> bool:
    """The port that does not answer this connection answered others just before, or answers them meanwhile."""
    return bool(case.hosts.answers(attempt, attempt.start - LATELY))


def syn_ack_lost(case: Case, attempt: Connection) -> Problem:
    """The SYN is answered, but whoever sent it never hears of it."""
    caller, listener = attempt.client.ip, attempt.server
    what = "callback" if attempt.role is Role.CALLBACK else "command connection"
    repeated = count(len(attempt.syns), "SYN") + " and " + count(len(attempt.syn_acks), "SYN+ACK")
    marks = sorted([*attempt.syns, *attempt.syn_acks])
    summary = (
        f"The SYN+ACK of {listener} never arrives at {caller}: {repeated} in {span(marks)}, the {what} is not opened."
    )
    cause = (
        f"the path from {listener.ip} to {caller} is broken in this direction: a firewall that drops, or a wrong route"
    )
    remedy = f"look at the firewalls and routes from {listener.ip} to {caller}, behind the place of this capture"
    packets = [mark.number for mark in marks]
    return case.problem("syn_ack_lost", summary, packets, attempt, cause=cause, remedy=remedy)


def rejecting(case: Case, attempt: Connection) -> tuple[str, str | None]:
    """An ICMP error: who sent it, and what it says; cause and remedy."""
    error = unreachables(attempt)[0]
    sender, target = address_text(error.sender), attempt.server
    if not any(ban in error.reason for ban in _BANS):
        remedy = f"look at the route from {sender} to {target.ip}, at that host, and at reject rules"
        if _answers_others(case, attempt):
            others = f"though {target} answers other connections at that time"
            return f"{sender} says that there is no path to {target.ip}, {others}: a route that comes and goes", remedy
        return f"{sender} knows no path to {target.ip}: no route, that host is down, or a firewall that says so", remedy
    if sender == target.ip:
        cause = f"the packet filter of {sender} itself rejects connections to port {target.port}"
        return cause, _open(attempt, sender)
    return f"a firewall ({sender}) rejects connections to {target}", _open(attempt, sender)


def _open(attempt: Connection, firewall: str) -> str:
    """What to change at a firewall."""
    ports = f"port {attempt.server.port}" + (" and lower" if attempt.role is Role.CALLBACK else "")
    return f"let new TCP connections from {attempt.client.ip} to {ports} of {attempt.server.ip} through at {firewall}"


__all__ = ["command", "left", "missing", "rejecting", "syn_ack_lost", "unanswered"]
