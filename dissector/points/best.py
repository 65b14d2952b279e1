"""Which place's facts and verdict a task has where several have seen it, and what the others add."""

from __future__ import annotations

from dissector.model import Outcome, Problem, Severity, Task
from dissector.points.pairing import Joined, Leg
from dissector.session.verdict import is_incomplete

#: Verdicts by how much they leave open: nothing was seen; something was seen and its cause may be elsewhere.
_OPEN = frozenset({"callback_missing", "open_call", "callback_not_captured", "command_not_captured", "pair_unclear"})
_HALF = frozenset({"callback_refused", "callback_dropped", "command_unanswered", "connection_lost", "start_cut"})
_WORDS = {Outcome.UNKNOWN: 0, Outcome.RUNNING: 1}
#: What a place may not know and another one does.
_FILLED = ("client", "remote", "callback_port", "callback_peer", "kind", "process_id", "pid", "job", "task_id",
           "callback_delay", "exit_code", "signal", "state_text", "agent")  # fmt: skip


def best(group: Joined) -> Leg:
    """The leg that knows most, whatever the order in which the places were named."""
    return max(group.legs, key=lambda leg: (*_knowledge(leg), -leg.place.rank, -leg.record.first_packet))


def _knowledge(leg: Leg) -> tuple[int, ...]:
    record = leg.record
    connections = [one for one in (record.command, record.callback) if one is not None]
    return (
        _WORDS.get(record.outcome, 2),
        _certainty(record),
        len(connections),
        -sum(map(is_incomplete, connections)),
        sum(one.closed is not None for one in connections),
        record.counts.messages,
        sum(one.packets for one in connections) if record.problems else 0,
    )


def _certainty(record: Task) -> int:
    """How much the verdict leaves open; what nothing is wrong with here may have met a fault elsewhere."""
    alarms = [problem for problem in record.problems if problem.severity is Severity.ERROR]
    return max(map(_of_problem, alarms), default=1)


def _of_problem(problem: Problem) -> int:
    if problem.code in _OPEN:
        return 0
    return 1 if problem.code in _HALF else 2


def fill(record: Task, others: list[Leg]) -> None:
    """What the best place does not know, from the others."""
    for leg in others:
        for name in _FILLED:
            if getattr(record, name) is None:
                setattr(record, name, getattr(leg.record, name))
        if len(leg.record.log) > len(record.log):
            record.log, record.counts = leg.record.log, leg.record.counts
