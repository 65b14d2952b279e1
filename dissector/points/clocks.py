"""How far the clock of one place of capture is ahead of another's, from packets that both have seen.

A packet that goes from A to B takes some time, so B's clock can not be further ahead than the difference of the two
times; one that goes from B to A says how far it is ahead at least.  All packets together leave room for the straight
lines that pass below the former and above the latter (offset and drift): their middle is the estimate, what is left on
either side of it the bound.  It is the least delay of each direction that counts, as in NTP (RFC 5905, section 8),
without a wrong step where delays are not alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

#: The clocks of computers drift by no more than this against each other: NTP itself corrects 500 ppm at most.
_MOST_DRIFT = 500e-6
#: Nanoseconds that a time stamp is cut off to, of coarse clocks too.
_GRAINS = (1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000)
#: Nanoseconds that time stamps may be wrong by: where a packet was given its time late.
_ERRORS = (20_000, 200_000, 2_000_000, 20_000_000, 200_000_000, 1_100_000_000)
#: Stretches of time of which the tightest packet of each direction counts.
_STRETCHES = 128
_FAR = 1e13

_Point = tuple[float, float]


class Pair(NamedTuple):
    """A packet at two places A and B: A's time, what B's is later (ns), and whether it went from A to B."""

    time: int
    difference: int
    forward: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """``lines``: corners of what is possible as (nanoseconds ahead at ``origin``, drift); empty when only ``guess`` is
    known, from packets of one direction or none."""

    origin: int
    guess: int
    lines: tuple[_Point, ...] = ()

    @property
    def is_known(self) -> bool:
        return bool(self.lines)

    def ahead(self, first: int, last: int | None = None) -> tuple[int, int | None]:
        """Nanoseconds ahead between ``first`` and ``last`` (times of the other clock), and the bound of the error."""
        if not self.lines:
            return self.guess, None
        times = [float(time - self.origin) for time in (first, first if last is None else last)]
        values = [offset + drift * time for offset, drift in self.lines for time in times]
        low, high = min(values), max(values)
        return self.guess + round((low + high) / 2), ceil((high - low) / 2)

    def drift(self) -> tuple[float, float]:
        """Nanoseconds a nanosecond, and the bound of its error."""
        drifts = [drift for _, drift in self.lines] or [-_MOST_DRIFT, _MOST_DRIFT]
        return (min(drifts) + max(drifts)) / 2, (max(drifts) - min(drifts)) / 2

    def line(self) -> tuple[int, float]:
        """Nanoseconds ahead at ``origin`` and the drift, as far as it is certain that there is one."""
        drift, error = self.drift()
        return self.ahead(self.origin)[0], drift if self.lines and abs(drift) > error else 0.0

    def plus(self, other: Clock) -> Clock:
        """The clock of a third place, where ``other`` is that against the second one."""
        later = other.origin - self.origin
        lines = tuple((a + c - d * later, b + d) for a, b in self.lines for c, d in other.lines)
        return Clock(self.origin, self.guess + other.guess, lines)


SAME = Clock(0, 0, ((0.0, 0.0),))


def estimate(pairs: Sequence[Pair]) -> Clock:
    """B's clock against A's; without packets of both directions only the least difference is known."""
    if not pairs:
        return Clock(0, 0)
    times = [pair.time for pair in pairs]
    origin, middle = (min(times) + max(times)) // 2, sorted(pair.difference for pair in pairs)[len(pairs) // 2]
    upper = _tightest([pair for pair in pairs if pair.forward], forward=True)
    lower = _tightest([pair for pair in pairs if not pair.forward], forward=False)
    if not upper or not lower:
        ends = [pair.difference for pair in (upper or lower)]
        return Clock(origin, min(ends) if upper else max(ends))
    grain = max(grain_of(times), grain_of([pair.time + pair.difference for pair in pairs]))
    for error in (grain, *(error for error in _ERRORS if error > grain)):
        lines = _possible(upper, lower, origin, middle, error)
        if lines:
            return Clock(origin, middle, tuple(lines))
    return Clock(origin, middle)


def grain_of(times: Sequence[int]) -> int:
    """Nanoseconds between two ticks of a clock, as far as its times show."""
    return next(grain for grain in _GRAINS if not any(time % grain for time in times) or grain == _GRAINS[-1])


def _tightest(pairs: list[Pair], *, forward: bool) -> list[Pair]:
    """Of each stretch of time the pair that says most."""
    if len(pairs) <= _STRETCHES:
        return pairs
    first, last = min(pair.time for pair in pairs), max(pair.time for pair in pairs)
    width = (last - first) // _STRETCHES + 1
    best: dict[int, Pair] = {}
    for pair in pairs:
        stretch = (pair.time - first) // width
        known = best.get(stretch)
        if known is None or (pair.difference < known.difference) is forward:
            best[stretch] = pair
    return list(best.values())


def _possible(upper: Iterable[Pair], lower: Iterable[Pair], origin: int, middle: int, error: int) -> list[_Point]:
    """Corners of the offsets and drifts that no pair contradicts."""
    corners: list[_Point] = [(-_FAR, -_MOST_DRIFT), (_FAR, -_MOST_DRIFT), (_FAR, _MOST_DRIFT), (-_FAR, _MOST_DRIFT)]
    for sign, pairs in ((1.0, upper), (-1.0, lower)):
        for pair in pairs:
            limit = sign * (pair.difference - middle) + error
            corners = _clip(corners, sign, sign * (pair.time - origin), limit)
            if not corners:
                return corners
    return corners


def _clip(corners: list[_Point], one: float, two: float, limit: float) -> list[_Point]:
    """What of a polygon has ``one * x + two * y <= limit``."""
    kept: list[_Point] = []
    for number, (x, y) in enumerate(corners):
        before_x, before_y = corners[number - 1]
        here, before = one * x + two * y - limit, one * before_x + two * before_y - limit
        if (here <= 0) is not (before <= 0):
            part = before / (before - here)
            kept.append((before_x + (x - before_x) * part, before_y + (y - before_y) * part))
        if here <= 0:
            kept.append((x, y))
    return kept
