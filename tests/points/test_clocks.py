"""Clocks of two places against each other, from the times of the packets that both have seen."""

from __future__ import annotations

from random import Random

import pytest

from dissector.points.clocks import SAME, Pair, estimate

SECOND, MILLISECOND = 1_000_000_000, 1_000_000
EPOCH = 1_700_000_000 * SECOND


def pairs(ahead: int, drift: float = 0.0, delays: tuple[int, int] = (MILLISECOND, MILLISECOND), jitter: int = 0,
          seconds: int = 60, seed: int = 1) -> list[Pair]:  # fmt: skip
    """Packets in both directions, two a second, between places with these least delays."""
    random = Random(seed)
    found = []
    for number in range(2 * seconds):
        time, forward = EPOCH + number * SECOND // 2 + random.randrange(400_000) * 1_000, number % 2 == 0
        delay = delays[not forward] + round(random.random() * jitter)
        other = ahead + round((time - EPOCH) * drift)
        found.append(Pair(time, other + delay if forward else other - delay, forward))
    return found


@pytest.mark.parametrize("ahead", [0, -2 * SECOND, -30 * MILLISECOND, 30 * MILLISECOND, 3_600 * SECOND, -(10**15)])
@pytest.mark.parametrize("drift", [0.0, 50e-6, -50e-6, 400e-6])
@pytest.mark.parametrize("jitter", [0, 20 * MILLISECOND])
def test_the_truth_is_within_the_bound(ahead: int, drift: float, jitter: int) -> None:
    found = pairs(ahead, drift, jitter=jitter)
    clock = estimate(found)
    for time in (EPOCH, EPOCH + 30 * SECOND, EPOCH + 59 * SECOND):
        offset, error = clock.ahead(time)
        assert error is not None
        assert abs(offset - ahead - (time - EPOCH) * drift) <= error
        assert error <= MILLISECOND + jitter + 20_000
    told, error_of_drift = clock.drift()
    assert abs(told - drift) <= error_of_drift


def test_the_bound_is_half_of_the_least_way_there_and_back_where_delays_differ() -> None:
    """As with NTP, what one direction takes longer can not be told from an offset."""
    clock = estimate(pairs(0, delays=(9 * MILLISECOND, MILLISECOND)))
    offset, error = clock.ahead(EPOCH + 30 * SECOND)
    assert error is not None
    assert abs(offset - 4 * MILLISECOND) < 20_000
    assert abs(error - 5 * MILLISECOND) < 20_000


def test_over_a_stretch_of_time_the_bound_covers_the_drift() -> None:
    clock = estimate(pairs(SECOND, 100e-6))
    offset, error = clock.ahead(EPOCH, EPOCH + 60 * SECOND)
    assert error is not None
    assert offset - error <= SECOND
    assert offset + error >= SECOND + 6 * MILLISECOND


@pytest.mark.parametrize("forward", [True, False])
def test_one_direction_tells_only_a_guess(forward: bool) -> None:
    found = [pair for pair in pairs(SECOND, jitter=MILLISECOND) if pair.forward is forward]
    clock = estimate(found)
    assert not clock.is_known
    differences = [pair.difference for pair in found]
    assert clock.ahead(EPOCH) == (min(differences) if forward else max(differences), None)


def test_no_packets_tell_nothing() -> None:
    assert estimate([]).ahead(EPOCH) == (0, None)


def test_a_coarse_clock_widens_the_bound() -> None:
    """Times of whole 10 ms contradict each other by up to as much."""
    grain = 10 * MILLISECOND
    found = [
        pair._replace(difference=(pair.time + pair.difference) // grain * grain - pair.time)
        for pair in pairs(3 * MILLISECOND, delays=(1_000, 1_000))
    ]
    offset, error = estimate(found).ahead(EPOCH + 30 * SECOND)
    assert error is not None
    assert abs(offset - 3 * MILLISECOND) <= error < 3 * grain


def test_a_clock_that_is_set_meanwhile_is_not_known() -> None:
    found = pairs(0) + [pair._replace(time=pair.time + 60 * SECOND) for pair in pairs(10 * SECOND)]
    assert not estimate(found).is_known


def test_of_many_packets_the_tightest_of_each_stretch_count() -> None:
    clock = estimate(pairs(SECOND, 50e-6, jitter=50 * MILLISECOND, seconds=5_000))
    offset, error = clock.ahead(EPOCH + 2_500 * SECOND)
    assert error is not None
    assert abs(offset - SECOND - 125 * MILLISECOND) <= error < 3 * MILLISECOND


def test_clocks_add_up() -> None:
    one, two = estimate(pairs(SECOND, 50e-6)), estimate(pairs(-3 * SECOND, -20e-6))
    offset, error = one.plus(two).ahead(EPOCH + 40 * SECOND)
    assert error is not None
    assert abs(offset + 2 * SECOND - 40 * SECOND * 30e-6) <= error < 5 * MILLISECOND


def test_a_place_agrees_with_itself() -> None:
    assert SAME.ahead(EPOCH) == (0, 0)
    assert SAME.line() == (0, 0.0)
