"""A task before the judge, and the words that the rules share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Mark, Message, Problem, Severity, address_text
from dissector.session.codes import CODES
from dissector.session.task import TaskFacts
from dissector.session.verdict import SECOND
from dissector.traffic import Side


@dataclass(slots=True)
class Case:
    """A task to be judged at packet time ``now``."""

    facts: TaskFacts
    now: int

    def problem(
        self,
        code: str,
        summary: str,
        packets: Iterable[int],
        connection: Connection | None = None,
        *,
        time: int | None = None,
        cause: str | None = None,
        remedy: str | None = None,
        severity: Severity | None = None,
    ) -> Problem:
        """A problem of this task; words that the rule does not give come from the table of codes."""
        entry = CODES[code]
        record = self.facts.record
        words = {
            "client": record.client.ip if record.client else "the client",
            "remote": record.remote or "the remote",
            "port": record.callback_port or "its callback port",
        }
        return Problem(
            code=code,
            severity=severity or entry.severity,
            time=record.start if time is None else time,
            packets=tuple(sorted(set(packets)))[:MAX_EVIDENCE],
            summary=summary,
            cause=entry.cause.format(**words) if cause is None else cause,
            remedy=entry.remedy.format(**words) if remedy is None else remedy,
            task=record,
            connection=connection,
            logs=entry.engine,
        )


# --- words ---------------------------------------------------------------------------------------------------------


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def span(marks: list[Mark]) -> str:
    return f"{(marks[-1].time - marks[0].time) / SECOND:.0f} s" if marks else "0 s"


def refusals(connection: Connection) -> list[int]:
    reset = connection.sides[Side.SERVER].rst
    return ([reset.number] if reset else []) + [icmp.number for icmp in connection.icmp]


def by_whom(connection: Connection) -> str:
    if connection.icmp:
        icmp = connection.icmp[0]
        return f" by {address_text(icmp.sender)} (ICMP: {icmp.reason})"
    return " (RST)"


def end_name(side: Side, connection: Connection | None = None) -> str:
    """The JobScheduler name of an end: of a callback connection the server end is the client scheduler."""
    is_command = connection is not None and connection.role.value == "command"
    if is_command:
        return "The client" if side is Side.CLIENT else "The remote"
    return "The task process" if side is Side.CLIENT else "The client"


def call_name(message: Message) -> str:
    """``spooler_task.order`` of a callback; of the client's own calls the name alone, their object is always one."""
    target = None if message.operation == "call" else message.object_name or message.object_class
    return ".".join(part for part in (target, message.member or message.operation) if part)


def after_silence(idle: int) -> str:
    """ " after 30 s of silence", for a silence worth telling."""
    return f" after {idle / SECOND:.0f} s of silence" if idle >= SECOND else ""


def open_call_text(facts: TaskFacts) -> str:
    return f" during {call_name(facts.open_requests[0])}" if facts.open_requests else ""
