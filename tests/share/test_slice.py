"""``jstrace slice``: some tasks' packets, and what tshark shows of the comments on them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import enhanced, interface, section
from click.testing import Result

from dissector.sources.capture import CaptureReader

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
