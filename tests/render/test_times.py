"""Moments: local time for people, UTC for programs and on demand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.render.times import clock, date, dated, day, iso, of_calendar, show_utc, zone

#: 2026-11-22 04:07:15.118 UTC.
MOMENT = 1_795_320_435_118_000_000
HOUR = 3_600 * 10**9
#: 2026-03-29 01:00:00 UTC, when the clocks of Berlin go from 02:00 to 03:00.
LEAP = 1_774_746_000_000_000_000

InZone = Callable[[str], None]


@pytest.fixture
def in_zone() -> Iterator[InZone]:
    before = os.environ["TZ"]

    def change(name: str) -> None:
        os.environ["TZ"] = name
        time.tzset()

    yield change
    change(before)
    show_utc(False)


def test_local_time(in_zone: InZone) -> None:
    in_zone("Asia/Kolkata")
    assert dated(MOMENT) == "2026-11-22 09:37:15.118"
    assert day(MOMENT) == "2026-11-22 IST"
    in_zone("America/Los_Angeles")
    assert (date(MOMENT), clock(MOMENT), zone(MOMENT)) == ("2026-11-21", "20:07:15.118", "PST")


def test_a_zone_may_change_within_a_capture(in_zone: InZone) -> None:
    in_zone("Europe/Berlin")
    assert [f"{clock(at)} {zone(at)}" for at in (LEAP - 1_000_000, LEAP)] == ["01:59:59.999 CET", "03:00:00.000 CEST"]


def test_utc_on_demand(in_zone: InZone) -> None:
    in_zone("Asia/Kolkata")
    show_utc(True)
    assert (dated(MOMENT), zone(MOMENT)) == ("2026-11-22 04:07:15.118", "UTC")


def test_programs_read_utc_always(in_zone: InZone) -> None:
    in_zone("Asia/Kolkata")
    assert iso(MOMENT) == "2026-11-22T04:07:15.118000Z"
    assert iso(MOMENT + 1_999) == "2026-11-22T04:07:15.118001Z"
    assert iso(0) == "1970-01-01T00:00:00.000000Z"


def test_to_the_millisecond_below() -> None:
    assert clock(MOMENT) == clock(MOMENT + 999_999) == "04:07:15.118"


def test_midnight(in_zone: InZone) -> None:
    in_zone("Europe/Berlin")
    assert of_calendar(2026, 3, 29) == LEAP - 2 * HOUR
    assert of_calendar(2026, 3, 30) == LEAP + 21 * HOUR, "a day of 23 hours"
    assert of_calendar(2026, 3, 29, utc=True) == LEAP - HOUR
    show_utc(True)
    assert of_calendar(2026, 3, 29) == LEAP - HOUR
    with pytest.raises(ValueError, match="day"):
        of_calendar(2026, 2, 30)


@given(st.integers(-(2**80), 2**80))
def test_no_time_is_too_far(nanoseconds: int) -> None:
    assert len(iso(nanoseconds)) == 27
    assert len(dated(nanoseconds)) == 23
    assert zone(nanoseconds)
