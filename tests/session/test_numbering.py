"""Numbers follow first packets; what waits for a number waits no longer than it must."""

from __future__ import annotations

from kit import Network, Story, TaskScript, trace

from dissector.model import Connection, Endpoint, Event, Message, Problem, Severity, Task
from dissector.session.numbering import Sequencer

SECOND = 1_000_000_000


def connection(first_packet: int, start: int = 0) -> Connection:
    return Connection(Endpoint("10.1.0.10", first_packet), Endpoint("10.2.0.10", 4455), start, first_packet)


def task(first_packet: int) -> Task:
    return Task(start=0, first_packet=first_packet)


def remark(of: Task | None) -> Problem:
    return Problem("gap", Severity.INFO, 0, (), "", task=of)


# --- the sequencer -------------------------------------------------------------------------------------------------


def test_the_later_task_is_recognised_first_and_numbered_second() -> None:
    sequencer, early, late = Sequencer(), connection(1), connection(5)
    sequencer.opened(early)
    sequencer.opened(late)
    second = task(5)
    sequencer.decided(late)
    sequencer.add(second)
    sequencer.emit(second)
    assert sequencer.drain(0) == []
    first = task(1)
    sequencer.decided(early)
    sequencer.add(first)
    sequencer.emit(first)
    assert sequencer.drain(0) == [second, first]
    assert (first.n, second.n) == (1, 2)


def test_of_tasks_with_one_first_packet_the_one_that_was_recognised_first_is_first() -> None:
    sequencer, tasks = Sequencer(), [task(3), task(3), task(3)]
    for one in tasks:
        sequencer.add(one)
        sequencer.emit(one)
    assert sequencer.drain(0) == tasks
    assert [one.n for one in tasks] == [1, 2, 3]


def test_what_was_said_of_a_task_that_is_another_one_is_said_of_that() -> None:
    sequencer, one, other, third = Sequencer(), task(1), task(2), task(3)
    said = [remark(one), remark(third), remark(None), remark(one)]
    sequencer.emit(third)
    for event in said:
        sequencer.emit(event)
    sequencer.replace(one, other)
    assert [event.task for event in said] == [other, third, None, other]


def test_a_connection_that_is_nobody_s_holds_nothing_back_any_more() -> None:
    sequencer, foreign = Sequencer(), connection(1)
    sequencer.opened(foreign)
    found = task(2)
    sequencer.add(found)
    sequencer.emit(found)
    assert sequencer.drain(0) == []
    sequencer.decided(foreign)
    assert sequencer.drain(0) == [found]


def test_a_connection_that_began_later_does_not_matter() -> None:
    sequencer = Sequencer()
    sequencer.opened(connection(7))
    found = task(2)
    sequencer.add(found)
    assert sequencer.drain(0) == []
    assert found.n == 1


def test_events_stay_in_their_order_behind_one_that_waits() -> None:
    sequencer, undecided = Sequencer(), connection(1)
    sequencer.opened(undecided)
    found = task(2)
    sequencer.add(found)
    events: list[Event] = [remark(None), remark(found), remark(None)]
    for event in events:
        sequencer.emit(event)
    assert sequencer.drain(0) == events[:1]
    sequencer.decided(undecided)
    assert sequencer.drain(0) == events[1:]


def test_a_live_view_waits_for_the_window_only() -> None:
    sequencer = Sequencer(window=2 * SECOND)
    sequencer.opened(connection(1, start=10 * SECOND))
    found = task(2)
    sequencer.add(found)
    sequencer.emit(found)
    assert sequencer.drain(12 * SECOND) == []
    assert sequencer.drain(12 * SECOND + 1) == [found]


def test_a_file_waits_as_long_as_it_takes() -> None:
    sequencer = Sequencer()
    sequencer.opened(connection(1))
    found = task(2)
    sequencer.add(found)
    sequencer.emit(found)
    assert sequencer.drain(1_000_000 * SECOND) == []
    assert sequencer.drain(None) == [found]


def test_held_events_are_bounded_by_twenty_thousand() -> None:
    sequencer = Sequencer()
    sequencer.opened(connection(1))
    found = task(2)
    sequencer.add(found)
    event = remark(found)
    for _ in range(20_000):
        sequencer.emit(event)
        assert not sequencer._held or len(sequencer._held) <= 20_000
    assert sequencer.drain(0) == []
    sequencer.emit(event)
    assert len(sequencer.drain(0)) == 20_000 + 1


def test_the_end_numbers_all_by_their_first_packets() -> None:
    sequencer = Sequencer()
    sequencer.opened(connection(1))
    tasks = [task(number) for number in (9, 3, 5)]
    for found in tasks:
        sequencer.add(found)
    sequencer.drain(None)
    assert [found.n for found in tasks] == [3, 1, 2]


def test_messages_that_nobody_wants_hold_back_what_is_behind_them() -> None:
    """Of a task without a number, or behind anything that waits."""
    sequencer, found = Sequencer(), task(2)
    assert not sequencer.holds(None)
    assert sequencer.holds(found)
    sequencer.omit(None)
    assert not sequencer.holds(None)
    sequencer.omit(found, 2)
    assert len(sequencer._held) == 2
    assert sequencer.holds(None)
    sequencer.emit(event := remark(None))
    assert sequencer.drain(0) == []
    found.n = 1
    assert not Sequencer().holds(found)
    assert sequencer.drain(0) == [event]


def test_stand_ins_come_out_in_their_place() -> None:
    sequencer, one = Sequencer(), connection(1)
    one.task = task(2)
    sequencer.stand_in(one, 2)
    assert sequencer.drain(0) == []
    one.task.n = 1
    first, second = sequencer.drain(0)
    assert first is second
    assert isinstance(first, Message)
    assert (first.n, first.connection, first.task, first.raw, first.size) == (0, one, one.task, b"", 0)
    assert (first.time, first.packets, first.to_remote, first.kind) == (0, (), False, "undecoded")


def test_a_live_view_gives_up_waiting_for_each_connection_in_turn() -> None:
    sequencer = Sequencer(window=2 * SECOND)
    sequencer.opened(connection(1, start=10 * SECOND))
    sequencer.opened(connection(2, start=11 * SECOND))
    found = task(3)
    sequencer.add(found)
    assert (sequencer.drain(12 * SECOND + 1), found.n) == ([], 0)
    assert len(sequencer._undecided) == 1
    sequencer.drain(13 * SECOND + 1)
    assert (found.n, len(sequencer._undecided)) == (1, 0)


def test_a_connection_that_began_with_the_task_does_not_hold_it_back() -> None:
    """It is the task's own."""
    for first_packet, number in ((2, 1), (1, 0)):
        sequencer, found = Sequencer(), task(2)
        sequencer.opened(connection(first_packet))
        sequencer.add(found)
        sequencer.drain(0)
        assert found.n == number


# --- whole ---------------------------------------------------------------------------------------------------------


def test_interleaved_starts_are_numbered_by_their_first_packets() -> None:
    """The first SYN belongs to the task whose start command comes last."""
    network = Network()
    slow = Story(network, job="slow", command_port=40_001)
    fast = Story(network, job="fast", command_port=40_002, callback_port=59_998, peer_port=50_001, process_id=2)
    slow.command.open(0)
    fast.start(0.001).call_back(0.002).say(0.003).leave(0.03).close(0.031)
    network.play(TaskScript(job="third", command_port=40_003, callback_port=59_997, peer_port=50_002), start=0.05)
    start, *rest = Story(job="slow", command_port=40_001).start(0).records[3:]
    for side, record in ((0, start), (1, rest[1])):
        slow.command.send(100_000_000, side, record.data[54:])
    slow.call_back(0.12).say(0.13).leave(0.2).close(0.21)
    found = trace(network)
    assert {task.n: task.job for task in found.tasks} == {1: "slow", 2: "fast", 3: "third"}
    assert all(task.outcome.value == "success" for task in found.tasks)


def test_messages_come_out_with_their_tasks_number() -> None:
    found = Story().healthy().found()
    assert {message.task.n for message in found.messages if message.task} == {1}
