"""Resets in somebody else's name, and resets that end nothing."""

from __future__ import annotations

import struct

import pytest
from kit import (
    ACK,
    PSH,
    RST,
    STEP_ASKED,
    Found,
    Record,
    Story,
    is_reset,
    nanoseconds,
    number_of,
    the,
    trace,
    until,
    with_ttl,
)

from dissector.model import Severity

ERROR = Severity.ERROR
PROCESS, CLIENT_SIDE = 0, 1
_FIRST_ID = 65_530


def with_id(record: Record, ip_id: int) -> Record:
    return Record(record.time, record.data[:18] + struct.pack(">H", ip_id % 65_536) + record.data[20:])


def counting(story: Story) -> Story:
    """Every sender counts its packets of a connection in the IP id, over the end of the numbers."""
    counts: dict[bytes, int] = {}
    story.records.sort(key=lambda record: record.time)
    for place, record in enumerate(story.records):
        flow = record.data[26:38]
        counts[flow] = counts.get(flow, _FIRST_ID) + 1
        story.records[place] = with_id(record, counts[flow])
    return story


def reset_with(ip_id: int | None, silence: float = 1.0) -> Found:
    """The callback connection is reset in the name of the task process, from as far away as that."""
    story = counting(until(STEP_ASKED).leave(0.03 + silence, side=PROCESS, flags=RST | ACK))
    if ip_id is not None:
        story.records[-1] = with_id(story.records[-1], ip_id)
    return story.found()


def test_an_ip_id_that_does_not_follow() -> None:
    found = reset_with(31_000)
    problem = the("connection_lost", ERROR, found)
    assert "reset by a device in between" in problem.summary
    assert "its IP id is 31000, the packets of the task process have counted up to " in problem.cause
    the("idle_connection_cut", ERROR, reset_with(31_000, silence=9.0))


def test_an_ip_id_that_follows() -> None:
    problem = the("connection_lost", ERROR, reset_with(None, silence=9.0))
    assert "reset by the task process" in problem.summary


def test_ip_ids_that_nobody_counts_tell_nothing() -> None:
    """All zero, as on IPv6."""
    found = until(STEP_ASKED).leave(9.0, side=PROCESS, flags=RST | ACK).found()
    assert "reset by the task process" in the("connection_lost", ERROR, found).summary


def disowned(silence: float, *, lives: bool) -> Found:
    """The task process writes after a silence, and hears that the client has no such connection."""
    story = until(STEP_ASKED)
    story.callback.packet(nanoseconds(silence), PROCESS, PSH | ACK, b"\0\0\0\5O")
    story.callback.packet(nanoseconds(silence + 0.001), CLIENT_SIDE, RST)
    return (story.close(silence + 5.0) if lives else story).found()


def test_a_connection_that_its_living_owner_never_ended() -> None:
    problem = the("idle_connection_cut", ERROR, disowned(30.0, lives=True))
    assert "after 30 s of silence" in problem.summary


@pytest.mark.parametrize(("silence", "lives"), [(30.0, False), (2.0, True)])
def test_a_connection_that_its_owner_may_have_ended(silence: float, lives: bool) -> None:
    the("connection_lost", ERROR, disowned(silence, lives=lives))


def forge(story: Story, at: float, ahead: int) -> Story:
    """A reset in the name of the client, so many bytes ahead of what it has sent."""
    line = story.callback
    line.next[CLIENT_SIDE] += ahead
    line.packet(nanoseconds(at), CLIENT_SIDE, RST | ACK)
    line.next[CLIENT_SIDE] -= ahead
    return story


def test_a_reset_from_outside_of_the_stream_ends_nothing() -> None:
    """Nobody who has the connection takes it for its end."""
    story = forge(Story(exit_code=0).healthy(), 0.0201, 1 << 28)
    healthy = Story(exit_code=0).healthy().found()
    found = story.found()
    assert number_of(story, is_reset) != number_of(Story(exit_code=0).healthy(), is_reset)
    assert (found.outcome, found.codes) == (healthy.outcome, healthy.codes)
    assert len(found.messages) == len(healthy.messages)


def test_the_true_end_behind_a_reset_from_outside() -> None:
    story = forge(until(STEP_ASKED), 0.5, 1 << 28).leave(2.0, side=PROCESS, flags=RST | ACK)
    problem = the("connection_lost", ERROR, story.found())
    assert list(problem.packets) == [number_of(story, is_reset)[1]]
    assert "reset by the task process" in problem.summary


def test_who_sends_on_did_not_reset() -> None:
    """Toward the remote only: the client knows nothing of it and asks on."""
    story = until(STEP_ASKED)
    story.command.reset(nanoseconds(1.0), 0)
    close = Story().start()
    story.command.send(nanoseconds(3.0), 0, b"<remote_scheduler.remote_task.close process_id='1'/>")
    assert len(close.records) < len(story.records)
    problem = the("command_lost_first", ERROR, story.leave(1.5, side=PROCESS, flags=RST | ACK).found())
    assert "reset by a device in between" in problem.summary
    assert "the data of the client go on behind it" in problem.cause


def test_a_late_reset_of_another_sender_is_no_proof() -> None:
    """The end that was reset answers later data with a reset of its own."""
    story = until(STEP_ASKED).leave(1.0, side=PROCESS, flags=RST | ACK)
    story.callback.packet(nanoseconds(1.1), CLIENT_SIDE, PSH | ACK, b"\0\0\0\1A")
    story.callback.packet(nanoseconds(1.2), PROCESS, RST)
    story.records[-1] = with_ttl(story.records[-1], 64)
    found = trace(story)
    (callback,) = [one for one in found.connections if one.role.value == "callback"]
    assert not callback.sides[PROCESS].rst_unknown
    assert "reset by the task process" in the("connection_lost", ERROR, found).summary
