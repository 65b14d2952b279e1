"""When many matches in a short time are told of."""

from __future__ import annotations

import pytest

from dissector.errors import UsageError
from dissector.fleet.flood import After, FloodGate, parse_after


@pytest.mark.parametrize(
    ("text", "after"),
    [("3/10m", After(3, 600)), ("1/1s", After(1, 1)), ("2/5min", After(2, 300)), ("9/1h", After(9, 3_600))],
)
def test_numbers_in_a_time(text: str, after: After) -> None:
    assert parse_after(text) == after


@pytest.mark.parametrize("text", ["", "3", "0/10m", "3/0m", "3/10", "x/10m", "3/10m ", "-1/10m", "3/10m/2", "٣/10m"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="is no number of matches in a time, such as 3/10m"):
        parse_after(text)


def told(after: After, *times: float) -> list[int]:
    gate = FloodGate(after)
    return [gate.matched(time) for time in times]


def test_the_number_counts() -> None:
    assert told(After(3, 10), 0, 1) == [0, 0]
    assert told(After(3, 10), 0, 1, 2) == [0, 0, 3]
    assert told(After(1, 10), 0) == [1]


@pytest.mark.parametrize(("last", "is_told"), [(9.9, True), (10, True), (10.1, False)])
def test_the_time_counts(last: float, is_told: bool) -> None:
    assert told(After(3, 10), 0, 5, last)[-1] == (3 if is_told else 0)


def test_the_oldest_one_no_longer_counts() -> None:
    assert told(After(3, 10), 0, 9, 11, 18) == [0, 0, 0, 3]


def test_then_once_in_that_time_with_the_number() -> None:
    gate = FloodGate(After(2, 10))
    assert [gate.matched(time) for time in (0, 1, 2, 3, 4)] == [0, 2, 0, 0, 0]
    assert gate.untold == 3
    assert gate.due(10.9) == 0
    assert gate.due(11) == 3
    assert gate.due(11) == 0
    assert [gate.matched(time) for time in (12, 13, 21)] == [0, 0, 2]
    assert gate.untold == 1


def test_too_few_in_the_quiet_time_are_not_told_and_it_begins_anew() -> None:
    gate = FloodGate(After(2, 10))
    assert [gate.matched(time) for time in (0, 1, 2)] == [0, 2, 0]
    assert gate.due(11) == 0
    assert [gate.matched(time) for time in (12, 13)] == [0, 2]
