"""What the tracers of several places find, with each task once.

A task waits until its places can not bring it any more: all of them had it to its end, or the others have been read for
so long that they would have.  Then its legs are put together, the best one is told, and with it what only all of them
prove.  Connections are told of every place.  What waits is bounded, in tasks and in bytes of messages.
"""

from __future__ import annotations

import re
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from itertools import count

from dissector.limits import MAX_WAITING, MAX_WAITING_BYTES
from dissector.model import Connection, Event, Exchange, Message, Problem, Severity, Task, TaskPoint
from dissector.points.best import best, fill
from dissector.points.impatience import ALONE, UNSHOWN, Hurried
from dissector.points.pairing import Joined, Leg, initial, paired, with_ordinals
from dissector.points.place import CapturePoint
from dissector.points.rules import proven
from dissector.points.sharper import sharpen
from dissector.points.unjoined import unjoined
from dissector.session.findings import first
from dissector.session.task import TaskFacts

_DOUBT = re.compile(r" \(less certain: [^()]*\)")
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)
#: Nanoseconds after which no task is recognised any more that began before, and after which no place brings another leg
#: of one, beside what the clocks may be wrong.
_HELD, _WAITED = 5_000_000_000, 15_000_000_000
#: So many tasks are looked through whenever one is final; more of them when a quarter is new.
_FEW = 64
#: Bytes of a message or exchange that waits, beside what it carries twice: as sent, and taken apart.
_RECORD = 1_500
#: So many tasks that were told, and command connections of such, are remembered.
_RECENT = 1_024


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
        #: Tasks that were told without what another place has, and messages that were let go.
        self._alone, self._dropped = Hurried(), Hurried()
        #: Tasks since they were looked through last.
        self._new = 0
        #: Numbers of tasks that are not told yet, by each of their legs.
        self._numbers: dict[Task, int] = {}
        #: How many tasks of a command connection were told, of the latest ones.
        self._told_on: OrderedDict[Connection, int] = OrderedDict()
        #: What the latest were told as, by each of their legs.
        self._recent: OrderedDict[Task, Task] = OrderedDict()
        self._bytes = 0

    def judged(self, facts: TaskFacts) -> None:
        """The facts of a task that is final."""
        self._facts[facts.record] = facts

    def add(self, place: CapturePoint, events: Iterable[Event]) -> list[Event]:
        """What became final at a place; what is ready, if so much waits that some of it has to be told."""
        late: list[Event] = []
        for event in events:
            if isinstance(event, Task):
                self._tasks.append(event)
                self._place_of[event] = place
                self._new += 1
            elif event.task is not None and event.task in self._recent:
                late += self._late(event, place, self._recent[event.task])
            elif self._has_room(event):
                self._parts[event.task].append((place, event))
        return late + (self._some() if len(self._tasks) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES else [])

    def is_due(self, running: int) -> bool:
        """True when it is worth while to look for what is ``settled``; so many tasks are under way."""
        total = len(self._tasks) + running
        return self._new > 0 and (total <= _FEW or 4 * self._new >= total)

    def settled(self, now: int, running: Iterable[tuple[CapturePoint, TaskFacts]]) -> list[Event]:
        """The tasks that no place has more of.  ``now``: up to when all places were read (ns); ``running``: facts of
        the tasks under way."""
        self._new = 0
        under_way = [Leg(place, facts) for place, facts in running]
        is_open = {leg.record for leg in under_way}
        ready: list[Joined] = []
        for group in paired(self._legs(self._tasks, under_way)):
            if min(leg.record.start for leg in group.legs) > now - _HELD:
                continue
            self._number_of(group)
            if is_open.isdisjoint(leg.record for leg in group.legs) and (self._is_whole(group) or _is_old(group, now)):
                ready.append(group)
        return self._ready(ready)

    def finish(self) -> list[Event]:
        """All that is left."""
        events = self._told(paired(self._legs(self._tasks)))
        events += self._of_no_task(self._parts.pop(None, []))
        for parts in self._parts.values():
            events += [event for _, event in parts if isinstance(event, Problem)]
        return [*events, *first(ALONE, self._alone), *first(UNSHOWN, self._dropped)]

    def _has_room(self, event: Event) -> bool:
        """False for a message that is not kept: too many bytes wait."""
        size = _size(event)
        if size and self._bytes > MAX_WAITING_BYTES:
            assert isinstance(event, (Message, Exchange))
            self._dropped.add(1, event.time, event.packets)
            return False
        self._bytes += size
        return True

    def _late(self, event: Event, place: CapturePoint, record: Task) -> list[Event]:
        """A connection or problem of a task that was told."""
        if isinstance(event, Connection):
            self._connection(event, place, record)
        return [event] if isinstance(event, (Connection, Problem)) else []

    def _is_whole(self, group: Joined) -> bool:
        return len({leg.place for leg in group.legs}) == len(self._places)

    def _some(self) -> list[Event]:
        """The tasks that have been found at several places, and the oldest of the others."""
        groups = paired(self._legs(self._tasks))
        ready = {group for group in groups if self._is_whole(group)}
        alone = [group for group in groups if group not in ready]
        given_up = alone[: max(0, len(alone) - MAX_WAITING // 2)] if self._bytes <= MAX_WAITING_BYTES else alone
        if given_up:
            record = given_up[0].legs[0].record
            self._alone.add(len(given_up), record.start, [record.first_packet])
        ready.update(given_up)
        return self._ready([group for group in groups if group in ready])

    def _ready(self, groups: list[Joined]) -> list[Event]:
        told = {leg.record for group in groups for leg in group.legs}
        self._tasks = [task for task in self._tasks if task not in told]
        return self._told(groups)

    def _number_of(self, group: Joined) -> int:
        """The number of a task: given once, in the order in which tasks begin."""
        known = [self._numbers[leg.record] for leg in group.legs if leg.record in self._numbers]
        number = min(known, default=0) or next(self._task_numbers)
        self._numbers.update((leg.record, number) for leg in group.legs)
        return number

    def _legs(self, tasks: Iterable[Task], others: Sequence[Leg] = ()) -> list[Leg]:
        return with_ordinals(
            [*(Leg(self._place_of[task], self._facts[task]) for task in tasks), *others], self._told_on
        )

    def _told(self, groups: Iterable[Joined]) -> list[Event]:
        events: list[Event] = []
        for group in groups:
            leg = best(group)
            record = leg.record
            record.n = self._number_of(group)
            _combine(group, leg)
            for other in group.legs:
                parts = self._parts.pop(other.record, [])
                self._bytes -= sum(_size(event) for _, event in parts)
                events += self._parts_of(parts, record, is_best=other is leg)
                self._forget(other.record, record)
            events += record.problems
            events.append(record)
        return events

    def _forget(self, leg: Task, record: Task) -> None:
        """One leg of a task that was told."""
        for table in (self._facts, self._place_of, self._numbers):
            table.pop(leg, None)
        if leg.command is not None:
            self._told_on[leg.command] = self._told_on.get(leg.command, 0) + 1
            self._told_on.move_to_end(leg.command)
            if len(self._told_on) > _RECENT:
                self._told_on.popitem(last=False)
        self._recent[leg] = record
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

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


def _size(event: Event) -> int:
    """About how many bytes a message or exchange needs while it waits; 0 of what there is little of."""
    if isinstance(event, Message):
        return _RECORD + 2 * len(event.raw)
    if isinstance(event, Exchange):
        return _RECORD + 2 * (len(event.request_raw) + len(event.response_raw))
    return 0


def _is_old(group: Joined, now: int) -> bool:
    """True when no other place can have more of a task, as far as the clocks tell."""
    waited = _WAITED
    for leg in group.legs:
        error = leg.place.ahead(leg.record.start, leg.record.end)[1]
        if error is None:
            return False
        waited += error
    return max(max(leg.record.start, leg.record.end) for leg in group.legs) + waited <= now


def _combine(group: Joined, leg: Leg) -> None:
    """The best leg's record becomes that of the task."""
    record = leg.record
    fill(record, [other for other in group.legs if other is not leg])
    record.start = min(other.record.start for other in group.legs)
    record.end = max(other.record.end for other in group.legs)
    record.first_packet = min(other.record.first_packet for other in group.legs)
    of_place = {other.place: other for other in (*reversed(group.legs), leg)}
    record.points = [_point(of_place[place]) for place in dict.fromkeys(other.place for other in group.legs)]
    record.point = leg.place.name
    found = [*proven(group, leg), *unjoined(group, leg)]
    sharpen(group, record)
    if any(problem.severity is Severity.ERROR and not _DOUBT.search(problem.cause) for problem in found):
        for problem in record.problems:
            problem.cause = _DOUBT.sub("", problem.cause)
    record.problems = sorted([*found, *record.problems], key=lambda problem: _ORDER.index(problem.severity))


def _point(leg: Leg) -> TaskPoint:
    record = leg.record
    offset, error = leg.place.ahead(record.start, max(record.start, record.end))
    callback = record.callback or next(iter(leg.facts.attempts), None)
    port = callback.server.port if callback is not None else record.callback_port
    return TaskPoint(leg.place.name, record.client, record.remote, port, offset, error, record.first_packet)
