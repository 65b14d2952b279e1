"""A copy of a capture tells when the original ended, where the verdict depends on that."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from conversation import EPOCH, SECOND, Address, Network, Record, TaskScript, ethernet, pcap

from dissector.errors import CaptureError
from dissector.model import Connection, Endpoint, Task
from dissector.outfile import OutFile
from dissector.share.files import CaptureFile
from dissector.sources.capture import CaptureReader

Command = Callable[..., Result]

HANG = "field/hang_then_foreign_120s.pcap"
ENDINGS = (".pcap", ".pcapng", ".pcap.gz")
ARP = bytes(12) + b"\x08\x06" + bytes(46)
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")


def read(path: Path, jstrace: Command) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(jstrace("read", path, "--format", "json").stdout)
    return document


def told(path: Path, jstrace: Command) -> list[tuple[str, ...]]:
    """Outcomes, and the problems without addresses and numbers of packets."""
    document = read(path, jstrace)
    problems = [(one["code"], one["severity"], one["summary"]) for one in document["problems"]]
    return [*((task["outcome"],) for task in document["tasks"]), *problems]


def copied(command: str, source: Path, target: Path, jstrace: Command) -> Path:
    options = ("--task", 1) if command == "slice" else ("--seed", "x")
    result = jstrace(command, source, target, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    return target


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("command", ["slice", "redact"])
def test_a_copy_tells_what_the_original_told(
    command: str, ending: str, captures: Path, tmp_path: Path, jstrace: Command
) -> None:
    source = captures / HANG
    target = copied(command, source, tmp_path / f"copy{ending}", jstrace)
    assert told(target, jstrace) == told(source, jstrace)
    assert "for 119 s" in str(told(target, jstrace))
    assert read(target, jstrace)["captures"][0]["last"] == read(source, jstrace)["captures"][0]["last"]


def test_a_copy_of_a_copy_still_does(captures: Path, tmp_path: Path, jstrace: Command) -> None:
    first = copied("redact", captures / HANG, tmp_path / "first.pcap", jstrace)
    second = copied("slice", first, tmp_path / "second.pcapng", jstrace)
    third = copied("slice", second, tmp_path / "third.pcap", jstrace)
    assert told(third, jstrace) == told(captures / HANG, jstrace)
    assert len(list(CaptureReader([third]))) == len(list(CaptureReader([first])))


@pytest.mark.parametrize(("later", "records"), [(0, 0), (1, 1)])
def test_only_an_end_behind_the_last_packet_is_told(
    later: int, records: int, captures: Path, tmp_path: Path, jstrace: Command
) -> None:
    packets = list(CaptureReader([captures / HANG]))[:-1]
    last = packets[-1].time + later
    source = tmp_path / "whole.pcap"
    source.write_bytes(
        pcap([*(Record(one.time - EPOCH * SECOND, one.data) for one in packets), Record(last - EPOCH * SECOND, ARP)])
    )
    copy = list(CaptureReader([copied("slice", source, tmp_path / "copy.pcapng", jstrace)]))
    plain = list(CaptureReader([copied("slice", captures / HANG, tmp_path / "plain.pcapng", jstrace)]))
    assert len(copy) == len(plain) - 1 + records
    assert copy[-1].time == last


def test_where_all_is_closed_nothing_is_added(tmp_path: Path, jstrace: Command) -> None:
    network = Network()
    network.play(TaskScript(callback_port=59_999), start=0.5)
    late = Record(900 * SECOND, ARP)
    source = tmp_path / "done.pcap"
    source.write_bytes(network.capture() + pcap([late])[24:])
    copy = list(CaptureReader([copied("slice", source, tmp_path / "copy.pcapng", jstrace)]))
    assert len(copy) == len(list(CaptureReader([source]))) - 1
    assert {packet.data for packet in copy} < {packet.data for packet in CaptureReader([source])}


def test_a_start_without_callback_is_judged_by_the_time_it_had(tmp_path: Path, jstrace: Command) -> None:
    """The client gives up after a minute: then it is no more just running, though all packets of the task are older."""
    network = Network()
    network.play(TaskScript(callback_port=59_999), start=0.5)
    records = [one for one in records_of(network, tmp_path) if _is_start(one)]
    source = tmp_path / "start.pcap"
    for seconds, outcome in ((30, "running"), (120, "unknown")):
        source.write_bytes(pcap([*records, Record(seconds * SECOND, ARP)]))
        copy = copied("slice", source, tmp_path / f"{seconds}.pcap", jstrace)
        assert told(copy, jstrace) == told(source, jstrace)
        assert told(copy, jstrace)[0] == (outcome,)


def records_of(network: Network, tmp_path: Path) -> list[Record]:
    path = tmp_path / "network.pcap"
    path.write_bytes(network.capture())
    return [Record(one.time - EPOCH * SECOND, one.data) for one in CaptureReader([path])]


def _is_start(record: Record) -> bool:
    """Of the command connection, up to the answer to the start."""
    ports = {int.from_bytes(record.data[34:36], "big"), int.from_bytes(record.data[36:38], "big")}
    return 59_999 not in ports and record.time < 0.51 * SECOND


def _open_connection() -> Connection:
    connection = Connection(Endpoint("10.0.0.1", 40_000), Endpoint("10.0.0.2", 4444), 0, 1)
    connection.task = Task(0, 1)
    return connection


@needs_tshark
@pytest.mark.parametrize("link_type", [1, 113, 276])
def test_tshark_sees_nothing_malformed(link_type: int, tmp_path: Path) -> None:
    path = tmp_path / "end.pcapng"
    with OutFile(str(path)) as out:
        file = CaptureFile(out, "pcapng")
        frame = ethernet(Address("10.0.0.1", 40_000), Address("10.0.0.2", 4444), 1, 0, 2)
        heads = {1: frame[:14], 113: bytes(14) + b"\x08\x00", 276: b"\x08\x00" + bytes(18)}
        file.packet(5 * SECOND, link_type, heads[link_type] + frame[14:], 54)
        assert file.ends(7 * SECOND, [_open_connection()]) == 1
        file.close()
        out.commit()
    out_text = subprocess.run(
        [
            "tshark",
            "-r",
            str(path),
            "-T",
            "fields",
            "-e",
            "frame.time_epoch",
            "-e",
            "frame.comment",
            "-e",
            "_ws.malformed",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    last = out_text.splitlines()[-1].split("\t")
    assert (last[0].startswith("7."), last[1:]) == (True, ["jstrace: the original capture ended here", ""])


def test_an_end_that_the_format_has_no_place_for_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "end.pcap"
    with OutFile(str(path)) as out:
        file = CaptureFile(out, "pcap")
        file.packet(5 * SECOND, 1, ARP, len(ARP))
        with pytest.raises(CaptureError):
            file.packet(SECOND << 32, 1, ARP, len(ARP))
        assert file.ends(SECOND << 32, [_open_connection()]) == 0
        assert file.ends(6 * SECOND, [_open_connection()]) == 1
        file.close()
        out.commit()
    assert [packet.time for packet in CaptureReader([path])] == [5 * SECOND, 6 * SECOND]


@needs_tshark
def test_the_plugin_tells_the_same_of_a_copy(captures: Path, tmp_path: Path, jstrace: Command) -> None:
    target = copied("slice", captures / HANG, tmp_path / "copy.pcapng", jstrace)
    result = jstrace("verify", target)
    assert (result.exit_code, "equal" in result.stdout) == (0, True)
