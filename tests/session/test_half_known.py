"""Command connections that are in the capture, but of which not everything could be read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kit import BEGUN, Found, Record, Story, nanoseconds, packets_of, trace, until, xml_answer

from dissector.model import Endpoint
from dissector.traffic import Packet

COMMAND_PORT = (4_455).to_bytes(2, "big")


def without(story: Story, wanted: Callable[[Record], bool]) -> list[Packet]:
    story.network.records[:] = [record for record in story.records if not wanted(record)]
    return packets_of(story.records)


def is_command(record: Record) -> bool:
    return COMMAND_PORT in (record.data[34:36], record.data[36:38])


def from_client(record: Record) -> bool:
    return record.data[36:38] == COMMAND_PORT


def test_the_answer_to_a_start_that_was_not_captured() -> None:
    """One direction of the command connection: its answer tells of a task, and the callback is that one's."""
    found = trace(without(Story().healthy(), from_client))
    task = found.task
    assert (task.process_id, task.job) == (1, "job")
    assert (task.client, task.remote) == (Endpoint("10.1.0.10", 40_000), Endpoint("10.2.0.10", 4_455))
    assert (task.callback_port, task.outcome.value) == (59_999, "success")
    assert sorted({connection.role.value for connection in found.connections}) == ["callback", "command"]
    assert found.alarms == ["one_direction"]


@pytest.mark.parametrize(("process", "number"), [("9223372036854775807", 2**63 - 1), ("9223372036854775808", None)])
def test_a_process_id_that_is_none_is_a_process_all_the_same(process: str, number: int | None) -> None:
    """Of a start that was not captured: its answer makes a task, and a close or kill is about it."""
    story = Story().start(answer=xml_answer(f'<process process_id="{process}"/>')).call_back().say(0.02)
    story.leave(0.04).close(0.05)
    task = trace(without(story, lambda record: from_client(record) and b"start_remote_task" in record.data)).task
    assert (task.process_id, task.client, task.callback_port) == (number, Endpoint("10.1.0.10", 40_000), 59_999)
    assert ("odd_number" in [problem.code for problem in task.problems]) is (number is None)
    assert task.outcome.value == "success"


@pytest.mark.parametrize("process", ["", " "])
def test_no_process_id_at_all_is_no_answer_to_a_start(process: str) -> None:
    story = Story().start(answer=xml_answer(f'<process process_id="{process}"/>'))
    assert trace(without(story, lambda record: from_client(record))).tasks == []


@pytest.mark.parametrize("how", ["close process_id='{}' kill='yes'", "kill process_id='{}'"])
def test_a_kill_whose_process_id_is_none(how: str) -> None:
    story = until(BEGUN)
    text = f"<remote_scheduler.remote_task.{how.format(2**63)}/>"
    story.command.send(nanoseconds(0.5), 0, text.encode())
    story.command.send(nanoseconds(0.501), 1, xml_answer("<ok/>"))
    assert begun_before(story).outcome.value == "killed"
    assert trace(story).outcome.value == "killed"


def test_an_answer_alone() -> None:
    """Nothing is known of a callback, so nothing is said of it."""
    found = trace(without(Story().start().later(100.0), from_client))
    assert (found.outcome.value, found.alarms) == ("unknown", ["one_direction"])


def begun_before(story: Story) -> Found:
    """The capture begins behind the handshake and the start of the command connection."""
    return trace(without(story, lambda record: is_command(record) and record.time < nanoseconds(0.011)))


def test_a_kill_of_a_task_whose_start_was_not_captured() -> None:
    story = until(BEGUN).close(0.5, kill=True)
    found = begun_before(story)
    assert (found.outcome.value, found.alarms) == ("killed", ["task_killed"])
    assert found.task.remote == Endpoint("10.2.0.10", 4_455)
    assert [message.task for message in found.messages if message.operation and "close" in message.operation] == [
        found.task
    ] * 2


def test_a_close_that_may_be_of_either_of_two_tasks() -> None:
    """Two tasks of the same hosts: nothing is guessed."""
    first = until(BEGUN)
    second = Story(first.network, command_port=40_001, callback_port=59_998, peer_port=50_001)
    second.start(0.001).call_back(0.012).say(0.05, last=BEGUN)
    first.close(0.5, kill=True)
    found = begun_before(first)
    assert [task.outcome.value for task in found.tasks] == ["running", "running"]
    assert [task.command for task in found.tasks] == [None, None]
    told = [problem for problem in found.problems if problem.code == "command_unreadable"]
    assert len(told) == 2
    assert all("began before the capture" in problem.summary for problem in told)
    assert all(problem.remedy and problem.cause for problem in told)


@pytest.mark.parametrize("first", [True, False])
def test_no_command_connection_at_all(first: bool) -> None:
    """Another pair of hosts has one: it is none of this task's."""
    story = Story().healthy()
    packets = without(story, is_command)
    other = Story(client="10.7.0.1", remote="10.7.0.2").start(0.0 if first else 1.0)
    found = trace(_merged(packets, packets_of(other.records)[5:]))
    assert "command_not_captured" in found.codes
    assert "command_unreadable" not in found.codes


def _merged(a: list[Packet], b: list[Packet]) -> list[Packet]:
    both = sorted([*a, *b], key=lambda packet: packet.time)
    return [packet._replace(number=number) for number, packet in enumerate(both, 1)]
