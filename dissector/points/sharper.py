"""What the problems of one place gain by what another one has of the task."""

from __future__ import annotations

from dataclasses import dataclass

from dissector.model import Problem, Task
from dissector.points.pairing import Joined, Leg
from dissector.session.findings import Reason, told
from dissector.session.verdict import is_incomplete


@dataclass(slots=True)
class Known:
    """A problem that the best place tells of a task; ``last`` is the place nearest to the remote."""

    group: Joined
    record: Task
    problem: Problem
    case: None = None
    about: None = None

    @property
    def last(self) -> Leg:
        return self.group.legs[-1]


def no_callback(one: Known) -> bool:
    return one.problem.code == "callback_missing"


def nobody_calls(one: Known) -> bool:
    """At the last place either, which has the task from its answered start to its end."""
    facts, command, place = one.last.facts, one.last.record.command, one.last.place
    if place is one.group.legs[0].place or one.record.callback is not None or facts.attempts:
        return False
    is_whole = command is not None and not is_incomplete(command) and place.covers(one.record.end)
    return is_whole and facts.start is not None and facts.start_answer is not None


SHARPER: tuple[Reason[Known], ...] = (
    Reason(
        "the task process ended at its start, or calls another address: no SYN of it passed {last.place.name}",
        "see the remote scheduler's own log, and that of its host, for why it did not",
        when=(no_callback, nobody_calls),
    ),
    Reason(),
)


def sharpen(group: Joined, record: Task) -> None:
    """Words that are certain now; others stay as they are (the usual ones of a row, here)."""
    for problem in record.problems:
        one = Known(group, record, problem)
        reason = next(row for row in SHARPER if all(holds(one) for holds in row.when))
        problem.cause, problem.remedy = (
            told(reason.cause, one, problem.cause),
            told(reason.remedy, one, problem.remedy),
        )
