"""Messages written by two processes: the same lines as by one, and no process left behind whatever happens."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from builders import pcap_header
from click.testing import CliRunner
from process_kit import PATIENCE, children, eventually, is_gone

from dissector.cli import parallel
from dissector.cli.read import read
from dissector.sources import prefetch

ROOT = Path(__file__).resolve().parents[1]
CAPTURES = sorted((ROOT / "captures").rglob("*.pcap"))
RECORDS = (ROOT / "captures" / "engine_api_manylog.pcap").read_bytes()[24:]
#: ``jstrace read`` that takes any file for large enough.
SMALL_TOO = "import dissector.cli.parallel as parallel; parallel.WORTH = 0; from dissector.cli import main; main()"

pytestmark = pytest.mark.skipif(not prefetch.available(), reason="no fork here")


def lines(jobs: int, *files: Path, options: tuple[str, ...] = ()) -> tuple[int, str, str]:
    arguments = [*map(str, files), "--format", "jsonl", "--messages", "--jobs", str(jobs), *options]
    done = CliRunner().invoke(read, arguments)
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were forked."""
    found: list[int] = []
    fork = prefetch.fork

    def counted() -> int:
        process = fork()
        found.append(process)
        return process

    monkeypatch.setattr(parallel, "WORTH", 0)
    monkeypatch.setattr(parallel, "fork", counted)
    return found


@pytest.mark.one_in(4)
@pytest.mark.parametrize("part", range(4))
def test_two_processes_write_what_one_writes(part: int, forks: list[int]) -> None:
    chosen = CAPTURES[part::4]
    assert len(chosen) > 20
    for path in chosen:
        alone = lines(1, path)
        assert not forks
        assert lines(2, path) == alone, path.name
        assert len(forks) == 1
        forks.clear()
        assert alone[1]


def test_both_have_their_share(forks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    copied = []
    line = parallel.SecondProcess.line

    def copying(second: parallel.SecondProcess) -> str:
        copied.append(line(second))
        return copied[-1]

    monkeypatch.setattr(parallel.SecondProcess, "line", copying)
    _, text, _ = lines(2, ROOT / "captures" / "engine_ten_tasks.pcap")
    assert len(forks) == 1
    messages = [one for one in text.splitlines(keepends=True) if one.startswith('{"record": "message"')]
    assert len(messages) / 4 < len(copied) < len(messages) * 3 / 4
    assert set(copied) <= set(messages)


def test_several_files(forks: list[int]) -> None:
    files = [ROOT / "captures" / f"engine_{name}.pcap" for name in ("order", "ten_tasks", "shell_fail")]
    assert lines(2, *files) == lines(1, *files)
    assert len(forks) == 1


def test_a_damaged_file_is_told_once(tmp_path: Path, forks: list[int]) -> None:
    path = tmp_path / "damaged.pcap"
    path.write_bytes(pcap_header() + RECORDS + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30))
    alone = lines(1, path)
    assert "damaged.pcap" in alone[2]
    assert lines(2, path) == alone
    path.write_bytes(b"no capture at all")
    assert lines(2, path) == lines(1, path)
    assert lines(2, path)[0] == 2
    assert len(forks) == 3


@pytest.mark.parametrize(
    "options", [("--task", "1"), ("--filter", "outcome=success"), ("--format", "json")], ids=" ".join
)
def test_what_one_process_does(options: tuple[str, ...], forks: list[int]) -> None:
    assert lines(2, ROOT / "captures" / "engine_order.pcap", options=options)[0] == 0
    assert not forks


# --- ends ------------------------------------------------------------------------------------------------------------


def _start(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SMALL_TOO, "read", str(path), "--format", "jsonl", "--messages", "--jobs", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@pytest.fixture
def long_capture(tmp_path: Path) -> Path:
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap_header() + (ROOT / "captures" / "engine_ten_tasks.pcap").read_bytes()[24:] + RECORDS * 200)
    return path


def _second(process: subprocess.Popen[str]) -> int:
    """The number of the second process, once it is there."""
    assert eventually(lambda: children(process.pid)), "no second process"
    return children(process.pid)[0]


def test_the_second_process_is_killed(long_capture: Path) -> None:
    with _start(long_capture) as process:
        os.kill(_second(process), signal.SIGKILL)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "the second process was ended; with --jobs 1 there is none" in err
    assert "Traceback" not in err
    assert all(line.startswith('{"record": ') and line.endswith("}") for line in out.splitlines())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_first_process_is_killed(long_capture: Path, number: signal.Signals) -> None:
    with _start(long_capture) as process:
        second = _second(process)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    assert is_gone(second)


def test_ctrl_c(long_capture: Path) -> None:
    with _start(long_capture) as process:
        second = _second(process)
        assert process.stdout is not None
        head = process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert is_gone(second)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert all(line.startswith('{"record": ') and line.endswith("}") for line in (head + out).splitlines())
    assert '{"record": "capture"' in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_both_processes_are_told_to_end(long_capture: Path, number: signal.Signals) -> None:
    """As a closed terminal or a service manager does it: the first one ends the second, without a word."""
    with _start(long_capture) as process:
        second = _second(process)
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=PATIENCE)
    assert is_gone(second)
    assert (process.returncode, err) == (128 + number, "")


def test_nobody_listens(long_capture: Path) -> None:
    with _start(long_capture) as process:
        second = _second(process)
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        process.wait(PATIENCE)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert is_gone(second)
