"""The caps on documents, HTTP heads and frames, from both sides."""

from __future__ import annotations

import pytest

from dissector.limits import MAX_DECODED_MESSAGE
from dissector.stream.documents import DocumentReader
from dissector.stream.framing import FrameReader, plausible_frame
from dissector.traffic import Chunk, Frame, Gap, RawDocument, Side, StreamProblem

CLIENT = Side.CLIENT
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def read(*pieces: bytes, is_client: bool = True) -> list[str]:
    """Kinds of documents and codes of problems."""
    side = CLIENT if is_client else Side.SERVER
    reader, found, offset = DocumentReader(side, is_client), [], 0
    for number, piece in enumerate(pieces, 1):
        found += reader.feed(Chunk(side, offset, piece, number, number))
        offset += len(piece)
    return [item.kind if isinstance(item, RawDocument) else item.code for item in found]


@pytest.mark.parametrize(("depth", "found"), [(256, ["xml"]), (257, ["undecoded_frame"])])
def test_how_deep_elements_may_be_nested(depth: int, found: list[str]) -> None:
    assert read(b"<a>" * depth, b"</a>" * depth) == found


@pytest.mark.parametrize("is_client", [True, False])
@pytest.mark.parametrize(("size", "found"), [(100, []), (101, ["undecoded_frame"])])
def test_how_long_a_document_may_be(
    size: int, found: list[str], is_client: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dissector.stream.assembly.MAX_DOCUMENT", 100)
    assert read(b"<a>" + b"x" * (size - 3), is_client=is_client) == found
    assert read(b"<a>" + b"x" * (size - 4), b"x", is_client=is_client) == found


@pytest.mark.parametrize(("size", "found"), [(65_536, []), (65_537, ["undecoded_frame"])])
def test_how_long_an_http_head_may_be(size: int, found: list[str]) -> None:
    assert read(OK + b"x: " + b"y" * (size - len(OK) - 3), is_client=False) == found


@pytest.mark.parametrize(("size", "found"), [(65_536, []), (65_537, ["undecoded_frame"])])
@pytest.mark.parametrize("beginning", [b"", b"0\r\n"])
def test_how_long_a_line_of_a_chunked_body_may_be(beginning: bytes, size: int, found: list[str]) -> None:
    assert read(CHUNKED + beginning, b"5;" + b"x" * (size - 2), is_client=False) == found


def test_of_a_long_document_the_first_packets_and_the_last_one_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.assembly.MAX_PACKETS_LISTED", 4)
    for pieces, packets in ((4, (1, 2, 3, 4)), (5, (1, 2, 3, 5)), (6, (1, 2, 3, 6))):
        reader = DocumentReader(CLIENT, True)
        texts = [b"<a>", *[b"x"] * (pieces - 2), b"</a>"]
        found = [item for n, text in enumerate(texts, 1) for item in reader.feed(Chunk(CLIENT, 0, text, n, n))]
        assert [item.packets for item in found if isinstance(item, RawDocument)] == [packets]


def test_the_last_packet_of_a_long_document_may_have_been_captured_before_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dissector.stream.assembly.MAX_PACKETS_LISTED", 4)
    reader = DocumentReader(CLIENT, True)
    texts = {1: b"<a>", 2: b"x", 9: b"x", 5: b"</a>"}
    found = [item for n, text in texts.items() for item in reader.feed(Chunk(CLIENT, 0, text, n, n))]
    assert [item.packets for item in found if isinstance(item, RawDocument)] == [(1, 2, 9, 5)]


def test_of_a_long_message_the_first_packets_and_the_last_one_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.framing.MAX_PACKETS_LISTED", 4)
    for pieces, packets in ((4, (1, 2, 3, 4)), (5, (1, 2, 3, 5)), (6, (1, 2, 3, 6))):
        reader = FrameReader(CLIENT)
        texts = [bytes([0, 0, 0, pieces - 1]), *[b"A"] * (pieces - 1)]
        found = [item for n, text in enumerate(texts, 1) for item in reader.feed(Chunk(CLIENT, n, text, n, n))]
        assert [item.packets for item in found if isinstance(item, Frame)] == [packets]


@pytest.mark.parametrize(
    ("length", "code"),
    [(1_048_576_000, "undecoded_frame"), (1_048_576_001, "impossible_length"), (0, "impossible_length"), (1, None)],
)
def test_which_lengths_of_a_message_the_engine_accepts(length: int, code: str | None) -> None:
    found = FrameReader(CLIENT).feed(Chunk(CLIENT, 0, length.to_bytes(4, "big") + b"A", 1, 1))
    assert [item.code if isinstance(item, StreamProblem) else None for item in found] == [code]


@pytest.mark.parametrize(("more", "frames"), [(0, 0), (1, 2)])
def test_how_long_a_message_may_be_that_a_search_waits_for(more: int, frames: int) -> None:
    """The next chunk has two messages, or is a part of the long one that seems to have begun."""
    reader = FrameReader(CLIENT, synced=False)
    assert reader.feed(Chunk(CLIENT, 0, (MAX_DECODED_MESSAGE + more).to_bytes(4, "big") + b"A" + bytes(8), 1, 1)) == []
    found = reader.feed(Chunk(CLIENT, 13, b"\0\0\0\1K\0\0\0\1A", 2, 2))
    assert [item.data for item in found if isinstance(item, Frame)] == [b"K", b"A"][:frames]


@pytest.mark.parametrize(
    ("body", "plausible"),
    [(b"", True), (b"\0\0\0\0", True), (b"\x80\1\1\1", True), (b"\x7f\0\0\0", False), (b"\1\0\0\0", False)],
)
def test_how_an_answer_may_begin(body: bytes, plausible: bool) -> None:
    assert plausible_frame(b"\0\0\0\5A" + body) is plausible


def test_a_part_of_a_message_that_looks_like_a_whole_one_is_a_part() -> None:
    inner = b"\0\0\0\5A\0\0\0\0"
    reader = FrameReader(CLIENT)
    assert reader.feed(Chunk(CLIENT, 0, b"\0\0\0\x0cA\0\0", 1, 1)) == []
    (found,) = reader.feed(Chunk(CLIENT, 7, inner, 2, 2))
    assert isinstance(found, Frame)
    assert found.data == b"A\0\0" + inner
    reader.gap(Gap(CLIENT, 16, 3, 3, 3))
    # Behind the hole nobody knows where a message begins: what looks like one is the first to be believed.
    assert [type(item) for item in reader.feed(Chunk(CLIENT, 19, inner, 4, 4))] == [Frame]


@pytest.mark.parametrize("pad", range(5))
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_head_in_single_bytes(pad: int, end: bytes) -> None:
    head = end.join([b"GET /jobscheduler HTTP/1.1", b"a: " + b"x" * pad, b"", b""])
    assert read(*(bytes([byte]) for byte in head)) == ["http"]
