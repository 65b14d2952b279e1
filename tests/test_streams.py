"""Standard streams that are closed or fail: one line, an exit status, and never a traceback."""

from __future__ import annotations

import errno
import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from live_kit import needs_root

from dissector.cli.common import BAD_INPUT, BROKEN_PIPE, exit_codes
from dissector.cli.streams import OUTPUT

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "dissector"]
CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]
#: Commands that print, by their arguments; CAPTURE is a recording, OUT a file that is not there.
PRINTING = [
    "--version",
    "read --help",
    "read CAPTURE",
    "read CAPTURE --task 1 -v",
    "read CAPTURE --format jsonl --messages",
    "explain Z-REMOTE-118",
    "ports CAPTURE",
    "diff CAPTURE CAPTURE",
    "slice CAPTURE OUT.pcapng --task 1",
    "redact CAPTURE OUT.pcap",
    "lua",
    "completion bash",
    "simulate --callback-ports 24500-24599",
    "simulate --list",
]
#: Some of them, one of a kind.
FEW = ["--version", "read CAPTURE", "read CAPTURE --format jsonl --messages", "ports CAPTURE", "lua"]


def run(arguments: str, how: str, capture: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in a shell that closes or redirects streams as ``how`` says."""
    words = [word.replace("CAPTURE", str(capture)).replace("OUT", str(folder / "out")) for word in arguments.split()]
    script = f"{shlex.join([*COMMAND, *words])} {how}"
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False, input=""
    )


def check(done: subprocess.CompletedProcess[str], how: str, status: int | None = None) -> None:
    """One line at most on standard error; what can not be printed is an error."""
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr  # Exception ignored on flushing sys.stdout
    if ">&-" in how.replace("2>&-", ""):
        assert done.returncode == BAD_INPUT
        assert done.stdout == ""
        if "2>&-" not in how:
            assert done.stderr == "jstrace: standard output: Bad file descriptor\n"
    else:
        assert done.returncode == (status or 0), done.stderr
        assert done.stdout or status


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("arguments", "how"), [*((one, ">&-") for one in PRINTING), *((one, "<&- >&- 2>&-") for one in FEW)]
)
def test_output_that_is_closed(arguments: str, how: str, captures: Path, tmp_path: Path) -> None:
    check(run(arguments, how, captures / "engine_shell_fail.pcap", tmp_path), how)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("arguments", PRINTING)
def test_what_needs_no_input_works_without(arguments: str, captures: Path, tmp_path: Path) -> None:
    check(run(arguments, "<&- 2>&-", captures / "engine_shell_fail.pcap", tmp_path), "<&- 2>&-")


@pytest.mark.one_in(5)
@pytest.mark.parametrize("how", CLOSED)
def test_closed_streams_are_no_place_for_files(how: str, captures: Path, tmp_path: Path) -> None:
    """What is written into a file is its packets and nothing that was meant for a stream."""
    capture = captures / "engine_shell_fail.pcap"
    whole = tmp_path / "whole.pcapng"
    run(f"slice CAPTURE {whole} --task 1", "", capture, tmp_path)
    check(run("slice CAPTURE OUT.pcapng --task 1", how, capture, tmp_path), how)
    assert (tmp_path / "out.pcapng").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("arguments", ["read -", "live -"])
def test_input_that_is_closed(arguments: str, captures: Path, tmp_path: Path) -> None:
    done = run(arguments, "<&-", captures, tmp_path)
    assert done.returncode == BAD_INPUT
    assert done.stderr == "jstrace: standard input: Bad file descriptor\n"


@pytest.mark.one_in(5)
@pytest.mark.parametrize("arguments", ["read nowhere.pcap", "read --nonsense", "explain nonsense", "read -"])
@pytest.mark.parametrize("how", ["2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_an_error_that_nobody_reads_is_still_one(how: str, arguments: str, captures: Path, tmp_path: Path) -> None:
    done = run(arguments, how, captures, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (BAD_INPUT, "", "")


@pytest.mark.one_in(5)
@needs_root
@pytest.mark.parametrize("how", CLOSED)
def test_a_live_capture(how: str, captures: Path, tmp_path: Path) -> None:
    done = run("live lo --for 0.3s -w OUT.pcapng", how, captures, tmp_path)
    assert "Traceback" not in done.stderr
    assert done.returncode == (BAD_INPUT if ">&-" in how.replace("2>&-", "") else 0)
    assert (tmp_path / "out.pcapng").read_bytes()[:4] == b"\n\r\r\n"


@pytest.mark.one_in(5)
@pytest.mark.parametrize("arguments", FEW)
def test_a_full_disk_below_standard_output(arguments: str, captures: Path, tmp_path: Path) -> None:
    done = run(arguments, ">/dev/full", captures / "engine_shell_fail.pcap", tmp_path)
    assert (done.returncode, done.stderr) == (BAD_INPUT, "jstrace: standard output: No space left on device\n")


@pytest.mark.one_in(5)
@pytest.mark.parametrize("arguments", ["read CAPTURE", "read CAPTURE --format jsonl --messages", "lua"])
def test_a_reader_that_went_away(arguments: str, captures: Path, tmp_path: Path) -> None:
    done = run(arguments, "> >(true); exit $?", captures / "engine_ten_tasks.pcap", tmp_path)
    assert done.returncode in (0, BROKEN_PIPE)  # it may have read all of it
    assert done.stderr == ""


# --- whose error it is -----------------------------------------------------------------------------------------------


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "arguments", ["slice CAPTURE OUT.pcapng --task 1", "redact CAPTURE OUT.pcap", "lua -o OUT.lua"]
)
def test_a_full_disk_below_a_file(arguments: str, captures: Path, tmp_path: Path) -> None:
    """A limit on the file's size stands for the disk."""
    words = [word.replace("CAPTURE", str(captures / "engine_order.pcap")) for word in arguments.split()]
    words = [word.replace("OUT", str(tmp_path / "out")) for word in words]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, cwd=ROOT, preexec_fn=limited, check=False)
    assert done.returncode == BAD_INPUT
    assert done.stderr.startswith(f"jstrace: {tmp_path}/out")
    assert done.stderr.endswith(": File too large\n")


def test_a_full_disk_below_the_plugin(tmp_path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [*COMMAND, "lua", "--install"], capture_output=True, text=True, cwd=ROOT, env=environment, preexec_fn=limited,
        check=False,
    )  # fmt: skip
    assert done.returncode == BAD_INPUT
    assert "jobscheduler.lua: File too large" in done.stderr
    assert "None" not in done.stderr


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (OSError(errno.ENOSPC, "No space left", "x.pcap"), BAD_INPUT, "jstrace: x.pcap: No space left\n"),
        (OSError(errno.EIO, "Input/output error", b"x"), BAD_INPUT, "jstrace: x: Input/output error\n"),
        (OSError(errno.EPIPE, "Broken pipe", "fifo"), BAD_INPUT, "jstrace: fifo: Broken pipe\n"),
        (OSError(errno.EAGAIN, "Try again"), BAD_INPUT, "jstrace: Try again\n"),
        (OSError("odd"), BAD_INPUT, "jstrace: odd\n"),
        (OSError(errno.EIO, "Input/output error", OUTPUT), BROKEN_PIPE, ""),
        (OSError(errno.EPIPE, "Broken pipe", OUTPUT), BROKEN_PIPE, ""),
    ],
)  # fmt: skip
def test_an_error_names_its_own_file(error: OSError, status: int, said: str) -> None:
    @click.command()
    def fail() -> None:
        with exit_codes():
            raise error

    result = CliRunner().invoke(fail)
    assert (result.exit_code, result.stderr) == (status, said)


def test_the_streams_keep_their_ways() -> None:
    """Encoding, error handler and buffering of the streams that are named are those that Python chose."""
    script = (
        "import sys\n"
        "from dissector.cli import streams\n"
        "def ways(s): return s.encoding, s.errors, s.line_buffering, s.write_through, s.isatty(), s.fileno()\n"
        "before = ways(sys.stdout), ways(sys.stderr)\n"
        "streams.prepare()\n"
        "assert (ways(sys.stdout), ways(sys.stderr)) == before, before\n"
        "assert sys.stdout is not sys.__stdout__\n"
        "print('done')\n"
    )
    for extra in ({}, {"PYTHONIOENCODING": "ascii:strict"}, {"PYTHONUNBUFFERED": "1"}):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, **extra}, check=False
        )
        assert (done.stdout, done.stderr) == ("done\n", "")


def test_nothing_changes_under_a_runner(jstrace: Callable[..., object]) -> None:
    """Streams that somebody else has put in place are left alone."""
    before = sys.stdout, sys.stderr, sys.stdin
    jstrace("--version")
    assert (sys.stdout, sys.stderr, sys.stdin) == before
