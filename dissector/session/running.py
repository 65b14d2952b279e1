"""How the job itself went: kills, failures, errors of its calls, and who was slow."""

from __future__ import annotations

from collections.abc import Iterator

from dissector.model import Connection, Message, Outcome, Problem, Severity
from dissector.session.bodies import error_text
from dissector.session.case import Case, call_name
from dissector.session.timeouts import OPEN_CALL, SECOND
from dissector.session.verdict import one_sided


def killed(case: Case) -> Iterator[Problem]:
    facts = case.facts
    if facts.kill is not None and facts.record.outcome is Outcome.KILLED:
        how = f", signal {facts.record.signal}" if facts.record.signal else ""
        summary = f"The client asked the remote to kill the task{how}."
        yield case.problem("task_killed", summary, facts.kill.packets, facts.record.command, time=facts.kill.time)


def failure(case: Case) -> Iterator[Problem]:
    facts, record = case.facts, case.facts.record
    error = facts.client_error
    if error is not None:
        summary = f"{error.member or 'a call'} was answered with an error: {error_text(error)}"
        yield case.problem("error_answer", summary, error.packets, record.callback, time=error.time)
    elif facts.begin_refused is not None:
        summary = "The job's spooler_init returned false."
        yield _job_failed(case, summary, facts.begin_refused)
    elif record.outcome is Outcome.FAILURE and facts.result is not None:
        text = f' ("{record.state_text}")' if record.state_text else ""
        if record.signal:
            others = "the remote kills a job when it loses the command connection, or somebody on the remote host did"
            cause = f"this client did not ask for it: {others}"
            if not _commands_are_known(record.command):
                cause = f"whether the client asked for it is not in the capture; if not, {others}"
            yield _job_failed(
                case, f"The job's process was ended by signal {record.signal}{text}.", facts.result, cause
            )
        else:
            yield _job_failed(case, f"The job's process ended with exit code {record.exit_code}{text}.", facts.result)


def _commands_are_known(command: Connection | None) -> bool:
    """True when a request to kill the task would have been seen."""
    return command is not None and not (one_sided(command) or command.gaps or command.snapped)


def _job_failed(case: Case, summary: str, proof: Message, cause: str | None = None) -> Problem:
    callback = case.facts.record.callback
    return case.problem("job_failed", summary, proof.packets, callback, time=proof.time, cause=cause)


def calls(case: Case) -> Iterator[Problem]:
    facts = case.facts
    for (member, _), failed in facts.failed_calls.items():
        times = f"{failed.count} calls" if failed.count > 1 else "a call"
        summary = f"{times} of {member} failed: {failed.text}"
        code = "error_answer" if failed.first.kind == "error" else "call_failed"
        yield case.problem(
            code, summary, failed.packets, facts.record.callback, time=failed.first.time, severity=Severity.INFO
        )


def open_call(case: Case) -> Iterator[Problem]:
    """A task under way whose newest call waits for long."""
    facts = case.facts
    request = facts.open_requests[-1] if facts.open_requests else None
    if facts.record.outcome is not Outcome.RUNNING or request is None or case.now - request.time < OPEN_CALL:
        return
    seconds = (case.now - request.time) / SECOND
    whose = "the task process" if request.to_remote else "the client scheduler"
    summary = f"{call_name(request)} is without an answer for {seconds:.0f} s; {whose} has to answer."
    # A long step is a long job, nothing more; a callback that the scheduler does not answer is not normal.
    severity = Severity.INFO if request.to_remote else None
    connection = facts.record.callback
    yield case.problem("open_call", summary, request.packets, connection, time=request.time, severity=severity)
