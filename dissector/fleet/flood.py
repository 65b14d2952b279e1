"""When it is worth telling: when there are many matches in a short time, and then not again for that time."""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

from dissector.errors import UsageError

_AFTER = re.compile(r"(\d{1,6})/(\d{1,6})(s|m|min|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


class After(NamedTuple):
    """So many matches within so many seconds."""

    matches: int
    seconds: float


def parse_after(text: str) -> After:
    """``3/10m``

    :raises UsageError: it is none
    """
    match = _AFTER.fullmatch(text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise UsageError(f"{text!r} is no number of matches in a time, such as 3/10m")
    return After(int(match[1]), int(match[2]) * _SECONDS[match[3]])


class FloodGate:
    """Opens when ``after.matches`` came within ``after.seconds``; what comes within so many seconds behind that is
    counted, and told when they are over if it is as many again.  ``now`` is seconds of any clock that only goes on."""

    def __init__(self, after: After) -> None:
        self._after = after
        self._times: deque[float] = deque(maxlen=after.matches)
        #: When it was told last, as long as that keeps it shut, and what came since.
        self._told: float | None = None
        self.untold = 0

    def matched(self, now: float) -> int:
        """One more match; the number of matches to tell of, 0 for none."""
        number = self.due(now)
        if self._told is not None:
            self.untold += 1
            return number
        self._times.append(now)
        is_flood = len(self._times) == self._after.matches and now - self._times[0] <= self._after.seconds
        return self._tell(self._after.matches, now) if is_flood else 0

    def due(self, now: float) -> int:
        """The same when nothing matched: the time may be over."""
        if self._told is None or now - self._told < self._after.seconds:
            return 0
        number, self._told, self.untold = self.untold, None, 0
        return self._tell(number, now) if number >= self._after.matches else 0

    def _tell(self, number: int, now: float) -> int:
        self._told, self.untold = now, 0
        self._times.clear()
        return number
