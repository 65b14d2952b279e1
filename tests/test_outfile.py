"""Files that are written: what they are called they are, and what was there before is never harmed."""

from __future__ import annotations

import gzip
import os
import pty
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from click.testing import Result

from dissector.errors import CaptureError, UsageError
from dissector.outfile import OutFile, Packing, capture_format, check_output, open_new, split_ending, write_text
from dissector.sources.capture import CaptureReader

Command = Callable[..., Result]
ROOT = Path(__file__).resolve().parent.parent
#: How to write a capture to a target: the command's words before and behind IN and OUT.
COPIES = {"redact": ("redact", ()), "slice": ("slice", ("--task", "1"))}
PCAP, PCAPNG = bytes.fromhex("d4c3b2a1"), bytes.fromhex("0a0d0d0a")
NANO = bytes.fromhex("4d3cb2a1")
SOMETHING = b"something else"


@pytest.fixture
def source(captures: Path, tmp_path: Path) -> Path:
    """A capture of this test's own."""
    return Path(shutil.copy(captures / "engine_shell_fail.pcap", tmp_path / "t.pcap"))


@pytest.fixture(params=list(COPIES))
def copy(request: pytest.FixtureRequest, jstrace: Command) -> Callable[..., Result]:
    """Runs redact or slice from a source to a target."""
    command, options = COPIES[request.param]
    return lambda source, target: jstrace(command, source, target, *options)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data) if path.suffix == ".zst" else data


# --- names say what is in the file ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("x", "pcapng"),
        ("x.cap", "pcapng"),
        ("x.pcap", "pcap"),
        ("X.PCAP.GZ", "pcap"),
        ("x.pcapng.zst", "pcapng"),
        ("x.pcap.pcapng", "pcapng"),
        ("x.gz", "pcapng"),
        ("pcap", "pcapng"),
        ("a.pcap/x", "pcapng"),
    ],
)
def test_formats(name: str, found: str) -> None:
    assert capture_format(name, "pcapng") == found


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("x.pcapng.gz", ("x", ".pcapng.gz")),
        ("x.y.pcap", ("x.y", ".pcap")),
        ("x", ("x", "")),
        ("x.gz", ("x", ".gz")),
        (".hidden", (".hidden", "")),
    ],
)
def test_endings(name: str, parts: tuple[str, str]) -> None:
    assert split_ending(name) == parts


@pytest.mark.parametrize("ending", ["pcap", "pcap.gz", "pcap.zst", "pcapng", "pcapng.gz", "pcapng.zst", "PCAPNG.GZ"])
def test_a_copy_is_what_it_is_called(ending: str, copy: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    target = tmp_path / f"x.{ending}"
    assert copy(source, target).exit_code == 0
    small = target.with_suffix(target.suffix.lower())
    target.rename(small)
    data = unpacked(small)
    assert (data[:4] == PCAPNG) is ("pcapng" in ending.lower())
    assert (data[:4] in (PCAP, NANO)) is ("pcapng" not in ending.lower())
    assert len(list(CaptureReader([small]))) == 49


def test_what_is_not_written(copy: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    for ending in ("lz4", "xz", "bz2", "zip"):
        target = tmp_path / f"x.pcap.{ending}"
        result = copy(source, target)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"does not write .{ending} files" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.pcap"]


@pytest.mark.parametrize("name", ["x", "x.gz", "x.zst"])
def test_what_was_synchronized_can_be_unpacked(name: str) -> None:
    ways: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": _gunzip, ".zst": _unzstd}
    packing, unpack = Packing(name), ways[Path(name).suffix]
    data = packing.pack(b"one ") + packing.sync()
    assert unpack(data) == b"one "
    data += packing.pack(b"two") + packing.sync()
    assert unpack(data) == b"one two"
    assert unpack(data + packing.end()) == b"one two"


def _gunzip(data: bytes) -> bytes:
    import zlib

    return zlib.decompressobj(31).decompress(data)


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


# --- standard output -----------------------------------------------------------------------------------------------


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "dissector", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=False, stderr=subprocess.PIPE, timeout=60, **options)


@pytest.mark.parametrize("name", list(COPIES))
@pytest.mark.parametrize("target", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_to_a_pipe(name: str, target: str, source: Path, tmp_path: Path) -> None:
    command, options = COPIES[name]
    done = run(command, source, target, *options, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert b"49" in done.stderr
    (tmp_path / "out.pcapng").write_bytes(done.stdout)
    assert len(list(CaptureReader([tmp_path / "out.pcapng"]))) == 49


def test_in_memory(copy: Callable[..., Result], source: Path) -> None:
    result = copy(source, "-")
    assert result.exit_code == 0
    assert result.stdout_bytes[:4] in (PCAP, PCAPNG)
    assert "standard output: 49" in result.stderr


@pytest.mark.parametrize("name", list(COPIES))
@pytest.mark.parametrize("target", ["-", "/dev/stdout"])
def test_a_terminal_gets_no_capture(name: str, target: str, source: Path) -> None:
    command, options = COPIES[name]
    ours, theirs = pty.openpty()
    try:
        done = run(command, source, target, *options, stdout=theirs)
        assert done.returncode == 2
        assert done.stderr.startswith(b"jstrace: standard output is a terminal")
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_closed_standard_output(source: Path) -> None:
    line = f"exec {sys.executable} -m dissector redact {source} - >&-"
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, check=False, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (2, b"jstrace: standard output: Bad file descriptor\n")


def test_a_pipe_and_a_device_stay_what_they_are(copy: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        try:
            assert copy(source, pipe).exit_code == 0
            assert reader.stdout is not None
            assert reader.stdout.read()[:4] in (PCAP, PCAPNG)
        finally:
            reader.kill()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert copy(source, "/dev/null").exit_code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    result = copy(source, "/dev/full")
    assert (result.exit_code, result.stderr) == (2, "jstrace: /dev/full: No space left on device\n")


# --- nothing is harmed ---------------------------------------------------------------------------------------------


def same_names(folder: Path, source: Path) -> list[Path]:
    """The source by other names."""
    (folder / "hard").hardlink_to(source)
    (folder / "soft").symlink_to(source.name)
    (folder / "soft2").symlink_to("soft")
    (folder / "sub").symlink_to(".")
    return [
        source,
        folder / "hard",
        folder / "soft",
        folder / "soft2",
        folder / "sub" / "t.pcap",
        folder / "." / "hard",
    ]


def test_the_source_by_any_name(copy: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    names = same_names(tmp_path, source)
    listed = sorted(tmp_path.iterdir())
    for target in names:
        for one in (source, names[1], names[2]):
            result = copy(one, target)
            assert (result.exit_code, result.stdout) == (2, "")
            assert "the capture itself is not overwritten" in result.stderr
    assert source.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == listed


def test_the_source_as_a_stream(source: Path) -> None:
    before = source.read_bytes()
    for command, options in COPIES.values():
        with source.open("ab") as out:
            done = run(command, source, "-", *options, stdout=out)
        assert (done.returncode, source.read_bytes()) == (2, before)
        for target in (source, "/dev/stdin"):
            with source.open("rb") as stdin:
                done = run(command, "/dev/stdin", target, *options, stdin=stdin)
            assert (done.returncode, source.read_bytes()) == (2, before)
            assert b"the capture itself is not overwritten" in done.stderr


def test_a_source_that_can_be_read_once(copy: Callable[..., Result], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = copy(tmp_path / "pipe", tmp_path / "x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "read several times" in result.stderr


@pytest.mark.parametrize("ending", [".part", ".tmp", "~"])
def test_a_source_with_the_name_of_something_temporary(
    ending: str, copy: Callable[..., Result], source: Path, tmp_path: Path
) -> None:
    before, part = source.read_bytes(), tmp_path / f"out.pcap{ending}"
    source.rename(part)
    assert copy(part, tmp_path / "out.pcap").exit_code == 0
    assert part.read_bytes() == before


def test_what_others_left_there(copy: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(SOMETHING)
    (tmp_path / "x.part").symlink_to(other)
    (tmp_path / "y.part").write_bytes(SOMETHING)
    (tmp_path / "soft").symlink_to(other)
    (tmp_path / "hard").hardlink_to(other)
    for name in ("x", "y", "soft", "hard"):
        assert copy(source, tmp_path / name).exit_code == 0
        assert not (tmp_path / name).is_symlink()
        assert mode(tmp_path / name) == 0o600
    assert (tmp_path / "x.part").is_symlink()
    assert other.read_bytes() == (tmp_path / "y.part").read_bytes() == SOMETHING


def test_a_folder_of_results(source: Path, tmp_path: Path, jstrace: Command) -> None:
    before = source.read_bytes()
    (tmp_path / "linked").symlink_to(".")
    other = tmp_path / "o"
    other.mkdir()
    (other / "t.pcap").hardlink_to(source)
    for folder in (tmp_path, tmp_path / "linked", other):
        assert jstrace("redact", source, "--out-dir", folder).exit_code == 2
        assert source.read_bytes() == before
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "t.pcap.part").symlink_to(source)
    assert jstrace("redact", source, "--out-dir", tmp_path / "new").exit_code == 0
    assert source.read_bytes() == before


def test_only_the_owner_reads_it_and_nothing_is_left(
    copy: Callable[..., Result], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0)
    try:
        target = tmp_path / "x.pcap"
        assert copy(source, target).exit_code == 0
        assert mode(target) == 0o600
        target.chmod(0o666)
        assert copy(source, target).exit_code == 0
        assert mode(target) == 0o600
    finally:
        os.umask(before)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fails)
    result = copy(source, target)
    assert (result.exit_code, result.stderr) == (2, f"jstrace: {target}: No space left on device\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.pcap", "x.pcap"]


def test_the_longest_name(copy: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    assert copy(source, tmp_path / ("x" * 255)).exit_code == 0
    assert copy(source, tmp_path / ("x" * 256)).exit_code == 2


def test_places_that_are_none(copy: Callable[..., Result], source: Path, tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "no" / "x", source / "x", ""):
        result = copy(source, target)
        assert (result.exit_code, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.pcap"]


# --- one file at a time --------------------------------------------------------------------------------------------


def test_without_commit_there_is_nothing(tmp_path: Path) -> None:
    target = tmp_path / "x"
    with OutFile(str(target)) as out:
        out.write(b"half")
        assert mode(out.path) == 0o600
        assert out.path.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_text_is_for_everybody(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_text(str(tmp_path / "x"), "ä\n")
    finally:
        os.umask(before)
    assert mode(tmp_path / "x") == 0o644
    assert (tmp_path / "x").read_bytes() == b"\xc3\xa4\n"
    with pytest.raises(CaptureError, match="No such file"):
        write_text(str(tmp_path / "no" / "x"), "")


def test_what_grows_takes_only_a_name_that_is_free(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(SOMETHING)
    (tmp_path / "soft").symlink_to(victim)
    (tmp_path / "nowhere").symlink_to(tmp_path / "made")
    (tmp_path / "hard").hardlink_to(victim)
    for name in ("soft", "hard", "nowhere", "victim"):
        with pytest.raises(UsageError, match="exists already; --overwrite"):
            open_new(str(tmp_path / name), overwrite=False)
    for name in ("soft", "hard", "nowhere"):
        number, is_new = open_new(str(tmp_path / name), overwrite=True)
        os.write(number, b"new")
        os.close(number)
        assert is_new
        assert (tmp_path / name).read_bytes() == b"new"
        assert mode(tmp_path / name) == 0o600
    assert victim.read_bytes() == SOMETHING
    assert not (tmp_path / "made").exists()
    with pytest.raises(IsADirectoryError):
        open_new(str(tmp_path), overwrite=True)


def test_an_empty_file_is_no_loss(tmp_path: Path) -> None:
    empty = tmp_path / "x"
    empty.touch(0o666)
    number, is_new = open_new(str(empty), overwrite=False)
    os.close(number)
    assert is_new
    assert mode(empty) == 0o600


def test_disks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    disk = os.stat_result((stat.S_IFBLK | 0o600, *os.stat(tmp_path)[1:]))  # noqa: PTH116  a tuple is wanted
    monkeypatch.setattr("pathlib.Path.stat", lambda _path: disk)
    with pytest.raises(UsageError, match="/dev/sda: it is a disk"):
        check_output("/dev/sda")
