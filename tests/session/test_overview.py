"""What a capture without a task holds instead."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from conversation import ACK, EPOCH, PSH, RST, SECOND, SYN, Address, Network, TaskScript, ethernet

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Endpoint, Event, Mark, Problem, Role
from dissector.session import overview, tallies
from dissector.session.codes import CODES
from dissector.session.foreign import protocol
from dissector.session.packet_time import PacketTime
from dissector.session.sights import Sights
from dissector.session.sniffer import Sniffer
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.stream.kinds import ARP_REPLY, ARP_REQUEST
from dissector.traffic import Chunk, Packet, Side

A, B = "10.1.0.10", "10.2.0.10"
HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\x03"


def told(frames: Iterable[bytes], snap: int = 65_535) -> dict[str, Problem]:
    """The overview's problems of these frames, a millisecond apart, by their codes."""
    tracer = Tracer()
    found: list[Event] = []
    for number, data in enumerate(frames, 1):
        time = EPOCH * SECOND + number * 1_000_000
        found += tracer.feed(Packet(number, time, 1, data[:snap], len(data)))
    found += tracer.finish()
    assert [event for event in found if isinstance(event, Problem) and event.severity.value != "info"] == []
    problems = list(tracer.overview.problems())
    assert len({one.code for one in problems}) == len(problems)
    return {one.code: one for one in problems}


def talk(port: int, *said: tuple[int, bytes], client_port: int = 40_000, syn: bool = True) -> list[bytes]:
    """A connection to ``port`` with what its client (0) and server (1) say."""
    ends = Address(A, client_port), Address(B, port)
    seqs, frames = [1_000, 9_000], []
    if syn:
        frames = [ethernet(*ends, 999, 0, SYN), ethernet(*ends[::-1], 8_999, 1_000, SYN | ACK)]
        frames.append(ethernet(*ends, 1_000, 9_000, ACK))
    for side, data in said:
        frames.append(ethernet(ends[side], ends[1 - side], seqs[side], seqs[1 - side], PSH | ACK, data))
        seqs[side] += len(data)
        frames.append(ethernet(ends[1 - side], ends[side], seqs[1 - side], seqs[side], ACK))
    return frames


def syn(port: int, client_port: int = 40_000) -> bytes:
    return ethernet(Address(A, client_port), Address(B, port), 7, 0, SYN)


def outer(protocol_number: int, payload: bytes) -> bytes:
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        0,
        0,
        64,
        protocol_number,
        0,
        IPv4Address(A).packed,
        IPv4Address(B).packed,
    )
    return bytes(12) + b"\x08\x00" + head + payload


def udp(port: int, payload: bytes) -> bytes:
    return outer(17, struct.pack(">HHHH", 40_000, port, 8 + len(payload), 0) + payload)


def test_no_packet() -> None:
    (problem,) = told([]).values()
    assert (problem.code, problem.packets) == ("nothing_captured", ())
    assert "capture at the client" in problem.remedy


def test_no_tcp() -> None:
    assert list(told([bytes(12) + b"\x08\x06" + bytes(46)])) == ["no_tcp"]


def test_a_task_makes_all_of_it_noise(tmp_path: Path) -> None:
    network = Network()
    network.play(TaskScript(callback_port=59_999), start=0.5)
    path = tmp_path / "task.pcap"
    path.write_bytes(network.capture())
    frames = [packet.data for packet in CaptureReader([path])]
    assert told([syn(4450), *talk(4444, (0, HELLO), client_port=41_000), outer(50, bytes(40)), *frames]) == {}


def test_attempts_elsewhere_name_port_and_option() -> None:
    frames = [syn(4450, 40_000), syn(4450, 40_001), syn(4460, 40_002)]
    frames.append(ethernet(Address(B, 4460), Address(A, 40_002), 0, 8, RST | ACK))
    (problem,) = told(frames).values()
    assert problem.code == "unanswered_elsewhere"
    assert problem.summary == ("2 connections were not answered, 1 was refused: 10.2.0.10:4450 (2), 10.2.0.10:4460.")
    assert "--command-port 4450" in problem.remedy
    assert problem.packets == (1, 2, 3)


@pytest.mark.parametrize(
    ("port", "code"),
    [
        (49_999, "unanswered_elsewhere"),
        (50_000, "callbacks_unanswered"),
        (59_999, "callbacks_unanswered"),
        (60_000, "unanswered_elsewhere"),
    ],
)
def test_callbacks_alone(port: int, code: str) -> None:
    assert list(told([syn(port)])) == [code]


def test_tls_on_a_command_port() -> None:
    (problem,) = told(talk(4444, (0, HELLO))).values()
    assert problem.code == "tls_not_decrypted"
    assert "port 4444 TLS" in problem.summary


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SMTP", [(1, b"220 mail.example ESMTP\r\n"), (0, b"EHLO a\r\n"), (1, b"250 ok\r\n"), (0, b"\x00\x01\xfe")]),
        ("FTP", [(1, b"220 ready\r\n"), (0, b"USER a\r\n"), (1, b"331 x\r\n")]),
        ("SSH", [(1, b"SSH-2.0-x\r\n"), (0, b"SSH-2.0-y\r\n")]),
        ("HTTP", [(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\nx"), (0, b"\x01\x02")]),
        ("POP3", [(1, b"+OK hello\r\n"), (0, b"USER a\r\n")]),
    ],
)
def test_another_protocol_on_a_command_port(name: str, said: list[tuple[int, bytes]]) -> None:
    (problem,) = told(talk(4444, *said)).values()
    assert (problem.code, problem.severity.value) == ("foreign_protocol", "info")
    assert f"port 4444 {name}" in problem.summary


def test_commands_that_start_nothing() -> None:
    assert list(told(talk(4444, (0, b"<show_state/>")))) == ["no_start_command"]


@pytest.mark.parametrize(("snap", "codes"), [(49, ["snap_length"]), (50, [])])
def test_snap_length_that_cuts_headers(snap: int, codes: list[str]) -> None:
    found = told(talk(80, (0, b"hello")), snap)
    assert [code for code in found if "at most" in found[code].summary] == codes


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ESP (IPsec)", outer(50, bytes(40))),
        ("L2TP", outer(115, bytes(40))),
        ("ESP (IPsec)", udp(4500, b"\0\0\0\x01" + bytes(20))),
        ("WireGuard", udp(51_820, b"\x04\0\0\0" + bytes(28))),
        ("OpenVPN", udp(1194, b"\x48" + bytes(20))),
        ("L2TP", udp(1701, b"\x00\x03\0\x01\0\x01" + bytes(20))),
        ("MACsec", bytes(12) + b"\x88\xe5\x0c" + bytes(39)),
    ],
)
def test_a_tunnel_has_its_name(name: str, data: bytes) -> None:
    (problem,) = told([data, data]).values()
    assert problem.code == "tunnelled_unknown"
    assert problem.summary == f"2 packets in tunnels that can not be read: {name} (2)."


@pytest.mark.parametrize(
    "data",
    [
        udp(4500, b"\xff"),
        udp(4500, bytes(4) + bytes(28)),  # IKE
        udp(51_820, b"\x05\0\0\0" + bytes(28)),
        udp(51_820, b"\x04\0\0\0" + bytes(11)),
        udp(1194, b"\x60" + bytes(20)),
        udp(1701, b"\xc8\x02" + bytes(20)),  # a control message
        udp(53, bytes(40)),
    ],
)
def test_what_is_no_such_tunnel(data: bytes) -> None:
    assert list(told([data])) == ["no_tcp"]


@pytest.mark.parametrize(("packets", "codes"), [(4, ["one_direction"]), (3, ["other_traffic"])])
def test_one_direction(packets: int, codes: list[str]) -> None:
    """So many packets of one end alone: fewer tell nothing, as its peer may just not have answered yet."""
    said = talk(80, (1, b"HTTP/1.1 200 OK\r\n\r\n"), (0, b"GET / HTTP/1.1\r\n\r\n"), (0, b"more"))
    client = [frame for frame in said if frame[26:30] == IPv4Address(A).packed]
    data = ethernet(Address(A, 40_000), Address(B, 80), 1_000, 9_000, PSH | ACK, b"GET / HTTP/1.1\r\n\r\n")
    acks = [ethernet(Address(A, 40_000), Address(B, 80), 1_000, 9_000, ACK)] * (packets - 2)
    assert list(told([client[0], *acks, data])) == codes


def test_only_connections_begun_before_the_capture() -> None:
    begun = talk(80, (0, b"x" * 600), syn=False)
    assert told(begun)["mid_stream"].summary == "The only connection began before the capture."
    assert "mid_stream" not in told([*begun, *talk(81, (0, b"GET / HTTP/1.1\r\n\r\n"))])


def test_other_traffic_is_named_by_port() -> None:
    frames = [frame for port in range(80, 86) for frame in talk(port, (0, HELLO))]
    (problem,) = told(frames).values()
    assert problem.code == "other_traffic"
    assert problem.summary.startswith("6 TCP connections, none of a JobScheduler: port 80 TLS, ")
    assert problem.summary.endswith(" and 2 others.")


def test_the_tables_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "_MOST_KINDS", 2)
    (problem,) = told([syn(port, port + 30_000) for port in (81, 82, 83, 81)]).values()
    assert "10.2.0.10:83" not in problem.summary


def test_protocols_are_not_guessed() -> None:
    assert protocol(b"", b"") is None
    assert protocol(b"show_state\r\n", b"") is None
    assert protocol(b"<spooler>", b"") is None


# --- figures by hand -------------------------------------------------------------------------------------------------


def seen(port: int = 80, number: int = 1, *, command_port: bool = False, **fields: object) -> Sniffer:
    """A connection that was opened and carried something, of so many packets and seconds."""
    made = Connection(Endpoint(A, 40_000), Endpoint(B, port), number * SECOND, number)
    made.syns, made.syn_acks = [Mark(number, number * SECOND)], [Mark(number, number * SECOND)]
    made.packets, made.bytes = 10, 5
    for side in made.sides:
        side.packets = 5
    for name, value in fields.items():
        setattr(made, name, value)
    return Sniffer(made, is_command_port=command_port)


def judged(*connections: Sniffer, role: Role = Role.UNKNOWN) -> dict[str, Problem]:
    clock = PacketTime()
    made = overview.Overview(clock, (50_000, 59_999))
    clock.wake = 1
    for one in connections:
        made.judged(one, role)
    return {problem.code: problem for problem in made.problems()}


def one_sided(number: int, **fields: Any) -> Sniffer:
    made = seen(80, number, **fields)
    made.connection.sides[1].packets = 0
    return made


def test_nobody_knows_of_a_capture_before_its_first_packet() -> None:
    assert list(overview_of(wake=0)) == ["nothing_captured"]
    assert list(overview_of(wake=1)) == ["no_tcp"]
    assert list(overview_of(wake=1, has_tasks=True)) == []


def overview_of(wake: int, *, has_tasks: bool = False) -> list[str]:
    clock = PacketTime()
    made = overview.Overview(clock, (50_000, 59_999))
    clock.wake, made.has_tasks = wake, has_tasks
    return [problem.code for problem in made.problems()]


def test_one_direction_of_all_connections() -> None:
    assert judged(one_sided(2))["one_direction"].summary == "Only one direction of the only connection was captured."
    problem = judged(one_sided(2), one_sided(3))["one_direction"]
    assert problem.summary == "Only one direction of all 2 connections was captured."
    assert (problem.time, problem.packets) == (2 * SECOND, (2, 3))
    assert "one_direction" not in judged(one_sided(2), seen())


@pytest.mark.parametrize(("packets", "blamed"), [(4, False), (3, True)])
def test_short_connections_tell_no_direction(packets: int, blamed: bool) -> None:
    """Of the other one only a direction was captured."""
    assert ("one_direction" in judged(one_sided(2), seen(packets=packets))) is blamed
    assert ("one_direction" in judged(one_sided(2, packets=packets))) is not blamed


def test_all_connections_began_before_the_capture() -> None:
    problem = judged(seen(number=2, mid_stream=True), seen(number=3, mid_stream=True))["mid_stream"]
    assert problem.summary == "All 2 connections began before the capture."
    assert problem.remedy == "start the capture before the tasks: the first bytes of a connection tell what it is"
    assert "mid_stream" not in judged(seen(mid_stream=True), seen())


def test_some_connections_were_cut_off() -> None:
    assert judged(seen(snapped=1), seen())["snap_length"].summary == (
        "The snap length cut off bytes of 1 of 2 connections: what these carry is unknown."
    )
    assert "snap_length" not in judged(seen())


def test_packets_that_lack_their_headers() -> None:
    clock = PacketTime()
    made = overview.Overview(clock, (50_000, 59_999))
    clock.wake = 1
    made.judged(seen(snapped=1), Role.UNKNOWN)
    for number, (size, wire) in enumerate([(0, 90), (20, 90), (30, 90), (25, 90), (90, 90)], 1):
        made.unread(Packet(number, number * SECOND, 1, bytes(size), wire))
    (problem,) = made.problems()
    assert problem.summary == ("3 packets were cut off inside of their headers: at most 30 bytes were captured.")
    assert (problem.code, problem.packets, problem.time) == ("snap_length", (2, 3, 4), 2 * SECOND)


def test_what_command_ports_carry() -> None:
    tls, other = seen(4_444, 2, command_port=True), seen(4_444, 3, command_port=True)
    tls.chunk(Chunk(Side.CLIENT, 0, HELLO, 2, 2))
    silent = seen(4_444, 4, command_port=True, bytes=0)
    found = judged(tls, other, silent)
    assert found["tls_not_decrypted"].summary == "1 connection with TLS: port 4444 TLS."
    assert found["foreign_protocol"].summary == (
        "1 connection to command ports without a command of a scheduler: port 4444."
    )
    assert set(found) == {"tls_not_decrypted", "foreign_protocol"}


def test_commands_without_a_start() -> None:
    found = judged(seen(4_444, command_port=True), seen(4_445, command_port=True), role=Role.COMMAND)
    assert found["no_start_command"].summary == "2 command connections, none with a start of a remote task."
    tls = seen(4_444, command_port=True)
    tls.chunk(Chunk(Side.CLIENT, 0, HELLO, 2, 2))
    assert list(judged(tls, role=Role.COMMAND)) == ["tls_not_decrypted"]


def test_other_traffic_has_its_figures() -> None:
    problem = judged(seen(80, 2), seen(80, 3), seen(81, 4), seen(82, 5), seen(83, 6), seen(84, 7))["other_traffic"]
    assert problem.summary == (
        "6 TCP connections, none of a JobScheduler: port 80 (2), port 81, port 82, port 83 and 1 other."
    )
    assert problem.packets == (2, 3, 4, 5, 6, 7)
    four = judged(seen(80), seen(81), seen(82), seen(83, bytes=0))["other_traffic"].summary
    assert four.endswith(": port 80, port 81, port 82, port 83.")
    silent = judged(seen(4_444, command_port=True, bytes=0))["other_traffic"].summary
    assert silent == "1 TCP connection, none of a JobScheduler."


def attempted(port: int | None, number: int, *, refused: bool = False, command_port: bool = False) -> Sniffer:
    made = seen(0, number, command_port=command_port, packets=1, bytes=0, syn_acks=[], server=Endpoint(B, port))
    made.connection.sides[1].rst = Mark(9, 9) if refused else None
    return made


def test_attempts_are_counted_by_what_became_of_them() -> None:
    found = judged(attempted(4_450, 2), attempted(4_450, 3), attempted(4_460, 4, refused=True), attempted(50_000, 5))
    elsewhere, callbacks = found["unanswered_elsewhere"], found["callbacks_unanswered"]
    assert elsewhere.summary == "2 connections were not answered, 1 was refused: 10.2.0.10:4450 (2), 10.2.0.10:4460."
    assert callbacks.summary == (
        "1 connection was not answered: 10.2.0.10:50000; on such ports clients wait for callbacks."
    )
    assert (elsewhere.packets, callbacks.packets) == ((2, 3, 4), (5,))
    assert elsewhere.remedy.endswith("--command-port 4450")
    (problem,) = judged(attempted(4_460, 4, refused=True), attempted(4_460, 5, refused=True)).values()
    assert problem.summary == "2 connections were refused: 10.2.0.10:4460 (2)."
    assert list(judged(attempted(None, 2))) == ["unanswered_elsewhere"]
    assert judged(attempted(4_444, 2, command_port=True)) == {}


def test_what_was_not_opened_and_sent_no_syn_is_no_attempt() -> None:
    made = attempted(4_450, 2)
    made.connection.syns = []
    assert judged(made) == {}


def test_as_many_packets_as_may_be_are_the_proof() -> None:
    found = judged(*(seen(80, number) for number in range(1, MAX_EVIDENCE + 3)))["other_traffic"]
    assert found.packets == tuple(range(1, MAX_EVIDENCE + 1))
    found = judged(*(attempted(number, number) for number in range(1, MAX_EVIDENCE + 3)))["unanswered_elsewhere"]
    assert found.packets == tuple(range(1, MAX_EVIDENCE + 1))


def test_tunnels_are_counted_by_their_kinds() -> None:
    clock = PacketTime()
    made = overview.Overview(clock, (50_000, 59_999))
    clock.wake = 1
    for number, kind in enumerate(("ESP", "L2TP", "L2TP"), 1):
        made.unread(Packet(number, number * SECOND, 1, b"", 90), kind)
    (problem,) = made.problems()
    assert problem.summary == "3 packets in tunnels that can not be read: L2TP (2), ESP."
    assert (problem.time, problem.packets) == (SECOND, (1, 2, 3))


@pytest.mark.parametrize("looked", [0, 999, 1_000])
def test_whether_all_packets_were_looked_at(looked: int) -> None:
    made = Sights((50_000, 59_999))
    assert made.looked == 0
    made.looked = looked
    for number, kind in enumerate(("ARP", "UDP", "UDP"), 1):
        made.passed.at(kind).add((number, number))
    assert made.passed_list == ("the first 1,000 are " if looked == 1_000 else "") + "UDP (2), ARP"


@pytest.mark.parametrize(("most", "named"), [(2, True), (1, False)])
def test_how_many_kinds_are_told_apart(most: int, named: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "_MOST_KINDS", most)
    problem = judged(seen(80), seen(81), seen(80))["other_traffic"]
    assert ("port 81" in problem.summary) is named
    assert "port 80 (2)" in problem.summary


def test_a_thousand_kinds_are_told_apart() -> None:
    table: tallies.Table[int] = tallies.Table()
    found = [table.at(kind) for kind in range(1_026)]
    assert list(table.kinds) == [*range(1_024)]
    assert found[1_024] is found[1_025]
    assert table.at(5) is found[5]


@pytest.mark.parametrize(
    ("answered", "words", "is_told"), [(False, "; none of the {} is answered.", True), (True, "", False)]
)
def test_questions_that_nobody_answers(answered: bool, words: str, is_told: bool) -> None:
    clock = PacketTime()
    made = overview.Overview(clock, (50_000, 59_999))
    clock.wake = 1
    made.seen.passed.at(ARP_REQUEST).add((3 * SECOND, 4))
    if answered:
        made.seen.passed.at(ARP_REPLY).add((5 * SECOND, 6))
    (problem,) = made.problems()
    assert problem.code == "no_tcp"
    assert (words.format(ARP_REQUEST) in problem.summary and "is answered" in problem.summary) is is_told
    assert problem.remedy.startswith("see whether the host that is asked for is up") is is_told
    assert problem.remedy.endswith(CODES["no_tcp"].remedy)
    assert (problem.time, problem.packets) == (3 * SECOND, (4, 6) if answered else (4,))
