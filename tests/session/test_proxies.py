"""Connections through a proxy that is asked by CONNECT: what they carry is read as if there were no proxy."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from conversation import Address, Network, pcap
from kit import traced
from tls_kit import Setup, Wire

from dissector.model import Connection, Exchange, Problem, Role, Task
from dissector.session import advance
from dissector.session.run_detection import find_runs
from dissector.session.sniffer import Sniffer
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.wire.tls_keys import Secrets

MASTER, PROXY = Address("10.1.0.10", 40_000), Address("10.9.0.1", 3_128)
AGENT = "agent.example:4445"
CONNECT = f"CONNECT {AGENT} HTTP/1.1\r\nHost: {AGENT}\r\nUser-Agent: Java\r\n\r\n".encode()
CONNECTED = b"HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\n"
START = b'{"$TYPE":"StartNonApiTask","meta":{"job":"/a","taskId":"1"},"javaOptions":"","javaClasspath":""}'
STARTED = b'{"agentTaskId":"1-42","tunnelToken":{"id":"1","secret":"%s"}}'


def post(path: str, body: bytes, more: str = "") -> bytes:
    head = f"POST /jobscheduler/agent/api/{path} HTTP/1.1\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answer(body: bytes, kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("mss", [1_448, 7])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_behind_a_proxy_is_deciphered(version: ssl.TLSVersion, mss: int, tmp_path: Path) -> None:
    setup, network = Setup(version=version), Network()
    wire = Wire(setup, network.line(MASTER, PROXY), mss=mss)
    wire.line.send(10**6, 0, CONNECT, mss)
    wire.line.send(2 * 10**6, 1, CONNECTED, mss)
    wire.now = 3 * 10**6
    assert wire.handshake()
    wire.say(0, post("command", START))
    wire.say(1, answer(STARTED % b"s"))
    wire.end()
    records = network.ordered()
    for secrets in (setup.secrets, b""):
        events = traced(records, secrets)
        (connection,) = [one for one in events if isinstance(one, Connection)]
        assert connection.asked_for == AGENT
        assert connection.role is (Role.HTTP if secrets else Role.TLS)
        assert len([one for one in events if isinstance(one, Task)]) == bool(secrets)
        assert ("tls_not_decrypted" in {one.code for one in events if isinstance(one, Problem)}) is not bool(secrets)
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(records))
    known = Secrets()
    known.add_log(setup.secrets)
    found = list(advance.events_of(Tracer(secrets=known), CaptureReader([path]).blocks(find_runs)))
    assert [type(one) for one in found] == [type(one) for one in traced(records, setup.secrets)]


def test_agents_behind_one_proxy_are_told_apart() -> None:
    """Both count their tunnels from 1 on."""
    network = Network()
    for number, agent in enumerate((b"one:4445", b"two:4445")):
        line, now = network.line(MASTER._replace(port=40_000 + number), PROXY), (1 + number) * 10**6
        line.open(now)
        said = [
            (0, CONNECT.replace(AGENT.encode(), agent)),
            (1, CONNECTED),
            (0, post("command", START)),
            (1, answer(STARTED % agent[:3])),
            (0, post("tunnel/1", b"S" + bytes(8) + b"C" + bytes(8), "X-JobScheduler-Request-ID: 1 PT1H\r\n")),
        ]
        for place, (side, data) in enumerate(said):
            line.send(now + (1 + 2 * place) * 10**7, side, data)
    events = traced(network.ordered())
    assert len([one for one in events if isinstance(one, Task)]) == 2
    asked = [one for one in events if isinstance(one, Exchange) and one.kind == "tunnel"]
    assert len({id(one.task) for one in asked}) == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [(407, "asks for a name and a password"), (403, "did not reach"), (502, "did not reach"), (504, "did not reach")],
)
def test_a_proxy_that_refuses_is_named(status: int, words: str) -> None:
    refused = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    for port, is_known in ((4_445, True), (443, False)):
        network = Network()
        line = network.line(MASTER, PROXY)
        line.open(0)
        line.send(10**6, 0, CONNECT.replace(b":4445", f":{port}".encode()))
        line.send(2 * 10**6, 1, refused)
        line.finish(3 * 10**6, 1)
        found = [one for one in traced(network.ordered()) if isinstance(one, Problem) and one.code == "proxy_error"]
        assert len(found) == is_known
        for one in found:
            assert words in one.cause
            assert str(status) in one.summary
            assert "10.9.0.1:3128" in one.summary


REFUSED = b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 5000\r\n\r\n" + b"<" * 5_000
CHUNKED = b"HTTP/1.1 407 Who\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
NAMED = CONNECT.replace(b"User-Agent", b"Proxy-Authorization: Basic YTpi\r\nUser-Agent")


@pytest.mark.parametrize("mss", [1_448, 7])
@pytest.mark.parametrize("refusals", [[REFUSED], [CHUNKED], [CHUNKED, REFUSED]], ids=["length", "chunked", "twice"])
def test_who_is_refused_may_ask_once_more(refusals: list[bytes], mss: int) -> None:
    """As Java does, which tells its name only to a proxy that wants to know it."""
    network = Network()
    line = network.line(MASTER, PROXY)
    line.open(0)
    said = [(0, CONNECT)]
    for refused in refusals:
        said += [(1, refused), (0, NAMED)]
    said += [(1, CONNECTED), (0, post("command", START)), (1, answer(STARTED % b"s"))]
    for place, (side, data) in enumerate(said):
        line.send((1 + place) * 10**7, side, data, mss)
    line.finish(10**9, 0)
    events = traced(network.ordered())
    (connection,) = [one for one in events if isinstance(one, Connection)]
    assert (connection.asked_for, connection.role) == (AGENT, Role.HTTP)
    assert len([one for one in events if isinstance(one, Task)]) == 1
    assert "proxy_error" not in {one.code for one in events if isinstance(one, Problem)}


def test_a_refusal_in_very_many_pieces_is_not_read_with_every_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    refusal = Sniffer._refusal

    def counted(sniffer: Sniffer) -> int:
        looks.append(len(sniffer.events))
        return refusal(sniffer)

    monkeypatch.setattr(Sniffer, "_refusal", counted)
    network = Network()
    line = network.line(MASTER, PROXY)
    line.open(0)
    line.send(10**7, 0, CONNECT)
    line.send(2 * 10**7, 1, REFUSED[:200])
    line.send(3 * 10**7, 0, NAMED)
    line.send(4 * 10**7, 1, REFUSED[200:], 2)
    said = [(1, CONNECTED), (0, post("command", START)), (1, answer(STARTED % b"s"))]
    for place, (side, data) in enumerate(said):
        line.send((5 + place) * 10**8, side, data, 2)
    line.finish(10**9, 0)
    assert len([one for one in traced(network.ordered()) if isinstance(one, Task)]) == 1
    assert len(looks) < 150 < len(REFUSED) // 4


@pytest.mark.parametrize("port", [4_445, 443])
@pytest.mark.parametrize("status", [407, 403])
def test_who_is_refused_and_asks_for_something_else_is_told_at_once(status: int, port: int) -> None:
    """As is who asks once more and is not answered."""
    ask, refused = CONNECT.replace(b":4445", b":%d" % port), b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status
    for behind in (b"", b"GET / HTTP/1.1\r\n\r\n", b"CONNEC", NAMED):
        network = Network()
        line = network.line(MASTER, PROXY)
        line.open(0)
        for place, (side, data) in enumerate([(0, ask), (1, refused), (0, behind)]):
            line.send((1 + place) * 10**7, side, data)
        line.finish(10**9, 0)
        events = traced(network.ordered())
        assert len([one for one in events if isinstance(one, Connection)]) == (port == 4_445)
        assert ("proxy_error" in {one.code for one in events if isinstance(one, Problem)}) is (port == 4_445)


def test_what_never_ends_to_ask_is_given_up() -> None:
    network = Network()
    line = network.line(MASTER, PROXY)
    line.open(0)
    line.send(10**6, 0, b"CONNECT a:4445 HTTP/1.1\r\n" + b"X: y\r\n" * 2_000)
    line.send(10**9, 1, CONNECTED)
    assert [one for one in traced(network.ordered()) if isinstance(one, Connection)] == []
