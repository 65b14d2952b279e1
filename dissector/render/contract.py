"""The output contract ``jstrace/1``, key by key: what ``records`` must write, and what programs may count on.

This is its one source: mypy holds ``records`` to it, ``schema`` makes the JSON Schema of it, and the tables of
``docs/json.md`` and the types of the package ``jstrace`` are taken from here.  Every key is always there.  In
``Annotated`` a text says what the key is, a ``Form`` what its value looks like.

Keys may be added; none is removed, renamed or changed in its meaning without a new schema number.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, TypedDict

#: Its name and version.
SCHEMA = "jstrace/1"


class Form(NamedTuple):
    """What JSON Schema says of a value besides its type."""

    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None


OutcomeWord = Literal[
    "success", "failure", "killed", "lost", "refused", "no_callback", "unreachable", "running", "unknown"
]
SeverityWord = Literal["info", "warning", "error"]
RoleWord = Literal["command", "callback", "http", "tls", "unknown"]
EndpointWord = Literal["client", "server"]
ViaWord = Literal["tcp", "http", "https"]
ExchangeWord = Literal["command", "tunnel", "heartbeat", "continue", "view", "other"]
KindWord = Literal["process", "api"]
EndWord = Literal["fin", "rst"]
LevelWord = Literal[
    "error", "warn", "info",
    "debug1", "debug2", "debug3", "debug4", "debug5", "debug6", "debug7", "debug8", "debug9",
]  # fmt: skip
MessageWord = Literal["command", "command_answer", "request", "answer", "error", "keep_alive", "undecoded"]
DirectionWord = Literal["client->remote", "remote->client"]

MOMENT = Form(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
Time = Annotated[str, MOMENT]
Seconds = Annotated[float, Form(minimum=0)]
Amount = Annotated[int, Form(minimum=0)]
Ordinal = Annotated[int, Form(minimum=1)]
Port = Annotated[int, Form(minimum=0, maximum=65_535)]
ObjectId = Annotated[str, Form("^0x[0-9a-f]{16}$")]
Hresult = Annotated[int, Form(minimum=0, maximum=0xFFFF_FFFF)]


class EndpointRecord(TypedDict):
    """An end of a connection."""

    ip: Annotated[str, "IPv4 or IPv6 address, compressed"]
    port: Annotated[Port | None, "TCP port; null when it was not captured"]


# --- what was read -------------------------------------------------------------------------------------------------


class CaptureRecord(TypedDict):
    """A capture file, an interface or a capture stream."""

    file: Annotated[str, "path as it was given, names of interfaces, or standard input"]
    packets: Annotated[Amount, "packets read"]
    tcp_segments: Annotated[Amount, "those of them with a TCP segment, also in a tunnel"]
    first: Annotated[Time | None, "earliest packet"]
    last: Annotated[Time | None, "latest packet"]
    link_type: Annotated[str | None, "name of the link type: Ethernet"]
    truncated: Annotated[bool, "the file ends inside a packet or is damaged, and was read up to there"]
    point: Annotated[str | None, "place of capture, where captures of several places were read"]
    clock_offset: Annotated[float | None, "seconds that its clock is ahead of that of the first point; see points"]
    clock_error: Annotated[float | None, "bound of the error of that, at the middle of what both have seen"]
    clock_drift: Annotated[float | None, "seconds that its clock gains in a second, where it is certain that it does"]


# --- tasks ---------------------------------------------------------------------------------------------------------


class CallbackRecord(TypedDict):
    """Where a task's client waits for the task process, and who called."""

    port: Annotated[Port | None, "port that the start command announces, or that was seen"]
    peer: Annotated[EndpointRecord | None, "who called back; null while nobody did"]


class CountsRecord(TypedDict):
    """Figures of a task's callback connection."""

    messages: Annotated[Amount, "frames"]
    calls: Annotated[Amount, "requests by the client"]
    callbacks: Annotated[Amount, "requests by the task process"]
    errors: Annotated[Amount, "E answers and failed hresults"]
    keep_alives: Annotated[Amount, "keep-alive requests"]
    log_lines: Annotated[Amount, "lines for the task's log, those that were not kept included"]
    bytes: Annotated[Amount, "bytes of the frames with their length headers"]


class LogLineRecord(TypedDict):
    """A line that the task process sent to the client's log of the task."""

    time: Annotated[Time, "when it was captured"]
    level: LevelWord
    text: str


class AgentRecord(TypedDict):
    """The Universal Agent that runs a task."""

    ip: str
    port: Annotated[Port | None, "port of its HTTP server"]
    prefix: Annotated[str, "path in front of /jobscheduler/agent, without slashes at its ends"]
    tunnel: Annotated[str | None, "id of the task's tunnel; null when it was not captured"]
    agent_task_id: Annotated[str | None, "name of the task at the agent: a secret of its master"]


class PointRecord(TypedDict):
    """What one place of capture has of a task, with the addresses as they are there."""

    name: Annotated[str, "as --point says, else the file's name without its ending; capture where there is one place"]
    client: Annotated[EndpointRecord | None, "client scheduler's end of the command connection"]
    remote: Annotated[EndpointRecord | None, "remote scheduler's end of it"]
    callback_port: Annotated[Port | None, "port that is called, else the one announced"]
    clock_offset: Annotated[float | None, "seconds that its clock is ahead of that of the first point; null: not known"]
    clock_error: Annotated[float | None, "bound of the error of that, from the task's first packet to its last"]
    first_packet: Annotated[Ordinal, "number of the task's first packet there"]


class TaskRecord(TypedDict):
    """A remote task: its command connection and its callback connection joined, or its exchanges with an agent."""

    n: Annotated[Ordinal, "number in the order of first packets"]
    client: Annotated[EndpointRecord | None, "client scheduler's end of the command connection"]
    remote: Annotated[EndpointRecord | None, "remote scheduler's end of it; null when it was not captured"]
    callback: CallbackRecord
    kind: Annotated[KindWord | None, "shell jobs are process, jobs with methods api"]
    process_id: Annotated[int | None, "number in the answer to the start command"]
    pid: Annotated[int | None, "process number at the remote, where the answer has it"]
    job: Annotated[str | None, "name of the job, as construct has it"]
    task_id: Annotated[int | None, "the client scheduler's number of the task"]
    start: Annotated[Time, "first packet"]
    end: Annotated[Time, "last packet"]
    duration: Annotated[Seconds, "from the first packet to the last, in seconds"]
    callback_delay: Annotated[float | None, "seconds from the start command to the callback's first packet"]
    outcome: Annotated[OutcomeWord, "how it ended"]
    exit_code: Annotated[int | None, "exit code of the job's process"]
    signal: Annotated[int | None, "number of the signal that ended the job's process"]
    counts: CountsRecord
    log: Annotated[list[LogLineRecord], "lines of the task's log in their order"]
    problems: Annotated[list[str], "codes of the task's problems; jstrace explain says what they mean"]
    via: Annotated[ViaWord, "what carries its commands"]
    agent: Annotated[AgentRecord | None, "of a task on a Universal Agent; remote is then the agent's address too"]
    points: Annotated[list[PointRecord], "places of capture that have it, that nearest to the client scheduler first"]


class CertificateRecord(TypedDict):
    """A certificate that a server with TLS 1.2 showed, or one of TLS 1.3 that was deciphered."""

    subject: Annotated[str, "for whom: CN=agent, O=Example"]
    issuer: Annotated[str, "by whom"]
    names: Annotated[list[str], "hosts and addresses that it is for"]
    not_before: Annotated[Time | None, "it holds from then on"]
    not_after: Annotated[Time | None, "until then"]


class AlertRecord(TypedDict):
    """An alert of TLS that could be read."""

    sender: EndpointWord
    fatal: bool
    name: Annotated[str, "as in RFC 8446: unknown_ca"]
    packet: Annotated[Ordinal, "number of the packet that carries it"]


class TlsRecord(TypedDict):
    """What is known of a connection with TLS."""

    version: Annotated[str | None, "what both ends agreed on: TLS 1.2"]
    cipher_suite: Annotated[str | None, "name of the cipher suite"]
    server_name: Annotated[str | None, "host that the client asked for"]
    resumed: Annotated[bool, "it goes on with the secrets of a connection before"]
    decrypted: Annotated[bool, "what it carries was read"]
    reason: Annotated[str | None, "why not, or not to its end"]
    certificates: Annotated[list[CertificateRecord], "of the server, its own first"]
    alerts: list[AlertRecord]
    renegotiations: Annotated[Amount, "handshakes behind the first one"]


class ConnectionRecord(TypedDict):
    """A TCP connection of JobScheduler."""

    n: Annotated[Ordinal, "number in the order of first packets"]
    role: RoleWord
    client: Annotated[EndpointRecord, "who sent the SYN: of a callback connection the task process"]
    server: EndpointRecord
    task: Annotated[Ordinal | None, "n of its task"]
    start: Annotated[Time, "first packet"]
    end: Annotated[Time, "last packet"]
    closed: Annotated[EndWord | None, "how it ended, null while it is open"]
    packets: Amount
    bytes: Annotated[Amount, "payload that was captured, each byte once"]
    gaps: Annotated[Amount, "holes of bytes that were not captured"]
    retransmissions: Annotated[Amount, "segments with bytes that were captured before"]
    via: Annotated[list[str], "tunnels around its first packet, outermost first: vxlan 42"]
    tls: Annotated[TlsRecord | None, "of a connection with TLS, deciphered or not"]
    point: Annotated[str, "name of the place of capture"]
    duplicates: Annotated[Amount, "segments with bytes that were captured twice at that place"]


class ProblemRecord(TypedDict):
    """Something that a user should know, with its proof."""

    code: Annotated[str, Form("^[a-z][a-z0-9_]*$"), "jstrace explain CODE says more"]
    severity: SeverityWord
    task: Annotated[Ordinal | None, "n of its task"]
    connection: Annotated[Ordinal | None, "n of its connection"]
    time: Time
    packets: Annotated[list[Ordinal], "numbers of the packets that prove it, of many the first ones"]
    summary: Annotated[str, "what happened"]
    cause: Annotated[str, "why, as far as the packets tell"]
    remedy: Annotated[str, "what to do"]


# --- messages ------------------------------------------------------------------------------------------------------

#: ``class`` is no name that a class of Python can have.
ObjectRecord = TypedDict(
    "ObjectRecord",
    {
        "id": ObjectId,
        "name": Annotated["str | None", "name that begin gave it: spooler_log"],
        "class": Annotated["str | None", "title of its first reference: sos::scheduler::Com_log"],
    },
)
ObjectRecord.__doc__ = "The object that a message is about."

ReferenceRecord = TypedDict(
    "ReferenceRecord",
    {
        "id": ObjectId,
        "new": Annotated[bool, "its owner sends it for the first time"],
        "name": Annotated["str | None", "name that begin gave it"],
        "class": Annotated["str | None", "title of its first reference"],
    },
)
ReferenceRecord.__doc__ = "A reference to an object in an argument or a result."

#: Names of VARIANT types, by what ``value`` is: nothing, a number, a decimal text (beyond what a double holds, or
#: with four places), a double (or inf, -inf, nan as texts), a bool, a text, a reference, values, bytes as hex digits.
NOTHING = ("EMPTY", "NULL")
WHOLE_NUMBERS = ("I1", "I2", "I4", "INT", "UI1", "UI2", "UI4", "UINT", "ERROR")
WHOLE_TEXTS = ("I8", "UI8")
MONEY = ("CY",)
FLOATS = ("R4", "R8", "DATE")
TRUTHS = ("BOOL",)
TEXTS = ("BSTR",)
OBJECTS = ("DISPATCH", "UNKNOWN")
ARRAYS = ("ARRAY|VARIANT", "ARRAY|BSTR")
BYTES = ("ARRAY|UI1",)


class ValueRecord(TypedDict):
    """An argument or a result: an OLE VARIANT."""

    type: Annotated[str, "name of its VARIANT type"]
    value: Annotated[bool | int | float | str | ReferenceRecord | list[ValueRecord] | None, "what the type says"]


class ResultRecord(TypedDict):
    """One of the interfaces that an answer to create_instance brings."""

    hresult: Hresult
    object: ReferenceRecord | None


class ErrorRecord(TypedDict):
    """Of an E answer what it says; of a failed hresult the source, the hresult as 8 hex digits, the description."""

    name: str
    code: str
    text: str


class ExcepInfoRecord(TypedDict):
    """An OLE EXCEPINFO."""

    code: int
    reserved: int
    source: str
    description: str
    help_file: str
    help_context: int
    scode: int


class MessageRecord(TypedDict):
    """A document of a command connection, or a frame of a callback connection."""

    n: Annotated[Ordinal, "number in the order of first packets"]
    task: Annotated[Ordinal | None, "n of its task"]
    connection: Annotated[Ordinal, "n of its connection"]
    time: Annotated[Time, "the packet that completed it"]
    packets: Annotated[list[Ordinal], "numbers of the packets that carry it"]
    direction: Annotated[DirectionWord, "of the task, whoever opened the connection"]
    kind: MessageWord
    operation: Annotated[
        str | None,
        "create_instance, release, query_interface, get_ids_of_names, invoke, call, keep_alive, tunnel_token; "
        "of a document the name of its XML element, of HTTP without XML the request line's target",
    ]
    object: Annotated[ObjectRecord | None, "what it is about"]
    member: Annotated[str | None, "method or property that is called or looked up"]
    dispid: Annotated[int | None, "number of the member, of an invoke"]
    flags: Annotated[list[str] | None, "how it is invoked: METHOD, PROPERTYGET, PROPERTYPUT, PROPERTYPUTREF"]
    arguments: Annotated[list[ValueRecord] | None, "in natural order, of an invoke or a call"]
    answers: Annotated[Ordinal | None, "n of the request that it answers"]
    answered_by: Annotated[Ordinal | None, "n of its answer"]
    depth: Annotated[Amount, "calls under way around it"]
    latency: Annotated[float | None, "of an answer: seconds since the request's last byte"]
    hresult: Annotated[Hresult | None, "unsigned; null where an answer has none"]
    result: Annotated[ValueRecord | None, "of an answer to invoke or call"]
    dispids: Annotated[list[int] | None, "of an answer to get_ids_of_names"]
    results: Annotated[list[ResultRecord] | None, "of an answer to create_instance"]
    error: ErrorRecord | None
    excepinfo: ExcepInfoRecord | None
    xml: Annotated[str | None, "of a command connection: the document as text"]
    bytes: Annotated[Amount, "of the frame with its length header, of the document, or of the HTTP body around it"]
    exchange: Annotated[Ordinal | None, "n of the exchange over HTTP that carries it"]


class ExchangeRecord(TypedDict):
    """A request over HTTP and its response."""

    n: Annotated[Ordinal, "number in the order of requests"]
    task: Annotated[Ordinal | None, "n of its task"]
    connection: Annotated[Ordinal, "n of its connection"]
    time: Annotated[Time, "the packet that completed the request"]
    packets: Annotated[list[Ordinal], "numbers of the packets that carry both"]
    method: str
    target: Annotated[str, "as in the request line"]
    status: Annotated[int | None, "of the response; null when none was captured"]
    kind: ExchangeWord
    type: Annotated[str | None, "$TYPE of a command: StartApiTask"]
    request_id: Annotated[int | None, "number of a tunnel's request"]
    repeats: Annotated[Ordinal | None, "n of the exchange that this one repeats"]
    latency: Annotated[float | None, "seconds from the request's last byte to the response's"]
    request: Annotated[object, "JSON value of the request's body"]
    response: Annotated[object, "JSON value of the response's body"]
    error: Annotated[str | None, "text of an error"]


# --- the whole -----------------------------------------------------------------------------------------------------


class TracedRecord(TypedDict):
    """What ``--format json`` prints."""

    schema: Literal["jstrace/1"]
    captures: list[CaptureRecord]
    tasks: list[TaskRecord]
    connections: list[ConnectionRecord]
    problems: list[ProblemRecord]


class TracedWithMessagesRecord(TracedRecord):
    """The same with ``--messages``."""

    messages: list[MessageRecord]
    exchanges: list[ExchangeRecord]


#: What ``--format jsonl`` prints, by the word in the key ``record`` that comes first in each line.
LINES = {
    "capture": CaptureRecord,
    "task": TaskRecord,
    "connection": ConnectionRecord,
    "message": MessageRecord,
    "problem": ProblemRecord,
    "exchange": ExchangeRecord,
}
