"""What users get: tasks, connections, problems, messages, exchanges and captures, as records that can not be changed.

Each is a record of the output contract ``jstrace/1`` (``docs/json.md``) as an object: the same facts under the same
names, times as ``datetime`` in UTC (to the microsecond, as captured), durations in seconds, what is not known None.
``to_json`` is the contract's record as the command prints it, ``to_dict`` the same read back.  Texts are what the
wire's ISO-8859-1 bytes say; secrets are ``***``, secret numbers None.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from dissector.model import Endpoint

if TYPE_CHECKING:
    from dissector.render.contract import (
        CaptureRecord,
        ConnectionRecord,
        DirectionWord,
        EndpointWord,
        EndWord,
        ExchangeRecord,
        ExchangeWord,
        KindWord,
        LevelWord,
        MessageRecord,
        MessageWord,
        OutcomeWord,
        ProblemRecord,
        RoleWord,
        SeverityWord,
        TaskRecord,
        ViaWord,
    )

#: A JSON value.
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class _Record:
    _text: str = field(repr=False, compare=False)

    def to_json(self) -> str:
        """The contract's record as JSON text: ASCII, one line."""
        return self._text


# --- captures and problems -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capture(_Record):
    """A capture file, an interface or a capture stream, as far as it was read."""

    #: Path as it was given, names of interfaces, or "standard input".
    file: str
    packets: int
    #: Packets that carry TCP, also in a tunnel.
    tcp_segments: int
    #: Earliest and latest packet.
    first: datetime | None
    last: datetime | None
    #: Name of the link type: Ethernet.
    link_type: str | None
    #: The file ends inside a packet or is damaged, and was read up to there.
    truncated: bool

    def to_dict(self) -> CaptureRecord:
        """The contract's record."""
        record: CaptureRecord = json.loads(self._text)
        return record


@dataclass(frozen=True, slots=True)
class Problem(_Record):
    """Something that a user should know, with its proof; ``jstrace explain CODE`` says more of each code."""

    code: str
    severity: SeverityWord
    #: What happened, why (as far as packets tell), what to do.
    summary: str = field(repr=False)
    cause: str = field(repr=False)
    remedy: str = field(repr=False)
    #: Numbers (from 1, over all files in the order of time) of the packets that prove it; of many the first ones.
    packets: tuple[int, ...]
    time: datetime = field(repr=False)
    #: Numbers of the task and the connection that it is about.
    task: int | None = field(repr=False)
    connection: int | None = field(repr=False)

    def __str__(self) -> str:
        return f"{self.severity} {self.code}: {self.summary}"

    def to_dict(self) -> ProblemRecord:
        """The contract's record."""
        record: ProblemRecord = json.loads(self._text)
        return record


# --- tasks and connections -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that the task process sent to the client's log of the task (a call of ``spooler_log``)."""

    #: When it was captured.
    time: datetime
    level: LevelWord
    text: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Figures of a task's callback connection."""

    #: Frames; requests by the client, and by the task process; error answers and failed hresults.
    messages: int
    calls: int
    callbacks: int
    errors: int
    keep_alives: int
    #: Those that were not kept included.
    log_lines: int
    #: Of the frames with their length headers.
    bytes: int


@dataclass(frozen=True, slots=True)
class Agent:
    """The Universal Agent that runs a task, and what the task is called there."""

    ip: str
    port: int | None
    #: Before the paths of its URLs, without slashes at its ends.
    prefix: str
    #: None where neither the start nor a message was captured.
    tunnel: str | None
    #: A secret: it is the key to kill the task.
    agent_task_id: str | None


@dataclass(frozen=True, slots=True)
class Task(_Record):
    """A remote task: its command connection and its callback connection, joined; or its exchanges with an agent."""

    #: Number in the order of first packets.
    n: int
    #: Name of the job and the client scheduler's number of the task, from the call of ``construct``.
    job: str | None
    task_id: int | None
    #: How it ended, by the rules of ``docs/json.md``.
    outcome: OutcomeWord
    #: Of the job's process, from the result of its last step.
    exit_code: int | None
    signal: int | None
    #: First and last packet of its connections.
    start: datetime
    end: datetime
    #: Seconds from the one to the other.
    duration: float
    #: Seconds from the start command to the callback's first packet.
    callback_delay: float | None
    #: Ends of the command connection: the client scheduler's and the remote scheduler's.
    client: Endpoint | None
    remote: Endpoint | None
    #: Port of the client that the start command announces (or that was called), and who called it.
    callback_port: int | None
    callback_peer: Endpoint | None
    #: ``kind`` of the start command: shell jobs are process, jobs with methods api.
    kind: KindWord | None
    #: Numbers in the answer to the start command.
    process_id: int | None
    pid: int | None
    counts: Counts = field(repr=False)
    log: tuple[LogLine, ...] = field(repr=False)
    problems: tuple[Problem, ...]
    #: What carries its commands: tcp, http or https.
    via: ViaWord
    #: None for a task of a classic remote scheduler.
    agent: Agent | None

    def to_dict(self) -> TaskRecord:
        """The contract's record."""
        record: TaskRecord = json.loads(self._text)
        return record


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that a server showed."""

    subject: str
    issuer: str
    #: Hosts and addresses that it is for.
    names: tuple[str, ...]
    #: It holds from then on, and until then.
    not_before: datetime | None
    not_after: datetime | None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert of TLS."""

    sender: EndpointWord
    fatal: bool
    #: As in RFC 8446: "unknown_ca".
    name: str
    packet: int


@dataclass(frozen=True, slots=True)
class Tls:
    """What is known of a connection with TLS."""

    #: What both ends agreed on: "TLS 1.2".
    version: str | None
    cipher_suite: str | None
    #: Host that the client asked for.
    server_name: str | None
    #: It goes on with the secrets of a connection before.
    resumed: bool
    #: What it carries was read; else, or where it was not read to its end, ``reason``.
    decrypted: bool
    reason: str | None
    #: Of the server, its own first.
    certificates: tuple[Certificate, ...]
    alerts: tuple[Alert, ...]
    #: Handshakes behind the first one.
    renegotiations: int


@dataclass(frozen=True, slots=True)
class Connection(_Record):
    """A TCP connection of JobScheduler."""

    #: Number in the order of first packets.
    n: int
    role: RoleWord
    #: Who sent the SYN (of a callback connection the task process), and who got it.
    client: Endpoint
    server: Endpoint
    #: Number of its task.
    task: int | None
    #: First and last packet.
    start: datetime
    end: datetime
    #: How it ended.
    closed: EndWord | None
    packets: int
    #: Payload that was captured, each byte once.
    bytes: int
    #: Holes of bytes that were not captured.
    gaps: int
    #: Segments with bytes that were captured before.
    retransmissions: int
    #: Tunnels around its first packet, outermost first: "vxlan 42".
    via: tuple[str, ...]
    #: Of a connection with TLS, deciphered or not.
    tls: Tls | None

    def to_dict(self) -> ConnectionRecord:
        """The contract's record."""
        record: ConnectionRecord = json.loads(self._text)
        return record


# --- messages ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a callback connection."""

    #: 64 bits.
    id: int
    #: The name that ``begin`` gave it ("spooler_log"), and the title of its first reference.
    name: str | None
    class_name: str | None
    #: Its owner sends it for the first time here; None where it is what a message is about.
    new: bool | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """An argument or a result: an OLE VARIANT.

    ``value`` is an int (I1 ... UI8, INT, UINT, ERROR), a float (R4, R8, DATE), a Decimal with four places (CY), a bool,
    a text (BSTR), an Object or None (DISPATCH, UNKNOWN), a tuple of Values (ARRAY|VARIANT, ARRAY|BSTR), bytes
    (ARRAY|UI1), or None (EMPTY, NULL, a secret number).
    """

    type: str
    value: bool | int | float | Decimal | str | bytes | Object | tuple[Value, ...] | None


@dataclass(frozen=True, slots=True)
class InterfaceResult:
    """One of the interfaces that an answer to create_instance brings."""

    #: Unsigned.
    hresult: int
    object: Object | None


@dataclass(frozen=True, slots=True)
class WireError:
    """Of an E answer or an ERROR element what it says; of a failed hresult its source, its 8 hex digits, its
    description."""

    name: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class ExcepInfo:
    """An OLE EXCEPINFO, field by field."""

    code: int
    reserved: int
    source: str
    description: str
    help_file: str
    help_context: int
    scode: int


@dataclass(frozen=True, slots=True)
class Message(_Record):
    """A document of a command connection, or a frame of a callback connection."""

    #: Number in the order of first packets.
    n: int
    #: Numbers of its task and connection.
    task: int | None
    connection: int
    #: The packet that completed it, and the numbers of all that carry it.
    time: datetime
    packets: tuple[int, ...]
    #: Of the task, whoever opened the connection.
    direction: DirectionWord
    kind: MessageWord
    #: invoke, call, create_instance ...; the name of a document's XML element.
    operation: str | None
    object: Object | None
    #: Method or property.
    member: str | None
    dispid: int | None
    #: METHOD, PROPERTYGET, PROPERTYPUT, PROPERTYPUTREF.
    flags: tuple[str, ...] | None
    #: In natural order.
    arguments: tuple[Value, ...] | None
    #: Numbers of the request that it answers, and of its answer.
    answers: int | None
    answered_by: int | None
    #: Calls under way around it.
    depth: int
    #: Of an answer: seconds since the request's last byte.
    latency: float | None
    #: Unsigned.
    hresult: int | None
    result: Value | None
    dispids: tuple[int, ...] | None
    results: tuple[InterfaceResult, ...] | None
    error: WireError | None
    excepinfo: ExcepInfo | None
    #: Of a command connection: the document as text.
    xml: str | None = field(repr=False)
    #: Of the frame with its length header, of the document, or of the HTTP body around it.
    bytes: int
    #: Number of the exchange that carries it.
    exchange: int | None

    def to_dict(self) -> MessageRecord:
        """The contract's record."""
        record: MessageRecord = json.loads(self._text)
        return record


# --- exchanges -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exchange(_Record):
    """A request over HTTP and its response."""

    #: Number in the order of requests.
    n: int
    #: Numbers of its task and connection.
    task: int | None
    connection: int
    #: The packet that completed the request, and the numbers of all that carry both.
    time: datetime
    packets: tuple[int, ...]
    method: str
    #: As in the request line.
    target: str
    #: Of the response; None where none was captured.
    status: int | None
    kind: ExchangeWord
    #: ``$TYPE`` of a command: StartApiTask.
    type: str | None
    #: Number of a tunnel's request, and of the exchange that this one repeats.
    request_id: int | None
    repeats: int | None
    #: Seconds from the request's last byte to the response's.
    latency: float | None
    #: Text of an error.
    error: str | None

    @property
    def request(self) -> Json:
        """JSON value of the request's body, a new one each time; None where it is none."""
        return cast("Json", self.to_dict()["request"])

    @property
    def response(self) -> Json:
        """JSON value of the response's body, a new one each time; None where it is none."""
        return cast("Json", self.to_dict()["response"])

    def to_dict(self) -> ExchangeRecord:
        """The contract's record."""
        record: ExchangeRecord = json.loads(self._text)
        return record
