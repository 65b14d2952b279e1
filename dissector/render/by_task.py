"""What was said about each task, gathered until the captures end: what ladders and charts are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field

from dissector.model import Connection, Event, Exchange, Message, Outcome, Problem, Role, Task
from dissector.render.connections import connection_steps
from dissector.render.exchanges import exchange_steps
from dissector.render.points import with_differences
from dissector.render.steps import LadderStep, message_steps
from dissector.render.words import Words
from dissector.wire.masking import Mask


@dataclass(slots=True)
class TaskEvents:
    """All about one task; without a task, what was said on one connection that belongs to none (``connection``)."""

    task: Task | None = None
    connection: Connection | None = None
    connections: list[Connection] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def steps(self, mask: Mask, *, verbose: bool = False, full: bool = False, http: bool = False) -> list[LadderStep]:
        """In order of time.  ``verbose``: a step for each message; ``full``: long texts whole; ``http``: steps for all
        exchanges over HTTP."""
        task = self.task
        running = task is not None and task.outcome is Outcome.RUNNING
        messages = sorted(self.messages, key=lambda message: message.n)
        steps = message_steps(messages, Words(mask, full), verbose, running)
        if task is not None:
            steps = with_differences(task, [*steps, *connection_steps(task, self.connections, messages, verbose)])
        if task is None or task.agent is not None:
            steps += exchange_steps(self.exchanges, mask, every=http)
        return sorted(steps, key=lambda step: (step.time, step.packets[:1]))


class EventsByTask:
    """Gathers events; what is the same on the other legs of agents' connections is left out unless ``every`` is
    wanted."""

    def __init__(self, *, every: bool = False) -> None:
        self._every = every
        self._by_task: dict[int, TaskEvents] = {}
        self._alone: list[Message | Exchange] = []
        #: Problems that belong to no task.
        self.problems: list[Problem] = []

    def add(self, event: Event) -> None:
        if isinstance(event, Task):
            self._of(event).task = event
            return
        task = event.task
        if isinstance(event, Message) and not self._every and _is_other_leg(event):
            return
        if task is None:
            if isinstance(event, Problem):
                self.problems.append(event)
            elif not isinstance(event, Connection):
                self._alone.append(event)
        elif isinstance(event, Message):
            self._of(task).messages.append(event)
        elif isinstance(event, Exchange):
            self._of(task).exchanges.append(event)
        elif isinstance(event, Problem):
            self._of(task).problems.append(event)
        elif event.point == task.point:
            self._of(task).connections.append(event)

    def forget(self, task: Task) -> None:
        """Nothing of this task is wanted, and the room that it takes is needed."""
        self._by_task.pop(id(task), None)

    def tasks(self) -> list[tuple[Task, TaskEvents]]:
        """Those of which the task itself was told, by their numbers."""
        told = [(one.task, one) for one in self._by_task.values() if one.task is not None]
        return sorted(told, key=lambda pair: pair[0].n)

    def others(self, *, http: bool = False) -> list[TaskEvents]:
        """What belongs to no task, by connections in order; with exchanges over HTTP where they are asked for."""
        found: dict[Connection, TaskEvents] = {}
        for event in self._alone:
            connection = event.connection
            if isinstance(event, Message):
                found.setdefault(connection, TaskEvents(connection=connection)).messages.append(event)
            elif http and connection.role is Role.HTTP:
                found.setdefault(connection, TaskEvents(connection=connection)).exchanges.append(event)
        return sorted(found.values(), key=lambda one: one.connection.n if one.connection is not None else 0)

    def _of(self, task: Task) -> TaskEvents:
        return self._by_task.setdefault(id(task), TaskEvents())


def _is_other_leg(message: Message) -> bool:
    """Said once more inside of the master's or the agent's host, of a task on a Universal Agent."""
    return message.task is not None and message.task.agent is not None and message.exchange is None
