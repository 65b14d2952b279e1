"""The list of a task's problems: nothing normal is told, what follows does not alarm, doubts are named."""

from __future__ import annotations

import pytest
from conversation import bstr, call
from kit import BEGUN, CAPTURES, HEALTHY, LOGGED, STEP_ASKED, STEPPED, Story, nanoseconds, packets_of, trace, until
from parts import SECOND, connection, facts, message, record

from dissector.limits import MAX_EVIDENCE, MAX_PROBLEMS
from dissector.model import Mark, Outcome, Problem, Role, Severity
from dissector.session.diagnosis import conclude, judge
from dissector.session.hosts import Hosts
from dissector.session.life import CommandState, WatchState
from dissector.session.task import TaskFacts
from dissector.traffic import Side
from dissector.wire import messages as m

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
SERVER = HEALTHY[BEGUN][1].object_id  # type: ignore[union-attr]
SPOOLER = HEALTHY[11][1].object_id  # type: ignore[union-attr]
GUID = bytes(16)


# --- nothing normal ------------------------------------------------------------------------------------------------


def test_a_healthy_task_has_no_problem() -> None:
    assert Story().healthy().found().codes == []
    assert Story(pid=4711, log=()).healthy().found().codes == []


def test_nothing_normal_is_told() -> None:
    """Keep-alives on both connections, S_FALSE, optional members and interfaces that are missing, a handler that may
    not exist, a log line whose lookup was all, a reset at the end."""
    lookup = m.GetIdsOfNames(SPOOLER, GUID, 0, ("optional",))
    story = until(STEP_ASKED)
    story.command.send(nanoseconds(0.028), 0, b" ")
    story.talk(
        0.03,
        (0, lookup),
        (1, m.GetIdsOfNamesAnswer(0x8002_0006, None)),
        (0, m.QueryInterface(SPOOLER, GUID)),
        (1, m.QueryInterfaceAnswer(0x8000_4002, None)),
        (0, HEALTHY[STEP_ASKED][1]),
        (1, m.InvokeAnswer(1, m.Variant(0, None), None)),
        (0, b"K"),
        (1, b"A"),
    )
    story.say(0.04, LOGGED, STEPPED)
    story.talk(0.05, (1, call(SERVER, "call", bstr("?spooler_exit()V"))), (0, m.ErrorAnswer(("what=COM-80020006",))))
    found = story.say(0.06, STEPPED).leave(0.08).close(0.09).found()
    assert (found.outcome.value, found.codes) == ("success", [])


@pytest.mark.parametrize(
    "name",
    [
        "engine_shell_ok",
        "engine_process_file",
        "engine_api_java_ok",
        "engine_api_sub",
        "engine_bigscript",
        "engine_order",
        "engine_ten_tasks",
        "h19_basic",
        "h19_nested",
        "h19_two",
        "faults/01_healthy.c",
        "faults/22_eight_per_second.r",
    ],
)
def test_recordings_of_success_alarm_nobody(name: str) -> None:
    found = trace(name)
    assert [problem.code for problem in found.problems if problem.severity is ERROR] == []
    assert found.tasks


# --- what follows, and what is less certain ------------------------------------------------------------------------


def test_what_follows_is_a_remark() -> None:
    """The remote kills the task of a lost command connection: the gravest is told first, the rest stays in the list."""
    story = until(STEP_ASKED)
    story.command.reset(nanoseconds(1.0), 1)
    task = story.leave(2.0, side=0).found().task
    assert [(problem.code, problem.severity) for problem in task.problems] == [
        ("command_lost_first", ERROR),
        ("connection_lost", INFO),
    ]


def test_a_loss_alone_is_no_consequence() -> None:
    task = until(STEP_ASKED).leave(2.0, side=0).found().task
    assert [(problem.code, problem.severity) for problem in task.problems] == [("connection_lost", ERROR)]


def test_doubts_are_named() -> None:
    """An error of a task whose capture is incomplete says so; the capture's own faults and remarks do not."""
    story = Story(exit_code=5).healthy()
    story.network.records = [record for record in story.records if b"hello" not in record.data]
    found = story.found()
    assert found.problem("job_failed").cause.endswith("(less certain: gap)")
    assert "less certain" not in found.problem("gap").cause


def test_several_doubts_are_named_together() -> None:
    story = Story(exit_code=5).healthy()
    story.network.records = [record for record in story.records if b"hello" not in record.data]
    packets = packets_of(story.records)
    longest = max(range(len(packets)), key=lambda index: len(packets[index].data))
    packets[longest] = packets[longest]._replace(data=packets[longest].data[:-3])
    found = trace(packets)
    assert found.problem("job_failed").cause.endswith("(less certain: gap, snap_length)")


def test_without_a_doubt_nothing_is_added() -> None:
    assert "less certain" not in Story(exit_code=5).healthy().found().problem("job_failed").cause


# --- the list ------------------------------------------------------------------------------------------------------


def test_the_gravest_comes_first_and_evidence_is_bounded() -> None:
    story = Story(peer="10.9.9.9", exit_code=1)
    story.start().call_back().say(0.02, last=STEPPED)
    for index in range(2 * MAX_EVIDENCE):
        story.talk(0.04 + index / 1_000, (0, b"N"))
    task = story.say(0.2, STEPPED).leave(0.3).close(0.4).found().task
    assert [problem.code for problem in task.problems] == ["job_failed", "undecoded_frame", "callback_other_address"]
    assert len(task.problems[1].packets) <= MAX_EVIDENCE


def test_problems_of_a_task_are_bounded() -> None:
    story = until(LOGGED)
    for index in range(MAX_PROBLEMS + 50):
        story.talk(0.04 + index / 1_000, (0, b""))
    assert len(story.found().task.problems) <= MAX_PROBLEMS


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("faults/*.pcap"))[::6], ids=lambda path: path.stem)
def test_genuine_faults_have_words_and_proof(path: object) -> None:
    found = trace("faults/" + str(path).rsplit("/", 1)[-1].removesuffix(".pcap"))
    for problem in found.problems:
        assert problem.packets
        assert problem.summary
        assert problem.cause
        assert "{" not in problem.cause + problem.remedy


# --- made by hand ----------------------------------------------------------------------------------------------------


def running(watch: WatchState = WatchState.UNDER_WAY) -> TaskFacts:
    """A task with a callback connection that was accepted, and not a word on it."""
    made = facts(callback=False)
    attempt = connection(Role.CALLBACK, end=7 * SECOND)
    attempt.sides[Side.CLIENT].acked = 1
    made.attempts, made.life.watch = [attempt], watch
    return made


@pytest.mark.parametrize(
    ("watch", "word"),
    [
        (WatchState.OVER, Outcome.RUNNING),
        (WatchState.END_MISSED, Outcome.UNKNOWN),
        (WatchState.LET_GO, Outcome.UNKNOWN),
    ],
)
def test_a_task_that_is_over_does_not_run(watch: WatchState, word: Outcome) -> None:
    made, missed = running(watch), watch is WatchState.END_MISSED
    conclude(made, 2 * SECOND, None, Hosts())
    assert (made.record.outcome, made.record.end) == (word, 7 * SECOND)
    assert (made.record.callback is not None) is missed
    assert made.attempts[0].over is missed


@pytest.mark.parametrize("watch", [WatchState.OVER, WatchState.LET_GO])
def test_a_task_that_was_let_go_keeps_the_outcome_that_it_had(watch: WatchState) -> None:
    made = facts()
    made.life.watch, made.life.command = watch, CommandState.REFUSED
    made.start_answer = None
    conclude(made, 2 * SECOND, None, Hosts())
    assert made.record.outcome is Outcome.REFUSED


def told(made: TaskFacts, now: int = 100 * SECOND) -> dict[str, Problem]:
    judge(made, now)
    return {problem.code: problem for problem in made.record.problems}


def stuck_and_lost() -> TaskFacts:
    """The client has lost the command connection; the process's large segments do not get through."""
    made = facts()
    command, callback = record(made)
    command.sides[Side.CLIENT].fin = Mark(5, SECOND, 64)
    sender = callback.sides[Side.CLIENT]
    sender.sent, sender.last_data, sender.smallest_retransmitted = 100, Mark(10, 10 * SECOND), 1_448
    sender.retransmitted = [Mark(number, 11 * SECOND) for number in (11, 12, 13)]
    sender.retransmissions = 3
    callback.sides[Side.SERVER].last, callback.sides[Side.SERVER].acked = Mark(8, 9 * SECOND), 1
    callback.end = 20 * SECOND
    return made


def test_what_has_several_reasons_names_the_first_one_by_name() -> None:
    found = told(stuck_and_lost())
    assert found["connection_lost"].cause.startswith("follows from command_lost_first: the other host")
    assert found["retransmissions"].cause.startswith("follows from connection_lost: ")
    assert {code: problem.severity for code, problem in found.items()} == {
        "command_lost_first": ERROR,
        "path_mtu": ERROR,
        "connection_lost": INFO,
        "retransmissions": INFO,
    }


@pytest.mark.parametrize(
    ("signal", "exit_code", "follows"), [(9, 0, True), (None, 129, True), (None, 128, False), (None, 1, False)]
)
def test_a_job_that_was_ended_from_outside(signal: int | None, exit_code: int, follows: bool) -> None:
    made = facts()
    command, callback = record(made)
    command.sides[Side.CLIENT].rst = Mark(5, SECOND, 64)
    callback.sides[Side.SERVER].fin = Mark(50, 9 * SECOND)
    made.released = message(8 * SECOND)
    made.result = message(7 * SECOND)
    made.record.signal, made.record.exit_code = signal, exit_code
    problem = told(made)["job_failed"]
    assert (problem.severity is INFO) is follows
    if follows:
        assert problem.remedy == "see command_lost_first"
        assert problem.cause == (
            "follows from command_lost_first: the remote kills the job when it loses the command connection"
        )


def test_a_job_that_failed_in_another_way_was_not_ended() -> None:
    made = facts()
    command, callback = record(made)
    command.sides[Side.CLIENT].rst = Mark(5, SECOND, 64)
    callback.sides[Side.SERVER].fin = Mark(50, 9 * SECOND)
    made.released, made.begin_refused = message(8 * SECOND), message(7 * SECOND)
    assert "follows" not in told(made)["job_failed"].cause


def test_only_alarms_are_doubted_and_not_what_the_capture_lacks() -> None:
    made = stuck_and_lost()
    record(made)[1].snapped = 10
    found = told(made)
    doubted = {code for code, problem in found.items() if "less certain" in problem.cause}
    assert doubted == {"command_lost_first", "path_mtu"}
    assert {"snap_length", "connection_lost", "retransmissions"} <= set(found)
