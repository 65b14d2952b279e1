"""A capture that can be given away: nobody's addresses and secrets, and the tasks still as they were.

Three passes over the file: what belongs to which connection and message (the tracer), the bytes of each direction, and
the packets, written anew.  Each parses the packets once more: a secret in the last packet is one in the first, and a
connection that begins without a SYN has its client by what follows, so nothing is decided before the tracer is through;
to keep what it parsed would take the memory that the capture has.  Then the result is read again: a file in which the
tasks are not what they were, or in which something is left, is not what was promised.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from zlib import crc32

from dissector.errors import CaptureError
from dissector.limits import MAX_REDACTED_BYTES
from dissector.model import Endpoint, LogLine, Task
from dissector.numbers import count
from dissector.outfile import OutFile
from dissector.share.addresses import AddressMap, packed_text
from dissector.share.capture_index import CaptureIndex, Hints, pattern_of
from dissector.share.files import CaptureFile, check_files
from dissector.share.headers import addresses_of
from dissector.share.redaction import Redaction, addresses_in
from dissector.sources.bytestream import ByteStream
from dissector.sources.capture import CaptureReader, interface_by_packet
from dissector.sources.formats import fits_pcap
from dissector.sources.pcapng import is_pcapng
from dissector.stream.packets import parse
from dissector.traffic import IcmpError, Packet


@dataclass(frozen=True, slots=True)
class RedactReport:
    """``differences``: what the result, read again, tells otherwise; ``left``: secrets that are names of the protocol
    as well, and were left where they are such."""

    packets: int
    written: int
    tasks: int
    addresses: int
    secrets: int
    differences: tuple[str, ...]
    left: int
    #: Connections with TLS, which are not in the result.
    sealed: int


def redact(source: str, target: str, key: bytes, hints: Hints, *, all_text: bool = False) -> RedactReport:
    """As ``redact_all``, of one capture."""
    return redact_all([(source, target)], key, hints, all_text=all_text)[0]


def redact_all(
    files: Sequence[tuple[str, str]], key: bytes, hints: Hints, *, all_text: bool = False
) -> list[RedactReport]:
    """Writes for each source of ``files`` its target, a capture of the same format unless its name says another one;
    ``key`` decides what becomes of what, the same in all of them, and a secret of one is a secret in all.

    Raises CaptureError for files that can not be read or written, or when an address is left in a result, none of
    which is kept then; UsageError as ``check_files``, or when there is more than can be kept in memory.
    """
    check_files((source for source, _ in files), (target for _, target in files))
    jobs: list[_Job] = []
    for source, target in files:
        jobs.append(_collected(source, target, key, hints, all_text, sum(job.redaction.size for job in jobs)))
    secrets = pattern_of({secret for job in jobs for secret in job.redaction.found.secrets})
    for job in jobs:
        job.redaction.clean(secrets)
    originals = {address for job in jobs for address in job.redaction.originals}
    addresses = AddressMap(key, originals)
    reports = []
    with ExitStack() as opened:
        results = [opened.enter_context(OutFile(job.target)) for job in jobs]
        for job, out in zip(jobs, results, strict=True):
            job.redaction.rename(addresses)
            written = _write(job, out)
            reports.append(_checked(job, str(out.path), written, hints, originals, secrets))
        for out in results:
            out.commit()
    return reports


class LogShape(list[LogLine]):
    """In the place of a task's log: all that is to stay of its lines is a sum."""

    def __init__(self) -> None:
        super().__init__()
        self._count = self._sum = 0

    def __len__(self) -> int:
        return self._count

    def append(self, line: LogLine) -> None:
        self._count += 1
        self._sum = crc32(f"{line.time} {line.level} {len(line.text)} ".encode(), self._sum)

    def __str__(self) -> str:
        return f"{count(self._count, 'line')} of sum {self._sum:08x}"


@dataclass(frozen=True, slots=True)
class _Job:
    source: str
    target: str
    redaction: Redaction
    #: Times are told in nanoseconds, and all of them can be told in a pcap file.
    nano: bool
    fits_pcap: bool
    packets: int


def _collected(source: str, target: str, key: bytes, hints: Hints, all_text: bool, taken: int) -> _Job:
    """What is in a capture; ``taken`` bytes are kept of others."""
    redaction = Redaction(CaptureIndex.of(source, hints, messages=True, new_log=LogShape), key, all_text)
    nano, fits, reader = False, True, CaptureReader([source])
    for block in reader.blocks():
        nano = nano or any(time % 1_000 for time in block.times)
        fits = fits and all(map(fits_pcap, block.span or ()))
        for packet in redaction.candidates([block]):
            redaction.collect(packet, MAX_REDACTED_BYTES - taken)
    return _Job(source, target, redaction, nano, fits, reader.infos[0].packets)


def _format(job: _Job) -> str:
    """That of the source."""
    with ByteStream(job.source) as stream:
        return "pcap" if job.fits_pcap and not is_pcapng(stream.more(b"", 4)) else "pcapng"


def _write(job: _Job, out: OutFile) -> int:
    """Writes the result; returns the number of its packets."""
    written = 0
    writer, interface = CaptureFile(out, _format(job), nano=job.nano), interface_by_packet(job.source)
    for packet in job.redaction.candidates(CaptureReader([job.source]).blocks()):
        new = job.redaction.packet(packet)
        if new is not None:
            written += 1
            # Behind the packet the wire may have had padding, which is no matter of anybody.
            writer.packet(new.time, new.link_type, new.data, new.wire_length, interface=interface(packet.number))
    written += writer.ends(job.redaction.found.end, job.redaction.found.connections)
    writer.close()
    # The result is read again with others in memory.
    job.redaction.streams.clear()
    return written


# --- reading it again ----------------------------------------------------------------------------------------------


def _checked(
    job: _Job, part: str, written: int, hints: Hints, originals: set[bytes], secrets: re.Pattern[bytes] | None
) -> RedactReport:
    """``part`` is the result before it has its name."""
    redaction = job.redaction
    before, after = redaction.found.tasks, CaptureIndex.of(part, hints, messages=False, new_log=LogShape)
    disjoint = redaction.addresses.disjoint
    again = Redaction(after, redaction.key, all_text=False)
    for packet in CaptureReader([part]):
        again.collect(packet)
        if disjoint and not originals.isdisjoint(_ends(packet)):
            raise CaptureError(job.target, "an address could not be replaced", packet.number)
    left: set[bytes] = set()
    for run in again.runs():
        if disjoint and not redaction.texts.isdisjoint(addresses_in(run)):
            raise CaptureError(job.target, "an address in a text could not be replaced")
        left.update(secrets.findall(run.data) if secrets is not None else ())
    return RedactReport(
        job.packets,
        written,
        len(before),
        len(redaction.originals),
        len(redaction.found.secrets),
        tuple(_differences(before, after.tasks, redaction.addresses)),
        len(left),
        sum(connection.tls is not None for connection in redaction.found.connections),
    )


def _ends(packet: Packet) -> set[bytes]:
    record = parse(packet)
    if record is None:
        return set()
    return addresses_of(packet) | ({record.src, record.dst} if isinstance(record, IcmpError) else set())


def _differences(before: list[Task], after: list[Task], addresses: AddressMap) -> list[str]:
    told = []
    if len(before) != len(after):
        told.append(f"{count(len(before), 'task')} became {len(after)}")
    for old, new in zip(before, after, strict=False):
        first, second = _shape(old, addresses), _shape(new, None)
        told += [
            f"task {old.n}: {name} was {first[name]}, is {second[name]}"
            for name in first
            if first[name] != second[name]
        ]
    return told


def _shape(task: Task, addresses: AddressMap | None) -> dict[str, object]:
    """All that is to stay of a task: of texts the length."""

    def end(endpoint: Endpoint | None) -> object:
        packed = packed_text(endpoint.ip.encode()) if endpoint is not None else None
        if endpoint is None or packed is None:
            return endpoint
        return (addresses.ip(packed) if addresses is not None else packed), endpoint.port

    return {
        "client": end(task.client),
        "remote": end(task.remote),
        "callback": (task.callback_port, end(task.callback_peer), task.callback_delay),
        "kind": task.kind,
        "ids": (task.process_id, task.pid, task.task_id),
        "job": len(task.job or ""),
        "start": task.start,
        "end": task.end,
        "outcome": task.outcome.value,
        "result": (task.exit_code, task.signal),
        "counts": task.counts,
        "log": str(task.log),
        "problems": sorted(problem.code for problem in task.problems),
    }
