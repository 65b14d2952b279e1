"""What went wrong with a task, with the packets as proof.

``RULES`` are small functions over one ``Case``; each shows what it sees to the rows of a table (``findings``), which
say what problem that is.  What a code means in general is in ``codes``; a row adds what was seen.  Nothing normal is
reported: a reset behind the release, keep-alives, S_FALSE, lookups of members that do not exist.

    starting  the command connection: what kept the task from starting
    calling   the callback that never got through, or took its time
    losing    callback connections that ended too early, and what ended them; command_loss: command connections
    running   how the job itself went: kills, failures, errors
    slowness  who took the time
    quality   what the capture lacks and what the network did
    oddities  messages and numbers that are not as they should be
    bounds    what was too much to be kept
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dissector.limits import MAX_PROBLEMS
from dissector.model import Outcome, Problem, Severity
from dissector.session import (
    bounds,
    calling,
    command_loss,
    oddities,
    quality,
    rules_agent,
    rules_disconnect,
    rules_startup,
    running,
    slowness,
    unexplained,
)
from dissector.session.case import Case
from dissector.session.clock import grain
from dissector.session.conditions import ended_by_signal
from dissector.session.hosts import Hosts
from dissector.session.life import WatchState
from dissector.session.outcomes import outcome
from dissector.session.task import TaskFacts

#: Problem code -> the codes that explain it.  The remote kills the process of a task whose command connection is lost;
#: segments that never get through keep a call open and end in a lost connection.
_CONSEQUENCES = {
    "connection_lost": {"command_lost_first", "path_mtu"},
    "job_failed": {"command_lost_first"},
    "callback_refused": {"command_lost_first"},
    "callback_missing": {"command_lost_first"},
    "retransmissions": {"connection_lost", "idle_connection_cut", "path_mtu"},
    "gap": {"path_mtu"},
    "task_killed": {"idle_connection_cut", "path_mtu"},
}


RULES: tuple[Callable[[Case], Iterator[Problem]], ...] = (
    rules_agent.problems,
    rules_startup.command,
    calling.callback,
    rules_disconnect.callback_lost,
    command_loss.command_lost,
    command_loss.command_cut,
    running.killed,
    running.failure,
    running.calls,
    running.open_call,
    slowness.slowness,
    quality.address,
    quality.port,
    oddities.frames,
    oddities.numbers,
    oddities.turns,
    quality.capture,
    bounds.reached,
)


def conclude(facts: TaskFacts, now: int, clock_steps: tuple[int, int] | None, hosts: Hosts) -> None:
    """The task is final: ``judge``, and when it ended."""
    facts.record.end = facts.last_seen()
    watch = facts.life.watch
    if watch is WatchState.END_MISSED:
        facts.end_missed()
    judge(facts, now, clock_steps, hosts)
    if watch in (WatchState.END_MISSED, WatchState.LET_GO) and facts.record.outcome is Outcome.RUNNING:
        facts.record.outcome = Outcome.UNKNOWN


def judge(facts: TaskFacts, now: int, clock_steps: tuple[int, int] | None = None, hosts: Hosts | None = None) -> None:
    """Gives ``facts.record`` its outcome and its problems, the gravest first.  ``clock_steps`` are the first and the
    last packet whose time is before that of an earlier one; ``hosts`` knows who was heard lately."""
    record = facts.record
    calling.unmask_intruder(facts)
    record.outcome = outcome(facts, now)
    case = Case(facts, now, grain(facts), hosts or Hosts())
    found = [problem for rule in RULES for problem in rule(case)]
    found += record.problems
    found += unexplained.why(case, found)
    _demote_consequences(found, was_ended=ended_by_signal(record))
    _add_doubts(found, quality.doubts(facts, clock_steps))
    order = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    found.sort(key=lambda problem: order.index(problem.severity))
    record.problems = found[:MAX_PROBLEMS]


def _demote_consequences(found: list[Problem], *, was_ended: bool) -> None:
    """What only follows from another problem of the task stays in the list and says so, but does not alarm on its own.
    ``was_ended``: the job did not end by itself."""
    codes = {problem.code for problem in found}
    for problem in found:
        reasons = sorted(_CONSEQUENCES.get(problem.code, set()) & codes)
        if not reasons or (problem.code == "job_failed" and not was_ended):
            continue
        problem.severity = Severity.INFO
        if problem.code == "job_failed":
            problem.cause = "the remote kills the job when it loses the command connection"
            problem.remedy = "see command_lost_first"
        problem.cause = f"follows from {reasons[0]}: {problem.cause}"


def _add_doubts(found: list[Problem], doubts: list[str]) -> None:
    """Every verdict that rests on a capture which lacks something says so."""
    if not doubts:
        return
    for problem in found:
        if problem.severity is not Severity.INFO and problem.cause and problem.code not in quality.FLAWS:
            problem.cause += f" (less certain: {', '.join(doubts)})"
