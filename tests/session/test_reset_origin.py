"""Resets in somebody else's name, and resets that end nothing."""

from __future__ import annotations

import struct

import pytest
from kit import (
    ACK,
    CAPTURES,
    LOGGED,
    PSH,
    RST,
    STEP_ASKED,
    SYN,
    Found,
    Record,
    Story,
    is_reset,
    nanoseconds,
    number_of,
    packets_of,
    the,
    trace,
    until,
    with_ttl,
)

from dissector.model import Severity
from dissector.sources.capture import CaptureReader

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


# --- the TTL alone ---------------------------------------------------------------------------------------------------


def with_ttls(story: Story, ttls: dict[int, int]) -> Found:
    """The packets (numbered from 0, by time) with these TTLs."""
    story.records.sort(key=lambda record: record.time)
    for place, ttl in ttls.items():
        story.records[place] = with_ttl(story.records[place], ttl)
    return story.found()


def lost(side: int = PROCESS, at: float = 1.0) -> Story:
    return until(STEP_ASKED).leave(at, side=side, flags=RST | ACK)


def syn_acks(story: Story) -> list[int]:
    ordered = sorted(story.records, key=lambda record: record.time)
    return [place for place, record in enumerate(ordered) if record.data[47] & (SYN | ACK) == SYN | ACK]


@pytest.mark.parametrize("ttl", [252, 64], ids=["proxy", "host"])
def test_a_device_that_answers_syns_is_not_the_host(ttl: int) -> None:
    """The SYN+ACK has another TTL than all that follows, and the reset has that of the rest."""
    story = lost(CLIENT_SIDE)
    problem = with_ttls(story, {syn_acks(story)[1]: ttl}).problem("connection_lost")
    assert "reset by the client (10.1.0.10)" in problem.summary
    assert "the client scheduler ended" in problem.cause
    assert "look at the firewalls" not in problem.remedy


def test_a_reset_unlike_the_proxy_and_the_host() -> None:
    story = lost(CLIENT_SIDE)
    problem = with_ttls(story, {syn_acks(story)[1]: 252, -1: 254}).problem("connection_lost")
    assert "reset by a device in between" in problem.summary
    assert "its TTL is 254, the packets of the client have 64 and 252" in problem.cause
    assert problem.remedy == "look at the firewalls and address translations between 10.2.0.10 and 10.1.0.10"


def test_another_path_since_some_packets() -> None:
    """The last packets before the reset came by the path that the reset takes."""
    story = until(LOGGED)
    changed = len(story.records) - 2
    story.leave(1.0, side=PROCESS, flags=RST | ACK)
    found = with_ttls(story, {changed: 62, changed + 1: 62, -1: 62})
    assert "reset by the task process" in found.problem("connection_lost").summary


def test_another_path_with_the_reset() -> None:
    """Its IP id is the next one of a host that counts."""
    story = counting(lost())
    assert "reset by the task process" in with_ttls(story, {-1: 62}).problem("connection_lost").summary


def test_the_other_connection_knows_the_path() -> None:
    """The remote's answer to the close takes the path of the reset."""
    story = lost().close(1.5)
    answer = number_of(story, lambda record: b"<ok/>" in record.data)[0] - 1
    reset = number_of(story, is_reset)[0] - 1
    found = with_ttls(story, {reset: 62, answer: 62})
    assert "reset by the task process" in found.problem("connection_lost").summary
    shorter = with_ttls(lost().close(1.5), {reset: 62})
    assert "reset by the task process" in shorter.problem("connection_lost").summary
    assert "a device in between" in with_ttls(lost().close(1.5), {reset: 126}).problem("connection_lost").summary


def test_the_other_connection_of_another_host_tells_nothing() -> None:
    """The task process calls from another address than the remote's."""
    story = Story(peer="10.9.9.9").start().call_back().say(0.02, last=STEP_ASKED)
    story.leave(1.0, side=PROCESS, flags=RST | ACK).close(1.5)
    answer = number_of(story, lambda record: b"<ok/>" in record.data)[0] - 1
    found = with_ttls(story, {number_of(story, is_reset)[0] - 1: 126, answer: 126})
    assert "reset by a device in between" in found.problem("connection_lost").summary


def at_two_places(story: Story) -> list[Record]:
    """Every packet twice, one hop apart."""
    story.records.sort(key=lambda record: record.time)
    return [one for record in story.records for one in (record, with_ttl(record, 63))]


def test_a_capture_at_two_places() -> None:
    """A reset that was captured at one of them has a TTL that is known, but may be a device's there."""
    twice = at_two_places(lost(CLIENT_SIDE))
    for records in (twice[:-1], [*twice[:-2], twice[-1]]):
        problem = trace(packets_of(records)).problem("connection_lost")
        assert "reset by the client" in problem.summary
        assert problem.cause.endswith("TTLs 63 and 64, as on several paths or at several places of capture)")


def test_a_reset_that_passed_two_places() -> None:
    twice = at_two_places(lost(CLIENT_SIDE))
    problem = trace(packets_of(twice)).problem("connection_lost")
    assert "reset by the client" in problem.summary
    assert problem.cause == "the client scheduler ended (killed, crashed, stopped) or closed the connection"
    for other in (with_ttl(twice[-1], 64), with_id(twice[-1], 7)):  # sent again, not captured again
        found = trace(packets_of([*twice[:-1], other]))
        assert "less certain" in found.problem("connection_lost").cause


@pytest.mark.parametrize("name", ["03_callback_reject_rst", "13_idle_firewall_rst"])
def test_a_device_between_two_places(name: str) -> None:
    """Its reset has the TTL that the client's packets have nearer to the client, but was captured nearer to the remote,
    as was the packet that it answers."""
    found = trace(CaptureReader([CAPTURES / "faults" / f"{name}.{place}.pcap" for place in "cr"]))
    (problem,) = [one for one in found.problems if one.severity is ERROR]
    if name.startswith("03"):
        assert problem.code == "callback_refused"
        assert problem.cause.startswith("a device in between sent the reset (packet 17, which it answers, ")
        assert "at that device" in problem.remedy
    else:
        assert problem.code == "idle_connection_cut"
        assert "was reset by a device in between during step after 30 s of silence" in problem.summary


@pytest.mark.parametrize("name", ["14_agent_killed", "15_client_killed"])
def test_an_end_that_resets_at_two_places(name: str) -> None:
    found = trace(CaptureReader([CAPTURES / "faults" / f"{name}.{place}.pcap" for place in "cr"]))
    problem = found.problem("connection_lost")
    assert "a device" not in problem.summary + problem.cause
    assert "less certain" not in problem.cause


def test_a_proxy_in_the_handshake_makes_no_doubt() -> None:
    story = lost(CLIENT_SIDE)
    problem = with_ttls(story, {syn_acks(story)[1]: 252}).problem("connection_lost")
    assert "less certain" not in problem.cause
