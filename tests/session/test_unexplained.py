"""What is said of a task whose outcome is unknown where nothing else says why."""

from __future__ import annotations

import pytest
from parts import THERE, facts, record

from dissector.model import Exchange, Outcome, Problem
from dissector.session.agent_facts import AgentFacts
from dissector.session.case import Case, problem
from dissector.session.task import TaskFacts
from dissector.session.unexplained import SAYS_WHY, why


def unknown(outcome: Outcome = Outcome.UNKNOWN) -> TaskFacts:
    made = facts()
    made.record.outcome = outcome
    return made


def told(made: TaskFacts, found: list[Problem] | None = None) -> list[tuple[str, str, list[int]]]:
    return [(one.code, one.summary, list(one.packets)) for one in why(Case(made, 0), found or [])]


def test_requests_of_a_task_that_were_lost() -> None:
    made = unknown()
    made.agent = AgentFacts(0, missing_in=7)
    words = "Requests or responses about the task are missing in the capture: how it ended is not known."
    assert told(made) == [("gap", words, [7])]


def test_a_task_whose_start_was_not_captured() -> None:
    made = unknown()
    made.agent = AgentFacts(0)
    words = "The start of the task is not in the capture, nor all that decides how it ended."
    assert told(made) == [("mid_stream", words, [made.record.first_packet])]
    made.agent.start = Exchange(1, record(made)[0], 0, (1,), "command", None)
    assert [code for code, _, _ in told(made)] == ["gap"]


@pytest.mark.parametrize("which", [0, 1])
def test_an_end_that_was_acknowledged(which: int) -> None:
    made = unknown()
    sent = record(made)[which].sides[THERE]
    sent.end_acked, sent.lost_by = sent.sent + 1, 90
    role = record(made)[which].role.value
    words = f"The {role} connection: more was acknowledged than the capture shows, its end may be among it."
    assert told(made) == [("gap", words, [90])]


def test_whatever_else_is_missing() -> None:
    made = unknown()
    words = "Not all that decides how the task ended is in the capture."
    assert told(made) == [("gap", words, [made.record.first_packet])]


@pytest.mark.parametrize("code", sorted(SAYS_WHY))
def test_a_problem_that_says_why_is_enough(code: str) -> None:
    assert told(unknown(), [problem(code, "", [], None)]) == []


def test_without_commands_a_kill_can_not_be_known_of() -> None:
    made = unknown()
    made.record.command = None
    assert told(made) == []


def test_where_more_than_the_commands_is_missing_that_is_told_too() -> None:
    made = unknown()
    made.record.command = None
    assert made.record.callback is not None
    made.record.callback.sides[THERE].end_acked, made.record.callback.sides[THERE].lost_by = 1, 90
    assert [code for code, _, _ in told(made, [problem("command_not_captured", "", [], None)])] == ["gap"]


def test_what_happened_says_nothing_of_what_is_missing() -> None:
    assert told(unknown(), [problem("job_failed", "", [], None)]) != []


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.UNKNOWN])
def test_a_known_outcome_needs_no_reason(outcome: Outcome) -> None:
    assert told(unknown(outcome)) == []
