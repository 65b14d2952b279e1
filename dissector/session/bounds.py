"""What was too much to be kept, said where it was let go (the caps are in ``limits``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dissector.limits import MAX_ATTEMPTS, MAX_LOG_BYTES, MAX_LOG_LINES, MAX_OPEN_TASKS, MAX_PROBLEMS
from dissector.model import Connection, Problem, Severity
from dissector.numbers import count
from dissector.session.case import Case, problem
from dissector.session.findings import Finding, first
from dissector.session.life import WatchState
from dissector.session.oddities import of_stream
from dissector.session.task import TaskFacts
from dissector.traffic import StreamProblem


@dataclass(slots=True)
class Bound:
    """A cap that a task met: so many more of ``noun`` were counted only."""

    case: Case
    about: Connection | None
    noun: str
    number: int

    @property
    def more(self) -> str:
        return count(self.number, f"more {self.noun}")


def first_packet(bound: Bound) -> list[int]:
    return [bound.case.facts.record.first_packet]


def of(noun: str) -> Callable[[Bound], bool]:
    return lambda bound: bound.noun == noun


GIVEN_UP: tuple[Finding[Bound], ...] = (
    Finding(
        "limit_reached",
        (),
        f"More than {MAX_OPEN_TASKS} tasks were under way: this one was let go, with its connections.",
        (first_packet,),
    ),
)
COUNTED: tuple[Finding[Bound], ...] = (
    Finding(
        "limit_reached",
        (of("connection"),),
        f"{{more}} to port {{case.facts.record.callback_port}}, behind the first {MAX_ATTEMPTS}: counted only.",
        (first_packet,),
        severity=Severity.INFO,
    ),
    Finding(
        "limit_reached",
        (of("problem"),),
        f"{{more}} of its bytes, behind the first {MAX_PROBLEMS}: counted only.",
        (first_packet,),
        severity=Severity.INFO,
    ),
    Finding(
        "limit_reached",
        (of("log line"),),
        f"{{more}} behind the first {MAX_LOG_LINES} or {MAX_LOG_BYTES >> 20} MiB: counted only.",
        (first_packet,),
        severity=Severity.INFO,
    ),
)


def reached(case: Case) -> Iterator[Problem]:
    """Every cap that the task met."""
    facts = case.facts
    if facts.life.watch is WatchState.LET_GO:
        yield from first(GIVEN_UP, Bound(case, facts.record.command, "task", 0))
    for noun, number in facts.more.items():
        if number:
            yield from first(COUNTED, Bound(case, None, noun, number))


def admits(facts: TaskFacts) -> bool:
    """True while one more connection to the port of a start may be its callback; counts the others."""
    if len(facts.attempts) < MAX_ATTEMPTS:
        return True
    facts.more["connection"] += 1
    return False


def counted(found: StreamProblem, connection: Connection, facts: TaskFacts | None) -> Problem | None:
    """Notes a problem of a connection's bytes: the first ones of a task (``facts``: if it is under way) with it, those
    of no task are returned to be told at once."""
    connection.problems += 1
    task = connection.task
    if task is None:
        return of_stream(found, connection) if connection.problems <= MAX_PROBLEMS else None
    if len(task.problems) < MAX_PROBLEMS:
        task.problems.append(of_stream(found, connection))
    elif facts is not None:
        facts.more["problem"] += 1
    return None


def has_room(connection: Connection) -> bool:
    """True while one more problem of a connection that is no task's is told; counts them."""
    connection.problems += 1
    return connection.problems <= MAX_PROBLEMS


def unlisted(connection: Connection) -> Problem | None:
    """Of a connection that belongs to no task: the problems that were counted only, if there are any."""
    number = connection.problems - MAX_PROBLEMS
    if connection.task is not None or number <= 0:
        return None
    summary = f"{connection.role.value} connection: {count(number, 'more problem')} of its bytes: counted only."
    packets, time = (connection.last_packet,), connection.end
    return problem("limit_reached", summary, packets, connection, time=time, severity=Severity.INFO)
