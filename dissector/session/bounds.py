"""What was too much to be kept, said where it was let go (the caps are in ``limits``)."""

from __future__ import annotations

from collections.abc import Iterator

from dissector.limits import MAX_ATTEMPTS, MAX_LOG_BYTES, MAX_LOG_LINES, MAX_OPEN_TASKS, MAX_PROBLEMS
from dissector.model import Connection, Problem, Severity
from dissector.session.case import Case, count
from dissector.session.codes import CODES
from dissector.session.quality import of_stream
from dissector.session.task import TaskFacts
from dissector.traffic import StreamProblem


def reached(case: Case) -> Iterator[Problem]:
    """Every cap that the task met."""
    facts, record = case.facts, case.facts.record
    if facts.given_up:
        summary = f"More than {MAX_OPEN_TASKS} tasks were under way: this one was let go, with its connections."
        yield case.problem("limit_reached", summary, [record.first_packet], record.command)
    where = {
        "connection": f"to port {record.callback_port}, behind the first {MAX_ATTEMPTS}",
        "problem": f"of its bytes, behind the first {MAX_PROBLEMS}",
        "log line": f"behind the first {MAX_LOG_LINES} or {MAX_LOG_BYTES >> 20} MiB",
    }
    for noun, number in facts.more.items():
        if not number:
            continue
        summary = f"{count(number, f'more {noun}')} {where[noun]}: counted only."
        yield case.problem("limit_reached", summary, [record.first_packet], severity=Severity.INFO)


def admits(facts: TaskFacts) -> bool:
    """True while one more connection to the port of a start may be its callback; counts the others."""
    if len(facts.attempts) < MAX_ATTEMPTS:
        return True
    facts.more["connection"] += 1
    return False


def counted(problem: StreamProblem, connection: Connection, facts: TaskFacts | None) -> Problem | None:
    """Notes a problem of a connection's bytes: the first ones of a task (``facts``: if it is under way) with it, those
    of no task are returned to be told at once."""
    connection.problems += 1
    task = connection.task
    if task is None:
        return of_stream(problem, connection) if connection.problems <= MAX_PROBLEMS else None
    if len(task.problems) < MAX_PROBLEMS:
        task.problems.append(of_stream(problem, connection))
    elif facts is not None:
        facts.more["problem"] += 1
    return None


def has_room(connection: Connection) -> bool:
    """True while one more problem of a connection that is no task's is told; counts them."""
    connection.problems += 1
    return connection.problems <= MAX_PROBLEMS


def unlisted(connection: Connection) -> Problem | None:
    """Of a connection that belongs to no task: the problems that were counted only, if there are any."""
    entry = CODES["limit_reached"]
    number = connection.problems - MAX_PROBLEMS
    if connection.task is not None or number <= 0:
        return None
    return Problem(
        "limit_reached",
        Severity.INFO,
        connection.end,
        (connection.last_packet,),
        f"{connection.role.value} connection: {count(number, 'more problem')} of its bytes: counted only.",
        entry.cause,
        entry.remedy,
        connection=connection,
    )
