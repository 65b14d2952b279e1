"""Garbage of a long capture: when it is worth a look."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator

from dissector.session.opened import OpenTasks
from dissector.stream.block import Block

#: Blocks (of 1 MiB) between two looks for garbage, and tasks that are over before which there is none sooner: one look
#: takes ten milliseconds, and longer with many open tasks.
_SWEEP, _MANY = 256, 4_000


def swept(blocks: Iterable[Block], tasks: OpenTasks) -> Iterator[Block]:
    """The same, with a look for garbage now and then: tasks, connections and logs that are over hang on one another.
    It goes over all that is open, so it waits until more is over."""
    seen = 0
    for number, block in enumerate(blocks, 1):
        yield block
        over = tasks.ended - seen
        if over > len(tasks) and (over >= _MANY or number % _SWEEP == 0):
            gc.collect()
            seen = tasks.ended
