"""Records of what jstrace makes of the traffic: connections, tasks, messages, problems.

``Connection``, ``Task`` and ``Message`` live while packets arrive: the floor that owns a field updates it, everyone
else reads.  Times are integer nanoseconds since the epoch, as in ``traffic``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from dissector.places import Astray as Astray
from dissector.places import Endpoint as Endpoint
from dissector.places import Rewritten as Rewritten
from dissector.places import Role as Role
from dissector.places import TaskPoint as TaskPoint
from dissector.places import address_text as address_text
from dissector.sides import Mark as Mark
from dissector.sides import SideFacts as SideFacts
from dissector.tlsfacts import TlsFacts
from dissector.traffic import IcmpError, Side, Via

# --- connections ---------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Connection:
    """One TCP connection (one instance: a reused port makes a new one), updated by ``stream.reassembly``.

    ``client`` sent the SYN; where no SYN was captured it is a guess that ``mid_stream`` marks.  ``n`` is 0 until the
    session finds that it belongs to JobScheduler.
    """

    client: Endpoint
    server: Endpoint
    start: int
    first_packet: int
    end: int = 0
    last_packet: int = 0
    n: int = 0
    role: Role = Role.UNKNOWN
    task: Task | None = None
    mid_stream: bool = False
    closed: str | None = None
    #: The session heard that nothing more will come (closed, given up, or the capture ended).
    over: bool = False
    packets: int = 0
    bytes: int = 0
    #: Holes of bytes that were not captured; what the snap length cut off is counted in ``snapped`` (bytes) instead.
    gaps: int = 0
    gap_marks: Sequence[Mark] = ()
    snapped: int = 0
    #: How often its bytes were none that can be read.
    problems: int = 0
    #: Nanoseconds without a packet before the first FIN or RST; None without either.
    idle_before_end: int | None = None
    #: Longest time without a packet (nanoseconds), and the packet that ended it.
    silence: int = 0
    silence_end: Mark | None = None
    syns: Sequence[Mark] = ()
    syn_acks: Sequence[Mark] = ()
    icmp: Sequence[IcmpError] = ()
    sides: tuple[SideFacts, SideFacts] = field(default_factory=lambda: (SideFacts(), SideFacts()))
    #: Tunnels that its first packet came in, outermost first.
    via: tuple[Via, ...] = ()
    tls: TlsFacts | None = None
    #: Host and port that a proxy, its server, was asked to connect the client with.
    asked_for: str | None = None
    #: The place of capture; empty where there is only one.
    point: str = ""

    @property
    def retransmissions(self) -> int:
        return self.sides[0].retransmissions + self.sides[1].retransmissions

    @property
    def duplicates(self) -> int:
        """Segments with data that were captured a second time at the same place."""
        return self.sides[0].duplicates + self.sides[1].duplicates

    @property
    def established(self) -> bool:
        """True once either side sent something that only an open connection allows; a reset alone refuses one."""
        client, server = self.sides
        only_refused = server.rst is not None and self.packets == server.packets == 1
        goes_on = client.acked is not None or (self.mid_stream and not only_refused)
        return goes_on or self.bytes > 0 or (bool(self.syn_acks) and not self.syn_ack_lost)

    @property
    def syn_ack_lost(self) -> bool:
        """The SYN+ACK was captured, but never arrives: it or the SYN is retransmitted, and nobody acknowledges it."""
        if not self.syns or not self.syn_acks or self.mid_stream or self.bytes:
            return False
        is_repeated = len(self.syn_acks) > 1 or (len(self.syns) > 1 and self.syns[-1].time > self.syn_acks[0].time)
        return is_repeated and self.sides[Side.CLIENT].acked is None

    def unacknowledged(self, side: Side) -> int:
        """Bytes that ``side`` sent and the other side never acknowledged in the capture."""
        return max(0, self.sides[side].sent - (self.sides[side.other].acked or 0))


# --- tasks ---------------------------------------------------------------------------------------------------------


class Outcome(str, Enum):
    """How a task ended; the words of the output contract."""

    SUCCESS = "success"
    FAILURE = "failure"
    KILLED = "killed"
    LOST = "lost"
    REFUSED = "refused"
    NO_CALLBACK = "no_callback"
    UNREACHABLE = "unreachable"
    RUNNING = "running"
    UNKNOWN = "unknown"


class LogLine(NamedTuple):
    """One spooler_log callback: ``level`` is error, warn, info or debug1 ... debug9."""

    time: int
    level: str
    text: str
    packet: int


@dataclass(slots=True)
class Counts:
    """Figures of one callback connection, as the output contract defines them."""

    messages: int = 0
    calls: int = 0
    callbacks: int = 0
    errors: int = 0
    keep_alives: int = 0
    log_lines: int = 0
    bytes: int = 0


class AgentPlace(NamedTuple):
    """The Universal Agent that runs a task, and what the task is called there; ``tunnel`` and ``agent_task_id`` are
    None where they were not captured."""

    ip: str
    port: int | None
    prefix: str
    tunnel: str | None
    agent_task_id: str | None


@dataclass(slots=True, eq=False)
class Task:
    """One remote task: up to two connections joined, or exchanges with a Universal Agent.

    ``n`` is 0 until its order is settled (see session.tracer).
    """

    start: int
    first_packet: int
    n: int = 0
    end: int = 0
    client: Endpoint | None = None
    remote: Endpoint | None = None
    callback_port: int | None = None
    callback_peer: Endpoint | None = None
    kind: str | None = None
    process_id: int | None = None
    pid: int | None = None
    job: str | None = None
    task_id: int | None = None
    #: Nanoseconds from the start command to the callback's first packet.
    callback_delay: int | None = None
    outcome: Outcome = Outcome.UNKNOWN
    exit_code: int | None = None
    signal: int | None = None
    state_text: str | None = None
    counts: Counts = field(default_factory=Counts)
    log: list[LogLine] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    command: Connection | None = None
    callback: Connection | None = None
    #: What carries its commands: "tcp", "http" or "https".
    via: str = "tcp"
    agent: AgentPlace | None = None
    #: What each place of capture has of it, that nearest to the client first; empty where there is only one.
    points: list[TaskPoint] = field(default_factory=list)
    #: The one of them that the task's facts are of.
    point: str = ""
    #: What passed one of them only.
    astray: list[Astray] = field(default_factory=list)
    #: What devices between them changed of its connections.
    rewritten: list[Rewritten] = field(default_factory=list)
    #: Connections that carried exchanges about it, the first ones; other tasks use them too.
    carriers: dict[Connection, None] = field(default_factory=dict)


class Running(NamedTuple):
    """A task under way: what it does or waits for (``doing``) since when; ``calls`` are its requests without an answer
    so far, outermost first.  ``outcome`` is there when all its connections have ended (at ``since``) and only late
    packets can still change what is told of it."""

    task: Task
    doing: str
    since: int
    calls: tuple[Message, ...] = ()
    outcome: Outcome | None = None


#: Where a task stands that is under way; None for any other one.
Look = Callable[[Task], Running | None]


class ObjectInfo(NamedTuple):
    """An object of a callback connection: the name that begin gave it and its class (a reference's title)."""

    name: str | None
    class_name: str | None


@dataclass(init=False, eq=False)
class Message:
    """One document of a command connection or one frame of a callback connection, paired and named.

    ``body`` is a ``wire.messages`` record or a ``wire.control`` document; ``raw`` the bytes it was decoded from
    (a frame without its length header).  ``answers`` and ``answered_by`` are message numbers.
    """

    # There are as many of them as frames: what has a default costs nothing until it is set.
    n: int
    connection: Connection
    time: int
    packets: tuple[int, ...]
    to_remote: bool
    kind: str
    operation: str | None
    body: Any
    raw: bytes
    size: int
    task: Task | None = None
    object_id: int | None = None
    object_name: str | None = None
    object_class: str | None = None
    member: str | None = None
    answers: int | None = None
    answered_by: int | None = None
    depth: int = 0
    latency: int | None = None
    #: Why the message could not be decoded, or what is odd about it.
    note: str | None = None
    #: The request that an answer answers.
    request: Message | None = None
    #: The exchange over HTTP that carried it.
    exchange: int | None = None
    #: What the connection's dialog knows of objects, by object id.
    objects: dict[int, ObjectInfo] | None = None

    def __init__(
        self,
        n: int,
        connection: Connection,
        time: int,
        packets: tuple[int, ...],
        to_remote: bool,
        kind: str,
        operation: str | None,
        body: Any,
        raw: bytes,
        size: int,
        task: Task | None = None,
    ) -> None:
        self.n = n
        self.connection = connection
        self.time = time
        self.packets = packets
        self.to_remote = to_remote
        self.kind = kind
        self.operation = operation
        self.body = body
        self.raw = raw
        self.size = size
        self.task = task


@dataclass(slots=True, eq=False)
class Exchange:
    """One request over HTTP and its response; a Universal Agent's task is made of such.

    ``kind`` is the output contract's (see ``wire.agent.RequestHead``), ``request`` and ``response`` are
    ``wire.http_message.HttpMessage``.
    """

    n: int
    connection: Connection
    time: int
    request_packets: tuple[int, ...]
    kind: str
    request: Any
    response: Any = None
    #: That of the response.
    status: int | None = None
    task: Task | None = None
    #: What its head says: a ``wire.agent.RequestHead``.
    head: Any = None
    #: ``$TYPE`` of a command, and what else a task needs of it (a ``wire.agent.AgentCommand``).
    type: str | None = None
    command: Any = None
    request_id: int | None = None
    #: Number of the exchange that this one repeats.
    repeats: int | None = None
    #: Nanoseconds from the request's last byte to the response's.
    latency: int | None = None
    #: When the response was whole.
    answered: int | None = None
    response_packets: tuple[int, ...] = ()
    #: Both as they were sent.
    request_raw: bytes = b""
    response_raw: bytes = b""

    @property
    def packets(self) -> tuple[int, ...]:
        return self.request_packets + self.response_packets


class Severity(str, Enum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


#: The worst severity first.
RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(slots=True)
class Problem:
    """Something that a user should know, with its proof.  ``cause`` and ``remedy`` are plain words."""

    code: str
    severity: Severity
    time: int
    packets: tuple[int, ...]
    summary: str
    cause: str = ""
    remedy: str = ""
    task: Task | None = None
    connection: Connection | None = None
    #: What the schedulers' own logs say in such a case.
    logs: tuple[str, ...] = ()


#: What the tracer hands out, each once, when nothing about it can change any more.
Event = Message | Problem | Task | Connection | Exchange


@dataclass(slots=True)
class CaptureInfo:
    """What was read: the ``captures`` record of the output contract."""

    file: str
    packets: int = 0
    tcp_segments: int = 0
    first: int | None = None
    last: int | None = None
    link_type: str | None = None
    truncated: bool = False
    #: The place of capture, where there are several, and its clock: nanoseconds ahead of that of the place nearest to
    #: the client schedulers, the bound of the error, and what it gains in a second (seconds).
    point: str | None = None
    clock_offset: int | None = None
    clock_error: int | None = None
    clock_drift: float | None = None
