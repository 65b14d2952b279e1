"""Which capture files have what of a run, and the numbers of packets there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from dissector.model import CaptureInfo

#: Files that are opened at the same time, and such as can not be read any more.
_AHEAD = 8


class FilesThere(NamedTuple):
    """Files by their names, and how many packets of the run come before them."""

    files: list[str]
    before: int


class FilesOfRun:
    """``infos``: the run's files in the order of their first packets, filled as they are read; ``names`` what they are
    called.  Numbers over the files that have packets of some time are those of the run less what was before: whoever
    reads these files alone merges them in the same order of time."""

    def __init__(self, infos: Sequence[CaptureInfo], names: Sequence[str]) -> None:
        self._infos, self._names = infos, names
        #: First times of the files that were opened.
        self._begun: list[int] = []
        #: Of files that are read to their ends: the latest packet up to each, and the packets.
        self._latest: list[int] = []
        self._packets: list[int] = [0]

    def at(self, start: int, end: int) -> FilesThere:
        """Those with packets from ``start`` to ``end``, of which everything was read."""
        infos, begun, latest = self._infos, self._begun, self._latest
        for number in range(len(begun), min(len(begun) + _AHEAD, len(infos))):
            first = infos[number].first
            if first is not None:
                # What could not be read after all is passed over.
                begun += [max(first, begun[-1] if begun else first)] * (number + 1 - len(begun))
        stop = max(bisect_right(begun, max(end, start)), 1)
        # A file that is still read has packets as late as everything that is final.
        while len(latest) < stop and self._last(len(latest)) < start:
            number = len(latest)
            latest.append(max(self._last(number), latest[-1] if latest else 0))
            self._packets.append(self._packets[-1] + infos[number].packets)
        first = bisect_left(latest, start, hi=min(stop, len(latest)))
        within = [number for number in range(first, stop) if self._last(number) >= start] or [stop - 1]
        before = self._packets[first] + sum(infos[n].packets for n in range(first, stop) if n not in within)
        return FilesThere([self._names[number] for number in within], before)

    def _last(self, number: int) -> int:
        return self._infos[number].last or 0
