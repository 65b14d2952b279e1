"""HTTP messages however they are cut: a segment that is a whole message is read as its bytes are one by one."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dissector.stream.http import HttpReader
from dissector.traffic import Chunk, RawDocument, Side, StreamProblem

STARTS = st.sampled_from(
    [
        "POST /x HTTP/1.1",
        "GET /x HTTP/1.1",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 204 X",
        "HTTP/1.1 100 X",
        "HTTP/1.0 500",
        "nonsense",
    ]
)
HEADERS = st.lists(
    st.sampled_from(
        [
            *("Host: a", "Content-Length: 3", "content-length:3", "Content-Length : 3", "Content-Length: 03"),
            *("Content-Length: 4", "Content-Length: 3, 3", "Content-Length: +3", "Content-Length: x"),
            *("Transfer-Encoding: chunked", "transfer-encoding: gzip, chunked", "X-Content-Length: 9", "X: y"),
        ]
    ),
    max_size=4,
)
BODIES = st.sampled_from([b"", b"abc", b"abcd", b"3\r\nabc\r\n0\r\n\r\n", b"\r\n\r\nabc"])
ENDS = st.sampled_from(["\r\n", "\n"])


def read(pieces: list[bytes]) -> list[tuple[object, ...]]:
    """Kind, place and bytes of what is found, and how each problem is called."""
    reader, offset = HttpReader(Side.CLIENT), 0
    found: list[RawDocument | StreamProblem] = []
    for number, piece in enumerate(pieces, 1):
        found += reader.feed(Chunk(Side.CLIENT, offset, piece, number, 0))
        offset += len(piece)
    found += reader.finish(0)
    return [
        (one.offset, one.data, one.complete) if isinstance(one, RawDocument) else (one.offset, one.code, one.text)
        for one in found
    ]


@settings(max_examples=400, deadline=None)
@given(STARTS, HEADERS, ENDS, BODIES)
@example("HTTP/1.1 204 X", ["Content-Length: 3"], "\r\n", b"abc")
@example("POST /x HTTP/1.1", ["Content-Length: 3", "Content-Length: 4"], "\r\n", b"abc")
def test_a_message_in_one_segment_is_read_as_byte_by_byte(
    start: str, headers: list[str], end: str, body: bytes
) -> None:
    data = end.join([start, *headers, "", ""]).encode() + body
    assert read([data]) == read([data[at : at + 1] for at in range(len(data))])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(HEADERS, BODIES), min_size=1, max_size=3), st.integers(1, 40))
def test_messages_behind_each_other(messages: list[tuple[list[str], bytes]], size: int) -> None:
    """Pipelined, in segments of any size."""
    data = b"".join("\r\n".join(["POST /x HTTP/1.1", *headers, "", ""]).encode() + body for headers, body in messages)
    whole, cut = read([data]), read([data[at : at + size] for at in range(0, len(data), size)])
    if all(len(one) == 3 and isinstance(one[1], bytes) for one in whole + cut):
        assert whole == cut
