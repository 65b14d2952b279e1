"""Which tasks have been silent for how long.

Packets touch nothing here, and a connection can be that of thousands of tasks (starts of a tool on one connection).  So
tasks stand together under the connection that was heard last, and it is the connection that is looked at: when it would
have been silent for long enough, in a heap, and put back when it had packets lately.  A task changes its place only
when another of its connections was heard.
"""

from __future__ import annotations

from collections import OrderedDict
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count

from dissector.model import Connection, Task
from dissector.session.life import WatchState
from dissector.session.task import TaskFacts
from dissector.session.timeouts import CALLBACK_LINGER

#: Entries of a heap that are void may be so many more than the others.
_SPARE = 1_024


class _Place:
    """The tasks whose last packet is that of one connection (of none yet: each alone)."""

    __slots__ = ("ripe", "source", "tasks")

    def __init__(self, source: Connection | Task) -> None:
        self.source = source
        self.tasks: OrderedDict[TaskFacts, None] = OrderedDict()
        #: Those of them that are told when they have been silent for long enough.
        self.ripe: dict[TaskFacts, None] = {}

    @property
    def heard(self) -> int:
        return self.source.end if isinstance(self.source, Connection) else self.source.start


class _Heap:
    """Places by the time at which they were heard last, as it was when they were put here."""

    def __init__(self) -> None:
        #: Times, and numbers of entries; an entry whose number has no place is void, and holds on to nothing.
        self._entries: list[tuple[int, int]] = []
        self._places: dict[int, _Place] = {}
        self._numbers: dict[_Place, int] = {}
        self._count = count()

    def push(self, place: _Place) -> None:
        if place not in self._numbers:
            heappush(self._entries, self._entry(place))

    def drop(self, place: _Place) -> None:
        """It is to be taken no more."""
        number = self._numbers.pop(place, None)
        if number is not None:
            del self._places[number]
        if len(self._entries) > 2 * len(self._places) + _SPARE:
            self._entries = [entry for entry in self._entries if entry[1] in self._places]
            heapify(self._entries)

    def first(self, until: float) -> _Place | None:
        """The place that was heard before all others, if not after ``until``."""
        while self._entries and self._entries[0][0] <= until:
            heard, number = self._entries[0]
            place = self._places.get(number)
            if place is None:
                heappop(self._entries)
            elif place.heard > heard:
                del self._places[number]
                heapreplace(self._entries, self._entry(place))
            else:
                return place
        return None

    def _entry(self, place: _Place) -> tuple[int, int]:
        number = self._numbers[place] = next(self._count)
        self._places[number] = place
        return place.heard, number


class Silence:
    """The tasks under way by their last packet."""

    def __init__(self) -> None:
        self._places: dict[Connection | Task, _Place] = {}
        self._place_of: dict[TaskFacts, _Place] = {}
        #: All places, and those that have tasks to tell.
        self._all, self._ripe = _Heap(), _Heap()

    def note(self, facts: TaskFacts) -> None:
        """The task is new, or something happened to it that may make it due: a connection is over or new, or it was
        superseded."""
        place = self._move(facts)
        if facts.life.watch is WatchState.SUPERSEDED or facts.is_over():
            place.ripe[facts] = None
            self._ripe.push(place)
        else:
            self._unripe(facts, place)

    def remove(self, facts: TaskFacts) -> None:
        place = self._place_of.pop(facts)
        del place.tasks[facts]
        self._unripe(facts, place)
        if not place.tasks:
            self._all.drop(place)
            del self._places[place.source]

    def due(self, now: int) -> list[TaskFacts]:
        """Tasks that are over or superseded and have been silent for ``CALLBACK_LINGER``; each is told once."""
        found, until = [], now - CALLBACK_LINGER
        while (place := self._ripe.first(until)) is not None:
            ripe, place.ripe = place.ripe, {}
            self._ripe.drop(place)
            for facts in ripe:
                if facts.last_seen() > until:
                    self.note(facts)
                else:
                    found.append(facts)
        return sorted(found, key=lambda facts: facts.rank)

    def idlest(self) -> TaskFacts | None:
        """The task that has been silent for longest."""
        while (place := self._all.first(float("inf"))) is not None:
            facts = next(iter(place.tasks))
            if facts.last_seen() <= place.heard:
                return facts
            self.note(facts)
        return None

    def _unripe(self, facts: TaskFacts, place: _Place) -> None:
        if facts in place.ripe:
            del place.ripe[facts]
            if not place.ripe:
                self._ripe.drop(place)

    def _move(self, facts: TaskFacts) -> _Place:
        """Where the task belongs now."""
        source = max(facts.connections(), key=lambda connection: connection.end, default=facts.record)
        known = self._place_of.get(facts)
        if known is not None:
            if known.source is source:
                return known
            self.remove(facts)
        place = self._places.get(source)
        if place is None:
            place = self._places[source] = _Place(source)
            self._all.push(place)
        place.tasks[facts] = None
        self._place_of[facts] = place
        return place
