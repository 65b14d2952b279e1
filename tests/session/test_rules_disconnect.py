"""Connections that ended too early: which end closed them, in the middle of what, after which silence."""

from __future__ import annotations

import pytest
from conversation import bstr
from kit import (
    ACK,
    BEGUN,
    FIN,
    LOGGED,
    PSH,
    RST,
    STEP_ASKED,
    STEPPED,
    Found,
    Story,
    icmp_error,
    is_reset,
    nanoseconds,
    number_of,
    the,
    until,
    with_ttl,
)

from dissector.model import Severity
from dissector.wire import messages as m

ERROR, INFO = Severity.ERROR, Severity.INFO
#: Sides of the callback connection.
PROCESS, CLIENT_SIDE = 0, 1


def insist(story: Story, side: int, size: int, *times: float) -> Story:
    """The same segment again and again, never acknowledged."""
    line = story.callback
    seq = line.next[side]
    for time in times:
        line.next[side] = seq
        line.packet(nanoseconds(time), side, PSH | ACK, (b"\0\0\x20\0S" + bytes(size))[:size])
    return story


def finished_by(signal: int | None) -> Story:
    """A task up to its release, whose script ended by a signal or well."""
    how = f'"false" exit_code="0" signal="{signal}"' if signal else '"true" exit_code="0"'
    result = (PROCESS, m.CallAnswer(0, bstr(f"<process.result spooler_process_result={how}/>")))
    return until(LOGGED).talk(0.04, result).say(0.05, STEPPED).leave(0.08)


# --- the callback connection -----------------------------------------------------------------------------------------


def test_connection_lost() -> None:
    story = until(STEP_ASKED).leave(1.0, side=0, flags=RST | ACK)
    problem = the("connection_lost", ERROR, story.found())
    assert list(problem.packets) == number_of(story, is_reset)
    assert problem.summary.endswith("by the task process (10.2.0.10) during step.")
    assert "reset by the task process (10.2.0.10) during " in problem.summary


def cut_by_a_device(silence: float, ttl: int = 126) -> Found:
    story = until(STEP_ASKED)
    story.leave(0.03 + silence, side=0, flags=RST | ACK)
    story.records[-1] = with_ttl(story.records[-1], ttl)
    return story.found()


@pytest.mark.parametrize(
    ("silence", "ttl", "code"),
    [
        (300.0, 126, "idle_connection_cut"),
        (4.9, 126, "connection_lost"),  # too soon for an idle timeout
        (300.0, 64, "connection_lost"),  # from the host itself
    ],
)
def test_a_reset_after_a_silence(silence: float, ttl: int, code: str) -> None:
    found = cut_by_a_device(silence, ttl)
    the(code, ERROR, found)
    assert ("a device in between" in found.problem(code).summary) == (ttl == 126)


def test_a_device_resets_without_a_silence() -> None:
    problem = the("connection_lost", ERROR, cut_by_a_device(1.0))
    assert "its TTL is 126, the packets of the task process have 64" in problem.cause


def test_a_last_try_does_not_end_the_silence() -> None:
    """The device forgot the connection and resets the first packet after 300 s."""
    story = insist(until(STEP_ASKED), PROCESS, 5, 300.0)
    story.callback.packet(nanoseconds(300.001), CLIENT_SIDE, RST | ACK)
    story.records[-1] = with_ttl(story.records[-1], 125)
    problem = the("idle_connection_cut", ERROR, story.found())
    assert "after 300 s of silence" in problem.summary


def test_both_connections_end_with_the_remote_scheduler() -> None:
    story = until(STEP_ASKED)
    story.command.packet(nanoseconds(1.01), 1, FIN | ACK)
    problem = the("connection_lost", ERROR, story.leave(1.0, side=PROCESS, flags=RST | ACK).found())
    assert "the remote scheduler ended" in problem.cause
    assert "both connections" in problem.cause


def test_the_task_process_ends_alone() -> None:
    found = until(STEP_ASKED).leave(1.0, side=PROCESS, flags=RST | ACK).close(1.01).found()
    problem = the("connection_lost", ERROR, found)
    assert "the remote scheduler lives" in problem.cause
    assert found.alarms == ["connection_lost"]


def test_the_task_process_ends_and_the_remote_has_lost_the_command_connection() -> None:
    """The close meets a reset without an acknowledgement, from a host that has no such connection: it killed the
    process because it had lost that connection."""
    story = until(STEP_ASKED).leave(1.0, side=PROCESS, flags=RST | ACK).close(1.001, answer=False)
    story.command.packet(nanoseconds(1.002), 1, RST)
    found = story.found()
    assert found.alarms == ["command_lost_first"]
    assert "had lost the command connection before" in found.problem("command_lost_first").summary
    assert "when it loses the command connection" in found.problem("connection_lost").cause


def test_the_remote_ends_while_the_close_comes() -> None:
    """It had the connection until then: a reset with an acknowledgement."""
    story = until(STEP_ASKED).leave(1.0, side=PROCESS, flags=RST | ACK).close(1.001, answer=False)
    story.command.reset(nanoseconds(1.002), 1)
    found = story.found()
    assert found.alarms == ["connection_lost"]
    assert "the remote scheduler ended" in found.problem("connection_lost").cause


def test_a_device_resets_the_command_connection_and_the_process_follows() -> None:
    story = until(STEP_ASKED)
    story.command.reset(nanoseconds(1.0), 1)
    story.records[-1] = with_ttl(story.records[-1], 126)
    found = story.leave(1.01, side=PROCESS, flags=RST | ACK).found()
    assert found.alarms == ["command_lost_first"]
    assert "when it loses the command connection" in found.problem("connection_lost").cause


def test_the_client_ends() -> None:
    story = until(STEP_ASKED).leave(1.0, side=CLIENT_SIDE, flags=RST | ACK)
    story.command.finish(nanoseconds(1.001), 0)
    found = story.found()
    problem = the("connection_lost", ERROR, found)
    assert "reset by the client (10.1.0.10) during step" in problem.summary
    assert "the client scheduler ended" in problem.cause
    assert found.alarms == ["connection_lost"]


def test_the_process_is_gone_and_its_connection_shows_no_end() -> None:
    found = until(STEP_ASKED).close(100.0).later(110.0).found()
    the("idle_connection_cut", ERROR, found)
    assert found.outcome.value == "lost"


# --- data that nobody acknowledges ---------------------------------------------------------------------------------


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


def test_data_that_nobody_acknowledges_behind_many_losses() -> None:
    """As many retransmissions as are kept for evidence, of data that got through in the end."""
    story = until(STEP_ASKED)
    line = story.callback
    seq = line.next[0]
    for attempt in range(40):
        line.next[0] = seq - 20
        line.packet(nanoseconds(0.1 + attempt / 100), 0, PSH | ACK, bytes(20))
    for attempt in range(5):
        line.next[0] = seq
        line.packet(nanoseconds(1.0 + attempt), 0, PSH | ACK, b"\0\0\0\1K")
    found = story.found()
    assert found.outcome.value == "lost"
    assert "4 times" in the("connection_lost", ERROR, found).summary


@pytest.mark.parametrize(("life", "code"), [(True, "idle_connection_cut"), (False, "connection_lost")])
def test_a_silence_and_the_other_connection(life: bool, code: str) -> None:
    """After 8 s of silence: does the client still talk on the command connection?"""
    story = insist(until(STEP_ASKED), PROCESS, 5, 8.0, 8.3, 8.9, 10.1)
    if life:
        story.command.send(nanoseconds(9.0), 0, b" ")
    found = story.later(20.0).found()
    problem = the(code, ERROR, found)
    assert (found.outcome.value, found.alarms) == ("lost", [code])
    assert "retransmitted 3 times without an answer during step after 8 s of silence." in problem.summary
    assert ("the other host" in problem.cause) is not life


def test_large_segments_never_get_through() -> None:
    """At the sender: sent again and again, although small ones were acknowledged."""
    story = insist(until(BEGUN), CLIENT_SIDE, 1_448, 0.1, 0.3, 0.7, 1.5, 3.1)
    found = story.later(20.0).found()
    problem = the("path_mtu", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("lost", ["path_mtu"])
    assert "segments of 1448 bytes never get through" in problem.summary
    assert len(problem.packets) == 4
    assert found.problem("retransmissions").severity is INFO


def test_small_segments_that_nobody_acknowledges_are_no_question_of_size() -> None:
    story = insist(until(BEGUN), CLIENT_SIDE, 500, 0.1, 0.3, 0.7, 1.5)
    assert story.later(20.0).found().alarms == ["connection_lost"]


def test_a_hole_before_small_segments() -> None:
    """At the receiver: the large ones are never seen, the end of the message is."""
    story = until(BEGUN)
    story.callback.next[CLIENT_SIDE] += 2 * 1_448
    story.callback.packet(nanoseconds(0.1), CLIENT_SIDE, PSH | ACK, bytes(200))
    found = story.later(20.0).found()
    problem = the("path_mtu", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("lost", ["path_mtu"])
    assert "3096 bytes of the client never arrived, later small ones did" in problem.summary
    assert len(problem.packets) == 1


def test_a_hole_whose_end_is_sent_again() -> None:
    """The sender tries the last segment again before the first ones, which are too large."""
    story = until(BEGUN)
    story.callback.next[CLIENT_SIDE] += 2 * 1_448
    found = insist(story, CLIENT_SIDE, 200, 0.1, 0.12).later(20.0).found()
    assert (found.outcome.value, found.alarms) == ("lost", ["path_mtu"])
    assert len(found.problem("path_mtu").packets) == 2


def test_of_one_direction_nothing_is_said_to_be_stuck() -> None:
    """Nobody acknowledges where nobody was captured."""
    story = until(BEGUN)
    story.callback.next[CLIENT_SIDE] += 2 * 1_448
    story.callback.packet(nanoseconds(0.1), CLIENT_SIDE, PSH | ACK, bytes(200))
    process = story.script.peer_port.to_bytes(2, "big")
    story.network.records = [record for record in story.records if record.data[34:36] != process]
    found = story.later(20.0).found()
    assert not {"path_mtu", "connection_lost", "idle_connection_cut"} & set(found.codes)


def test_a_hole_may_still_be_filled() -> None:
    story = until(BEGUN)
    story.callback.next[CLIENT_SIDE] += 2 * 1_448
    story.callback.packet(nanoseconds(0.1), CLIENT_SIDE, PSH | ACK, bytes(200))
    assert story.later(9.0).found().outcome.value == "running"


# --- the command connection ------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("earlier", "first"), [(0.4, False), (0.6, True)])
def test_a_command_connection_that_is_closed_while_the_task_goes_on(earlier: float, first: bool) -> None:
    story = until(STEP_ASKED)
    story.command.finish(nanoseconds(2.0 - earlier), 0)
    found = story.leave(2.0, side=PROCESS).found()
    assert found.alarms == (["command_lost_first"] if first else ["connection_lost"])
    if first:
        assert "closed by the client (10.1.0.10) while" in found.problem("command_lost_first").summary


def test_a_device_resets_the_command_connection() -> None:
    story = until(STEP_ASKED)
    story.command.reset(nanoseconds(1.0), 0)
    story.records[-1] = with_ttl(story.records[-1], 126)
    problem = story.leave(2.0, side=PROCESS).found().problem("command_lost_first")
    assert "reset by a device in between while" in problem.summary


def test_a_failure_that_follows_from_the_lost_command_connection() -> None:
    """The remote kills the job, its task process says so in good order."""
    story = finished_by(9)
    story.command.reset(nanoseconds(0.03), 1)
    found = story.found()
    assert (found.outcome.value, found.alarms) == ("failure", ["command_lost_first"])
    assert found.problem("job_failed").severity is INFO


def close_meets_a_reset(story: Story) -> Found:
    story.close(1.0, answer=False)
    story.command.reset(nanoseconds(1.001), 1)
    return story.found()


def test_a_close_that_is_reset_after_a_kill_that_nobody_asked_for() -> None:
    found = close_meets_a_reset(finished_by(9))
    problem = the("command_lost_first", ERROR, found)
    assert "answered the close with a reset" in problem.summary
    assert (len(problem.packets), found.outcome.value) == (2, "failure")
    assert found.alarms == ["command_lost_first"]


def test_a_close_that_is_reset_after_success() -> None:
    found = close_meets_a_reset(finished_by(None))
    problem = the("idle_connection_cut", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("success", ["idle_connection_cut"])
    assert "The close of the task was answered by a reset" in problem.summary
    assert len(problem.packets) == 2


def test_a_close_that_is_never_acknowledged() -> None:
    story = finished_by(None)
    seq = story.command.next[0]
    for time in (200.0, 200.3, 200.9, 202.1):
        story.command.next[0] = seq
        story.command.packet(nanoseconds(time), 0, PSH | ACK, b"<remote_scheduler.remote_task.close process_id='1'/>")
    found = story.later(230.0).found()
    problem = the("idle_connection_cut", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("success", ["idle_connection_cut"])
    assert "is retransmitted without an answer after 200 s of silence on the command connection" in problem.summary
    assert len(problem.packets) == 3


def test_a_reset_behind_the_answered_close_is_normal() -> None:
    story = finished_by(None).close(1.0)
    story.command.reset(nanoseconds(1.1), 1)
    assert story.found().codes == []


# --- who ended, and who was not heard --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "words"), [(0, "the client scheduler ended (killed"), (1, "the remote scheduler ended (killed")]
)
def test_a_scheduler_ends_its_command_connection(side: int, words: str) -> None:
    """The task process lives on for a while."""
    story = until(STEP_ASKED)
    story.command.packet(nanoseconds(1.0), side, FIN | ACK)
    problem = the("command_lost_first", ERROR, story.leave(9.0, side=PROCESS, flags=RST | ACK).found())
    assert problem.cause.startswith(words)
    assert ("the remote then kills" in problem.cause) is (side == 0)
    assert "why that scheduler ended" in problem.remedy


def test_a_task_goes_on_silently_without_its_command_connection() -> None:
    story = until(STEP_ASKED)
    story.command.packet(nanoseconds(1.0), 1, FIN | ACK)
    found = story.later(20.0).found()
    the("command_lost_first", ERROR, found)
    assert found.outcome.value == "running"


def test_the_process_alone_when_nobody_is_heard_later() -> None:
    """Nothing says that the remote scheduler lives."""
    problem = the("connection_lost", ERROR, until(STEP_ASKED).leave(1.0, side=PROCESS, flags=RST | ACK).found())
    assert problem.cause == "the task process ended (killed, crashed) or closed the connection"


def unheard(at: float, *, story: Story, kill: str = "") -> Story:
    """The close, sent again and again."""
    seq = story.command.next[0]
    for later in (0.0, 0.2, 0.6, 1.4, 3.0):
        story.command.next[0] = seq
        text = f"<remote_scheduler.remote_task.close process_id='1'{kill}/>"
        story.command.packet(nanoseconds(at + later), 0, PSH | ACK, text.encode())
    return story


@pytest.mark.parametrize(("silence", "code"), [(100.0, "idle_connection_cut"), (10.0, "connection_lost")])
def test_a_kill_that_nobody_hears(silence: float, code: str) -> None:
    """Neither connection has an end, and nothing comes from the remote any more: the task is not killed, it is lost."""
    found = unheard(silence, story=until(STEP_ASKED), kill=" kill='yes'").found()
    problem = the(code, ERROR, found)
    assert (found.outcome.value, found.alarms) == ("lost", [code])
    assert "The request to kill the task was retransmitted 4 times without an answer after" in problem.summary
    assert problem.summary.endswith("the callback connection is open during step.")
    assert "the other host or the network between them is gone" in problem.cause
    assert len(problem.packets) == 5


def test_a_close_that_is_not_heard_at_once() -> None:
    """Too soon for an idle timeout: the remote's host went just then."""
    found = unheard(0.2, story=finished_by(None)).found()
    problem = the("command_lost_first", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("success", ["command_lost_first"])
    assert "was gone when the task ended" in problem.cause


def test_a_large_segment_after_a_silence_is_no_question_of_size() -> None:
    """The host may have gone in the silence as well: both are said."""
    found = insist(until(BEGUN), CLIENT_SIDE, 1_448, 10.0, 10.3, 10.7, 11.5, 13.1).later(30.0).found()
    problem = the("connection_lost", ERROR, found)
    assert found.alarms == ["connection_lost"]
    assert "packets of this size do not pass" in problem.cause
    assert "forgot both connections in these" in problem.cause


def test_a_few_repetitions_are_no_end() -> None:
    """A lossy line, cut in the middle of a recovery; and one that recovered, with its last data still under way."""
    assert insist(until(BEGUN), CLIENT_SIDE, 500, 0.1, 0.3, 0.7, 1.5).found().outcome.value == "running"
    story = insist(until(BEGUN), CLIENT_SIDE, 30, 0.1, 0.3, 0.7, 1.5)
    story.callback.packet(nanoseconds(1.6), PROCESS, ACK)
    found = insist(story, CLIENT_SIDE, 40, 9.0).later(9.5).found()
    assert (found.outcome.value, found.alarms) == ("running", [])


# --- silence comes before the kill -----------------------------------------------------------------------------------


def icmp_errors(story: Story, code: int, *times: float) -> Story:
    """A router answers the packet that was written last."""
    answered = story.records[-1]
    for time in times:
        story.records.append(icmp_error(nanoseconds(time), answered, "10.1.0.1", code))
    return story


def test_a_kill_that_nobody_hears_before_the_client_ends() -> None:
    """Long after, the client's scheduler is stopped: its FIN and its reset are not what ended the task."""
    story = unheard(10.0, story=until(STEP_ASKED), kill=" kill='yes'")
    icmp_errors(story, 1, 13.1, 14.1, 15.1)
    story.command.packet(nanoseconds(60.0), 0, FIN | ACK)
    found = story.leave(60.001, side=CLIENT_SIDE, flags=RST | ACK).later(80.0).found()
    problem = the("connection_lost", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("lost", ["connection_lost"])
    assert problem.summary.startswith("The request to kill the task was retransmitted 4 times without an answer")
    assert problem.summary.endswith("the callback connection was open until then during step.")
    assert "nothing came from 10.2.0.10 any more; 10.1.0.1 says: host unreachable (3 times)" in problem.cause
    assert "10.2.0.10" in problem.remedy
    assert "closed the connection" not in problem.cause + problem.remedy
    assert len(problem.packets) == 5 + 3


def test_a_kill_that_is_heard() -> None:
    """The same, but for the acknowledgement."""
    story = unheard(10.0, story=until(STEP_ASKED), kill=" kill='yes'")
    story.command.packet(nanoseconds(13.1), 1, ACK)
    found = story.leave(60.0, side=CLIENT_SIDE, flags=RST | ACK).later(80.0).found()
    assert (found.outcome.value, found.alarms) == ("killed", ["task_killed"])


@pytest.mark.parametrize(("code", "word"), [(1, "lost"), (4, "running")], ids=["host unreachable", "too large"])
def test_what_a_router_says_of_an_open_connection(code: int, word: str) -> None:
    """That a packet is too large does not say that nothing arrives."""
    story = icmp_errors(insist(until(STEP_ASKED), PROCESS, 5, 2.0, 2.3), code, 2.31)
    found = story.later(20.0).found()
    assert found.outcome.value == word
    if word == "lost":
        problem = the("connection_lost", ERROR, found)
        assert "10.1.0.1 says: host unreachable" in problem.cause


def test_an_old_word_of_a_router() -> None:
    """What was sent since then may arrive."""
    story = icmp_errors(insist(until(STEP_ASKED), PROCESS, 5, 2.0), 1, 2.01)
    story.callback.packet(nanoseconds(2.5), CLIENT_SIDE, ACK)
    assert insist(story, PROCESS, 9, 3.0, 3.3).later(20.0).found().outcome.value == "running"


def test_a_host_that_talks_to_others_is_not_gone() -> None:
    story = insist(until(STEP_ASKED), PROCESS, 5, 1.0, 1.3, 1.9, 3.1)
    other = Story(story.network, command_port=41_000, callback_port=59_000, peer_port=51_000)
    other.healthy(2.0)
    (problem,) = [one for one in story.found().problems if one.code == "connection_lost"]
    assert "though that host talks on other connections" in problem.cause
    assert "gone" not in problem.cause


# --- who is named ----------------------------------------------------------------------------------------------------


def polite(silence: float, later: float, *, reset: bool = True) -> Found:
    """The callback connection is reset in the client's name; so much later the client ends its command connection."""
    story = until(STEP_ASKED)
    story.leave(0.03 + silence, side=CLIENT_SIDE, flags=RST | ACK if reset else FIN | ACK)
    story.command.finish(nanoseconds(0.03 + silence + later), 0)
    return story.found()


@pytest.mark.parametrize(
    ("silence", "later", "code"),
    [
        (300.0, 2.0, "idle_connection_cut"),
        (300.0, 1.0, "idle_connection_cut"),
        (300.0, 0.99, "connection_lost"),  # it ends just then
        (20.0, 2.0, "idle_connection_cut"),
        (19.9, 2.0, "connection_lost"),
    ],
)
def test_a_client_that_outlives_its_reset(silence: float, later: float, code: str) -> None:
    problem = the(code, ERROR, polite(silence, later))
    assert ("the client itself goes on" in problem.cause) is (code == "idle_connection_cut")
    assert ("in the name of the client (10.1.0.10)" in problem.summary) is (code == "idle_connection_cut")


def test_a_client_that_closes_in_order() -> None:
    """A FIN is its own."""
    problem = the("connection_lost", ERROR, polite(300.0, 2.0, reset=False))
    assert "the client scheduler closed the connection; it goes on" in problem.cause
    assert "10.1.0.10" in problem.remedy


def test_a_client_that_closes_the_task_behind_the_reset() -> None:
    """Its close is data of its own."""
    story = until(STEP_ASKED).leave(30.0, side=CLIENT_SIDE, flags=RST | ACK).close(30.2)
    problem = the("idle_connection_cut", ERROR, story.found())
    assert "it sends on the command connection 0.2 s later" in problem.cause.replace("goes on: ", "")


@pytest.mark.parametrize(("side", "host"), [(PROCESS, "10.2.0.10"), (CLIENT_SIDE, "10.1.0.10")])
def test_who_ended_is_named_with_its_host(side: int, host: str) -> None:
    problem = the("connection_lost", ERROR, until(STEP_ASKED).leave(1.0, side=side, flags=RST | ACK).found())
    assert f"({host})" in problem.summary
    assert host in problem.remedy


def test_nobody_ended_what_nobody_closed() -> None:
    found = insist(until(STEP_ASKED), PROCESS, 5, 1.0, 1.3, 1.9, 3.1).later(20.0).found()
    problem = the("connection_lost", ERROR, found)
    assert "killed" not in problem.cause + problem.remedy
    assert "10.1.0.10" in problem.remedy


def test_a_client_that_goes_on_did_not_end_with_the_command_connection() -> None:
    story = until(STEP_ASKED)
    story.command.reset(nanoseconds(0.5), 0)
    story.say(2.0, STEP_ASKED, STEPPED).leave(3.0, side=PROCESS, flags=RST | ACK)
    problem = the("command_lost_first", ERROR, story.found())
    assert "it goes on with the callback connection" in problem.cause


@pytest.mark.parametrize(
    ("result", "follows"),
    [
        ('exit_code="0" signal="9"', True),
        ('exit_code="137"', True),
        ('exit_code="129"', True),
        ('exit_code="128"', False),
        ('exit_code="5"', False),
    ],
)
def test_a_job_that_fails_without_its_command_connection(result: str, follows: bool) -> None:
    """Only one that was ended from outside follows from the loss."""
    answer = (PROCESS, m.CallAnswer(0, bstr(f"<process.result {result}/>")))
    story = until(LOGGED).talk(0.04, answer).say(0.05, STEPPED).leave(0.08)
    story.command.reset(nanoseconds(0.03), 1)
    found = story.found()
    problem = found.problem("job_failed")
    assert (problem.severity is INFO) is follows
    assert problem.cause.startswith("follows from command_lost_first: the remote kills the job") is follows
    assert found.alarms == (["command_lost_first"] if follows else ["command_lost_first", "job_failed"])


@pytest.mark.parametrize(("silence", "code"), [(4.9, "connection_lost"), (5.1, "idle_connection_cut")])
def test_a_callback_connection_without_an_end(silence: float, code: str) -> None:
    """Without a silence no device forgot it: its end was lost."""
    problem = the(code, ERROR, until(STEP_ASKED).close(0.02 + 0.007 + silence).later(60.0).found())
    assert ("the end of the connection was lost on the path" in problem.cause) is (code == "connection_lost")
