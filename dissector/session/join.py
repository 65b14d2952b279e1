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

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeVar

from dissector.limits import MAX_ALIKE, MAX_CONNECTIONS
from dissector.model import Connection, Endpoint, Task
from dissector.session.life import LifeEvent, WatchState
from dissector.session.task import TaskFacts
from dissector.session.verdict import is_incomplete

#: Somebody who waits for the port to open tries again at once; a scheduler tries again after 60 s.
PROBE_WINDOW = 2_000_000_000


_K = TypeVar("_K")
_V = TypeVar("_V")
_Table = dict[_K, "OrderedDict[TaskFacts, None]"]
_Place = tuple[str, int | str | None]


class Joiner:
    """Start commands that wait for their callback, by client address and announced port."""

    def __init__(self, callback_ports: tuple[int, int], command_ports: Iterable[int] = ()) -> None:
        self._low, self._high = callback_ports
        self._command_ports = frozenset(command_ports)
        self._waiting: _Table[Endpoint] = {}
        #: Those of which nobody called yet (some more, until somebody looks), by the remote's address with the port and
        #: with the client's address.
        self._expected: _Table[_Place] = {}
        #: Command connections of which no start command was read; the same by the addresses of their ends.
        self._unread: OrderedDict[Connection, None] = OrderedDict()
        self._servers: OrderedDict[Endpoint, None] = OrderedDict()
        self._unread_between: dict[tuple[str, str], OrderedDict[Connection, None]] = {}
        #: A connection to a command port was seen.
        self.has_commands = False

    def begins(self, server: Endpoint) -> None:
        """A connection to ``server`` comes in sight."""
        self.has_commands = self.has_commands or self.is_server(server)

    def command(self, connection: Connection) -> None:
        """A command connection, before it says what it wants."""
        self._servers[connection.server] = None
        if len(self._servers) > MAX_CONNECTIONS:
            self._servers.popitem(last=False)
        self._unread[connection] = None
        between = self._unread_between.setdefault(_ends(connection), OrderedDict())
        between[connection] = None
        if len(between) > MAX_ALIKE:
            self._read(next(iter(between)))
        if len(self._unread) > MAX_CONNECTIONS:
            self._read(next(iter(self._unread)))

    def is_server(self, server: Endpoint) -> bool:
        """True when somebody sends commands there: they were seen, or the port is known for them."""
        return server.port in self._command_ports or server in self._servers

    def _read(self, connection: Connection) -> None:
        """Nothing more is to be found out about a command connection."""
        if connection in self._unread:
            del self._unread[connection]
            _remove(self._unread_between, _ends(connection), connection)

    def unread(self, record: Task) -> Connection | None:
        """A command connection that may be the one of a task without: between its two hosts, begun before its callback,
        and with bytes that the capture lacks."""
        callback, peer, client = record.callback, record.callback_peer, record.client
        if callback is None or peer is None or client is None:
            return None
        return next(
            (
                command
                for command in self._unread_between.get((client.ip, peer.ip), ())
                if (command.mid_stream or command.first_packet < callback.last_packet) and is_incomplete(command)
            ),
            None,
        )

    def announce(self, facts: TaskFacts) -> TaskFacts | None:
        """A start command was seen; ``facts.record`` knows client, remote and port.  Returns the start that it
        supersedes, if there is one."""
        record = facts.record
        if record.command is not None:
            self._read(record.command)
        if record.client is None or record.remote is None or record.callback_port is None:
            return None
        same_port = self._waiting.setdefault(Endpoint(record.client.ip, record.callback_port), OrderedDict())
        earlier = next(reversed(same_port), None)
        same_port[facts] = None
        if len(same_port) > MAX_ALIKE:
            self.forget(next(iter(same_port)))
        self.expect(facts)
        if earlier is None or earlier.life.watch is WatchState.SUPERSEDED:
            return None
        earlier.life.watched(LifeEvent.AGAIN, record.first_packet, record.start)
        return earlier

    def expect(self, facts: TaskFacts) -> None:
        """Nobody called the start yet, or what did was something else."""
        record = facts.record
        if record.client is None:
            return
        if facts in self._waiting.get(Endpoint(record.client.ip, record.callback_port), ()):
            for place in _places(record):
                self._expected.setdefault(place, OrderedDict())[facts] = None

    def forget(self, facts: TaskFacts) -> None:
        """The task is over: nothing may join it any more."""
        record = facts.record
        if record.client is not None:
            _remove(self._waiting, Endpoint(record.client.ip, record.callback_port), facts)
            for place in _places(record):
                _remove(self._expected, place, facts)

    def announced(self, connection: Connection) -> TaskFacts | None:
        """The start that announced the port which ``connection`` goes to."""
        waiting = self._waiting.get(connection.server)
        return _best(waiting, connection) if waiting else None

    def is_announced(self, listener: Endpoint) -> bool:
        """True when a start announced this address and port."""
        return listener in self._waiting

    def may_concern(self, client: Endpoint, server: Endpoint) -> bool:
        """True when what is known of these two matters to a new connection between them, unless its server's port is in
        the callback range."""
        return server in self._waiting or (client.ip, server.port) in self._expected or self.is_server(server)

    def elsewhere(self, connection: Connection) -> TaskFacts | None:
        """The start whose remote opens ``connection`` to a place that nobody announced, if exactly one fits."""
        if connection.mid_stream:
            return None
        remote, server = connection.client.ip, connection.server
        fitting = self._fitting((remote, server.port), connection)
        if server.port is not None and self._low <= server.port <= self._high:
            fitting |= self._fitting((remote, server.ip), connection)
        return fitting.pop() if len(fitting) == 1 else None

    def _fitting(self, place: _Place, connection: Connection) -> set[TaskFacts]:
        """Starts that expect a callback and may have got ``connection``: two of them are as good as more."""
        expected, found, gone = self._expected.get(place, ()), set(), []
        looked = 0
        for facts in expected:
            if facts.confirmed or facts.attempts:
                gone.append(facts)
                continue
            looked += 1
            if facts.start is not None and facts.start.time <= connection.start:
                found.add(facts)
            if len(found) > 1 or looked == MAX_ALIKE:
                break
        for facts in gone:
            _remove(self._expected, place, facts)
        return found


def _ends(command: Connection) -> tuple[str, str]:
    return command.client.ip, command.server.ip


def _places(record: Task) -> list[_Place]:
    """Where the callback of a start is expected that does not come to the place announced."""
    if record.remote is None or record.client is None or record.callback_port is None:
        return []
    return [(record.remote.ip, record.callback_port), (record.remote.ip, record.client.ip)]


def is_probe(failed: Connection, probe: Connection) -> bool:
    """True when ``failed`` was an earlier try of whoever then opened ``probe`` and closed it without a word: somebody
    who waits for the port, not a scheduler (which sends its command at once and tries again after 60 s only)."""
    same = failed.client.ip == probe.client.ip and failed.server == probe.server
    return same and 0 <= probe.start - failed.end <= PROBE_WINDOW


def _best(waiting: Iterable[TaskFacts], connection: Connection) -> TaskFacts | None:
    fitting = [facts for facts in waiting if not facts.confirmed and facts.record.start <= _began(connection)]
    return max(fitting, key=_rank, default=None)


def _began(connection: Connection) -> int:
    """When it said something first; the client listens before it sends the start command, so that somebody quick can
    connect (and say nothing) even earlier."""
    said = [side.first_data.time for side in connection.sides if side.first_data is not None]
    return min(said, default=connection.start)


def _rank(facts: TaskFacts) -> tuple[bool, int]:
    command = facts.record.command
    return command is not None and command.closed is None, facts.record.start


def _remove(table: dict[_K, OrderedDict[_V, None]], key: _K, entry: _V) -> None:
    entries = table.get(key)
    if entries is not None:
        entries.pop(entry, None)
        if not entries:
            del table[key]
