"""A task on the full screen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from dissector.model import Connection, Exchange, Message, Running, Task

#: Messages (and exchanges over HTTP) held of one task: the newest ones.
MAX_OF_TASK = 2_000


#: Of tasks whose messages were let go: an empty deque takes half a kilobyte.
NO_MESSAGES: deque[Message | Exchange] = deque(maxlen=0)


@dataclass(slots=True, eq=False)
class TaskEntry:
    """``rank`` is its place among all; ``running`` is None once its record is final; ``changes`` counts what was
    added, ``lost`` the messages that are no longer held."""

    task: Task
    rank: int = 0
    running: Running | None = None
    messages: deque[Message | Exchange] = field(default_factory=deque)
    connections: list[Connection] = field(default_factory=list)
    changes: int = 0
    lost: int = 0

    @property
    def shown(self) -> Task:
        """The task as it is shown: one that is over is so at once, while its record waits for late packets."""
        if self.running is None or self.running.outcome is None:
            return self.task
        return replace(self.task, outcome=self.running.outcome, end=self.running.since)

    @property
    def is_over(self) -> bool:
        return self.running is not None and self.running.outcome is not None

    def hold(self, message: Message | Exchange) -> int:
        """Keeps a message, in the place of the oldest one where there are too many; how many more are held now."""
        if self.messages is NO_MESSAGES:  # it comes behind the end of its task
            self.lost += 1
            return 0
        self.messages.append(message)
        if len(self.messages) <= MAX_OF_TASK:
            return 1
        self.messages.popleft()
        self.lost += 1
        return 0

    def forget(self) -> int:
        """Lets all messages go; how many there were."""
        count = len(self.messages)
        self.messages = NO_MESSAGES
        self.lost += count
        return count
