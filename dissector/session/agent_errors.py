"""Requests that a Universal Agent, or whatever stands in its place, answered with an error (docs/agent.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dissector.model import Connection, Exchange, Message, Problem
from dissector.session.case import Case, open_call_text
from dissector.session.findings import Finding, Reason, first
from dissector.traffic import Side
from dissector.wire.agent import failure_of, is_connect
from dissector.wire.http_message import HttpMessage

_PROXY_WANTS_CREDENTIALS = 407
#: Longest text of an agent that is told.
_SHOWN = 300
#: Status, what the text has, code: the first row that fits tells what an error response means.
_ERRORS: tuple[tuple[frozenset[int] | None, re.Pattern[str] | None, str], ...] = (
    (frozenset((401,)), None, "agent_unauthorized"),
    (frozenset((403,)), None, "agent_unauthorized"),
    (frozenset((413,)), None, "body_too_large"),
    (frozenset((407, 502, 503, 504)), None, "proxy_error"),
    (None, re.compile(r"licen[cs]e ?key", re.IGNORECASE), "agent_license"),
    (None, re.compile(r"agent is terminating", re.IGNORECASE), "agent_terminating"),
    (None, re.compile(r"unknown tunnel|wrong tunnel secret", re.IGNORECASE), "tunnel_unknown"),
    (frozenset((410,)), None, "task_process_lost"),
    (None, re.compile(r"TunnelConnectionClosed|has closed the connection", re.IGNORECASE), "task_process_lost"),
    (frozenset((301, 302, 303, 307, 308, 404, 405)), None, "agent_wrong_target"),
)


@dataclass(slots=True)
class Answered:
    """A response with an error; ``otherwise`` is the problem code where the response does not tell which one."""

    case: Case | None
    about: Connection
    response: HttpMessage
    otherwise: str

    @property
    def code(self) -> str:
        return code_of(self.response, self.otherwise)

    @property
    def text(self) -> str:
        return " ".join((failure_of(self.response) or "").split())


@dataclass(slots=True)
class AnsweredExchange(Answered):
    exchange: Exchange

    @property
    def answer(self) -> str:
        one = self.exchange
        what = f"{one.type or one.request.element}"
        if failure_of(self.response) is None:
            return f"{one.connection.server} answered {what} with something that no agent says."
        status = "" if one.status == 200 else f" {one.status}"
        return f"{one.connection.server} answered {what} with{status}: {self.text[:_SHOWN]}"

    @property
    def open_call(self) -> str:
        return open_call_text(self.case.facts) if self.case is not None else ""


@dataclass(slots=True)
class AnsweredStart(Answered):
    """A start over HTTP."""

    message: Message

    @property
    def remote(self) -> object:
        return self.case.facts.record.remote if self.case is not None else None


def says(words: re.Pattern[str]) -> Callable[[Answered], bool]:
    """The text of the error has such words."""
    return lambda answered: bool(words.search(answered.text))


def exchange_packets(answered: AnsweredExchange) -> tuple[int, ...]:
    return answered.exchange.packets


def exchange_time(answered: AnsweredExchange) -> int:
    return answered.exchange.time


def answer_packets(answered: AnsweredStart) -> tuple[int, ...]:
    return answered.message.packets


def answer_time(answered: AnsweredStart) -> int:
    return answered.message.time


def proxy_asks(answered: Answered) -> bool:
    """The proxy wants credentials of whoever comes through it."""
    return answered.response.status == _PROXY_WANTS_CREDENTIALS


#: What the text of an error says of cause and remedy beyond its code.
ADVICE: tuple[Reason[Answered], ...] = (
    Reason(
        "the proxy asks for a name and a password, which no master has for it",
        "let the master reach the agent without the proxy (http.nonProxyHosts), or let the proxy pass it without them",
        (proxy_asks,),
    ),
    Reason(
        "somebody posted with the Content-Type of a web form, which the agent refuses whatever the credentials are",
        "send Content-Type: application/json; no master posts forms, so see who sent it",
        (says(re.compile(r"HTML form POST is forbidden")),),
    ),
    Reason(
        "the session ended with a logout, or with the agent that gave it: tokens do not outlive it",
        "log in again",
        (says(re.compile(r"Unknown SessionToken")),),
    ),
    Reason(
        "whoever asked is not the task's master: its own task was one of the agent before it began anew and counted "
        "from 1 again, or it is no master at all",
        "see the agent's log for a restart, and which program sent this",
        (says(re.compile(r"wrong tunnel secret", re.IGNORECASE)),),
    ),
    Reason(
        "a master of 1.8 or 1.9, or a process class with the URL of a classic agent, commands a Universal Agent",
        "use a master of 1.10 or later with it, or give the process class a classic agent's HOST:PORT",
        (says(re.compile(r"as a JobScheduler or Classic Agent")),),
    ),
    Reason(),
)
#: Their code is that which the response means (see above).
REFUSED: tuple[Finding[AnsweredExchange], ...] = (
    Finding("{code}", (), "{answer}", (exchange_packets,), ADVICE, time=exchange_time),
)
NOT_CONNECTED: tuple[Finding[AnsweredExchange], ...] = (
    Finding("proxy_error", (), "{answer}", (exchange_packets,), ADVICE, time=exchange_time),
)
TUNNEL_FAILED: tuple[Finding[AnsweredExchange], ...] = (
    Finding("{code}", (), "{answer} (a tunnel request{open_call})", (exchange_packets,), ADVICE, time=exchange_time),
)
HTTP_ERROR: tuple[Finding[AnsweredStart], ...] = (
    Finding(
        "{code}",
        (),
        "{remote} answered the start with HTTP {response.status}: {text}",
        (answer_packets,),
        ADVICE,
        time=answer_time,
    ),
)


def code_of(response: HttpMessage, otherwise: str) -> str:
    """The problem code of an error response."""
    text = failure_of(response) or ""
    for statuses, words, code in _ERRORS:
        if (statuses is None or response.status in statuses) and (words is None or words.search(text)):
            return code
    return otherwise


def is_impostor(response: HttpMessage) -> bool:
    """True where the agent says that a request is not the task's master's."""
    return "wrong tunnel secret" in (failure_of(response) or "").lower()


def refused(exchange: Exchange) -> Problem:
    """A request of no task that was answered with an error."""
    otherwise = "agent_refused_request" if exchange.kind == "command" else "tunnel_unknown"
    rows = NOT_CONNECTED if is_connect(exchange.request) else REFUSED
    return next(first(rows, AnsweredExchange(None, exchange.connection, exchange.response, otherwise, exchange)))


# --- no answer -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class NoAnswer:
    """A start whose connection ended instead of an answer."""

    case: None
    about: Connection
    exchange: Exchange


def ended_by_server(none: NoAnswer) -> bool:
    ended = none.about.sides[Side.SERVER].fin or none.about.sides[Side.SERVER].rst
    other = none.about.sides[Side.CLIENT].fin or none.about.sides[Side.CLIENT].rst
    return ended is not None and (other is None or ended.number < other.number)


def asked_packets(none: NoAnswer) -> tuple[int, ...]:
    return none.exchange.request_packets


def asked_time(none: NoAnswer) -> int:
    return none.exchange.time


NO_ANSWER: tuple[Finding[NoAnswer], ...] = (
    Finding(
        "agent_refused_start",
        (ended_by_server,),
        "{about.server} ended the connection without an answer to {exchange.type}.",
        (asked_packets,),
        (
            Reason(
                "the agent ended just then, or something that is no agent listens there, "
                "or the agent takes https only on this port",
                "see what listens on {about.server}, and the agent's log; compare with the URL of the process class",
            ),
        ),
        time=asked_time,
    ),
    Finding(
        "agent_refused_start",
        (),
        "{about.client} ended the connection before {about.server} answered {exchange.type}.",
        (asked_packets,),
        (
            Reason(
                "the master gave up waiting, ended, or was cut off",
                "see the master's log, and what the agent on {about.server} was busy with",
            ),
        ),
        time=asked_time,
    ),
)


def unanswered(exchange: Exchange) -> Problem:
    return next(first(NO_ANSWER, NoAnswer(None, exchange.connection, exchange)))


def http_error(case: Case, answer: Message) -> Iterator[Problem]:
    """A start over HTTP that something else than a classic agent answered, or a proxy in its place."""
    body = answer.body
    if isinstance(body, HttpMessage) and body.error is None:
        yield from first(HTTP_ERROR, AnsweredStart(case, answer.connection, body, "start_error", answer))
