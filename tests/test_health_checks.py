"""Health checks of command ports, many of them, start no task and blame nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conversation import ACK, RST, SECOND, Address, Line, Network

from dissector.model import Problem, Task
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader

MILLISECOND = SECOND // 1_000
GET = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
FOUND = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: All that may be said of them.
REMARKS = {"unused_connections", "other_traffic", "foreign_protocol"}


def closes(line: Line, now: int) -> None:
    line.finish(now, 0)


def resets(line: Line, now: int) -> None:
    line.packet(now, 0, RST | ACK)


def is_closed(line: Line, now: int) -> None:
    line.finish(now, 1)


def asks(line: Line, now: int) -> None:
    line.send(now, 0, GET)
    line.send(now + MILLISECOND, 1, FOUND)
    line.finish(now + 2 * MILLISECOND, 0)


def asks_and_resets(line: Line, now: int) -> None:
    line.send(now, 0, GET)
    line.send(now + MILLISECOND, 1, FOUND)
    line.packet(now + 2 * MILLISECOND, 0, RST | ACK)


def asks_in_vain(line: Line, now: int) -> None:
    line.send(now, 0, GET)
    line.finish(now + MILLISECOND, 1)


@pytest.mark.parametrize("check", [closes, resets, is_closed, asks, asks_and_resets, asks_in_vain])
@pytest.mark.parametrize("port", ["command", "agent"])
def test_many_checks_are_no_tasks(port: str, check: Callable[[Line, int], None], tmp_path: Path) -> None:
    network = Network()
    server = Address("10.2.0.10", 4_455 if port == "command" else 4_445)
    for number in range(66):
        line = network.line(Address("10.1.0.50", 40_000 + number), server)
        line.open(number * SECOND)
        check(line, number * SECOND + MILLISECOND)
    path = tmp_path / "checks.pcap"
    path.write_bytes(network.capture())
    tracer = Tracer()
    events = [event for packet in CaptureReader([str(path)]) for event in tracer.feed(packet)]
    events += [*tracer.finish(), *tracer.overview.problems()]
    assert not [one for one in events if isinstance(one, Task)]
    told = [one for one in events if isinstance(one, Problem)]
    assert told
    assert {one.code for one in told} <= REMARKS
    assert {one.severity.value for one in told} == {"info"}
