"""What is written into other programs' hands is as harmless as what goes to the screen."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from dissector.wire.harmless import HOSTILE, escape

Command = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[1]
CAPTURE = ROOT / "captures" / "field" / "esc_tshark_and_slice.pcap"
PLUGIN = ROOT / "wireshark" / "jobscheduler.lua"
#: But for what tells lines and columns apart.
_LINES = {"\n", "\t", "\r"}


def hostile(text: str) -> set[str]:
    return {one for one in text if one not in _LINES and any(low <= ord(one) <= high for low, high in HOSTILE)}


def tshark(path: Path, *options: str) -> str:
    command = ["tshark", "-n", "-r", str(path), "-X", f"lua_script:{PLUGIN}", *options]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize(
    "options", [(), ("-v", "--full"), ("--log",), ("--bytes", "--full"), ("--format", "jsonl", "--messages")]
)
def test_read(options: tuple[str, ...], jstrace: Command) -> None:
    output = jstrace("read", CAPTURE, *options).stdout
    assert hostile(output) == set()
    if options:
        assert re.search(r"\\(?:x|u00)1b\[31mred", output)


@pytest.mark.parametrize(
    "options",
    [(), ("-V", "-O", "jobscheduler"), ("-T", "ek", "-J", "jobscheduler"), ("-T", "pdml", "-J", "jobscheduler")],
)
def test_plugin(options: tuple[str, ...]) -> None:
    output = tshark(CAPTURE, *options)
    assert "x1b[31mred" in output
    assert hostile(output) == set()


def test_comments_of_a_slice(tmp_path: Path, jstrace: Command) -> None:
    source = tmp_path / "a\x1b[31m\u202eb.pcap"
    source.write_bytes(CAPTURE.read_bytes())
    target = tmp_path / "cut.pcapng"
    assert jstrace("slice", source, target, "--task", 1).exit_code == 0
    comments = tshark(target, "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment")
    assert r"task 1 (a\x1b[31mred" in comments.replace("\\\\", "\\")
    assert hostile(comments) == set()
    section = target.read_bytes()[:400]
    assert b"\x1b" not in section
    assert rb"a\x1b[31m\u202eb.pcap" in section


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\xadb", r"a\xadb"), ("\u202e\u2066", r"\u202e\u2066"), ("\x9b31m\x1b]0;t\x07", r"\x9b31m\x1b]0;t\x07"),
        ("\u3164\u115f\ufe0f\u034f", r"\u3164\u115f\ufe0f\u034f"), ("\U000e0041", r"\U000e0041"), ("\ud800", r"\ud800"),
        ("äß€ <b>&amp; *x* |", "äß€ <b>&amp; *x* |"),
    ],
)  # fmt: skip
def test_escape(text: str, shown: str) -> None:
    assert escape(text) == shown
    assert escape(shown) == shown


def test_json_is_ascii(jstrace: Command) -> None:
    output = jstrace("read", CAPTURE, "--format", "json", "--messages").stdout
    assert output.isascii()
    assert any("\x1b" in (task["job"] or "") for task in json.loads(output)["tasks"])
