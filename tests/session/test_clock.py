"""Coarse time stamps: nothing finer than they are is claimed."""

from __future__ import annotations

import pytest
from kit import STEP_ASKED, Record, Story, trace, until

from dissector.model import Connection, Endpoint, Mark, Task
from dissector.session.clock import grain
from dissector.session.task import TaskFacts

SECOND = 1_000_000_000


def rounded(story: Story, unit: int) -> Story:
    """The same packets with time stamps of this many nanoseconds."""
    story.records.sort(key=lambda record: record.time)
    story.network.records[:] = [Record(record.time // unit * unit, record.data) for record in story.records]
    return story


def slow(seconds: float, at: float = 0.9) -> Story:
    """A log line that the client scheduler answers after so long."""
    story = until(STEP_ASKED).say(at, STEP_ASKED, STEP_ASKED + 1)
    return story.say(at + seconds, STEP_ASKED + 1).leave(at + seconds + 0.9).close(at + seconds + 1)


def codes(story: Story) -> list[str]:
    return trace(story).codes


@pytest.mark.parametrize(
    ("seconds", "unit", "told"),
    [
        (0.95, 1, True),
        (0.2, SECOND, False),  # 0.9 to 1.1 s: a whole second by the stamps
        (1.2, SECOND, True),  # 0.9 to 2.1 s: two of them are more than 0.9 s whatever the stamps hide
        (0.95, SECOND // 10, False),  # 0.9 to 1.8 s: less than that may be hidden
        (1.05, SECOND // 10, True),
    ],
)
def test_a_slow_callback_by_the_stamps(seconds: float, unit: int, told: bool) -> None:
    assert ("slow_call" in codes(rounded(slow(seconds), unit))) is told


def test_only_callbacks_that_were_certainly_slow_are_counted() -> None:
    story = until(STEP_ASKED, log=("one", "two"))
    story.say(0.9, STEP_ASKED, STEP_ASKED + 1).say(1.1, STEP_ASKED + 1, STEP_ASKED + 2)
    story.say(1.9, STEP_ASKED + 2, STEP_ASKED + 3).say(4.1, STEP_ASKED + 3).leave(5.0).close(5.1)
    problem = trace(rounded(story, SECOND)).problem("slow_call")
    assert problem.summary.startswith("1 callback took the client scheduler a second or more, the longest 3.0 s")


def test_a_handshake_across_a_second_tells_no_distance() -> None:
    """SYN and SYN+ACK stand on both sides of a full second in both connections."""
    story = Story(log=tuple(f"line {number}" for number in range(30)))
    story.start(0.999_99).call_back(1.999_99).say(2.1, pace=0.2).leave(20.0).close(20.1)
    assert "slow_network" not in codes(rounded(story, SECOND))
    assert trace(story).outcome.value == "success"


@pytest.mark.parametrize(("delay", "told"), [(5.6, False), (6.2, True)])
def test_a_slow_start_by_the_stamps(delay: float, told: bool) -> None:
    story = Story().start().call_back(delay).say(delay + 0.1).leave(delay + 0.5).close(delay + 0.6)
    assert ("slow_start" in codes(rounded(story, SECOND))) is told


def facts_of(*times: int) -> TaskFacts:
    connection = Connection(Endpoint("10.1.0.1", 40_000), Endpoint("10.2.0.1", 4_455), 0, 1)
    connection.syns = [Mark(number, time) for number, time in enumerate(times, 1)]
    return TaskFacts(Task(0, 1, command=connection))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((SECOND, 2 * SECOND, 2 * SECOND, 5 * SECOND), SECOND),
        ((SECOND, 2 * SECOND, 5 * SECOND), 0),  # too few to tell
        ((SECOND, 2 * SECOND, 2 * SECOND, 5_100_000_000), SECOND // 10),
        ((SECOND, 2 * SECOND, 2 * SECOND, 5_010_000_000), SECOND // 100),
        ((SECOND, 2 * SECOND, 2 * SECOND, 5_001_000_000), 0),
    ],
)
def test_how_coarse_the_stamps_are(times: tuple[int, ...], expected: int) -> None:
    assert grain(facts_of(*times)) == expected
