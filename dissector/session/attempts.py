"""Connections that are meant as callbacks: whose they are, once they get through."""

from __future__ import annotations

from dissector.model import Connection, Role
from dissector.session.keeping import Keeper
from dissector.session.pairs import Unannounced
from dissector.session.task import TaskFacts


class Attempts(Keeper):
    """The part of the tracer that callback connections ask."""

    _unannounced: Unannounced

    def begins(self, connection: Connection) -> None:
        """A connection comes in sight, maybe before its SYN; nobody knows yet what it is."""
        self._order.opened(connection)
        self._joiner.begins(connection.server)

    def callback_opened(self, facts: TaskFacts, connection: Connection) -> TaskFacts:
        """First data on a callback connection: it got through.  Of several starts that wait for the same port the
        choice may be another one now than it was at the SYN."""
        chosen = self._joiner.announced(connection) or facts
        if chosen.confirmed and chosen.record.callback not in (None, connection):
            chosen = self._lone(connection)  # a task process calls once
        elif heirs := self._unannounced.heirs(chosen, connection):
            chosen = heirs[0] if len(heirs) == 1 else self._lone(connection, is_unclear=True)
            chosen.record.callback_port = connection.server.port
        if chosen is not facts:
            self._lost_attempt(facts, connection)
            chosen.attempts.append(connection)
            connection.task = chosen.record
        record = chosen.record
        record.callback, record.callback_peer = connection, connection.client
        if chosen.start is not None:
            record.callback_delay = connection.start - chosen.start.time
        self.under_way.changed(chosen)
        return chosen

    def callback_foreign(self, facts: TaskFacts, connection: Connection, packet: int) -> None:
        """Somebody else took the port; the real callback will find it closed."""
        facts.intruder, facts.foreign_packet = connection, packet
        facts.record.callback = facts.record.callback_peer = None
        self._lost_attempt(facts, connection)
        connection.role = Role.UNKNOWN

    def _lost_attempt(self, facts: TaskFacts, connection: Connection) -> None:
        """The connection is no callback of ``facts`` after all."""
        facts.attempts.remove(connection)
        self.under_way.changed(facts)
        self._joiner.expect(facts)
