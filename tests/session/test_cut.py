"""Start commands that the snap length cut off: told by their callbacks, where one pair alone is possible."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from conversation import ACK, RST, SYN, Address, Network
from kit import BEGUN, CLIENT, REMOTE, Found, Story, nanoseconds, packets_of, trace, xml_answer

from dissector.model import Endpoint, Outcome
from dissector.session.detect import is_start, may_start
from dissector.traffic import Packet

START = b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<remote_scheduler.start_remote_task tcp_port="59999"/>'
PREFIX = START.index(b"<remote")
HEADERS = 54


def snapped(story: Story | Network, size: int = 64) -> list[Packet]:
    network = story.network if isinstance(story, Story) else story
    return [packet._replace(data=packet.data[:size]) for packet in packets_of(network.records)]


def found(story: Story | Network, size: int = 64, **options: object) -> Found:
    return trace(snapped(story, size), **options)


def cut(port: int = 59_999, command_port: int = 40_000, network: Network | None = None, at: float = 0.0) -> Story:
    return Story(network, callback_port=port, command_port=command_port).start(at)


def calls(story: Story, at: float, port: int = 59_999, sender: int = 50_100) -> Story:
    """SYNs to the client that nobody answers."""
    line = story.network.line(Address(REMOTE, sender), Address(CLIENT, port))
    for again in (0, 1, 3, 7):
        line.packet(nanoseconds(at + again), 0, SYN)
        line.next[0] -= 1
    return story


def gives_up(story: Story, at: float = 60.0) -> Story:
    return story.close(at)


# --- what is told -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [HEADERS, 64, 96])
def test_a_dropped_callback_is_told_without_the_start_command(size: int) -> None:
    told = found(gives_up(calls(cut(), 0.01)), size)
    task = told.task
    assert (task.outcome, task.callback_port) == (Outcome.NO_CALLBACK, 59_999)
    assert (task.client, task.remote) == (Endpoint(CLIENT, 40_000), Endpoint(REMOTE, 4_455))
    assert len(told.problem("callback_dropped").packets) == 4
    assert "snap_length" in told.alarms
    assert "command_lost_first" not in told.codes


def test_a_refused_callback_is_told() -> None:
    story = cut()
    story.callback.packet(nanoseconds(0.01), 0, SYN)
    story.callback.packet(nanoseconds(0.02), 1, RST | ACK)
    told = found(gives_up(story))
    assert told.outcome is Outcome.NO_CALLBACK
    assert told.alarms[0] == "callback_refused"


@pytest.mark.parametrize("size", [HEADERS, 64, 80])
def test_of_a_callback_without_a_readable_word_only_the_way_is_told(size: int) -> None:
    task = found(Story().healthy(), size).task
    assert task.outcome is Outcome.UNKNOWN
    assert task.command is not None
    assert task.callback is not None
    assert (task.callback_port, task.remote) == (59_999, Endpoint(REMOTE, 4_455))


def test_a_task_under_way_at_the_end_of_the_capture_is_told() -> None:
    task = found(Story().start().call_back().say(0.02, last=3)).task
    assert task.outcome is Outcome.RUNNING
    assert task.callback is not None


def test_a_reset_of_what_could_not_be_read_proves_no_loss() -> None:
    story = Story().start().call_back().say(0.02, last=5).leave(0.05, side=0, flags=RST | ACK).close(0.06)
    assert found(story).outcome is Outcome.UNKNOWN
    assert story.found().outcome is Outcome.LOST


def test_a_remote_that_accepts_and_closes_refuses_whatever_was_sent() -> None:
    story = Story().start(answer=b"")
    story.command.finish(nanoseconds(0.2), 1)
    told = found(story)
    assert told.outcome is Outcome.REFUSED
    assert "command_rejected" in told.alarms


# --- a kill may be among what was cut ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "outcome"), [(55.0, Outcome.UNKNOWN), (55.1, Outcome.NO_CALLBACK)])
def test_what_the_client_says_before_its_time_is_over_may_be_a_kill(at: float, outcome: Outcome) -> None:
    told = found(calls(cut(), 0.01).close(at))
    assert told.outcome is outcome
    assert "callback_dropped" in told.alarms


@pytest.mark.parametrize(("asks_at", "outcome"), [(4.0, Outcome.UNKNOWN), (6.0, Outcome.LOST)])
def test_a_loss_behind_a_command_that_was_cut_is_none_for_certain(asks_at: float, outcome: Outcome) -> None:
    story = Story().start().call_back().say(0.02, last=7).leave(5.0, side=0, flags=RST | ACK)
    assert found(story.close(asks_at), 100).outcome is outcome


# --- one pair, or none ------------------------------------------------------------------------------------------------


def test_two_commands_that_wait_get_no_callback() -> None:
    network = Network()
    first = cut(network=network)
    second = cut(port=59_998, command_port=40_001, network=network, at=0.005)
    calls(first, 0.01)
    calls(second, 0.02, port=59_998, sender=50_101)
    first.close(60)
    second.close(60.5)
    assert found(network).tasks == []


def test_two_ports_that_are_called_are_no_pair() -> None:
    story = calls(calls(cut(), 0.01), 0.02, port=59_998, sender=50_101)
    assert found(gives_up(story)).tasks == []


def test_the_same_port_called_again_is_the_same_callback() -> None:
    story = calls(calls(cut(), 0.01), 20, sender=50_101)
    assert found(gives_up(story)).outcome is Outcome.NO_CALLBACK


@pytest.mark.parametrize(("later", "tasks"), [(2.0, 0), (2.1, 2)])
def test_a_command_whose_callback_talks_for_long_waits_no_more(later: float, tasks: int) -> None:
    network = Network()
    first = cut(network=network).call_back(0.01).say(0.02, last=3)
    second = Story(network, callback_port=59_998, command_port=40_001, peer_port=50_101).start(later)
    second.callback.open(nanoseconds(0.01 + later))
    second.say(0.02 + later, last=3)
    first.close(9)
    second.close(9.5)
    assert len(found(network).tasks) == tasks


@pytest.mark.parametrize(("after", "tasks"), [(75.0, 1), (75.1, 0)])
def test_how_long_after_the_command_its_callback_may_come(after: float, tasks: int) -> None:
    story = cut()
    line = story.network.line(Address(REMOTE, 50_100), Address(CLIENT, 59_999))
    line.packet(nanoseconds(after) + 100_000, 0, SYN)
    assert len(found(gives_up(story, 90)).tasks) == tasks


@pytest.mark.parametrize(("port", "tasks"), [(50_000, 1), (49_999, 0), (59_999, 1), (60_000, 0)])
def test_callbacks_go_to_the_range(port: int, tasks: int) -> None:
    assert len(found(gives_up(calls(cut(), 0.01, port=port))).tasks) == tasks


def test_a_connection_before_the_command_is_not_its_callback() -> None:
    network = Network()
    line = network.line(Address(REMOTE, 50_100), Address(CLIENT, 59_999))
    line.packet(0, 0, SYN)
    assert found(gives_up(cut(network=network, at=1.0))).tasks == []


def test_another_host_is_not_the_remote() -> None:
    story = cut()
    line = story.network.line(Address("10.9.9.9", 50_100), Address(CLIENT, 59_999))
    line.packet(nanoseconds(0.01), 0, SYN)
    assert found(gives_up(story)).tasks == []


# --- what may be a start ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(len(START) + 1))
def test_every_part_of_a_start_command_may_be_one(size: int) -> None:
    assert may_start(START[:size])
    assert is_start(START[:size]) is (size >= PREFIX + len(b"<remote_scheduler.s"))


@pytest.mark.parametrize(
    "head", [b"<show_state/>", b"<remote_scheduler.r", b"EHLO", b"GET /", START[:PREFIX] + b"<s", b"<?xml version?><a"]
)
def test_what_begins_otherwise_is_none(head: bytes) -> None:
    assert not may_start(head)
    assert not is_start(head)


def test_a_command_that_is_no_start_gets_no_callback() -> None:
    network = Network()
    line = network.line(Address(CLIENT, 40_000), Address(REMOTE, 4_455))
    line.open(0)
    line.send(1_000, 0, b"<show_state what='" + b"x" * 100 + b"'/>")
    call = network.line(Address(REMOTE, 50_100), Address(CLIENT, 59_999))
    call.packet(nanoseconds(0.01), 0, SYN)
    line.finish(nanoseconds(1), 0)
    assert found(network, 72).tasks == []


def test_what_is_a_start_for_certain_is_a_task_without_a_callback() -> None:
    size = HEADERS + PREFIX + len(b"<remote_scheduler.s")
    assert found(cut().close(60), size).outcome is Outcome.UNKNOWN
    story = cut()
    story.command.finish(nanoseconds(60), 0)
    assert found(story, size).outcome is Outcome.UNKNOWN
    assert found(story, size - 1).tasks == []


CLOSE = b"<remote_scheduler.remote_task.close process_id='1'/>"
KILL = b"<remote_scheduler.remote_task.close process_id='1' kill='yes'/>"


@pytest.mark.parametrize(("size", "outcome"), [(len(KILL), Outcome.KILLED), (len(KILL) - 1, Outcome.UNKNOWN)])
def test_a_kill_that_can_be_read_tells_what_was_cut_off(size: int, outcome: Outcome) -> None:
    """And is the task's: whose callback this is turns out later only."""
    story = cut().call_back().say(0.02, last=BEGUN).leave(0.6, 0, RST | ACK)
    story.command.send(nanoseconds(0.5), 0, KILL)
    story.command.send(nanoseconds(0.61), 1, xml_answer("<ok/>"))
    story.command.finish(nanoseconds(0.7), 0)
    assert len(START) > len(KILL)
    assert found(story, HEADERS + size).outcome is outcome


@pytest.mark.parametrize(("size", "tasks"), [(len(CLOSE), 1), (len(CLOSE) - 1, 0)])
def test_a_close_that_can_be_read_tells_that_it_was_a_start(size: int, tasks: int) -> None:
    """Whoever closes a task has started it on the same connection, even where the start shows nothing of itself."""
    story = Story()
    story.command.open(0)
    story.command.send(nanoseconds(0.1), 0, START[:44] + b" " * 20 + START[44:])
    story.command.send(nanoseconds(60), 0, CLOSE)
    story.command.finish(nanoseconds(61), 0)
    assert len(found(story, HEADERS + size).tasks) == tasks


def test_an_unknown_port_needs_a_word() -> None:
    def tasks(size: int) -> Iterable[object]:
        return found(gives_up(calls(cut(), 0.01)), size, command_ports=()).tasks

    assert len(list(tasks(64))) == 1
    assert list(tasks(HEADERS)) == []
