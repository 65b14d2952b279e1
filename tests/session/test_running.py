"""How the job itself went: kills, failures, errors of its calls, and who was slow."""

from __future__ import annotations

import pytest
from conversation import bstr
from kit import BEGUN, HEALTHY, LOGGED, STEP_ASKED, STEPPED, Story, the, until
from parts import HERE, SECOND, facts, message, record

from dissector.model import Outcome, Problem, Severity
from dissector.session.case import Case
from dissector.session.running import calls, failure, killed, open_call
from dissector.session.tallies import FailedCalls
from dissector.session.task import TaskFacts
from dissector.wire import messages as m

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
LOG_CALL, LOG_ANSWER = HEALTHY[STEP_ASKED], HEALTHY[STEP_ASKED + 1]


# --- killed and failed ---------------------------------------------------------------------------------------------


def test_task_killed() -> None:
    found = until(LOGGED).close(0.1, kill=True).leave(0.2, side=0).found()
    problem = the("task_killed", WARNING, found)
    kill = next(message for message in found.messages if message.operation == "remote_scheduler.remote_task.close")
    assert problem.packets == kill.packets
    assert found.alarms == ["task_killed"]


def test_job_failed() -> None:
    found = Story(exit_code=5).healthy().found()
    problem = the("job_failed", ERROR, found)
    assert "exit code 5" in problem.summary
    assert found.alarms == ["job_failed"]


def test_a_signal_that_this_client_did_not_ask_for() -> None:
    result = '<process.result spooler_process_result="false" exit_code="0" signal="15" state_text="before"/>'
    found = (
        until(LOGGED).talk(0.04, (0, m.CallAnswer(0, bstr(result)))).say(0.05, STEPPED).leave(0.07).close(0.08).found()
    )
    problem = the("job_failed", ERROR, found)
    assert problem.summary == 'The job\'s process was ended by signal 15 ("before").'
    assert "this client did not ask for it" in problem.cause
    assert (found.outcome.value, found.alarms) == ("failure", ["job_failed"])


def test_a_kill_tells_the_signal() -> None:
    result = '<process.result spooler_process_result="false" exit_code="0" signal="9"/>'
    story = until(LOGGED).close(0.03, kill=True, answer=False)
    found = story.talk(0.04, (0, m.CallAnswer(0, bstr(result)))).say(0.05, STEPPED).leave(0.07).found()
    assert the("task_killed", WARNING, found).summary.endswith("kill the task, signal 9.")
    assert (found.outcome.value, found.alarms) == ("killed", ["task_killed"])


def test_a_signal_that_the_client_may_have_asked_for() -> None:
    """The commands were not captured from their beginning."""
    for command, outcome in ((False, Outcome.UNKNOWN), (True, Outcome.UNKNOWN), (True, Outcome.FAILURE)):
        made = facts(start=None)
        record(made)[0].mid_stream = True
        made.result, made.record.signal, made.record.outcome = message(SECOND), 9, outcome
        if not command:
            made.record.command = None
        (problem,) = failure(Case(made, SECOND))
        assert (problem.code, problem.summary) == ("job_failed", "The job's process was ended by signal 9.")
        assert problem.cause.startswith("whether the client asked for it is not in the capture")
        made.record.signal, made.record.outcome = None, Outcome.UNKNOWN
        assert list(failure(Case(made, SECOND))) == []


def test_a_job_that_its_init_refused() -> None:
    refused = (0, m.CallAnswer(0, m.Variant(11, False)))
    found = until(BEGUN - 1).talk(0.03, refused).say(0.05, STEPPED).leave(0.07).close(0.08).found()
    assert "spooler_init" in the("job_failed", ERROR, found).summary


def test_an_error_to_the_client_s_call_fails_the_task() -> None:
    story = until(STEP_ASKED).talk(0.03, (0, m.ErrorAnswer(("name=", "what=COM-80020009 oh"))))
    found = story.say(0.05, STEPPED).leave(0.07).close(0.08).found()
    problem = the("error_answer", ERROR, found)
    assert problem.summary == "step was answered with an error: COM-80020009 oh"
    assert found.outcome.value == "failure"


def test_calls_of_the_job_that_fail_are_remarks() -> None:
    """Equal ones are one problem."""
    failure = m.InvokeFailure(-1, m.ExcepInfo(0, 0, "spooler", "no such job", "", 0, 0))
    invoke = HEALTHY[STEP_ASKED]
    story = until(STEP_ASKED)
    for index in range(3):
        story.talk(0.03 + index / 100, invoke, (1, m.InvokeAnswer(0x8002_0009, None, failure)))
    story.talk(0.06, invoke, (1, m.ErrorAnswer(("what=oh",))))
    found = story.say(0.07, LOGGED).leave(0.09).close(0.1).found()
    assert found.alarms == []
    assert the("call_failed", INFO, found).summary == "3 calls of spooler_log.log failed: no such job"
    assert len(found.problem("call_failed").packets) == 3
    assert the("error_answer", INFO, found).summary == "a call of spooler_log.log failed: oh"


# --- slow and open calls -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "told"), [(59.0, False), (61.0, True)])
def test_open_call(seconds: float, told: bool) -> None:
    found = until(STEP_ASKED).later(0.03 + seconds).found()
    assert found.outcome.value == "running"
    assert found.alarms == []  # a long step is a long job
    assert ("open_call" in found.codes) is told
    if told:
        assert "step is without an answer for 61 s" in the("open_call", INFO, found).summary


def test_open_callback() -> None:
    """What the client scheduler does not answer is not the job's length."""
    found = until(STEP_ASKED).talk(0.04, HEALTHY[STEP_ASKED]).later(65.0).found()
    assert found.outcome.value == "running"
    assert "the client scheduler has to answer" in the("open_call", WARNING, found).summary


def with_callbacks(*waits: float) -> Story:
    """A task whose job logs a line now and then; the client takes so long to answer."""
    story, now = until(STEP_ASKED), 0.05
    for wait in waits:
        story.talk(now, LOG_CALL).talk(now + wait, LOG_ANSWER)
        now += wait + 0.05
    return story.say(now, LOGGED).leave(now + 0.1).close(now + 0.2)


def test_a_slow_callback() -> None:
    found = with_callbacks(0.2, 4.0).found()
    problem = the("slow_call", INFO, found)
    assert problem.summary == (
        "1 callback took the client scheduler a second or more, the longest 4.0 s (spooler_log.log); "
        "of 4.4 s in all: the job 0.1 s, the client scheduler 4.2 s, the network 0.0 s, between calls 0.1 s."
    )
    assert problem.cause == "the client scheduler was busy or stopped"
    (answer,) = [message for message in found.messages if (message.latency or 0) > 3_000_000_000 and message.to_remote]
    assert problem.packets == answer.packets
    assert (found.outcome.value, found.alarms) == ("success", [])


def test_callbacks_in_time_are_not_told() -> None:
    assert with_callbacks(0.8, 0.8, 0.8, 0.8).found().codes == []


@pytest.mark.parametrize(
    ("waits", "polls"),
    [((1.0, 1.01, 1.0), True), ((1.0, 1.0), False), ((1.0, 1.0, 1.0, 5.0), False)],
)
def test_a_client_that_polls_once_a_second(waits: tuple[float, ...], polls: bool) -> None:
    """So it does when its command connection is gone; a few, or longer ones, are load."""
    problem = the("slow_call", INFO, with_callbacks(*waits).found())
    assert problem.summary.startswith(f"{len(waits)} callbacks took")
    assert ("polls once a second" in problem.cause) is polls
    assert len(problem.packets) == len(waits)


# --- by hand ---------------------------------------------------------------------------------------------------------


def the_failure(made: TaskFacts) -> Problem:
    (problem,) = failure(Case(made, 0))
    return problem


def test_a_kill_is_told_of_a_task_that_was_killed() -> None:
    for outcome, kill, signal, how in (
        (Outcome.KILLED, True, None, ""),
        (Outcome.KILLED, True, 15, ", signal 15"),
        (Outcome.LOST, True, 15, None),
        (Outcome.KILLED, False, 15, None),
    ):
        made = facts()
        made.record.outcome, made.record.signal = outcome, signal
        made.kill = message(3 * SECOND, 12) if kill else None
        found = [(one.summary, one.packets, one.time) for one in killed(Case(made, 0))]
        summary = f"The client asked the remote to kill the task{how}."
        assert found == ([] if how is None else [(summary, (12,), 3 * SECOND)])


def ended(**fields: object) -> TaskFacts:
    """A failed task whose job told how its process ended, in packet 12."""
    made = facts()
    made.record.outcome, made.result, made.record.exit_code = Outcome.FAILURE, message(3 * SECOND, 12), 5
    for name, value in fields.items():
        setattr(made.record if hasattr(made.record, name) else made, name, value)
    return made


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({}, "The job's process ended with exit code 5."),
        ({"state_text": "half"}, 'The job\'s process ended with exit code 5 ("half").'),
        ({"signal": 9}, "The job's process was ended by signal 9."),
        ({"begin_refused": message(3 * SECOND, 12)}, "The job's spooler_init returned false."),
    ],
)
def test_how_a_job_failed(fields: dict[str, object], summary: str) -> None:
    problem = the_failure(ended(**fields))
    assert (problem.code, problem.summary, problem.packets, problem.time) == (
        "job_failed",
        summary,
        (12,),
        3 * SECOND,
    )
    assert ("this client did not ask for it" in problem.cause) is ("signal" in fields)


def test_only_a_failed_task_has_a_failed_job() -> None:
    assert list(failure(Case(ended(outcome=Outcome.LOST), 0))) == []
    assert list(failure(Case(ended(result=None), 0))) == []


def test_an_error_comes_before_what_the_job_says() -> None:
    error = message(2 * SECOND, 9, body=m.ErrorAnswer(("what=oh",)))
    problem = the_failure(ended(client_error=error, begin_refused=message(1)))
    assert (problem.code, problem.summary) == ("error_answer", "a call was answered with an error: oh")
    assert (problem.packets, problem.time) == ((9,), 2 * SECOND)


@pytest.mark.parametrize("flaw", ["gaps", "snapped", "one_sided", "none"])
def test_whether_somebody_asked_for_a_signal_may_not_be_captured(flaw: str) -> None:
    made = ended(signal=9)
    command, _ = record(made)
    if flaw == "one_sided":
        command.bytes, command.sides[HERE].packets = 1, 0
    elif flaw == "none":
        made.record.command = None
    else:
        setattr(command, flaw, 1)
    assert the_failure(made).cause.startswith("whether the client asked for it is not in the capture; if not, the")


def test_calls_that_failed() -> None:
    made = facts()
    for index, kind in enumerate(("answer", "error")):
        first = message(index * SECOND, 9, kind=kind)
        made.failed_calls[f"spooler.m{index}", "oh"] = FailedCalls(first, "oh", index + 1, [10 + index])
    assert [(one.code, one.summary, one.packets, one.time) for one in calls(Case(made, 0))] == [
        ("call_failed", "a call of spooler.m0 failed: oh", (10,), 0),
        ("error_answer", "2 calls of spooler.m1 failed: oh", (11,), SECOND),
    ]


def test_the_newest_open_call_of_a_task_that_runs() -> None:
    made = facts()
    made.record.outcome = Outcome.RUNNING
    made.open_requests = [
        message(SECOND, member="step"),
        message(5 * SECOND, 12, member="log", object_name="spooler_log", to_remote=False),
    ]
    (problem,) = open_call(Case(made, 66 * SECOND))
    assert problem.summary == ("spooler_log.log is without an answer for 61 s; the client scheduler has to answer.")
    assert (problem.severity, problem.packets, problem.time) == (WARNING, (12,), 5 * SECOND)
    made.open_requests.pop()
    (problem,) = open_call(Case(made, 66 * SECOND))
    assert problem.summary == "step is without an answer for 65 s; the task process has to answer."
    assert problem.severity is INFO
    made.record.outcome = Outcome.LOST
    assert list(open_call(Case(made, 66 * SECOND))) == []
    made.record.outcome, made.open_requests = Outcome.RUNNING, []
    assert list(open_call(Case(made, 66 * SECOND))) == []
