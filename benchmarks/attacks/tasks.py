"""Tasks, callbacks and connections of which there are ever more."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.attacks.lines import (
    ACK,
    CLIENT,
    MILLISECOND,
    RST,
    SYN,
    TIME,
    Packets,
    callback,
    clocked,
    command,
    opening,
    start,
    started,
)
from dissector.wire import control


def open_tasks(n: int) -> Packets:
    """Starts that are answered and never closed."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = command(number)
            yield from line.open()
            yield from line.send(0, start(59_999 - number % 30_000))
            yield from line.send(1, started(number))

    return clocked(packets(), 3 * MILLISECOND)


def closing_tasks(n: int) -> Packets:
    """Starts whose connections close, so that only the callback is waited for, all in the same millisecond."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = command(number)
            yield from line.open()
            yield from line.send(0, start(59_999 - number % 30_000))
            yield from line.send(1, started(number))
            yield from line.finish()

    return clocked(packets(), 0)


def starts_on_one_connection(n: int) -> Packets:
    def packets() -> Iterator[bytes]:
        line = command(0)
        yield from line.open()
        for number in range(n):
            yield from line.send(0, start(59_999 - number % 30_000))
            yield from line.send(1, started(number))
        for number in range(n):
            yield from line.send(0, control.encode_close(control.CloseTask(number)))
            yield from line.send(1, control.encode_ok(TIME))

    return clocked(packets())


def starts_without_answer(n: int) -> Packets:
    def packets() -> Iterator[bytes]:
        line = command(0)
        yield from line.open()
        for number in range(n):
            yield from line.send(0, start(59_999 - number % 30_000))

    return clocked(packets())


def starts_for_one_port(n: int) -> Packets:
    """Every start announces the same port, which is called once for each."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = command(number)
            yield from line.open()
            yield from line.send(0, start(59_999))
        for number in range(n):
            yield callback(number, 59_999).packet(0, SYN)

    return clocked(packets())


def calls_elsewhere(n: int) -> Packets:
    """Starts that wait for their callbacks, and as many connections of their remote to a port that none announced."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = command(number)
            yield from line.open()
            yield from line.send(0, start(59_000 - number % 100))
        for number in range(n):
            yield callback(number, 59_500).packet(0, SYN)

    return clocked(packets())


def calls_to_one_port(n: int) -> Packets:
    """One start, and connections to its port that are refused."""

    def packets() -> Iterator[bytes]:
        line = command(0)
        yield from line.open()
        yield from line.send(0, start(59_999))
        for number in range(n):
            line = callback(number, 59_999)
            yield line.packet(0, SYN)
            yield line.packet(1, RST | ACK)

    return clocked(packets(), 5 * MILLISECOND)


def answers_alone(n: int) -> Packets:
    """Only the answers to the starts, then only callbacks, which may belong to any of them."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = command(number)
            yield from line.open()
            yield from line.send(1, started(number))
        for number in range(n):
            yield from opening(callback(number, 59_999 - number % 30_000))

    return clocked(packets())


def closes_alone(n: int) -> Packets:
    """Only callbacks, then only closes, which may belong to any of them."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            yield from opening(callback(number, 59_999 - number % 30_000))
        for number in range(n):
            line = command(number)
            yield from line.open()
            yield from line.send(0, control.encode_close(control.CloseTask(number)))

    # A callback that says all within CLOCK_JITTER waits for its start until the end of the capture.
    return clocked(packets(), 2 * MILLISECOND)


def silent_then_starts(n: int) -> Packets:
    """A connection that may become a task's first one, and starts that have to wait for it with their numbers."""

    def packets() -> Iterator[bytes]:
        yield from command(0, client=CLIENT + 7).open()
        for number in range(n):
            line = command(number)
            yield from line.open()
            yield from line.send(0, start(59_999 - number % 30_000))

    return clocked(packets(), 1_000)


def unanswered_syns(n: int) -> Packets:
    return clocked((command(number).packet(0, SYN) for number in range(n)), 2 * MILLISECOND)


def half_open(n: int) -> Packets:
    """Connections to the command port that are accepted and never say a word."""
    return clocked(data for number in range(n) for data in command(number).open())
