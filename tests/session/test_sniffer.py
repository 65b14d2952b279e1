"""What is kept of a new connection until its bytes tell what it is, and how often it is looked at."""

from __future__ import annotations

import pytest
from parts import HERE, THERE, connection

from dissector.limits import MAX_SNIFF
from dissector.model import Endpoint, Role
from dissector.session import detect
from dissector.session.sniffer import Sniffer
from dissector.traffic import Chunk, Gap, Side

START = b"<remote_scheduler.start_remote_task"
CREATE = b"\0\0\0\x2eS" + bytes(8) + b"C" + bytes(36)


def sniffer(*, port: bool = False, mid_stream: bool = False) -> Sniffer:
    return Sniffer(connection(mid_stream=mid_stream), is_command_port=port)


def say(made: Sniffer, data: bytes, side: Side = HERE) -> None:
    made.chunk(Chunk(side, 0, data, 1, 1))


def lose(made: Sniffer, side: Side = HERE) -> None:
    made.gap(Gap(side, 0, 5, 1, 1))


def test_the_first_bytes_of_each_direction_are_kept() -> None:
    made = sniffer(port=True)
    say(made, b"a" * (MAX_SNIFF - 1))
    say(made, b"bc")
    say(made, b"d")
    assert made.head == b"a" * (MAX_SNIFF - 1) + b"b"
    say(made, b"server", THERE)
    assert made.head[-1:] == b"b"
    lose(made, THERE)
    assert len(made.head) == MAX_SNIFF
    lose(made)
    assert made.head == b""


@pytest.mark.parametrize(("pieces", "role"), [(2 * MAX_SNIFF - 1, None), (2 * MAX_SNIFF, Role.UNKNOWN)])
def test_after_how_many_pieces_nobody_will_know(pieces: int, role: Role | None) -> None:
    made = sniffer(port=True)
    for _ in range(pieces):
        say(made, b"")
    assert made.verdict() is role
    before = len(made.events)
    lose(made)
    assert len(made.events) - before == (role is None)
    say(made, START)
    assert made.verdict() is Role.UNKNOWN


def test_a_callback_stays_one_however_many_pieces_come() -> None:
    made = sniffer()
    say(made, CREATE, THERE)
    assert made.verdict() is Role.CALLBACK
    for _ in range(2 * MAX_SNIFF):
        say(made, b"")
    assert made.verdict() is Role.CALLBACK


def looks(made: Sniffer, pieces: int, size: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that were there each time when it was looked at; each piece has so many."""
    seen = []
    original = detect.verdict

    def verdict(client: bytes, server: bytes, *, is_command_port: bool, mid_stream: bool) -> Role | None:
        seen.append(len(client) + len(server))
        return original(client, server, is_command_port=is_command_port, mid_stream=mid_stream)

    monkeypatch.setattr("dissector.session.sniffer.detect.verdict", verdict)
    for _ in range(pieces):
        say(made, b" " * size)
        made.verdict()
    return seen


def test_it_is_looked_at_with_each_piece_and_then_more_and_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 64 pieces again only when there is a sixteenth more."""
    seen = looks(sniffer(), 100, 1, monkeypatch)
    assert seen == [*range(1, 65), 68, 72, 76, 80, 85, 90, 95, 100]


def test_it_is_looked_at_when_there_is_all_that_will_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    made = sniffer()
    seen = looks(made, 64, 63, monkeypatch)
    say(made, b" " * 63)
    assert made.verdict() is None
    assert len(seen) == 64
    say(made, b"  ")
    assert made.verdict() is Role.UNKNOWN
    assert seen[-1] == MAX_SNIFF


@pytest.mark.parametrize(("pieces", "may"), [(63, True), (64, False)])
def test_how_many_pieces_may_wait(pieces: int, may: bool) -> None:
    made = sniffer()
    for _ in range(pieces):
        say(made, b"")
    assert made.may_wait is may


def test_where_bytes_are_missing_the_others_may_begin_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def verdict(client: bytes, server: bytes, *, is_command_port: bool, mid_stream: bool) -> None:
        seen.append((client, server, is_command_port, mid_stream))

    monkeypatch.setattr("dissector.session.sniffer.detect.verdict", verdict)
    for port, mid_stream, gap in ((True, False, False), (False, True, False), (False, False, True)):
        made = sniffer(port=port, mid_stream=mid_stream)
        say(made, b"a")
        say(made, b"b", THERE)
        if gap:
            lose(made)
        made.verdict()
        assert seen.pop() == (b"" if gap else b"a", b"b", port, mid_stream or gap)


@pytest.mark.parametrize(
    ("client", "server", "ours", "protocol"),
    [
        (b" <a/>", b"", True, None),
        (b"a", b"", False, None),
        (b"", b"", False, None),
        (START, b"", True, None),
        (b"", b"<spooler><answer/>", True, None),
        (b"POST /jobscheduler/engine/command HTTP/1.1\r\n", b"", True, None),
        (b"POST /index HTTP/1.1\r\n", b"", False, "HTTP"),
        (b"<stream:stream>", b"", False, "XMPP"),
        (b"", b"SSH-2.0-x", False, "SSH"),
    ],
)
def test_whose_bytes_they_are(client: bytes, server: bytes, ours: bool, protocol: str | None) -> None:
    made = sniffer()
    say(made, client)
    say(made, server, THERE)
    assert (made.is_ours, made.protocol) == (ours, protocol)


@pytest.mark.parametrize(("mid_stream", "swapped"), [(True, True), (False, False)])
def test_only_in_mid_stream_the_ends_may_be_the_wrong_way_round(mid_stream: bool, swapped: bool) -> None:
    made = sniffer(mid_stream=mid_stream)
    say(made, START, THERE)
    assert made.swapped is swapped
    assert made.verdict() is (Role.COMMAND if mid_stream else None)


@pytest.mark.parametrize("port", [False, True])
@pytest.mark.parametrize("asked", [4_445, 443])
def test_a_port_that_a_proxy_is_asked_for_counts_as_well(asked: int, port: bool) -> None:
    made = Sniffer(connection(), is_command_port=port, is_server=lambda one: one == Endpoint("agent", 4_445))
    say(made, b"CONNECT agent:%d HTTP/1.1\r\n\r\n" % asked)
    say(made, b"HTTP/1.1 200 OK\r\n\r\n", THERE)
    made.verdict()
    assert made.connection.asked_for == f"agent:{asked}"
    assert made.is_command_port is (port or asked == 4_445)
