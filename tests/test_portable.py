"""On Windows and macOS everything but ``live`` works, and ``live`` says in one line what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PORTABLE = Path(__file__).with_name("portable.py")
ROOT = PORTABLE.parent.parent
CAPTURES = ROOT / "captures"
ORDER, FAILED, DROPPED = "engine_order.pcap", "engine_shell_fail.pcap", "faults/02_callback_drop.r.pcap"
WRONG = ["read", "no such file"]

Told = list[tuple[int, str, str]]


def _run(system: str, commands: list[list[str]]) -> Told:
    done = subprocess.run(
        [sys.executable, PORTABLE, system], input=json.dumps(commands), capture_output=True, text=True, cwd=CAPTURES,
        timeout=300, check=False, env={**os.environ, "COLUMNS": "140"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [tuple(one) for one in json.loads(done.stdout)]


def _commands(folder: Path) -> list[list[str]]:
    """Each command in its usual ways; files go into ``folder``."""
    return [
        ["--version"],
        ["read", ORDER],
        ["read", ORDER, FAILED, "--jobs", "2"],
        ["read", ORDER, "--task", "1", "-v"],
        ["read", FAILED, "--task", "1", "--log"],
        ["read", FAILED, "--task", "1", "--bytes"],
        ["read", DROPPED, "--format", "json", "--messages"],
        ["read", ORDER, "--format", "jsonl", "--messages", "--jobs", "2"],
        ["read", ORDER, "--filter", "outcome!=success"],
        WRONG,
        ["explain", "Z-REMOTE-118"],
        ["explain", "10054", "--format", "json"],
        ["ports", "--plan", "--parallel", "30", "--starts-per-minute", "60"],
        ["ports", ORDER],
        ["ports", ORDER, "--rules", "nftables", "--side", "client"],
        ["diff", ORDER, FAILED, "--task", "1", "--task-b", "1"],
        ["slice", ORDER, str(folder / "sliced.pcapng"), "--task", "1"],
        ["redact", ORDER, str(folder / "redacted.pcap")],
        ["redact", ORDER, FAILED, "--out-dir", str(folder / "redacted")],
        ["lua"],
        ["lua", "-o", str(folder / "plugin.lua")],
        ["lua", "--check"],
        ["help", "filter"],
        ["completion", "bash"],
    ]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    folder = tmp_path_factory.mktemp("here")
    return folder, _run("here", _commands(folder))


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_everything_works_as_here(here: tuple[Path, Told], tmp_path: Path, system: str) -> None:
    own, expected = here
    told = _run(system, _commands(tmp_path))
    for command, one, wanted in zip(_commands(tmp_path), told, expected, strict=True):
        said = (one[0], *(text.replace(str(tmp_path), str(own)) for text in one[1:]))
        assert said == wanted, command
    assert [command for command, one in zip(_commands(tmp_path), told, strict=True) if one[0] == 2] == [WRONG]
    assert _files(tmp_path).keys() == _files(own).keys()
    for name, data in _files(tmp_path).items():
        # Names in redacted captures are chosen anew each time.
        assert data == _files(own)[name] or "redacted" in name


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_live_says_in_one_line_what_is_missing(system: str) -> None:
    for code, output, errors in _run(system, [["live"], ["live", "eth0"], ["live", "any", "--plain"]]):
        assert (code, output) == (2, "")
        assert len(errors.splitlines()) == 1
        assert ("capture stream" in errors) == (system == "macos")


@pytest.mark.parametrize(("system", "status"), [("macos", 0), ("windows", 2)])
def test_a_capture_stream_needs_a_unix(system: str, status: int) -> None:
    with (CAPTURES / ORDER).open("rb") as stream:
        done = subprocess.run(
            [sys.executable, PORTABLE, system, "live", "-", "--plain"], stdin=stream, capture_output=True, text=True,
            cwd=ROOT, timeout=300, check=False,
        )  # fmt: skip
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == (0 if status == 0 else 1)
    assert ("2 tasks: 2 success" in done.stdout) == (status == 0)
