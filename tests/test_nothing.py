"""Where there is no task, every command says what there is instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from conversation import SYN, Address, Record, ethernet, pcap

from dissector.session.capture_codes import CAPTURE_CODES

Command = Callable[..., Result]


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.pcap"
    path.write_bytes(pcap([]))
    return path


@pytest.fixture
def knocking(tmp_path: Path) -> Path:
    """SYNs to a port that nobody names."""
    frame = ethernet(Address("10.0.0.1", 40_000), Address("10.0.0.2", 4450), 1, 0, SYN)
    path = tmp_path / "knocking.pcap"
    path.write_bytes(pcap([Record(0, frame), Record(10**9, frame)]))
    return path


@pytest.mark.parametrize("options", [(), ("--log",), ("-v",), ("--bytes",)])
def test_read_says_it_in_every_form(options: tuple[str, ...], empty: Path, knocking: Path, jstrace: Command) -> None:
    for path, words in ((empty, "nothing_captured"), (knocking, "--command-port 4450")):
        shown = jstrace("read", path, *options).stdout
        assert "no task" in shown
        assert words in shown


def test_programs_get_a_problem(empty: Path, jstrace: Command) -> None:
    (problem,) = json.loads(jstrace("read", empty, "--format", "json").stdout)["problems"]
    assert (problem["code"], problem["task"], problem["connection"]) == ("nothing_captured", None, None)
    assert jstrace("read", empty, "--fail-on", "warning").exit_code == 1


def test_the_named_option_shows_them(knocking: Path, jstrace: Command) -> None:
    document = json.loads(jstrace("read", knocking, "--command-port", 4450, "--format", "json").stdout)
    assert [problem["code"] for problem in document["problems"]] != ["unanswered_elsewhere"]


def test_slice_and_ports_say_it_too(knocking: Path, tmp_path: Path, jstrace: Command) -> None:
    result = jstrace("slice", knocking, tmp_path / "out.pcapng", "--task", 1)
    assert result.exit_code == 2
    assert "unanswered_elsewhere" in result.stderr
    assert "--command-port 4450" in jstrace("ports", knocking).stderr


# --- packets without TCP -------------------------------------------------------------------------------------------


def frame(kind: int, payload: bytes) -> bytes:
    return bytes(12) + kind.to_bytes(2, "big") + payload.ljust(46, b"\0")


def arp(operation: int) -> bytes:
    return frame(0x0806, bytes.fromhex("000108000604") + operation.to_bytes(2, "big"))


def ipv4(protocol: int, payload: bytes, fragment: int = 0) -> bytes:
    head = bytes((0x45, 0)) + (20 + len(payload)).to_bytes(2, "big") + bytes(2) + fragment.to_bytes(2, "big")
    return frame(0x0800, head + bytes((64, protocol)) + bytes(2) + bytes((10, 0, 0, 1, 10, 0, 0, 2)) + payload)


def ipv6(protocol: int, payload: bytes) -> bytes:
    head = b"\x60\0\0\0" + len(payload).to_bytes(2, "big") + bytes((protocol, 64))
    return frame(0x86DD, head + bytes(32) + payload)


def udp(source: int, target: int) -> bytes:
    return source.to_bytes(2, "big") + target.to_bytes(2, "big") + b"\0\x08\0\0"


SEEN: dict[str, bytes] = {
    "ARP requests": arp(1),
    "ARP replies": arp(2),
    "ARP": arp(9),
    "UDP port 53 DNS": ipv4(17, udp(40_000, 53)),
    "UDP port 67 DHCP": ipv4(17, udp(68, 67)),
    "UDP port 9999": ipv4(17, udp(9_999, 50_000)),
    "pings": ipv4(1, bytes((8, 0, 0, 0))),
    "ICMP unreachable": ipv4(1, bytes((3, 1, 0, 0)) + bytes(28)),
    "ICMP": ipv4(1, bytes((13, 0, 0, 0))),
    "IPv6 neighbour solicitations": ipv6(58, bytes((135, 0, 0, 0))),
    "IPv6 neighbour advertisements": ipv6(58, bytes((136, 0, 0, 0))),
    "ICMPv6": ipv6(58, bytes((200, 0, 0, 0))),
    "IGMP": ipv4(2, bytes(8)),
    "IP protocol 200": ipv4(200, bytes(8)),
    "IP fragments": ipv4(17, bytes(8), fragment=5),
    "LLDP": frame(0x88CC, b""),
    "ethertype 0x88b5": frame(0x88B5, b""),
    "spanning tree": frame(38, b"\x42\x42\x03"),
    "Cisco discovery": frame(38, b"\xaa\xaa\x03\0\0\x0c\x20\0"),
    "802.2": frame(38, b"\x04\x04\x03"),
    "damaged packets": frame(0x0800, b"\x44"),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_packets_without_tcp_carry(name: str, tmp_path: Path, jstrace: Command) -> None:
    path = tmp_path / "other.pcap"
    path.write_bytes(pcap([Record(0, SEEN[name]), Record(10**9, SEEN[name])]))
    (problem,) = json.loads(jstrace("read", path, "--format", "json").stdout)["problems"]
    assert (problem["code"], problem["packets"]) == ("no_tcp", [1, 2])
    assert problem["summary"].startswith(f"None of the packets carries TCP: {name} (2)")


@pytest.mark.parametrize(
    ("names", "is_told"),
    [
        (["ARP requests"], True),
        (["ARP requests", "ARP replies"], False),
        (["IPv6 neighbour solicitations", "ARP replies"], True),
        (["ARP replies"], False),
    ],
)
def test_questions_that_nobody_answers(names: list[str], is_told: bool, tmp_path: Path, jstrace: Command) -> None:
    """No connection begins before they are answered."""
    path = tmp_path / "asking.pcap"
    path.write_bytes(pcap([Record(at, SEEN[name]) for at, name in enumerate(names)]))
    (problem,) = json.loads(jstrace("read", path, "--format", "json").stdout)["problems"]
    assert (f"none of the {names[0]} is answered" in problem["summary"]) is is_told
    assert ("is up and in this network" in problem["remedy"]) is is_told
    assert "tcp port 4444" in problem["remedy"]


@pytest.mark.parametrize(("packets", "words"), [(999, "TCP: LLDP (999)"), (1_001, "the first 1,000 are LLDP (1000)")])
def test_not_all_packets_are_looked_at(packets: int, words: str, tmp_path: Path, jstrace: Command) -> None:
    path = tmp_path / "many.pcap"
    path.write_bytes(pcap([Record(at, SEEN["LLDP"]) for at in range(packets)]))
    assert words in jstrace("read", path).stdout


@pytest.mark.parametrize("code", CAPTURE_CODES)
def test_explain_knows_it(code: str, jstrace: Command) -> None:
    assert CAPTURE_CODES[code].meaning in " ".join(jstrace("explain", code).stdout.split())
