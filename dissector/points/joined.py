"""What the tracers of several places find, with each task once.

A task waits until its places can not bring it any more; then its legs are put together, the best one is told, and with
it what only all of them prove.  Connections are told of every place.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from dissector import numbers
from dissector.limits import MAX_WAITING
from dissector.model import Connection, Event, Exchange, Message, Problem, Severity, Task, TaskPoint
from dissector.points.best import best, fill
from dissector.points.pairing import Joined, Leg, initial, paired, with_ordinals
from dissector.points.place import CapturePoint
from dissector.points.rules import proven
from dissector.session.case import problem
from dissector.session.task import TaskFacts

_DOUBT = re.compile(r" \(less certain: [^()]*\)")
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


class Collector:
    """Gets what becomes final at each place, gives the tasks joined."""

    def __init__(self, places: Sequence[CapturePoint]) -> None:
        self._places = places
        self._facts: dict[Task, TaskFacts] = {}
        self._place_of: dict[Task, CapturePoint] = {}
        self._tasks: list[Task] = []
        self._parts: defaultdict[Task | None, list[tuple[CapturePoint, Event]]] = defaultdict(list)
        self._task_numbers, self._connection_numbers = count(1), count(1)
        self._message_numbers, self._exchange_numbers = count(1), count(1)
        self._alone = 0
        self._first_alone: Task | None = None

    def judged(self, facts: TaskFacts) -> None:
        """The facts of a task that is final."""
        self._facts[facts.record] = facts

    def add(self, place: CapturePoint, events: Iterable[Event]) -> list[Event]:
        """What became final at a place; what is ready, if so much waits that some of it has to be told."""
        for event in events:
            if isinstance(event, Task):
                self._tasks.append(event)
                self._place_of[event] = place
            else:
                self._parts[event.task].append((place, event))
        return self._some() if len(self._tasks) > MAX_WAITING else []

    def finish(self) -> list[Event]:
        """All that is left."""
        events = self._told(paired(self._legs(self._tasks)))
        events += self._of_no_task(self._parts.pop(None, []))
        for parts in self._parts.values():
            events += [event for _, event in parts if isinstance(event, Problem)]
        if self._alone and self._first_alone is not None:
            first = self._first_alone
            told = f"{numbers.count(self._alone, 'task')} {numbers.verb(self._alone, 'was')} told"
            summary = f"{told} without what another place has of them: too many waited."
            events.append(problem("limit_reached", summary, [first.first_packet], time=first.start))
        return events

    def _some(self) -> list[Event]:
        """The tasks that have been found at several places, and the oldest of the others."""
        groups = paired(self._legs(self._tasks))
        ready = [group for group in groups if len({leg.place for leg in group.legs}) == len(self._places)]
        alone = [group for group in groups if group not in set(ready)]
        given_up = alone[: max(0, len(alone) - MAX_WAITING // 2)]
        if given_up:
            self._alone += len(given_up)
            self._first_alone = self._first_alone or given_up[0].legs[0].record
        events = self._told([group for group in groups if group in {*ready, *given_up}])
        told = {leg.record for group in (*ready, *given_up) for leg in group.legs}
        self._tasks = [task for task in self._tasks if task not in told]
        return events

    def _legs(self, tasks: Iterable[Task]) -> list[Leg]:
        return with_ordinals(Leg(self._place_of[task], self._facts[task]) for task in tasks)

    def _told(self, groups: Iterable[Joined]) -> list[Event]:
        events: list[Event] = []
        for group in groups:
            leg = best(group)
            record = leg.record
            record.n = next(self._task_numbers)
            _combine(group, leg)
            for other in group.legs:
                parts = self._parts.pop(other.record, [])
                events += self._parts_of(parts, record, is_best=other is leg)
                self._facts.pop(other.record, None)
                self._place_of.pop(other.record, None)
            events += record.problems
            events.append(record)
        return events

    def _parts_of(self, parts: list[tuple[CapturePoint, Event]], record: Task, *, is_best: bool) -> list[Event]:
        """Messages of the best place, connections of all."""
        events: list[Event] = []
        messages: list[Message] = []
        for place, event in parts:
            if isinstance(event, Connection):
                self._connection(event, place, record)
                events.append(event)
            elif isinstance(event, Message) and is_best:
                messages.append(event)
            elif isinstance(event, Exchange) and is_best:
                event.n = next(self._exchange_numbers)
                events.append(event)
        self._number(messages)
        return [*events, *messages]

    def _connection(self, connection: Connection, place: CapturePoint, record: Task | None) -> None:
        connection.n, connection.point, connection.task = next(self._connection_numbers), place.name, record

    def _number(self, messages: list[Message]) -> None:
        messages.sort(key=lambda message: message.n)
        numbers = {message.n: next(self._message_numbers) for message in messages}
        for message in messages:
            message.n = numbers[message.n]
            message.answers = numbers.get(message.answers or 0)
            message.answered_by = numbers.get(message.answered_by or 0)

    def _of_no_task(self, parts: list[tuple[CapturePoint, Event]]) -> list[Event]:
        """Connections of all places; what was said on them, and what is wrong with them, once."""
        events: list[Event] = []
        messages: defaultdict[CapturePoint, list[Message]] = defaultdict(list)
        known: dict[int, Connection] = {}
        for place, event in sorted(parts, key=lambda part: part[0].rank):
            connection = event if isinstance(event, Connection) else getattr(event, "connection", None)
            number = initial(connection) if connection is not None else None
            is_first = number is None or known.setdefault(number, connection) is connection  # type: ignore[arg-type]
            if isinstance(event, Connection):
                self._connection(event, place, None)
                events.append(event)
            elif isinstance(event, Message) and is_first:
                messages[place].append(event)
            elif isinstance(event, Exchange) and is_first:
                event.n = next(self._exchange_numbers)
                events.append(event)
            elif isinstance(event, Problem) and is_first:
                if event.connection is None:
                    event.summary = f"{place.name}: {event.summary}"
                events.append(event)
        for said in messages.values():
            self._number(said)
            events += said
        return events


def _combine(group: Joined, leg: Leg) -> None:
    """The best leg's record becomes that of the task."""
    record = leg.record
    fill(record, [other for other in group.legs if other is not leg])
    record.start = min(other.record.start for other in group.legs)
    record.end = max(other.record.end for other in group.legs)
    record.first_packet = min(other.record.first_packet for other in group.legs)
    record.points, record.point = [_point(other) for other in group.legs], leg.place.name
    found = proven(group, leg)
    _sharpen(group, record)
    if any(problem.severity is Severity.ERROR for problem in found):
        for problem in record.problems:
            problem.cause = _DOUBT.sub("", problem.cause)
    record.problems = sorted([*found, *record.problems], key=lambda problem: _ORDER.index(problem.severity))


def _sharpen(group: Joined, record: Task) -> None:
    """That nobody called is certain where nobody is seen to call at the place nearest to the remote either."""
    last = group.legs[-1]
    nobody = last.place is not group.legs[0].place and not last.facts.attempts and record.callback is None
    for one in record.problems if nobody else ():
        if one.code == "callback_missing" and last.facts.start_answer is not None:
            one.cause = (
                f"the task process ended at its start, or calls another address: no SYN of it passed {last.place.name}"
            )
            one.remedy = "see the remote scheduler's own log, and that of its host, for why it did not"


def _point(leg: Leg) -> TaskPoint:
    record = leg.record
    offset, error = leg.place.ahead(record.start, max(record.start, record.end))
    callback = record.callback or next(iter(leg.facts.attempts), None)
    port = callback.server.port if callback is not None else record.callback_port
    return TaskPoint(leg.place.name, record.client, record.remote, port, offset, error, record.first_packet)


Judged = Callable[[TaskFacts], object]
