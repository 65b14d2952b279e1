"""Command connections that nobody answered or that were refused, until it is known that each was a start that failed
and not somebody who waits for the port to open (see ``join.is_probe``)."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from dissector.limits import MAX_ALIKE, MAX_UNREACHABLE
from dissector.model import Connection, Endpoint
from dissector.session.join import PROBE_WINDOW, is_probe

_Ends = tuple[str, Endpoint]
_ByEnds = dict[_Ends, "OrderedDict[Connection, None]"]


class Unreached:
    """The first ``MAX_UNREACHABLE`` of a capture; each becomes a task unless a probe takes it back.  The end of either
    may be what the capture lost, so those that are open and say nothing count too."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._by_ends: _ByEnds = {}
        #: Open ones of which nothing is known but their SYNs, and the probes that followed some of them.
        self._silent: _ByEnds = {}
        self._probes: dict[Connection, Connection] = {}
        self._count = 0

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._waiting

    def opened(self, connection: Connection) -> None:
        """A connection to a command port begins."""
        if not connection.mid_stream:
            _add(self._silent, connection)

    def forget(self, connection: Connection) -> None:
        """It is over, or said what it is."""
        _remove(self._silent, connection)
        self._probes.pop(connection, None)

    def add(self, connection: Connection) -> bool:
        """False when there were too many already."""
        if (probe := self._probes.get(connection)) is not None and is_probe(connection, probe):
            return True
        if self._count >= MAX_UNREACHABLE:
            return False
        self._count += 1
        self._waiting[connection] = None
        _add(self._by_ends, connection)
        return True

    def taken_back(self, probe: Connection) -> list[Connection]:
        """Those that were earlier tries of who now got through without a word."""
        failed = [one for one in self._by_ends.get(_ends(probe), ()) if is_probe(one, probe)]
        for one in failed:
            self._remove(one)
        self._count -= len(failed)
        for one in self._silent_like(probe):
            if not one.established:
                self._probes[one] = probe
        return failed

    def due(self, now: int | None) -> list[Connection]:
        """Those for which no probe can come any more; all of them when it is None."""
        found = [one for one in self._waiting if now is None or one.end + PROBE_WINDOW <= now]
        told = []
        for one in found:
            self._remove(one)
            if any(other.established and is_probe(one, other) for other in self._silent_like(one)):
                self._count -= 1
            else:
                told.append(one)
        return told

    def _silent_like(self, connection: Connection) -> list[Connection]:
        """The newest open ones between the same ends that carried nothing so far."""
        alike = islice(reversed(self._silent.get(_ends(connection), {})), MAX_ALIKE)
        return [one for one in alike if one.bytes == 0]

    def _remove(self, connection: Connection) -> None:
        del self._waiting[connection]
        _remove(self._by_ends, connection)


def _ends(connection: Connection) -> _Ends:
    return connection.client.ip, connection.server


def _add(table: _ByEnds, connection: Connection) -> None:
    table.setdefault(_ends(connection), OrderedDict())[connection] = None


def _remove(table: _ByEnds, connection: Connection) -> None:
    ends = _ends(connection)
    if (alike := table.get(ends)) is not None:
        alike.pop(connection, None)
        if not alike:
            del table[ends]
