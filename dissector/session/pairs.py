"""Callback connections that no start announced, and connections that are there twice.

A callback that nobody announced may be that of a start whose command was lost, or go through an address translation.
It gets the task that it fits only when it fits no other, and when no other such callback fits that task: so it is held
back for a while.  A gateway that translates addresses shows each connection on both of its legs, with the same ports
and sequence numbers: the second one is a copy.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from dissector.limits import CLOCK_JITTER, MAX_CLOSED
from dissector.model import Connection, Endpoint, Mark
from dissector.session.cut import CutStarts
from dissector.session.join import Joiner
from dissector.session.life import JoinState, LifeEvent
from dissector.session.opened import OpenTasks
from dissector.session.task import TaskFacts
from dissector.session.timeouts import PAIR_PATIENCE
from dissector.session.verdict import closed_by, end_mark
from dissector.traffic import Side

#: So long after a connection its copy on the other leg may begin (ns); a new one with the same ports takes longer.
_COPY_WINDOW = 50_000_000
#: A callback may be captured so long before the answer to its start (ns).
_EARLIER = 1_000_000_000
#: Callbacks that are held at the same time.
_MOST_HELD = 256


class Unannounced:
    """Callbacks that nobody announced; ``strays`` are connections that fit a start whose port they do not call."""

    def __init__(self, joiner: Joiner, tasks: OpenTasks, cut: CutStarts) -> None:
        self._joiner = joiner
        self._tasks = tasks
        self._cut = cut
        self.strays: dict[Connection, TaskFacts] = {}
        self._held: OrderedDict[Connection, None] = OrderedDict()
        #: What waits in a capture that is followed, and until when.
        self._waiting: dict[Connection, int] = {}

    def drop(self, connection: Connection) -> None:
        """It is none, or it was decided."""
        self.strays.pop(connection, None)
        self._held.pop(connection, None)
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection, now: int | None = None) -> bool:
        """True while it is too early to tell whose callback it is: at its last packet, or in a capture that is followed
        at ``now``; when it has waited for long enough there, ``settle`` tells, though nothing more comes on it."""
        self._waiting.pop(connection, None)
        age = (connection.end if now is None else now) - connection.start
        if age >= PAIR_PATIENCE or self._joiner.announced(connection) is not None:
            return False
        if not self._fitting(connection):
            # Its start may have been captured behind it: if there are commands in the capture at all.
            is_early = self._joiner.has_commands and age < CLOCK_JITTER and not connection.mid_stream
            if is_early and now is not None:
                self._waiting[connection] = connection.start + CLOCK_JITTER
            return is_early
        if now is not None:
            self._waiting[connection] = connection.start + PAIR_PATIENCE
        self._held[connection] = None
        if len(self._held) > _MOST_HELD:
            self._held.popitem(last=False)
        return True

    def owner(self, connection: Connection) -> tuple[TaskFacts | None, bool]:
        """The task that it belongs to, if just one is possible; and whether several were."""
        announced = self._joiner.announced(connection)
        if announced is not None:
            self.drop(connection)
            return announced, False
        stray, fitting = self.strays.pop(connection, None), self._fitting(connection)
        if stray is not None:
            if stray.attempts and fitting:
                return None, True  # the start that it fitted got its own callback; what is left is a guess
            fitting = fitting if stray.attempts else [stray, *fitting]
        if len(fitting) == 1 and not self._is_contested(fitting[0], connection):
            self._held.pop(connection, None)
            return fitting[0], False
        for facts in fitting:
            facts.life.joined(LifeEvent.RIVAL, connection.first_packet, connection.start)
        return None, bool(fitting)

    def _is_contested(self, facts: TaskFacts, connection: Connection) -> bool:
        return facts.life.join is JoinState.CONTESTED or self._has_rival(connection, _told(facts) - _EARLIER)

    def _has_rival(self, connection: Connection, earliest: int) -> bool:
        """True when another such callback between these hosts began since, and is under way or held."""
        others = [*self._held, *(facts.record.callback for facts in self._tasks.lone(connection))]
        ends = connection.client.ip, connection.server.ip
        return any(
            other is not connection and not other.mid_stream and other.start >= earliest
            and (other.client.ip, other.server.ip) == ends
            for other in others
            if other is not None
        )  # fmt: skip

    def _fitting(self, connection: Connection) -> list[TaskFacts]:
        if connection.mid_stream:
            return []
        stray = self.strays.get(connection)
        halves = (*self._tasks.half_known(connection), *self._cut.fitting(connection))
        fitting = [facts for facts in halves if _told(facts) - _EARLIER <= connection.start]
        return [stray, *fitting] if stray is not None and not stray.attempts else fitting

    def heirs(self, facts: TaskFacts, connection: Connection) -> list[TaskFacts]:
        """The tasks that may have got ``connection`` in place of ``facts``, whose start announced its port: that client
        had left before, and who came then has taken the port, if the start that says so was not captured."""
        command = facts.record.command
        end = end_mark(command) if command is not None else None
        if command is None or end is None or end.time >= connection.start or closed_by(command) is not Side.CLIENT:
            return []
        return [half for half in self._tasks.half_known(connection) if half.record.start >= end.time]

    def settle(self, now: int) -> list[Connection]:
        """Forgets what was held and is no rival of newer ones any more; returns what has waited for long enough."""
        while self._held and next(iter(self._held)).start + 2 * PAIR_PATIENCE <= now:
            self._held.popitem(last=False)
        over = [connection for connection, until in self._waiting.items() if until <= now]
        for connection in over:
            del self._waiting[connection]
        return over


def _told(facts: TaskFacts) -> int:
    """When the start, or the answer to it, was seen."""
    message = facts.start or facts.start_answer
    return message.time if message is not None else facts.record.start


class Opened(NamedTuple):
    """A connection's ends and its SYN; None when that was not captured."""

    client: Endpoint
    server: Endpoint
    seq: int | None
    syn: Mark | None
    start: int


class Copies:
    """The newest connections by their ports; their records are not kept for it."""

    def __init__(self) -> None:
        self._newest: OrderedDict[tuple[int | None, int | None], Opened] = OrderedDict()

    def original(self, connection: Connection) -> tuple[Endpoint, Endpoint] | None:
        """Client and server of the connection that this new one shows again, with other addresses; None for one of its
        own."""
        if connection.mid_stream:
            return None
        syn = connection.syns[0] if connection.syns else None
        seq = connection.sides[Side.CLIENT].first_seq
        return self.of(Opened(connection.client, connection.server, seq, syn, connection.start))

    def of(self, new: Opened) -> tuple[Endpoint, Endpoint] | None:
        """The same for one that is no record."""
        client, server = new.client, new.server
        known = self._newest.get((client.port, server.port))
        if known is not None and _is_copy(known, new):
            return known.client, known.server
        self._newest[client.port, server.port] = new
        self._newest.move_to_end((client.port, server.port))
        if len(self._newest) > MAX_CLOSED:
            self._newest.popitem(last=False)
        return None


def _is_copy(known: Opened, new: Opened) -> bool:
    """True for the same SYN with other addresses: one hop later, or with the same IP id."""
    one, other = known.syn, new.syn
    if one is None or other is None or known.seq != new.seq:
        return False
    is_same = (one.ip_id != 0 and one.ip_id == other.ip_id) or abs(one.ttl - other.ttl) == 1
    other_ends = (known.client, known.server) != (new.client, new.server)
    return is_same and other_ends and 0 <= new.start - known.start <= _COPY_WINDOW
