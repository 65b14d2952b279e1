"""Packets from interfaces: filters, each packet once, other link layers, drops, several interfaces in order."""

from __future__ import annotations

import mmap
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack_into

import pytest
from builders import block_of_one

from dissector.errors import CaptureError, UsageError
from dissector.sources import afpacket
from dissector.sources.blocks import block_of
from dissector.sources.capture import CaptureReader
from dissector.sources.capturing import CapturingElsewhere, CapturingHere
from dissector.sources.filters import port_filter
from dissector.sources.interfaces import interfaces
from dissector.sources.live import LiveCapture
from dissector.sources.recent import Recent
from dissector.sources.ring import CaptureWriter, Ring, parse_ring
from dissector.stream.link import ETHERNET, LINUX_SLL2
from dissector.stream.packets import parse
from dissector.stream.prefilter import Prefilter
from dissector.traffic import SYN, IcmpError, Packet, Segment

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="capturing needs root")
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORT = 28_000 + 10 * WORKER
FILTER = port_filter((PORT,), (PORT + 5, PORT + 6))


def test_the_interfaces() -> None:
    (loopback,) = [one for one in interfaces() if one.name == "lo"]
    assert loopback.kind == 772
    assert "127.0.0.1" in loopback.addresses


@contextmanager
def capture(
    *names: str, text: str = FILTER, narrow: str | None = None, elsewhere: bool = False
) -> Iterator[LiveCapture]:
    source = LiveCapture(names, text, narrow=narrow)
    try:
        if elsewhere:
            source.begin()
        yield source
    finally:
        source.close()


def collect(source: LiveCapture) -> list[Packet]:
    """What came until nothing more does."""
    packets: list[Packet] = []
    while more := source.poll(0.3):
        packets += [packet for block in more for packet in block.packets()]
    return packets


def talk(data: bytes = b"hello", family: socket.AddressFamily = socket.AF_INET) -> None:
    """One connection, with bytes from its client."""
    address = ("::1" if family is socket.AF_INET6 else "127.0.0.1", PORT)
    with socket.create_server(address, family=family) as server, socket.create_connection(address) as client:
        accepted, _ = server.accept()
        with accepted:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while accepted.recv(65_536):
                pass


@needs_root
@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize(("name", "link_type"), [("lo", ETHERNET), ("any", LINUX_SLL2)])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_each_packet_once(name: str, link_type: int, family: socket.AddressFamily, elsewhere: bool) -> None:
    before = time.time_ns()
    with capture(name, text=f"tcp port {PORT}", elsewhere=elsewhere) as source:
        talk(b"hello", family)
        packets = collect(source)
    segments = [record for record in map(parse, packets) if isinstance(record, Segment)]
    assert len(segments) == len(packets) == source.info.packets == source.info.tcp_segments
    assert {packet.link_type for packet in packets} == {link_type}
    assert [packet.number for packet in packets] == list(range(1, len(packets) + 1))
    assert [bool(segment.flags & SYN) for segment in segments][:3] == [True, True, False]
    assert sum(bool(segment.flags & SYN) for segment in segments) == 2
    assert b"".join(segment.payload for segment in segments) == b"hello"
    times = [packet.time for packet in packets]
    assert times == sorted(times)
    assert before < times[0] < times[-1] < time.time_ns()
    assert source.dropped == 0


@needs_root
def test_segments_of_64_kilobytes_are_whole() -> None:
    with capture("lo") as source:
        talk(bytes(2_000_000))
        packets = collect(source)
    assert max(packet.wire_length for packet in packets) > 65_535
    assert all(len(packet.data) == packet.wire_length for packet in packets)


@needs_root
def test_icmp_errors_pass_and_other_things_do_not() -> None:
    with capture("lo") as source:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", PORT))  # UDP: not ours, but the answer may be about ours
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as pinger:
            pinger.sendto(bytes.fromhex("0800f7ff00000000"), ("127.0.0.1", 0))
        packets = collect(source)
    mine = [packet for packet in packets if packet.data[64:66] == PORT.to_bytes(2, "big")]
    assert [packet.data[34] for packet in mine] == [3]  # destination unreachable
    assert not isinstance(parse(mine[0]), IcmpError)  # it quotes no TCP
    assert 8 not in {packet.data[34] for packet in packets if packet.data[23] == 1}


@needs_root
@pytest.mark.parametrize("name", ["lo", "any"])
@pytest.mark.parametrize("narrow", ["nonsense here", "tcp port 70000", "(("])
def test_a_filter_that_libpcap_does_not_understand(name: str, narrow: str) -> None:
    with pytest.raises(UsageError, match=f"capture filter: .*: {re.escape(narrow)}$"):
        LiveCapture([name], FILTER, narrow=narrow).close()


@needs_root
def test_ethernet_addresses_in_a_filter() -> None:
    narrow = "ether host 00:00:00:00:00:00"
    with pytest.raises(UsageError, match=f"this interface, or any, has no Ethernet addresses to filter by: {narrow}"):
        LiveCapture(["any"], FILTER, narrow=narrow).close()
    with capture("lo", narrow=narrow) as source:
        talk()
        assert b"hello" in b"".join(packet.data for packet in collect(source))


@needs_root
@pytest.mark.parametrize("name", ["lo", "any"])
@pytest.mark.parametrize(("narrow", "passes"), [("host 127.0.0.1 and tcp[13] != 0", True), ("host 127.0.0.2", False)])
def test_less_than_what_is_of_tasks(name: str, narrow: str, passes: bool) -> None:
    with capture(name, narrow=narrow) as source:
        talk()
        assert (b"hello" in b"".join(packet.data for packet in collect(source))) is passes


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(CaptureError, match="nosuch0: there is no such interface"):
        LiveCapture(["nosuch0"], FILTER)


@needs_root
@pytest.mark.parametrize("elsewhere", [False, True])
def test_drops_are_counted(monkeypatch: pytest.MonkeyPatch, elsewhere: bool) -> None:
    monkeypatch.setattr(afpacket, "_BLOCKS", (2,))
    with capture("lo", elsewhere=elsewhere) as source:
        for _ in range(20 if elsewhere else 3):
            talk(bytes(2_000_000))
        packets = collect(source)
        dropped = source.dropped
        assert dropped > 0
        assert packets
        talk()
        assert b"hello" in b"".join(packet.data for packet in collect(source))  # it goes on
    assert source.dropped == dropped


def test_a_block_goes_back_by_its_status_alone() -> None:
    """Where the ring is full the kernel fills it at once, and the words behind the status are its own again."""
    ring = mmap.mmap(-1, 2 * afpacket._BLOCK)
    blocks = afpacket.RingBlocks(ring)
    taken = []
    for start, number in ((0, 1), (afpacket._BLOCK, 2), (0, 3)):
        assert blocks.filled() is None
        pack_into("III", ring, start + 8, 1, number, 48)
        taken.append(blocks.filled())
        blocks.give_back()
        assert ring[start + 8 : start + 20] == b"".join(word.to_bytes(4, sys.byteorder) for word in (0, number, 48))
    assert taken == [(48, 1), (afpacket._BLOCK + 48, 2), (48, 3)]
    blocks.close()
    assert ring.closed


@needs_root
def test_nothing_is_lost_while_this_process_is_busy_for_seconds() -> None:
    """A block of the ring is handed over after a moment, however little is in it."""
    with capture("lo", text=f"tcp port {PORT}") as source:
        end = time.monotonic() + 3.5
        connections = 0
        while time.monotonic() < end:
            talk()
            connections += 1
            time.sleep(0.02)
        packets = collect(source)
        assert source.dropped == 0
    assert sum(b"hello" in packet.data for packet in packets) == connections


@needs_root
@pytest.mark.parametrize("elsewhere", [False, True])
def test_several_interfaces_in_order(elsewhere: bool) -> None:
    """Each packet of lo comes from both: in the order of time although the two hand over at different moments."""
    with capture("lo", "any", text=f"tcp port {PORT}", elsewhere=elsewhere) as source:
        for _ in range(20):
            talk()
            time.sleep(0.01)
        packets = collect(source)
    assert sum(packet.link_type == ETHERNET for packet in packets) * 2 == len(packets)
    times = [packet.time for packet in packets]
    assert times == sorted(times)


# --- the process that captures -------------------------------------------------------------------------------------


def process_of(source: LiveCapture) -> int:
    assert isinstance(source._capturing, CapturingElsewhere)
    return source._capturing._pid


@needs_root
def test_the_process_that_captures_was_ended() -> None:
    with capture("lo", elsewhere=True) as source:
        os.kill(process_of(source), signal.SIGKILL)
        with pytest.raises(CaptureError, match="lo: the process that captures was ended"):
            source.poll(5)


@needs_root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_for_the_other_process(number: int) -> None:
    with capture("lo", elsewhere=True) as source:
        time.sleep(0.2)
        os.kill(process_of(source), number)
        talk()
        assert b"hello" in b"".join(packet.data for packet in collect(source))


@needs_root
def test_it_ends_when_nobody_listens_any_more() -> None:
    with capture("lo", elsewhere=True) as source:
        assert isinstance(source._capturing, CapturingElsewhere)
        source._capturing._found.close()
        for _ in range(50):
            if (
                Path(f"/proc/{process_of(source)}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
                == "Z"
            ):
                break
            time.sleep(0.1)
        else:
            pytest.fail("it is still there after five seconds")


@needs_root
def test_news_and_the_end_of_an_interface_come_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(here: CapturingHere, timeout: float) -> None:  # noqa: ARG001  a method's shape
        if here.dropped_before:
            here.dropped_before += 4
            raise CaptureError("lo", "the interface is gone")
        here._news, here.dropped_before = ["any: the interface is gone"], 7
        return

    monkeypatch.setattr(CapturingHere, "take", take)
    with capture("lo", elsewhere=True) as source:
        with pytest.raises(CaptureError, match="lo: the interface is gone"):
            source.poll(5)
        assert source.news() == ["any: the interface is gone"]
        assert source.dropped >= 11, "of the last interface as well"


@needs_root
def test_runs_are_found_there() -> None:
    """What is done with each block first is done in that process."""
    here = os.getpid()
    source = LiveCapture(["lo"], FILTER, prepare=lambda block: block.others.append(os.getpid() == here))
    try:
        source.begin()
        talk()
        (block, *_) = source.poll(5)
    finally:
        source.close()
    assert block.others[-1] == 0


@needs_root
def test_recent_packets_of_some_connections(tmp_path: Path) -> None:
    from dissector.session.tracer import Tracer
    from dissector.stream.reassembly import Connections

    recent = Recent(10_000_000)
    connections = Connections()
    seen = []
    with capture("lo") as source:
        source.recorder = recent
        talk(b"first")
        talk(b"second")
        for packet in collect(source):
            record = parse(packet)
            assert isinstance(record, Segment)
            seen += [flow.connection for flow, _ in connections.feed(record)]
    assert Tracer().running == []
    first, second = list(dict.fromkeys(seen))
    path = str(tmp_path / "one.pcapng")
    count, whole = recent.save(path, [second])
    data = b"".join(packet.data for packet in CaptureReader([path]))
    assert (b"first" in data, b"second" in data) == (False, True)
    assert whole
    assert count == second.packets
    recent._room = 0
    for packet in CaptureReader([path]):
        recent.record(block_of_one(packet._replace(number=packet.number + 1_000)), ["lo"])
    assert recent.save(path, [first])[1] is False
    with pytest.raises(CaptureError, match="No such file"):
        recent.save("/nowhere/x", [first])


# --- writing -------------------------------------------------------------------------------------------------------

PACKETS = [Packet(n, 1_700_000_000_123_456_789 + n, 1, bytes(60 + n), 60 + n) for n in range(1, 101)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    writer = CaptureWriter(str(path))
    for packet in PACKETS:
        writer.write(packet, "eth0" if packet.number % 2 else "eth1")
    writer.close(dropped=7)
    writer.close()
    assert [packet[:5] for packet in CaptureReader([path])] == [packet[:5] for packet in PACKETS]
    done = subprocess.run(["capinfos", "-M", str(path)], capture_output=True, text=True, check=False)
    for word in ("eth0", "eth1", "Number of packets:   100"):
        assert word in done.stdout


def test_a_block_is_written_with_its_interfaces(tmp_path: Path) -> None:
    """But for packets that nobody can read; what was longer on the wire is told."""
    usb, path = 220, tmp_path / "x.pcapng"
    found = [(1, ETHERNET, bytes(60), 60), (2, usb, bytes(64), 64), (3, ETHERNET, bytes(40), 1_500)]
    writer = CaptureWriter(str(path))
    writer.record(block_of(Prefilter(), found), ["eth0", "usb0", "eth1"])
    writer.close()
    assert writer.packets == 2
    assert [packet[1:5] for packet in CaptureReader([path])] == [found[0], found[2]]
    done = subprocess.run(["capinfos", "-M", str(path)], capture_output=True, text=True, check=False)
    assert "usb0" not in done.stdout
    assert done.stdout.index("eth0") < done.stdout.index("eth1")


def test_a_ring_keeps_the_newest(tmp_path: Path) -> None:
    writer = CaptureWriter(str(tmp_path / "r.pcapng"), Ring(3, 2_000))
    for packet in PACKETS:
        writer.write(packet, "eth0")
    writer.close()
    files = sorted(tmp_path.iterdir())
    assert files == list(writer.files)
    assert len(files) == 3
    kept = [packet.data for path in files for packet in CaptureReader([path])]
    assert kept == [packet.data for packet in PACKETS[-len(kept) :]]


@pytest.mark.parametrize(("age", "files"), [(9.9, 1), (10, 2), (10.1, 2)])
def test_a_ring_by_age(age: float, files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next file begins with the first packet behind it."""
    now = [1_000.0]
    monkeypatch.setattr("dissector.sources.ring.time.monotonic", lambda: now[0])
    writer = CaptureWriter(str(tmp_path / "r.pcapng"), Ring(3, 10**6, 10))
    writer.write(PACKETS[0], "eth0")
    now[0] += age
    writer.write(PACKETS[1], "eth0")
    writer.close()
    assert len(writer.files) == files
    assert [len(list(CaptureReader([path]))) for path in writer.files] == ([2] if files == 1 else [1, 1])
    assert writer.size() == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_the_size_of_a_ring_is_that_of_its_files(tmp_path: Path) -> None:
    writer = CaptureWriter(str(tmp_path / "r.pcapng"), Ring(3, 2_000))
    for packet in PACKETS:
        writer.write(packet, "eth0")
        writer.flush()
        assert writer.size() == sum(path.stat().st_size for path in tmp_path.iterdir())
    writer.close()


def test_a_device_that_is_full() -> None:
    writer = CaptureWriter("/dev/full")
    for packet in PACKETS:
        writer.write(packet, "eth0")
    writer.flush()
    assert writer.failure == "No space left on device; nothing more is written, what was is readable"
    writer.write(PACKETS[0], "eth0")
    with pytest.raises(CaptureError, match="/dev/full: No space left"):
        writer.close(check=True)


@pytest.mark.parametrize(
    ("text", "ring"),
    [
        ("10x100MB", Ring(10, 10**8)),
        ("2x1k", Ring(2, 1000)),
        ("3x2GB", Ring(3, 2 * 10**9)),
        ("48x1h", Ring(48, None, 3_600)),
        ("2x30s", Ring(2, None, 30)),
        ("7x1d", Ring(7, None, 86_400)),
        ("10x100MB/10min", Ring(10, 10**8, 600)),
    ],
)
def test_rings(text: str, ring: Ring) -> None:
    assert parse_ring(text) == ring


@pytest.mark.parametrize(
    "text",
    ["", "10", "1x5MB", "3x0MB", "3x5", "3*5MB", "-3x5MB", "3x5TB", "3x0h", "3x1h/5MB", "3x5MB/", "3x5MB/0s", "3x/1h"],
)
def test_what_is_no_ring(text: str) -> None:
    with pytest.raises(UsageError, match="is no ring such as 10x100MB"):
        parse_ring(text)
