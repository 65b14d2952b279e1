"""Tasks on a Universal Agent as packets: the messages of a healthy task in exchanges over HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from conversation import MICROSECOND, SECOND, Address, Line, Network, Record, TaskScript, dialog

from dissector.wire.decode import encode

API = "/jobscheduler/agent/api"
CLIENT, AGENT = TaskScript().client, Address(TaskScript().remote, 4_445)
BEAT = "PT10S PT1M"
STEP = 500 * MICROSECOND


def request(path: str, body: bytes = b"", *headers: str, method: str = "POST") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: agent:4445", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


def response(status: int = 200, body: bytes = b"", *headers: str, kind: str = "application/octet-stream") -> bytes:
    head = [f"HTTP/1.1 {status} X", "Server: spray-can/1.3.4", *headers, f"Content-Type: {kind}"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def command(**value: object) -> bytes:
    body = gzip.compress(json.dumps(value, indent=2).encode(), mtime=0)
    return request(f"{API}/command", body, "Content-Encoding: gzip", "Content-Type: application/json; charset=UTF-8")


def answer(value: object) -> bytes:
    return response(200, json.dumps(value).encode(), kind="application/json; charset=UTF-8")


def refusal(status: int, text: str) -> bytes:
    return response(status, text.encode(), kind="text/plain; charset=UTF-8")


def start(job: str = "/folder/shell", task_id: str = "77", kind: str = "StartNonApiTask") -> bytes:
    return command(**{"$TYPE": kind, "meta": {"job": job, "taskId": task_id}})


def started(tunnel: str = "1", secret: str = "s3cr3t") -> bytes:
    return answer({"agentTaskId": f"{tunnel}-421142114211", "tunnelToken": {"id": tunnel, "secret": secret}})


def close(tunnel: str = "1", kill: bool = False) -> bytes:
    return command(**{"$TYPE": "CloseTask", "agentTaskId": f"{tunnel}-421142114211", "kill": kill})


def post(number: int, body: bytes, tunnel: str = "1", secret: str = "s3cr3t") -> bytes:
    """A message of the master in its tunnel."""
    return _tunnelled(tunnel, secret, body, f"Heartbeat-Start: {BEAT}", number)


def go_on(number: int, tunnel: str = "1", secret: str = "s3cr3t") -> bytes:
    return _tunnelled(tunnel, secret, b"", f"Heartbeat-Continue: 5f3a {BEAT}", number)


def idle(tunnel: str = "1", secret: str = "s3cr3t") -> bytes:
    return _tunnelled(tunnel, secret, b"", f"Heartbeat: {BEAT}", None)


def _tunnelled(tunnel: str, secret: str, body: bytes, beat: str, number: int | None) -> bytes:
    headers = [f"X-JobScheduler-Tunnel-Secret: {secret}", f"X-JobScheduler-{beat}"]
    headers += [f"X-JobScheduler-Request-ID: {number} PT277777H46M39S"] if number is not None else []
    return request(f"{API}/tunnel/{tunnel}", body, "Content-Type: application/octet-stream", *headers)


@dataclass
class Pool:
    """A master's connections to an agent: exchanges go over any of them, one after the other."""

    network: Network = field(default_factory=Network)
    mss: int = 1_448
    now: int = 0
    agent: Address = AGENT
    lines: dict[int, Line] = field(default_factory=dict)

    def ask(self, data: bytes, line: int = 0) -> None:
        self._line(line).send(self._later(), 0, data, self.mss)

    def reply(self, data: bytes, line: int = 0) -> None:
        self._line(line).send(self._later(), 1, data, self.mss)

    def exchange(self, asked: bytes, answered: bytes, line: int = 0) -> None:
        self.ask(asked, line)
        self.reply(answered, line)

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)

    def end(self) -> list[Record]:
        for line in self.lines.values():
            line.finish(self._later(), 0)
        return self.network.ordered()

    def _line(self, number: int) -> Line:
        if number not in self.lines:
            self.lines[number] = self.network.line(Address(CLIENT, 40_000 + number), self.agent)
            self.lines[number].open(self._later())
        return self.lines[number]

    def _later(self) -> int:
        self.now += STEP
        return self.now


@dataclass
class Plan:
    """How a healthy task is played: the connection of each exchange in turn, and which requests wait for a heartbeat
    or are repeated, by their places."""

    lines: Sequence[int] = (0,)
    slow: frozenset[int] = frozenset()
    repeated: frozenset[int] = frozenset()


def bodies() -> list[tuple[bytes, bytes]]:
    """The messages of a healthy task as pairs of what the master says and what comes back."""
    said = [(side, encode(body)) for side, body in dialog(TaskScript())]
    assert [side for side, _ in said] == [1, 0] * (len(said) // 2)
    return [(said[index][1], said[index + 1][1]) for index in range(0, len(said), 2)]


def begun(pool: Pool, messages: int = 3, tunnel: str = "1", secret: str = "s3cr3t") -> int:
    """A start and some messages; the number of the next request."""
    pool.exchange(start(), started(tunnel, secret))
    for number, (asked, answered) in enumerate(bodies()[:messages], 1):
        pool.exchange(post(number, asked, tunnel, secret), response(200, answered))
    return messages + 1


def gone_on_twice(pool: Pool) -> None:
    """A begun task's request for more is repeated on another connection, and both get the same answer."""
    number = begun(pool)
    asked, answered = bodies()[3]
    pool.exchange(post(number, asked), response(202))
    pool.ask(go_on(number + 1))
    pool.wait(11)
    pool.ask(go_on(number + 1), line=1)
    pool.reply(response(200, answered), line=1)
    pool.reply(response(200, answered))


def play(plan: Plan, pool: Pool | None = None) -> list[Record]:
    """A whole task."""
    pool = pool or Pool()
    turns, numbers = count(), count(1)

    def line() -> int:
        return plan.lines[next(turns) % len(plan.lines)]

    pool.exchange(start(), started(), line())
    for place, (asked, answered) in enumerate(bodies()):
        message, at = post(next(numbers), asked), line()
        pool.ask(message, at)
        if place in plan.repeated:
            other = line() + 10
            pool.wait(11)
            pool.ask(message, other)
            pool.reply(response(200, answered), other)
        if place in plan.slow:
            pool.reply(response(202, b"", "X-JobScheduler-Heartbeat: 5f3a"), at)
            at = line()
            pool.ask(go_on(next(numbers)), at)
        pool.reply(response(200, answered), at)
    pool.exchange(close(), answer({}), line())
    return pool.end()
