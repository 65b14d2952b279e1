"""What is told about a task, with which packets as proof, and above all: what is not."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from conversation import bstr, call
from kit import (
    ACK,
    BEGUN,
    CAPTURES,
    CLIENT,
    HEALTHY,
    LOGGED,
    PSH,
    REMOTE,
    RST,
    STEP_ASKED,
    STEPPED,
    SYN,
    Found,
    Record,
    Story,
    icmp_error,
    is_reset,
    is_syn,
    nanoseconds,
    number_of,
    packets_of,
    trace,
    with_ttl,
    xml_answer,
)

from dissector.limits import MAX_EVIDENCE, MAX_PROBLEMS
from dissector.model import Problem, Severity
from dissector.traffic import Packet
from dissector.wire import messages as m

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
SERVER = HEALTHY[BEGUN][1].object_id  # type: ignore[union-attr]
SPOOLER = HEALTHY[11][1].object_id  # type: ignore[union-attr]
GUID = bytes(16)


def until(last: int, **script: Any) -> Story:
    return Story(**script).start().call_back().say(0.02, last=last)


def syns_of(story: Story, line_port: int) -> list[int]:
    port = struct.pack(">H", line_port)
    return number_of(story, lambda record: is_syn(record) and record.data[36:38] == port)


def the(code: str, severity: Severity, found: Found) -> Problem:
    """The one alarm of a run, which belongs to its task and its words are complete."""
    problem = found.problem(code)
    assert problem.severity is severity
    assert problem.task is found.task
    assert code in [told.code for told in found.task.problems]
    assert problem.summary
    assert problem.cause
    assert problem.remedy
    assert "{" not in problem.summary + problem.cause + problem.remedy
    assert list(problem.packets) == sorted(set(problem.packets))
    return problem


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


# --- the command connection ----------------------------------------------------------------------------------------


def test_command_unanswered() -> None:
    story = Story()
    for second in (0, 1, 3):
        story.command.next[0] = 1_000
        story.command.packet(nanoseconds(second), 0, SYN)
    problem = the("command_unanswered", ERROR, story.later(10).found())
    assert problem.packets == (1, 2, 3)
    assert "3 SYNs to 10.2.0.10:4455 in 3 s" in problem.summary


def test_command_refused_by_the_host() -> None:
    story = Story()
    story.command.packet(0, 0, SYN)
    story.command.packet(1_000, 1, RST | ACK)
    problem = the("command_refused", ERROR, story.found())
    assert problem.packets == (1, 2)
    assert "(RST)" in problem.summary


def test_command_refused_by_a_router() -> None:
    story = Story()
    story.command.packet(0, 0, SYN)
    story.records.append(icmp_error(1_000, story.records[0], "10.2.0.1", 13))
    problem = the("command_refused", ERROR, story.found())
    assert problem.packets == (1, 2)
    assert "10.2.0.1" in problem.summary


def test_command_rejected() -> None:
    story = Story().start(answer=b"")
    story.command.finish(nanoseconds(0.1), 1)
    found = story.found()
    problem = the("command_rejected", ERROR, found)
    assert problem.packets == (6,)
    assert CLIENT in problem.cause
    assert CLIENT in problem.remedy
    assert found.alarms == ["command_rejected"]


def test_start_error() -> None:
    story = Story().start(answer=xml_answer('<ERROR code="SCHEDULER-717" text="SCHEDULER-717 No licence"/>'))
    story.command.finish(nanoseconds(0.1), 0)
    found = story.found()
    problem = the("start_error", ERROR, found)
    assert (problem.packets, found.alarms) == ((6,), ["start_error"])
    assert problem.summary.count("SCHEDULER-717") == 1


# --- the callback that never came ----------------------------------------------------------------------------------


def test_callback_missing() -> None:
    found = Story().start().close(60.0).found()
    assert the("callback_missing", ERROR, found).packets == (4,)
    assert found.alarms == ["callback_missing"]


def test_callback_dropped() -> None:
    story = Story().start()
    for second in (0.01, 1, 3, 7):
        story.callback.next[0] = 5_000
        story.callback.packet(nanoseconds(second), 0, SYN)
    found = story.close(60.0).found()
    problem = the("callback_dropped", ERROR, found)
    assert list(problem.packets) == syns_of(story, 59_999)
    assert len(problem.packets) == 4
    assert f"{CLIENT}:59999" in problem.cause
    assert found.alarms == ["callback_dropped"]


def test_callback_refused() -> None:
    story = Story().start()
    story.callback.packet(nanoseconds(0.01), 0, SYN)
    story.callback.packet(nanoseconds(0.011), 1, RST | ACK)
    found = story.close(60.0).found()
    problem = the("callback_refused", ERROR, found)
    assert list(problem.packets) == syns_of(story, 59_999) + number_of(story, is_reset)
    assert found.alarms == ["callback_refused"]


@pytest.mark.parametrize(
    ("first", "refused", "closed", "code"),
    [
        (54.0, 54.1, 60.0, "callback_refused"),  # nobody had given up
        (60.5, 60.6, 60.0, "callback_late"),
        (1.0, 61.0, 60.0, "callback_late"),  # its SYNs got through only then
        (0.5, 2.0, 1.0, "callback_refused"),  # closed early: somebody else took the port
    ],
)
def test_callback_late(first: float, refused: float, closed: float, code: str) -> None:
    story = Story().start()
    for second in (first, (first + refused) / 2):
        story.callback.next[0] = 5_000
        story.callback.packet(nanoseconds(second), 0, SYN)
    story.callback.packet(nanoseconds(refused), 1, RST | ACK)
    found = story.close(closed).found()
    assert found.alarms == [code]
    the(code, ERROR, found)


# --- the end that came too early -----------------------------------------------------------------------------------


def test_connection_lost() -> None:
    story = until(STEP_ASKED).leave(1.0, side=0, flags=RST | ACK)
    problem = the("connection_lost", ERROR, story.found())
    assert list(problem.packets) == number_of(story, is_reset)
    assert problem.summary.endswith("by the task process during step.")
    assert "reset by the task process during " in problem.summary


def cut_by_a_device(silence: float, ttl: int = 63) -> Found:
    story = until(STEP_ASKED)
    story.leave(0.03 + silence, side=0, flags=RST | ACK)
    story.records[-1] = with_ttl(story.records[-1], ttl)
    return story.found()


@pytest.mark.parametrize(
    ("silence", "ttl", "code"),
    [
        (300.0, 63, "idle_connection_cut"),
        (4.9, 63, "connection_lost"),  # too soon for an idle timeout
        (300.0, 64, "connection_lost"),  # from the host itself
    ],
)
def test_a_reset_after_a_silence(silence: float, ttl: int, code: str) -> None:
    found = cut_by_a_device(silence, ttl)
    the(code, ERROR, found)
    assert ("a device in between" in found.problem(code).summary) == (ttl == 63)


@pytest.mark.parametrize(("silence", "code"), [(300.0, "idle_connection_cut"), (1.0, "connection_lost")])
def test_data_that_nobody_acknowledges(silence: float, code: str) -> None:
    story = until(STEP_ASKED)
    seq = story.callback.next[0]
    for attempt in range(5):
        story.callback.next[0] = seq
        story.callback.packet(nanoseconds(silence + attempt), 0, PSH | ACK, b"\0\0\0\1K")
    found = story.found()
    problem = the(code, ERROR, found)
    assert len(problem.packets) == 4
    assert "4 times" in problem.summary


def test_the_process_is_gone_and_its_connection_shows_no_end() -> None:
    found = until(STEP_ASKED).close(100.0).later(110.0).found()
    the("idle_connection_cut", ERROR, found)
    assert found.outcome.value == "lost"


def test_command_lost_first() -> None:
    story = until(STEP_ASKED)
    story.command.reset(nanoseconds(1.0), 1)
    story.leave(2.0, side=0)
    found = story.found()
    problem = the("command_lost_first", ERROR, found)
    assert problem.packets[0] == number_of(story, is_reset)[0]
    assert found.problem("connection_lost").severity is INFO  # only what follows
    assert found.task.problems[0] is problem


def test_both_connections_at_once_are_another_story() -> None:
    """A scheduler that dies loses both, in any order."""
    story = until(STEP_ASKED)
    story.command.finish(nanoseconds(1.0), 0)
    found = story.leave(1.1).found()
    assert "command_lost_first" not in found.codes
    the("connection_lost", ERROR, found)


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


# --- the network and the capture -----------------------------------------------------------------------------------


def test_callback_other_address() -> None:
    story = Story(peer="10.9.9.9").healthy()
    assert list(the("callback_other_address", INFO, story.found()).packets) == syns_of(story, 59_999)


@pytest.mark.parametrize(("times", "told"), [(2, False), (3, True)])
def test_retransmissions(times: int, told: bool) -> None:
    story = Story().healthy()
    data = next(record for record in story.records if b"process.result" in record.data)
    for attempt in range(times):
        again = data.data[:18] + struct.pack(">H", attempt + 1) + data.data[20:]
        story.records.append(Record(data.time + nanoseconds(0.0001) * (attempt + 1), again))
    found = story.found()
    assert found.codes == (["retransmissions"] if told else [])
    if told:
        assert len(the("retransmissions", INFO, found).packets) == 3


def test_zero_window() -> None:
    story = Story().healthy()
    closed = next(index for index, record in enumerate(story.records) if b"process.result" in record.data) + 1
    record = story.records[closed]
    story.records[closed] = Record(record.time, record.data[:48] + b"\0\0" + record.data[50:])
    found = story.found()
    problem = the("zero_window", INFO, found)
    assert problem.packets == (closed + 1,)
    assert "The client" in problem.summary


def test_mid_stream_and_missing_command() -> None:
    story = Story().call_back().say(0.02).leave(0.04)
    found = trace(packets_of(story.records)[7:])
    assert {"mid_stream", "command_not_captured"} <= set(found.codes)
    assert [code for code in found.alarms if code != "undecoded_frame"] == []


def test_one_direction() -> None:
    story = Story().healthy()
    port = struct.pack(">H", 59_999)
    story.network.records = [record for record in story.records if record.data[34:36] != port]
    assert the("one_direction", WARNING, story.found()).connection is not None


def test_snap_length() -> None:
    packets = [packet._replace(data=packet.data[:100]) for packet in packets_of(Story().healthy().records)]
    found = trace(packets)
    assert "snap_length" in found.codes
    cut = [problem.summary for problem in found.problems if problem.summary.startswith("callback connection")]
    assert len(cut) == 6
    assert all("cut off by the snap length" in summary for summary in cut)


def test_gap() -> None:
    story = Story().healthy()
    story.network.records = [record for record in story.records if b"hello" not in record.data]
    problem = the("gap", WARNING, story.found())
    assert "are missing in the capture" in problem.summary


def test_impossible_length_and_undecoded_frames() -> None:
    story = until(LOGGED).talk(0.03, (0, b"N"))
    story.callback.send(nanoseconds(0.04), 0, b"\x7f\xff\xff\xff")
    found = story.found()
    the("undecoded_frame", WARNING, found)
    assert "2147483647" in found.problem("impossible_length").summary


def test_trailing_bytes() -> None:
    story = until(LOGGED).talk(0.03, (0, b"O" + SPOOLER.to_bytes(8, "big") + b"R\1\2"))
    problem = the("trailing_bytes", WARNING, story.found())
    assert "1 message: 2 bytes left over" in problem.summary


def test_the_tunnel_token_is_no_odd_frame() -> None:
    story = Story().start().call_back().talk(0.015, (0, b'{"tunnelToken":{"id":"1","secret":"x"}}'))
    assert story.say(0.02).leave(0.04).close(0.05).found().codes == []


def test_the_clock_goes_backwards() -> None:
    packets = packets_of(Story().healthy().records)
    packets[5] = packets[5]._replace(time=packets[5].time - nanoseconds(2.0))
    problem = trace(packets).problem("clock_backwards")
    assert (problem.packets, problem.severity, problem.task) == ((6,), WARNING, None)
    assert "2.000 s" in problem.summary


def test_a_little_jitter_of_the_clock_is_normal() -> None:
    packets = packets_of(Story().healthy().records)
    packets[5] = packets[5]._replace(time=packets[4].time - 5_000_000)
    assert "clock_backwards" not in trace(packets).codes


def test_ip_fragments() -> None:
    packets = packets_of(Story().healthy().records)
    data = packets[5].data
    fragment = Packet(99, packets[-1].time, 1, data[:20] + b"\x20\x00" + data[22:], len(data))
    problem = trace([*packets, fragment]).problem("ip_fragment")
    assert (problem.packets, problem.severity) == ((99,), WARNING)
    assert REMOTE in problem.summary


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
