"""What kept a task from starting, as the command connection shows it: no connection, no answer, an error, an early end.

The operator reads Z-REMOTE-118 after 60 s in every one of these cases; the packets tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Message, Outcome, Problem
from dissector.session.agent_errors import http_error
from dissector.session.case import Case
from dissector.session.conditions import asked_once, unopened
from dissector.session.findings import Finding, Phrase, Reason, first
from dissector.session.start_errors import Advice, advice
from dissector.session.subjects import (
    Ending,
    Tried,
    answer_lost,
    answers_others,
    banned,
    end_packet,
    forged,
    no,
    refusal_packets,
    refused,
    reported,
    reported_by_host,
    syn_ack_packets,
    syn_packets,
    tried_once,
    was_reset,
)
from dissector.session.timeouts import AT_ONCE
from dissector.session.verdict import end_mark, is_rejected
from dissector.traffic import Side
from dissector.wire.control import XmlError

# --- connections that do not come about ----------------------------------------------------------------------------

SYN_ACK_LOST: Finding[Tried] = Finding(
    "syn_ack_lost",
    (answer_lost,),
    "The SYN+ACK of {about.server} never arrives at {about.client.ip}: {syns} and {syn_acks} in {handshake_span}, "
    "the {what} is not opened.",
    (syn_packets, syn_ack_packets),
    (
        Reason(
            "the path from {about.server.ip} to {about.client.ip} is broken in this direction: a firewall that drops, "
            "or a wrong route",
            "look at the firewalls and routes from {about.server.ip} to {about.client.ip}, behind the place of this "
            "capture",
        ),
    ),
)
#: An answer may not be captured.
ONCE: Phrase[Tried] = Phrase(
    " (less certain: an unanswered SYN is retransmitted, so an answer may not be captured)", (tried_once,)
)
NO_ANSWER = "{syns} to {about.server} in {syns_span}, no answer."
_OPEN = "let new TCP connections from {about.client.ip} to {ports} of {about.server.ip} through at {reporter}"
_ROUTE = "look at the route from {reporter} to {about.server.ip}, at that host, and at reject rules"
#: What an ICMP error says.
REJECTING: tuple[Reason[Tried], ...] = (
    Reason(
        "{reporter} says that there is no path to {about.server.ip}, though {about.server} answers other connections "
        "at that time: a route that comes and goes",
        _ROUTE,
        (no(banned), answers_others),
    ),
    Reason(
        "{reporter} knows no path to {about.server.ip}: no route, that host is down, or a firewall that says so",
        _ROUTE,
        (no(banned),),
    ),
    Reason(
        "the packet filter of {reporter} itself rejects connections to port {about.server.port}",
        _OPEN,
        (reported_by_host,),
    ),
    Reason("a firewall ({reporter}) rejects connections to {about.server}", _OPEN),
)
UNREACHABLE: tuple[Finding[Tried], ...] = (
    SYN_ACK_LOST,
    Finding(
        "command_refused",
        (reported,),
        "{about.server} refused the command connection by {reporter} (ICMP: {report}).",
        (syn_packets, refusal_packets),
        REJECTING,
    ),
    Finding(
        "command_refused",
        (refused,),
        "{about.server} refused the command connection (RST).",
        (syn_packets, refusal_packets),
    ),
    Finding(
        "command_unanswered",
        (answers_others,),
        NO_ANSWER,
        (syn_packets,),
        (
            Reason(
                "{about.server} answers other connections at that time: the remote scheduler is too busy to accept "
                "more, packets are lost, or a firewall drops those of {about.client.ip}",
                "look at the load of the remote scheduler on {about.server.ip}; start fewer tasks at a time",
            ),
        ),
        (ONCE,),
    ),
    Finding("command_unanswered", (), NO_ANSWER, (syn_packets,), more=(ONCE,)),
)


@dataclass(slots=True)
class StartError:
    """The start was answered by an error."""

    case: Case
    about: Connection
    error: XmlError
    answer: Message

    @property
    def words(self) -> str:
        error = self.error
        return (error.text if error.text.startswith(error.code) else f"{error.code} {error.text}").rstrip()

    @property
    def advice(self) -> Advice:
        server = self.about.server
        return advice(self.error, self.about.client.ip, str(server), server.ip)


def answer_packets(found: StartError) -> tuple[int, ...]:
    return found.answer.packets


START_ERROR: tuple[Finding[StartError], ...] = (
    Finding(
        "start_error",
        (),
        "The remote answered the start with an error: {words}",
        (answer_packets,),
        (Reason("{advice.cause}", "{advice.remedy}"),),
    ),
)


# --- the remote ended the command connection -----------------------------------------------------------------------


def at_once(ending: Ending) -> bool:
    """As a remote does that does not know the client, when it has accepted the connection."""
    return ending.since_opened <= AT_ONCE


def in_order(ending: Ending) -> bool:
    """With a FIN."""
    return ending.about.sides[Side.SERVER].fin is ending.end


_WHY_ENDED = "see why the remote scheduler on {about.server.ip} ended: its own log, and that of its host"
_BEFORE = "the command connection {after} after it was opened, before the start was answered."
_ENDED = "the remote scheduler ended (killed, crashed, stopped) before it answered, or "
#: A reset alone, or an end long after the connection was opened, is no remote that does not know the client.
REJECTED: tuple[Finding[Ending], ...] = (
    Finding(
        "command_rejected",
        (in_order, at_once),
        "{about.server} accepted the command connection and closed it without a byte.",
        (end_packet,),
    ),
    Finding(
        "start_cut",
        (forged,),
        f"A device in between {{how}} {_BEFORE}",
        (end_packet,),
        (Reason("{by_device}", "{between}"),),
    ),
    Finding(
        "start_cut",
        (was_reset,),
        f"{{about.server}} {{how}} {_BEFORE}",
        (end_packet,),
        (Reason(f"{_ENDED}a device sent the reset", _WHY_ENDED),),
    ),
    Finding(
        "start_cut",
        (),
        f"{{about.server}} {{how}} {_BEFORE}",
        (end_packet,),
        (Reason(f"{_ENDED}closed the connection", _WHY_ENDED),),
    ),
)


def command(case: Case) -> Iterator[Problem]:
    """The command connection that never was, or that the remote did not like."""
    facts = case.facts
    connection = facts.record.command
    outcome = facts.record.outcome
    may_be_answered = outcome is Outcome.UNKNOWN and unopened(case) and asked_once(case)
    if connection is None or not (may_be_answered or outcome in (Outcome.UNREACHABLE, Outcome.REFUSED)):
        return
    if outcome is not Outcome.REFUSED:
        yield from first(UNREACHABLE, Tried(case, connection))
    elif facts.start_error is not None and (answer := facts.start_answer) is not None:
        over_http = list(http_error(case, answer))
        yield from over_http or first(START_ERROR, StartError(case, connection, facts.start_error, answer))
    elif is_rejected(facts) and (end := end_mark(connection)) is not None:
        yield from first(REJECTED, Ending(case, connection, end, Side.SERVER))
