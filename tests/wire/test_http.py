"""One HTTP message taken apart: heads, chunks, compressed bodies, and which bodies are text."""

from __future__ import annotations

import gzip

import pytest

from dissector.limits import MAX_INFLATED, MAX_INFLATION
from dissector.wire.http import places_of, split_http
from dissector.wire.http_message import HttpMessage, parse_http

HEAD = b"POST /x HTTP/1.1\r\nHost: r\r\n"
CHUNKED = HEAD + b"transfer-ENCODING: gzip, Chunked\r\n\r\n"
PLAIN = HEAD + b"\r\n"


def message(data: bytes) -> HttpMessage:
    return parse_http(data, is_request=True)


def bodies(data: bytes) -> list[bytes]:
    return [data[begin:end] for begin, end in places_of(data).pieces]


@pytest.mark.parametrize(
    ("data", "pieces"),
    [
        (PLAIN + b"abc", [b"abc"]),
        (PLAIN.replace(b"\r", b"") + b"abc", [b"abc"]),
        (PLAIN, [b""]),
        (HEAD, []),
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", [b"abc", b"de"]),
        (CHUNKED + b" \t0A\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n", [b"0123456789", b"x"]),
        (CHUNKED + b"3\nabc\r\n1\nx\r\n", [b"abc", b"x"]),
        (CHUNKED + b"3\r\nabc\r\n5\r\nde", [b"abc", b"de"]),
        (CHUNKED + b"0\r\n\r\n3\r\nabc\r\n", []),
        (CHUNKED + b"x\r\nabc\r\n", []),
        (CHUNKED + b"1" + b"0" * 15 + b"\r\nabc\r\n", []),
        (CHUNKED + b"1" + b"0" * 14 + b"\r\nabc\r\n", [b"abc\r\n"]),
    ],
)
def test_where_the_bytes_of_a_body_are(data: bytes, pieces: list[bytes]) -> None:
    assert bodies(data) == pieces
    if b"0\r\n\r\n" in data and pieces:
        assert message(data).body == b"".join(pieces)


@pytest.mark.parametrize(
    ("headers", "encoded"),
    [
        (b"Content-Encoding: gzip", True),
        (b"content-encoding:  X-GZIP ", True),
        (b"Content-Encoding: deflate", True),
        (b"Content-Encoding: identity", False),
        (b"X-Content-Encoding: gzip", False),
        (b"Host: r", False),
    ],
)
def test_which_bodies_are_compressed(headers: bytes, encoded: bool) -> None:
    data = b"POST /x HTTP/1.1\r\n" + headers + b"\r\n\r\n" + gzip.compress(b"body")
    assert places_of(data).compressed is encoded
    assert (message(data).body == b"body") is encoded


@pytest.mark.parametrize(
    ("kind", "body", "is_text"),
    [
        (b"text/plain", b"abc", True),
        (b"application/json", b"abc", True),
        (b"application/xml; charset=x", b"abc", True),
        (b"Text/HTML", b"abc", True),
        (b"application/octet-stream", b"abc", False),
        (b"no-text/plain", b"abc", False),
        (b"image/png", b"  <a/>", True),
        (b"image/png", b'\n{"a":1}', True),
        (b"image/png", b"a<", False),
    ],
)
def test_which_bodies_are_shown(kind: bytes, body: bytes, is_text: bool) -> None:
    text = message(b"POST /x HTTP/1.1\r\nContent-Type: " + kind + b"\r\n\r\n" + body).text
    head, _, shown = text.partition("\n\n")
    assert head == f"POST /x HTTP/1.1\nContent-Type: {kind.decode()}"
    assert shown == (body.decode() if is_text else f"({len(body)} bytes)")


def test_a_head_alone() -> None:
    parts = message(b"GET / HTTP/1.0\r\nA: b:c\r\nnothing")
    assert parts.headers == (("A", "b:c"), ("nothing", ""))
    assert (parts.body, parts.reason, parts.element) == (b"", "the HTTP head has no end", "GET /")
    assert message(PLAIN).text == "POST /x HTTP/1.1\nHost: r"
    assert (parts.header("a"), parts.header("b")) == ("b:c", None)


@pytest.mark.parametrize(
    ("head", "end"),
    [
        (b"POST /x\r\nA: b", b"\r\n\r\n"),
        (b"POST /x\nA: b", b"\n\n"),
        (b"POST /x", b"\r\n\n"),
        (b"POST /x", b"\n\r\n"),
        (b"", b"\r\n\r\n"),
        (b"", b"\n\n"),
        (b"x", b"\n\n"),
    ],
)
@pytest.mark.parametrize("sent", [b"", b"a\r\n\r\nb", b"a\n\nb", b"\r\n"])
def test_the_first_end_of_a_head_counts(head: bytes, end: bytes, sent: bytes) -> None:
    parts = split_http(head + end + sent)
    assert (parts.head, parts.sent) == (head, sent)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HTTP/1.1 100 Continue", 100),
        (b"HTTP/1.1 999 X", 999),
        (b"HTTP/1.1 200", 200),
        (b"HTTP/1.1 099 X", None),
        (b"HTTP/1.1 2000", None),
        (b"HTTP/1.10 100 X", 100),
        (b"HTTP/1.10 999 X", 999),
        (b"HTTP/1.10 99 X", None),
        (b"HTTP/1.10 1000 X", None),
        (b"HTTP/1.1 2x0 X", None),
        (b"HTTP/1.1", None),
    ],
)
def test_statuses(line: bytes, status: int | None) -> None:
    for behind in (b"\r\n\r\n", b"\n\n"):
        assert parse_http(line + behind, is_request=False).status == status


@pytest.mark.parametrize(("body", "found"), [(b' {"a": 1}', {"a": 1}), (b"[1]", None), (b"{1}", None), (b"", None)])
def test_jsons(body: bytes, found: object) -> None:
    assert message(PLAIN + body).json == found
    assert message(PLAIN + b"{" + b'"a":[' * 100_000).json is None


@pytest.mark.parametrize("size", [MAX_INFLATED, MAX_INFLATED + 1])
def test_how_much_a_small_body_unpacks_to(size: int) -> None:
    packed = gzip.compress(bytes(size))
    assert len(packed) * MAX_INFLATION < MAX_INFLATED
    found = message(b"POST /x HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n" + packed)
    assert len(found.body) == MAX_INFLATED
    told = (
        None
        if size == MAX_INFLATED
        else f"the body unpacks to more than {MAX_INFLATED} bytes, which jstrace does not read"
    )
    assert found.reason == told


def test_how_much_a_large_body_unpacks_to() -> None:
    """So many times its own size; what is beyond that is not even unpacked."""
    packed = gzip.compress(bytes(100 * MAX_INFLATED))
    found = message(b"POST /x HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n" + packed)
    assert len(found.body) == MAX_INFLATION * len(packed) > MAX_INFLATED
    assert (found.reason or "").startswith("the body unpacks to more than")


def test_a_compressed_body_of_chunks_that_has_no_end() -> None:
    data = gzip.compress(b"body")
    whole = HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(data), data)
    assert (message(whole).body, message(whole).reason) == (b"body", "the chunked body has no end")
    assert (message(whole + b"0\r\n").body, message(whole + b"0\r\n").reason) == (b"body", None)
    empty = message(HEAD + b"Content-Encoding: gzip\r\n\r\n")
    assert (empty.body, empty.reason) == (b"", None)
