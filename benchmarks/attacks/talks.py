"""One connection on which something grows."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attacks.lines import (
    ACK,
    CLIENT,
    DONE,
    LOG,
    NULL,
    REMOTE,
    Line,
    Packets,
    callback,
    clocked,
    command,
    logged,
    opening,
)
from dissector.wire import messages as m
from dissector.wire.decode import encode_frame


def pending_commands(n: int) -> Packets:
    """Documents without an end, none of them answered."""

    def packets() -> Iterator[bytes]:
        line = command(0)
        yield from line.open()
        yield from line.send(0, b"<remote_scheduler.a/>")
        yield from line.send(0, b"<s/>" * (40 * n))

    return clocked(packets())


def log_lines(n: int) -> Packets:
    """Each with a secret of its own."""

    def packets() -> Iterator[bytes]:
        line = callback(0, 59_999)
        yield from opening(line)
        for number in range(4 * n):
            yield from line.send(0, logged(f"line {number} password={number}"))
            yield from line.send(1, DONE)

    return clocked(packets())


def plain_log_lines(n: int) -> Packets:
    """The same without secrets."""

    def packets() -> Iterator[bytes]:
        line = callback(0, 59_999)
        yield from opening(line)
        for number in range(4 * n):
            yield from line.send(0, logged(f"line {number} of the log"))
            yield from line.send(1, DONE)

    return clocked(packets())


def line_of_secrets(n: int) -> Packets:
    """One line that is nothing but secrets."""
    return _one_line("password=abc " * (30 * n))


def line_of_addresses(n: int) -> Packets:
    """One line of beginnings of what may have a password behind them."""
    return _one_line("jdbc:" * n)


def _one_line(text: str) -> Packets:
    def packets() -> Iterator[bytes]:
        line = callback(0, 59_999)
        yield from opening(line)
        yield from line.send(0, logged(text))
        yield from line.send(1, DONE)

    return clocked(packets())


def objects(n: int) -> Packets:
    """Each call brings an object that nobody knew."""

    def packets() -> Iterator[bytes]:
        line = callback(0, 59_999)
        yield from opening(line)
        for number in range(n):
            new = m.Variant(9, m.Reference(number + 9 << 32, m.NewObject(f"Obj{number}", NULL, ())))
            yield from line.send(0, encode_frame(m.Invoke(LOG, 99, NULL, 0, 1, m.DispParams((), (new,)))))
            yield from line.send(1, DONE)

    return clocked(packets())


def names(n: int) -> Packets:
    """Each lookup brings a name that nobody knew."""

    def packets() -> Iterator[bytes]:
        line = callback(0, 59_999)
        yield from opening(line)
        for number in range(n):
            yield from line.send(0, encode_frame(m.GetIdsOfNames(LOG, NULL, 0, (f"name{number}",))))
            yield from line.send(1, encode_frame(m.GetIdsOfNamesAnswer(0, (number,))))

    return clocked(packets())


def calls_without_answer(n: int) -> Packets:
    def packets() -> Iterator[bytes]:
        line = callback(0, 59_999)
        yield from opening(line)
        for number in range(n):
            yield from line.send(0, logged(f"line {number}"))

    return clocked(packets())


def problems(n: int) -> Packets:
    """Messages of length 0."""

    def packets() -> Iterator[bytes]:
        line = callback(0, 59_999)
        yield from opening(line)
        yield from line.send(0, bytes(40 * n))

    return clocked(packets())


def gaps(n: int, port: int = 4_444) -> Packets:
    """Every second segment is missing, on a connection that belongs to no task."""

    def packets() -> Iterator[bytes]:
        line = Line((CLIENT, 2_000), (REMOTE, port))
        yield from line.open()
        yield from line.send(0, b"<remote_scheduler.a>")
        for _ in range(n):
            line._next[0] += 10
            yield from line.send(0, b"<a>")
            yield line.packet(1, ACK)

    return clocked(packets())


def early_segments(n: int) -> Packets:
    """Segments behind a hole, in pieces that do not touch, the last one first."""

    def packets() -> Iterator[bytes]:
        line = command(0)
        yield from line.open()
        yield from line.send(0, b"<remote_scheduler.a>")
        for number in range(n):
            yield line.packet(0, ACK, b"x", skip=2 * (n - number))

    return clocked(packets())


def covered_segments(n: int) -> Packets:
    """Small pieces behind a hole, and segments over all of them again and again, cut off by the snap length."""

    def packets() -> Iterator[bytes]:
        line = command(0)
        yield from line.open()
        yield from line.send(0, b"<remote_scheduler.a>")
        for number in range(n):
            yield line.packet(0, ACK, b"x", skip=2 + number)
        for _ in range(n):
            yield line.packet(0, ACK, b"x", skip=2, length=60_000)

    return clocked(packets())


def fragments(n: int) -> Packets:
    line = command(0)
    data = bytearray(line.packet(0, ACK, b"x" * 8))
    data[20] = 0x20
    return clocked(bytes(data) for _ in range(n))


def small_segments(n: int) -> Packets:
    """A connection that could still become anything, a byte a segment."""

    def packets() -> Iterator[bytes]:
        data = b"\0\0\0\1K" * 800
        for number in range(0, n, len(data)):
            line = Line((REMOTE, 1_024 + number // len(data)), (CLIENT, 50_123))
            yield line.packet(0, ACK)
            for at in range(min(n - number, len(data))):
                yield line.packet(0, ACK, data[at : at + 1])

    return clocked(packets())


def http_chunks(n: int) -> Packets:
    """An HTTP request whose body comes in chunks of a byte."""

    def packets() -> Iterator[bytes]:
        line = command(0)
        yield from line.open()
        yield from line.send(0, b"POST /jobscheduler/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(n):
            yield from line.send(0, b"1\r\nx\r\n")

    return clocked(packets())
