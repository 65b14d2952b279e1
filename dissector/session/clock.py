"""How fine the time stamps of a task are: captures with stamps of whole seconds (or of 10 ms) measure nothing finer."""

from __future__ import annotations

from collections.abc import Iterator

from dissector.model import Connection
from dissector.session.task import TaskFacts

#: Nanoseconds between two stamps of coarse clocks, the coarsest first.
_GRAINS = (1_000_000_000, 100_000_000, 10_000_000)
#: So many packets whose times are all round are no accident.
_ENOUGH = 4


def grain(facts: TaskFacts) -> int:
    """The error (nanoseconds) that a measured time may have because of coarse time stamps; 0 for a fine clock."""
    times = [time for connection in facts.connections() for time in _times(connection)]
    if len(times) < _ENOUGH:
        return 0
    return next((grain for grain in _GRAINS if not any(time % grain for time in times)), 0)


def _times(connection: Connection) -> Iterator[int]:
    """Times of packets that are remembered anyway."""
    marks = [*connection.syns, *connection.syn_acks]
    for side in connection.sides:
        marks += [mark for mark in (side.first_data, side.last_data, side.last) if mark is not None]
    yield from (mark.time for mark in marks)
