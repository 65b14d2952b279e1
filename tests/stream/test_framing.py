"""Frames from chunks: cut anywhere, damaged, begun in the middle; and those of the recordings."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissector.limits import MAX_DECODED_MESSAGE, MAX_MESSAGE
from dissector.sources.capture import CaptureReader
from dissector.stream import framing
from dissector.stream.framing import FrameReader, Item, plausible_frame
from dissector.stream.packets import parse
from dissector.stream.reassembly import Connections, Flow
from dissector.traffic import Chunk, Frame, Gap, Segment, Side, Skipped, StreamProblem

CLIENT, SERVER = Side.CLIENT, Side.SERVER
CREATE = b"S" + bytes(8) + b"C" + bytes(16)
CALL = b"O" + bytes(7) + b"\x01A" + b"\0\0\0\x04step" + bytes(8)
KEEP_ALIVE, EMPTY = b"K", b"A"
FAILED = b"A\x80\x02\x00\x09" + bytes(4)
ERROR = b"E\0\0\0\x05name=\0\0\0\x05code="
ANSWER = b"A" + bytes(4) + b"\0\0\0\x08\0\0\0\x05Apple"


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


class Feed:
    """A reader and where its stream is; every chunk is the next packet, one nanosecond a packet."""

    def __init__(self, synced: bool = True, number: int = 1) -> None:
        self.reader = FrameReader(CLIENT, synced=synced)
        self.offset = 0
        self.number = number

    def data(self, *pieces: bytes) -> list[Item]:
        out: list[Item] = []
        for piece in pieces:
            out += self.reader.feed(Chunk(CLIENT, self.offset, piece, self.number, self.number))
            self.offset += len(piece)
            self.number += 1
        return out

    def gap(self, size: int, snapped: bool = False) -> list[Item]:
        out = self.reader.gap(Gap(CLIENT, self.offset, size, self.number, self.number, snapped))
        self.offset += size
        return out


def made(offset: int, body: bytes, *packets: int) -> Frame:
    return Frame(CLIENT, offset, body, packets, packets[-1])


def bodies(items: Iterable[Item]) -> list[bytes]:
    return [item.data for item in items if isinstance(item, Frame)]


def codes(items: Iterable[Item]) -> list[tuple[str, int]]:
    return [(item.code, item.offset) for item in items if isinstance(item, StreamProblem)]


# --- in step -------------------------------------------------------------------------------------------------------


def test_one_frame_a_chunk() -> None:
    assert Feed().data(frame(CREATE), frame(EMPTY)) == [made(0, CREATE, 1), made(4 + len(CREATE), EMPTY, 2)]


def test_several_frames_in_a_chunk() -> None:
    assert Feed().data(frame(CALL) + frame(EMPTY) + frame(CALL)[:3], frame(CALL)[3:]) == [
        made(0, CALL, 1),
        made(len(CALL) + 4, EMPTY, 1),
        made(len(CALL) + 9, CALL, 1, 2),
    ]


def test_a_frame_names_every_packet_that_carried_it() -> None:
    whole = frame(ANSWER)
    feed = Feed(number=7)
    assert feed.data(whole[:2], whole[2:5], whole[5:], frame(EMPTY)) == [
        made(0, ANSWER, 7, 8, 9),
        made(len(whole), EMPTY, 10),
    ]


def test_bytes_that_arrived_out_of_order_count_by_arrival() -> None:
    """Packet 3 was captured before packet 4 but carries later bytes: the frame was complete with packet 4."""
    whole = frame(ANSWER)
    reader = FrameReader(CLIENT)
    reader.feed(Chunk(CLIENT, 0, whole[:5], 4, 40))
    assert reader.feed(Chunk(CLIENT, 5, whole[5:], 3, 30)) == [Frame(CLIENT, 0, ANSWER, (3, 4), 40)]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.randoms(use_true_random=False))
def test_cuts_do_not_matter(messages: list[bytes], rng: random.Random) -> None:
    data = b"".join(map(frame, messages))
    cuts = sorted({0, len(data), *(rng.randrange(len(data) + 1) for _ in range(rng.randrange(12)))})
    feed = Feed()
    items = feed.data(*(data[low:high] for low, high in pairwise(cuts)))
    assert bodies(items) == messages
    assert feed.reader.left_over == 0
    at = 0
    for item, body in zip(items, messages, strict=True):
        assert item.offset == at
        carriers = [
            number for number, (low, high) in enumerate(pairwise(cuts), 1) if low < at + 4 + len(body) and high > at
        ]
        assert isinstance(item, Frame)
        assert list(item.packets) == carriers
        at += 4 + len(body)


def test_byte_by_byte() -> None:
    data = frame(CREATE) + frame(KEEP_ALIVE) + frame(ANSWER)
    assert bodies(Feed().data(*(data[i : i + 1] for i in range(len(data))))) == [CREATE, KEEP_ALIVE, ANSWER]


def test_left_over_counts_an_unfinished_frame_with_its_header() -> None:
    feed = Feed()
    feed.data(frame(EMPTY))
    assert feed.reader.left_over == 0
    feed.data(frame(ANSWER)[:3])
    assert feed.reader.left_over == 3
    feed.data(frame(ANSWER)[3:9])
    assert feed.reader.left_over == 9
    assert feed.reader.finish(9, 9) == []


def test_a_big_message_in_single_bytes_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        feed = Feed()
        header, byte = size.to_bytes(4, "big"), b"O"
        start = time.process_time()
        feed.data(header)
        for _ in range(size - 1):
            feed.data(byte)
        assert len(bodies(feed.data(byte))[0]) == size
        return time.process_time() - start

    assert seconds(200_000) < 30 * max(seconds(20_000), 0.001)


# --- lengths -------------------------------------------------------------------------------------------------------


def test_length_0_is_reported_and_passed_over() -> None:
    items = Feed().data(bytes(4) + frame(CALL), bytes(2), bytes(2), frame(EMPTY))
    assert bodies(items) == [CALL, EMPTY]
    assert codes(items) == [("impossible_length", 0), ("impossible_length", 8 + len(CALL))]


@pytest.mark.parametrize("header", [b"\xff\xff\xff\xff", b"\x80\0\0\0", (MAX_MESSAGE + 1).to_bytes(4, "big"), b"GET "])
def test_an_impossible_length_is_reported_once_and_the_next_frame_is_found(header: bytes) -> None:
    feed = Feed()
    items = feed.data(frame(EMPTY), header, b"some rubbish", b"more of it" * 50, frame(CALL), frame(ANSWER))
    assert bodies(items) == [EMPTY, CALL, ANSWER]
    assert codes(items) == [("impossible_length", 5)]


def test_a_message_too_long_to_keep_is_passed_over() -> None:
    length = MAX_DECODED_MESSAGE + 1
    feed = Feed()
    items = feed.data(length.to_bytes(4, "big") + b"A" * 10)
    assert codes(items) == [("undecoded_frame", 0)]
    assert feed.reader.left_over == 14
    block = b"x" * 1_048_576
    rest = length - 10
    while rest > len(block):
        assert feed.data(block) == []
        rest -= len(block)
    assert feed.gap(100) == []
    items = feed.data(block[: rest - 100] + frame(EMPTY))
    assert bodies(items) == [EMPTY]
    assert feed.reader.left_over == 0
    (passed,) = [item for item in items if isinstance(item, Skipped)]
    assert (passed.head, passed.size, passed.offset) == (b"A" * 10 + b"x" * 246, length, 0)
    assert passed.packets == tuple(range(1, passed.packets[-1] + 1))
    assert passed.reason.startswith(f"a message of {length} bytes is skipped")


def test_the_longest_message_is_kept() -> None:
    body = b"O" * MAX_DECODED_MESSAGE
    assert bodies(Feed().data(len(body).to_bytes(4, "big"), body[:1000], body[1000:], frame(EMPTY))) == [body, EMPTY]


@pytest.mark.parametrize("size", [1, 7, 300])
@pytest.mark.parametrize(("cap", "length"), [(30, 31), (30, 256), (30, 257), (30, 300), (400, 401)])
def test_what_is_kept_of_a_message_that_is_too_long(
    cap: int, size: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same however it comes in pieces; what is left over counts up to its end."""
    monkeypatch.setattr(framing, "MAX_DECODED_MESSAGE", cap)
    whole = frame(CALL) + frame(b"A" * (length - 1) + b"z") + frame(EMPTY)
    feed, items = Feed(), list[Item]()
    begin, end = 4 + len(CALL), 8 + len(CALL) + length
    for at in range(0, len(whole), size):
        items += feed.data(whole[at : at + size])
        if begin + 4 <= feed.offset < end:
            assert feed.reader.left_over == feed.offset - begin
        elif feed.offset >= end:
            assert feed.reader.left_over == max(feed.offset - end, 0) % 5
    (skipped,) = [one for one in items if isinstance(one, Skipped)]
    assert (skipped.offset, skipped.size) == (begin, length)
    assert skipped.head == (b"A" * (length - 1) + b"z")[:256]
    assert skipped.packets == tuple(range(begin // size + 1, (end - 1) // size + 2))
    assert skipped.time == (end - 1) // size + 1
    assert codes(items) == [("undecoded_frame", begin)]


def test_when_a_reader_is_in_step() -> None:
    """Only before the first byte of a frame that is certain."""
    whole, feed = frame(ANSWER), Feed()
    assert feed.reader.in_step
    for at in range(len(whole)):
        feed.data(whole[at : at + 1])
        assert feed.reader.in_step is (at == len(whole) - 1)
    feed.data(whole[:8])
    feed.gap(3)
    assert not feed.reader.in_step
    feed.data(whole[11:])
    assert feed.reader.in_step
    feed.gap(1)
    assert not feed.reader.in_step
    feed.data(frame(CALL))
    assert feed.reader.in_step
    late = Feed(synced=False)
    assert not late.reader.in_step
    late.data(b"xyz")
    assert (late.reader.in_step, late.reader.left_over) == (False, 0)


# --- gaps ----------------------------------------------------------------------------------------------------------


def test_a_gap_inside_a_message_costs_that_message_only() -> None:
    whole = frame(ANSWER)
    feed = Feed()
    assert feed.data(frame(CALL), whole[:6]) == [made(0, CALL, 1)]
    problems = feed.gap(5)
    assert codes(problems) == [("gap", 4 + len(CALL) + 6)]
    assert isinstance(problems[0], StreamProblem)
    assert "5 bytes" in problems[0].text
    assert bodies(feed.data(whole[11:] + frame(EMPTY)[:2], frame(EMPTY)[2:])) == [EMPTY]


def test_a_gap_up_to_the_end_of_the_message() -> None:
    whole = frame(ANSWER)
    feed = Feed()
    feed.data(whole[:6])
    assert codes(feed.gap(len(whole) - 6)) == [("gap", 6)]
    assert bodies(feed.data(frame(CALL)[:3], frame(CALL)[3:])) == [CALL]


def test_a_second_gap_in_the_same_message_says_nothing_new() -> None:
    whole = frame(b"A" + bytes(99))
    feed = Feed()
    feed.data(whole[:10])
    assert len(feed.gap(10)) == 1
    assert feed.data(whole[20:30]) == feed.gap(10) == []
    assert bodies(feed.data(whole[40:], frame(EMPTY))) == [EMPTY]


@pytest.mark.parametrize("seen", [0, 3, 6])
def test_a_gap_that_swallowed_a_boundary_loses_step(seen: int) -> None:
    whole = frame(ANSWER)
    feed = Feed()
    feed.data(whole[:seen])
    assert codes(feed.gap(100)) == [("gap", seen)]
    items = feed.data(b"rest of some message", b"and more of it", frame(CALL), frame(EMPTY))
    assert bodies(items) == [CALL, EMPTY]
    assert codes(items) == []


def test_a_gap_between_frames() -> None:
    feed = Feed()
    feed.data(frame(CALL))
    assert codes(feed.gap(50)) == [("gap", 4 + len(CALL))]
    assert bodies(feed.data(frame(ANSWER), frame(CALL))) == [ANSWER, CALL]


def test_the_snap_length_is_named() -> None:
    feed = Feed()
    feed.data(frame(CALL)[:10])
    (problem,) = feed.gap(len(CALL) + 4 - 10, snapped=True)
    assert isinstance(problem, StreamProblem)
    assert "snap length" in problem.text


# --- in the middle -------------------------------------------------------------------------------------------------


def test_a_capture_that_begins_at_a_frame_loses_nothing() -> None:
    items = Feed(synced=False).data(frame(ANSWER), frame(CALL))
    assert bodies(items) == [ANSWER, CALL]
    assert codes(items) == []


def test_a_capture_that_begins_inside_a_message() -> None:
    items = Feed(synced=False).data(frame(CALL)[9:], frame(ANSWER), frame(CALL))
    assert bodies(items) == [ANSWER, CALL]
    assert codes(items) == [("mid_stream", 0)]


def test_a_long_message_that_begins_with_a_chunk_is_taken_when_it_ends_with_one() -> None:
    long = b"O" + bytes(7) + b"\x01A" + b"x" * 5_000
    whole = frame(long)
    feed = Feed(synced=False)
    items = feed.data(b"end of another", whole[:1_448], whole[1_448:2_896], whole[2_896:], frame(EMPTY))
    assert bodies(items) == [long, EMPTY]
    assert codes(items) == [("mid_stream", 0)]
    assert isinstance(items[1], Frame)
    assert items[1].packets == (2, 3, 4)


def test_a_false_start_gives_way_to_a_whole_frame() -> None:
    """Four bytes of some text field that look like a length of 5,000 must not swallow what follows."""
    items = Feed(synced=False).data(frame(b"A" + bytes(5_000))[:300], frame(CALL), frame(EMPTY))
    assert bodies(items) == [CALL, EMPTY]


def test_a_string_at_the_end_of_a_message_is_no_frame() -> None:
    """A BSTR "Apple" looks like an answer frame of 5 bytes; it ends where its message ends."""
    items = Feed(synced=False).data(frame(ANSWER)[7:], frame(CALL), frame(EMPTY))
    assert bodies(items) == [CALL, EMPTY]


def test_frames_found_inside_a_chunk_of_a_recut_capture() -> None:
    """Chunks of 100 bytes that begin anywhere: nothing wrong is reported, and soon nothing is missed."""
    messages = [CALL, ANSWER, EMPTY, CREATE, KEEP_ALIVE] * 20
    data = b"".join(map(frame, messages))
    for start in range(1, 60):
        feed = Feed(synced=False)
        items = feed.data(*(data[at : at + 100] for at in range(start, len(data), 100)))
        found = bodies(items)
        assert found == messages[len(messages) - len(found) :]
        assert len(found) >= len(messages) - 12
        begins_at_frame = start in (4 + len(CALL), 8 + len(CALL) + len(ANSWER), 13 + len(CALL) + len(ANSWER))
        assert codes(items) == ([] if begins_at_frame else [("mid_stream", 0)])


def test_a_false_boundary_is_left_without_a_word() -> None:
    """Something that looks like a frame ends with the chunk, but no frame follows."""
    items = Feed(synced=False).data(b"rubbish" + frame(EMPTY), b"rubbish", b"rubbish" + frame(EMPTY), b"ru", b"bbish")
    assert items == [
        StreamProblem("mid_stream", CLIENT, 0, 1, 1, "the capture begins inside a message: 12 bytes skipped")
    ]


def test_only_rubbish_is_one_problem_at_the_end() -> None:
    rng = random.Random(5)
    feed = Feed(synced=False)
    assert feed.data(*(rng.randbytes(1_000) for _ in range(300))) == []
    assert codes(feed.reader.finish(999, 999)) == [("mid_stream", 0)]
    assert feed.reader.finish(999, 999) == []
    assert feed.reader.left_over == 0


@pytest.mark.parametrize("piece", [b"\0", b"\0\0\0\x01A", b"\0\0\0\x09A", b"\0\0\1\0A", b"\3\xff\xff\xffA" * 20])
def test_a_search_takes_linear_time(piece: bytes) -> None:
    data = piece * (400_000 // len(piece))
    start = time.process_time()
    feed = Feed(synced=False)
    feed.data(*(data[at : at + 1_448] for at in range(3, len(data), 1_448)))
    assert time.process_time() - start < 5


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.sampled_from([frame(CALL), frame(EMPTY), bytes(4)]), st.integers(1, 50))
    ),
    st.booleans(),
)
def test_any_chunks_and_gaps_are_survived(pieces: list[bytes | int], synced: bool) -> None:
    feed = Feed(synced)
    end = 0
    for piece in pieces:
        items = feed.gap(piece) if isinstance(piece, int) else feed.data(piece)
        for item in items:
            if isinstance(item, Frame):
                assert item.offset >= end
                end = item.offset + 4 + len(item.data)
                assert end <= feed.offset
    feed.reader.finish(feed.number, feed.number)
    assert 0 <= feed.reader.left_over <= feed.offset


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([CREATE, CALL, EMPTY, ANSWER, KEEP_ALIVE]), min_size=6, max_size=20), st.data())
def test_one_frame_a_chunk_is_found_again_behind_any_gap(messages: list[bytes], draw: st.DataObject) -> None:
    """As the engine writes: whatever was lost, the frame behind it is found."""
    first = draw.draw(st.integers(0, len(messages) - 2))
    last = draw.draw(st.integers(first, len(messages) - 2))
    cut = draw.draw(st.integers(0, len(messages[first]) + 3))
    feed = Feed()
    items = feed.data(*map(frame, messages[:first]), frame(messages[first])[:cut])
    items += feed.gap(sum(4 + len(body) for body in messages[first : last + 1]) - cut)
    items += feed.data(*map(frame, messages[last + 1 :]))
    assert bodies(items) == messages[:first] + messages[last + 1 :]
    assert [code for code, _ in codes(items)] == ["gap"]


# --- plausible headers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [CREATE, CALL, EMPTY, ANSWER, KEEP_ALIVE, FAILED, ERROR, CREATE[:10]])
def test_frames_are_plausible(body: bytes) -> None:
    assert plausible_frame(frame(body))
    assert plausible_frame(b"xx" + frame(body), 2)
    assert plausible_frame(frame(body)[:5])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        frame(CALL)[:4],
        bytes(8),
        b"\xff\xff\xff\xffA",
        (MAX_MESSAGE + 1).to_bytes(4, "big") + b"A",
        frame(b"N"),
        frame(b"<spooler>"),
        frame(b"KK"),
        frame(CREATE[:9]),
        frame(b"S" + bytes(8) + b"R"),
        frame(b"O" + bytes(8) + b"C"),
        frame(b"Apple"),
        frame(b"Ap"),
        frame(b"Error: it failed"),
        frame(b"E\0\0\0\x05four"),
        b"<?xml version",
    ],
)
def test_other_bytes_are_not(data: bytes) -> None:
    assert not plausible_frame(data)


# --- recordings ----------------------------------------------------------------------------------------------------

Json = dict[str, Any]


def frames_of(path: Path) -> Iterator[tuple[Flow, Item, FrameReader]]:
    """Every item of every connection, read as if all were callback connections; the problems of others mean nothing."""
    table = Connections()
    readers: dict[tuple[Flow, Side], FrameReader] = {}
    for found in CaptureReader([path]):
        segment = parse(found)
        if isinstance(segment, Segment):
            for flow, event in table.feed(segment):
                if isinstance(event, Chunk):
                    reader = readers.setdefault((flow, event.side), FrameReader(event.side))
                    for item in reader.feed(event):
                        yield flow, item, reader
    for (flow, side), reader in readers.items():
        yield flow, StreamProblem("left_over", side, reader.left_over, 0, 0, ""), reader


@pytest.mark.parametrize(
    "name",
    ["engine_shell_ok", "engine_bigscript", "h19_two", "h19_kill_server_midmessage", "scala19_shell", "h19_many"],
)
def test_frames_of_recordings(name: str, captures: Path) -> None:
    """Directions, sizes and packets of every frame, and what is left over, as the truth file has them."""
    truth: Json = json.loads((captures / f"{name}.truth.json").read_text())
    found: dict[tuple[str, int | None, str, int | None], list[tuple[str, int, int, int]]] = {}
    left: dict[tuple[str, int | None, str, int | None], dict[str, int]] = {}
    for flow, item, _ in frames_of(captures / f"{name}.pcap"):
        connection = flow.connection
        key = (*connection.server, *connection.client)
        direction = "client->remote" if item.side is SERVER else "remote->client"
        if isinstance(item, Frame):
            row = (direction, 4 + len(item.data), item.packets[0], item.packets[-1])
            found.setdefault(key, []).append(row)
        elif isinstance(item, StreamProblem) and item.code == "left_over" and item.offset:
            left.setdefault(key, {})[direction] = item.offset
    assert truth["callback_connections"]
    for connection in truth["callback_connections"]:
        key = (*connection["client"], *connection["peer"])
        expected = [(m["direction"], m["bytes"], *m["packets"]) for m in connection["messages"]]
        assert found[key] == expected
        assert left.get(key, {}) == connection["left_over"]
