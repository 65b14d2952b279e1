"""Who was slow: the job, the client scheduler or the way between them."""

from __future__ import annotations

import pytest
from kit import STEP_ASKED, Found, Story, the, until
from parts import message

from dissector.model import Connection, Endpoint, Mark, Outcome, Role, Severity, Task
from dissector.session.case import Case
from dissector.session.slow import SlowCallbacks
from dissector.session.slowness import Account, account, slowness
from dissector.session.task import TaskFacts

SECOND, MS = 1_000_000_000, 1_000_000
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
    assert made.record.callback is not None
    times = account(made, made.record.callback)
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
    times = account(made, made.record.callback)
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


# --- by hand ---------------------------------------------------------------------------------------------------------


def accounted(made: TaskFacts) -> Account:
    assert made.record.callback is not None
    return account(made, made.record.callback)


def test_an_account_adds_up() -> None:
    """Trips of 1 s to the client and 2 s to the remote, 3 calls and 5 callbacks."""
    made = facts(1.0, 2.0, calls=3, callbacks=5, call_time=60.0, callback_time=20.0)
    assert [time // SECOND for time in accounted(made)] == [100, 24, 15, 24, 40, 3]
    assert (
        str(accounted(made)) == "the job 24.0 s, the client scheduler 15.0 s, the network 24.0 s, between calls 40.0 s"
    )


def test_no_part_is_less_than_nothing() -> None:
    made = facts(1.0, 2.0, calls=3, callbacks=5, call_time=6.0, callback_time=4.0)
    assert (accounted(made).job, accounted(made).client) == (0, 0)
    assert made.record.callback is not None
    made.record.callback.end = made.record.callback.start = 50 * SECOND
    assert (accounted(made).total, accounted(made).pauses) == (0, 0)
    made.record.callback.end = 40 * SECOND
    assert accounted(made).total == 0
    made.record.callback.start = 10 * SECOND
    assert (accounted(made).total, accounted(made).pauses) == (30 * SECOND, 24 * SECOND)


def test_where_the_handshake_was_not_captured_the_way_is_not_known() -> None:
    for name, value in (("syns", []), ("syn_acks", []), ("syn_acks", [Mark(9, SECOND), Mark(10, 2 * SECOND)])):
        made = facts(1.0, 2.0, calls=0, callbacks=0, call_time=0.0, callback_time=0.0)
        setattr(made.record.callback, name, value)
        assert accounted(made).trip == 2 * SECOND
        setattr(made.record.command, name, value)
        assert accounted(made).trip == 0
    made.record.command = None
    assert accounted(made).trip == 0
    made = facts(1.0, 2.0, calls=0, callbacks=0, call_time=0.0, callback_time=0.0)
    assert made.record.callback is not None
    made.record.callback.syn_acks = [Mark(9, -SECOND)]
    assert accounted(made).trip == 2 * SECOND


def grained(grain: int, **fields: float) -> list[str]:
    given = {"calls": 4, "callbacks": 6, "call_time": 0.0, "callback_time": 0.0, "to_client": 0.0, "to_remote": 0.0}
    made = facts(**{**given, **fields})  # type: ignore[arg-type]
    made.longest_call = message(SECOND, latency=SECOND, member="step")
    return [problem.code for problem in slowness(Case(made, 0, grain))]


def test_the_words_of_many_callbacks() -> None:
    made = facts(0.0, 0.0, calls=5, callbacks=100, call_time=60.5, callback_time=50.5)
    assert made.record.callback is not None
    made.record.callback.end = 90 * SECOND + SECOND // 2
    (problem,) = slowness(Case(made, 0))
    assert problem.summary == (
        "100 callbacks took the client scheduler 50.5 s of 90.5 s (the job 10.0 s, the client scheduler 50.5 s, "
        "the network 0.0 s, between calls 30.0 s)."
    )
    assert (problem.cause, problem.packets) == ("the client scheduler was busy", (1, 9))


@pytest.mark.parametrize(("grain", "codes"), [(10 * MS, ["slow_call"]), (10 * MS + 1, [])])
def test_coarse_stamps_may_make_each_callback_longer(grain: int, codes: list[str]) -> None:
    assert grained(grain, callback_time=50.06, call_time=50.06) == codes


@pytest.mark.parametrize(("grain", "codes"), [(100 * MS, ["slow_network"]), (100 * MS + 1, [])])
def test_coarse_stamps_may_make_each_trip_longer(grain: int, codes: list[str]) -> None:
    """In both handshakes."""
    assert grained(grain, to_client=2.6, to_remote=2.6, callback_time=15.6) == codes


@pytest.mark.parametrize(("grain", "codes"), [(100 * MS, ["slow_job"]), (100 * MS + 1, [])])
def test_coarse_stamps_may_make_a_job_longer(grain: int, codes: list[str]) -> None:
    assert grained(grain, call_time=600.1) == codes


@pytest.mark.parametrize(("grain", "code"), [(100 * MS, True), (100 * MS + 1, False)])
def test_coarse_stamps_may_make_a_callback_slow(grain: int, code: bool) -> None:
    made = facts(0.0, 0.0, calls=1, callbacks=1, call_time=1.0, callback_time=1.0)
    made.slow_callbacks["log"] = SlowCallbacks(message(SECOND, member="log"), 1, 1, SECOND, [10])
    assert bool(list(slowness(Case(made, 0, grain)))) is code


def slow(*longest: float, grain: int = 0) -> str:
    """What is said of members, each with two slow callbacks, one of them for certain."""
    made = facts(0.0, 0.0, calls=1, callbacks=9, call_time=30.0, callback_time=20.0)
    for index, seconds in enumerate(longest):
        first = message(index * SECOND, member=f"m{index}")
        made.slow_callbacks[str(index)] = SlowCallbacks(first, 2, 1, round(seconds * SECOND), [10 + index, 20 + index])
    (problem,) = slowness(Case(made, 0, grain))
    assert problem.code == "slow_call"
    assert problem.packets == tuple(
        sorted([10 + i for i in range(len(longest))] + [20 + i for i in range(len(longest))])
    )
    return f"{problem.time // SECOND}: {problem.summary}"


def test_the_slowest_member_is_told_first() -> None:
    assert slow(2.0, 5.0) == (
        "1: 4 callbacks took the client scheduler a second or more, the longest 5.0 s (m1), 2.0 s (m0); "
        "of 100.0 s in all: the job 10.0 s, the client scheduler 20.0 s, the network 0.0 s, between calls 70.0 s."
    )


@pytest.mark.parametrize(("grain", "number"), [(SECOND, 2), (SECOND - 1, 4)])
def test_with_stamps_of_whole_seconds_only_what_is_certain_counts(grain: int, number: int) -> None:
    assert slow(5.0, 6.0, grain=grain).startswith(f"1: {number} callbacks")


def test_a_lost_task_and_one_without_a_callback() -> None:
    made = facts(0.5, 0.5, calls=10, callbacks=50, call_time=665.0, callback_time=25.5)
    made.longest_call = message(SECOND, latency=SECOND, member="step")
    assert codes(made) == ["slow_network", "slow_job"]
    made.record.outcome = Outcome.LOST
    assert codes(made) == []
    made.record.outcome, made.record.callback = Outcome.SUCCESS, None
    assert codes(made) == []


def test_the_words_of_a_slow_job() -> None:
    made = facts(0.0, 0.0, calls=1, callbacks=0, call_time=700.0, callback_time=0.0)
    made.longest_call = message(3 * SECOND, 12, latency=650 * SECOND, member="step")
    (problem,) = slowness(Case(made, 0))
    assert problem.summary.startswith("The job took its time: step 650 s (the job 700.0 s, ")
    assert (problem.time, problem.packets) == (3 * SECOND, (12,))
    made.longest_call = None
    assert codes(made) == []


def test_the_proof_of_a_way_whose_handshake_was_not_captured() -> None:
    made = facts(0.0, 0.0, calls=1, callbacks=100, call_time=60.0, callback_time=60.0)
    assert made.record.callback is not None
    for syns, syn_acks, packets in (
        ([Mark(3, 0), Mark(4, 1)], [Mark(5, 2), Mark(6, 3)], (3, 5)),
        ([], [Mark(5, 2)], (5,)),
        ([], [], (1,)),
    ):
        made.record.callback.syns, made.record.callback.syn_acks = syns, syn_acks
        (problem,) = slowness(Case(made, 0))
        assert problem.packets == packets
