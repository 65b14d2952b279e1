"""How the job itself went: kills, failures, errors of its calls, and calls without an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Message, Outcome, Problem, Severity, Task
from dissector.session.bodies import error_text
from dissector.session.case import Case, call_name
from dissector.session.conditions import ended_by_signal, kill_unseen
from dissector.session.findings import Finding, Reason, first
from dissector.session.tallies import FailedCalls
from dissector.session.timeouts import OPEN_CALL, SECOND
from dissector.session.verdict import one_sided


@dataclass(slots=True)
class Spoken:
    """A message of a task that says how it went."""

    case: Case
    about: Connection | None
    message: Message

    @property
    def member(self) -> str:
        return self.message.member or "a call"

    @property
    def error(self) -> str:
        return error_text(self.message)

    @property
    def signal(self) -> str:
        signal = self.case.facts.record.signal
        return f", signal {signal}" if signal else ""

    @property
    def state(self) -> str:
        text = self.case.facts.record.state_text
        return f' ("{text}")' if text else ""

    @property
    def call(self) -> str:
        return call_name(self.message)

    @property
    def waits(self) -> str:
        """Seconds that it has been without an answer."""
        return f"{(self.case.now - self.message.time) / SECOND:.0f}"


def by_signal(said: Spoken) -> bool:
    return bool(said.case.facts.record.signal)


def commands_known(said: Spoken) -> bool:
    """A request to kill the task would have been seen."""
    facts = said.case.facts
    command = facts.record.command
    if command is None or kill_unseen(facts, said.message.time):
        return False
    return not (one_sided(command) or command.gaps or command.snapped)


def waits_for_process(said: Spoken) -> bool:
    """The task process has to answer."""
    return said.message.to_remote


def said_packets(said: Spoken) -> tuple[int, ...]:
    return said.message.packets


def said_time(said: Spoken) -> int:
    return said.message.time


_OTHERS = "the remote kills a job when it loses the command connection, or somebody on the remote host did"
KILLED: tuple[Finding[Spoken], ...] = (
    Finding(
        "task_killed", (), "The client asked the remote to kill the task{signal}.", (said_packets,), time=said_time
    ),
)
ERROR_ANSWER: tuple[Finding[Spoken], ...] = (
    Finding("error_answer", (), "{member} was answered with an error: {error}", (said_packets,), time=said_time),
)
INIT_REFUSED: tuple[Finding[Spoken], ...] = (
    Finding("job_failed", (), "The job's spooler_init returned false.", (said_packets,), time=said_time),
)
ENDED: tuple[Finding[Spoken], ...] = (
    Finding(
        "job_failed",
        (by_signal,),
        "The job's process was ended by signal {case.facts.record.signal}{state}.",
        (said_packets,),
        (
            Reason(f"this client did not ask for it: {_OTHERS}", when=(commands_known,)),
            Reason(f"whether the client asked for it is not in the capture; if not, {_OTHERS}"),
        ),
        time=said_time,
    ),
    Finding(
        "job_failed",
        (),
        "The job's process ended with exit code {case.facts.record.exit_code}{state}.",
        (said_packets,),
        time=said_time,
    ),
)
#: A long step is a long job, nothing more; a callback that the scheduler does not answer is not normal.
OPEN: tuple[Finding[Spoken], ...] = (
    Finding(
        "open_call",
        (waits_for_process,),
        "{call} is without an answer for {waits} s; the task process has to answer.",
        (said_packets,),
        time=said_time,
        severity=Severity.INFO,
    ),
    Finding(
        "open_call",
        (),
        "{call} is without an answer for {waits} s; the client scheduler has to answer.",
        (said_packets,),
        time=said_time,
    ),
)


def killed(case: Case) -> Iterator[Problem]:
    facts = case.facts
    if facts.kill is not None and facts.record.outcome is Outcome.KILLED:
        yield from first(KILLED, Spoken(case, facts.record.command, facts.kill))


def failure(case: Case) -> Iterator[Problem]:
    facts, record = case.facts, case.facts.record
    if facts.client_error is not None:
        yield from first(ERROR_ANSWER, Spoken(case, record.callback, facts.client_error))
    elif facts.begin_refused is not None:
        yield from first(INIT_REFUSED, Spoken(case, record.callback, facts.begin_refused))
    elif facts.result is not None and (record.outcome is Outcome.FAILURE or _may_be_killed(record)):
        yield from first(ENDED, Spoken(case, record.callback, facts.result))


def _may_be_killed(record: Task) -> bool:
    """How its process ended is known, but not whether the client asked for that."""
    return record.outcome is Outcome.UNKNOWN and ended_by_signal(record)


def open_call(case: Case) -> Iterator[Problem]:
    """A task under way whose newest call waits for long."""
    facts = case.facts
    request = facts.open_requests[-1] if facts.open_requests else None
    if facts.record.outcome is Outcome.RUNNING and request is not None and case.now - request.time >= OPEN_CALL:
        yield from first(OPEN, Spoken(case, facts.record.callback, request))


# --- calls that failed ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Failed:
    """Calls of one member that failed alike."""

    case: Case
    about: Connection | None
    member: str
    failed: FailedCalls

    @property
    def times(self) -> str:
        return f"{self.failed.count} calls" if self.failed.count > 1 else "a call"


def answered_by_error(failed: Failed) -> bool:
    """In a frame of its own, and not as the result of the call."""
    return failed.failed.first.kind == "error"


def failed_packets(failed: Failed) -> list[int]:
    return failed.failed.packets


def failed_time(failed: Failed) -> int:
    return failed.failed.first.time


_FAILED = "{times} of {member} failed: {failed.text}"
CALLS: tuple[Finding[Failed], ...] = (
    Finding("error_answer", (answered_by_error,), _FAILED, (failed_packets,), time=failed_time, severity=Severity.INFO),
    Finding("call_failed", (), _FAILED, (failed_packets,), time=failed_time, severity=Severity.INFO),
)


def calls(case: Case) -> Iterator[Problem]:
    for (member, _), failed in case.facts.failed_calls.items():
        yield from first(CALLS, Failed(case, case.facts.record.callback, member, failed))
