"""Which tasks of several places are one task.

The initial sequence number of a connection is drawn by its system and goes through routers and translations: a task
whose command or callback connection has it at two places is the same one.  Where a connection began before a capture,
its ends tell; where a proxy opened one of its own, the client scheduler's number of the task, or its start command with
the answer to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dissector.limits import MAX_ALIKE
from dissector.model import Connection, Role, Task
from dissector.points.place import CapturePoint
from dissector.session.task import TaskFacts
from dissector.sides import SideFacts
from dissector.traffic import Side

#: A proxy hands on the beginning or the end of a task within this time (ns), beside what the clocks may be wrong.
_HANDED_ON = 250_000_000
#: A task is at two places within this time (ns), beside what the clocks may be wrong.
_TOLERANCE = 5_000_000_000


@dataclass(slots=True, eq=False)
class Leg:
    """A task as one place has seen it."""

    place: CapturePoint
    facts: TaskFacts
    #: Which task of its command connection it is, of several.
    ordinal: int = 0

    @property
    def record(self) -> Task:
        return self.facts.record

    def said_by(self, *, client: bool) -> Iterator[tuple[Connection, SideFacts]]:
        """What the client scheduler's host sent, or the remote's, on each of the task's connections."""
        for one in self.facts.connections():
            yield one, one.sides[Side.CLIENT if (one is self.record.command) is client else Side.SERVER]


@dataclass(slots=True, eq=False)
class Joined:
    """One task with all its legs, in the order of their places on the path."""

    legs: list[Leg] = field(default_factory=list)
    #: A leg that may be of this task as well.
    unclear: Leg | None = None


def paired(legs: Iterable[Leg]) -> list[Joined]:
    """The tasks, each once, in the order of their first packets."""
    legs = list(legs)
    group_of = {leg: Joined([leg]) for leg in legs}
    for keys in (_numbers, _ends, _content):
        tables: defaultdict[Hashable, list[Leg]] = defaultdict(list)
        for leg in legs:
            for key in keys(leg):
                tables[key].append(leg)
        for alike in tables.values():
            _join(alike, group_of, certain=keys is _numbers)
    groups = list(dict.fromkeys(group_of.values()))
    for group in groups:
        group.legs.sort(key=lambda leg: (leg.place.rank, leg.record.first_packet))
    return sorted(groups, key=lambda group: min(leg.record.first_packet for leg in group.legs))


def _join(alike: list[Leg], group_of: dict[Leg, Joined], *, certain: bool) -> None:
    """Legs of different places with the same key; without certainty each place has the task once at most.  Of very many
    connections some have the same initial number: not those of one time.  Of very many legs those nearest in time."""
    alike = sorted(alike, key=lambda leg: leg.record.start) if len(alike) > MAX_ALIKE else alike
    for number, leg in enumerate(alike):
        for other in alike[number + 1 : number + MAX_ALIKE]:
            one, two = group_of[leg], group_of[other]
            if one is two or leg.place is other.place:
                continue
            if not certain and (_have_a_leg_in_common(one, two) or _differ(leg, other)):
                continue
            if not _meet(leg, other):
                continue
            if not certain and _is_unclear(leg, other, alike[max(0, number - MAX_ALIKE) : number + MAX_ALIKE]):
                one.unclear, two.unclear = other, leg
                continue
            one.legs += two.legs
            for member in two.legs:
                group_of[member] = one


def _have_a_leg_in_common(one: Joined, two: Joined) -> bool:
    """A place has the task in both; not where it has the command connection alone here and the callback alone there."""
    return any(
        a.place is b.place and (_roles(a) & _roles(b) or not (_roles(a) and _roles(b)))
        for a in one.legs
        for b in two.legs
    )


def _roles(leg: Leg) -> set[Role]:
    callback = leg.facts.attempts or leg.record.callback is not None
    return {role for role, is_there in ((Role.COMMAND, leg.record.command), (Role.CALLBACK, callback)) if is_there}


def _differ(one: Leg, two: Leg) -> bool:
    """True for tasks that are alike (a job's of two client schedulers, with the same number), where what devices hand
    on is not the same."""
    if one.place.by_content and two.place.by_content:
        a, b = one.facts.start, two.facts.start
        return a is not None and b is not None and a.raw != b.raw
    pairs = (one.record.command, two.record.command), (one.record.callback, two.record.callback)
    numbers = [(initial(a), initial(b)) for a, b in pairs if a is not None and b is not None]
    known = [(a, b) for a, b in numbers if a is not None and b is not None]
    return any(a != b for a, b in known)


def _is_unclear(one: Leg, two: Leg, alike: list[Leg]) -> bool:
    """True behind a proxy for tasks of one job and number that no start command tells apart, unless they begin or end
    together and no other one does."""
    is_proxied = one.place.by_content and two.place.by_content
    if not is_proxied or (one.facts.start is not None and two.facts.start is not None):
        return False
    others = (leg for leg in alike if leg is not one and leg is not two)
    return not _are_together(one, two) or any(
        _are_together(leg, two if leg.place is one.place else one)
        for leg in others
        if leg.place in (one.place, two.place)
    )


def _are_together(one: Leg, two: Leg) -> bool:
    a, b = one.record, two.record
    errors = [leg.place.ahead(leg.record.start, leg.record.end)[1] for leg in (one, two)]
    near = _HANDED_ON + sum(error or 0 for error in errors)
    return None not in errors and min(abs(a.start - b.start), abs(a.end - b.end)) <= near


def _numbers(leg: Leg) -> Iterator[Hashable]:
    """Initial sequence numbers."""
    record, facts = leg.record, leg.facts
    if record.command is not None and (number := initial(record.command)) is not None:
        yield "command", number, leg.ordinal
    for attempt in facts.attempts:
        if (number := initial(attempt)) is not None:
            yield "callback", number
    if record.agent is not None and record.agent.agent_task_id is not None:
        yield "agent", record.agent.agent_task_id


def initial(connection: Connection) -> int | None:
    """The client's initial sequence number; None where its SYN was not captured."""
    return connection.sides[Side.CLIENT].first_seq if connection.syns and not connection.mid_stream else None


def _ends(leg: Leg) -> Iterator[Hashable]:
    for connection in (leg.record.command, leg.record.callback):
        if connection is not None:
            yield connection.role, leg.place.ends_of(connection), leg.ordinal


def _content(leg: Leg) -> Iterator[Hashable]:
    record, start = leg.record, leg.facts.start
    if record.task_id is not None and record.job is not None:
        yield "job", record.job, record.task_id
    if start is not None and leg.place.by_content:
        yield "start", start.raw, record.process_id


def _meet(one: Leg, two: Leg) -> bool:
    """True when two tasks were at the same time, as far as the packets' clocks tell: what a user tells may be wrong."""
    tolerance = _TOLERANCE
    for leg in (one, two):
        error = leg.place.ahead(leg.record.start, leg.record.end)[1]
        if error is None or leg.place.is_told:
            return True
        tolerance += error
    a, b = one.record, two.record
    return a.start - tolerance <= max(b.end, b.start) and b.start - tolerance <= max(a.end, a.start)


def with_ordinals(legs: Iterable[Leg], before: Mapping[Connection, int]) -> list[Leg]:
    """Numbers the tasks of each command connection; so many were ``before`` these."""
    counts: defaultdict[Connection, int] = defaultdict(int, before)
    found = sorted(legs, key=lambda leg: leg.facts.rank)
    for leg in found:
        if leg.record.command is not None:
            leg.ordinal = counts[leg.record.command]
            counts[leg.record.command] += 1
    return found
