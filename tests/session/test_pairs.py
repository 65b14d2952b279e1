"""Callbacks that no start announced, and connections that are there twice."""

from __future__ import annotations

import struct

import pytest
from conversation import Address, Network, Record
from kit import BEGUN, CLIENT, MICROSECOND, REMOTE, Found, Story, packets_of, started_answer, trace, with_ttl

from dissector.model import Endpoint
from dissector.session.pairs import PAIR_PATIENCE

MOMENT = 0.001
PATIENCE = PAIR_PATIENCE / 1_000_000_000


def calls(story: Story, port: int, at: float, peer_port: int = 50_000) -> None:
    """A task process calls this port of the client, and its task runs."""
    story.callback = story.network.line(Address(REMOTE, peer_port), Address(CLIENT, port))
    story.call_back(at).say(at + 0.01, last=BEGUN)


def commands(found: Found) -> list[tuple[int | None, Endpoint | None]]:
    """The announced or called port of each task, and where its command connection comes from."""
    return [(task.callback_port, task.client if task.command else None) for task in found.tasks]


def test_the_start_s_own_callback_comes_after_the_other() -> None:
    """The first one was started before the capture, so nothing but the second one's port says whose it is."""
    story = Story().start()
    calls(story, 59_990, 0.01)
    calls(story, 59_999, 0.5, 50_001)
    assert commands(story.found()) == [(59_999, Endpoint(CLIENT, 40_000)), (59_990, None)]


@pytest.mark.parametrize(("at", "joined"), [(0.01 + PATIENCE - MOMENT, False), (0.01 + PATIENCE + 0.1, True)])
def test_it_is_waited_for(at: float, joined: bool) -> None:
    """Other messages of the first callback come meanwhile."""
    story = Story().start()
    calls(story, 59_990, 0.01)
    story.say(0.01 + PATIENCE, first=BEGUN, last=BEGUN + 1)
    calls(story, 59_999, at, 50_001)
    first = {task.callback.server.port: task for task in story.found().tasks if task.callback is not None}[59_990]
    assert (first.command is not None) is joined


def answered_only(story: Story) -> Story:
    """The start command itself was lost."""
    story.command.open(0)
    story.command.next[0] += 100
    story.command.send(300 * MICROSECOND, 1, started_answer(story.script))
    return story


def test_one_answer_and_one_callback() -> None:
    story = answered_only(Story())
    calls(story, 59_999, 0.01)
    assert commands(story.found()) == [(59_999, Endpoint(CLIENT, 40_000))]


def test_one_answer_and_two_callbacks() -> None:
    """None is guessed, and it is said."""
    story = answered_only(Story())
    calls(story, 59_999, 0.01)
    calls(story, 59_998, 0.02, 50_001)
    found = story.found()
    assert commands(found) == [(None, Endpoint(CLIENT, 40_000)), (59_999, None), (59_998, None)]
    assert found.codes.count("pair_unclear") == 2


@pytest.mark.parametrize(("ended", "joined"), [(False, False), (True, True)])
def test_a_close_comes_when_the_callback_has_ended(ended: bool, joined: bool) -> None:
    story = Story().start()
    story.call_back().say(0.02)
    if ended:
        story.leave(0.4)
    story.close(0.5)
    late = [packet for packet in packets_of(story.records) if b"start_remote_task" not in packet.data][5:]
    late = [packet._replace(number=number) for number, packet in enumerate(late, 1)]
    without_answer = [packet for packet in late if b"<process process_id" not in packet.data]
    tasks = trace(without_answer).tasks
    assert [task.command is not None for task in tasks if task.callback is not None] == [joined]


def test_a_callback_whose_first_message_is_lost() -> None:
    """Nobody announced its port, and the message that would tell what it is was not captured."""
    story = Story().call_back().say(0.02).leave(0.1)
    lost = next(packet for packet in packets_of(story.records) if b"SC" in packet.data.replace(bytes(8), b""))
    found = trace([packet for packet in packets_of(story.records) if packet.number != lost.number])
    assert (found.task.callback_port, found.task.job) == (59_999, "job")


# --- both legs of a gateway ----------------------------------------------------------------------------------------

GATEWAY = "10.9.9.1"


def with_id(record: Record, number: int) -> Record:
    return Record(record.time, record.data[:18] + struct.pack(">H", number) + record.data[20:])


def legs(delay: float, **how: int) -> Found:
    """A task as its client sees it, and as it goes on behind a gateway that translates the remote's address."""
    network, other = Network(), Network()
    script = Story(network).healthy().script
    Story(other, remote=GATEWAY, peer=REMOTE).healthy()
    same = [one._replace(time=one.time + round(delay * 1_000_000_000)) for one in other.records]
    changed = [with_ttl(one, how.get("ttl", 64)) for one in same]
    records = [with_id(one, how.get("id", 0)) for one in (*network.records, *changed)]
    assert script.remote == REMOTE
    return trace(packets_of(records))


@pytest.mark.parametrize(
    ("delay", "how", "tasks"),
    [
        (0.000_01, {"ttl": 63}, 1),
        (0.000_01, {"id": 7}, 1),
        (0.000_01, {}, 2),
        (0.000_01, {"ttl": 62}, 2),
        (0.05, {"ttl": 63}, 1),
        (0.050_001, {"ttl": 63}, 2),
    ],
)
def test_the_same_connection_with_other_addresses(delay: float, how: dict[str, int], tasks: int) -> None:
    found = legs(delay, **how)
    whole = {task.counts.messages for task in found.tasks if task.counts.messages}
    assert (len(found.tasks), "duplicates" in found.codes) == (tasks, tasks == 1)
    assert whole == {16}
