"""What went wrong with a task on a Universal Agent, as the exchanges show it (docs/agent.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissector.model import Connection, Exchange, Message, Outcome, Problem
from dissector.session.agent_facts import AgentFacts, Outage
from dissector.session.case import Case, count, general, open_call_text
from dissector.session.timeouts import CLOCK_SKEW, SECOND
from dissector.traffic import Side
from dissector.wire.agent import failure_of, is_connect
from dissector.wire.http_message import HttpMessage

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


#: What the text of an error says of cause and remedy beyond its code.
_ADVICE: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"HTML form POST is forbidden"),
        "somebody posted with the Content-Type of a web form, which the agent refuses whatever the credentials are",
        "send Content-Type: application/json; no master posts forms, so see who sent it",
    ),
    (
        re.compile(r"Unknown SessionToken"),
        "the session ended with a logout, or with the agent that gave it: tokens do not outlive it",
        "log in again",
    ),
    (
        re.compile(r"wrong tunnel secret", re.IGNORECASE),
        "whoever asked is not the task's master: its own task was one of the agent before it began anew and counted "
        "from 1 again, or it is no master at all",
        "see the agent's log for a restart, and which program sent this",
    ),
    (
        re.compile(r"as a JobScheduler or Classic Agent"),
        "a master of 1.8 or 1.9, or a process class with the URL of a classic agent, commands a Universal Agent",
        "use a master of 1.10 or later with it, or give the process class a classic agent's HOST:PORT",
    ),
)


_PROXY_WANTS_CREDENTIALS = 407
_PROXY_ADVICE = (
    "the proxy asks for a name and a password, which no master has for it",
    "let the master reach the agent without the proxy (http.nonProxyHosts), or let the proxy pass it without them",
)


def advice_of(response: HttpMessage) -> tuple[str | None, str | None]:
    """Cause and remedy where the text tells more than the code."""
    if response.status == _PROXY_WANTS_CREDENTIALS:
        return _PROXY_ADVICE
    text = failure_of(response) or ""
    return next(((cause, remedy) for words, cause, remedy in _ADVICE if words.search(text)), (None, None))


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
    code = "proxy_error" if is_connect(exchange.request) else code_of(exchange.response, otherwise)
    problem = general(code, _answer(exchange), exchange.time, exchange.packets)
    problem.connection = exchange.connection
    cause, remedy = advice_of(exchange.response)
    problem.cause, problem.remedy = cause or problem.cause, remedy or problem.remedy
    return _filled(problem, exchange.connection)


def unanswered(exchange: Exchange) -> Problem:
    """A start whose connection ended instead of an answer."""
    connection = exchange.connection
    client, server = connection.client, connection.server
    ended = connection.sides[Side.SERVER].fin or connection.sides[Side.SERVER].rst
    other = connection.sides[Side.CLIENT].fin or connection.sides[Side.CLIENT].rst
    by_server = ended is not None and (other is None or ended.number < other.number)
    summary = f"{client} ended the connection before {server} answered {exchange.type}."
    if by_server:
        summary = f"{server} ended the connection without an answer to {exchange.type}."
    problem = general("agent_refused_start", summary, exchange.time, exchange.request_packets)
    problem.connection = connection
    if by_server:
        problem.cause = (
            "the agent ended just then, or something that is no agent listens there, "
            "or the agent takes https only on this port"
        )
        problem.remedy = f"see what listens on {server}, and the agent's log; compare with the URL of the process class"
    else:
        problem.cause = "the master gave up waiting, ended, or was cut off"
        problem.remedy = f"see the master's log, and what the agent on {server} was busy with"
    return problem


def http_error(case: Case, answer: Message) -> Problem | None:
    """A start over HTTP that something else than a classic agent answered, or a proxy in its place."""
    body = answer.body
    if not isinstance(body, HttpMessage) or body.error is not None:
        return None
    text = " ".join((failure_of(body) or "").split())
    summary = f"{case.facts.record.remote} answered the start with HTTP {body.status}: {text}"
    code, (cause, remedy) = code_of(body, "start_error"), advice_of(body)
    return case.problem(code, summary, answer.packets, answer.connection, time=answer.time, cause=cause, remedy=remedy)


def problems(case: Case) -> Iterator[Problem]:
    about, outcome = case.facts.agent, case.facts.record.outcome
    if about is None:
        return
    if about.start is not None and about.start_failure is not None:
        # An agent that does not start the task says why.
        otherwise = "agent_wrong_target" if failure_of(about.start.response) is None else "agent_refused_start"
        yield _problem(case, code_of(about.start.response, otherwise), _answer(about.start), about.start)
    if about.kill is not None and outcome is Outcome.KILLED:
        yield _problem(case, "task_killed", "The master asked the agent to kill the task.", about.kill)
    if about.failed is not None:
        yield _problem(
            case, code_of(about.failed.response, "task_process_lost"), _failed(case, about.failed), about.failed
        )
    elif outcome is Outcome.LOST:
        yield _silent(case, about)
    elif about.repetitions:
        yield _repeated(case, about)
    if about.missed_by is not None:
        yield _late(case, about, about.missed_by)
    if about.start is not None and about.clock_skew is not None and abs(about.clock_skew) > CLOCK_SKEW:
        yield _skewed(case, about.start, about.clock_skew)


def _problem(case: Case, code: str, summary: str, exchange: Exchange, packets: tuple[int, ...] = ()) -> Problem:
    cause, remedy = advice_of(exchange.response) if exchange.response is not None else (None, None)
    evidence = packets or exchange.packets
    return case.problem(code, summary, evidence, exchange.connection, time=exchange.time, cause=cause, remedy=remedy)


def _answer(exchange: Exchange) -> str:
    text = failure_of(exchange.response)
    what = f"{exchange.type or exchange.request.element}"
    if text is None:
        return f"{exchange.connection.server} answered {what} with something that no agent says."
    status = "" if exchange.status == 200 else f" {exchange.status}"
    return f"{exchange.connection.server} answered {what} with{status}: {' '.join(text.split())[:_SHOWN]}"


def _failed(case: Case, exchange: Exchange) -> str:
    return f"{_answer(exchange)} (a tunnel request{open_call_text(case.facts)})"


def _skewed(case: Case, start: Exchange, skew: int) -> Problem:
    words = "ahead of" if skew > 0 else "behind"
    summary = f"The agent's clock is {abs(skew) / SECOND:.0f} s {words} the clock of the capture."
    return _problem(case, "clock_skew", summary, start, start.response_packets)


def _filled(problem: Problem, connection: Connection) -> Problem:
    words = {"client": connection.client.ip, "remote": connection.server, "port": connection.server.port}
    problem.cause, problem.remedy = problem.cause.format(**words), problem.remedy.format(**words)
    return problem


def _silent(case: Case, about: AgentFacts) -> Problem:
    """Nothing came any more of a task that was under way."""
    seconds = (case.now - about.heard) / SECOND
    waiting, outage = about.waiting, about.outage
    if waiting is None:
        summary = f"The master said nothing more about the task for {seconds:.0f} s."
        cause = "the master ended or was cut off: the agent kills a task of which it does not hear in time"
        return case.problem("heartbeat_missed", summary, (), None, time=about.heard, cause=cause)
    packets = [*waiting.request_packets, *(number for one in about.repetitions for number in one.request_packets)]
    tries = f", repeated {count(about.repeated, 'time')}" if about.repeated else ""
    what = "the start" if waiting is about.start else f"request {waiting.request_id or waiting.n}"
    summary = f"The agent did not answer {what}{open_call_text(case.facts)}{tries}."
    if outage is None:
        return case.problem("heartbeat_missed", summary, packets, waiting.connection, time=waiting.time)
    if outage.unanswered == outage.count:
        return _cut_off(case, waiting, outage, summary, packets)
    summary += f" {outage.server} then refused {count(outage.count, 'connection')}."
    cause = "the agent ended in the middle of the call (killed, crashed, stopped): nobody listens on its port any more"
    remedy = f"see why the agent on {outage.server.ip} ended: its log, and its system's log for killed processes"
    packets += outage.packets
    return case.problem(
        "heartbeat_missed", summary, packets, waiting.connection, time=waiting.time, cause=cause, remedy=remedy
    )


def _cut_off(case: Case, waiting: Exchange, outage: Outage, summary: str, packets: list[int]) -> Problem:
    """Nothing at all came from the agent's host any more."""
    server, client = outage.server, waiting.connection.client.ip
    summary += f" Nothing answered {count(outage.count, 'connection')} to {server} after that."
    cause = "the agent's host went down, or the network between master and agent was lost, or a firewall drops packets"
    remedy = f"check that {server.ip} runs and that {server} can be reached from {client}"
    evidence = [*packets, *outage.packets]
    return case.problem(
        "heartbeat_missed", summary, evidence, waiting.connection, time=waiting.time, cause=cause, remedy=remedy
    )


def _repeated(case: Case, about: AgentFacts) -> Problem:
    first = about.repetitions[0]
    connections = len({one.connection for one in about.repetitions})
    summary = (
        f"Request {first.request_id} was repeated {count(about.repeated, 'time')} "
        f"on {count(connections, 'other connection')}: no response came for {about.longest_wait / SECOND:.1f} s."
    )
    packets = tuple(number for one in about.repetitions for number in one.request_packets)
    return _problem(case, "request_repeated", summary, first, packets)


def _late(case: Case, about: AgentFacts, exchange: Exchange) -> Problem:
    beat = about.heartbeat
    period = (beat.period if beat is not None else None) or 0
    summary = (
        f"The master sent nothing for {(about.missed + period) / SECOND:.1f} s, "
        f"although it announced a word every {period / SECOND:.0f} s."
    )
    cause = "the master was frozen or overloaded, or its packets did not come through"
    return case.problem(
        "heartbeat_missed", summary, exchange.request_packets, exchange.connection, time=exchange.time, cause=cause
    )
