"""Genuine recordings in every encapsulation tell what they tell without it."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from builders import ethernet, ipv4, pcap
from rewrapping import fragmented, plain, without_packets, without_sizes

from benchmarks.encapsulations import ENCAPSULATIONS, OUTER, vxlan
from benchmarks.forms import as_ipv6
from benchmarks.packets import UDP
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

Json = dict[str, Any]
Trace = Callable[..., Json]


def told(document: Json) -> Json:
    for info in document["captures"]:
        assert info["packets"] >= info["tcp_segments"] > 0
    return without_sizes(document)


@pytest.fixture
def retold(trace: Trace, tmp_path: Path) -> Callable[[Iterable[tuple[int, bytes]], int], Json]:
    def run(records: Iterable[tuple[int, bytes]], link_type: int = 1) -> Json:
        path = tmp_path / "wrapped.pcap"
        path.write_bytes(pcap(records, link_type=link_type))
        return trace(path)

    return run


@pytest.mark.parametrize("name", ENCAPSULATIONS)
@pytest.mark.parametrize("recording", ["engine_shell_fail.pcap", "faults/04_callback_reject_icmp_port.r.pcap"])
def test_recordings(name: str, recording: str, captures: Path, trace: Trace, retold: Any) -> None:
    link_type, wrap, via = ENCAPSULATIONS[name]
    records = [(time, wrap(frame)) for time, frame in plain(captures / recording)]
    document = retold(records, link_type)
    assert all(connection["via"] == list(via) for connection in document["connections"])
    assert told(document) == told(trace(captures / recording))


@pytest.mark.parametrize(
    ("command", "callback", "words"),
    [
        ("VXLAN", "VXLAN", "tunnel vxlan 42"),
        ("VXLAN in GRE in MPLS behind a tag", "VXLAN in GRE in MPLS behind a tag", "tunnel mpls 22, gre, vxlan 42"),
        ("GRE", "Geneve", "command tunnel gre callback tunnel geneve 5"),
        ("802.1Q", "GRE", "process_id 1 callback tunnel gre"),
        ("802.1Q", "802.1Q", ""),
    ],
)
def test_the_head_of_the_ladder_names_the_tunnels(
    command: str, callback: str, words: str, captures: Path, tmp_path: Path, jstrace: Callable[..., Any]
) -> None:
    records = []
    for time, frame in plain(captures / "engine_shell_fail.pcap"):
        is_command = 4_455 in struct.unpack_from(">HH", frame, 34)
        records.append((time, ENCAPSULATIONS[command if is_command else callback].wrap(frame)))
    path = tmp_path / "wrapped.pcap"
    path.write_bytes(pcap(records))
    head = jstrace("read", path, "--task", 1).stdout.partition("packet ")[0]
    if words:
        assert f" {words} " in f"{' '.join(head.split())} "
    else:
        assert "tunnel" not in head


def test_vxlan_on_other_ports(captures: Path, trace: Trace, tmp_path: Path, jstrace: Callable[..., Any]) -> None:
    """By preference, for one run; every command that reads packets has it."""
    recording, path = captures / "engine_shell_fail.pcap", tmp_path / "wrapped.pcap"
    wrapped = [(time, ethernet(ipv4(vxlan(frame, 48_879), protocol=UDP, **OUTER))) for time, frame in plain(recording)]
    path.write_bytes(pcap(wrapped))
    option = ("--vxlan-port", 48_879, "--vxlan-port", 48_880)
    document = trace(path, *option)
    assert [connection["via"] for connection in document["connections"]] == [["vxlan 42"]] * 2
    assert told(document) == told(trace(recording))
    assert trace(path)["tasks"] == [], "the next run knows nothing of it"
    assert "59999" in jstrace("ports", path, *option).stdout
    assert jstrace("diff", path, path, *option).exit_code == 0
    for command in (
        ("slice", path, tmp_path / "sliced.pcap", "--task", 1),
        ("redact", path, tmp_path / "redacted.pcap"),
    ):
        assert jstrace(*command, *option).exit_code == 0
        assert trace(command[2], *option)["tasks"][0]["exit_code"] == 5
    result = jstrace("verify", path, *option)
    assert (result.exit_code, result.stderr) == (0, ""), result.stdout
    assert "1 task, 1 problem: equal" in result.stdout


@pytest.mark.parametrize("size", [8, 64, 1_480])
@pytest.mark.parametrize("order", ["in order", "reversed", "twice"])
def test_fragments(size: int, order: str, captures: Path, trace: Trace, retold: Any) -> None:
    path, records = captures / "engine_api_java_ok.pcap", []
    for number, (time, frame) in enumerate(plain(path)):
        pieces = list(fragmented(frame, size, number))
        pieces = pieces[::-1] if order == "reversed" else pieces
        records += [(time, piece) for piece in pieces for _ in range(1 + (order == "twice"))]
    document, expected = retold(records), trace(path)
    for one in (document, expected):
        without_packets(one)
    if order == "twice":  # datagrams in one piece are copies
        assert (sum(connection.pop("duplicates") for connection in document["connections"]) == 0) == (size == 8)
        assert [connection.pop("duplicates") for connection in expected["connections"]] == [0, 0]
    assert document == expected


def test_fragments_of_tunnels(captures: Path, trace: Trace, retold: Any) -> None:
    path, records = captures / "engine_api_java_ok.pcap", []
    for number, (time, frame) in enumerate(plain(path)):
        outer = ethernet(ipv4(vxlan(frame), protocol=UDP, **OUTER))
        records += [(time, piece) for piece in fragmented(outer, 512, number)]
    document, expected = retold(records), trace(path)
    assert {name for connection in document["connections"] for name in connection["via"]} == {"vxlan 42"}
    for one in (document, expected):
        without_packets(one)
    assert document == expected


def test_fragments_of_ipv6(captures: Path, retold: Any) -> None:
    whole = [(time, as_ipv6(frame)) for time, frame in plain(captures / "engine_shell_fail.pcap")]
    cut = [(time, piece) for number, (time, frame) in enumerate(whole) for piece in fragmented(frame, 40, number)]
    assert without_packets(retold(cut)) == without_packets(retold(whole))


def test_a_fragment_that_is_missing_is_told(captures: Path, retold: Any) -> None:
    records = []
    for number, (time, frame) in enumerate(plain(captures / "engine_api_java_ok.pcap")):
        records += [(time, piece) for piece in fragmented(frame, 512, number)]
    lost = next(index for index, (_, piece) in enumerate(records) if piece[20] & 0x20)
    del records[lost]
    document = retold(records)
    codes = {problem["code"] for problem in document["problems"]}
    assert "ip_fragment" in codes
    assert document["tasks"][0]["outcome"] in ("success", "unknown")


def test_fragments_are_mixed_with_those_of_others(captures: Path, trace: Trace, retold: Any) -> None:
    """Of the same hosts, with the same ids, but another protocol."""
    chance, path, records = random.Random(1), captures / "engine_api_java_ok.pcap", []
    for number, (time, frame) in enumerate(plain(path)):
        pieces = [*fragmented(frame, 64, number)]
        other = frame[:23] + b"\x11" + frame[24:]
        pieces += list(fragmented(other, 64, number)) if len(pieces) > 1 else []
        chance.shuffle(pieces)
        records += [(time, piece) for piece in pieces]
    document, expected = retold(records), trace(path)
    for one in (document, expected):
        without_packets(one)
    assert document == expected


def test_the_packet_of_a_datagram_is_its_last_fragment(captures: Path) -> None:
    from dissector.stream.fragments import Datagrams

    datagrams = Datagrams(lambda _fragment: pytest.fail("nothing is lost"))
    frame = plain(captures / "engine_shell_fail.pcap")[12][1]
    pieces = list(fragmented(frame, 64, 7))
    assert len(pieces) > 2
    found = [datagrams.parse(Packet(number, 0, 1, piece, len(piece))) for number, piece in enumerate(pieces, 1)]
    assert found[:-1] == [None] * (len(pieces) - 1)
    assert found[-1] is not None
    assert found[-1].number == len(pieces)


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "name", ["VXLAN", "NFLOG", "PKTAP", "802.1ad", "ERSPAN II", "fragments", "tunnel in fragments"]
)
@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_copies_tell_the_same(
    name: str, suffix: str, captures: Path, trace: Trace, tmp_path: Path, jstrace: Callable[..., Any]
) -> None:
    """``redact`` and ``slice`` of packets in tunnels and fragments."""
    link_type, wrap, _ = ENCAPSULATIONS.get(name, ENCAPSULATIONS["VXLAN"])
    records: list[tuple[int, bytes]] = []
    for number, (time, frame) in enumerate(plain(captures / "engine_api_java_ok.pcap")):
        whole = frame if name == "fragments" else wrap(frame)
        pieces = fragmented(whole, 256, number) if "fragments" in name else [whole]
        records += [(time, piece) for piece in pieces]
    source, redacted, sliced = tmp_path / "in.pcap", tmp_path / f"r.{suffix}", tmp_path / f"s.{suffix}"
    source.write_bytes(pcap(records, link_type=link_type))
    result = jstrace("redact", source, redacted)
    assert (result.exit_code, result.stderr) == (0, "")
    assert jstrace("slice", source, sliced, "--task", 1).exit_code == 0
    original = trace(source)
    for copy in (redacted, sliced):
        document = trace(copy)
        assert document["problems"] == original["problems"]
        for key in ("outcome", "exit_code", "counts", "start", "end"):
            assert document["tasks"][0][key] == original["tasks"][0][key], key
    # The first eight packets are those of somebody who waited for the port.
    assert sum(1 for _ in CaptureReader([sliced])) == len(records) - 8
    for outer in ("192.0.2.1", "192.0.2.2"):
        assert ip_address(outer).packed not in redacted.read_bytes()
