"""What a reader of captures has to say: files and packets that could not be read, or in part only."""

from __future__ import annotations

from dissector.errors import CaptureError
from dissector.model import CaptureInfo, Problem, Severity
from dissector.numbers import count, verb
from dissector.sources.bytestream import DamagedError
from dissector.stream.link import link_type_name


def truncated(name: str, info: CaptureInfo, damage: DamagedError) -> Problem:
    where = f"packet {info.packets + 1}, offset {damage.offset}"
    return Problem(
        code="capture_truncated",
        severity=Severity.WARNING,
        time=info.last or 0,
        packets=(),
        summary=f"{name} could be read up to {where} only: {damage.reason}",
        cause="the capturing program was killed, is still writing, or the file was damaged in transfer",
        remedy="end the capturing program with Ctrl-C (SIGINT) and copy the file in binary mode",
    )


def skipped_file(error: CaptureError) -> Problem:
    """One of several files that can not be read does not end the others."""
    return Problem(
        code="file_skipped",
        severity=Severity.WARNING,
        time=0,
        packets=(),
        summary=f"{error}; the other files were read.",
        cause="the file is empty, is no capture, has vanished, or is not readable",
        remedy="see what became of it; a file that a ring is being written to is empty at first",
    )


def skipped_packets(name: str, info: CaptureInfo, counts: dict[int, int]) -> Problem:
    """Packets of link types that carry no IP, or that can not be read."""
    skipped = sum(counts.values())
    packets = f"{count(skipped, 'packet')} {verb(skipped, 'was')}"
    kinds = ", ".join(f"{number} of {link_type_name(link_type)}" for link_type, number in counts.items())
    return Problem(
        code="packets_skipped",
        severity=Severity.INFO,
        time=info.first or 0,
        packets=(),
        summary=f"{name}: {packets} not read because of their link type: {kinds}.",
        cause="interfaces without IP (USB, Bluetooth, ...) were captured as well",
        remedy="nothing to do, unless the tasks are there: then capture on an interface with IP",
    )
