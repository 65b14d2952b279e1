"""A task on the full screen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from dissector.model import Connection, Message, Running, Task
from dissector.render.rows import TaskRow

#: Messages held of one task: the newest ones.
MAX_OF_TASK = 2_000


@dataclass(slots=True, eq=False)
class TaskEntry:
    """``rank`` is its place among all; ``running`` is None once its record is final; ``changes`` counts what was
    added."""

    task: Task
    rank: int = 0
    running: Running | None = None
    row: TaskRow | None = None
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=MAX_OF_TASK))
    connections: list[Connection] = field(default_factory=list)
    changes: int = 0

    @property
    def shown(self) -> Task:
        """The task as it is shown: one that is over is so at once, while its record waits for late packets."""
        if self.running is None or self.running.outcome is None:
            return self.task
        return replace(self.task, outcome=self.running.outcome, end=self.running.since)

    @property
    def is_over(self) -> bool:
        return self.running is not None and self.running.outcome is not None
