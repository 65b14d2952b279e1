"""The folder of packets of tasks that failed: names of its files, how many of them there may be, whose it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from flight_kit import PLENTY, START, failed

from dissector.errors import CaptureError, UsageError
from dissector.fleet.flight import FlightRecorder
from dissector.fleet.kept_folder import KeptBound, KeptFolder, file_stem, make_folder, parse_bound
from dissector.model import Task
from dissector.sources.privileges import UserAccount
from dissector.sources.recent import Recent
from dissector.traffic import Packet
from dissector.wire.masking import Mask


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
