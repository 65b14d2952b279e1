"""``jstrace slice``: some tasks' packets, and what tshark shows of the comments on them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import block as pcapng_block
from builders import enhanced, interface, section, simple
from click.testing import Result

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Endpoint
from dissector.share.streams import Conversations
from dissector.sources.capture import CaptureReader, Interfaces, interface_by_packet
from dissector.stream.block import Block
from dissector.traffic import IcmpError

Command = Callable[..., Result]

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")


def read(path: Path, jstrace: Command) -> dict[str, Any]:
    result = jstrace("read", path, "--format", "json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def comments(path: Path) -> dict[int, str]:
    command = [
        "tshark",
        "-r",
        str(path),
        "-Y",
        "frame.comment",
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-e",
        "frame.comment",
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return {int(number): text for number, text in (line.split("\t", 1) for line in out.splitlines())}


def test_one_task_of_ten(captures: Path, tmp_path: Path, jstrace: Command) -> None:
    source, target = captures / "engine_ten_tasks.pcap", tmp_path / "three.pcapng"
    result = jstrace("slice", source, target, "--task", 3)
    assert (result.exit_code, result.stderr) == (0, "")
    before, after = read(source, jstrace), read(target, jstrace)
    (task,) = after["tasks"]
    (point,) = task["points"]
    points = [{**point, "first_packet": before["tasks"][2]["points"][0]["first_packet"]}]
    assert {**task, "n": 3, "points": points} == before["tasks"][2]
    whole = {(packet.time, packet.data) for packet in CaptureReader([source])}
    packets = list(CaptureReader([target]))
    assert {(packet.time, packet.data) for packet in packets} < whole
    assert len(packets) == sum(one["packets"] for one in before["connections"] if one["task"] == 3)


@pytest.mark.parametrize(
    "name",
    [
        "02_callback_drop.r",
        "04_callback_reject_icmp_port.r",
        "06d_client_nat_wrong_port.c",
        "12b_idle_firewall_drop_short_retries.r",
        "19_scanner_junk.c",
        "20_late_callback.r",
    ],
)
def test_a_slice_has_the_same_verdict(name: str, captures: Path, tmp_path: Path, jstrace: Command) -> None:
    source, target = captures / f"faults/{name}.pcap", tmp_path / "slice.pcapng"
    assert jstrace("slice", source, target, "--filter", "outcome!=success").exit_code == 0
    before, after = read(source, jstrace)["tasks"], read(target, jstrace)["tasks"]
    assert [(one["outcome"], sorted(one["problems"]), one["start"], one["end"]) for one in before] == [
        (one["outcome"], sorted(one["problems"]), one["start"], one["end"]) for one in after
    ]


@needs_tshark
def test_wireshark_shows_the_verdict(captures: Path, tmp_path: Path, jstrace: Command) -> None:
    source, target = captures / "faults/02_callback_drop.r.pcap", tmp_path / "drop.pcapng"
    assert jstrace("slice", source, target, "--task", 1).exit_code == 0
    found = comments(target)
    assert found[1] == "jstrace: task 1: no_callback"
    told = [number for number, text in found.items() if "callback_dropped" in text]
    (problem,) = [one for one in read(target, jstrace)["problems"] if one["code"] == "callback_dropped"]
    assert told == problem["packets"]
    assert "Cause: a firewall drops the SYNs" in found[told[0]]
    assert "Remedy:" in found[told[0]]
    shown = subprocess.run(["capinfos", "-k", str(target)], capture_output=True, text=True, check=True).stdout
    assert "Cut by jstrace from 02_callback_drop.r.pcap" in shown
    assert "error callback_dropped in task 1: 11 SYNs" in shown


@needs_tshark
def test_several_link_types(captures: Path, tmp_path: Path, jstrace: Command) -> None:
    sll = b"\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\0"
    blocks = [section(), interface(1), interface(113), interface(1)]
    for number, packet in enumerate(CaptureReader([captures / "engine_shell_fail.pcap"])):
        index = number % 3 if packet.data[12:14] == b"\x08\x00" else 0
        data = sll + packet.data[14:] if index == 1 else packet.data
        blocks.append(enhanced(data, packet.time // 1_000, index=index))
    source, target = tmp_path / "in.pcapng", tmp_path / "out.pcapng"
    source.write_bytes(b"".join(blocks))
    assert jstrace("slice", source, target, "--task", 1).exit_code == 0
    command = ["tshark", "-r", str(target), "-T", "fields", "-e", "frame.interface_id", "-e", "frame.encap_type"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert {tuple(line.split()) for line in out.splitlines()} == {("0", "1"), ("1", "25"), ("2", "1")}
    assert "job_failed" in " ".join(comments(target).values())
    assert read(target, jstrace)["tasks"][0]["exit_code"] == 5


def test_wrong_usage(captures: Path, tmp_path: Path, jstrace: Command) -> None:
    source, target = captures / "engine_shell_ok.pcap", tmp_path / "out.pcapng"
    for arguments in (
        (source, target),
        (source, target, "--task", 2),
        (source, target, "--filter", "nonsense"),
        (source, source, "--task", 1),
        (tmp_path / "none.pcap", target, "--task", 1),
    ):
        result = jstrace("slice", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr
    assert not target.exists()


def block(first: int) -> Block:
    """Of two packets that nobody asks for."""
    empty = Block(b"", (), (), [1, 2], True, (1, 2), [], {}, [], [], [])
    return empty._replace(numbers=range(first, first + 2))


@pytest.mark.parametrize(
    ("last", "errors", "looked_at"),
    [(4, [], 2), (5, [], 3), (4, [5], 3), (4, [5] * (MAX_EVIDENCE - 1), 3), (4, [5] * MAX_EVIDENCE, 4)],
)
def test_nothing_is_read_behind_the_last_packet(last: int, errors: list[int], looked_at: int) -> None:
    """Of the connection or about it; where there were too many errors to be kept, all is."""
    one = Connection(Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2), 0, 1, last_packet=last)
    ends = b"\x0a\0\0\1", 1, b"\x0a\0\0\2", 2
    one.icmp = [IcmpError(number, 0, b"", "host unreachable", *ends, 0) for number in errors]
    blocks = iter([block(first) for first in (1, 3, 5, 7)])
    assert list(Conversations([one]).candidates(blocks)) == []
    assert 4 - len(list(blocks)) == min(looked_at + 1, 4), "the one behind the last is asked for, and no other"


@pytest.mark.parametrize("name", ["if0", "if1", "if2"])
def test_interfaces_are_told_in_one_pass(name: str, tmp_path: Path) -> None:
    """Those of simple packets, of a later section and of what is only numbered too."""
    other = section(">") + interface(1, order=">") + interface(1, order=">")
    packets = [enhanced(b"x" * 60, 1_000, 2), simple(b"y" * 60), enhanced(b"z" * 60, 2_000, 1)]
    blocks = [section(), interface(1), interface(1), interface(1), *packets]
    blocks += [pcapng_block(0x0BAD, bytes(4)), other, enhanced(b"a" * 60, 3_000, 1, order=">")]
    path = tmp_path / "several.pcapng"
    path.write_bytes(b"".join(blocks))
    told = interface_by_packet(str(path))
    found = [told(number) for number in range(1, 6)]
    assert found == ["if2", "if0", "if1", "if0", "if1"]
    number = Interfaces(frozenset((int(name[2:]),)))
    wanted = [packet.number for packet in CaptureReader([path], interfaces=[number])]
    assert wanted == [at for at, one in enumerate(found, 1) if one == name and at != 4]
