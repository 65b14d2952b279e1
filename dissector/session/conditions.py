"""What decides how a task ended: named questions about a task before the judge, and rows made of them.

A condition gives True or False and changes nothing.  The tables are in ``outcomes`` and ``agent_outcomes``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dissector.model import Connection, Mark, Message, Outcome, Task
from dissector.session import timeouts
from dissector.session.case import Case
from dissector.session.life import CommandState
from dissector.session.task import TaskFacts
from dissector.session.verdict import (
    closed_by,
    end_mark,
    end_of_command,
    end_unseen,
    is_answer_missing,
    is_fin,
    is_hopeless,
    is_refused,
    is_rejected,
    is_unheard,
    lacks_tail,
    may_have_ended,
    one_sided,
    stuck_side,
    waited,
)
from dissector.traffic import Side

Condition = Callable[[Case], bool]


class OutcomeRow(NamedTuple):
    """``outcome`` of a task for which all of ``when`` hold, and not all of any row above."""

    outcome: Outcome
    when: tuple[Condition, ...] = ()


def no(condition: Condition) -> Condition:
    return lambda case: not condition(case)


# --- the command connection ----------------------------------------------------------------------------------------


def unopened(case: Case) -> bool:
    """A command connection that did not come about."""
    command = case.facts.record.command
    return command is not None and not command.established


def asked(case: Case) -> bool:
    """Its SYN was captured."""
    command = case.facts.record.command
    return command is not None and bool(command.syns)


def unanswered(case: Case) -> bool:
    """It was refused, or it was not answered in time."""
    command = case.facts.record.command
    return command is not None and is_hopeless(command, case.now)


def asked_once(case: Case) -> bool:
    """One SYN without an answer: who gets none asks again, so that the answer may be what the capture lacks."""
    command = case.facts.record.command
    return command is not None and _asked_once(command)


def refused(case: Case) -> bool:
    """The start was answered by an error."""
    return case.facts.life.command is CommandState.REFUSED


def rejected(case: Case) -> bool:
    """The remote accepted the command connection and closed it without a byte."""
    return is_rejected(case.facts)


def command_open(case: Case) -> bool:
    return end_of_command(case.facts) is None


def command_end_unseen(case: Case) -> bool:
    """The command connection may have been ended by what was acknowledged, but not captured."""
    command = case.facts.record.command
    return command is not None and end_unseen(command)


# --- no callback ---------------------------------------------------------------------------------------------------


def uncalled(case: Case) -> bool:
    return case.facts.record.callback is None


def taken(case: Case) -> bool:
    """Somebody else took the announced port."""
    return case.facts.intruder is not None


def kill_asked(case: Case) -> bool:
    return case.facts.kill is not None


def early(case: Case) -> bool:
    """Before a client gives up."""
    return waited(case.facts, case.now) < timeouts.GIVE_UP_FROM


def late(case: Case) -> bool:
    """Behind the time at which a client gives up."""
    return waited(case.facts, case.now) > timeouts.GIVE_UP_TO


def unheard(case: Case) -> bool:
    """The client's last command is never acknowledged."""
    return is_unheard(case.facts, case.now)


def tried(case: Case) -> bool:
    """Somebody called, and did not get through so far."""
    return bool(case.facts.attempts)


def in_vain(case: Case) -> bool:
    """One of those who called was refused, or not answered in time."""
    return any(is_hopeless(attempt, case.now) for attempt in case.facts.attempts)


def may_be_answered(case: Case) -> bool:
    """Each of those who called asked once and was not refused."""
    return all(map(_asked_once, case.facts.attempts))


def cut_while_waiting(case: Case) -> bool:
    """The capture lacks what may be a kill, while the client still waited."""
    return may_be_killed(case.facts, case.facts.record.start + timeouts.GIVE_UP_FROM)


def started(case: Case) -> bool:
    return case.facts.start is not None


def closed(case: Case) -> bool:
    """The client said that the task is over."""
    return case.facts.close is not None


def answer_missing(case: Case) -> bool:
    """The start may have been refused as well: its answer is not in the capture."""
    return is_answer_missing(case.facts)


# --- the end of the callback connection ----------------------------------------------------------------------------


def half_captured(case: Case) -> bool:
    """How it went stood in what was not captured."""
    callback = case.facts.record.callback
    return callback is not None and one_sided(callback)


def left(case: Case) -> bool:
    """The client left the task as it should: the task process answered the release, or the client closed behind it."""
    return _leaving(case) is not None


def killed_before_leaving(case: Case) -> bool:
    leaving = _leaving(case)
    return leaving is not None and _was_killed(case, leaving.time)


def failed(case: Case) -> bool:
    """An error was seen, or how the job's process ended."""
    facts, record = case.facts, case.facts.record
    return bool(record.exit_code or record.signal or facts.client_error or facts.begin_refused)


def kill_missed(case: Case) -> bool:
    """The job ended by a signal, and what the capture lacks may have been the kill: of the commands, or of the
    exchanges with an agent, whose start says what a kill names."""
    facts = case.facts
    if not ended_by_signal(facts.record):
        return False
    if facts.agent is not None:
        return facts.agent.missing >= 0 or facts.agent.start is None
    leaving = _leaving(case)
    if leaving is None:
        return False
    is_lost = may_be_killed(facts, leaving.time) or kill_unseen(facts, leaving.time)
    return is_lost or facts.record.command is None


def release_asked(case: Case) -> bool:
    """The client released the task: it does not do so before all is said."""
    return case.facts.release is not None


def went_well(case: Case) -> bool:
    """All that decides how the job went was captured, and nothing of it is an error."""
    facts = case.facts
    if facts.result is not None:
        return facts.record.exit_code == 0 and not facts.result_odd
    return facts.proof.holds(facts.release)


def under_way(case: Case) -> bool:
    """Neither end has ended the callback connection."""
    return _end(case) is None


def callback_end_unseen(case: Case) -> bool:
    """The callback connection may have been ended by what was acknowledged, but not captured."""
    callback = case.facts.record.callback
    return callback is not None and end_unseen(callback)


def silent_since_left(case: Case) -> bool:
    """The client closed the task before the command connection ended, or ended that in order itself, and the callback
    connection shows nothing since.  (Without the remote, or with a device's reset, the task goes on.)"""
    command, callback = case.facts.record.command, case.facts.record.callback
    mark = end_mark(command) if command is not None else None
    if command is None or callback is None or mark is None:
        return False
    has_left = mark is command.sides[Side.CLIENT].fin or may_have_ended(command, Side.CLIENT)
    return (closed(case) or has_left) and callback.end <= mark.time


def silent_since_command_end(case: Case) -> bool:
    """The command connection may have been ended by what was not captured, and the callback connection shows nothing
    since."""
    command, callback = case.facts.record.command, case.facts.record.callback
    return command is not None and callback is not None and end_unseen(command) and callback.end <= command.end


def closed_unseen(case: Case) -> bool:
    """The remote answered something behind the start that is not in the capture, a close or a kill, and the callback
    connection shows nothing since."""
    facts = case.facts
    command, callback, started = facts.record.command, facts.record.callback, facts.start_answer
    if command is None or callback is None or started is None or facts.cut_command is None or closed(case):
        return False
    answer = command.sides[Side.SERVER].last_data
    return answer is not None and answer.number > started.packets[-1] and callback.end <= answer.time


def stuck(case: Case) -> bool:
    """Nobody acknowledges what an end sends."""
    callback = case.facts.record.callback
    return callback is not None and stuck_side(callback, case.now) is not None


def told_to_end(case: Case) -> bool:
    """The client closed the task or asked to kill it."""
    return closed(case) or kill_asked(case)


def gone(case: Case) -> bool:
    """The remote reported the process gone, and the callback connection shows no end: it was lost on the way."""
    answer, callback = case.facts.close_answer, case.facts.record.callback
    if answer is None or answer.request is not case.facts.close or callback is None:
        return False
    silent = case.now - answer.time > timeouts.END_PATIENCE or callback.end < answer.time - timeouts.END_PATIENCE
    return silent and callback.end <= answer.time


def long_silent(case: Case) -> bool:
    """Nothing had come on the callback connection for as long as devices keep one when the client closed the task: what
    ended the connection was lost in one of them."""
    close, callback = case.facts.close, case.facts.record.callback
    return close is not None and callback is not None and close.time - callback.end >= timeouts.IDLE


def cut_off(case: Case) -> bool:
    """The capture lacks what may be a kill, before the callback connection ended."""
    end = _end(case)
    return may_be_killed(case.facts, case.now if end is None else end.time)


def killed_before_end(case: Case) -> bool:
    end = _end(case)
    return end is not None and _was_killed(case, end.time)


def unproved(case: Case) -> bool:
    """Who called is not known: the capture has nothing of the connection's beginning, nor a message of its opener."""
    callback = case.facts.record.callback
    return callback is not None and callback.mid_stream and not case.facts.confirmed


def kill_missed_before_end(case: Case) -> bool:
    """The task process ended the callback connection, as one does that is killed, and a kill would not have been
    seen."""
    end, callback = _end(case), case.facts.record.callback
    if end is None or callback is None or closed_by(callback) is not Side.CLIENT:
        return False
    return kill_unseen(case.facts, end.time)


def unread(case: Case) -> bool:
    """Not one call of the client could be read: its release can not be either."""
    callback = case.facts.record.callback
    return callback is not None and callback.snapped > 0 and not case.facts.record.counts.calls


def last_words_missing(case: Case) -> bool:
    """The client closed as always, but its last words are not in the capture; or nobody knows who closed, or what was
    said last."""
    callback = case.facts.record.callback
    if callback is None:
        return False
    closer = closed_by(callback)
    is_cut = closer is None or (callback.gaps > 0 and closer is Side.SERVER)
    return is_cut or any(lacks_tail(callback, side) for side in Side)


def release_missing(case: Case) -> bool:
    """Closed as always, with nothing open; the release may be what was not captured."""
    facts, callback, end = case.facts, case.facts.record.callback, _end(case)
    if callback is None or end is None:
        return False
    # Of a request that was cut off, the answer can not be read.
    cut = callback.snapped > 0 and len(facts.undecoded) > 0
    if not (callback.mid_stream or callback.gaps or cut):
        return False
    in_order = is_fin(callback, end) or any(side.fin_counted for side in callback.sides)
    return facts.release is None and not facts.open_requests and in_order


# --- what several of them need -------------------------------------------------------------------------------------


def may_be_killed(facts: TaskFacts, until: int) -> bool:
    """The client said something before ``until`` that the snap length cut off, or that the capture lost: it may have
    been a kill."""
    return facts.cut_command is not None and facts.cut_command <= until and facts.kill is None


def kill_unseen(facts: TaskFacts, until: int) -> bool:
    """The client may have asked to kill the task shortly before ``until``, and before the capture began."""
    record = facts.record
    if facts.kill is not None or facts.start is not None or facts.start_answer is not None:
        return False
    about = record.command or record.callback
    return about is not None and about.mid_stream and until - record.start <= timeouts.KILL_PATIENCE


def ended_by_signal(record: Task) -> bool:
    """The job's process was ended by a signal, which a shell tells as an exit code above 128."""
    return bool(record.signal) or (record.exit_code is not None and record.exit_code > timeouts.SIGNAL_CODES)


def _asked_once(one: Connection) -> bool:
    return len(one.syns) == 1 and not one.syn_acks and not is_refused(one)


def _was_killed(case: Case, until: int) -> bool:
    """The client asked for it before ``until``, and the remote heard it."""
    kill = case.facts.kill
    return kill is not None and kill.time <= until and not is_unheard(case.facts, case.now)


def _end(case: Case) -> Mark | None:
    callback = case.facts.record.callback
    return end_mark(callback) if callback is not None else None


def _leaving(case: Case) -> Message | None:
    facts, callback = case.facts, case.facts.record.callback
    if facts.released is not None or callback is None:
        return facts.released
    is_left = end_mark(callback) is not None and closed_by(callback) is Side.SERVER
    return facts.release if is_left else None
