"""Which callback connection belongs to which start command.

The start command tells the port, and the client's address is the command connection's.  The first SYN to that address
and port after the command is the callback, whoever sends it: the remote may call from another address (several
interfaces, NAT), so its address is never compared.  Three things make it less simple:

* A refused or unanswered SYN takes nothing: the next one to the same port may be the one that gets through.
* Ports are used again within a second.  A start whose callback has proved itself (a frame from the task process) is
  out; of several others (a client killed and restarted) the one with an open command connection wins, then the newest.
* Behind NAT or with several interfaces the remote may call another address or port than announced.  Such a SYN belongs
  to a start only if everything else fits: it comes from that start's remote, and hits the client or the announced port.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from dissector.limits import MAX_CONNECTIONS
from dissector.model import Connection, Endpoint, Task
from dissector.session.task import TaskFacts
from dissector.session.verdict import is_incomplete

#: Somebody who waits for the port to open tries again at once; a scheduler tries again after 60 s.
PROBE_WINDOW = 2_000_000_000

_K = TypeVar("_K")
_Key = tuple[str, int]


class Joiner:
    """Start commands that wait for their callback, by client address and announced port."""

    def __init__(self, callback_ports: tuple[int, int]) -> None:
        self._low, self._high = callback_ports
        self._waiting: dict[_Key, list[TaskFacts]] = {}
        self._by_remote: dict[str, list[TaskFacts]] = {}
        self._size = 0
        #: Command connections of which no start command was read.
        self._unread: dict[Connection, None] = {}

    def command(self, connection: Connection) -> None:
        """A command connection, before it says what it wants."""
        self._unread[connection] = None
        if len(self._unread) > MAX_CONNECTIONS:
            del self._unread[next(iter(self._unread))]

    def unread(self, record: Task) -> Connection | None:
        """A command connection that may be the one of a task without: between its two hosts, begun before its callback,
        and with bytes that the capture lacks."""
        callback = record.callback
        if callback is None:
            return None
        return next(
            (
                command
                for command in self._unread
                if is_between(command, record)
                and (command.mid_stream or command.first_packet < callback.last_packet)
                and is_incomplete(command)
            ),
            None,
        )

    def announce(self, facts: TaskFacts) -> None:
        """A start command was seen; ``facts.record`` knows client, remote and port."""
        record = facts.record
        if record.command is not None:
            self._unread.pop(record.command, None)
        if record.client is None or record.remote is None or record.callback_port is None:
            return
        if self._size >= MAX_CONNECTIONS:  # starts that nobody ever ended: forget them all rather than grow
            self._waiting.clear()
            self._by_remote.clear()
            self._size = 0
        self._size += 1
        same_port = self._waiting.setdefault((record.client.ip, record.callback_port), [])
        for earlier in same_port:
            earlier.superseded = True
        same_port.append(facts)
        self._by_remote.setdefault(record.remote.ip, []).append(facts)

    def forget(self, facts: TaskFacts) -> None:
        """The task is over: nothing may join it any more."""
        record = facts.record
        if record.client is None or record.remote is None or record.callback_port is None:
            return
        if _remove(self._waiting, (record.client.ip, record.callback_port), facts):
            _remove(self._by_remote, record.remote.ip, facts)
            self._size -= 1

    def announced(self, connection: Connection) -> TaskFacts | None:
        """The start that announced the port which ``connection`` goes to."""
        server = connection.server
        if server.port is None:
            return None
        waiting = self._waiting.get((server.ip, server.port))
        return _best(waiting, connection) if waiting else None

    def is_announced(self, listener: Endpoint) -> bool:
        """True when a start announced this address and port."""
        return listener.port is not None and (listener.ip, listener.port) in self._waiting

    def elsewhere(self, connection: Connection) -> TaskFacts | None:
        """The start whose remote opens ``connection`` to a place that nobody announced, if exactly one fits."""
        waiting = self._by_remote.get(connection.client.ip)
        if not waiting:
            return None
        server = connection.server
        fitting = [
            facts
            for facts in waiting
            if not facts.confirmed
            and not facts.attempts
            and facts.start is not None
            and facts.start.time <= connection.start
            and facts.record.client is not None
            and (
                server.port == facts.record.callback_port
                or (server.ip == facts.record.client.ip and self._low <= (server.port or 0) <= self._high)
            )
        ]
        return fitting[0] if len(fitting) == 1 else None


def is_between(command: Connection, record: Task) -> bool:
    """True when the connection leads from the task's client to where its callback came from."""
    peer, client = record.callback_peer, record.client
    if peer is None or client is None:
        return False
    return (command.client.ip, command.server.ip) == (client.ip, peer.ip)


def is_probe(failed: Connection, probe: Connection) -> bool:
    """True when ``failed`` was an earlier try of whoever then opened ``probe`` and closed it without a word: somebody
    who waits for the port, not a scheduler (which sends its command at once and tries again after 60 s only)."""
    same = failed.client.ip == probe.client.ip and failed.server == probe.server
    return same and 0 <= probe.start - failed.end <= PROBE_WINDOW


def half_known(tasks: Iterable[TaskFacts], connection: Connection) -> TaskFacts | None:
    """The newest task whose port is not known, because only the answer to its start could be read or because the port
    was none, if ``connection`` can be its callback."""
    fitting = [
        facts
        for facts in tasks
        if facts.record.callback_port is None
        and not facts.attempts
        and (command := facts.record.command) is not None
        and (command.client.ip, command.server.ip) == (connection.server.ip, connection.client.ip)
    ]
    return fitting[-1] if fitting else None


def _best(waiting: Iterable[TaskFacts], connection: Connection) -> TaskFacts | None:
    fitting = [
        facts
        for facts in waiting
        if not facts.confirmed and (connection.mid_stream or facts.record.start <= _began(connection))
    ]
    return max(fitting, key=_rank, default=None)


def _began(connection: Connection) -> int:
    """When it said something first; the client listens before it sends the start command, so that somebody quick can
    connect (and say nothing) even earlier."""
    said = [side.first_data.time for side in connection.sides if side.first_data is not None]
    return min(said, default=connection.start)


def _rank(facts: TaskFacts) -> tuple[bool, int]:
    command = facts.record.command
    return command is not None and command.closed is None, facts.record.start


def _remove(table: dict[_K, list[TaskFacts]], key: _K, facts: TaskFacts) -> bool:
    entries = table.get(key)
    if not entries or facts not in entries:
        return False
    entries.remove(facts)
    if not entries:
        del table[key]
    return True
