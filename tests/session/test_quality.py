"""What the capture lacks and what the network did, with the packets as proof."""

from __future__ import annotations

import struct

import pytest
from kit import (
    HEALTHY,
    LOGGED,
    REMOTE,
    Record,
    Story,
    nanoseconds,
    packets_of,
    syns_of,
    the,
    trace,
    until,
)

from dissector.model import Severity
from dissector.traffic import Packet

WARNING, INFO = Severity.WARNING, Severity.INFO
SPOOLER = HEALTHY[11][1].object_id  # type: ignore[union-attr]


def test_callback_other_address() -> None:
    story = Story(peer="10.9.9.9").healthy()
    assert list(the("callback_other_address", INFO, story.found()).packets) == syns_of(story, 59_999)


@pytest.mark.parametrize(("port", "told"), [(59_000, False), (58_999, True)])
def test_port_range_low(port: int, told: bool) -> None:
    found = Story(callback_port=port).healthy().found()
    assert found.codes == (["port_range_low"] if told else [])
    if told:
        problem = the("port_range_low", INFO, found)
        assert (problem.packets, problem.summary) == ((4,), "The client announced callback port 58999.")


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


@pytest.mark.parametrize("process_only", [True, False])
def test_one_direction_tells_no_outcome(process_only: bool) -> None:
    """Neither success nor a loss: what would tell was not captured."""
    story = Story().healthy()
    port = struct.pack(">H", 50_000 if process_only else 59_999)
    command = struct.pack(">H", 40_000 if not process_only else 4_455)
    story.network.records = [record for record in story.records if record.data[34:36] in (port, command)]
    found = story.found()
    assert found.outcome.value == "unknown"
    assert set(found.alarms) == {"one_direction"}


def test_snap_length() -> None:
    packets = [packet._replace(data=packet.data[:100]) for packet in packets_of(Story().healthy().records)]
    found = trace(packets)
    told = [problem for problem in found.problems if problem.code == "snap_length"]
    sums = [problem for problem in told if problem.severity is WARNING]
    assert all("the snap length cut off" in problem.summary for problem in sums)
    cut = [problem for problem in told if problem.summary.startswith("callback connection")]
    assert len(cut) == 6
    assert all("cut off by the snap length" in problem.summary for problem in cut)
    assert {problem.severity for problem in cut} == {INFO}  # their sum is the warning
    assert "gap" not in found.codes


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
