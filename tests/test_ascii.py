"""What goes to programs and what peers sent: ASCII in all JSON, and nothing that a terminal obeys."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conversation import Network, TaskScript

from dissector.cli.simulate import _Lines
from dissector.model import Endpoint, Outcome
from dissector.simulate.report import MetTask, ServedTask

ROOT = Path(__file__).resolve().parent.parent
#: ESC, BEL, DEL, NEL and CSI of the C1 set, a soft hyphen, a letter; and texts beyond ISO-8859-1.
HOSTILE = "\x1b]0;x\x07\x7f\x85\x9b31m\xad\xfc"
WIDE = "\u202eevil\u2028\ud800"
ALLOWED = re.compile(rb"[\x20-\x7e\n]*")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task of hostile texts in a file of a hostile name."""
    network = Network()
    network.play(TaskScript(job=f"job{HOSTILE}", log=(f"says {HOSTILE}",)))
    path = tmp_path_factory.mktemp("hostile") / f"x{HOSTILE}\u202e.pcap"
    path.write_bytes(network.capture())
    return path


COMMANDS = {
    "read": ("read", "{}", "--format", "json", "--messages"),
    "read lines": ("read", "{}", "--format", "jsonl", "--messages"),
    "diff": ("diff", "{}", "{}", "--format", "json"),
    "ports": ("ports", "{}", "--format", "json"),
    "plan": ("ports", "--plan", "--parallel", "30", "--starts-per-minute", "60", "--format", "json"),
    "explain": ("explain", "--format", "json"),
    "explain one": ("explain", "ERRNO-111", "--format", "json"),
}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_json_is_ascii_in_every_locale(words: tuple[str, ...], encoding: str, hostile: Path) -> None:
    command = [sys.executable, "-m", "dissector", *(word.format(hostile) for word in words)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert ALLOWED.fullmatch(done.stdout)
    for text in done.stdout.split(b"\n") if "jsonl" in words else [done.stdout]:
        assert not text.strip() or isinstance(json.loads(text), dict)


def test_json_says_what_was_sent(hostile: Path) -> None:
    command = [sys.executable, "-m", "dissector", "diff", str(hostile), str(hostile), "--format", "json"]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=True, timeout=60)
    assert json.loads(done.stdout)["a"]["file"].endswith(hostile.name)


@pytest.mark.parametrize("text", [HOSTILE, WIDE, "one\ntwo\rthree"])
def test_simulate_shows_its_peer_s_texts_escaped(text: str) -> None:
    out = io.StringIO()
    lines, place = _Lines(out), Endpoint(f"host{text}", 4444)
    lines.served(ServedTask(1, None, None, place, place, job=f"job{text}", error=f"no callback: {text}"))
    record = MetTask(1, "shell-job", f"job{text}", 1, "process", Outcome.SUCCESS, error=f"refused: {text}")
    lines.task(record)
    shown = out.getvalue()
    assert shown.count("\n") == 2
    assert "refused: " in shown
    assert "no callback: " in shown
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028\ud800]", shown)
