"""The tasks under way: how they are added, and what is told of them when they are over."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dissector.model import Connection, Outcome, Task
from dissector.session import bounds, diagnosis
from dissector.session.final import judged_at
from dissector.session.hosts import Hosts
from dissector.session.join import Joiner
from dissector.session.numbering import Event, Sequencer
from dissector.session.opened import OpenTasks
from dissector.session.overview import Overview
from dissector.session.packet_time import PacketTime
from dissector.session.quality import CaptureNotes
from dissector.session.task import TaskFacts
from dissector.session.telling import Teller
from dissector.traffic import StreamProblem


class Keeper(Teller):
    """``joiner`` knows the starts that wait for their callbacks, ``clock`` the time."""

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

    def _add_task(self, facts: TaskFacts) -> None:
        facts.record.outcome = Outcome.RUNNING
        if (idlest := self.under_way.too_many()) is not None:
            self._finish_task(idlest)
        self.under_way.add(facts)
        self._order.add(facts.record)
        self.overview.has_tasks = True

    def _finish_task(self, facts: TaskFacts, now: int | None = None, *, missed: bool = False) -> None:
        """The task is judged as of ``now`` (of the last packet); ``missed``: it is over, but how was not captured."""
        record = facts.record
        self.under_way.remove(facts)
        self._joiner.forget(facts)
        if record.command is None:
            facts.unread_command = self._joiner.unread(record)
        diagnosis.conclude(facts, now or self.clock.now, self._notes.clock_steps, self._hosts, missed=missed)
        for problem in record.problems:
            self._order.emit(problem)
        self._order.emit(record)
