"""Documents of a command connection: where they end, whatever the segments."""

from __future__ import annotations

import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.limits import MAX_DOCUMENT, MAX_HTTP_HEAD, MAX_PACKETS_LISTED
from dissector.stream.documents import DocumentReader
from dissector.traffic import Chunk, Gap, RawDocument, Side, StreamProblem

PROLOG = b'<?xml version="1.0" encoding="ISO-8859-1"?>\n'
START = PROLOG + b'<remote_scheduler.start_remote_task tcp_port="59500" kind="process"/>'
CLOSE = b"<remote_scheduler.remote_task.close process_id='1'/>"
STARTED = PROLOG + b'<spooler><answer time="2026-11-22 04:25:20.752"><process process_id="1"/></answer></spooler>\n'
CLOSED = PROLOG + b'<spooler><answer time="2026-11-22 04:25:22.861"><ok/></answer></spooler>'
INDENTED = (
    b'<?xml version="1.0" encoding="ISO-8859-1"?>\r\n<spooler>\r\n  <answer time="2026-11-22 04:31:56.406">\r\n'
    b"    <ok/>\r\n  </answer>\r\n</spooler>\r\n"
)
POST = b"POST /jobscheduler/engine/command HTTP/1.1\r\nHost: r:4445\r\nContent-Length: 52\r\n\r\n" + CLOSE
CHUNKED = b"\r\n".join(
    (
        b"HTTP/1.1 200 OK",
        b"Transfer-Encoding: chunked",
        b"",
        b"5;x=y",
        b"<spoo",
        b"A",
        b"ler/>\r\n\r\n ",
        b"0",
        b"T: x",
        b"",
        b"",
    )
)


class Feeder:
    """Feeds pieces as packets 1, 2, ... at times 10, 20, ... and keeps what comes out."""

    def __init__(self, is_client: bool = True, mid_stream: bool = False) -> None:
        self.side = Side.CLIENT if is_client else Side.SERVER
        self.reader = DocumentReader(self.side, is_client, mid_stream)
        self.found: list[RawDocument | StreamProblem] = []
        self.offset = 0
        self.number = 0

    def feed(self, *pieces: bytes) -> Feeder:
        for piece in pieces:
            self.number += 1
            self.found += self.reader.feed(Chunk(self.side, self.offset, piece, self.number, self.number * 10))
            self.offset += len(piece)
        return self

    def gap(self, size: int) -> Feeder:
        self.number += 1
        self.found += self.reader.gap(Gap(self.side, self.offset, size, self.number, self.number * 10))
        self.offset += size
        return self

    def finish(self) -> Feeder:
        self.found += self.reader.finish(self.number, self.number * 10)
        return self

    @property
    def data(self) -> list[bytes]:
        return [item.data for item in self.found if isinstance(item, RawDocument)]

    @property
    def kinds(self) -> list[str]:
        return [item.kind if isinstance(item, RawDocument) else item.code for item in self.found]


def client(*pieces: bytes) -> Feeder:
    return Feeder().feed(*pieces)


def server(*pieces: bytes) -> Feeder:
    return Feeder(is_client=False).feed(*pieces)


# --- client --------------------------------------------------------------------------------------------------------


def test_start_keep_alives_and_close() -> None:
    feeder = client(START, b" ", b" ", b" ", CLOSE).finish()
    assert feeder.found == [
        RawDocument(Side.CLIENT, 0, START, (1,), 10, True, "xml"),
        RawDocument(Side.CLIENT, len(START) + 3, CLOSE, (5,), 50, True, "xml"),
    ]
    assert feeder.reader.keep_alives == 3


def test_byte_by_byte_names_every_packet() -> None:
    feeder = client(*(bytes([byte]) for byte in b"<licence.use/>"))
    assert feeder.found == [RawDocument(Side.CLIENT, 0, b"<licence.use/>", tuple(range(1, 15)), 140, True, "xml")]


def test_the_packet_that_holds_two_documents_carries_both() -> None:
    feeder = client(b"<a>", b"</a><b", b"/>")
    assert [(d.data, d.packets) for d in feeder.found if isinstance(d, RawDocument)] == [
        (b"<a></a>", (1, 2)),
        (b"<b/>", (2, 3)),
    ]


@pytest.mark.parametrize(
    "document",
    [
        b"<a/>",
        b"<a></a>",
        b"<a><b/><c><d/></c></a>",
        b"<!-- <x> --><a/>",
        b"<a><!-- </a> > --></a>",
        b"<a><![CDATA[</a>]] ]>]]></a>",
        b"<?xml version='1.0'?><!DOCTYPE a><a/>",
        b'<a b="/"></a>',
        b"<a>\0</a>",
        b"<nonsense_\xe4/>",
    ],
)
@pytest.mark.parametrize("terminator", [b"", b"\0", b"\n", b"\r\n", b"\n\0"])
def test_a_document_ends_with_its_last_tag(document: bytes, terminator: bytes) -> None:
    assert client(document + terminator, b"<z/>" + terminator).data == [document, b"<z/>"]


@pytest.mark.parametrize(
    "text", [b'<unfinished what="x"', b"<a><b></a>", b"<!-", b"<!-- <a/>", b'<a b="x>y"/>', b"</a>"]
)
def test_what_does_not_end_is_left_over(text: bytes) -> None:
    feeder = client(text)
    assert feeder.found == []
    assert feeder.finish().found == [RawDocument(Side.CLIENT, 0, text, (1,), 10, False, "xml")]


def test_typed_commands_end_at_their_line_end() -> None:
    feeder = client(b"s\n", b"show_state\r", b"\n", b"show_job job=<x>", b"\n")
    assert feeder.data == [b"s", b"show_state", b"show_job job=<x>"]
    assert set(feeder.kinds) == {"shorthand"}


def test_pokes() -> None:
    feeder = client(b"\n", b"\r\n", b"\r", b"\n", b"<a/>\r\n", b"\r\n", b"\x04")
    pokes = [(d.offset, d.data) for d in feeder.found if isinstance(d, RawDocument) and d.kind == "poke"]
    assert pokes == [(0, b"\n"), (1, b"\r\n"), (3, b"\r\n"), (11, b"\r\n"), (13, b"\x04")]


def test_only_blanks_left_over_are_nothing() -> None:
    assert client(START + b"\r\n\0  ").finish().data == [START]


# --- server --------------------------------------------------------------------------------------------------------


def test_answers_end_at_their_nul() -> None:
    feeder = server(STARTED + b"\0" + CLOSED[:20], CLOSED[20:] + b"\0" + INDENTED + b"\0\0").finish()
    assert feeder.data == [STARTED, CLOSED, INDENTED]
    assert [d.offset for d in feeder.found] == [0, len(STARTED) + 1, len(STARTED) + len(CLOSED) + 2]


def test_an_answer_without_its_nul_is_incomplete() -> None:
    assert server(CLOSED).finish().found == [RawDocument(Side.SERVER, 0, CLOSED, (1,), 10, False, "xml")]


# --- gaps ----------------------------------------------------------------------------------------------------------


def test_client_gap_breaks_the_document_and_goes_on_at_a_beginning() -> None:
    feeder = client(START[:60]).gap(20).feed(START[80:], CLOSE)
    assert feeder.found[0] == StreamProblem("gap", Side.CLIENT, 0, 2, 20, "20 bytes of a document are missing")
    assert feeder.data == [CLOSE]


def test_server_gap_goes_on_behind_a_nul_or_at_a_prolog() -> None:
    feeder = server(STARTED[:60]).gap(20).feed(STARTED[80:] + b"\0" + CLOSED + b"\0").gap(7).feed(INDENTED + b"\0")
    assert feeder.kinds == ["gap", "xml", "gap", "xml"]
    assert feeder.data == [CLOSED, INDENTED]


def test_gap_between_documents_breaks_none() -> None:
    assert client(START).gap(100).feed(b'tcp_port="1"/>', CLOSE).kinds == ["xml", "gap", "xml"]


def test_a_hole_behind_a_hole_says_nothing_new() -> None:
    assert client(START).gap(100).gap(100).feed(CLOSE).kinds == ["xml", "gap", "xml"]


def test_mid_stream_begins_at_a_beginning() -> None:
    assert Feeder(True, mid_stream=True).feed(b'CLIENT tcp_port="1"/>', CLOSE).data == [CLOSE]
    assert Feeder(False, mid_stream=True).feed(b"/spooler>\n\0" + CLOSED + b"\0").data == [CLOSED]
    assert Feeder(True, mid_stream=True).feed(b"Xyz", POST).data == [POST]


# --- bounds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [b"<a>", b"x", b"<!--", b"<a b='"], ids=repr)
@pytest.mark.parametrize("is_client", [True, False])
def test_a_document_without_end_is_reported_once_and_not_kept(
    unit: bytes, is_client: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dissector.stream.assembly.MAX_DOCUMENT", 100_000)
    feeder = Feeder(is_client)
    piece = unit * (1448 // len(unit))
    tracemalloc.start()
    for _ in range(300):
        feeder.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert feeder.kinds == ["undecoded_frame"]
    assert peak < 1_000_000
    assert feeder.finish().kinds == ["undecoded_frame"]


@pytest.mark.parametrize("beginning", [b"s", b"<a>", b"<!--", b"<a b='"], ids=repr)
def test_no_byte_is_searched_twice(beginning: bytes) -> None:
    feeder = client(beginning)
    began = time.perf_counter()
    for _ in range(MAX_DOCUMENT // 1000):
        feeder.feed(b"-" * 1448)
    # Linear: a twentieth of a second.  From the beginning each time: half a minute.
    assert time.perf_counter() - began < 5
    assert feeder.kinds == ["undecoded_frame"]


def test_behind_a_document_that_is_too_long_reading_goes_on() -> None:
    long = b"<a>" + b"x" * MAX_DOCUMENT
    feeder = client(long, b"<b/><", b"/a><c", b"/>")
    assert (feeder.kinds, feeder.data) == (["undecoded_frame", "xml"], [b"<c/>"])
    feeder = server(long, long[:9], b"\0" + CLOSED + b"\0")
    assert (feeder.kinds, feeder.data) == (["undecoded_frame", "xml"], [CLOSED])


def test_empty_elements_are_seen_as_such_while_skipping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.assembly.MAX_DOCUMENT", 10)
    feeder = client(b"<a>0123456789", b"<b ", b"/", b">", b"<b", b"/>", b"</", b"a", b">", b"<c/>")
    assert (feeder.kinds, feeder.data) == (["undecoded_frame", "xml"], [b"<c/>"])


def test_the_list_of_packets_is_bounded() -> None:
    feeder = client(b"<a>", *[b"x"] * (MAX_PACKETS_LISTED + 5), b"</a>")
    (document,) = feeder.found
    assert isinstance(document, RawDocument)
    assert len(document.packets) == MAX_PACKETS_LISTED
    assert document.packets[:2] == (1, 2)
    assert document.packets[-1] == feeder.number


# --- HTTP ----------------------------------------------------------------------------------------------------------


def test_http_for_life_in_both_directions() -> None:
    feeder = client(POST, b"GET / HTTP/1.1\r\nHost: r\r\n\r\n", POST)
    assert feeder.kinds == ["http"] * 3
    ok = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    assert server(ok + CHUNKED + ok).data == [ok, CHUNKED, ok]


def test_http_body_until_close_is_complete_at_the_end() -> None:
    response = b"HTTP/1.0 200 OK\r\n\r\n<spooler/>"
    assert server(response).finish().found == [RawDocument(Side.SERVER, 0, response, (1,), 10, True, "http")]


@pytest.mark.parametrize("cut", [10, 90])
def test_http_message_cut_off(cut: int) -> None:
    (document,) = client(POST[:cut]).finish().found
    assert isinstance(document, RawDocument)
    assert (document.data, document.complete) == (POST[:cut], False)


@pytest.mark.parametrize("status", [b"100 Continue", b"204 No Content", b"304 Not Modified"])
def test_http_responses_without_a_body(status: bytes) -> None:
    first = b"HTTP/1.1 " + status + b"\r\n\r\n"
    assert server(first + CHUNKED).data == [first, CHUNKED]


def test_http_gap_inside_a_body_spoils_only_this_message() -> None:
    feeder = client(POST[:-40]).gap(10).feed(POST[-30:] + POST)
    assert (feeder.kinds, feeder.data) == (["gap", "http"], [POST])


def test_http_gap_inside_a_head_goes_on_at_the_next_message() -> None:
    feeder = client(POST[:20]).gap(10).feed(POST[30:], POST)
    assert (feeder.kinds, feeder.data) == (["gap", "http"], [POST])


@pytest.mark.parametrize(
    "text",
    [b"HELO x\r\n\r\n", b"A" * (MAX_HTTP_HEAD + 1), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)
def test_http_that_is_none_is_reported(text: bytes) -> None:
    feeder = client(text, POST)
    assert feeder.kinds == ["undecoded_frame", "http"]


def test_long_http_bodies_are_skipped_precisely() -> None:
    head = b"POST /x HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_DOCUMENT + 5)
    feeder = client(head, b"y" * MAX_DOCUMENT, b"y" * 5 + POST)
    assert (feeder.kinds, feeder.data) == (["undecoded_frame", "http"], [POST])


# --- whatever the segments -----------------------------------------------------------------------------------------

CLIENT_PARTS = [
    *(START, CLOSE, b"<a><b x='1'/>text</a>", b"<!--c--><a><![CDATA[</a>]]></a>", b"show_state\r\n", b"s\n"),
    *(b" ", b"\n", b"\r\n", b"\0", b"\x04"),
]
SERVER_PARTS = [STARTED + b"\0", CLOSED + b"\0", INDENTED + b"\0", b"\0"]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


def without_packets(feeder: Feeder) -> list[object]:
    return [
        item._replace(packets=(), time=0) if isinstance(item, RawDocument) else (item.code, item.offset)
        for item in feeder.found
    ]


@given(
    st.one_of(
        st.tuples(st.just(True), st.lists(st.sampled_from(CLIENT_PARTS), max_size=6).map(b"".join)),
        st.tuples(st.just(False), st.lists(st.sampled_from(SERVER_PARTS), max_size=6).map(b"".join)),
        st.tuples(st.just(True), st.lists(st.just(POST), min_size=1, max_size=3).map(b"".join)),
        st.tuples(st.just(False), st.lists(st.just(CHUNKED), min_size=1, max_size=3).map(b"".join)),
        st.tuples(st.booleans(), st.text("<>/!?-[]CDATA ab\n\r\0\x04", max_size=60).map(str.encode)),
    ),
    st.lists(st.integers(0, 2000), max_size=12),
)
def test_any_cutting_gives_the_same_documents(case: tuple[bool, bytes], places: list[int]) -> None:
    is_client, data = case
    whole = Feeder(is_client).feed(data).finish()
    pieces = Feeder(is_client).feed(*cut(data, places)).finish()
    single = Feeder(is_client).feed(*(data[i : i + 1] for i in range(len(data)))).finish()
    assert without_packets(pieces) == without_packets(single) == without_packets(whole)
    assert pieces.reader.keep_alives == single.reader.keep_alives == whole.reader.keep_alives


@given(st.booleans(), st.booleans(), st.lists(st.one_of(st.binary(max_size=40), st.integers(1, 99)), max_size=10))
def test_no_bytes_and_no_gaps_raise(is_client: bool, mid_stream: bool, events: list[bytes | int]) -> None:
    feeder = Feeder(is_client, mid_stream)
    for event in events:
        if isinstance(event, int):
            feeder.gap(event)
        else:
            feeder.feed(event)
    feeder.finish()
    for item in feeder.found:
        if isinstance(item, RawDocument):
            assert 0 <= item.offset < feeder.offset
            assert item.data


def test_elements_nested_without_end_are_given_up_once() -> None:
    """Also in the next chunks, which begin like a document; a true document behind a gap is read again."""
    reader = DocumentReader(Side.CLIENT, is_client=True)
    found = [item for n in range(5) for item in reader.feed(Chunk(Side.CLIENT, n * 3_000, b"<x>" * 1_000, n + 1, n))]
    assert [item.text for item in found if isinstance(item, StreamProblem)] == ["elements nested deeper than 256"]
    reader.gap(Gap(Side.CLIENT, 15_000, 10, 6, 6))
    last = reader.feed(Chunk(Side.CLIENT, 15_010, b"<show_state/>", 7, 7))
    assert [item.data for item in last if isinstance(item, RawDocument)] == [b"<show_state/>"]
