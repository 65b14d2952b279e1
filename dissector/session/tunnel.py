"""One task on a Universal Agent as a dialog, and where it is found by what its exchanges say of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import MutableMapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from dissector.limits import MAX_ATTEMPTS
from dissector.model import Connection, Endpoint, Exchange, Message, Task
from dissector.session.agent_facts import AgentFacts
from dissector.session.dialog import Dialog
from dissector.session.skim import ANSWER, Skim
from dissector.session.task import TaskFacts
from dissector.stream.block import Pairs
from dissector.traffic import Frame, Side, StreamProblem
from dissector.wire.agent import RequestHead, Target

_K = TypeVar("_K")
_new = tuple.__new__
#: The master's host, and an agent.
CapturePoint = tuple[str, Endpoint]


class Key(NamedTuple):
    """An agent (the host that a proxy is asked for, else its address) and a tunnel's id."""

    agent: str | Endpoint
    tunnel: str


class Looker(Protocol):
    """Has messages of a task that wait until somebody looks at it."""

    def look(self) -> None: ...


class TunnelDesk(Protocol):
    """What tunnels ask of the tracer."""

    wants_messages: bool

    def waits(self, task: Task) -> bool:
        """True where it matters when a message of the task comes, wanted or not."""

    def next_number(self) -> int: ...
    def omitted_of(self, task: Task, messages: int) -> None:
        """In place of ``message`` where nobody wants them."""

    def message(self, message: Message) -> None: ...
    def exchange(self, exchange: Exchange) -> None: ...
    def stream_problem(self, problem: StreamProblem, connection: Connection) -> None: ...
    def agent_task(self, facts: TaskFacts) -> None: ...
    def agent_task_over(self, facts: TaskFacts) -> None: ...
    def agent_refused(self, exchange: Exchange) -> None:
        """A request of no task was answered with an error."""

    def agent_unanswered(self, exchange: Exchange) -> None:
        """The connection of a start ended before its answer."""


def place_of(connection: Connection) -> CapturePoint:
    return connection.client.ip, connection.server


def carry(connection: Connection, task: Task) -> None:
    """The connection carries an exchange about the task."""
    connection.task = connection.task or task
    if len(task.carriers) < MAX_ATTEMPTS:
        task.carriers[connection] = None


def key_of(exchange: Exchange, target: Target, tunnel: str) -> Key:
    connection = exchange.connection
    return Key(target.host or connection.asked_for or connection.server, tunnel)


class Tunnel:
    """One task's exchanges as a dialog."""

    def __init__(self, facts: TaskFacts, about: AgentFacts, connection: Connection, desk: TunnelDesk) -> None:
        self.facts, self.about = facts, about
        self.key: Key | None = None
        #: What the head of its last request said.
        self.head: RequestHead | None = None
        self.place = place_of(connection)
        self._desk = desk
        # The master is the JobScheduler client, which is the server of a callback connection.
        self._dialog = Dialog(connection, Side.SERVER, desk.next_number)
        self._dialog.task = facts.record
        facts.dialog = self._dialog
        self._skim = None if desk.wants_messages else Skim(self._dialog, Side.SERVER, header=0)
        #: Connections that carried its last requests.
        self.connections: dict[Connection, None] = {}
        #: Its number among the deadlines (see ``outages``).
        self.entry = 0

    @property
    def deadline(self) -> int:
        """When the agent has ended the task for certain if nobody says anything more about it."""
        return self.about.heard + 2 * self.about.timeout

    def feed(
        self, connection: Connection, exchange: int, side: Side, body: bytes, packets: tuple[int, ...], time: int
    ) -> None:
        """One message of an exchange with this number: a request's body (``Side.SERVER``) or a response's."""
        dialog = self._dialog
        dialog.connection = connection
        frame = _new(Frame, (side, 0, body, packets, time))
        if self._skim is not None and self._skim.take(frame, self.facts):
            if body[0] == ANSWER:
                self._desk.omitted_of(self.facts.record, 2)
            return
        message = dialog.feed(frame)
        message.size, message.exchange = len(body), exchange
        self.facts.frame(message)
        told = list(dialog.told(message))
        if self._skim is None:
            for one in told:
                self._desk.message(one)
        elif told:
            self._desk.omitted_of(self.facts.record, len(told))

    def skims(self, pairs: Pairs, asker: Side, heads: list[bytes], numbers: Sequence[int]) -> bool:
        """Skims messages of a streak, if ``asker`` may ask now; ``numbers`` are those of its block."""
        if self._skim is None or not self._skim.may_ask(asker):
            return False
        self._skim.take_pairs(pairs, heads, self.facts, numbers)
        return True

    def end(self) -> None:
        self.facts.open_requests = self._dialog.open_requests()
        for message in self.facts.open_requests:
            self._desk.message(message)


class Directory:
    """The tasks under way on agents, by all that names them."""

    def __init__(self) -> None:
        self.by_task: dict[Task, Tunnel] = {}
        self.by_key: OrderedDict[Key, Tunnel] = OrderedDict()
        #: By agentTaskId.
        self.by_name: dict[str, Tunnel] = {}
        self.by_secret: dict[str, Tunnel] = {}
        #: By the object that the task process made first; its id is a random number.
        self.by_instance: dict[int, Tunnel] = {}
        #: What a connection carried last.
        self._by_connection: dict[Connection, Tunnel] = {}
        #: Those whose start was not answered.
        self._nameless: dict[CapturePoint, dict[Tunnel, None]] = {}

    def add(self, tunnel: Tunnel) -> None:
        self.by_task[tunnel.facts.record] = tunnel
        self._nameless.setdefault(tunnel.place, {})[tunnel] = None

    def named(self, tunnel: Tunnel, key: Key, secret: str | None, name: str | None) -> None:
        """Notes what the answer to its start, or its first request, says."""
        self._not_nameless(tunnel)
        tunnel.key, tunnel.about.secret, tunnel.head = key, secret, None
        self.by_key[key] = tunnel
        if secret:
            self.by_secret[secret] = tunnel
        if name:
            self.by_name[name] = tunnel

    def only_nameless(self, place: CapturePoint) -> Tunnel | None:
        """The only one there whose start was not answered."""
        found = self._nameless.get(place, {})
        return next(iter(found)) if len(found) == 1 else None

    def carry(self, connection: Connection, tunnel: Tunnel) -> None:
        if self._by_connection.get(connection) is not tunnel:
            self.left(connection)
            self._by_connection[connection] = tunnel
            tunnel.connections[connection] = None
            carry(connection, tunnel.facts.record)

    def carried(self, connection: Connection) -> Tunnel | None:
        return self._by_connection.get(connection)

    def left(self, connection: Connection) -> None:
        tunnel = self._by_connection.pop(connection, None)
        if tunnel is not None:
            del tunnel.connections[connection]

    def remove(self, tunnel: Tunnel) -> None:
        del self.by_task[tunnel.facts.record]
        self._not_nameless(tunnel)
        agent = tunnel.facts.record.agent
        _drop(self.by_key, tunnel.key, tunnel)
        _drop(self.by_name, agent.agent_task_id if agent is not None else None, tunnel)
        _drop(self.by_secret, tunnel.about.secret, tunnel)
        _drop(self.by_instance, tunnel.facts.instance, tunnel)
        for connection in tunnel.connections:
            del self._by_connection[connection]

    def _not_nameless(self, tunnel: Tunnel) -> None:
        waiting = self._nameless.get(tunnel.place, {})
        waiting.pop(tunnel, None)
        if not waiting:
            self._nameless.pop(tunnel.place, None)


def _drop(table: MutableMapping[_K, Tunnel], key: _K | None, tunnel: Tunnel) -> None:
    if key is not None and table.get(key) is tunnel:
        del table[key]
