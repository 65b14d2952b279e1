"""Moments as people and programs read them.

People read the local time of this machine (of ``TZ``), or UTC where they ask for it; programs read UTC.  A moment is
nanoseconds since the epoch.  Beyond what a calendar holds, the nearest moment that it does is meant.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SECOND = 1_000_000_000
#: Seconds from the epoch to the year 10000, which no calendar here has.
_CALENDAR_END = 253_402_300_800


class _Setting:
    """What the whole process shows, as ``TZ`` itself is."""

    utc = False


def show_utc(wanted: bool) -> None:
    """From now on people read UTC, or local time."""
    _Setting.utc = wanted


def clock(nanoseconds: int) -> str:
    """Time of day: ``04:07:15.118``."""
    return moment(nanoseconds).strftime("%H:%M:%S.%f")[:-3]


def date(nanoseconds: int) -> str:
    """``2026-11-22``."""
    return moment(nanoseconds).date().isoformat()


def dated(nanoseconds: int) -> str:
    """``2026-11-22 04:07:15.118``."""
    return f"{date(nanoseconds)} {clock(nanoseconds)}"


def day(nanoseconds: int) -> str:
    """The date with its zone, for a line above times of day: ``2026-11-22 CET``."""
    return f"{date(nanoseconds)} {zone(nanoseconds)}"


def zone(nanoseconds: int) -> str:
    """Name of the zone that is shown, as it is at that moment: ``UTC``, ``CEST``."""
    return moment(nanoseconds).strftime("%Z")


def moment(nanoseconds: int) -> datetime:
    """The moment in the zone that is shown, to the microsecond below."""
    utc = _calendar(nanoseconds)
    if _Setting.utc:
        return utc
    try:
        return utc.astimezone()
    except (OverflowError, ValueError, OSError):
        return utc


def axis(first: int, last: int, cells: int) -> str:
    """Both ends of a time line of so many cells, with their dates where these differ, and the zone behind it."""
    begin, end = (clock(first), clock(last)) if date(first) == date(last) else (dated(first), dated(last))
    return f"{begin}{end.rjust(max(cells - len(begin), len(end) + 2))} {zone(last)}"


def of_calendar(year: int, month: int, day: int, *, utc: bool = False) -> int:
    """Midnight of a day in the zone that is shown, or in UTC.

    :raises ValueError: there is no such day
    """
    midnight = datetime(year, month, day, tzinfo=timezone.utc if utc or _Setting.utc else None)
    return int(midnight.timestamp()) * _SECOND


def iso(nanoseconds: int) -> str:
    """Date and time in UTC to the microsecond: ``2026-11-22T04:07:15.118000Z``."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    if not 0 <= seconds < _CALENDAR_END:
        return _calendar(nanoseconds).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return f"{_iso_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=1024)
def _iso_second(seconds: int) -> str:
    return _calendar(seconds * _SECOND).replace(tzinfo=None).isoformat(timespec="seconds")


def _calendar(nanoseconds: int) -> datetime:
    """The moment in UTC, to the microsecond below."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        end = datetime.max if nanoseconds > 0 else datetime.min
        return end.replace(tzinfo=timezone.utc)
