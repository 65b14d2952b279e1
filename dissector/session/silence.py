"""Which tasks have been silent for how long.

Packets touch nothing here, and a connection can be that of thousands of tasks (starts of a tool on one connection).  So
tasks stand together under the connection that was heard last, and it is the connection that is looked at: when it would
have been silent for long enough, in a heap, and put back when it had packets lately.  A task changes its place only
when another of its connections was heard.

The plugin has this too, translated; what it has in its own words are the three questions at the end.
"""

from __future__ import annotations

from collections import OrderedDict
from heapq import heapify, heappop, heappush, heapreplace

from dissector.model import Connection, Task
from dissector.session.agent_facts import AgentFacts
from dissector.session.life import WatchState
from dissector.session.task import TaskFacts
from dissector.session.timeouts import CALLBACK_LINGER

#: Entries of a heap that are void may be so many more than the others.
_SPARE = 1_024

#: What was heard when a task was: a connection, what an agent's exchanges say, or nothing yet but the task itself.
_Source = Connection | AgentFacts | Task


class _Place:
    """The tasks whose last packet is that of one connection (of none yet: each alone)."""

    __slots__ = ("ripe", "source", "tasks")

    def __init__(self, source: _Source) -> None:
        self.source = source
        self.tasks: OrderedDict[TaskFacts, None] = OrderedDict()
        #: Those of them that are told when they have been silent for long enough.
        self.ripe: dict[TaskFacts, None] = {}


class _Heap:
    """Places by the time at which they were heard last, as it was when they were put here."""

    def __init__(self) -> None:
        #: Times, and numbers of entries; an entry whose number has no place is void, and holds on to nothing.
        self._entries: list[tuple[int, int]] = []
        self._places: dict[int, _Place] = {}
        self._numbers: dict[_Place, int] = {}
        self._count = 0

    def enter(self, place: _Place) -> None:
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

    def oldest(self, until: int | None) -> _Place | None:
        """The place that was heard before all others, if not after ``until``."""
        while self._entries and (until is None or self._entries[0][0] <= until):
            then, number = self._entries[0]
            place = self._places.get(number)
            if place is None:
                heappop(self._entries)
            elif heard(place.source) > then:
                del self._places[number]
                heapreplace(self._entries, self._entry(place))
            else:
                return place
        return None

    def _entry(self, place: _Place) -> tuple[int, int]:
        self._count += 1
        self._numbers[place] = self._count
        self._places[self._count] = place
        return heard(place.source), self._count


class Silence:
    """The tasks under way by their last packet."""

    def __init__(self) -> None:
        self._places: dict[_Source, _Place] = {}
        self._place_of: dict[TaskFacts, _Place] = {}
        #: All places, and those that have tasks to tell.
        self._all, self._ripe = _Heap(), _Heap()

    def note(self, facts: TaskFacts) -> None:
        """The task is new, or something happened to it that may make it due: a connection is over or new, or it was
        superseded."""
        place = self._move(facts)
        if may_be_due(facts):
            place.ripe[facts] = None
            self._ripe.enter(place)
        else:
            self._unripe(facts, place)

    def leave(self, facts: TaskFacts) -> None:
        """It is looked at no more."""
        place = self._place_of.pop(facts)
        del place.tasks[facts]
        self._unripe(facts, place)
        if not place.tasks:
            self._all.drop(place)
            del self._places[place.source]

    def due(self, now: int) -> list[TaskFacts]:
        """Tasks that are over or superseded and have been silent for ``CALLBACK_LINGER``; each is told once."""
        found: list[TaskFacts] = []
        until = now - CALLBACK_LINGER
        place = self._ripe.oldest(until)
        while place is not None:
            ripe, place.ripe = place.ripe, {}
            self._ripe.drop(place)
            for facts in ripe:
                if heard(latest(facts)) > until:
                    self.note(facts)
                else:
                    found.append(facts)
            place = self._ripe.oldest(until)
        return sorted(found, key=lambda one: one.rank)

    def idlest(self) -> TaskFacts | None:
        """The task that has been silent for longest."""
        place = self._all.oldest(None)
        while place is not None:
            facts = next(iter(place.tasks))
            if latest(facts) is place.source:
                return facts
            self.note(facts)
            place = self._all.oldest(None)
        return None

    def _unripe(self, facts: TaskFacts, place: _Place) -> None:
        if facts in place.ripe:
            del place.ripe[facts]
            if not place.ripe:
                self._ripe.drop(place)

    def _move(self, facts: TaskFacts) -> _Place:
        """Where the task belongs now."""
        source = latest(facts)
        known = self._place_of.get(facts)
        if known is not None:
            if known.source is source:
                return known
            self.leave(facts)
        place = self._places.get(source)
        if place is None:
            place = self._places[source] = _Place(source)
            self._all.enter(place)
        place.tasks[facts] = None
        self._place_of[facts] = place
        return place


def heard(source: _Source) -> int:
    """The time of its last packet."""
    if isinstance(source, Connection):
        return source.end
    return source.heard if isinstance(source, AgentFacts) else source.start


def latest(facts: TaskFacts) -> _Source:
    """What was heard when the task was heard last."""
    if facts.agent is not None:
        return facts.agent
    return max(facts.connections(), key=lambda connection: connection.end, default=facts.record)


def may_be_due(facts: TaskFacts) -> bool:
    """Silence would end the task: it is over, or was superseded."""
    return facts.life.watch is WatchState.SUPERSEDED or facts.is_over()
