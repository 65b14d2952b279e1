"""Figures of many tasks, and the edges of what is told of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.model import Endpoint, Outcome, Problem, Severity, Task
from dissector.reports.summary import LEAST_FOR_TREND, Stats, TaskFigures, TaskGroup, cause_of, has_failed, percentile

_SECOND = 10**9


def task(n: int, start: int, took: int, outcome: Outcome = Outcome.SUCCESS, job: str = "a") -> Task:
    made = Task(start, n, n, start + took, Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 4444), outcome=outcome)
    made.job = job
    return made


def problem(of: Task, code: str, severity: Severity, cause: str = "") -> None:
    of.problems.append(Problem(code, severity, of.end, (of.n,), code, cause, task=of))


def summary(*tasks: Task, group_by: str = "job") -> TaskFigures:
    made = TaskFigures(group_by)
    for one in tasks:
        made.add(one)
    return made


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [(one, one not in (Outcome.SUCCESS, Outcome.RUNNING, Outcome.UNKNOWN)) for one in Outcome],
)
def test_what_has_failed(outcome: Outcome, failed: bool) -> None:
    assert has_failed(task(1, 0, 1, outcome)) is failed


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=60), st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_percentile_is_the_nearest_rank(values: list[int], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found is not None
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-9
    assert sum(value < found for value in ordered) < share * len(ordered)


def test_no_values() -> None:
    assert percentile([], 0.5) is None
    assert Stats.of([]) == Stats(None, None, None)
    assert summary().slots(10) == []


def test_groups() -> None:
    tasks = [
        task(1, 0, 5),
        task(2, 1, 7, Outcome.FAILURE),
        task(3, 2, 100, job="b"),
        task(4, 3, 0, Outcome.RUNNING, "b"),
    ]
    tasks[0].callback_delay = 30
    a, b = summary(*tasks).groups()
    assert (a.name, a.tasks, a.failed, a.running, list(a.took), list(a.delays)) == ("a", 2, 1, 0, [5, 7], [30])
    assert (b.name, b.tasks, b.failed, b.running, list(b.took)) == ("b", 2, 0, 1, [100])
    assert a.failed_share == 0.5


@pytest.mark.parametrize(
    ("order", "first"), [("failed", "a"), ("count", "c"), ("median", "b"), ("p95", "b"), ("max", "b")]
)
def test_orders(order: str, first: str) -> None:
    tasks = [task(1, 0, 5, Outcome.LOST), task(2, 0, 9, job="b"), *(task(n, 0, 1, job="c") for n in range(3, 6))]
    assert summary(*tasks).groups(order)[0].name == first


@pytest.mark.parametrize(
    ("group_by", "name"),
    [
        ("job", "a"),
        ("remote", "10.0.0.2:4444"),
        ("client", "10.0.0.1"),
        ("cause", "job_failed"),
        ("outcome", "failure"),
    ],
)
def test_what_a_group_is_of(group_by: str, name: str) -> None:
    one = task(1, 0, 5, Outcome.FAILURE)
    problem(one, "slow_call", Severity.WARNING)
    problem(one, "job_failed", Severity.ERROR)
    assert [group.name for group in summary(one, group_by=group_by).groups()] == [name]


def test_a_task_without_a_problem_has_no_cause() -> None:
    assert cause_of(task(1, 0, 1)) == ""


def test_a_trend_needs_ten_tasks() -> None:
    group = TaskGroup("a")
    for number in range(LEAST_FOR_TREND - 1):
        group.add(task(number, 0, 10 if number < LEAST_FOR_TREND // 2 else 30))
    assert group.trend is None
    group.add(task(LEAST_FOR_TREND, 0, 30))
    assert group.trend == 3.0


def test_causes_of_most_tasks_first() -> None:
    tasks = [task(number, number * _SECOND, _SECOND, Outcome.LOST) for number in range(1, 5)]
    for one in tasks:
        problem(one, "idle_cut", Severity.ERROR, "firewall")
    problem(tasks[0], "connection_lost", Severity.ERROR, "peer")
    problem(tasks[0], "slow_call", Severity.WARNING)
    problem(tasks[0], "late_start", Severity.INFO)
    first, second, third = summary(*tasks).causes()
    assert (first.first.code, list(first.tasks), list(first.hosts)) == ("idle_cut", [1, 2, 3, 4], ["10.0.0.2:4444"])
    assert (first.begin, first.end) == (2 * _SECOND, 5 * _SECOND)
    assert [second.first.code, third.first.code] == ["connection_lost", "slow_call"]


def test_tasks_at_a_time() -> None:
    """Two overlap in the middle; one that goes on is counted where nothing begins or ends."""
    tasks = [task(1, 0, 40), task(2, 10, 8, Outcome.FAILURE), task(3, 90, 8)]
    slots = summary(*tasks).slots(10)
    assert [slot.most for slot in slots] == [1, 2, 1, 1, 1, 0, 0, 0, 0, 1]
    assert [slot.failed for slot in slots] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert [slot.start for slot in slots[:2]] == [0, 10]


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 200)), min_size=1, max_size=30), st.integers(1, 20))
def test_slots_know_the_most(times: list[tuple[int, int]], count: int) -> None:
    made = summary(*(task(number, start, took) for number, (start, took) in enumerate(times, 1)))
    assert len(made.slots(count)) == count
    moments = [start for start, _ in times]
    at_a_time = max(sum(s <= moment < s + max(took, 1) for s, took in times) for moment in moments)
    assert max(slot.most for slot in made.slots(count)) == at_a_time


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=1, max_size=40), st.integers(1, 30))
def test_each_slot_has_what_ran_in_it(times: list[tuple[int, int]], count: int) -> None:
    """Beside a count of every moment; what ends as a slot begins is one of those that came in with it."""
    slots = summary(*(task(n, start, took) for n, (start, took) in enumerate(times, 1))).slots(count)
    spans = [(start, start + (took or 1)) for start, took in times]
    first, last = min(start for start, _ in times), max(start + took for start, took in times)
    step = (last - first + 1) // count + 1
    wanted = []
    for at in range(count):
        moments = range(first + at * step, first + (at + 1) * step)
        running = [sum(start <= moment < end for start, end in spans) for moment in moments]
        came_in = sum(start < moments[0] <= end for start, end in spans) if moments[0] <= last + 1 else 0
        wanted.append(max(came_in, *running))
    assert [slot.most for slot in slots] == wanted


@pytest.mark.parametrize("group_by", ["job", "remote", "client", "cause", "outcome"])
def test_other_groups_of_the_same_tasks(group_by: str) -> None:
    tasks = [task(n, n, n, Outcome.FAILURE if n % 3 else Outcome.RUNNING, job="ab"[n % 2]) for n in range(1, 20)]
    problem(tasks[4], "job_failed", Severity.ERROR)
    made, wanted = summary(*tasks), summary(*tasks, group_by=group_by)
    made.regroup(group_by, tasks)
    assert made.groups() == wanted.groups()
    assert made.causes() == wanted.causes()
    assert made.slots(5) == wanted.slots(5)


def test_an_unknown_group() -> None:
    with pytest.raises(KeyError):
        TaskFigures("weather")
