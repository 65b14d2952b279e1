"""Connections to a Universal Agent on which something grows: requests, heads, bodies, and what is in them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

from benchmarks.attacks.lines import ACK, CLIENT, REMOTE, Line, Packets, clocked
from dissector.wire import messages as m
from dissector.wire.decode import encode

API = b"/jobscheduler/agent/api"
_PORT = 4_445
_JSON = b"Content-Type: application/json; charset=UTF-8\r\n"
_GZIP = b"Content-Encoding: gzip\r\n"
_CREATE = encode(m.CreateInstance(0, bytes(16), m.Reference(0, None), 0, (bytes(16),)))


def post(path: bytes, body: bytes = b"", headers: bytes = b"") -> bytes:
    return b"POST %b%b HTTP/1.1\r\nHost: agent\r\n%bContent-Length: %d\r\n\r\n%b" % (
        API,
        path,
        headers,
        len(body),
        body,
    )


def answer(body: bytes = b"{}", status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, _JSON, len(body), body)


def command(body: bytes) -> bytes:
    return post(b"/command", body, _JSON)


def packed(body: bytes) -> bytes:
    return post(b"/command", gzip.compress(body, mtime=0), _GZIP + _JSON)


def tunnelled(tunnel: bytes, number: int, body: bytes = _CREATE, secret: bytes = b"s") -> bytes:
    headers = b"X-JobScheduler-Tunnel-Secret: %b\r\nX-JobScheduler-Request-ID: %d PT1H\r\n" % (secret, number)
    return post(b"/tunnel/" + tunnel, body, headers + b"X-JobScheduler-Heartbeat-Start: PT10S PT1M\r\n")


def started(number: int) -> bytes:
    token = b'{"agentTaskId":"%d-4211421142114211","tunnelToken":{"id":"%d","secret":"secret-of-%d"}}'
    return answer(token % (number, number, number))


def line(number: int = 0) -> Line:
    return Line((CLIENT + (number // 60_000 << 8), 1_024 + number % 60_000), (REMOTE, _PORT))


def _one(said: Callable[[Line], Iterator[bytes]]) -> Packets:
    """What is said on one connection."""

    def packets() -> Iterator[bytes]:
        one = line()
        yield from one.open()
        yield from said(one)

    return clocked(packets())


def _asked(bodies: Iterator[bytes]) -> Packets:
    """Requests that are answered."""

    def said(one: Line) -> Iterator[bytes]:
        for body in bodies:
            yield from one.send(0, body)
            yield from one.send(1, answer())

    return _one(said)


# --- heads and bodies ----------------------------------------------------------------------------------------------


def http_headers(n: int) -> Packets:
    """A head of ever more headers, which never ends."""

    def said(one: Line) -> Iterator[bytes]:
        yield from one.send(0, b"POST %b/command HTTP/1.1\r\n" % API)
        for number in range(n):
            yield from one.send(0, b"".join(b"X-%d: %d\r\n" % (number, at) for at in range(100)))

    return _one(said)


def http_many_headers(n: int) -> Packets:
    """Heads of thousands of headers, each as long as a head may be."""
    head = b"POST %b/task HTTP/1.1\r\n" % API + b"a:\r\n" * 16_000 + b"Content-Length: 0\r\n\r\n"
    return _asked(head for _ in range(n // 20))


def http_endless_head(n: int) -> Packets:
    """A byte a segment, without a line end."""

    def said(one: Line) -> Iterator[bytes]:
        yield from one.send(0, b"POST %b/command HTTP/1.1\r\nX: " % API)
        for _ in range(20 * n):
            yield one.packet(0, ACK, b"x")

    return _one(said)


def http_extensions(n: int) -> Packets:
    """Chunks with extensions that are longer than their bytes."""

    def said(one: Line) -> Iterator[bytes]:
        yield from one.send(0, b"POST %b/command HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" % API)
        for _ in range(n):
            yield from one.send(0, b"1;" + b"e" * 3_000 + b"\r\nx\r\n")

    return _one(said)


def http_chunk_lines(n: int) -> Packets:
    """Digits of a chunk's size, a byte a segment, without a line end."""

    def said(one: Line) -> Iterator[bytes]:
        yield from one.send(0, b"POST %b/command HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" % API)
        for _ in range(20 * n):
            yield one.packet(0, ACK, b"0")

    return _one(said)


def http_packed(n: int) -> Packets:
    """Bodies that unpack to a thousand times their size."""
    bomb = packed(b'{"$TYPE": "NoOperation", "x": "' + b"x" * 4_000_000)
    return _asked(bomb for _ in range(n // 4))


def json_deep(n: int) -> Packets:
    return _asked(command(b'{"a":' * 2_000) for _ in range(n))


def json_keys(n: int) -> Packets:
    body = json.dumps({"$TYPE": "NoOperation", **{f"key{at}": at for at in range(2_000)}}).encode()
    return _asked(command(body) for _ in range(n))


def json_numbers(n: int) -> Packets:
    return _asked(
        command(b'{"$TYPE": "StartNonApiTask", "meta": {"taskId": %b, "job": 1e%b}}' % (b"9" * 5_000, b"9" * 500))
        for _ in range(n)
    )


# --- requests and tasks --------------------------------------------------------------------------------------------


def http_pipelined(n: int) -> Packets:
    """Requests that nobody answers."""

    def said(one: Line) -> Iterator[bytes]:
        for _ in range(n):
            yield from one.send(0, command(b'{"$TYPE":"NoOperation"}') * 10)
        for _ in range(n):
            yield from one.send(1, answer() * 10)

    return _one(said)


def http_idle(n: int) -> Packets:
    """Connections that were used once and stay open."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            one = line(number)
            yield from one.open()
            yield from one.send(0, command(b'{"$TYPE":"NoOperation"}'))
            yield from one.send(1, answer())

    return clocked(packets())


def agent_tasks(n: int) -> Packets:
    """Starts that are answered and never closed, on one connection."""

    def said(one: Line) -> Iterator[bytes]:
        for number in range(n):
            yield from one.send(0, command(b'{"$TYPE":"StartNonApiTask","meta":{"job":"/x","taskId":"%d"}}' % number))
            yield from one.send(1, started(number))

    return _one(said)


def agent_tunnels(n: int) -> Packets:
    """Requests to tunnels that nobody announced, each with an answer."""

    def said(one: Line) -> Iterator[bytes]:
        for number in range(n):
            yield from one.send(0, tunnelled(b"%d" % number, 1))
            yield from one.send(1, answer(b"A" + bytes(8)))

    return _one(said)


def agent_strangers(n: int) -> Packets:
    """The same without an answer, each on a connection of its own."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            one = line(number)
            yield from one.open()
            yield from one.send(0, tunnelled(b"1", 1, secret=b"guess %d" % number))

    return clocked(packets())


def agent_requests(n: int) -> Packets:
    """Requests of one task, each with the next number."""

    def said(one: Line) -> Iterator[bytes]:
        yield from one.send(0, command(b'{"$TYPE":"StartNonApiTask","meta":{"job":"/x","taskId":"1"}}'))
        yield from one.send(1, started(1))
        for number in range(1, 4 * n):
            yield from one.send(0, tunnelled(b"1", number, secret=b"secret-of-1"))
            yield from one.send(1, answer(status=202, body=b""))

    return _one(said)


def agent_repetitions(n: int) -> Packets:
    """One request of a task again and again, on connections of their own."""

    def packets() -> Iterator[bytes]:
        first = line()
        yield from first.open()
        yield from first.send(0, command(b'{"$TYPE":"StartNonApiTask","meta":{"job":"/x","taskId":"1"}}'))
        yield from first.send(1, started(1))
        for number in range(1, n):
            one = line(number)
            yield from one.open()
            yield from one.send(0, tunnelled(b"1", 1, secret=b"secret-of-1"))

    return clocked(packets())


def agent_long_ids(n: int) -> Packets:
    """Tunnels whose ids have 5,000 digits."""

    def said(one: Line) -> Iterator[bytes]:
        for number in range(n // 2):
            yield from one.send(0, tunnelled(b"%05000d" % number, 10**4_000))
            yield from one.send(1, answer(b"A" + bytes(8)))

    return _one(said)


SHAPES: tuple[Callable[[int], Packets], ...] = (
    *(http_headers, http_many_headers, http_endless_head, http_extensions, http_chunk_lines, http_packed),
    *(json_deep, json_keys, json_numbers, http_pipelined, http_idle),
    *(agent_tasks, agent_tunnels, agent_strangers, agent_requests, agent_repetitions, agent_long_ids),
)
