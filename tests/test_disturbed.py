"""Genuine captures as a bad network or another capture point would have shown them.

Segments are cut anew, come in another order, twice, overlapping, or not at all.  What the program says about the
messages may not change by a byte, but for packet numbers and times, and but for what was lost.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conversation import ACK, FIN, PSH, RST, SYN, Record, pcap

Json = dict[str, Any]
Disturbance = Callable[[list["Seg"], random.Random], list["Seg"]]
CAPTURES = Path(__file__).resolve().parent.parent / "captures"
NAMES = ("engine_api_java_ok", "engine_order", "scala19_shell")
SEEDS = (1, 2, 3)
IP_HEADER, TCP_HEADER = 14, 34


class Seg(NamedTuple):
    """A captured packet, taken apart so that it can be cut: ``head`` is everything before the payload."""

    time: int
    flow: bytes
    seq: int
    flags: int
    head: bytes
    payload: bytes

    @property
    def is_data(self) -> bool:
        return bool(self.payload) and not self.flags & (SYN | FIN | RST)

    def piece(self, start: int, end: int) -> Seg:
        """Bytes ``start`` to ``end`` of the payload as a segment of their own."""
        return self._replace(seq=self.seq + start, payload=self.payload[start:end])

    def record(self) -> Record:
        head = bytearray(self.head)
        struct.pack_into(">H", head, IP_HEADER + 2, len(head) - IP_HEADER + len(self.payload))
        struct.pack_into(">I", head, TCP_HEADER + 4, self.seq % 2**32)
        return Record(self.time, bytes(head) + self.payload)


def read(path: Path) -> list[Seg]:
    """All packets of a classic Ethernet/IPv4 capture with microsecond times; they hold nothing but TCP."""
    data = path.read_bytes()
    segments, at, origin = [], 24, None
    while at < len(data):
        seconds, micros, size, _ = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        origin = seconds if origin is None else origin
        (total,) = struct.unpack_from(">H", frame, IP_HEADER + 2)
        head_size = TCP_HEADER + (frame[TCP_HEADER + 12] >> 4) * 4
        (seq,) = struct.unpack_from(">I", frame, TCP_HEADER + 4)
        time = (seconds - origin) * 1_000_000_000 + micros * 1_000
        flow = frame[IP_HEADER + 12 : TCP_HEADER + 4]
        payload = frame[head_size : IP_HEADER + total]
        segments.append(Seg(time, flow, seq, frame[TCP_HEADER + 13], frame[:head_size], payload))
    return segments


# --- disturbances --------------------------------------------------------------------------------------------------


def cut(segments: list[Seg], dice: random.Random) -> list[Seg]:
    """Every segment in pieces of 1 to 9 or of up to 400 bytes, all at the time of the whole."""
    result = []
    for segment in segments:
        if not segment.is_data:
            result.append(segment)
            continue
        at, longest = 0, 9 if len(segment.payload) < 300 else 400
        while at < len(segment.payload):
            size = dice.randint(1, longest)
            result.append(segment.piece(at, at + size))
            at += size
    return result


def flights(segments: list[Seg]) -> list[list[Seg]]:
    """Runs of data segments of one direction: what is on its way together and may overtake each other."""
    runs: list[list[Seg]] = []
    for segment in segments:
        if runs and segment.is_data and runs[-1][-1].is_data and runs[-1][-1].flow == segment.flow:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return runs


def shuffle(segments: list[Seg], dice: random.Random) -> list[Seg]:
    """Segments in pieces, each piece up to six places from where it was."""
    result = []
    for run in flights(cut(segments, dice)):
        places = sorted(range(len(run)), key=lambda place: place + dice.uniform(0, 6))
        result += [run[place] for place in places]
    return result


def duplicate(segments: list[Seg], dice: random.Random) -> list[Seg]:
    """Every third data segment comes again: at once or some packets later, like a retransmission."""
    result = list(segments)
    for segment in segments:
        if segment.is_data and dice.random() < 0.34:
            place = result.index(segment) + dice.choice((1, 1, 2, 5))
            result.insert(min(place, len(result)), segment)
    return result


def overlap(segments: list[Seg], dice: random.Random) -> list[Seg]:
    """Pieces that begin with the tail of the one before, and pieces sent again joined with their successor."""
    result: list[Seg] = []
    for run in flights(cut(segments, dice)):
        for before, segment in zip([None, *run[:-1]], run, strict=True):
            if before is None or not segment.is_data:
                result.append(segment)
                continue
            tail = dice.randint(0, len(before.payload))
            again = before.payload[len(before.payload) - tail :] + segment.payload
            result.append(segment._replace(seq=segment.seq - tail, payload=again))
    return result


def in_time_order(segments: list[Seg]) -> bytes:
    """The capture file: the order is as given, the times never go back."""
    records, latest = [], 0
    for segment in segments:
        latest = max(latest, segment.time)
        records.append(segment._replace(time=latest).record())
    return pcap(records)


# --- comparison ----------------------------------------------------------------------------------------------------


def story(document: Json) -> list[str]:
    """Messages as JSON text without what a disturbance has to change."""
    varying = ("packets", "time", "latency")
    return [
        json.dumps({key: value for key, value in message.items() if key not in varying})
        for message in document["messages"]
    ]


def outcomes(document: Json) -> list[tuple[str, str, int]]:
    return [(task["job"], task["outcome"], task["counts"]["messages"]) for task in document["tasks"]]


def codes(document: Json) -> set[str]:
    return {problem["code"] for problem in document["problems"]}


@pytest.mark.parametrize("name", NAMES)
def test_taking_apart_changes_nothing(name: str) -> None:
    """What the disturbances start from is the capture itself."""
    original = (CAPTURES / f"{name}.pcap").read_bytes()
    records = [segment.record().data for segment in read(CAPTURES / f"{name}.pcap")]
    assert sum(map(len, records)) + 16 * len(records) + 24 == len(original)
    assert all(record in original for record in records)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("disturb", [cut, shuffle, duplicate, overlap])
@pytest.mark.parametrize("name", NAMES)
def test_no_message_changes(
    name: str, disturb: Disturbance, seed: int, tmp_path: Path, trace: Callable[..., Json]
) -> None:
    quiet = trace(CAPTURES / f"{name}.pcap")
    segments = read(CAPTURES / f"{name}.pcap")
    disturbed = disturb(segments, random.Random(seed))
    assert disturbed != segments
    path = tmp_path / "disturbed.pcap"
    path.write_bytes(in_time_order(disturbed))
    document = trace(path)
    assert story(document) == story(quiet)
    assert outcomes(document) == outcomes(quiet)
    assert "gap" not in codes(document)


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_at_once(seed: int, tmp_path: Path, trace: Callable[..., Json]) -> None:
    dice = random.Random(seed)
    segments = read(CAPTURES / "engine_api_java_ok.pcap")
    for disturb in (overlap, shuffle, duplicate):
        segments = disturb(segments, dice)
    path = tmp_path / "disturbed.pcap"
    path.write_bytes(in_time_order(segments))
    assert story(trace(path)) == story(trace(CAPTURES / "engine_api_java_ok.pcap"))


# --- loss ----------------------------------------------------------------------------------------------------------


def unnumbered(document: Json, *also: str) -> list[str]:
    """Messages without numbers, which shift behind a lost one, and without what the other half of a pair tells."""
    varying = ("packets", "time", "latency", "n", "answers", "answered_by", *also)
    return [
        json.dumps({key: value for key, value in message.items() if key not in varying})
        for message in document["messages"]
    ]


def lost_segments() -> list[int]:
    """Numbers (from 0) of the callback's data packets that are a message each, the first six apart."""
    segments = read(CAPTURES / "engine_api_java_ok.pcap")
    whole = [
        number
        for number, segment in enumerate(segments)
        if segment.is_data and int.from_bytes(segment.payload[:4], "big") == len(segment.payload) - 4
    ]
    assert len(whole) == 120
    return whole[6::9]


@pytest.mark.parametrize("lost", lost_segments())
def test_a_lost_segment_costs_its_message_only(lost: int, tmp_path: Path, trace: Callable[..., Json]) -> None:
    """Its message is gone and an answer to it can not be decoded; everything else is as it was, and the gap is told."""
    quiet = trace(CAPTURES / "engine_api_java_ok.pcap")
    segments = read(CAPTURES / "engine_api_java_ok.pcap")
    path = tmp_path / "lost.pcap"
    path.write_bytes(in_time_order(segments[:lost] + segments[lost + 1 :]))
    document = trace(path)
    gone = next(message for message in quiet["messages"] if message["packets"] == [lost + 1])
    victims = {gone["n"], gone["answered_by"]} - {None}
    # With the answer to a lookup the name of its dispid is lost, and later calls are named from the tables.
    is_lookup = gone["operation"] == "get_ids_of_names" and gone["kind"] == "answer"
    also = ("member",) if is_lookup else ()
    spared = [
        text
        for message, text in zip(quiet["messages"], unnumbered(quiet, *also), strict=True)
        if message["n"] not in victims
    ]
    found = unnumbered(document, *also)
    assert len(found) == len(quiet["messages"]) - 1
    assert [text for text in spared if text not in found] == []
    (gap,) = [problem for problem in document["problems"] if problem["code"] == "gap"]
    assert gap["connection"] == gone["connection"]
    assert [connection["gaps"] for connection in document["connections"] if connection["n"] == gap["connection"]] == [1]
    # A call of the client whose answer is lost may have failed: behind the last step nothing tells that it did not.
    decides = gone["direction"] == "remote->client" and gone["kind"] == "answer" and gone["n"] > last_step(quiet)
    assert outcomes(document)[0][1] == ("unknown" if decides else outcomes(quiet)[0][1])


def last_step(document: Json) -> int:
    """Number of the request for the last step."""
    steps: Iterator[int] = (
        message["n"] for message in document["messages"] if message["member"] == "step" and not message["answers"]
    )
    return max(steps)


def test_a_lost_piece_of_a_long_message(tmp_path: Path, trace: Callable[..., Json]) -> None:
    """The hole is inside of a message of 1 MB: its header tells where the next one begins."""
    quiet = trace(CAPTURES / "engine_bigscript.pcap")
    segments = read(CAPTURES / "engine_bigscript.pcap")
    long = next(message for message in quiet["messages"] if message["bytes"] > 1_000_000)
    lost = long["packets"][len(long["packets"]) // 2] - 1
    assert segments[lost].is_data
    path = tmp_path / "lost.pcap"
    path.write_bytes(in_time_order(segments[:lost] + segments[lost + 1 :]))
    document = trace(path)
    kept = [message["operation"] for message in quiet["messages"] if message["n"] > (long["answered_by"] or 0)]
    assert [message["operation"] for message in document["messages"]][-len(kept) :] == kept
    assert [problem["code"] for problem in document["problems"]].count("gap") == 1


def test_a_start_in_the_middle(tmp_path: Path, trace: Callable[..., Json]) -> None:
    """The capture begins while the task runs: no message is invented, what can be decoded is, and a name that was told
    before the capture began is a right one or none."""
    quiet = trace(CAPTURES / "engine_api_java_ok.pcap")
    segments = read(CAPTURES / "engine_api_java_ok.pcap")
    first = 80
    path = tmp_path / "middle.pcap"
    path.write_bytes(in_time_order(segments[first:]))
    document = trace(path)
    later = [message for message in quiet["messages"] if message["packets"][0] > first]
    found = document["messages"]
    assert [message["bytes"] for message in found] == [message["bytes"] for message in later]
    assert [message["direction"] for message in found] == [message["direction"] for message in later]
    for message, whole in zip(found, later, strict=True):
        if message["kind"] in ("request", "answer", "error"):
            assert (message["kind"], message["operation"]) == (whole["kind"], whole["operation"])
            assert message["member"] in (whole["member"], None)
            assert message["result"] == whole["result"]
    assert sum(message["kind"] == "undecoded" for message in found) <= 2
    assert "mid_stream" in codes(document)


def test_one_direction_alone(tmp_path: Path, trace: Callable[..., Json]) -> None:
    """Only what the client sends was captured: that is told, and nothing of the other half is made up."""
    segments = [
        segment
        for segment in read(CAPTURES / "engine_shell_ok.pcap")
        if segment.flow[10:12] == (4_455).to_bytes(2, "big") or segment.flow[8:10] == (59_999).to_bytes(2, "big")
    ]
    path = tmp_path / "half.pcap"
    path.write_bytes(in_time_order(segments))
    document = trace(path)
    operations = [message["operation"] for message in document["messages"] if message["kind"] == "request"]
    assert operations == ["create_instance", "call", "call", "call", "release"]
    assert {message["direction"] for message in document["messages"]} == {"client->remote"}
    assert {message["answers"] for message in document["messages"]} == {None}
    assert "one_direction" in codes(document)


def test_flags_survive() -> None:
    """The helper's idea of data: neither the handshake nor the end is ever cut or moved."""
    segments = read(CAPTURES / "engine_shell_ok.pcap")
    assert {bool(segment.flags & (SYN | FIN | RST)) for segment in segments if segment.is_data} == {False}
    assert {segment.flags for segment in segments if segment.is_data} == {PSH | ACK}
