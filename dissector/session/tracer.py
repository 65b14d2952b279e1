"""Packets in, events out: the whole session floor behind ``feed`` and ``finish``.

An event is a Message, Problem, Task or Connection, handed out once, when nothing about it can change any more: a
request with its answer (or with its connection's end), a connection shortly after its end (late segments still count),
a task when its connections are through.  Time is packet time; nothing here reads a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Reversible, Sequence
from functools import partial
from itertools import count

from dissector.limits import CLOCK_JITTER, MAX_CLOSED, MAX_CONNECTIONS
from dissector.model import Connection, Event, Role, Task
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.session import bounds, detect
from dissector.session.attempts import Attempts
from dissector.session.commands import Command
from dissector.session.cut import CutStarts
from dissector.session.early import Early
from dissector.session.exchanges import Exchanges
from dissector.session.handlers import Callback, Sniffer
from dissector.session.join import Joiner
from dissector.session.numbering import Sequencer
from dissector.session.overview import Overview
from dissector.session.packet_time import PacketTime
from dissector.session.pairs import Copies, Unannounced
from dissector.session.strangers import Strangers
from dissector.session.task import TaskFacts
from dissector.session.timeouts import LINGER
from dissector.session.tls import Sealed, Tls
from dissector.session.tls_room import TlsRoom
from dissector.session.unreached import Unreached
from dissector.stream.fast_path import advance, segment_of
from dissector.stream.flows import Entry
from dissector.stream.reassembly import Connections, Flow
from dissector.traffic import Chunk, Closed, Gap, IcmpError, Opened, Packet, Segment, Side, StreamEvent
from dissector.wire.tls_keys import Secrets

#: So often (nanoseconds) is looked after what only time changes.
_WAKES = 250_000_000


class Tracer(Attempts):
    """``command_ports`` and ``callback_ports`` (lowest, highest) are hints for connections whose bytes say nothing;
    ``window`` is how long (nanoseconds) a task's number may be held back, None for files (see ``numbering``).  Without
    ``messages`` no Message comes out, and most are never made; all else is the same.  With ``made_by_others`` that
    holds for callback connections of which it is true, but a stand-in comes out for each message (``numbering``).
    ``secrets``: to decipher TLS with."""

    def __init__(
        self,
        command_ports: Iterable[int] = COMMAND_PORTS,
        callback_ports: tuple[int, int] = CALLBACK_PORTS,
        window: int | None = None,
        messages: bool = True,
        made_by_others: Callable[[Connection], bool] | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        ports, clock = frozenset(command_ports), PacketTime()
        joiner, overview = Joiner(callback_ports, ports), Overview(clock, callback_ports)
        super().__init__(Sequencer(window), messages, made_by_others, joiner, clock, overview)
        listens = partial(detect.listens, ports, callback_ports)
        self._connections = Connections(self._notes.fragment, listens, overview.unread, on_waiting=self.begins)
        #: Keys of packets that need no parsing but for SYN, FIN and RST; who skips those too tells ``ended`` the keys.
        self.foreign, self.ended = self._connections.foreign, self._connections.ended
        self.passed, self.reorder = self._connections.passed, self._connections.reorder
        #: A capture that is followed has no end at which somebody would look back.
        self._forgets = window is not None
        self.next_number = count(1).__next__
        self._cut, self._copies = CutStarts(callback_ports, self), Copies()
        self._unannounced = Unannounced(self._joiner, self.under_way, self._cut)
        self._closing, self._unreached, self._early = deque[Flow](), Unreached(), Early()
        self.tls = TlsRoom(self, self._order, self._connections, overview, Secrets() if secrets is None else secrets)
        self.strangers = Strangers(
            callback_ports, self._connections, joiner, self._copies, self._early, self._order, overview, self.tls
        )

    def feed(self, packet: Packet) -> Sequence[Event]:
        """Takes one packet; returns the events that it made final."""
        self.take_packet(packet)
        return self.ready()

    def take_packet(self, packet: Packet) -> None:
        """The same, for who asks for the events himself."""
        clock, time, key = self.clock, packet[1], packet[5]
        if time >= clock.now:
            clock.now = time
        elif time < clock.now - CLOCK_JITTER:
            self._notes.clock_backwards(packet, clock.now)
        if time >= self.reorder.deadline:
            self.catch_up(time)
        entry = None if key is None else self._connections.find(key)
        brought = advance(entry, packet) if entry is not None and entry[2].steady else False
        if brought is False or entry is None:
            self._parse(packet, entry)
        elif brought is not True:
            handler = entry[0].handler
            if type(handler) is Callback or type(handler) is Exchanges:
                handler.chunk(brought)
            else:
                self._stream_event(entry[0], brought)

    def catch_up(self, now: int) -> None:
        """Segments that waited for others until ``now`` go on."""
        for flow, event in self._connections.overdue(now):
            self._stream_event(flow, event)

    def wake(self, now: int) -> Sequence[Event]:
        """Looks after what only time changes, once what waited went on; returns the events that are final."""
        self.clock.now, self.clock.wake = now, now + _WAKES
        self.catch_up(now)
        self._age()
        return self._order.drain(now)

    def ready(self) -> Sequence[Event]:
        """The events that are final by now."""
        now, order = self.clock.now, self._order
        return self.wake(now) if now >= self.clock.wake else order.drain(now) if order.is_waiting else ()

    def in_step(self, key: bytes, others: int) -> tuple[Entry, Callback | Exchanges | Tls] | None:
        """The connection of a packet's key, if whole messages on it bring nothing but facts about its task and there is
        room for so many ``others``: else it may be given up at any packet."""
        entry = self._connections.find(key)
        handler = entry.flow.handler if entry is not None else None
        if entry is None or not isinstance(handler, (Callback, Exchanges, Tls)) or not handler.in_step:
            return None
        has_to_wait = not self.wants_messages and self._order.holds(entry.flow.connection.task)
        if type(handler) is Callback and (self._unannounced.strays or has_to_wait):
            return None
        return (entry, handler) if len(self._connections) + others <= MAX_CONNECTIONS else None

    def _parse(self, packet: Packet, entry: Entry | None) -> None:
        """Takes a packet that is not for the fast path; ``entry`` is the one of its key."""
        key = packet[5]
        if key is not None and not packet[7]:
            segment = segment_of(packet, key)
            reports = self._connections.feed(segment) if entry is None else self._connections.go_on(entry, segment)
            for flow, event in reports:
                self._stream_event(flow, event)
            return
        record = self._connections.parse(packet)
        if isinstance(record, Segment):
            for flow, event in self._connections.feed(record):
                self._stream_event(flow, event)
        elif isinstance(record, IcmpError):
            self._connections.feed_icmp(record)

    def tick(self, now: int) -> list[Event]:
        """Nothing came until ``now`` (packet time): for captures that are followed as they grow."""
        if now > self.clock.now:
            for flow, event in self._connections.age(now):
                self._stream_event(flow, event)
            return list(self.wake(now))
        return self._order.drain(self.clock.now)

    def finish(self) -> list[Event]:
        """The capture is over: everything open becomes final as it is."""
        for flow, event in self._connections.finish():
            self._stream_event(flow, event)
        while self._closing:
            self._settle(self._closing.popleft())
        for connection in self._unreached.due(None):
            self._unreachable(connection)
        for facts in self.under_way:
            self._finish_task(facts)
        for problem in (*self._notes.problems(), *self.tls.told()):
            self._order.emit(problem)
        return self._order.drain(None)

    # --- connections -----------------------------------------------------------------------------------------------

    def _stream_event(self, flow: Flow, event: StreamEvent) -> None:
        if isinstance(event, Opened):
            self._opened(flow)
        elif isinstance(event, Closed):
            self._closed(flow)
        elif flow.handler is not None:
            if isinstance(event, Gap) and event.snapped and event.side is Side.CLIENT:
                self._cut.note(flow, event)
            self.carried(flow, event)

    def carried(self, flow: Flow | Sealed, event: Chunk | Gap) -> None:
        """Bytes of a connection, or of what it carries inside of TLS."""
        if flow.handler is not None and isinstance(event, Gap):
            flow.handler.gap(event)
        elif flow.handler is not None:
            flow.handler.chunk(event)
            if isinstance(flow.handler, Sniffer):
                self.decide(flow, flow.handler)

    def _opened(self, flow: Flow) -> None:
        connection = flow.connection
        if (original := self._copies.original(connection)) is not None:  # no handler: nobody looks at its bytes
            self._notes.copied(original, connection)
            self._order.decided(connection)
            return
        if (facts := self._joiner.announced(connection)) is not None and bounds.admits(facts):
            flow.handler = self.attempt(facts, connection)
            return
        self.begins(connection)
        if (stray := self._joiner.elsewhere(connection)) is not None:
            self._unannounced.strays[connection] = stray
        else:
            self._cut.opened(flow, self.under_way.half_known(connection))
        self._early.note(flow)
        flow.handler = sniffer = self.sniffer(connection)
        if sniffer.is_command_port:
            self._unreached.opened(connection)

    def sniffer(self, connection: Connection, *, is_inside: bool = False) -> Sniffer:
        """What listens to a new connection; ``is_inside``: to what it carries inside of TLS."""
        is_server, wants = self._joiner.is_server, None if is_inside else self.tls.wants
        return Sniffer(connection, is_command_port=is_server(connection.server), wants_tls=wants, is_server=is_server)

    def attempt(self, facts: TaskFacts, connection: Connection) -> Callback:
        """A connection that is meant as the callback of ``facts``, whether it gets through or not."""
        self.take(connection, Role.CALLBACK, facts.record)
        self._order.decided(connection)
        facts.attempts.append(connection)
        self.under_way.touched(facts)
        if facts.start is not None and facts.record.callback_delay is None:
            facts.record.callback_delay = connection.start - facts.start.time
        return Callback(connection, self, facts)

    def decide(self, flow: Flow | Sealed, sniffer: Sniffer, *, over: bool = False) -> None:
        role, connection = sniffer.verdict(over=over), flow.connection
        waits, now = self._unannounced.waits, self.clock.now if self._forgets else None
        if role is None or (role is Role.CALLBACK and sniffer.may_wait and not over and waits(connection, now)):
            return
        self._unreached.forget(connection)
        if isinstance(flow, Flow):
            self.overview.judged(sniffer, role)
        elif role is Role.UNKNOWN:
            self.tls.foreign(flow)
            return
        else:
            self.overview.deciphered(connection)
        if role is Role.UNKNOWN and isinstance(flow, Flow):
            flow.handler = None
            self._connections.ignore(flow)
            self._order.decided(connection)
            self._unannounced.drop(connection)
            self._cut.drop(connection)
            return
        events = sniffer.events
        if sniffer.swapped or (
            role is Role.CALLBACK and connection.mid_stream and self._joiner.is_announced(connection.client)
        ):
            flow.swap()
            events = [event._replace(side=Side(event.side).other) for event in events]
        if role is Role.COMMAND:
            self.take(connection, role, None)
            self._joiner.command(connection)
            flow.handler = Command(connection, self, sniffer.head, is_ours=sniffer.is_ours)
        elif role is Role.HTTP:
            self.take(connection, role, None)
            self.recognised(connection)
            flow.handler = Exchanges(connection, self.tunnels)
        elif role is Role.TLS and isinstance(flow, Flow):
            flow.handler = self.tls.begin(flow, sniffer)
        else:
            flow.handler = self._callback_of(connection)
        for event in events:
            self.carried(flow, event)

    def _callback_of(self, connection: Connection) -> Callback:
        """A callback connection, known by its content, on a port that no captured command announced at its SYN."""
        found, is_unclear = self._unannounced.owner(connection)
        facts = self._cut.found(found) or self._lone(connection, is_unclear=is_unclear)
        facts.record.callback_port = facts.record.callback_port or connection.server.port
        callback = self.attempt(facts, connection)
        callback.may_be_copy = facts.record.command is None and bool(self.tunnels)
        if callback.may_be_copy:
            self._order.unclear(facts.record)
        return callback

    def _closed(self, flow: Flow) -> None:
        connection = flow.connection
        connection.over = True
        self._cut.ended(connection)
        if isinstance(flow.handler, Sniffer):
            self.decide(flow, flow.handler, over=True)
        if flow.handler is not None:
            flow.handler.closed(connection.last_packet, connection.end)
        if isinstance(flow.handler, Sniffer):
            self.overview.judged(flow.handler, Role.UNKNOWN)
            self._silent(connection, is_command=flow.handler.is_command_port)
        elif connection.n:
            for facts in self._concerned(flow):
                self.under_way.touched(facts)
            self.linger(flow)
        self._unreached.forget(connection)
        if connection not in self._unreached:
            self._order.decided(connection)

    def linger(self, flow: Flow) -> None:
        """The connection is over; late segments still count."""
        self._closing.append(flow)
        if len(self._closing) > MAX_CLOSED:
            self._settle(self._closing.popleft())

    def _silent(self, connection: Connection, *, is_command: bool) -> None:
        """The end of one that never said what it is; ``is_command``: its port was known for commands when it began."""
        stray = self._unannounced.strays.pop(connection, None)
        if stray is not None and not connection.established:
            self.attempt(stray, connection)
        elif not is_command or connection.mid_stream:
            return
        elif not connection.established:
            if (task := self.tunnels.unreached(connection, self.clock.now)) is not None:
                self.take(connection, Role.HTTP, task)
                self._order.emit(connection)
            elif not self._unreached.add(connection):
                self._notes.unanswered(connection)
        elif connection.bytes == 0:
            self._hosts.note(connection)
            self._notes.unused(connection)
            for probe in self._unreached.taken_back(connection):
                self._order.decided(probe)

    def _settle(self, flow: Flow) -> None:
        """A closed connection has lingered: nothing more is expected of it."""
        if (unlisted := bounds.unlisted(flow.connection)) is not None:
            self._order.emit(unlisted)
        self._order.emit(flow.connection)
        concerned = self._concerned(flow)
        # The flow stays for late packets; what was made of its bytes does not.
        flow.handler = None
        for facts in filter(TaskFacts.is_through, concerned):
            self._finish_task(facts)
        if self._forgets and not any(facts.record in self.under_way for facts in concerned):
            self._hosts.forget(flow.connection)
            flow.forget()

    def let_go(self, connection: Connection) -> None:
        flow = self._connections.of(connection)
        if flow is None or any(record in self.under_way for record in reversed(self._tasks_of(flow))):
            return
        connection.over = True
        if flow.handler is not None:
            flow.handler.closed(connection.last_packet, connection.end)
            self._order.emit(connection)
        flow.handler = None
        self._connections.ignore(flow)
        flow.forget()

    def _concerned(self, flow: Flow) -> list[TaskFacts]:
        """The tasks under way that a connection is about."""
        return [facts for record in self._tasks_of(flow) if (facts := self.under_way.get(record)) is not None]

    @staticmethod
    def _tasks_of(flow: Flow) -> Reversible[Task | None]:
        """The tasks that a connection was or is about, the newest one last."""
        handler = flow.handler.inner.handler if isinstance(flow.handler, Tls) else flow.handler
        return handler.tasks if isinstance(handler, Command) else [flow.connection.task]

    # --- what handlers report (Desk) -------------------------------------------------------------------------------

    def command_started(self, facts: TaskFacts) -> None:
        self._add_task(facts)
        self._cut.started(facts)
        superseded = self._joiner.announce(facts)
        if superseded is not None:
            self.under_way.touched(superseded)
        for flow in self._early.callbacks(facts):
            self._unannounced.drop(flow.connection)
            sniffer, flow.handler = flow.handler, self.attempt(facts, flow.connection)
            if isinstance(sniffer, Sniffer):
                sniffer.replay(flow.handler)
            self._closing.extend([flow] * flow.connection.over)

    def recognised(self, connection: Connection) -> None:
        if connection not in self._cut:
            super().recognised(connection)

    def command_found(self, connection: Connection, packet: int, *, kill: bool) -> TaskFacts | None:
        """The task that a close or ``kill`` is about whose start was not read: the only one that has no command
        connection."""
        facts = self.under_way.without_command(connection, packet, kill=kill)
        if facts is not None:
            self._cut.drop(connection)
            facts.adopt(connection)
            self.under_way.changed(facts)
        return facts or self._cut.told(connection)

    # --- tasks -----------------------------------------------------------------------------------------------------

    def _age(self) -> None:
        while self._closing and self._closing[0].connection.end + LINGER <= self.clock.now:
            self._settle(self._closing.popleft())
        for connection in self._unreached.due(self.clock.now):
            self._unreachable(connection)
        for flow in map(self._connections.of, self._unannounced.settle(self.clock.now)):
            carried = flow.handler.inner if flow is not None and isinstance(flow.handler, Tls) else flow
            if carried is not None and isinstance(carried.handler, Sniffer):
                self.decide(carried, carried.handler)
        self._finish_due()
