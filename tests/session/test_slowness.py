"""Who was slow: the job, the client scheduler or the way between them."""

from __future__ import annotations

import pytest
from kit import STEP_ASKED, Found, Story, the, until

from dissector.model import Connection, Endpoint, Mark, Outcome, Role, Severity, Task
from dissector.session.case import Case
from dissector.session.slowness import account, slowness
from dissector.session.task import TaskFacts

SECOND = 1_000_000_000
INFO = Severity.INFO


def connection(role: Role, trip: float, until_: float = 100.0, syns: int = 1) -> Connection:
    """Its listener is ``trip`` seconds away, there and back."""
    made = Connection(Endpoint("10.1.0.1", 40_000), Endpoint("10.2.0.1", 59_999), 0, 1, end=round(until_ * SECOND))
    made.role = role
    made.syns = [Mark(number + 1, number * SECOND) for number in range(syns)]
    made.syn_acks = [Mark(9, made.syns[-1].time + round(trip * SECOND))]
    return made


def facts(
    to_client: float, to_remote: float, *, calls: int, callbacks: int, call_time: float, callback_time: float
) -> TaskFacts:
    command, callback = connection(Role.COMMAND, to_remote), connection(Role.CALLBACK, to_client)
    record = Task(0, 1, client=command.client, remote=command.server, command=command, callback=callback)
    record.outcome = Outcome.SUCCESS
    record.counts.calls, record.counts.callbacks = calls, callbacks
    made = TaskFacts(record)
    made.call_time, made.callback_time = round(call_time * SECOND), round(callback_time * SECOND)
    return made


def codes(made: TaskFacts) -> list[str]:
    return [problem.code for problem in slowness(Case(made, made.record.command.end if made.record.command else 0))]


@pytest.mark.parametrize(("to_client", "to_remote"), [(0.3, 0.0), (0.0, 0.3), (0.1, 0.2)])
def test_the_capture_point_does_not_matter(to_client: float, to_remote: float) -> None:
    """40 callbacks in which the client takes 10 ms, and a job of 20 s, over 300 ms there and back."""
    seen_in_callbacks = 40 * (0.01 + to_client)
    seen_in_calls = 20.0 + 4 * to_remote + 40 * to_remote + seen_in_callbacks
    made = facts(to_client, to_remote, calls=4, callbacks=40, call_time=seen_in_calls, callback_time=seen_in_callbacks)
    times = account(made)
    assert times is not None
    rounded = [round(time / SECOND, 3) for time in times]
    assert rounded[:4] == [100.0, 20.0, 0.4, 13.2]
    assert rounded[5] == 0.3
    assert codes(made) == []  # the job took the most


def test_the_way_took_the_most() -> None:
    made = facts(0.5, 0.5, calls=10, callbacks=50, call_time=65.0, callback_time=25.5)
    assert codes(made) == ["slow_network"]
    (problem,) = slowness(Case(made, 0))
    assert problem.summary == "60 calls over a path of 1000 ms there and back: about 60.0 s of 100.0 s."
    assert (problem.severity, problem.packets) == (INFO, (1, 9))


def test_lost_syns_tell_no_distance() -> None:
    made = facts(0.5, 0.5, calls=10, callbacks=50, call_time=65.0, callback_time=25.5)
    assert made.record.callback is not None
    made.record.callback = connection(Role.CALLBACK, 0.5, syns=2)
    times = account(made)
    assert times is not None
    assert times.trip == SECOND // 2


def test_many_callbacks_that_are_each_quick_enough() -> None:
    """The client takes 0.6 s for each: none is slow alone."""
    made = facts(0.0, 0.0, calls=5, callbacks=100, call_time=70.0, callback_time=60.0)
    (problem,) = slowness(Case(made, 0))
    assert problem.code == "slow_call"
    assert problem.summary.startswith("100 callbacks took the client scheduler 60.0 s of 100.0 s (the job 10.0 s, ")


def stepping(seconds: float) -> Found:
    """A healthy shell job that takes so long."""
    return until(STEP_ASKED).say(seconds, STEP_ASKED).leave(seconds + 0.1).close(seconds + 0.2).found()


@pytest.mark.parametrize("seconds", [1.0, 500.0])
def test_a_job_may_take_its_time(seconds: float) -> None:
    assert stepping(seconds).codes == []


def test_a_long_job() -> None:
    found = stepping(700.0)
    problem = the("slow_job", INFO, found)
    assert problem.summary.startswith("The job took its time: step 700 s (the job 700.0 s, the client scheduler 0.0 s")
    assert found.alarms == []


def test_a_healthy_task_says_nothing() -> None:
    assert Story().healthy().found().codes == []


@pytest.mark.parametrize("lossy", [False, True])
def test_a_slow_callback_or_a_lost_packet(lossy: bool) -> None:
    story = until(STEP_ASKED).say(0.1, STEP_ASKED, STEP_ASKED + 1)
    if lossy:
        again = story.records[-2]
        story.records.append(again._replace(time=again.time + SECOND // 2))
    found = story.say(1.4, STEP_ASKED + 1).leave(2.0).close(2.1).found()
    assert ("or packets were lost" in found.problem("slow_call").cause) is lossy
