"""The process that reads ahead: it ends whatever happens, and what is wrong with a file is told as without it."""

from __future__ import annotations

import gzip
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import pcap_header
from dissector.session.runs import find_runs
from dissector.stream.blocks import Block
from process_kit import PATIENCE, children, eventually, is_gone

from dissector.errors import CaptureError
from dissector.session.tracer import Tracer
from dissector.sources import ahead, pcap
from dissector.sources.capture import CaptureReader

pytestmark = pytest.mark.skipif(not ahead.available(), reason="no fork here")

RECORDS = (Path(__file__).parents[2] / "captures" / "engine_api_manylog.pcap").read_bytes()[24:]
HEADER = pcap_header()


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small files are read ahead too; nobody is left behind."""
    monkeypatch.setattr(pcap, "WORTH", 0)
    monkeypatch.setattr(ahead, "BLOCK", 70_000)
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def read(path: Path, jobs: int) -> tuple[CaptureReader, int, str]:
    """The reader, the number of blocks, and the error if there is one."""
    reader, count, error = CaptureReader([path]), 0, ""
    try:
        for item in reader.blocks(Tracer(messages=False).watch, find_runs, ahead=jobs > 1):
            count += isinstance(item, Block)
    except CaptureError as raised:
        error = str(raised)
    return reader, count, error


DAMAGED = {
    "whole": HEADER + RECORDS * 3,
    "header only": HEADER,
    "cut off in a record": HEADER + (RECORDS * 3)[:-5],
    "cut off in a record's header": HEADER + RECORDS * 2 + RECORDS[:9],
    "impossible record": HEADER + RECORDS * 2 + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30) + RECORDS * 3,
    "impossible first record": HEADER + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30) + RECORDS,
    "compressed": gzip.compress(HEADER + RECORDS * 3),
    "compressed, cut off": gzip.compress(HEADER + RECORDS * 3)[:-2000],
    "compressed, damaged": gzip.compress(HEADER + RECORDS * 3)[:-9] + b"damaged!!",
    "another link type": HEADER[:20] + struct.pack("<I", 113) + RECORDS,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_files_in_any_state(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(DAMAGED[name])
    (alone, _, error), (both, _, error_of_both) = read(path, 1), read(path, 2)
    assert (both.infos, both.warnings, error_of_both) == (alone.infos, alone.warnings, error)


def test_progress_goes_up_to_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + RECORDS * 3)
    told: list[tuple[int, int | None]] = []
    reader = CaptureReader([path], lambda done, total: told.append((done, total)))
    for _ in reader.blocks(Tracer(messages=False).watch, find_runs, ahead=True):
        pass
    size = path.stat().st_size
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_it_ends_with_whoever_listens(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + RECORDS * 50)
    items = iter(CaptureReader([path]).blocks(Tracer(messages=False).watch, find_runs, ahead=True))
    assert isinstance(next(items), Block)
    (pid,) = children(os.getpid())
    items.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_its_death_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + RECORDS * 50)
    items = iter(CaptureReader([path]).blocks(Tracer(messages=False).watch, find_runs, ahead=True))
    next(items)
    (pid,) = children(os.getpid())
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(CaptureError, match="the process that read it was ended"):
        list(items)


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes some seconds."""
    path = tmp_path_factory.mktemp("ahead") / "large.pcap"
    path.write_bytes(HEADER + RECORDS * 300)
    return path


def start(path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dissector", "read", str(path), "--jobs", "2"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    assert eventually(lambda: running.poll() is not None or children(running.pid))
    assert running.poll() is None
    return running


def test_control_c_ends_both_and_shows_what_was_found(large: Path) -> None:
    with start(large) as running:
        time.sleep(1)  # until it has something to show
        os.killpg(running.pid, signal.SIGINT)
        out, error = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert b"large.pcap" in out
    assert b"Traceback" not in error
    assert is_gone(-running.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_does_not_survive_the_command(number: int, large: Path) -> None:
    with start(large) as running:
        os.kill(running.pid, number)
        running.communicate(timeout=PATIENCE)
    assert running.returncode == -number
    assert is_gone(-running.pid)


@pytest.mark.parametrize("arguments", [[], ["--format", "json"], ["--format", "jsonl", "--filter", "job=x"]])
def test_the_result_is_the_same(arguments: list[str], large: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(large.read_bytes()[: 6 << 20])
    outputs = [
        subprocess.run(
            [sys.executable, "-m", "dissector", "read", str(path), "--jobs", jobs, *arguments],
            capture_output=True,
            check=True,
        )
        for jobs in ("1", "2")
    ]
    assert outputs[0].stdout == outputs[1].stdout
    assert outputs[0].stderr == outputs[1].stderr
    assert outputs[0].stdout
