"""Handshakes that fail, ports that take something else, and what is told of connections that stay sealed."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from conversation import Address, Network, Record, pcap
from kit import packets_of, traced
from test_https import AGENT
from tls_kit import Setup, Wire, identity, replayed

from dissector.model import Connection, Event, Problem, Role, Severity, Task
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.wire.tls_keys import Secrets

CLIENT, AGENT_END, ELSEWHERE = Address("10.1.0.10", 40_000), Address("10.2.0.10", 4_445), Address("10.2.0.10", 9_443)
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
GET = b"GET /jobscheduler/agent/api HTTP/1.1\r\nHost: agent\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
OLD, EARLY = identity("old.example", days=(-400, -3)), identity("early.example", days=(3_650, 4_000))
OTHER, STRANGER, MASTER = identity("other.example"), identity("third.example"), identity("master.example")

#: What is set up; words of the summary, of the cause and of the remedy.
FAILURES = {
    "unknown issuer": (Setup(trusts=STRANGER), "unknown_ca", "does not know it", "agent-https.jks"),
    "unknown issuer, 1.3": (Setup(version=TLS_1_3, trusts=STRANGER), "unknown_ca", "does not know", "agent-https.jks"),
    "run out": (Setup(server=OLD, trusts=OLD), "ran out on 2026-11-19", "old.example", "new certificate"),
    "not yet": (Setup(server=EARLY, trusts=EARLY), "holds from 2036-11-19 on", "early.example", "clocks"),
    "other host": (Setup(server=OTHER, trusts=OTHER, checks=True), "not for agent.example", "other.example", "name"),
    "version of the server": (
        Setup(version=TLS_1_2, client_version=TLS_1_3), "protocol_version", "no version of TLS in common", "TLS 1.2"),
    "version of the client": (
        Setup(version=TLS_1_3, client_version=TLS_1_2), "at most TLS 1.2", "no version of TLS in common", "TLS 1.2"),
    "no suite": (
        Setup(ciphers="ECDHE-RSA-AES128-GCM-SHA256", server_ciphers="AES256-SHA"), "no cipher suite in common",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "jdk.tls.disabledAlgorithms"),
    "client without certificate": (Setup(wants_client=MASTER), "a certificate of the client", "got none", "proxy"),
    "client not trusted": (
        Setup(wants_client=MASTER, client=STRANGER), "the client's certificate", "does not trust", "trust store"),
}  # fmt: skip


def problems(events: list[Event], code: str | None = None) -> list[Problem]:
    return [one for one in events if isinstance(one, Problem) and code in (None, one.code)]


def shaken(setup: Setup, server: Address = AGENT_END) -> list[Record]:
    network = Network()
    wire = Wire(setup, network.line(CLIENT, server))
    assert not wire.handshake()
    wire.end()
    return network.ordered()


@pytest.mark.parametrize("server", [AGENT_END, ELSEWHERE], ids=["known port", "other port"])
@pytest.mark.parametrize("name", FAILURES)
def test_why_a_handshake_failed(name: str, server: Address) -> None:
    setup, summary, cause, remedy = FAILURES[name]
    events = traced(shaken(setup, server), overview=True)
    (found,) = problems(events)
    assert (found.code, found.severity) == ("tls_handshake_failed", Severity.ERROR)
    assert summary in found.summary
    assert cause in found.cause
    assert remedy in found.cause + found.remedy
    (connection,) = [one for one in events if isinstance(one, Connection)]
    assert connection.role is Role.TLS
    assert found.connection is connection
    assert connection.tls is not None
    assert connection.tls.alerts[0].mark.number in found.packets
    assert connection.tls.alerts[0].fatal


def test_a_certificate_of_the_client_that_lacks_in_1_3_is_deciphered() -> None:
    setup, network = Setup(version=TLS_1_3, wants_client=MASTER), Network()
    wire = Wire(setup, network.line(CLIENT, AGENT_END))
    wire.handshake()
    wire.flush(1)
    wire.end()
    (found,) = problems(traced(network.ordered(), setup.secrets, overview=True), "tls_handshake_failed")
    assert "certificate_required: a certificate of the client" in found.summary


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_certificates_of_the_client_are_no_obstacle(version: ssl.TLSVersion) -> None:
    setup, network = Setup(version=version, wants_client=MASTER, client=MASTER), Network()
    wire = Wire(setup, network.line(CLIENT, AGENT_END))
    assert wire.handshake()
    wire.say(0, GET)
    wire.say(1, OK)
    wire.end()
    events = traced(network.ordered(), setup.secrets, overview=True)
    assert [one.code for one in problems(events)] == ["no_start_command"]
    assert [one.role for one in events if isinstance(one, Connection)] == [Role.HTTP]


def test_many_failures_of_one_kind_are_two_problems() -> None:
    setup, network = Setup(trusts=STRANGER), Network()
    for number in range(30):
        wire = Wire(setup, network.line(CLIENT._replace(port=40_000 + number), AGENT_END), number * 1_000_000_000)
        assert not wire.handshake()
        wire.end()
    first, rest = problems(traced(network.ordered(), overview=True))
    assert first.severity is Severity.ERROR
    assert rest.summary == "29 more connections to 10.2.0.10:4445: the same."


# --- connections that stay sealed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("plain", ["ua113_shell_ok", "ua113_slow_call", "ua113_api_java"])
def test_tasks_are_guessed(plain: str, version: ssl.TLSVersion) -> None:
    events = traced(replayed(AGENT / f"{plain}.pcap", Setup(version=version)), overview=True)
    (sealed,), (guess,) = problems(events, "tls_not_decrypted"), problems(events, "tls_task_guessed")
    assert version.name[4:].replace("_", ".") in sealed.summary
    assert ("certificate CN=agent.example" in sealed.summary) is (version is TLS_1_2)
    assert guess.summary.startswith("Guessed from sizes and times alone:")
    assert ("after 10 s as heartbeats are" in guess.summary) is (plain == "ua113_slow_call")
    assert not [one for one in events if isinstance(one, Task)]


@pytest.mark.parametrize(
    "talk",
    [
        [(0, b"GET / HTTP/1.1\r\n\r\n"), (1, b"x" * 300_000)],
        [(0, b"x" * 20)] * 30,
        [(side, b"x" * 5_000) for side in (0, 1)] * 12,
        [(side, b"x" * 200) for side in (0, 1)] * 6,
    ],
    ids=["a page", "one-sided", "too large", "too few"],
)
def test_other_traffic_is_no_task(talk: list[tuple[int, bytes]]) -> None:
    network = Network()
    wire = Wire(Setup(), network.line(CLIENT, AGENT_END))
    assert wire.handshake()
    for side, data in talk:
        wire.say(side, data)
    wire.end()
    events = traced(network.ordered(), overview=True)
    assert problems(events, "tls_not_decrypted")
    assert not problems(events, "tls_task_guessed")


def test_a_connection_that_began_before_the_capture_is_said_to_be_sealed() -> None:
    setup = Setup()
    records = replayed(AGENT / "ua113_shell_ok.pcap", setup)
    events = traced(records[12:], setup.secrets, overview=True)
    (sealed,) = problems(events, "tls_not_decrypted")
    assert "its handshake was not captured" in sealed.summary


def test_tls_beside_tasks_on_ports_of_others_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    tasks = replayed(AGENT / "ua113_two_tasks.pcap", setup := Setup())
    network = Network()
    wire = Wire(Setup(), network.line(CLIENT, ELSEWHERE), tasks[-1].time + 1_000_000_000)
    assert wire.handshake()
    wire.say(0, GET)
    wire.say(1, OK)
    wire.end()
    path.write_bytes(pcap([*tasks, *network.ordered()]))
    known = Secrets()
    known.add_log(setup.secrets)
    tracer = Tracer(secrets=known)
    events = [event for packet in CaptureReader([path]) for event in tracer.feed(packet)] + tracer.finish()
    assert len([one for one in events if isinstance(one, Task)]) == 2
    assert problems(events) == []


# --- ports that take something else --------------------------------------------------------------------------------


def test_https_to_a_port_for_http() -> None:
    network = Network()
    wire = Wire(Setup(), line := network.line(CLIENT, AGENT_END))
    with pytest.raises(ssl.SSLWantReadError):
        wire.ends[0].do_handshake()
    wire.flush(0)
    line.send(
        wire.now + 1_000_000, 1, b"HTTP/1.1 400 Bad Request\r\nServer: spray-can/1.3.4\r\nContent-Length: 0\r\n\r\n"
    )
    line.finish(wire.now + 2_000_000, 1)
    (found,) = problems(traced(network.ordered(), overview=True))
    assert found.code == "tls_unexpected"
    assert "HTTP/1.1 400 Bad Request" in found.summary
    assert "http://" in found.remedy


def test_http_to_a_port_for_https() -> None:
    network, setup = Network(), Setup()
    line = network.line(CLIENT, AGENT_END)
    line.open(0)
    line.send(1_000_000, 0, GET)
    line.send(2_000_000, 1, bytes.fromhex("15030300020250"))
    line.finish(3_000_000, 1)
    found = problems(traced(network.ordered(), setup.secrets, overview=True), "tls_expected")
    assert [one.packets for one in found] == [(6,)]
    assert "https://" in found[0].remedy


@pytest.mark.parametrize("side", [0, 1])
def test_a_connection_that_ends_without_an_alert(side: int) -> None:
    network = Network()
    wire = Wire(Setup(), line := network.line(CLIENT, AGENT_END))
    with pytest.raises(ssl.SSLWantReadError):
        wire.ends[0].do_handshake()
    wire.flush(0)
    line.finish(wire.now + 1_000_000, side)
    (found,) = problems(traced(network.ordered(), overview=True))
    assert found.code == "tls_handshake_failed"
    assert found.summary.startswith(("The client 10.1.0.10", "The server 10.2.0.10:4445")[side])
    assert "without an answer" in found.summary


# --- what happens later --------------------------------------------------------------------------------------------


def spoken(setup: Setup) -> tuple[Network, Wire]:
    """A connection with an exchange, which is still open."""
    network = Network()
    wire = Wire(setup, network.line(CLIENT, AGENT_END))
    assert wire.handshake()
    wire.say(0, GET)
    wire.say(1, OK)
    return network, wire


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


def test_another_handshake_is_seen_though_it_is_encrypted() -> None:
    network, wire = spoken(Setup())
    for side in (0, 1, 0, 1):
        wire.line.send(wire.now, side, record(22, bytes(60)))
    wire.say(0, GET)
    wire.end()
    (found,) = problems(traced(network.ordered(), overview=True), "tls_renegotiated")
    assert "made a new handshake once" in found.summary


def test_an_alert_in_the_middle_ends_the_connection() -> None:
    setup = Setup(ciphers="AES128-SHA")
    network, wire = spoken(setup)
    damaged = record(23, bytes(64))
    wire.line.send(wire.now, 0, damaged)
    wire._incoming[1].write(damaged)
    with pytest.raises(ssl.SSLError):
        wire.ends[1].read(1)
    wire.flush(1)
    wire.end(1)
    (found,) = problems(traced(network.ordered(), setup.secrets, overview=True), "tls_broken")
    assert "The server 10.2.0.10:4445 ended the connection with the alert bad_record_mac" in found.summary


def test_that_it_stays_sealed_is_told_while_it_is_in_use() -> None:
    network, wire = spoken(Setup())
    tracer = Tracer()
    told = [event for packet in packets_of(network.ordered()) for event in tracer.feed(packet)]
    assert [one.code for one in problems(told)] == ["tls_not_decrypted"]
    wire.end()
    assert problems(traced(network.ordered(), overview=True), "tls_not_decrypted")[1:] == []
