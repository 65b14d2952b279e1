"""What a run of ``index`` has to do: which files are new, and from where on each point is traced again.

The files of a point are one stream.  What was told and can not change any more stays; what was open when the last file
ended (the tail) is traced again with the files that follow, from the file on in which it begins.  Connections that are
told of and go on in these files are passed over there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from dissector.errors import CaptureError
from dissector.fleet.captures import FileAtPoint, KnownCapture, looked_at
from dissector.fleet.dataset import Dataset
from dissector.fleet.parquet import Row, rows_of
from dissector.fleet.tracing import MARGIN, ToldConnection
from dissector.render.times import iso

_EPOCH = datetime(1970, 1, 1)


class PointPlan(NamedTuple):
    """``files`` are to be read; ``since`` (nanoseconds; 0: everything): what begins from then on takes the place of
    what the dataset has.  ``known``: all captures of the point, when it is done."""

    point: str
    files: list[KnownCapture]
    known: list[KnownCapture]
    since: int
    told: list[ToldConnection]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def paths(self) -> tuple[str, ...]:
        """What there is to read."""
        return tuple(file.path for file in self.files if file.first is not None)


@dataclass
class Planned:
    """``nothing_new``: files that were indexed before, or are parts of such.  ``unreadable``: files and why."""

    points: list[PointPlan] = field(default_factory=list)
    nothing_new: int = 0
    unreadable: list[KnownCapture] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Planner:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._known: dict[str, dict[str, KnownCapture]] = defaultdict(dict)
        for capture in dataset.manifest.captures:
            self._known[capture.point][capture.digest] = capture

    def plan(self, places: Iterable[FileAtPoint]) -> Planned:
        found, planned = defaultdict[str, list[KnownCapture]](list), Planned()
        for place in places:
            capture = self._looked_at(place)
            known = self._known[place.point].get(capture.digest)
            if capture.error is not None:
                planned.unreadable.append(capture)
            elif known is not None:
                planned.nothing_new += 1
                self._known[place.point][capture.digest] = known._replace(path=place.path)
            else:
                found[place.point].append(capture)
        for point, captures in sorted(found.items()):
            if (one := self._of_point(point, captures, planned)) is not None:
                planned.points.append(one)
        return planned

    def _looked_at(self, place: FileAtPoint) -> KnownCapture:
        try:
            return looked_at(place, self._known[place.point])
        except CaptureError as error:
            return KnownCapture(place.point, place.path, 0, "", None, error=str(error))
        except OSError as error:
            return KnownCapture(place.point, place.path, 0, "", None, error=f"{place.path}: {error.strerror}")

    def _of_point(self, point: str, captures: list[KnownCapture], planned: Planned) -> PointPlan | None:
        known = dict(self._known[point])
        before = _ordered(known.values())
        new = []
        # The longest first: of a file and what it was when somebody copied it, the file counts.
        for capture in sorted(captures, key=lambda one: -one.size):
            alike = [one for one in known.values() if one.first == capture.first]
            if any(one.size > capture.size and capture.begins(one.path) for one in alike):
                planned.nothing_new += 1
                continue
            for one in alike:
                if one.size < capture.size and one.begins(capture.path):
                    del known[one.digest]
            known[capture.digest] = capture
            new.append(capture)
        if not new:
            return None
        files = _ordered(known.values())
        return self._continued(point, files, new, before, planned)

    def _continued(
        self,
        point: str,
        files: list[KnownCapture],
        new: list[KnownCapture],
        before: Sequence[KnownCapture],
        planned: Planned,
    ) -> PointPlan:
        state = self._dataset.manifest.points.get(point)
        if state is None or not state.tail:
            return PointPlan(point, files, files, 0, [])
        new = [one for one in new if one.first is not None]
        if not new:
            return PointPlan(point, [], files, 0, [])
        since = self._since(point, _nanoseconds(state.tail), new, before)
        added = {one.digest for one in new}
        wanted = [one for one in files if one.digest in added or (one.last or 0) >= since]
        gone = [one for one in wanted if one.digest not in added and not one.is_there]
        if gone:
            planned.warnings.append(
                f"{point}: {gone[0].path} is gone or was changed: what was open at its end ends there"
            )
            wanted, since = new, min(one.first or 0 for one in new)
            since = max(since, max(one.last or 0 for one in before) + 1)
        first = min((one.first or 0 for one in wanted), default=0)
        return PointPlan(point, wanted, files, since, self._told(point, since, first))

    def _since(self, point: str, tail: int, new: list[KnownCapture], before: Sequence[KnownCapture]) -> int:
        """Where the tail begins; of a file between others that were read without it, what may have to do with it."""
        earliest = min(one.first or 0 for one in new)
        if earliest >= max((one.last or 0 for one in before), default=0):
            return tail
        since = min(tail, earliest - MARGIN)
        for row in self._connections(point, since):
            if row["closed"] is None or _of_column(row["end"]) >= since:
                since = min(since, _of_column(row["begin"]))
        return since

    def _told(self, point: str, since: int, first: int) -> list[ToldConnection]:
        """Connections of which the dataset tells, and that go on in files that begin at ``first``."""
        found = []
        for row in self._connections(point, since):
            client, server = row["client"], row["server"]
            if _of_column(row["end"]) // 1000 >= first // 1000 and None not in (client["port"], server["port"]):
                ends = (client["ip"], client["port"]), (server["ip"], server["port"])
                found.append(ToldConnection(*ends, _of_column(row["end"]) // 1000))
        return found

    def _connections(self, point: str, since: int) -> Iterable[Row]:
        """Those of a point that begin before ``since``."""
        day = iso(since)[:10]
        for part in self._dataset.manifest.parts:
            if part.table == "connections" and part.point == point and part.day <= day:
                path = self._dataset.path_of(part)
                for row in rows_of(path, ["client", "server", "begin", "end", "closed"]):
                    if _of_column(row["begin"]) < since:
                        yield row


def _ordered(captures: Iterable[KnownCapture]) -> list[KnownCapture]:
    """As they are read: those without packets are not."""
    return sorted(captures, key=lambda one: (one.first or 0, one.path, one.digest))


def _nanoseconds(text: str) -> int:
    return _of_column(datetime.fromisoformat(text[:-1]))


def _of_column(moment: datetime) -> int:
    """A time of a column in nanoseconds."""
    since = moment - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
