"""What went wrong with a task, with the packets as proof.

``RULES`` are small functions over one ``Case``; each yields the problems that it can prove.  What a code means in
general is in ``codes``; a rule adds what it saw.  Nothing normal is reported: a reset behind the release, keep-alives,
S_FALSE, lookups of members that do not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dissector.limits import MAX_PROBLEMS
from dissector.model import Connection, Mark, Message, Outcome, Problem, Severity
from dissector.session import quality
from dissector.session.case import (
    Case,
    after_silence,
    by_whom,
    call_name,
    count,
    end_name,
    open_call_text,
    refusals,
    span,
)
from dissector.session.task import TaskFacts, error_text
from dissector.session.verdict import (
    GIVE_UP_FROM,
    SECOND,
    closed_by,
    end_mark,
    is_refused,
    is_rejected,
    outcome,
    stuck_side,
    waited,
)
from dissector.traffic import Side

#: Silence before the end of a connection that makes an idle timeout likely.
_IDLE = 5 * SECOND
#: The command connection counts as lost first when the task went on at least this long without it.
_LOST_FIRST = SECOND // 2
#: A packet so shortly before a reset is what the reset answers.
_LAST_TRY = SECOND
_OPEN_CALL = 60 * SECOND
#: Problem code -> the codes that explain it: the remote kills the process of a task whose command connection is lost.
_CONSEQUENCES = {
    "connection_lost": {"command_lost_first"},
    "job_failed": {"command_lost_first"},
}


def judge(facts: TaskFacts, now: int) -> None:
    """Gives ``facts.record`` its outcome and its problems, the gravest first."""
    record = facts.record
    record.outcome = outcome(facts, now)
    case = Case(facts, now)
    found = [problem for rule in RULES for problem in rule(case)]
    found += record.problems
    _demote_consequences(found)
    order = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    found.sort(key=lambda problem: order.index(problem.severity))
    record.problems = found[:MAX_PROBLEMS]


def _demote_consequences(found: list[Problem]) -> None:
    """What only follows from another problem of the task stays in the list, but does not alarm on its own."""
    codes = {problem.code for problem in found}
    for problem in found:
        if problem.code in _CONSEQUENCES and _CONSEQUENCES[problem.code] & codes:
            problem.severity = Severity.INFO


# --- rules ---------------------------------------------------------------------------------------------------------


def _command(case: Case) -> Iterator[Problem]:
    """The command connection that never was."""
    facts = case.facts
    command = facts.record.command
    if command is None or facts.record.outcome not in (Outcome.UNREACHABLE, Outcome.REFUSED):
        return
    if facts.record.outcome is Outcome.UNREACHABLE:
        syns = [mark.number for mark in command.syns]
        if is_refused(command):
            summary = f"{command.server} refused the command connection{by_whom(command)}."
            yield case.problem("command_refused", summary, syns + refusals(command), command)
        else:
            summary = f"{count(len(syns), 'SYN')} to {command.server} in {span(command.syns)}, no answer."
            yield case.problem("command_unanswered", summary, syns, command)
    elif is_rejected(facts):
        end = end_mark(command)
        summary = f"{command.server} accepted the command connection and closed it without a byte."
        yield case.problem("command_rejected", summary, [end.number] if end else [], command)
    elif facts.start_error is not None and facts.start_answer is not None:
        error = facts.start_error
        words = error.text if error.text.startswith(error.code) else f"{error.code} {error.text}"
        summary = f"The remote refused to start the task: {words}".rstrip()
        yield case.problem("start_error", summary, facts.start_answer.packets, command)


def _callback(case: Case) -> Iterator[Problem]:
    """The callback that never came or never got through."""
    facts = case.facts
    record = facts.record
    if facts.intruder is not None:
        yield _foreign(case, facts.intruder)
    if record.outcome is not Outcome.NO_CALLBACK or facts.intruder is not None:
        return
    if not facts.attempts:
        packets = facts.start.packets if facts.start else ()
        summary = "The start was answered, but no callback connection was seen."
        yield case.problem("callback_missing", summary, packets, record.command)
    for attempt in facts.attempts[:1]:
        yield _failed_attempt(case, attempt)


def _foreign(case: Case, intruder: Connection) -> Problem:
    port = case.facts.record.callback_port
    summary = f"{intruder.client} took the announced port {port} and sent bytes that are no answer."
    packet = case.facts.foreign_packet
    return case.problem("callback_foreign_bytes", summary, [packet] if packet else [], intruder)


def _failed_attempt(case: Case, attempt: Connection) -> Problem:
    facts = case.facts
    record = facts.record
    syns = [mark.number for mark in attempt.syns]
    target = attempt.server
    evidence = syns + refusals(attempt)
    if record.client is not None and (target.ip, target.port) != (record.client.ip, record.callback_port):
        summary = f"Port {record.callback_port} of {record.client.ip} was announced, but {target} was called."
        return case.problem("callback_elsewhere", summary, evidence, attempt)
    answer = attempt.sides[Side.SERVER].rst
    gave_up = facts.close.time if facts.close and waited(facts, case.now) >= GIVE_UP_FROM else None
    late = facts.start is not None and attempt.syns and attempt.syns[0].time - facts.start.time > GIVE_UP_FROM
    if late or (answer is not None and gave_up is not None and gave_up < answer.time and len(syns) > 1):
        summary = f"The callback to {target} came when the client had given up."
        return case.problem("callback_late", summary, evidence, attempt)
    if is_refused(attempt):
        summary = f"The callback to {target} was refused{by_whom(attempt)}."
        return case.problem("callback_refused", summary, evidence, attempt)
    summary = f"{count(len(syns), 'SYN')} to {target} in {span(attempt.syns)}, no answer."
    return case.problem("callback_dropped", summary, evidence, attempt)


def _loss(case: Case) -> Iterator[Problem]:
    """The callback connection that ended too early."""
    facts = case.facts
    callback = facts.record.callback
    if facts.record.outcome is not Outcome.LOST or callback is None:
        return
    end, stuck = end_mark(callback), stuck_side(callback)
    during = open_call_text(facts)
    if stuck is not None:
        marks = callback.sides[stuck].retransmitted
        last = callback.sides[stuck.other].last
        idle = marks[0].time - last.time if last else 0
        code = "idle_connection_cut" if idle >= _IDLE else "connection_lost"
        summary = f"{end_name(stuck)}'s data was sent again {len(marks)} times without an answer{during}."
        yield case.problem(code, summary, [mark.number for mark in marks], callback, time=marks[0].time)
    elif end is None:
        summary = f"The remote reported the process gone, but the callback connection shows no end{during}."
        answer = facts.close_answer
        yield case.problem("idle_connection_cut", summary, answer.packets if answer else (), callback)
    else:
        yield _early_end(case, callback, end, during)


def _early_end(case: Case, callback: Connection, end: Mark, during: str) -> Problem:
    side = closed_by(callback) or Side.CLIENT
    is_reset = callback.sides[side].rst is end
    idle = _silence_before(callback, end)
    by_device = is_reset and 0 < callback.sides[side].ttl != end.ttl > 0
    what = "reset" if is_reset else "closed"
    code = "idle_connection_cut" if by_device and idle >= _IDLE else "connection_lost"
    whom = "a device in between" if by_device else end_name(side).lower()
    summary = f"The callback connection was {what} by {whom}{during}{after_silence(idle)}."
    return case.problem(code, summary, [end.number], callback, time=end.time)


def _silence_before(callback: Connection, end: Mark) -> int:
    """Nanoseconds of silence before the end; a last try right before it (the data that a device then resets) does not
    count as an end of the silence."""
    broken = callback.silence_end
    if broken is not None and end.time - broken.time < _LAST_TRY:
        return callback.silence
    return callback.idle_before_end or 0


def _command_lost(case: Case) -> Iterator[Problem]:
    """A scheduler that dies loses both connections in the same moment, in any order; a reset that comes first, or an
    end long before, is another story."""
    facts = case.facts
    command, callback = facts.record.command, facts.record.callback
    end = end_mark(command) if command is not None else None
    if command is None or callback is None or end is None or facts.start_answer is None:
        return
    if facts.close is not None and facts.close.time <= end.time:
        return
    last = end_mark(callback)
    is_reset = end in (command.sides[0].rst, command.sides[1].rst)
    went_on = (last.time if last else callback.end) - end.time
    if went_on < (0 if is_reset else _LOST_FIRST):
        return
    summary = f"The command connection was {'reset' if is_reset else 'closed'} while the task was running."
    yield case.problem("command_lost_first", summary, [end.number], command, time=end.time)


def _killed(case: Case) -> Iterator[Problem]:
    facts = case.facts
    if facts.kill is not None and facts.record.outcome is Outcome.KILLED:
        how = f", signal {facts.record.signal}" if facts.record.signal else ""
        summary = f"The client asked the remote to kill the task{how}."
        yield case.problem("task_killed", summary, facts.kill.packets, facts.record.command, time=facts.kill.time)


def _failure(case: Case) -> Iterator[Problem]:
    facts, record = case.facts, case.facts.record
    error = facts.client_error
    if error is not None:
        summary = f"{error.member or 'a call'} was answered with an error: {error_text(error)}"
        yield case.problem("error_answer", summary, error.packets, record.callback, time=error.time)
    elif facts.begin_refused is not None:
        summary = "The job's spooler_init returned false."
        yield _job_failed(case, summary, facts.begin_refused)
    elif record.outcome is Outcome.FAILURE and facts.result is not None:
        how = f"was ended by signal {record.signal}" if record.signal else f"ended with exit code {record.exit_code}"
        text = f' ("{record.state_text}")' if record.state_text else ""
        yield _job_failed(case, f"The job's process {how}{text}.", facts.result)


def _job_failed(case: Case, summary: str, proof: Message) -> Problem:
    return case.problem("job_failed", summary, proof.packets, case.facts.record.callback, time=proof.time)


def _calls(case: Case) -> Iterator[Problem]:
    facts = case.facts
    for (member, _), failed in facts.failed_calls.items():
        times = f"{failed.count} calls" if failed.count > 1 else "a call"
        summary = f"{times} of {member} failed: {failed.text}"
        code = "error_answer" if failed.first.kind == "error" else "call_failed"
        yield case.problem(
            code, summary, failed.packets, facts.record.callback, time=failed.first.time, severity=Severity.INFO
        )
    open_call = facts.open_requests[-1] if facts.open_requests else None
    if facts.record.outcome is Outcome.RUNNING and open_call and case.now - open_call.time >= _OPEN_CALL:
        summary = f"{call_name(open_call)} is without an answer for {(case.now - open_call.time) / SECOND:.0f} s."
        yield case.problem("open_call", summary, open_call.packets, facts.record.callback, time=open_call.time)


def _address(case: Case) -> Iterator[Problem]:
    record = case.facts.record
    callback, peer, remote = record.callback, record.callback_peer, record.remote
    if callback is not None and peer is not None and remote is not None and peer.ip != remote.ip:
        summary = f"The callback came from {peer.ip}, the remote is {remote.ip}."
        yield case.problem("callback_other_address", summary, [callback.first_packet], callback)


RULES: tuple[Callable[[Case], Iterator[Problem]], ...] = (
    _command,
    _callback,
    _loss,
    _command_lost,
    _killed,
    _failure,
    _calls,
    _address,
    quality.frames,
    quality.capture,
)
