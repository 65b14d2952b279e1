"""The list of a task's problems: nothing normal is told, what follows does not alarm, doubts are named."""

from __future__ import annotations

import pytest
from conversation import bstr, call
from kit import BEGUN, CAPTURES, HEALTHY, LOGGED, STEP_ASKED, STEPPED, Story, nanoseconds, packets_of, trace, until

from dissector.limits import MAX_EVIDENCE, MAX_PROBLEMS
from dissector.model import Severity
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
