"""Messages of a usual form, known by the bytes of their heads: what is said of them is what any message is read for."""

from __future__ import annotations

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


@settings(max_examples=600, deadline=None)
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
