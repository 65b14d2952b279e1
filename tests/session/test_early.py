"""A callback that stands before its start command in the file."""

from __future__ import annotations

import pytest
from kit import ACK, RST, SYN, Found, Story, nanoseconds, packets_of, the, trace

from dissector.model import Severity
from dissector.traffic import Packet

#: When the start command is complete.
SAID = 0.000_1


def moved(story: Story, *first: int) -> list[Packet]:
    """The packets by their times, but these (counted from 0) before all others."""
    packets = packets_of(story.records)
    order = [*first, *(place for place in range(len(packets)) if place not in first)]
    return [packets[place]._replace(number=number) for number, place in enumerate(order, 1)]


def refused(after: float = 0.002, *, by: int = 1) -> Story:
    """A callback so long behind the start, and its reset; packets 6 and 7 of the story."""
    story = Story().start()
    story.callback.packet(nanoseconds(SAID + after), 0, SYN)
    story.callback.packet(nanoseconds(SAID + after + 0.000_05), by, RST | ACK)
    return story.close(60.0)


def places(story: Story) -> tuple[int, int]:
    """Of the callback's SYN and of its reset."""
    port = (59_999).to_bytes(2, "big")
    found = [n for n, one in enumerate(packets_of(story.records)) if port in (one.data[34:36], one.data[36:38])]
    return found[0], found[1]


@pytest.mark.parametrize("reset_first", [False, True])
def test_a_refused_callback_before_the_start(reset_first: bool) -> None:
    story = refused()
    syn, reset = places(story)
    found = trace(moved(story, *((reset, syn) if reset_first else (syn, reset))))
    problem = the("callback_refused", Severity.ERROR, found)
    assert (found.outcome.value, found.alarms) == ("no_callback", ["callback_refused"])
    assert problem.packets == (1, 2)


def test_the_syn_alone_before_the_start() -> None:
    story = refused()
    found = trace(moved(story, places(story)[0]))
    assert found.alarms == ["callback_refused"]


def alarms(after: float) -> list[str]:
    story = refused(after)
    return trace(moved(story, *places(story))).alarms


@pytest.mark.parametrize(("after", "told"), [(0.01, True), (0.010_001, False), (-0.01, True), (-0.010_001, False)])
def test_only_what_is_a_moment_too_early(after: float, told: bool) -> None:
    """Whatever comes first by its time."""
    assert ("callback_refused" in alarms(after)) is told


def test_a_callback_that_gets_through() -> None:
    story = Story().healthy()
    callback = places(Story().start().call_back())[0]
    found: Found = trace(moved(story, callback))
    assert (found.outcome.value, found.alarms) == ("success", [])
    assert found.task.callback_delay == nanoseconds(0.01 - SAID)


def test_somebody_else_before_the_start() -> None:
    """To another port of the client."""
    story = refused()
    other = Story(story.network, callback_port=59_990, peer_port=50_777)
    other.callback.packet(nanoseconds(SAID + 0.001), 0, SYN)
    found = trace(moved(story, 6))
    assert found.alarms == ["callback_refused"]
    assert len(found.connections) == 2
