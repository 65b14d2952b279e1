"""The tasks under way: how they are added, and what is told of them when they are over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

from dissector.model import Connection, Event, Exchange, LogLine, Message, Outcome, Role, Task
from dissector.session import agent_errors, bounds, diagnosis
from dissector.session.capture_notes import CaptureNotes
from dissector.session.final import judged_at
from dissector.session.hosts import Hosts
from dissector.session.join import Joiner
from dissector.session.life import LifeEvent
from dissector.session.numbering import Sequencer
from dissector.session.opened import OpenTasks
from dissector.session.overview import Overview
from dissector.session.packet_time import PacketTime
from dissector.session.task import TaskFacts
from dissector.session.telling import Teller
from dissector.session.tunnels import Tunnels
from dissector.traffic import StreamProblem

#: What it is of was refused or silent, and would not be listed for itself.
_OF_A_STRAY = "callback_elsewhere"


class Keeper(Teller):
    """``joiner`` knows the starts that wait for their callbacks, ``clock`` the time."""

    #: Numbers of messages.
    next_number: Callable[[], int]
    #: A connection of a task that was given up is followed no more, unless others are about it.
    let_go: Callable[[Connection], None]

    def __init__(
        self,
        order: Sequencer,
        wants_messages: bool,
        made_by_others: Callable[[Connection], bool] | None,
        joiner: Joiner,
        clock: PacketTime,
        overview: Overview,
    ) -> None:
        super().__init__(order, wants_messages, made_by_others)
        self.clock = clock
        #: After ``finish``: what there is where there is no task.
        self.overview = overview
        self._joiner = joiner
        self._hosts, self._notes = Hosts(), CaptureNotes()
        #: For a live view too.
        self.under_way = OpenTasks()
        self.tunnels = Tunnels(self)
        self._connection_numbers = count(1)
        #: Gets the facts of each task that was judged: for who looks at them once more beside those of another capture.
        self.on_judged: Callable[[TaskFacts], object] | None = None
        #: Makes what keeps the log of a task.
        self.new_log: Callable[[], list[LogLine]] = list

    def watch_copies(self, on_copied: Callable[[Connection], object]) -> None:
        """``on_copied`` gets each connection that is there once more with other addresses, and is nobody's."""
        self._notes.on_copied = on_copied

    @property
    def running(self) -> list[TaskFacts]:
        """Facts of the tasks under way."""
        return list(self.under_way)

    def is_open(self, record: Task) -> bool:
        return record in self.under_way

    def conclude(self, ended: Iterable[TaskFacts]) -> list[Event]:
        """Ends tasks under way that are ``final`` before their connections are; returns the events that are final."""
        for facts in ended:
            self._finish_task(facts, judged_at(facts, self.clock.now))
        return self._order.drain(self.clock.now)

    def stream_problem(self, problem: StreamProblem, connection: Connection) -> None:
        if (found := bounds.counted(problem, connection, self.under_way.get(connection.task))) is not None:
            self._order.emit(found)

    def next_exchange(self) -> int:
        return self.tunnels.next_exchange()

    def exchange(self, exchange: Exchange) -> None:
        if self.wants_messages:
            self._order.emit(exchange)

    def waits(self, task: Task) -> bool:
        return self.wants_messages or self._order.holds(task)

    def omitted_of(self, task: Task, messages: int) -> None:
        self._order.omit(task, messages)

    def agent_task(self, facts: TaskFacts) -> None:
        """A task on a Universal Agent was recognised."""
        self._add_task(facts)

    def agent_task_over(self, facts: TaskFacts) -> None:
        self._finish_task(facts)

    def is_copy(self, facts: TaskFacts, connection: Connection, message: Message, *, last: bool) -> bool:
        original = self.tunnels.original(facts, message)
        if original is None:
            if last:
                self._order.clear(facts.record)
            return False
        connection.task = original.record
        facts.life.watched(LifeEvent.COPIED, message.packets[-1], message.time)
        self.under_way.remove(facts)
        self._joiner.forget(facts)
        self._order.replace(facts.record, original.record)
        return True

    def agent_refused(self, exchange: Exchange) -> None:
        """A request of no task was answered with an error."""
        if bounds.has_room(exchange.connection):
            self._order.emit(agent_errors.refused(exchange))

    def agent_unanswered(self, exchange: Exchange) -> None:
        """The connection of a start ended before its answer."""
        if bounds.has_room(exchange.connection):
            self._order.emit(agent_errors.unanswered(exchange))

    def _add_task(self, facts: TaskFacts) -> None:
        facts.record.outcome, facts.record.log = Outcome.RUNNING, self.new_log()
        idlest = self.under_way.too_many()
        if idlest is not None:
            self._finish_task(idlest, how=LifeEvent.GIVEN_UP)
        self.under_way.add(facts)
        if idlest is not None:  # not before: the new task may be on the same connection
            for connection in idlest.connections():
                self.let_go(connection)
        self._order.add(facts.record)
        self.overview.has_tasks = True

    def _finish_task(self, facts: TaskFacts, now: int | None = None, *, how: LifeEvent = LifeEvent.END) -> None:
        """The task is judged as of ``now`` (of the last packet)."""
        record = facts.record
        facts.life.watched(how, record.first_packet, record.start)
        self._order.clear(record)
        self.under_way.remove(facts)
        self._joiner.forget(facts)
        self.tunnels.forget(facts)
        if record.command is None:
            facts.unread_command = self._joiner.unread(record)
        diagnosis.conclude(facts, now or self.clock.now, self._notes.clock_steps, self._hosts)
        if self.on_judged is not None:
            self.on_judged(facts)
        for problem in record.problems:
            if problem.code == _OF_A_STRAY and problem.connection is not None:
                self._order.emit(problem.connection)
            self._order.emit(problem)
        self._order.emit(record)

    def _finish_due(self) -> None:
        """Nothing was heard of some tasks for long: where one is not over, its end was not captured."""
        for facts in self.under_way.due(self.clock.now):
            self._finish_task(facts, how=LifeEvent.END if facts.is_over() else LifeEvent.MISSED)
        for facts in self.tunnels.due(self.clock.now):
            self._finish_task(facts)

    def _lone(self, connection: Connection, *, is_unclear: bool = False) -> TaskFacts:
        """A task of which only the callback is known; ``is_unclear``: it fits several starts."""
        facts = TaskFacts.of_callback(connection)
        facts.pair_unclear = is_unclear
        self._add_task(facts)
        return facts

    def take(self, connection: Connection, role: Role, task: Task | None) -> None:
        """The connection is ours: it gets its role and a number."""
        connection.role = role
        self._hosts.note(connection)
        connection.task = task or connection.task
        connection.n = connection.n or next(self._connection_numbers)

    def _unreachable(self, connection: Connection) -> None:
        facts = TaskFacts.of_command(connection)
        self.take(connection, Role.COMMAND, facts.record)
        self._add_task(facts)
        self._order.decided(connection)
        self._order.emit(connection)
        self._finish_task(facts)
