"""What a probe of a remote scheduler or Universal Agent did and met, and the problem that it ended with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Endpoint, Problem
from dissector.numbers import count
from dissector.session.agent_errors import code_of
from dissector.session.case import by_whom
from dissector.session.codes import CODES
from dissector.session.start_errors import advice
from dissector.traffic import Side
from dissector.wire.agent import failure_of
from dissector.wire.control import XmlError
from dissector.wire.http_message import parse_http

#: Longest text of a peer that is told.
_SHOWN = 300
_DROPS = "a firewall of this host itself drops the SYNs: they arrived here"
_REFUSES = "a firewall of this host itself rejects the SYNs: they arrived here, and the port was open"


@dataclass(slots=True)
class ProbeStep:
    """``seconds`` from its begin to its end, good or bad."""

    name: str
    seconds: float
    is_good: bool
    text: str = ""


@dataclass(slots=True)
class Fault:
    """Why an attempt went no further: a problem code, what was seen, the ERROR that a remote answered; a cause where
    it is known better than from the code, and the packets that prove it."""

    code: str
    text: str
    error: XmlError | None = None
    cause: str | None = None
    packets: tuple[int, ...] = ()


@dataclass(slots=True)
class Attempt:
    """One start, with ``port`` for its callback (None at an agent).

    ``started`` names the process that was started; ``has_ended``: the remote has confirmed its end.  ``is_busy``: the
    port is in use on this host, so that nothing was started.
    """

    port: int | None = None
    steps: list[ProbeStep] = field(default_factory=list)
    client: Endpoint | None = None
    peer: Endpoint | None = None
    started: str | None = None
    has_ended: bool = False
    is_busy: bool = False
    fault: Fault | None = None

    @property
    def is_good(self) -> bool:
        return self.fault is None and not self.is_left and not self.is_busy

    @property
    def is_left(self) -> bool:
        """A process may still be there."""
        return self.started is not None and not self.has_ended

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)


@dataclass(slots=True)
class ProbeResult:
    """``problems`` say what went wrong; those of captured packets where there are some."""

    target: str
    kind: str
    remote: Endpoint
    attempts: list[Attempt]
    problems: list[Problem] = field(default_factory=list)
    #: Somebody ended it.
    is_interrupted: bool = False

    @property
    def tried(self) -> list[Attempt]:
        """Those whose port was to be had."""
        return [one for one in self.attempts if not one.is_busy]

    @property
    def is_good(self) -> bool:
        return bool(self.tried) and all(one.is_good for one in self.tried) and not self.is_interrupted


#: What packets prove of a path that is not open; other problems may come of how a probe ends.
_OF_THE_PATH = frozenset({
    "command_unanswered", "command_refused", "command_rejected", "start_error", "start_cut", "syn_ack_lost",
    "callback_dropped", "callback_refused", "callback_elsewhere", "callback_late", "callback_missing",
    "callback_foreign_bytes", "connection_lost", "path_mtu", "agent_wrong_target", "agent_unauthorized",
    "agent_license", "agent_terminating", "agent_refused_start", "tls_handshake_failed", "tls_expected",
    "tls_unexpected", "proxy_error",
})  # fmt: skip


def is_of_the_path(problem: Problem) -> bool:
    """It tells why a path is not open, and not how the probe ended."""
    return problem.code in _OF_THE_PATH


def problems_of(result: ProbeResult, now: int) -> list[Problem]:
    """What the sockets tell: a problem for each kind of fault, with the ports that have it where not all do."""
    groups: dict[tuple[str, str | None], list[Attempt]] = {}
    for attempt in result.attempts:
        if attempt.fault is not None:
            groups.setdefault((attempt.fault.code, attempt.fault.cause), []).append(attempt)
    return [_problem(some, result, now) for some in groups.values()]


def _problem(attempts: Sequence[Attempt], result: ProbeResult, now: int) -> Problem:
    """Of the first one; the others went alike."""
    attempt, remote = attempts[0], result.remote
    fault = attempt.fault
    assert fault is not None
    entry = CODES[fault.code]
    client = attempt.client.ip if attempt.client is not None else "this host"
    words = {"client": client, "remote": str(remote), "port": str(attempt.port)}
    if fault.error is not None:
        cause, remedy = advice(fault.error, client, str(remote), remote.ip)
    else:
        cause, remedy = entry.cause.format_map(words), entry.remedy.format_map(words)
    cause = cause if fault.cause is None else fault.cause
    text = fault.text or entry.meaning
    if len(attempts) > 1:
        text += f" The same with {count(len(attempts) - 1, 'more port')}."
    packets = tuple(number for one in attempts if one.fault is not None for number in one.fault.packets)
    return Problem(fault.code, entry.severity, now, packets[:MAX_EVIDENCE], text, cause, remedy, logs=entry.engine)


def look_closer(attempts: Iterable[Attempt], connections: Iterable[Connection]) -> None:
    """Packets tell what a socket can not: whether a callback reached this host, and what became of it."""
    known = list(connections)
    for attempt in attempts:
        fault = attempt.fault
        if fault is None:
            continue
        if fault.code == "callback_missing":
            met = [one for one in known if one.server.port == attempt.port]
            attempt.fault = _of_callback(met[-1], fault) if met else fault
        elif attempt.client is not None:
            own = [one for one in known if one.client.port == attempt.client.port]
            fault.packets = tuple(mark.number for one in own for mark in one.syns)


def _of_callback(met: Connection, fault: Fault) -> Fault:
    packets = tuple(mark.number for mark in met.syns)
    called = f"{met.client} called back to port {met.server.port} ({count(len(packets), 'SYN')})"
    refusals = [error.number for error in met.icmp]
    if (reset := met.sides[Side.SERVER].rst) is not None:
        refusals.append(reset.number)
    if refusals:
        text = f"{called}, and this host refuses it{by_whom(met)}."
        return Fault("callback_refused", text, cause=_REFUSES, packets=(*packets, *refusals))
    if met.syn_acks:
        answers = tuple(mark.number for mark in met.syn_acks)
        return Fault("syn_ack_lost", f"{called}; the answer does not arrive there.", packets=(*packets, *answers))
    if not packets:
        return fault
    return Fault("callback_dropped", f"{called}, and this host does not answer.", cause=_DROPS, packets=packets)


def refusal(head: bytes, body: bytes, otherwise: str) -> Fault:
    """What an agent's response with an error means; ``otherwise`` is the code where it does not say."""
    message = parse_http(head.rstrip(b"\r\n") + b"\r\n\r\n" + body, False)
    text = " ".join((failure_of(message) or "").split())[:_SHOWN]
    return Fault(code_of(message, otherwise), f"The agent answered {message.status}: {text}" if text else "")


def port_ranges(attempts: Iterable[Attempt]) -> list[tuple[str, list[Attempt]]]:
    """Attempts on neighbouring ports that went alike, the highest port first, each with what became of them."""
    found: list[tuple[str, list[Attempt]]] = []
    for attempt in sorted(attempts, key=lambda one: -(one.port or 0)):
        state = state_of(attempt)
        if found and found[-1][0] == state and found[-1][1][-1].port == (attempt.port or 0) + 1:
            found[-1][1].append(attempt)
        else:
            found.append((state, [attempt]))
    return found


def state_of(attempt: Attempt) -> str:
    """In one word: open, in use here, left behind, or the code of the problem."""
    if attempt.is_busy:
        return "in use here"
    if attempt.fault is not None:
        return attempt.fault.code
    return "left behind" if attempt.is_left else "open"
