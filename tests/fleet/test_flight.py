"""Packets of tasks that failed are kept, whatever comes meanwhile; what is not, is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from builders import UDP, block_of_one, ethernet, ipv4, pcap
from flight_kit import PLENTY, START, failed
from rewrapping import fragmented, plain

from benchmarks.encapsulations import OUTER, vxlan
from benchmarks.forms import as_ipv6
from dissector.errors import CaptureError
from dissector.fleet import flight
from dissector.fleet.flight import FlightRecorder
from dissector.fleet.kept_folder import KeptFolder
from dissector.model import Event, Task
from dissector.ports import COMMAND_PORTS
from dissector.reports.summary import has_failed
from dissector.session.advance import feed
from dissector.session.tracer import Tracer
from dissector.share.capture_index import CaptureIndex, Hints
from dissector.share.slice import packets_of
from dissector.sources.capture import CaptureReader
from dissector.sources.recent import Recent
from dissector.traffic import Packet
from dissector.wire.masking import Mask

HINTS = Hints(COMMAND_PORTS, (50_000, 59_999))


class Flight:
    """A recorded capture as if it came from an interface, with a look at each block or ``without_looks``; its tasks
    that failed."""

    def __init__(self, path: Path, folder: Path, memory: int = 10**8, *, without_looks: bool = False) -> None:
        self.recent = Recent(memory)
        self.recorder = FlightRecorder(str(folder), PLENTY, self.recent, Mask(), None)
        self.tasks: list[Task] = []
        tracer = Tracer(COMMAND_PORTS, (50_000, 59_999), messages=False)
        for block in CaptureReader([str(path)]).blocks():
            for packet in block.packets():
                self.recent.record(block_of_one(packet), [""])
            for events in feed(tracer, block):
                self._give(events)
            if not without_looks:
                self.look()
        self._give(tracer.finish())

    def _give(self, events: Sequence[Event]) -> None:
        for event in events:
            self.recorder.add(event)
            if isinstance(event, Task) and has_failed(event):
                self.tasks.append(event)

    def look(self) -> None:
        self.recorder.running((), 0, lambda _task: None)

    def flood(self) -> None:
        """So many packets of others that nothing earlier is left in memory."""
        data = bytes(10**6)
        for n in range(1, 120):
            self.recent.record(block_of_one(Packet(10**6 + n, START, 1, data, len(data))), [""])

    def remarks(self) -> list[str]:
        """All of them, at the end."""
        self.look()
        self.recorder.close(())
        return list(self.recorder.remarks)


FAILURES = (
    "engine_shell_fail", "engine_kill_task", "h19_kill_client", "h19_two", "engine_ten_tasks", "engine_shell_ok",
    "faults/*", "agent/*",
)  # fmt: skip


def packets_in(path: Path) -> list[tuple[int, bytes]]:
    return [(packet.time, packet.data) for packet in CaptureReader([str(path)])]


def test_what_is_kept_is_what_slice_cuts_out(captures: Path, tmp_path: Path) -> None:
    """Of each task that failed, and of no other one."""
    kept = 0
    for n, path in enumerate(sorted(path for name in FAILURES for path in captures.glob(f"{name}.pcap"))):
        folder = tmp_path / str(n)
        folder.mkdir()
        flight = Flight(path, folder)
        assert flight.remarks() == []
        files = {int(file.stem.rpartition("_")[2]): packets_in(file) for file in folder.iterdir()}
        index = CaptureIndex.of(str(path), HINTS, messages=False)
        cut = {
            task.n: [(packet.time, packet.data) for packet in packets_of([str(path)], index, [task])]
            for task in index.tasks
            if has_failed(task)
        }
        assert sorted(files) == sorted(task.n for task in flight.tasks), path
        assert files == cut, path
        kept += len(files)
    assert kept > 20


def tunnelled(frame: bytes) -> bytes:
    return ethernet(ipv4(vxlan(frame), protocol=UDP, **OUTER))


def _fragmented(size: int) -> Callable[[bytes, int], list[bytes]]:
    return lambda frame, number: list(fragmented(frame, size, number))


#: How frames of a recording come that no look at their first bytes tells of.
WAYS: dict[str, Callable[[bytes, int], list[bytes]]] = {
    "fragments": _fragmented(256),
    "fragments of eight bytes": _fragmented(8),
    "fragments of IPv6": lambda frame, number: list(fragmented(as_ipv6(frame), 64, number)),
    "fragments in another order": lambda frame, number: list(fragmented(frame, 256, number))[::-1],
    "fragments that come twice": lambda frame, number: [one for one in fragmented(frame, 256, number) for _ in "12"],
    "fragments of a tunnel": lambda frame, number: list(fragmented(tunnelled(frame), 512, number)),
    "IP options": lambda frame, _number: [with_options(frame)],
    "a tunnel": lambda frame, _number: [tunnelled(frame)],
    "IPv6": lambda frame, _number: [as_ipv6(frame)],
}


def with_options(frame: bytes) -> bytes:
    """The same with a longer IP header."""
    length = int.from_bytes(frame[16:18], "big") + 4
    return frame[:14] + b"\x46" + frame[15:16] + length.to_bytes(2, "big") + frame[18:34] + b"\1\1\1\0" + frame[34:]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["engine_shell_fail", "faults/03_callback_reject_rst.c", "engine_kill_task"])
def test_what_is_kept_is_what_slice_cuts_out_however_it_comes(
    name: str, way: str, captures: Path, tmp_path: Path
) -> None:
    found = enumerate(plain(captures / f"{name}.pcap"))
    frames = [(time, one) for number, (time, frame) in found for one in WAYS[way](frame, number)]
    path, folder = tmp_path / "x.pcap", tmp_path / "kept"
    folder.mkdir()
    path.write_bytes(pcap(frames))
    flight = Flight(path, folder)
    assert (len(flight.tasks), flight.remarks()) == (1, [])
    index = CaptureIndex.of(str(path), HINTS, messages=False)
    cut = [(packet.time, packet.data) for packet in packets_of([str(path)], index, index.tasks)]
    (file,) = folder.iterdir()
    assert packets_in(file) == cut
    assert len(cut) >= len(frames) // 2, "the rest is of others"


@pytest.mark.parametrize("memory", [10**8, 200_000])
def test_what_comes_until_it_is_written_pushes_nothing_out(memory: int, captures: Path, tmp_path: Path) -> None:
    """On a machine that is busy, looks are rare: the packets of a task are taken hold of when it ends."""
    path = captures / "engine_shell_fail.pcap"
    flown = Flight(path, tmp_path, memory, without_looks=True)
    flown.flood()
    assert flown.remarks() == []
    assert flown.recorder.counts() == {"whole": 1, "part": 0, "gone": 0, "unwritten": 0}
    (file,) = tmp_path.iterdir()
    index = CaptureIndex.of(str(path), HINTS, messages=False)
    assert packets_in(file) == [(one.time, one.data) for one in packets_of([str(path)], index, index.tasks)]


def test_what_comes_behind_its_end_is_kept_too(captures: Path, tmp_path: Path) -> None:
    """Its last acknowledgements, before it is written."""
    flown = Flight(captures / "engine_shell_fail.pcap", tmp_path)
    (task,) = flown.tasks
    assert task.callback is not None
    task.callback.last_packet = 10**6
    (last,) = [packet for packet in CaptureReader([str(captures / "engine_shell_fail.pcap")]) if packet.number == 51]
    flown.recent.record(block_of_one(last._replace(number=10**6, time=START)), [""])
    assert flown.remarks() == []
    (file,) = tmp_path.iterdir()
    assert packets_in(file)[-1] == (START, last.data)


def test_what_is_no_longer_in_memory_is_said(captures: Path, tmp_path: Path) -> None:
    flown = Flight(captures / "engine_shell_fail.pcap", tmp_path, memory=3_000)
    assert flown.remarks() == [
        "--keep-failed: of 1 task that failed 1 without their first packets, which were no longer in memory"
    ]
    assert flown.recorder.counts() == {"whole": 0, "part": 1, "gone": 0, "unwritten": 0}
    (file,) = tmp_path.iterdir()
    assert packets_in(file)


def test_what_is_not_kept_is_counted_and_said(captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and then, and with all of it at the end."""
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    flown = Flight(captures / "engine_shell_fail.pcap", tmp_path, memory=1)
    for n in (2, 3, 4):
        flown.recorder.add(failed(n))
        flown.look()
        flown.look()
    said = "--keep-failed: of 2 tasks that failed so far 2 no longer in memory at all"
    assert list(flown.recorder.remarks) == [said]
    monkeypatch.setattr(KeptFolder, "write", _full)
    assert flown.remarks()[1:] == ["--keep-failed: of 4 tasks that failed 4 no longer in memory at all"]
    assert flown.recorder.counts() == {"whole": 0, "part": 0, "gone": 4, "unwritten": 0}
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_more(captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once; tracing goes on."""
    monkeypatch.setattr(KeptFolder, "write", _full)
    flown = Flight(captures / "engine_xml_errors.pcap", tmp_path)
    tasks = len(flown.tasks)
    assert tasks > 1
    first, *_, last = flown.remarks()
    assert first.partition(": ")[2] == f"task {flown.tasks[0].n} is not kept: x: No space left"
    assert last == f"--keep-failed: of {tasks} tasks that failed {tasks} not written"
    assert flown.recorder.counts()["unwritten"] == tasks


def _full(*_arguments: object) -> Path:
    raise CaptureError("x", "No space left")


def waiting(recorder: FlightRecorder) -> int:
    return len(recorder._cases)


def test_a_storm_does_not_wait_for_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits in memory has a bound, and what was looked at is written as others come."""
    monkeypatch.setattr(flight, "_MOST_HELD", 250_000)
    recorder = FlightRecorder(str(tmp_path), PLENTY, Recent(10**6), Mask(), None)
    most = 0
    for n in range(1, 400):
        recorder.add(failed(n))
        most = max(most, waiting(recorder))
    assert most == 125
    before = waiting(recorder)
    recorder.running((), 0, lambda _task: None)
    assert waiting(recorder) == before > 70
    recorder.running((), 0, lambda _task: None)
    assert waiting(recorder) == before - 64
    for n in range(400, 410):
        recorder.add(failed(n))
        assert waiting(recorder) == max(n - 399, before - 64)
    recorder.close(())
    assert waiting(recorder) == recorder._held == 0
    assert sum(recorder.counts().values()) == 409
