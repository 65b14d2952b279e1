"""``jstrace redact``: nothing that was to go is left, and everything else is as it was."""

from __future__ import annotations

import bz2
import gzip
import itertools
import lzma
import random
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
import zstandard
from builders import ICMP, enhanced, ethernet, interface, ipv4, section
from click.testing import Result
from conversation import EPOCH, SECOND, Address, Network, Record, TaskScript, pcap

from dissector.errors import UsageError
from dissector.model import Outcome
from dissector.share.capture_index import CaptureIndex, Hints
from dissector.share.redact import RedactReport, redact
from dissector.sources.capture import CaptureReader
from dissector.stream.packets import parse
from dissector.traffic import IcmpError, Segment

Command = Callable[..., Result]
HINTS = Hints((4444, 4445, 4455), (50_000, 59_999))
CAPTURES = Path(__file__).resolve().parents[2] / "captures"
ALL = sorted([*CAPTURES.glob("*.pcap"), *CAPTURES.glob("faults/*.pcap")])
AGENTS = sorted(path for path in CAPTURES.glob("agent/ua*.pcap") if not path.stem.endswith("_all"))
SECRET, TEXT = "hunter2-Sesame!", "the salary of Smith is 4711"
LOG = (
    f"connect --password={SECRET} to 10.1.0.10 and (10.3.0.77).",
    f"logged in with {SECRET}",
    f"{TEXT}\nSCHEDULER-987  by fe80::42:8aff:fe6d:1",
    "<param name='db_passwd' value='0p3n&amp;Shut'/>",
    "first it was 0p3n&Shut",
)

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")


def run(source: Path, tmp_path: Path, all_text: bool = False, key: bytes = b"key") -> tuple[Path, RedactReport]:
    target = tmp_path / f"redacted{source.suffix}"
    return target, redact(str(source), str(target), key, HINTS, all_text=all_text)


def streams(path: Path) -> Iterator[bytes]:
    """What every direction of every connection says, by sequence numbers; repeated bytes once."""
    ways: dict[tuple[object, ...], dict[int, bytes]] = {}
    for packet in CaptureReader([path]):
        record = parse(packet)
        if isinstance(record, Segment):
            ways.setdefault(record[2:6], {})[record.seq] = record.payload
    for segments in ways.values():
        yield b"".join(segments[seq] for seq in sorted(segments))


def holds(path: Path, *words: str | bytes) -> set[str | bytes]:
    """Those of the words that are anywhere in the file or in the streams of its connections."""
    places = [path.read_bytes(), *streams(path)]
    data = [word.encode("latin-1") if isinstance(word, str) else word for word in words]
    return {word for word, text in zip(words, data, strict=True) if any(text in place for place in places)}


@pytest.fixture(params=[1_448, 7], ids=["whole", "in pieces"])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Two tasks with secrets in their logs, retransmissions, an ICMP error, ARP and a foreign connection."""
    network = Network()
    network.play(TaskScript(job="payroll", log=LOG, exit_code=3), mss=request.param)
    network.play(TaskScript(job="payroll", client="10.1.0.11", remote="10.2.0.10", log=LOG[:2]), 0.5, request.param)
    network.say(Address("10.1.0.10", 41_000), Address("10.9.0.1", 80), (0, b"GET /private HTTP/1.1\r\n\r\n"), start=0.2)
    records = network.ordered()
    noise = random.Random(1)
    again = [Record(one.time + 20_000_000, one.data) for one in records if len(one.data) > 60 and noise.random() < 0.3]
    longest = max(records, key=lambda one: len(one.data) if one.time < SECOND // 5 else 0)
    quote = struct.pack(">BBHI", 3, 13, 0, 0) + longest.data[14:]
    error = Record(longest.time + 1_000, ethernet(ipv4(quote, "10.1.0.254", "10.1.0.10", ICMP)))
    arp = Record(
        1, b"\xff" * 6 + b"\x02\0\0\0\0\x01\x08\x06" + bytes.fromhex("0001080006040001020000000001") + ip("10.1.0.10")
    )
    path = tmp_path / "told.pcap"
    path.write_bytes(pcap(sorted([*records, *again, error, arp], key=lambda one: one.time)))
    return path


def ip(text: str) -> bytes:
    return ip_address(text).packed


# --- what goes -----------------------------------------------------------------------------------------------------

ADDRESSES = ("10.1.0.10", "10.1.0.11", "10.2.0.10", "10.1.0.254")
PRIVATE = (SECRET, "0p3n&amp;Shut", "0p3n&Shut", "10.1.0.10", "10.3.0.77", "fe80::42:8aff:fe6d:1")


@pytest.mark.parametrize("all_text", [False, True], ids=["secrets", "all texts"])
def test_nothing_is_left(told: Path, tmp_path: Path, all_text: bool) -> None:
    packed = tuple(map(ip, (*ADDRESSES, "10.9.0.1")))
    mac = bytes.fromhex("020000000001")
    assert holds(told, *PRIVATE, *packed, mac, TEXT, "payroll") == {*PRIVATE, *packed, mac, TEXT, "payroll"}
    target, report = run(told, tmp_path, all_text)
    assert holds(target, *PRIVATE, *packed, mac) == set()
    assert holds(target, TEXT, "payroll") == (set() if all_text else {TEXT, "payroll"})
    assert report.differences == ()
    assert report.left == 0
    assert report.tasks == 2


def test_what_stays_of_the_texts(told: Path, tmp_path: Path) -> None:
    _, before = told, CaptureIndex.of(str(told), HINTS, messages=False)
    secrets, _ = run(told, tmp_path)
    lines = [line.text for line in CaptureIndex.of(str(secrets), HINTS, messages=False).tasks[0].log]
    assert re.fullmatch(r"connect --password=\*{15} to 10\.\d\.\d\.\d\d and \(10\.\d\.\d\.\d\d\)\.", lines[0])
    assert lines[1] == "logged in with " + "*" * len(SECRET)
    texts, _ = run(told, tmp_path, all_text=True)
    after = CaptureIndex.of(str(texts), HINTS, messages=False)
    assert [line.text.count("\n") for line in after.tasks[0].log] == [0, 0, 1, 0, 0]
    assert {task.job for task in after.tasks} == {after.tasks[0].job}
    assert after.tasks[0].job != before.tasks[0].job
    # The same line is the same line again.
    assert after.tasks[0].log[1].text == after.tasks[1].log[1].text
    assert after.tasks[0].exit_code == 3


def test_retransmissions_and_quotes_say_the_same(told: Path, tmp_path: Path) -> None:
    """Every byte of a stream is the same wherever it is: sent first, sent again, or quoted by a router."""
    target, _ = run(told, tmp_path)
    seen: dict[tuple[object, ...], int] = {}
    quotes = 0
    for packet in CaptureReader([target]):
        record = parse(packet)
        if isinstance(record, Segment):
            for at, byte in enumerate(record.payload):
                key = (*record[2:6], record.seq + at)
                assert seen.setdefault(key, byte) == byte
        elif isinstance(record, IcmpError):
            payload = packet.data[14 + 20 + 8 + 20 + 20 :]
            quotes += 1
            assert payload
            for at, byte in enumerate(payload):
                assert seen[record.src, record.sport, record.dst, record.dport, record.seq + at] == byte
    assert quotes == 1


def test_other_traffic_goes(told: Path, tmp_path: Path) -> None:
    before = [parse(packet) for packet in CaptureReader([told])]
    foreign = sum(isinstance(one, Segment) and 80 in (one.sport, one.dport) for one in before)
    target, report = run(told, tmp_path)
    after = list(CaptureReader([target]))
    assert foreign
    assert len(after) == len(before) - foreign - 1 == report.written
    assert report.packets == len(before)


# --- addresses -----------------------------------------------------------------------------------------------------


def common(a: bytes, b: bytes) -> int:
    """Bits that two addresses have in common at their beginnings."""
    return 32 - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()


def test_addresses_keep_what_they_have_in_common(told: Path, tmp_path: Path) -> None:
    target, _ = run(told, tmp_path)
    mapped: dict[bytes, bytes] = {}
    ours = (packet for packet in CaptureReader([told]) if _is_ours(parse(packet)))
    for old, new in zip(ours, CaptureReader([target]), strict=True):
        assert (old.time, old.wire_length, len(old.data)) == (new.time, new.wire_length, len(new.data))
        for at in (26, 30):
            before, after = old.data[at : at + 4], new.data[at : at + 4]
            assert mapped.setdefault(before, after) == after
            assert len(str(ip_address(before))) == len(str(ip_address(after)))
    assert set(mapped) == set(map(ip, ADDRESSES))
    assert set(mapped).isdisjoint(mapped.values())
    for a, b in itertools.combinations(mapped, 2):
        assert common(a, b) == common(mapped[a], mapped[b])
    lines = CaptureIndex.of(str(target), HINTS, messages=False).tasks[0].log
    assert str(ip_address(mapped[ip("10.1.0.10")])) in lines[0].text


def _is_ours(record: object) -> bool:
    return isinstance(record, IcmpError) or (isinstance(record, Segment) and 80 not in (record.sport, record.dport))


def test_the_key_decides(told: Path, tmp_path: Path) -> None:
    one, two, other = (run(told, tmp_path, key=key)[0].read_bytes() for key in (b"1", b"1", b"2"))
    assert one == two != other


# --- what stays ----------------------------------------------------------------------------------------------------


@pytest.mark.one_in(5)
@pytest.mark.parametrize("all_text", [False, True], ids=["secrets", "all texts"])
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_recordings_tell_the_same(path: Path, all_text: bool, tmp_path: Path) -> None:
    target, report = run(path, tmp_path, all_text)
    assert report.differences == ()
    assert report.left == 0
    found = CaptureIndex.of(str(path), HINTS, messages=False)
    ends = {end.ip for task in found.tasks for end in (task.client, task.remote, task.callback_peer) if end}
    assert holds(target, *ends) == set()
    if all_text:
        words = {f"job={task.job}" for task in found.tasks if task.job}
        words |= {line.text for task in found.tasks for line in task.log if len(line.text) > 8 and " " in line.text}
        assert holds(target, *words) == set()


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.stem)
def test_recordings_of_agents_tell_the_same(path: Path, tmp_path: Path) -> None:
    """Also where somebody guessed a tunnel's secret, and nothing tells secrets apart any more."""
    target, report = run(path, tmp_path, False)
    assert report.differences == ()
    secrets = re.findall(rb"X-JobScheduler-Tunnel-Secret: ([\w-]+)", path.read_bytes())
    assert not any(secret in target.read_bytes() for secret in secrets)


CHECKED = [
    "engine_api_java_ok",
    "engine_bigscript",
    "engine_ten_tasks",
    "scala113_http_tunnel",
    "faults/04_callback_reject_icmp_port.r",
    "faults/18_loss3_reorder_router.r",
    "faults/19_scanner_junk.c",
    "faults/26_mtu_black_hole.c",
]


def tshark(path: Path, *fields: str) -> list[tuple[str, ...]]:
    """Values of fields, a row a packet."""
    options = [part for name in ("ip", "tcp") for part in ("-o", f"{name}.check_checksum:TRUE")]
    names = [part for name in fields for part in ("-e", name)]
    command = ["tshark", "-r", str(path), *options, "-T", "fields", *names]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    return [tuple(line.split("\t")) for line in out.splitlines()]


@pytest.mark.one_in(4)
@needs_tshark
@pytest.mark.parametrize("name", CHECKED)
def test_tshark_finds_no_fault(name: str, tmp_path: Path) -> None:
    source = CAPTURES / f"{name}.pcap"
    target, _ = run(source, tmp_path, all_text=True)
    status = set(tshark(target, "ip.checksum.status", "tcp.checksum.status", "icmp.checksum.status"))
    assert {value for row in status for field in row for value in field.split(",")} <= {"1", ""}
    keys = ("frame.time_epoch", "tcp.seq_raw", "tcp.len", "tcp.flags", "tcp.analysis.flags")
    before = {row[:4]: row[4:] for row in tshark(source, *keys)}
    after = tshark(target, *keys)
    assert all(before[row[:4]] == row[4:] for row in after)


@needs_tshark
def test_tshark_agrees_on_the_made_one(told: Path, tmp_path: Path) -> None:
    target, _ = run(told, tmp_path)
    rows = tshark(target, "ip.checksum.status", "tcp.checksum.status", "icmp.checksum.status", "_ws.malformed")
    assert {value for row in rows for field in row for value in field.split(",")} <= {"1", "", "2"}
    assert not any(value == "0" for row in rows for field in row for value in field.split(","))


def test_a_snapped_capture(tmp_path: Path) -> None:
    """Of a cut packet only what is there is written; a text that the cut tears from its message is no text any more."""
    source = CAPTURES / "engine_shell_fail.pcap"
    records = [(p.time, p.data[:150], p.wire_length) for p in CaptureReader([source])]
    path = tmp_path / "snapped.pcap"
    head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 150, 1)
    path.write_bytes(
        head
        + b"".join(
            struct.pack("<IIII", time // SECOND, time % SECOND, len(data), length) + data
            for time, data, length in records
        )
    )
    target, report = run(path, tmp_path, all_text=True)
    assert report.differences == ()
    assert [(p.wire_length, len(p.data)) for p in CaptureReader([target])] == [
        (length, len(data)) for _, data, length in records[-report.written :]
    ] or report.written < len(records)
    assert holds(target, "echo failing", "127.0.0.1") == set()


@pytest.mark.one_in(5)
@pytest.mark.parametrize("seed", range(12))
def test_damaged_captures(seed: int, told: Path, tmp_path: Path) -> None:
    """Whatever the bytes: a result that can be read and has nothing of what is to go, or a clean error."""
    noise = random.Random(seed)
    records = []
    for packet in CaptureReader([told]):
        data = bytearray(packet.data)
        for _ in range(noise.choice((0, 0, 0, 1, 3))):
            data[noise.randrange(len(data))] = noise.randrange(256)
        if noise.random() < 0.1:
            del data[noise.randrange(len(data)) :]
        if noise.random() > 0.05:
            records.append(Record(packet.time - EPOCH * SECOND, bytes(data)))
    path = tmp_path / "damaged.pcap"
    path.write_bytes(pcap(records))
    target, report = run(path, tmp_path, all_text=True)
    assert len(list(CaptureReader([target]))) == report.written
    assert holds(target, SECRET, TEXT, "payroll") == set()


def test_pcapng_stays_pcapng(told: Path, tmp_path: Path) -> None:
    packets = list(CaptureReader([told]))
    sll = b"\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\0"
    blocks = [section(), interface(1), interface(113)]
    for number, packet in enumerate(packets):
        ticks = packet.time // 1_000
        odd = number % 2 == 1 and packet.data[12:14] == b"\x08\x00"
        blocks.append(enhanced(sll + packet.data[14:] if odd else packet.data, ticks, index=int(odd)))
    path = tmp_path / "two.pcapng"
    path.write_bytes(b"".join(blocks))
    target, report = run(path, tmp_path)
    assert report.differences == ()
    reader = CaptureReader([target])
    assert len(list(reader)) == report.written
    assert reader.infos[0].link_type == "Ethernet, Linux cooked v1"
    assert holds(target, *PRIVATE, bytes.fromhex("020000000001")) == set()


def test_times_stay_exact(told: Path, tmp_path: Path) -> None:
    target, _ = run(told, tmp_path)
    times = {packet.time for packet in CaptureReader([told])}
    assert {packet.time for packet in CaptureReader([target])} <= times
    assert min(times) >= EPOCH * SECOND


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command(told: Path, tmp_path: Path, jstrace: Command) -> None:
    target = tmp_path / "out.pcap"
    result = jstrace("redact", told, target, "--all-text")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "2 tasks" in result.stdout
    first = target.read_bytes()
    jstrace("redact", told, target, "--all-text")
    assert target.read_bytes() != first
    for _ in range(2):
        assert jstrace("redact", told, target, "--seed", "abc").exit_code == 0
    assert not list(tmp_path.glob("*.part"))


@pytest.fixture
def both_sides(tmp_path: Path) -> list[Path]:
    """A task in two captures; what is a secret is told in the first one only."""
    task = Network()
    task.play(TaskScript(log=(f"password={SECRET}", "from 10.1.0.10")))
    other = Network()
    other.play(TaskScript(log=(f"and again {SECRET}", "from 10.1.0.10"), remote="10.2.0.77"))
    paths = [tmp_path / "client.pcap", tmp_path / "remote.pcap"]
    for path, network in zip(paths, (task, other), strict=True):
        path.write_bytes(network.capture())
    return paths


@pytest.mark.parametrize("all_text", [False, True], ids=["secrets", "all texts"])
def test_several_captures_get_the_same_names(
    both_sides: list[Path], all_text: bool, tmp_path: Path, jstrace: Command
) -> None:
    folder = tmp_path / "for" / "support"
    options = ["--all-text"] if all_text else []
    result = jstrace("redact", *both_sides, "--out-dir", folder, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == ["client.pcap", "remote.pcap"]
    first, second = (CaptureIndex.of(str(folder / path.name), HINTS, messages=False).tasks[0] for path in both_sides)
    assert first.client is not None
    assert second.client is not None
    assert first.client.ip == second.client.ip != "10.1.0.10"
    assert first.remote != second.remote
    assert first.log[1].text == second.log[1].text
    for path in both_sides:
        assert holds(folder / path.name, *PRIVATE, "10.2.0.77", ip("10.2.0.77"), ip("10.1.0.10")) == set()


@pytest.mark.parametrize(
    ("name", "written", "magic"),
    [
        ("x.pcap.gz", "x.pcap.gz", b"\x1f\x8b"),
        ("x.pcapng.zst", "x.pcapng.zst", b"\x28\xb5\x2f\xfd"),
        ("x.pcap.GZ", "x.pcap.GZ", b"\x1f\x8b"),
        ("x.gz", "x.gz", b"\x1f\x8b"),
        ("x.pcap", "x.pcap", b"\xd4\xc3\xb2\xa1"),
        ("x.pcap.xz", "x.pcap", b"\xd4\xc3\xb2\xa1"),
        ("x.pcap.BZ2", "x.pcap", b"\xd4\xc3\xb2\xa1"),
    ],
)
def test_a_copy_is_what_its_name_says(
    name: str, written: str, magic: bytes, both_sides: list[Path], tmp_path: Path, jstrace: Command
) -> None:
    """Compressed like its source, where that is written here at all."""
    source, folder = tmp_path / name, tmp_path / "out"
    source.write_bytes(packed(both_sides[0].read_bytes(), name))
    assert jstrace("redact", source, "--out-dir", folder).exit_code == 0
    (copy,) = folder.iterdir()
    assert (copy.name, copy.read_bytes()[: len(magic)]) == (written, magic)
    assert [task.outcome for task in CaptureIndex.of(str(copy), HINTS, messages=False).tasks] == [Outcome.SUCCESS]


def packed(data: bytes, name: str) -> bytes:
    ending = Path(name).suffix.lower()
    if ending == ".gz":
        return gzip.compress(data)
    if ending == ".zst":
        return zstandard.ZstdCompressor().compress(data)
    if ending == ".xz":
        return lzma.compress(data)
    return bz2.compress(data) if ending == ".bz2" else data


def test_both_legs_of_a_recording(tmp_path: Path, jstrace: Command) -> None:
    """With a NAT between them: two names of one client become two others, and the tasks are as they were."""
    legs = [CAPTURES / "faults" / f"06_client_nat_dnat.{leg}.pcap" for leg in "cr"]
    assert jstrace("redact", *legs, "--out-dir", tmp_path).exit_code == 0
    client, remote = (CaptureIndex.of(str(tmp_path / leg.name), HINTS, messages=False).tasks[0] for leg in legs)
    assert client.remote == remote.remote
    assert client.callback_peer == remote.callback_peer
    assert client.client != remote.client
    words = ("10.50.1.10", "10.50.2.1", ip("10.50.1.10"), ip("10.50.2.1"), ip("10.50.2.10"))
    assert [holds(tmp_path / leg.name, *words) for leg in legs] == [set(), set()]


def test_none_is_kept_when_one_can_not_be_read(both_sides: list[Path], tmp_path: Path, jstrace: Command) -> None:
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(b"no capture at all")
    folder = tmp_path / "out"
    assert jstrace("redact", both_sides[0], damaged, "--out-dir", folder).exit_code == 2
    assert list(folder.iterdir()) == []


NAMES = (
    "from ip-203-0-113-77.ec2.internal, host_203_0_113_77 and 203-0-113-77.pool.example.net",
    "link 52:54:00:AB:cd:0f is 52-54-00-ab-cd-0f; on 2026-11-22 at 04-07-15 code 1-2-3-4",
    "peer 203.0.113.77",
)


def test_names_of_hosts_and_link_addresses_in_texts(tmp_path: Path) -> None:
    """They become what the same addresses become elsewhere; dates and other numbers stay."""
    network = Network()
    network.play(TaskScript(log=NAMES))
    path = tmp_path / "names.pcap"
    path.write_bytes(network.capture())
    target, report = run(path, tmp_path)
    assert report.differences == ()
    (task,) = CaptureIndex.of(str(target), HINTS, messages=False).tasks
    names, links, peer = (line.text for line in task.log)
    mapped = peer.removeprefix("peer ")
    dashed = mapped.replace(".", "-")
    assert mapped != "203.0.113.77"
    assert names == f"from ip-{dashed}.ec2.internal, host_{mapped.replace('.', '_')} and {dashed}.pool.example.net"
    link = re.fullmatch(r"link (\S{17}) is (\S{17}); on 2026-11-22 at 04-07-15 code 1-2-3-4", links)
    assert link is not None
    assert link[1].lower().replace(":", "-") == link[2] != "52-54-00-ab-cd-0f"
    everything, _ = run(path, tmp_path, all_text=True)
    assert holds(everything, "203-0-113-77", "203_0_113_77", "52-54-00", "ec2", "example") == set()


def test_heads_and_compressed_bodies_by_http(tmp_path: Path) -> None:
    body = gzip.compress(b"<start_job job='payroll' at='now'><params/></start_job>" * 3)
    head = b"POST /x?user=bob HTTP/1.1\r\nHost: db1.example.com\r\nUser-Agent: alice\r\nContent-Type: text/xml\r\n"
    request = head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    answer = b"HTTP/1.1 200 OK\r\nServer: srv1\r\nContent-Length: 28\r\n\r\n<spooler><answer/></spooler>"
    network = Network()
    network.play(TaskScript())
    network.say(Address("10.1.0.12", 41_000), Address("10.2.0.10", 4_444), (0, request), (1, answer), start=1.0)
    path = tmp_path / "http.pcap"
    path.write_bytes(network.capture())
    words = ("bob", "db1.example.com", "alice", "srv1", body)
    assert holds(path, *words) == set(words)
    target, _ = run(path, tmp_path, all_text=True)
    assert holds(target, *words) == set()


def test_a_secret_that_is_a_word_of_the_protocol(tmp_path: Path) -> None:
    network = Network()
    network.play(TaskScript(log=("password=spooler_log", "spooler_log it is")))
    path = tmp_path / "word.pcap"
    path.write_bytes(network.capture())
    target, report = run(path, tmp_path)
    assert (report.differences, report.left) == ((), 1)
    (task,) = CaptureIndex.of(str(target), HINTS, messages=False).tasks
    assert [line.text for line in task.log] == ["password=***********", "*********** it is"]


def test_too_much_for_memory(told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.share.redact.MAX_REDACTED_BYTES", 1_000)
    with pytest.raises(UsageError, match="slice"):
        run(told, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["told.pcap"]


def test_wrong_usage(told: Path, tmp_path: Path, jstrace: Command) -> None:
    before = told.read_bytes()
    for arguments in (
        (told, told),
        (tmp_path / "none.pcap", tmp_path / "x"),
        (told, tmp_path / "no" / "x.pcap"),
        ("-", told),
        (told,),
        (told, tmp_path / "a.pcap", tmp_path / "b.pcap"),
        (told, told, "--out-dir", tmp_path / "out"),
        (told, "--out-dir", tmp_path),
        (told, "--out-dir", told / "folder"),
    ):
        result = jstrace("redact", *arguments)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
    assert told.read_bytes() == before
