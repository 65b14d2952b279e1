"""Messages of a usual form, known by the bytes of their heads: what is said of them is what any message is read for."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.agents import ROOT, recorded
from dissector.session import usual
from dissector.session.usual import request_of, response_of
from dissector.stream.http import HttpReader
from dissector.traffic import Chunk, RawDocument, Side
from dissector.wire.agent import head_of, request_id
from dissector.wire.http_message import HttpMessage, parse_http

API = "/jobscheduler/agent/api"
STARTS = [
    (f"POST {API}/tunnel/1 HTTP/1.1", "POST /x HTTP/1.1", "GET /x HTTP/1.1", "nonsense"),
    ("HTTP/1.1 200 OK", "HTTP/1.1 202 Accepted", "HTTP/1.1 204 X", "HTTP/1.1 100 X", "HTTP/1.1 2x0 X"),
]
LINES = [
    "Host: a",
    "Date: Wed, 25 Nov 2026 22:58:52 GMT",
    "Date: ",
    "X-JobScheduler-Request-ID: 7 PT277777H46M39S",
    "X-JobScheduler-Request-ID: 8 PT1H",
    "X-JobScheduler-Request-ID: 7",
    "X-JobScheduler-Request-ID:  7 PT1H",
    "x-jobscheduler-request-id: 9 PT1H",
    "X-JobScheduler-Request-ID: 1234567890 PT1H",
    "X-JobScheduler-Heartbeat: 8f2c",
    "X-JobScheduler-Heartbeat: PT10S PT1M",
    "X-JobScheduler-Heartbeat-Start: PT10S PT1M",
    "X-JobScheduler-Heartbeat-Continue: 8f2c PT10S PT1M",
    "X-JobScheduler-Tunnel-Secret: s",
    "Content-Encoding: gzip",
    "Transfer-Encoding: chunked",
    "Content-Length: 3",
    "content-length: 3",
    "Content-Length: 03",
    "Content-Length: 4",
    "Content-Length: +3",
    f"X: {'y' * 2_100}",
]
BODIES = [b"abc", b"", b"<a>", b" <a", b"A\0\0", b"\r\n\r\nabc", b'{"a":1}']


def of_any(data: bytes, side: Side) -> HttpMessage | None:
    """As byte by byte: the message that these bytes are, None where they are not just one."""
    reader = HttpReader(side)
    found = [one for at in range(len(data)) for one in reader.feed(Chunk(side, at, data[at : at + 1], 1, 0))]
    if len(found) != 1 or not isinstance(found[0], RawDocument) or found[0].data != data:
        return None
    return parse_http(data, is_request=side is Side.CLIENT)


def check(data: bytes) -> bool:
    """True where ``data`` is usual, and then the same is said of it as of any."""
    asked, answered = request_of(data), response_of(data)
    if asked is not None:
        message = of_any(data, Side.CLIENT)
        assert message is not None
        assert (asked.message, asked.head, asked.number) == (message, head_of(message), request_id(message))
    if answered is not None:
        message = of_any(data, Side.SERVER)
        assert message is not None
        assert (answered.message, answered.status) == (message, message.status)
    return asked is not None or answered is not None


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(STARTS[0] + STARTS[1]),
    st.lists(st.sampled_from(LINES), max_size=4),
    st.sampled_from(["\r\n", "\n"]),
    st.sampled_from(BODIES),
    st.booleans(),
)
@example(STARTS[0][0], [LINES[3], "Content-Length: 3"], "\r\n", b"abc", False)
@example(STARTS[0][0], [LINES[3], LINES[4]], "\r\n", b"abc", True)
@example(STARTS[1][1], [LINES[1], LINES[9]], "\r\n", b"", True)
@example(STARTS[1][0], [LINES[1], "Transfer-Encoding: chunked"], "\r\n", b"abc", True)
@example(STARTS[0][0], ["Content-Length: 4"], "\r\n", b"abc", True)
def test_it_says_what_is_said_of_any_message(
    start: str, lines: list[str], end: str, body: bytes, has_length: bool
) -> None:
    length = [f"Content-Length: {len(body)}"] if has_length else []
    check(end.join([start, *lines, *length, "", ""]).encode() + body)


def test_what_is_known_by_its_head_is_read_anew_with_each_number_date_and_body() -> None:
    for number, body in ((1, b"S"), (23, b"O" * 20), (999_999_999, b"")):
        lines = f"X-JobScheduler-Request-ID: {number} PT1H\r\nContent-Length: {len(body)}\r\n\r\n"
        assert check(f"POST {API}/tunnel/1 HTTP/1.1\r\n{lines}".encode() + body)
    for date, beat in (("Wed, 25", "1-2"), ("Thu, 26", "3-4")):
        head = f"HTTP/1.1 202 Accepted\r\nDate: {date}\r\nX-JobScheduler-Heartbeat: {beat}\r\nContent-Length: 0\r\n\r\n"
        assert check(head.encode())


def test_heads_that_differ_in_number_and_length_only_are_read_once() -> None:
    def post(number: int, body: bytes, more: str = "") -> bytes:
        lines = f"{more}X-JobScheduler-Request-ID: {number} PT1H\r\nContent-Length: {len(body)}\r\n\r\n"
        return f"POST {API}/tunnel/7 HTTP/1.1\r\n{lines}".encode() + body

    one, two = request_of(post(1, b"S")), request_of(post(23, b"S" * 20))
    assert one is not None
    assert two is not None
    assert one.head is two.head
    assert (one.number, two.number) == (1, 23)
    other = request_of(post(1, b"S", "X-JobScheduler-Heartbeat-Continue: U PT1S PT2S\r\n"))
    assert other is not None
    assert (one.head.kind, other.head.kind) == ("tunnel", "continue")
    assert request_of(post(999_999_999, b"S")) is not None
    assert request_of(post(1_000_000_000, b"S")) is None


def test_heads_of_other_tunnels_are_read_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task has an id and a secret of its own."""
    sides: list[Side] = []
    by_all = usual._read

    def counted(head: bytes, side: Side) -> HttpMessage | None:
        sides.append(side)
        return by_all(head, side)

    monkeypatch.setattr(usual, "_read", counted)
    name = "X-JobScheduler-Tunnel-Secret"
    for number in range(5):
        lines = f"Host: other\r\n{name}: secret{number}_-\r\nX-JobScheduler-Request-ID: 3 PT1H\r\nContent-Length: 1\r\n"
        data = f"POST {API}/tunnel/{number} HTTP/1.1\r\n{lines}\r\nA".encode()
        assert check(data)
        asked = request_of(data)
        assert asked is not None
        assert (asked.head.secret, asked.head.target.tunnel) == (f"secret{number}_-", str(number))  # type: ignore[union-attr]
    assert sides.count(Side.CLIENT) == 1
    for odd in (f"{name.lower()}: other\r\n{name}: s\r\n", f"{name}: s\r\n{name}: t\r\n", f"{name}: a b\r\n", ""):
        assert check(f"POST {API}/tunnel/1 HTTP/1.1\r\n{odd}Content-Length: 1\r\n\r\nA".encode())


@pytest.mark.parametrize("size", [2_048, 2_049])
def test_longer_heads_are_not_kept(size: int) -> None:
    tail = "\r\nContent-Length: 0"
    head = "POST /x HTTP/1.1\r\nX: "
    data = head + "y" * (size - len(head) - len(tail)) + tail + "\r\n\r\n"
    assert (request_of(data.encode()) is not None) is (size <= 2_048)


@pytest.mark.parametrize("path", sorted(ROOT.glob("ua1*[a-z].pcap")), ids=lambda path: path.stem)
def test_what_genuine_sides_send_is_usual(path: Path) -> None:
    if path.stem.endswith(("_all", "raw_errors", "wrong_secret", "https_rsa")):
        pytest.skip("not only what master and agent say over HTTP")
    for turn in recorded(path.stem).turns:
        is_view = turn.data[:4] == b"GET "
        assert check(turn.data) is not is_view


def response(status: str, *lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def request(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join(["POST /x HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@pytest.mark.parametrize(
    ("line", "values", "times"),
    [
        ("200 OK\r\nDate: {}", ("Wed, 25", "Thu, 26", ""), 1),
        ("200 OK\r\nDate: {}\nX: y", ("Wed, 25", "Thu, 26", ""), 1),
        ("202 Accepted\r\nX-JobScheduler-Heartbeat: {}", ("1-2", "3-4", ""), 1),
        ("202 Accepted\r\nDate: x\r\nX-JobScheduler-Heartbeat: {}", ("1-2", "3-4", "5"), 1),
        ("200 OK\r\nX-JobScheduler-Heartbeat: {}", ("1-2", "3-4", ""), 3),
        ("201 X\r\nX-JobScheduler-Heartbeat: {}", ("1-2", "3-4", ""), 3),
        ("203 X\r\nX-JobScheduler-Heartbeat: {}", ("1-2", "3-4", ""), 3),
        ("200 OK\r\nX: {}", ("1", "2", "3"), 3),
    ],
)
def test_responses_that_differ_in_what_changes_each_time_are_read_once(
    line: str, values: tuple[str, ...], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []
    by_all = usual._read

    def counted(head: bytes, side: Side) -> HttpMessage | None:
        if side is Side.SERVER:
            heads.append(head)
        return by_all(head, side)

    monkeypatch.setattr(usual, "_read", counted)
    usual.known_response.cache_clear()
    for value in values:
        data = response(line.format(value), "Server: x", body=b"abc")
        assert usual.usual_response(data) is not None
        assert check(data)
    assert len(heads) == times


@pytest.mark.parametrize(("status", "is_usual"), [("199 X", False), ("200 X", True), ("201 X", True), ("100 X", False)])
def test_responses_that_others_follow_are_not_usual(status: str, is_usual: bool) -> None:
    data = response(status, body=b"abc")
    assert (usual.usual_response(data) is not None) is is_usual
    assert (response_of(data) is not None) is is_usual
    assert usual.usual_response(b"nonsense" + data) is None


@pytest.mark.parametrize(("size", "is_usual"), [(99_999, True), (999_999, True), (1_000_000, False)])
def test_longer_bodies_are_not_in_one_segment(size: int, is_usual: bool) -> None:
    body = bytes(size)
    assert (response_of(response("200 OK", body=body)) is not None) is is_usual
    assert (request_of(request(body=body)) is not None) is is_usual


@pytest.mark.parametrize("more", range(8))
@pytest.mark.parametrize("body", [b"", b"S", b'{"a":1}', b"\0\0\0"])
def test_what_is_plain_is_not_read_again(more: int, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered, pad = "X-JobScheduler-Request-ID: 7 PT1H", f"X: {'y' * more}"
    asked, numberless = request(pad, numbered, body=body), request(pad, body=body)
    answered = response("200 X", pad, body=body)
    every = check(asked), check(numberless), check(answered)

    def never(*_: object, **__: object) -> HttpMessage:
        raise AssertionError

    monkeypatch.setattr(usual, "parse_http", never)
    assert every == (True, True, True)
    for data, found in ((asked, request_of(asked)), (numberless, request_of(numberless))):
        assert found is not None
        assert (found.message.head + b"\r\n\r\n" + found.message.sent, found.message.is_request) == (data, True)
    back = response_of(answered)
    assert back is not None
    assert (back.message.head + b"\r\n\r\n" + back.message.sent, back.message.is_request) == (answered, False)


@pytest.mark.parametrize("coding", ["Content-Encoding: gzip", "Content-Encoding: deflate"])
@pytest.mark.parametrize("body", [b"abc", gzip.compress(b"<a/>", mtime=0)], ids=["other", "gzip"])
def test_what_is_coded_is_read_each_time(coding: str, body: bytes) -> None:
    assert check(request(coding, body=body))
    assert check(response("200 X", coding, body=body))
    assert check(request(coding, "X-JobScheduler-Request-ID: 7 PT1H", body=body))


@pytest.mark.parametrize("first", [b"<", b" ", b"\t", b"\r", b"\n", b"\v", b"\f"])
def test_what_may_be_xml_is_read(first: bytes) -> None:
    for data in (request(body=first + b"<a/>"), response("200 X", body=first + b"<a/>"), request(body=first)):
        assert check(data)


def test_a_head_without_an_end_is_not_usual() -> None:
    head = b"POST /x HTTP/1.1\r\nContent-Length: "
    assert request_of(head + b"%d." % len(head)) is None
    assert response_of(head.replace(b"POST /x HTTP/1.1", b"HTTP/1.1 200 OK.") + b"%d." % len(head)) is None


@pytest.mark.parametrize("secrets", [("s", "t"), ("s", "s"), ("a b",), ("s", "a b"), ("",), ()])
@pytest.mark.parametrize("is_lower", [False, True])
def test_a_tunnels_secret_counts_where_it_is_there_once(secrets: tuple[str, ...], is_lower: bool) -> None:
    lines = [f"X-JobScheduler-Tunnel-Secret: {secret}" for secret in secrets]
    if is_lower and lines:
        lines[-1] = lines[-1].lower()
    text = "\r\n".join([f"POST {API}/tunnel/12 HTTP/1.1", "Host: twice", *lines, "Content-Length: 1", "", "S"])
    assert check(text.encode())


def test_the_first_number_of_a_request_counts() -> None:
    for line in ("X-JobScheduler-Request-ID: 7 PT1H", "x-jobscheduler-request-id: 9 PT1H"):
        assert check(request("X-JobScheduler-Request-ID: 8 PT1H", line))
        assert check(request(line, "X-JobScheduler-Request-ID: 8 PT1H")) is line.startswith("X")
        check(request(line))
    assert request_of(request("X-JobScheduler-Request-ID: 123456789 PT1H")) is not None
    assert request_of(request("X-JobScheduler-Request-ID: 1234567890 PT1H")) is None
    assert request_of(request("X-JobScheduler-Request-ID: x PT1H")) is None


@pytest.mark.parametrize(
    ("head", "left"),
    [
        (b"a\r\nDate: x\r\nb", b"a\r\nDate: \r\nb"),
        (b"a\r\nDate: x\nb", b"a\r\nDate: \nb"),
        (b"a\r\nDate: \r\nb", b"a\r\nDate: \r\nb"),
        (b"a\r\nDate: xyz", b"a\r\nDate: "),
        (b"a\r\nDate: ", b"a\r\nDate: "),
        (b"a\r\nX: Date: x", b"a\r\nX: Date: x"),
        (b"\r\nDate: x\r\n\r\nDate: y\r\n", b"\r\nDate: \r\n\r\nDate: y\r\n"),
    ],
)
def test_a_head_without_a_value(head: bytes, left: bytes) -> None:
    assert usual._without(head, b"\r\nDate: ") == left
