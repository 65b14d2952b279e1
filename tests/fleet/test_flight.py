"""Packets of tasks that failed: names of their files, and how many of them there may be."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from builders import UDP, ethernet, ipv4, pcap
from rewrapping import fragmented, plain

from benchmarks.encapsulations import OUTER, vxlan
from benchmarks.forms import as_ipv6
from dissector.errors import CaptureError, UsageError
from dissector.fleet.flight import FlightRecorder, KeptBound, KeptFolder, file_stem, make_folder, parse_bound
from dissector.model import Event, Outcome, Task
from dissector.ports import COMMAND_PORTS
from dissector.reports.summary import has_failed
from dissector.session.advance import feed
from dissector.session.tracer import Tracer
from dissector.share.capture_index import CaptureIndex, Hints
from dissector.share.slice import packets_of
from dissector.sources.capture import CaptureReader
from dissector.sources.privileges import UserAccount
from dissector.sources.recent import Recent
from dissector.traffic import Packet
from dissector.wire.masking import Mask

START = 1_795_000_000 * 1_000_000_000
PLENTY = KeptBound(None, 10**9)
HINTS = Hints(COMMAND_PORTS, (50_000, 59_999))


def failed(n: int = 1, job: str | None = "nightly") -> Task:
    return Task(START + n * 1_000_000_000, 1, n=n, end=START, job=job, outcome=Outcome.LOST)


@pytest.mark.parametrize(
    ("job", "name"),
    [
        ("nightly", "20261118T110641Z_nightly_1"),
        (None, "20261118T110641Z__1"),
        ("../../etc/passwd", "20261118T110641Z__etc_passwd_1"),
        ("a b\n\x00;$(x)ü", "20261118T110641Z_a_b_x__1"),
        (".hidden", "20261118T110641Z__hidden_1"),
        ("x" * 500, f"20261118T110641Z_{'x' * 60}_1"),
        ("password=hunter2", "20261118T110641Z_password__1"),
    ],
)
def test_names_are_harmless(job: str | None, name: str) -> None:
    assert file_stem(failed(job=job), Mask()) == name


@pytest.mark.parametrize(
    ("text", "bound"),
    [("500", KeptBound(500, None)), ("1", KeptBound(1, None)), ("2GB", KeptBound(None, 2 * 10**9))],
)
def test_bounds(text: str, bound: KeptBound) -> None:
    assert parse_bound(text) == bound


@pytest.mark.parametrize("text", ["", "0", "0MB", "-1", "x", "1.5GB", "2TB", "٣"])
def test_what_is_no_bound(text: str) -> None:
    with pytest.raises(UsageError, match="is neither a size such as 2GB nor a number of files"):
        parse_bound(text)


PACKET = Packet(1, START, 1, b"x" * 100, 100)


def written(folder: Path, bound: KeptBound, tasks: Sequence[Task]) -> list[str]:
    kept = KeptFolder(folder, bound)
    for task in tasks:
        kept.write(task, Mask(), [(PACKET, "")])
    return sorted(path.name.split("_")[-1] for path in folder.iterdir())


def test_files_are_private_and_none_is_overwritten(tmp_path: Path) -> None:
    assert written(tmp_path, PLENTY, [failed(), failed(), failed()]) == ["1-2.pcapng", "1-3.pcapng", "1.pcapng"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_no_link_is_followed(tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "kept"
    folder.mkdir()
    (folder / f"{file_stem(failed(), Mask())}.pcapng").symlink_to(victim)
    written(folder, PLENTY, [failed()])
    assert not victim.exists()


@pytest.mark.parametrize(("most", "left"), [(1, 1), (2, 2), (3, 3), (4, 3)])
def test_so_many_files(most: int, left: int, tmp_path: Path) -> None:
    names = [f"{n}.pcapng" for n in (1, 2, 3)]
    assert written(tmp_path, KeptBound(most, None), [failed(n) for n in (1, 2, 3)]) == names[3 - left :]


def test_so_many_bytes_and_the_newest_one_always_stays(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    written(tmp_path / "a", PLENTY, [failed()])
    (size,) = (path.stat().st_size for path in (tmp_path / "a").iterdir())
    for bytes_, left in ((3 * size, 3), (3 * size - 1, 2), (2 * size, 2), (1, 1)):
        folder = tmp_path / str(bytes_)
        folder.mkdir()
        assert len(written(folder, KeptBound(None, bytes_), [failed(n) for n in (1, 2, 3)])) == left
        assert (folder / f"{file_stem(failed(3), Mask())}.pcapng").exists()


def test_earlier_runs_count_and_other_files_stay(tmp_path: Path) -> None:
    written(tmp_path, PLENTY, [failed(1), failed(2)])
    (tmp_path / "notes.txt").write_text("precious")
    (tmp_path / "20261118T110641Z_mine.pcapng").write_text("precious")
    assert written(tmp_path, KeptBound(2, None), [failed(3)]) == ["2.pcapng", "3.pcapng", "mine.pcapng", "notes.txt"]


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    make_folder(str(folder), None)
    assert folder.stat().st_mode & 0o777 == 0o700
    make_folder(str(folder), None)
    with pytest.raises(CaptureError, match="No such file"):
        make_folder(str(tmp_path / "a" / "b"), None)
    (tmp_path / "file").write_text("")
    with pytest.raises(CaptureError, match="Not a directory"):
        FlightRecorder(str(tmp_path / "file"), PLENTY, Recent(1), Mask(), None)


# --- with a tracer ---------------------------------------------------------------------------------------------------


def flown(path: Path, folder: Path, memory: int = 10**8) -> tuple[list[Task], list[str]]:
    """A recorded capture as if it came from an interface; its tasks that failed, and what was remarked."""
    recent = Recent(memory)
    recorder = FlightRecorder(str(folder), PLENTY, recent, Mask(), None)
    tracer = Tracer(COMMAND_PORTS, (50_000, 59_999), messages=False)
    tasks: list[Task] = []

    def give(events: Sequence[Event]) -> None:
        for event in events:
            recorder.add(event)
            if isinstance(event, Task) and has_failed(event):
                tasks.append(event)

    for block in CaptureReader([str(path)]).blocks():
        for packet in block.packets():
            recent.write(packet, "")
        for events in feed(tracer, block):
            give(events)
        recorder.running((), 0, lambda _task: None)
    give(tracer.finish())
    recorder.running((), 0, lambda _task: None)
    recorder.close(())
    return tasks, list(recorder.remarks)


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
        tasks, remarks = flown(path, folder)
        assert remarks == []
        files = {int(file.stem.rpartition("_")[2]): packets_in(file) for file in folder.iterdir()}
        index = CaptureIndex.of(str(path), HINTS, messages=False)
        cut = {
            task.n: [(packet.time, packet.data) for packet in packets_of([str(path)], index, [task])]
            for task in index.tasks
            if has_failed(task)
        }
        assert sorted(files) == sorted(task.n for task in tasks), path
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
    tasks, remarks = flown(path, folder)
    assert (len(tasks), remarks) == (1, [])
    index = CaptureIndex.of(str(path), HINTS, messages=False)
    cut = [(packet.time, packet.data) for packet in packets_of([str(path)], index, index.tasks)]
    (file,) = folder.iterdir()
    assert packets_in(file) == cut
    assert len(cut) >= len(frames) // 2, "the rest is of others"


def test_what_is_no_longer_in_memory_is_said(captures: Path, tmp_path: Path) -> None:
    tasks, remarks = flown(captures / "engine_shell_fail.pcap", tmp_path, memory=3_000)
    assert len(tasks) == 1
    assert remarks == ["--keep-failed: of 1 task the first packets are no longer in memory"]
    (file,) = tmp_path.iterdir()
    assert packets_in(file)


def test_a_folder_that_takes_no_more(captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once; tracing goes on."""
    monkeypatch.setattr(KeptFolder, "write", _full)
    tasks, remarks = flown(captures / "engine_xml_errors.pcap", tmp_path)
    assert len(tasks) > 1
    assert [remark.partition(": ")[2] for remark in remarks] == [f"task {tasks[0].n} is not kept: x: No space left"]


def _full(*_arguments: object) -> Path:
    raise CaptureError("x", "No space left")


def test_only_a_folder_is_given_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody puts a link in the place of the folder that was just made."""
    victim, folder = tmp_path / "victim", tmp_path / "kept"
    victim.mkdir()
    given: list[int] = []
    monkeypatch.setattr("os.fchown", lambda opened, _user, _group: given.append(os.fstat(opened).st_ino))
    make_folder(str(folder), UserAccount("x", 1, 1))
    assert given == [folder.stat().st_ino]
    monkeypatch.setattr(Path, "mkdir", lambda self, mode: self.symlink_to(victim))  # noqa: ARG005  as it is called
    with pytest.raises(CaptureError, match=r"Not a directory|Too many levels"):
        make_folder(str(tmp_path / "other"), UserAccount("x", 1, 1))
    assert len(given) == 1


def test_a_storm_does_not_wait_for_looks(tmp_path: Path) -> None:
    """Where much is under way they become rare, and packets do not wait in memory for ever."""
    recorder = FlightRecorder(str(tmp_path), PLENTY, Recent(10**6), Mask(), None)
    for n in range(1, 400):
        recorder.add(failed(n))
        if n == 200:
            recorder.running((), 0, lambda _task: None)
            assert len(recorder._due) == 200
    assert len(recorder._due) < 2 * 64
    recorder.close(())
    assert recorder._due == recorder._ended == []
