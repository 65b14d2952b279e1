"""How a task ended: every word, and both sides of every boundary."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conversation import TRUE, bstr, call
from kit import (
    ACK,
    BEGUN,
    CLIENT,
    CREATED,
    FIN,
    HEALTHY,
    LOGGED,
    RELEASE_ASKED,
    RELEASED,
    REMOTE,
    RST,
    STEP_ASKED,
    STEPPED,
    SYN,
    Address,
    Network,
    Story,
    icmp_error,
    nanoseconds,
    packets_of,
    trace,
    xml_answer,
)

from dissector.wire import messages as m

#: Seconds from the start of a story to its start command, rounded up.
SAID = 0.000_1
FALSE = m.Variant(11, False)
RESULT = '<process.result exit_code="{}"/>'


def outcome(story: Story) -> str:
    return story.found().outcome.value


def until(last: int) -> Story:
    return Story().start().call_back().say(0.02, last=last)


# --- the command connection ----------------------------------------------------------------------------------------


def knocking(patience: float, syns: int = 2) -> Story:
    """SYNs to the remote that nobody answers, and the capture goes on for a while."""
    story = Story()
    first = story.command.next[0]
    for number in range(syns):
        story.command.next[0] = first
        story.command.packet(number * 500_000_000, 0, SYN)
    return story.later(patience)


@pytest.mark.parametrize(
    ("patience", "syns", "word"),
    [(2.9, 2, "running"), (3.1, 2, "unreachable"), (2.9, 1, "running"), (3.1, 1, "unknown")],
)
def test_an_unanswered_syn(patience: float, syns: int, word: str) -> None:
    found = knocking(patience, syns).found()
    assert found.outcome.value == word
    assert ("command_unanswered" in found.codes) is (word != "running")


@pytest.mark.parametrize("side", ["rst", "icmp"])
def test_a_refused_syn(side: str) -> None:
    story = Story()
    story.command.packet(0, 0, SYN)
    if side == "rst":
        story.command.packet(1_000, 1, RST | ACK)
    else:
        story.records.append(icmp_error(1_000, story.records[0], "10.2.0.1", 13))
    assert outcome(story) == "unreachable"


def test_an_error_answer_to_the_start() -> None:
    error = '<ERROR code="SCHEDULER-121" text="no permission"/>'
    story = Story().start(answer=xml_answer(error))
    story.command.finish(nanoseconds(0.1), 0)
    assert outcome(story) == "refused"


def test_closed_without_a_byte() -> None:
    story = Story().start(answer=b"")
    story.command.finish(nanoseconds(0.1), 1)
    assert outcome(story) == "refused"


def test_closed_without_a_byte_of_anybody() -> None:
    """A scheduler sends its command at once: these are health checks, and get one remark together."""
    network = Network()
    for number in range(66):
        line = network.line(Address(CLIENT, 41_000 + number), Address(REMOTE, 4_455))
        line.open(nanoseconds(number))
        line.finish(nanoseconds(number + 0.1), 1)
    found = trace(network)
    assert (found.tasks, found.codes, found.alarms) == ([], ["unused_connections"], [])
    assert found.problem("unused_connections").summary.startswith("66 connections to command ports")


def test_a_probe_of_the_port_is_no_task() -> None:
    """Somebody who only looks whether the port is open, maybe after a try before it was."""
    story = Story(command_port=39_999)
    story.command.packet(0, 0, SYN)
    story.command.packet(1_000, 1, RST | ACK)
    probe = Story(story.network)
    probe.command.open(nanoseconds(0.5))
    probe.command.finish(nanoseconds(0.6), 0)
    assert story.found().events == []


# --- before the callback -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "word"),
    [
        (5.0, "unknown"),  # it ran, but its callback was not captured
        (54.999, "unknown"),
        (55.0, "no_callback"),
        (60.0, "no_callback"),
        (75.0, "no_callback"),
        (75.001, "unknown"),
    ],
)
def test_the_time_of_the_close_tells_whether_the_client_gave_up(seconds: float, word: str) -> None:
    assert outcome(Story().start().close(SAID + seconds)) == word


@pytest.mark.parametrize(("seconds", "word"), [(1.0, "running"), (74.9, "running"), (75.1, "unknown")])
def test_nothing_but_the_start(seconds: float, word: str) -> None:
    """The last packet that ``later`` plays comes a little behind its time."""
    assert outcome(Story().start().later(seconds)) == word


def test_the_command_connection_ends_without_a_callback() -> None:
    story = Story().start()
    story.command.finish(nanoseconds(2.0), 0)
    assert outcome(story) == "no_callback"


@pytest.mark.parametrize(
    ("patience", "syns", "word"),
    [(2.9, 2, "running"), (2.9, 1, "running"), (3.1, 2, "no_callback"), (3.1, 1, "unknown"), (56, 1, "no_callback")],
)
def test_a_callback_that_nobody_answers(patience: float, syns: int, word: str) -> None:
    """Whoever is not answered asks again; the answer to one SYN alone may be what the capture lacks."""
    story = Story().start()
    for number in range(syns):
        story.callback.next[0] = 5_000
        story.callback.packet(nanoseconds(0.01 + number), 0, SYN)
    assert outcome(story.later(0.01 + patience)) == word


def test_a_refused_callback() -> None:
    story = Story().start()
    story.callback.packet(nanoseconds(0.01), 0, SYN)
    story.callback.packet(nanoseconds(0.011), 1, RST | ACK)
    assert outcome(story) == "no_callback"


@pytest.mark.parametrize(("seconds", "word"), [(54.9, "killed"), (60.0, "no_callback")])
def test_killed_while_it_waited(seconds: float, word: str) -> None:
    """The engine that gives up closes with kill as well."""
    assert outcome(Story().start().close(SAID + seconds, kill=True)) == word


# --- with a callback -----------------------------------------------------------------------------------------------


def test_success() -> None:
    assert outcome(Story().healthy()) == "success"


def test_success_without_the_command_connection() -> None:
    assert outcome(Story().call_back().say(0.02).leave(0.04)) == "success"


def test_success_without_an_end() -> None:
    """The capture ends with the answer to the release."""
    assert outcome(Story().start().call_back().say(0.02)) == "success"


def test_the_client_leaves_before_its_release_is_answered() -> None:
    assert outcome(until(RELEASED - 1).leave(0.04)) == "success"


@pytest.mark.parametrize("last", [CREATED, BEGUN, STEP_ASKED, LOGGED, STEPPED, RELEASE_ASKED])
def test_running(last: int) -> None:
    assert outcome(until(last)) == "running"


def test_accepted_and_nothing_said_yet() -> None:
    assert outcome(Story().start().call_back()) == "running"


@pytest.mark.parametrize("last", [CREATED, BEGUN, LOGGED, STEPPED, RELEASE_ASKED])
@pytest.mark.parametrize("flags", [FIN | ACK, RST | ACK], ids=["fin", "rst"])
def test_lost_when_the_task_process_goes_too_early(last: int, flags: int) -> None:
    assert outcome(until(last).leave(0.04, side=0, flags=flags)) == "lost"


@pytest.mark.parametrize("last", [CREATED, BEGUN, LOGGED, STEPPED])
def test_lost_when_the_client_goes_without_a_release(last: int) -> None:
    assert outcome(until(last).leave(0.04)) == "lost"


def test_accepted_and_closed_without_a_word() -> None:
    assert outcome(Story().start().call_back().leave(0.02, side=0)) == "lost"


def test_nobody_acknowledges_any_more() -> None:
    story = until(STEP_ASKED)
    line = story.callback
    seq = line.next[0]
    for attempt in range(4):
        line.next[0] = seq
        line.packet(nanoseconds(1.0 + attempt), 0, ACK, b"\0\0\0\1K")
    assert outcome(story) == "lost"


@pytest.mark.parametrize(("seconds", "word"), [(1.0, "unknown"), (3.0, "lost")])
def test_the_process_is_gone_and_the_callback_shows_no_end(seconds: float, word: str) -> None:
    """Its end may still come within two seconds of the close answer; how it went is not known before."""
    assert outcome(until(STEP_ASKED).close(1.0).later(1.0 + seconds)) == word


def test_the_callback_goes_on_behind_the_close() -> None:
    assert outcome(until(STEP_ASKED).close(1.0).say(1.5, STEP_ASKED, LOGGED).later(5.0)) == "running"


# --- killed --------------------------------------------------------------------------------------------------------


def test_killed_before_the_end() -> None:
    assert outcome(until(LOGGED).close(0.1, kill=True).leave(0.2, side=0)) == "killed"


def test_a_kill_behind_the_end_is_not_its_cause() -> None:
    assert outcome(until(LOGGED).leave(0.1, side=0).close(0.2, kill=True)) == "lost"


def test_killed_and_not_over_yet() -> None:
    assert outcome(until(LOGGED).close(0.1, kill=True, answer=False)) == "killed"


@pytest.mark.parametrize(("at", "word"), [(0.0255, "killed"), (0.1, "success")])
def test_a_kill_before_and_behind_the_release(at: float, word: str) -> None:
    """A killed shell job still answers and is released; a kill behind that killed nothing."""
    story = Story().start().call_back().say(0.02).leave(0.05)
    assert outcome(story.close(at, kill=True)) == word


def test_killed_by_a_signal() -> None:
    story = until(LOGGED)
    text = b"<remote_scheduler.remote_task.kill process_id='1' signal='SIGTERM'/>"
    story.command.send(nanoseconds(0.1), 0, text)
    assert outcome(story.leave(0.2, side=0)) == "killed"


# --- success or failure --------------------------------------------------------------------------------------------


def finished(*talk: tuple[int, m.Body]) -> str:
    """The outcome of a task that says this instead of its step, and is released."""
    story = until(BEGUN).talk(0.03, *talk)
    return outcome(story.say(0.05, STEPPED).leave(0.07).close(0.08))


SERVER = HEALTHY[BEGUN][1].object_id  # type: ignore[union-attr]
STEP = (1, call(SERVER, "step"))
ERROR = (0, m.ErrorAnswer(("what=COM-80020009 oh",)))


@pytest.mark.parametrize(
    ("talk", "word"),
    [
        ([STEP, (0, m.CallAnswer(0, bstr(RESULT.format(0))))], "success"),
        ([STEP, (0, m.CallAnswer(0, bstr(RESULT.format(1))))], "failure"),
        ([STEP, (0, m.CallAnswer(0, bstr(RESULT.format(-1))))], "failure"),
        ([STEP, (0, m.CallAnswer(0, bstr('<process.result exit_code="0" signal="15"/>')))], "failure"),
        ([STEP, (0, m.CallAnswer(0, TRUE))], "success"),
        ([STEP, (0, m.CallAnswer(0, FALSE))], "success"),  # spooler_process: no more steps
        ([STEP, ERROR], "failure"),
        ([(1, call(SERVER, "call", bstr("spooler_exit()V"))), ERROR], "failure"),
        ([(1, call(SERVER, "call", bstr("?spooler_exit()V"))), ERROR], "success"),
        ([STEP, (0, HEALTHY[STEP_ASKED][1]), (1, ERROR[1]), (0, m.CallAnswer(0, TRUE))], "success"),  # handled
    ],
)
def test_what_makes_a_failure(talk: list[tuple[int, m.Body]], word: str) -> None:
    assert finished(*talk) == word


def test_begin_refused() -> None:
    story = until(BEGUN - 1).talk(0.03, (0, m.CallAnswer(0, FALSE)))
    assert outcome(story.say(0.05, STEPPED).leave(0.07).close(0.08)) == "failure"


# --- gaps ----------------------------------------------------------------------------------------------------------


def without(story: Story, drop: Callable[[int, bytes], bool]) -> Story:
    """The same story with records that the capture lost."""
    kept = [record for index, record in enumerate(story.records) if not drop(index, record.data)]
    story.network.records = kept
    return story


def test_the_last_words_were_not_captured() -> None:
    """The client closed as always; whether it released before is in the hole."""
    story = Story().start().call_back().say(0.02, last=STEPPED)
    before = len(story.records)
    story.say(0.04, STEPPED)
    behind = len(story.records)
    story.leave(0.07).close(0.08)
    assert outcome(without(story, lambda index, _: before <= index < behind)) == "unknown"


def test_the_step_s_answer_was_not_captured() -> None:
    story = Story(exit_code=0).healthy()
    lost = [n for n, record in enumerate(story.records) if b"process.result" in record.data]
    found = without(story, lambda index, _: index in lost).found()
    assert found.outcome.value == "unknown"
    assert "gap" in found.codes


def test_mid_stream_without_command() -> None:
    """From a log line on: the rest is enough to tell that it was released."""
    story = Story().call_back().say(0.02).leave(0.04)
    packets = packets_of(story.records)[3 + 2 * STEP_ASKED :]
    assert trace(packets).outcome.value == "success"
