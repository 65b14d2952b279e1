"""Command connections that nobody answered or that were refused, until it is known that each was a start that failed
and not somebody who waits for the port to open (see ``join.is_probe``)."""

from __future__ import annotations

from collections import OrderedDict

from dissector.limits import MAX_UNREACHABLE
from dissector.model import Connection, Endpoint
from dissector.session.join import PROBE_WINDOW, is_probe


class Unreached:
    """The first ``MAX_UNREACHABLE`` of a capture; each becomes a task unless a probe takes it back."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._by_ends: dict[tuple[str, Endpoint], OrderedDict[Connection, None]] = {}
        self._count = 0

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._waiting

    def add(self, connection: Connection) -> bool:
        """False when there were too many already."""
        if self._count >= MAX_UNREACHABLE:
            return False
        self._count += 1
        self._waiting[connection] = None
        self._by_ends.setdefault(_ends(connection), OrderedDict())[connection] = None
        return True

    def taken_back(self, probe: Connection) -> list[Connection]:
        """Those that were earlier tries of who now got through without a word."""
        failed = [one for one in self._by_ends.get(_ends(probe), ()) if is_probe(one, probe)]
        for one in failed:
            self._remove(one)
        self._count -= len(failed)
        return failed

    def due(self, now: int | None) -> list[Connection]:
        """Those for which no probe can come any more; all of them when it is None."""
        found = [one for one in self._waiting if now is None or one.end + PROBE_WINDOW <= now]
        for one in found:
            self._remove(one)
        return found

    def _remove(self, connection: Connection) -> None:
        del self._waiting[connection]
        alike = self._by_ends[_ends(connection)]
        del alike[connection]
        if not alike:
            del self._by_ends[_ends(connection)]


def _ends(connection: Connection) -> tuple[str, Endpoint]:
    return connection.client.ip, connection.server
