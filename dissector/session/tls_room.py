"""All connections with TLS: which are looked into, what is made of what they carry, and what is told of the others.

Looked into are those to ports that are known for agents, all where there are secrets to try, and the first ones
elsewhere for as long as there is no task: a capture that holds nothing but HTTPS to a port of its own should say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from dissector.limits import MAX_TLS_HELD_IN_ALL, MAX_TLS_LOOKS
from dissector.model import Connection, Problem, Role, Severity, Task
from dissector.numbers import count
from dissector.session import rules_tls, tls_sealed
from dissector.session.exchanges import Exchanges
from dissector.session.numbering import Sequencer
from dissector.session.overview import Overview
from dissector.session.sniffer import Sniffer
from dissector.session.tls import IN_PART, Sealed, Tls
from dissector.stream.flows import Flow
from dissector.stream.reassembly import Connections
from dissector.traffic import Chunk, Gap, Side
from dissector.wire import tls as wire
from dissector.wire.tls_keys import Secrets

#: Problems that are told apart, and servers on ports that nobody named of which one is told.
_MOST_KINDS, _MOST_SERVERS = 1_024, 8


class TlsTracer(Protocol):
    """What is asked of the tracer."""

    def sniffer(self, connection: Connection, *, is_inside: bool = False) -> Sniffer: ...
    def decide(self, flow: Flow | Sealed, sniffer: Sniffer, *, over: bool = False) -> None: ...
    def carried(self, flow: Flow | Sealed, event: Chunk | Gap) -> None: ...
    def take(self, connection: Connection, role: Role, task: Task | None) -> None: ...


@dataclass(slots=True)
class _Told:
    problem: Problem
    sealed: Tls
    #: Nobody heard of it so far.
    waits: bool
    number: int = 1


class TlsRoom:
    """``secrets`` are those that the user gave; more may come."""

    def __init__(
        self, tracer: TlsTracer, order: Sequencer, connections: Connections, overview: Overview, secrets: Secrets
    ) -> None:
        self.secrets = secrets
        self._tracer, self._order, self._connections, self._overview = tracer, order, connections, overview
        self._looks = self._held = 0
        self._told: dict[tuple[object, ...], _Told] = {}

    # --- which -----------------------------------------------------------------------------------------------------

    def wants(self, is_known: bool) -> bool:
        """True where a connection that begins like TLS is looked into; ``is_known``: its port is known for agents."""
        return is_known or bool(self.secrets) or (self._looks < MAX_TLS_LOOKS and not self._overview.has_tasks)

    def begin(self, flow: Flow, sniffer: Sniffer) -> Tls:
        """Takes a connection."""
        connection, is_known = flow.connection, sniffer.is_command_port
        from_start = bool(wire.is_client_hello(sniffer.head))
        self._looks += not is_known and not self.secrets
        return Tls(connection, flow, self, self.secrets, is_known=is_known, from_start=from_start)

    # --- what they ask (TlsDesk) -----------------------------------------------------------------------------------

    def opened(self, inner: Sealed) -> None:
        self._overview.seen.knows_better = True
        inner.handler = self._tracer.sniffer(inner.connection, is_inside=True)

    def plain(self, inner: Sealed, event: Chunk | Gap) -> None:
        if inner.handler is not None:
            self._tracer.carried(inner, event)

    def missing(self, inner: Sealed, side: Side) -> None:
        if isinstance(inner.handler, Exchanges):
            inner.handler.missing(side)

    def plain_closed(self, inner: Sealed) -> None:
        if isinstance(inner.handler, Sniffer):
            self._tracer.decide(inner, inner.handler, over=True)
        if inner.handler is not None:
            inner.handler.closed(inner.connection.last_packet, inner.connection.end)

    def stays_sealed(self, sealed: Tls) -> None:
        connection = sealed.connection
        if not sealed.facts.decrypted:
            self._order.decided(connection)
            # Somebody else's, most likely: the user gave secrets, but none of this one.
            if not sealed.is_known and self.secrets and not self._is_looked_into():
                self._connections.ignore(sealed.inner.outer)

    def talks_sealed(self, sealed: Tls) -> None:
        if sealed.is_known:
            self._sealed(sealed)

    def _sealed(self, sealed: Tls) -> None:
        """Tells, once, that a connection could not be deciphered."""
        facts = sealed.facts
        if not sealed.is_told and facts.reason is not None:
            sealed.is_told = True
            likely = sealed.is_known or facts.decrypted or sealed.rhythm.is_task
            kind = sealed.connection.server, facts.reason
            self._note(kind, tls_sealed.sealed_problem(sealed, is_likely=likely), sealed)

    def _is_looked_into(self) -> bool:
        self._looks += 1
        return self._looks <= MAX_TLS_LOOKS and not self._overview.has_tasks

    def foreign(self, inner: Sealed) -> None:
        """What was deciphered is none of JobScheduler's."""
        inner.handler = None
        if not inner.connection.n:
            self._connections.ignore(inner.outer)

    def room(self, size: int) -> bool:
        if self._held + size > MAX_TLS_HELD_IN_ALL:
            return False
        self._held += size
        return True

    # --- what is told ----------------------------------------------------------------------------------------------

    def tls_ended(self, sealed: Tls) -> None:
        """A connection is over."""
        facts, rhythm = sealed.facts, sealed.rhythm
        server = sealed.connection.server
        if (failed := rules_tls.failure(sealed)) is not None:
            self._note((server, failed.code, failed.cause), failed, sealed)
        elif facts.reason is not None and (facts.opened or facts.reason == IN_PART):
            self._sealed(sealed)
            if rhythm.is_task:
                self._note((server, "task"), tls_sealed.guessed(sealed), sealed)
        if facts.renegotiations and (sealed.is_known or facts.decrypted):
            self._note((server, "again"), tls_sealed.renegotiated(sealed), sealed)

    def _note(self, kind: tuple[object, ...], problem: Problem, sealed: Tls) -> None:
        told, is_ours = self._told.get(kind), sealed.is_known or bool(sealed.connection.n)
        if is_ours and not sealed.connection.n:
            self._tracer.take(sealed.connection, Role.TLS, None)
        if told is not None:
            told.number += 1
        elif len(self._told) < _MOST_KINDS:
            self._told[kind] = _Told(problem, sealed, waits=not is_ours)
            if is_ours:
                self._overview.seen.knows_better = True
                self._order.emit(problem)

    def told(self) -> Iterator[Problem | Connection]:
        """At the end: what was found on ports that nobody named, if there is no task, and how often each thing was."""
        servers: set[object] = set()
        for told in self._told.values():
            connection = told.sealed.connection
            if told.waits:
                if self._overview.has_tasks and not told.sealed.rhythm.is_task:
                    continue
                servers.add(connection.server)
                if len(servers) > _MOST_SERVERS:
                    continue
                self._overview.seen.knows_better = True
                if not connection.n:
                    self._tracer.take(connection, Role.TLS, None)
                    yield connection
                yield told.problem
            if told.number > 1:
                more = count(told.number - 1, "more connection")
                yield _again(told.problem, f"{more} to {connection.server}: the same.")


def _again(problem: Problem, summary: str) -> Problem:
    code, time, packets = problem.code, problem.time, problem.packets
    return Problem(code, Severity.INFO, time, packets, summary, problem.cause, problem.remedy)
