"""What signals leave behind: nothing, and an exit status that names them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from process_kit import PATIENCE, eventually

ROOT = Path(__file__).resolve().parent.parent
#: The command with one method that takes for ever, and says so in a file.
STUCK = """
import sys, time
from pathlib import Path
import {module}
from dissector.cli import main
def stuck(*_):
    Path({mark!r}).touch()
    time.sleep(600)
{module}.{method} = stuck
main(sys.argv[1:], prog_name="jstrace")
"""
OVERWRITE = """
from dissector.cli.ending import ended_by_signals
from dissector.outfile import open_new
with ended_by_signals():
    open_new({target!r}, overwrite=True)
"""
ENDING = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


@contextmanager
def stuck(where: str, folder: Path, *arguments: object, before: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """``jstrace`` that does not get past the method ``module:name``."""
    module, _, method = where.partition(":")
    mark = folder.parent / f"{folder.name}.mark"
    script = STUCK.format(module=module, method=method, mark=str(mark))
    with subprocess.Popen(
        [*before, sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        try:
            assert eventually(lambda: mark.exists() or process.poll() is not None)
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    err = process.communicate(timeout=PATIENCE)[1]
    return process.returncode, err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


@pytest.mark.one_in(5)
@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("where", ["dissector.outfile:OutFile.commit", "dissector.outfile:OutFile.write"])
@pytest.mark.parametrize("command", ["slice", "redact", "out-dir"])
def test_a_copy_under_way_is_taken_away(
    command: str, where: str, number: signal.Signals, folder: Path, captures: Path
) -> None:
    source = captures / "engine_shell_ok.pcap"
    arguments: list[object] = [command, source, folder / "out.pcap"]
    if command == "slice":
        arguments += ["--task", 1]
    if command == "out-dir":
        arguments = ["redact", source, captures / "engine_order.pcap", "--out-dir", folder]
    with stuck(where, folder, *arguments) as process:
        under_way = [path.name[:9] for path in folder.iterdir()]
        assert under_way
        assert set(under_way) == {".jstrace-"}
        assert end(process, number) == (128 + number, "")
    assert list(folder.iterdir()) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("number", ENDING)
def test_what_is_there_already_stays(number: signal.Signals, folder: Path, captures: Path) -> None:
    target = folder / "out.pcap"
    target.write_bytes(b"before")
    arguments = ("redact", captures / "engine_shell_ok.pcap", target)
    with stuck("dissector.outfile:OutFile.commit", folder, *arguments) as process:
        assert len(list(folder.iterdir())) == 2
        assert end(process, number) == (128 + number, "")
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("out.pcap", b"before")]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("number", ENDING)
def test_on_the_way_into_a_file_and_out_of_it(number: signal.Signals, folder: Path, captures: Path) -> None:
    """Neither is inside of what cleans up as a context."""
    for where in ("dissector.outfile:OutFile.__enter__", "dissector.outfile:OutFile.__exit__"):
        arguments = ("slice", captures / "engine_shell_ok.pcap", folder / "out.pcap", "--task", "1")
        (folder.parent / "out.mark").unlink(missing_ok=True)
        with stuck(where, folder, *arguments) as process:
            assert end(process, number) == (128 + number, "")
        assert [path.name for path in folder.iterdir() if path.name != "out.pcap"] == []


@pytest.mark.parametrize("number", ENDING)
def test_a_file_that_takes_the_place_of_another(number: signal.Signals, folder: Path) -> None:
    """As ``live -w`` and ``simulate -w`` make it."""
    target = folder / "x.pcapng"
    target.write_bytes(b"before")
    script = STUCK.format(module="pathlib", method="Path.replace", mark=str(folder.parent / "out.mark"))
    script = script.replace('main(sys.argv[1:], prog_name="jstrace")', OVERWRITE.format(target=str(target)))
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert eventually((folder.parent / "out.mark").exists)
        assert len(list(folder.iterdir())) == 2
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("x.pcapng", b"before")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_reader_that_is_stuck_does_not_hold_it(number: signal.Signals, captures: Path) -> None:
    command = [sys.executable, "-m", "dissector", "read", *([captures / "engine_ten_tasks.pcap"] * 30)]
    with subprocess.Popen(
        [*map(str, command), "--format", "jsonl", "--messages", "--jobs", "1"], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        state = Path(f"/proc/{process.pid}/stat")
        assert eventually(lambda: ") S " in state.read_text(encoding="utf-8"))
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number


def test_nohup(folder: Path, captures: Path) -> None:
    arguments = ("slice", captures / "engine_shell_ok.pcap", folder / "out.pcap", "--task", "1")
    with stuck("dissector.outfile:OutFile.commit", folder, *arguments, before=["nohup"]) as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert process.poll() is None
        assert end(process, signal.SIGTERM)[0] == 128 + signal.SIGTERM
    assert list(folder.iterdir()) == []
