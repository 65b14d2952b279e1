"""Records cut anywhere, lost and repeated; sessions that are resumed; hostile bytes."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from conversation import Address, Line, Network, Record, pcap
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import packets_of, traced
from tls_kit import Setup, Wire, identity

from dissector.limits import MAX_TLS_HANDSHAKE, MAX_TLS_HELD
from dissector.model import Connection, Event, Exchange, Problem, Role
from dissector.session.advance import feed
from dissector.session.run_detection import runs_finder
from dissector.session.tls_handshake import Messages
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.stream.tls_records import HEADER, FramedRecord, RecordFramer
from dissector.traffic import Chunk, Gap, Side
from dissector.wire.tls_keys import Secrets

CLIENT, AGENT = Address("10.1.0.10", 40_000), Address("10.2.0.10", 4_445)
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
SUITES = {
    "gcm": "ECDHE-RSA-AES128-GCM-SHA256",
    "cbc": "ECDHE-RSA-AES128-SHA256",
    "chacha": "ECDHE-RSA-CHACHA20-POLY1305",
}
#: Up to TLS 1.1 every cipher is one of blocks; those of 1.0 go on where the last record ended.
OLD = {
    "1.0": (ssl.TLSVersion.TLSv1, 0),
    "1.0, first MAC": (ssl.TLSVersion.TLSv1, 1 << 19),  # OpenSSL's SSL_OP_NO_ENCRYPT_THEN_MAC
    "1.1": (ssl.TLSVersion.TLSv1_1, 0),
    "1.1, first MAC": (ssl.TLSVersion.TLSv1_1, 1 << 19),
}
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")


def setup_of(name: str) -> Setup:
    if name == "1.3":
        return Setup(version=TLS_1_3)
    if name not in OLD:
        return Setup(ciphers=SUITES[name])
    version, options = OLD[name]
    setup = Setup(version=version, ciphers="ECDHE-RSA-AES128-SHA")
    setup.server_context.options |= options
    return setup


def request(number: int, size: int = 0) -> bytes:
    head = f"POST /jobscheduler/agent/api/command HTTP/1.1\r\nX-N: {number}\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + b"x" * size


def response(size: int = 2) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + b"y" * size


def exchanges(events: Iterable[Event]) -> list[Exchange]:
    return [one for one in events if isinstance(one, Exchange)]


def codes(events: Iterable[Event]) -> list[str]:
    return [one.code for one in events if isinstance(one, Problem)]


def talk(setup: Setup, sizes: Iterable[tuple[int, int]], mss: int = 1_448) -> list[Record]:
    network = Network()
    wire = Wire(setup, network.line(CLIENT, AGENT), mss=mss)
    assert wire.handshake()
    for number, (asked, answered) in enumerate(sizes):
        wire.say(0, request(number, asked))
        wire.say(1, response(answered))
    wire.end()
    return network.ordered()


# --- records -------------------------------------------------------------------------------------------------------


def rows(sizes: Iterable[int]) -> bytes:
    return b"".join(b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes([size % 251]) * size for size in sizes)


def cut(data: bytes, places: Iterable[int]) -> list[Chunk]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    starts = [0, *ends[:-1]]
    pieces = [(start, data[start:end]) for start, end in zip(starts, ends, strict=True) if end > start]
    return [Chunk(Side.CLIENT, start, piece, number, number) for number, (start, piece) in enumerate(pieces, 1)]


@given(st.lists(st.integers(0, 300), min_size=1, max_size=12), st.lists(st.integers(0, 4_000), max_size=20))
def test_records_are_the_same_wherever_they_are_cut(sizes: list[int], places: list[int]) -> None:
    data, reader = rows(sizes), RecordFramer()
    chunks = cut(data, places)
    found = [record for chunk in chunks for record in reader.feed(chunk)]
    assert [len(record.body) for record in found] == sizes
    for record in found:
        end = record.offset + HEADER + len(record.body)
        carried = [one.number for one in chunks if one.offset < end and one.offset + len(one.data) > record.offset]
        assert [span.number for span in record.spans] == carried
        assert record.spans[-1].end == HEADER + len(record.body)
        assert not record.unsure


@given(
    st.lists(st.integers(20, 300), min_size=4, max_size=12),
    st.lists(st.integers(0, 4_000), min_size=3, max_size=20),
    st.integers(0, 30),
)
def test_a_hole_costs_no_record_that_it_is_not_in(sizes: list[int], places: list[int], lost: int) -> None:
    data, reader = rows(sizes), RecordFramer()
    chunks = cut(data, places)
    hole = chunks[lost % len(chunks)]
    found: list[FramedRecord] = []
    for chunk in chunks:
        if chunk is hole:
            reader.gap(Gap(Side.CLIENT, chunk.offset, len(chunk.data), chunk.number, chunk.time))
        else:
            found += reader.feed(chunk)
    true = {}
    at = 0
    for size in sizes:
        true[at] = size
        at += HEADER + size
    assert all(true.get(record.offset) == len(record.body) for record in found)
    whole = [at for at, size in true.items() if at + HEADER + size <= hole.offset]
    assert [record.offset for record in found][: len(whole)] == whole
    assert sum(record.unsure for record in found) <= 1


def test_what_is_no_record_is_said_to_be_none() -> None:
    for data in (b"HTTP/1.1 400\r\n", b"\x17\x03\x03\xff\xff", b"\x16\x02\x00\x00\x01x", b"\x99" * 20):
        reader = RecordFramer()
        assert reader.feed(Chunk(Side.SERVER, 0, data, 1, 1)) == []
        assert reader.broken


# --- connections ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 40_000)), min_size=1, max_size=4),
    st.sampled_from([1_448, 536, 61, 9_000]),
    st.sampled_from([*SUITES, *OLD, "1.3"]),
)
def test_any_exchanges_in_any_segments(sizes: list[tuple[int, int]], mss: int, suite: str) -> None:
    setup = setup_of(suite)
    found = exchanges(traced(talk(setup, sizes, mss), setup.secrets))
    assert [(len(one.request.body), len(one.response.body)) for one in found] == sizes


@pytest.mark.one_in(5)
@pytest.mark.parametrize("suite", [*SUITES, *OLD, "1.3"])
@pytest.mark.parametrize("seed", range(6))
def test_lost_packets_cost_what_was_in_them(suite: str, seed: int) -> None:
    """Every exchange that is told is a true one, and those far from the holes are told."""
    dice = random.Random(seed)
    setup = setup_of(suite)
    records = talk(setup, [(300 * number % 4_000, 100 + number) for number in range(40)])
    with_data = [place for place, one in enumerate(records) if len(one.data) > 54]
    lost = set(dice.sample(with_data[12:-2], 3))
    events = traced([one for place, one in enumerate(records) if place not in lost], setup.secrets)
    found = exchanges(events)
    assert len(found) >= 40 - 2 * len(lost) - 2
    for one in found:
        number = int(dict(one.request.headers)["X-N"])
        assert len(one.request.body) == 300 * number % 4_000
        if one.response is not None:
            assert len(one.response.body) == 100 + number


@pytest.mark.parametrize("suite", [*SUITES, *OLD, "1.3"])
def test_packets_that_come_twice_or_late_change_nothing(suite: str) -> None:
    setup = setup_of(suite)
    records = talk(setup, [(3_000, 5_000)] * 5)
    again = [*records, *(one._replace(time=one.time + 700_000) for one in records[20::7])]
    late = [one._replace(time=one.time + 5_000) if place % 3 == 0 else one for place, one in enumerate(records)]
    for changed in (again, late):
        found = exchanges(traced(changed, setup.secrets))
        assert [(len(one.request.body), len(one.response.body)) for one in found] == [(3_000, 5_000)] * 5


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_sessions_are_resumed(version: ssl.TLSVersion) -> None:
    setup, network, session = Setup(version=version), Network(), None
    for number in range(3):
        wire = Wire(setup, network.line(CLIENT._replace(port=40_000 + number), AGENT), number * 10**9, session)
        assert wire.handshake()
        wire.say(0, request(number))
        wire.say(1, response())
        client = wire.ends[0]
        assert client.session_reused is (number > 0)
        session = client.session
        wire.end()
    events = traced(network.ordered(), setup.secrets)
    assert len(exchanges(events)) == 3
    facts = [one.tls for one in events if isinstance(one, Connection)]
    assert [one.decrypted for one in facts if one] == [True] * 3
    if version is TLS_1_2:
        assert [one.resumed for one in facts if one] == [False, True, True]


@pytest.mark.parametrize("tickets", [True, False])
def test_sessions_of_a_private_key_are_resumed(tickets: bool) -> None:
    """Only the first handshake has what the key opens; the secret is found again by session id or ticket."""
    from dissector.wire.tls_cipher import rsa_opener

    setup, network, session = Setup(ciphers="AES128-GCM-SHA256"), Network(), None
    if not tickets:
        setup.server_context.options |= ssl.OP_NO_TICKET
    for number in range(2):
        wire = Wire(setup, network.line(CLIENT._replace(port=40_000 + number), AGENT), number * 10**9, session)
        assert wire.handshake()
        wire.say(0, request(number))
        wire.say(1, response())
        assert wire.ends[0].session_reused is (number > 0)
        session = wire.ends[0].session
        wire.end()
    known = Secrets()
    known.rsa.append(rsa_opener(identity().key.read_bytes()))
    tracer, events = Tracer(secrets=known), list[Event]()
    for packet in packets_of(network.ordered()):
        events += tracer.feed(packet)
    events += tracer.finish()
    assert len(exchanges(events)) == 2


class EarlyWire(Wire):
    """The client sends something before it is answered; the server passes it over, as one that refuses it does."""

    flushes = 0

    def flush(self, side: int) -> bool:
        data = self._outgoing[side].read()
        if data:
            shown = data
            if side == 0 and self.flushes < 2:
                shown = with_early_data(data) + EARLY if not self.flushes else EARLY + data
                self.flushes += 1
            self.line.send(self._later(), side, shown, self.mss)
            self._incoming[1 - side].write(data)
        return bool(data)


#: Records that only keys of an earlier session open, more than may be damaged.
EARLY = (b"\x17\x03\x03\0\x60" + bytes(range(0x60))) * 12


def with_early_data(hello: bytes) -> bytes:
    """A client hello with one more extension."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at]
    data = bytearray(hello) + b"\0\x2a\0\0"
    for place, size in ((3, 2), (6, 3), (at, 2)):
        data[place : place + size] = (int.from_bytes(data[place : place + size], "big") + 4).to_bytes(size, "big")
    return bytes(data)


def test_what_is_sent_before_the_answer_is_passed_over() -> None:
    setup, network = Setup(version=TLS_1_3), Network()
    wire = EarlyWire(setup, network.line(CLIENT, AGENT))
    assert wire.handshake()
    for number in range(3):
        wire.say(0, request(number))
        wire.say(1, response())
    wire.end()
    events = traced(network.ordered(), setup.secrets)
    assert len(exchanges(events)) == 3
    assert codes(events) == []


def test_secrets_that_come_late_are_used() -> None:
    setup = Setup()
    packets = packets_of(talk(setup, [(10, 10)] * 4))
    known = Secrets()
    known.add_captured(b"CLIENT_RANDOM " + b"00" * 32 + b" " + b"00" * 48)
    tracer, events = Tracer(secrets=known), list[Event]()
    for place, packet in enumerate(packets):
        if place == len(packets) - 8:
            assert exchanges(events) == []
            known.add_log(setup.secrets)
        events += tracer.feed(packet)
    events += tracer.finish()
    assert len(exchanges(events)) == 4


def test_what_waits_for_secrets_is_bounded() -> None:
    setup = Setup()
    records = talk(setup, [(60_000, 60_000)] * 12)
    known = Secrets()
    known.add_captured(b"CLIENT_RANDOM " + b"00" * 32 + b" " + b"00" * 48)
    tracer, most, events = Tracer(secrets=known), 0, list[Event]()
    for packet in packets_of(records):
        events += tracer.feed(packet)
        most = max(most, tracer.tls._held)
    assert MAX_TLS_HELD // 2 < most <= MAX_TLS_HELD
    assert tracer.tls._held == 0
    assert codes([*events, *tracer.finish()]) == ["tls_not_decrypted"]


# --- hostile bytes -------------------------------------------------------------------------------------------------


def said(line: Line, side: int, data: bytes, now: int = 10**6) -> None:
    for start in range(0, len(data), 1_448):
        line.packet(now + start, side, 0x18, data[start : start + 1_448])


def framed(kind: int, body: bytes) -> bytes:
    return b"".join(
        bytes([kind, 3, 3]) + len(part).to_bytes(2, "big") + part
        for part in (body[at : at + 16_384] for at in range(0, max(len(body), 1), 16_384))
    )


def test_a_handshake_message_that_is_too_long_is_not_kept() -> None:
    messages = Messages()
    size = MAX_TLS_HANDSHAKE + 1
    assert messages.feed(b"\x0b" + size.to_bytes(3, "big") + bytes(10)) == [(11, b"")]
    for _ in range(size // 1_000):
        messages.feed(bytes(1_000))
        assert len(messages._buffer) <= 1_000
    assert messages.feed(bytes(size - 10 - size // 1_000 * 1_000) + b"\x0e\0\0\0") == [(14, b"")]


def test_an_endless_handshake_ends_in_time() -> None:
    network = Network()
    line = network.line(CLIENT, AGENT)
    line.open(0)
    hello = talk(Setup(), [])[3].data[54:]
    said(line, 0, hello + framed(22, (b"\x01\0\0\x04abcd" * 2_000 + b"\x0b\xff\xff\xff") * 40))
    said(line, 1, framed(22, b"\x02\0\0\x02\x03\x03" * 200_000), 10**8)
    begun = time.perf_counter()
    traced(network.records)
    assert time.perf_counter() - begun < 20


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_raise_nothing(data: st.DataObject) -> None:
    setup, records = DAMAGED[data.draw(st.integers(0, len(DAMAGED) - 1))]
    changed = []
    for record in records:
        body = bytearray(record.data)
        if len(body) > 54 and data.draw(st.integers(0, 5)) == 0:
            for _ in range(data.draw(st.integers(1, 4))):
                body[data.draw(st.integers(54, len(body) - 1))] = data.draw(st.integers(0, 255))
        changed.append(record._replace(data=bytes(body)))
    traced(changed, setup)


DAMAGED = [
    (setup.secrets, talk_of)
    for setup in (Setup(ciphers="AES128-SHA"), Setup(ciphers=SUITES["gcm"]), Setup(version=TLS_1_3))
    for talk_of in [talk(setup, [(20, 20)] * 2)]
]


def test_many_connections_are_followed_in_bounded_room() -> None:
    """Hellos to the agent's port, none of which goes on."""
    hello = talk(Setup(), [])[3].data[54:]
    known = Secrets()
    known.add_log(b"CLIENT_RANDOM " + b"00" * 32 + b" " + b"00" * 48)
    tracer, records = Tracer(secrets=known), list[Record]()
    begun = time.process_time()
    for number in range(2_000):
        line = Line(records, Address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 40_000), AGENT)
        line.open(number * 10_000)
        line.packet(number * 10_000 + 5_000, 0, 0x18, hello)
    for packet in packets_of(records):
        tracer.feed(packet)
    tracer.finish()
    assert len(tracer.tls._told) <= 1_024
    assert time.process_time() - begun < 20


def test_roles_of_connections() -> None:
    setup = Setup()
    records = talk(setup, [(10, 10)])
    roles = [one.role for one in traced(records, setup.secrets) if isinstance(one, Connection)]
    assert roles == [Role.HTTP]
    assert [one.role for one in traced(records) if isinstance(one, Connection)] == [Role.TLS]


@pytest.mark.parametrize("snap", [60, 120, 300])
def test_packets_that_were_cut_are_said_to_be(snap: int) -> None:
    setup = Setup()
    known = Secrets()
    known.add_log(setup.secrets)
    tracer, events = Tracer(secrets=known), list[Event]()
    for packet in packets_of(talk(setup, [(2_000, 2_000)] * 3)):
        events += tracer.feed(packet._replace(data=packet.data[:snap]))
    events += [*tracer.finish(), *tracer.overview.problems()]
    assert exchanges(events) == []
    assert {"tls_not_decrypted", "snap_length"} & set(codes(events))


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("has_secrets", [True, False])
def test_blocks_bring_what_packets_bring(version: ssl.TLSVersion, has_secrets: bool, tmp_path: Path) -> None:
    """The agent's connections among those of others to other ports, which begin alike."""
    setup, network = Setup(version=version), Network()
    for number in range(30):
        is_agent = number % 3 == 0
        server = AGENT if is_agent else AGENT._replace(port=9_000 + number % 5)
        line = network.line(CLIENT._replace(port=40_000 + number), server)
        wire = Wire(setup if is_agent else Setup(version=version), line, number * 10**8)
        assert wire.handshake()
        for turn in range(number % 11):
            wire.say(0, request(turn, 300))
            wire.say(1, response(200))
        wire.end()
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(network.ordered()))
    told = []
    for by_block in (True, False):
        known = Secrets()
        known.add_log(setup.secrets if has_secrets else b"")
        tracer, events = Tracer(secrets=known), list[Event]()
        for block in CaptureReader([path]).blocks(runs_finder(known)):
            if by_block:
                events += [event for some in feed(tracer, block) for event in some]
            else:
                events += [event for packet in block.packets() for event in tracer.feed(packet._replace(key=None))]
        events += [*tracer.finish(), *tracer.overview.problems()]
        found = exchanges(events)
        roles = [(one.n, one.client, one.role) for one in events if isinstance(one, Connection)]
        problems = [(one.code, one.packets, one.summary) for one in events if isinstance(one, Problem)]
        told.append(([(one.n, one.packets) for one in found], roles, problems))
    assert told[0] == told[1]
    assert bool(told[0][0]) is has_secrets
