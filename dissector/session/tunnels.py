"""The tasks that run on Universal Agents: exchanges over HTTP in, messages of tasks out.

A master has one pool of connections for an agent, so messages of a task come over several connections and a connection
carries several tasks.  What names a task is the agent's address with the tunnel's id, and its agentTaskId
(docs/agent.md).  Request bodies and the bodies of 200 responses are one dialog; requests carry numbers, and one that is
repeated counts once.
"""

from __future__ import annotations

from itertools import count

from dissector.limits import MAX_OPEN_TASKS
from dissector.model import AgentPlace, Connection, Exchange, Message, Task
from dissector.numbers import TASK_ID, number
from dissector.session import agent_errors
from dissector.session.agent_facts import AgentFacts
from dissector.session.outages import Outages
from dissector.session.task import TaskFacts
from dissector.session.timeouts import HEARTBEAT_GRACE, SECOND
from dissector.session.tunnel import Directory, Key, Looker, Tunnel, TunnelDesk, carry, key_of, place_of
from dissector.traffic import Side, StreamProblem
from dissector.wire import agent

_OK, _ACCEPTED = 200, 202
#: Bytes of the shortest message that a client sends: an answer without a result.
_SHORTEST = 9


class Tunnels:
    """All agents' tasks under way; the tracer's ``exchanges.Agents``."""

    def __init__(self, desk: TunnelDesk) -> None:
        self._desk = desk
        self.next_exchange = count(1).__next__
        self._known, self._outages = Directory(), Outages()
        self._starting: dict[Exchange, Tunnel] = {}
        #: Requests to tunnels that are not known: their responses tell whether there is such a task.  With the task
        #: that has the tunnel by another secret: only the response tells who is right.
        self._strangers: dict[Exchange, tuple[Key, Tunnel | None]] = {}
        #: When bytes of requests were missing last: they may have been anybody's heartbeat.
        self._missing_at = -1
        #: Who has messages that wait, by their tasks.
        self._lookers: dict[Tunnel, Looker] = {}

    def __bool__(self) -> bool:
        """True while a task runs on an agent."""
        return bool(self._known.by_task)

    def original(self, facts: TaskFacts, message: Message) -> TaskFacts | None:
        """The task of which a callback connection on this host is another leg: the agent's to the task process, which
        begins with the tunnel's secret, or the master's own, whose first answer names the same object."""
        self._look_at_all()
        if message.operation == "tunnel_token":
            facts.token = agent.token_secret(message.raw)
        secret = (facts.token or "").strip("*")  # all are alike where they were taken out
        tunnel = self._known.by_secret.get(facts.token or "") if secret else None
        if tunnel is None and facts.instance is not None:
            tunnel = self._known.by_instance.get(facts.instance)
        return tunnel.facts if tunnel is not None else None

    # --- streaks ---------------------------------------------------------------------------------------------------

    def streak(
        self, connection: Connection, head: agent.RequestHead, number: int, begin: int, end: int, looker: Looker
    ) -> Tunnel | None:
        """As ``Exchanges.streak``."""
        tunnel = self._known.carried(connection)
        if tunnel is None or tunnel.head is not head or tunnel in self._lookers or self._outages:
            return None
        if not tunnel.about.may_go_on(number, begin) or tunnel.deadline <= end or self._desk.waits(tunnel.facts.record):
            return None
        self._lookers[tunnel] = looker
        return tunnel

    def streak_over(self, tunnel: Tunnel, last: tuple[int, int, int] | None) -> None:
        del self._lookers[tunnel]
        if last is not None:
            about = tunnel.about
            about.went_on(*last)
            about.heartbeat = (tunnel.head.heartbeat if tunnel.head is not None else None) or about.heartbeat
            if tunnel.facts.instance is not None:
                self._known.by_instance.setdefault(tunnel.facts.instance, tunnel)

    def _look(self, tunnel: Tunnel) -> None:
        looker = self._lookers.get(tunnel)
        if looker is not None:
            looker.look()

    def _look_at_all(self) -> None:
        for looker in list(self._lookers.values()):
            looker.look()

    # --- what connections bring ------------------------------------------------------------------------------------

    def exchange(self, exchange: Exchange) -> None:
        self._desk.exchange(exchange)

    def stream_problem(self, problem: StreamProblem, connection: Connection) -> None:
        self._desk.stream_problem(problem, connection)

    def lost(self, connection: Connection, side: Side, newest: Exchange | None) -> None:
        """Bytes of a connection are missing: they may be a message of the task that it was about last, or the answer
        to its ``newest`` request."""
        if side is Side.CLIENT:
            self._missing_at = connection.end
            self._outages.missed(connection)
        elif newest in self._starting:
            self._starting[newest].about.misses(connection.end, connection.last_packet)
        tunnel = self._known.carried(connection)
        if tunnel is not None:
            self._look(tunnel)
            tunnel.facts.proof.lost(side.other)
            tunnel.about.misses(connection.end, connection.last_packet)

    def left(self, connection: Connection) -> None:
        self._known.left(connection)

    def unreached(self, connection: Connection, now: int) -> Task | None:
        """Takes a connection to an agent that was refused or not answered so far: a task that waits for that agent."""
        self._look_at_all()
        return self._outages.failed(connection, now)

    def due(self, now: int) -> list[TaskFacts]:
        """Tasks of which nothing was heard for longer than the agent would have kept them."""
        return [tunnel.facts for tunnel in self._outages.due(now)]

    def request(self, exchange: Exchange) -> None:
        self._outages.heard(exchange.connection)
        target = exchange.head.target
        if target is None:
            return
        if exchange.kind == "command":
            self._command(exchange, target)
        elif target.tunnel is not None and exchange.kind in ("tunnel", "continue", "heartbeat"):
            self._tunnelled(exchange, target)

    def response(self, exchange: Exchange) -> None:
        if exchange in self._starting:
            self._started(exchange)
        elif exchange in self._strangers:
            self._stranger(exchange, self._strangers.pop(exchange)[0])
        elif exchange.task is not None and (tunnel := self._known.by_task.get(exchange.task)) is not None:
            self._answered(exchange, tunnel)
        elif (exchange.kind == "command" or agent.is_connect(exchange.request)) and agent.failure_of(exchange.response):
            self._desk.agent_refused(exchange)

    def unanswered(self, exchange: Exchange, *, is_certain: bool) -> None:
        """The connection ended, or bytes were lost, before the response."""
        tunnel = self._starting.pop(exchange, None)
        if tunnel is not None and is_certain:
            self._desk.agent_unanswered(exchange)
        key, rival = self._strangers.pop(exchange, (None, None))
        if key is not None and rival is None and len(exchange.request.body) >= _SHORTEST:
            self._asked(exchange, self._unannounced(exchange, key))

    # --- commands --------------------------------------------------------------------------------------------------

    def _command(self, exchange: Exchange, target: agent.Target) -> None:
        command = exchange.command
        kind = agent.STARTS.get(command.type or "")
        if kind is not None:
            tunnel = self._new(exchange, target.prefix)
            record = tunnel.facts.record
            record.kind, record.job, record.task_id = kind, command.job, number(command.task_id, TASK_ID)
            tunnel.about.start = tunnel.about.waiting = exchange
            self._starting[exchange] = tunnel
        elif command.agent_task_id is not None:
            self._about_task(exchange, target, command)

    def _about_task(self, exchange: Exchange, target: agent.Target, command: agent.AgentCommand) -> None:
        name, known = command.agent_task_id or "", self._known
        tunnel = known.by_name.get(name) or known.by_key.get(key_of(exchange, target, name.partition("-")[0]))
        if tunnel is None or not _may_be(tunnel.facts.record, name):
            return
        self._look(tunnel)
        about = tunnel.about
        record = exchange.task = tunnel.facts.record
        carry(exchange.connection, record)
        about.heard = exchange.time
        if command.type == "CloseTask":
            about.close = exchange
            if command.kill:
                if about.kill is None:
                    about.kill_unsure = about.missing > (record.start if about.asked is None else about.asked)
                about.kill = about.kill or exchange

    def _started(self, exchange: Exchange) -> None:
        tunnel = self._starting.pop(exchange)
        about = tunnel.about
        about.heard, about.waiting = exchange.answered or exchange.time, None
        date = agent.date_of(exchange.response)
        if date is not None:  # of a second that may be over by nearly another one
            about.clock_skew = max(date - about.heard, 0) or min(date + SECOND - about.heard, 0)
        started = agent.started_of(exchange.response)
        target = exchange.head.target
        if started is None or target is None:
            about.start_failure = agent.failure_of(exchange.response) or "the answer names no task"
            self._over(tunnel)
            return
        self._named(tunnel, key_of(exchange, target, started.tunnel), started.secret, started.agent_task_id)

    # --- tunnels ---------------------------------------------------------------------------------------------------

    def _tunnelled(self, exchange: Exchange, target: agent.Target) -> None:
        connection, head = exchange.connection, exchange.head
        tunnel = self._known.carried(connection)
        if tunnel is None or tunnel.head is not head:  # not the one that this connection carried last
            key = key_of(exchange, target, target.tunnel or "")
            tunnel = rival = self._known.by_key.get(key)
            secret = tunnel.about.secret if tunnel is not None else None
            if None not in (head.secret, secret) and head.secret != secret:
                tunnel = None  # somebody else's, or the agent began anew and counts from 1 again
            if tunnel is None:
                self._strangers[exchange] = key, rival
                return
        self._asked(exchange, tunnel)

    def _asked(self, exchange: Exchange, tunnel: Tunnel) -> None:
        if self._lookers:
            self._look(tunnel)
        about, facts = tunnel.about, tunnel.facts
        exchange.task, tunnel.head = facts.record, exchange.head
        self._known.carry(exchange.connection, tunnel)
        self._pulse(exchange, about)
        if exchange.kind == "heartbeat":
            return
        if not about.is_next(exchange):
            if about.skips(exchange):
                facts.proof.lost(Side.SERVER)
                facts.proof.lost(Side.CLIENT)
                about.missing_in = exchange.request_packets[0]
            if not about.first(exchange):
                about.repeat(exchange)
                return
        body = exchange.request.body
        if body or about.waiting is not None:
            about.waiting = exchange
        if body:
            tunnel.feed(exchange.connection, exchange.n, Side.SERVER, body, exchange.request_packets, exchange.time)

    def _pulse(self, exchange: Exchange, about: AgentFacts) -> None:
        """The master lives: it says so as often as it announced, and the agent waits no longer than that."""
        time, known = exchange.time, about.heartbeat
        if about.asked is not None and known is not None and known.timeout is not None:
            late = time - about.asked - (known.period or 0)
            if late > max(about.missed, HEARTBEAT_GRACE) and self._missing_at < about.asked:
                about.missed, about.missed_by = late, exchange
        about.heartbeat = exchange.head.heartbeat or known
        about.asked = about.heard = time

    def _stranger(self, exchange: Exchange, key: Key) -> None:
        if exchange.status not in (_OK, _ACCEPTED):
            self._desk.agent_refused(exchange)
            return
        tunnel = self._unannounced(exchange, key)
        self._asked(exchange, tunnel)
        self._answered(exchange, tunnel)

    def _unannounced(self, exchange: Exchange, key: Key) -> Tunnel:
        """The task of a tunnel whose start, or the answer to it, was not captured."""
        secret = exchange.head.secret
        known = self._known.by_key.get(key)
        if known is not None and known.about.secret == secret:
            return known
        tunnel = self._known.only_nameless(place_of(exchange.connection))
        # A start that may still be answered is only that of a tunnel's first request.
        if tunnel is None or (exchange.request_id != 1 and tunnel.about.start in self._starting):
            target = exchange.head.target
            tunnel = self._new(exchange, target.prefix if target else "")
            tunnel.facts.proof.begins(mid_stream=True)
        self._named(tunnel, key, secret, None)
        return tunnel

    def _answered(self, exchange: Exchange, tunnel: Tunnel) -> None:
        if self._lookers:
            self._look(tunnel)
        about, facts = tunnel.about, tunnel.facts
        about.heard = exchange.answered or exchange.time
        if exchange.kind == "command":
            if exchange is about.close and exchange.status == _OK:
                self._over(tunnel)
            return
        status = exchange.status
        if status == _OK:
            body = exchange.response.body
            if body and about.delivers(exchange, is_first=exchange.kind == "tunnel"):
                if about.repetitions and about.waiting is not None:
                    about.longest_wait = max(about.longest_wait, about.heard - about.waiting.time)
                about.waiting = None
                tunnel.feed(exchange.connection, exchange.n, Side.CLIENT, body, exchange.response_packets, about.heard)
                if facts.instance is not None:
                    self._known.by_instance.setdefault(facts.instance, tunnel)
        elif status != _ACCEPTED:
            self._failed(exchange, about)
        if facts.released is not None:
            about.waiting = None

    def _failed(self, exchange: Exchange, about: AgentFacts) -> None:
        if agent_errors.is_impostor(exchange.response):
            exchange.task = None
            about.not_the_master(exchange)
            self._desk.agent_refused(exchange)
        elif about.failed is None:
            about.failed, about.waiting = exchange, None

    # --- tasks -----------------------------------------------------------------------------------------------------

    def _new(self, exchange: Exchange, prefix: str) -> Tunnel:
        connection = exchange.connection
        record = Task(
            start=exchange.time,
            first_packet=exchange.request_packets[0],
            client=connection.client,
            remote=connection.server,
            via="http" if connection.tls is None else "https",
            agent=AgentPlace(connection.server.ip, connection.server.port, prefix, None, None),
        )
        about = AgentFacts(exchange.time)
        facts = TaskFacts(record, agent=about)
        exchange.task = record
        carry(connection, record)
        tunnel = Tunnel(facts, about, connection, self._desk)
        self._known.add(tunnel)
        self._outages.add(tunnel)
        self._desk.agent_task(facts)
        return tunnel

    def _named(self, tunnel: Tunnel, key: Key, secret: str | None, name: str | None) -> None:
        """The tunnel has its id; a task that had the same one before is over: the agent began anew."""
        known, record = self._known, tunnel.facts.record
        before = known.by_key.get(key)
        if before is not None and before is not tunnel:
            self._over(before)
        if record.agent is not None:
            record.agent = record.agent._replace(tunnel=key.tunnel, agent_task_id=name)
        known.named(tunnel, key, secret, name)
        if len(known.by_key) > MAX_OPEN_TASKS:
            self._over(next(iter(known.by_key.values())))

    def _over(self, tunnel: Tunnel) -> None:
        if tunnel.facts.record in self._known.by_task:
            self._desk.agent_task_over(tunnel.facts)

    def forget(self, facts: TaskFacts) -> None:
        """The task is about to be judged."""
        tunnel = self._known.by_task.get(facts.record)
        if tunnel is not None:
            self._look(tunnel)
            tunnel.end()
            self._known.remove(tunnel)
            self._outages.remove(tunnel)


def _may_be(record: Task, name: str) -> bool:
    """True when a task can have this agentTaskId: of one whose start was not captured only the beginning is known."""
    return record.agent is not None and record.agent.agent_task_id in (None, name)
