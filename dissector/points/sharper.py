"""What the problems of one place gain by what another one has of the task."""

from __future__ import annotations

from dataclasses import dataclass

from dissector.model import Problem, Task
from dissector.points.pairing import Joined, Leg
from dissector.session.findings import Reason, told


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
    """At the last place either, though the start was answered there."""
    facts, callback = one.last.facts, one.record.callback
    is_another = one.last.place is not one.group.legs[0].place
    return is_another and callback is None and not facts.attempts and facts.start_answer is not None


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
