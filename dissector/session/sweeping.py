"""Garbage of a long capture: when it is worth a look."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator

from dissector.session.opened import OpenTasks
from dissector.stream.block import Block

#: Blocks (of 1 MiB) between two looks for garbage, and tasks that are over before which there is none sooner: one look
#: takes ten milliseconds, and longer with many open tasks.
_SWEEP, _MANY = 256, 4_000


class Sweeper:
    """Looks for garbage now and then: tasks, connections and logs that are over hang on one another.  A look goes over
    all that is open, so it waits until more is over."""

    def __init__(self, tasks: OpenTasks, many: int) -> None:
        """``many``: tasks over that make a look worth it; few where nobody may be held up for long."""
        self._tasks, self._many = tasks, many
        self._blocks = self._seen = 0

    def passed(self) -> None:
        """A block was traced."""
        self._blocks += 1
        over = self._tasks.ended - self._seen
        if over > len(self._tasks) and (over >= self._many or self._blocks >= _SWEEP):
            gc.collect()
            self._blocks = 0
            self._seen = self._tasks.ended


def swept(blocks: Iterable[Block], tasks: OpenTasks) -> Iterator[Block]:
    """The same, with a look for garbage behind some of them."""
    sweeper = Sweeper(tasks, _MANY)
    for block in blocks:
        yield block
        sweeper.passed()
