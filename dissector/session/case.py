"""A task before the judge, and the words that the rules share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Mark, Message, Problem, Severity, address_text
from dissector.session.codes import CODES
from dissector.session.hosts import Hosts
from dissector.session.task import TaskFacts
from dissector.session.timeouts import SECOND
from dissector.session.verdict import one_sided, unreachables
from dissector.traffic import Side


@dataclass(slots=True)
class Case:
    """A task to be judged at packet time ``now``; ``grain``: the error that coarse time stamps make (see ``clock``);
    ``hosts``: who was heard lately."""

    facts: TaskFacts
    now: int
    grain: int = 0
    hosts: Hosts = field(default_factory=Hosts)


def problem(
    code: str,
    summary: str,
    packets: Iterable[int],
    connection: Connection | None = None,
    *,
    case: Case | None = None,
    time: int | None = None,
    cause: str | None = None,
    remedy: str | None = None,
    severity: Severity | None = None,
) -> Problem:
    """A problem of a task, of a connection, or of neither; words that are not given come from the table of codes, the
    time from the start of what it is of."""
    entry = CODES[code]
    if cause is None or remedy is None:
        usual = usual_words(code, case, connection)
        cause, remedy = usual[0] if cause is None else cause, usual[1] if remedy is None else remedy
    start = case.facts.record.start if case is not None else connection.start if connection is not None else 0
    return Problem(
        code=code,
        severity=severity or entry.severity,
        time=start if time is None else time,
        packets=tuple(sorted(set(packets)))[:MAX_EVIDENCE],
        summary=summary,
        cause=cause,
        remedy=remedy,
        task=case.facts.record if case is not None else None,
        connection=connection,
        logs=entry.engine,
    )


def usual_words(code: str, case: Case | None, connection: Connection | None) -> tuple[str, str]:
    """Cause and remedy as the table of codes has them."""
    entry = CODES[code]
    client: object = connection.client.ip if connection is not None else "the client"
    remote: object = connection.server if connection is not None else "the remote"
    port: object = connection.server.port if connection is not None else "its callback port"
    if case is not None:
        record = case.facts.record
        client = record.client.ip if record.client else "the client"
        remote = record.remote or "the remote"
        port = record.callback_port or "its callback port"
    words = {"client": client, "remote": remote, "port": port}
    return entry.cause.format(**words), entry.remedy.format(**words)


# --- words ---------------------------------------------------------------------------------------------------------


def span(marks: Sequence[Mark]) -> str:
    return f"{(marks[-1].time - marks[0].time) / SECOND:.0f} s" if marks else "0 s"


def by_whom(connection: Connection) -> str:
    if errors := unreachables(connection):
        return f" by {address_text(errors[0].sender)} (ICMP: {errors[0].reason})"
    return " (RST)"


def end_name(side: Side, connection: Connection | None = None) -> str:
    """The JobScheduler name of an end: of a callback connection the server end is the client scheduler."""
    role = connection.role.value if connection is not None else "callback"
    if role == "http":
        return "The master" if side is Side.CLIENT else "The agent"
    if role == "command":
        return "The client" if side is Side.CLIENT else "The remote"
    return "The task process" if side is Side.CLIENT else "The client"


def lack(connection: Connection) -> str:
    """Why a message could not be read."""
    if one_sided(connection):
        return "one direction is missing"
    if connection.snapped:
        return "packets were cut off by the snap length"
    return "the connection began before the capture" if connection.mid_stream else "packets are missing"


def host_of(connection: Connection, side: Side) -> str:
    """The address of an end."""
    return (connection.client, connection.server)[side].ip


def by_device_text(proof: str) -> str:
    return f"a device in between (a firewall, an address translation) sent the reset: {proof}"


def between(connection: Connection) -> str:
    """Where to look for a device."""
    return f"look at the firewalls and address translations between {connection.client.ip} and {connection.server.ip}"


def call_name(message: Message) -> str:
    """``spooler_task.order`` of a callback; of the client's own calls the name alone, their object is always one."""
    target = None if message.operation == "call" else message.object_name or message.object_class
    return ".".join(part for part in (target, message.member or message.operation) if part)


def after_silence(idle: int) -> str:
    """ " after 30 s of silence", for a silence worth telling."""
    return f" after {idle / SECOND:.0f} s of silence" if idle >= SECOND else ""


def open_call_text(facts: TaskFacts) -> str:
    return f" during {call_name(facts.open_requests[0])}" if facts.open_requests else ""
