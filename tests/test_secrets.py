"""No output tells a secret of the corpus, and every output leaves the harmless texts as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from secrets_corpus import HARMLESS
from secrets_kit import NUMBERS, capture, left, secrets

from dissector.render.text import escape

Command = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "wireshark" / "jobscheduler.lua"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("secrets") / "secrets.pcap"
    found.write_bytes(capture())
    return found


def test_the_capture_has_them_all(path: Path, jstrace: Command) -> None:
    """What this file looks for is there when secrets are shown."""
    result = jstrace("read", path, "--format", "json", "--messages", "--show-secrets")
    assert len(left(result.stdout)) >= len(secrets()) - 5  # of an answer without a request nothing is told


READ = [
    (), ("-v",), ("-v", "--full"), ("--log",), ("--bytes",), ("--bytes", "--full"),
    ("--format", "json", "--messages"), ("--format", "jsonl", "--messages", "--jobs", "1"),
]  # fmt: skip


@pytest.mark.parametrize("options", READ, ids=" ".join)
def test_read(options: tuple[str, ...], path: Path, jstrace: Command) -> None:
    result = jstrace("read", path, *options)
    assert result.exit_code == 0
    assert left(result.stdout) == []


def test_read_leaves_harmless_texts(path: Path, jstrace: Command) -> None:
    log = jstrace("read", path, "--log").stdout
    whole = json.loads(jstrace("read", path, "--format", "json", "--messages").stdout)
    lines = {line["text"] for task in whole["tasks"] for line in task["log"]}
    for text in HARMLESS:
        assert escape(text) in log
        assert text in lines


def test_numbers_keep_their_type_in_json(path: Path, jstrace: Command) -> None:
    lines = map(json.loads, jstrace("read", path, "--format", "jsonl", "--messages").stdout.splitlines())
    calls = [line for line in lines if line["record"] == "message"]
    put = next(call for call in calls if [value["type"] for value in call["arguments"] or ()] == ["BSTR", "I4"])
    assert put["arguments"] == [{"type": "BSTR", "value": "db_password"}, {"type": "I4", "value": None}]
    results = [call["result"] for call in calls if call["result"]]
    assert {"type": "UI4", "value": None} in results
    assert {"type": "INT", "value": None} in results


def test_numbers_are_asterisks_in_text(path: Path, jstrace: Command) -> None:
    ladder = jstrace("read", path, "-v").stdout
    assert 'value("db_password") = ***' in ladder
    assert 'set_var("pin", ***)' in ladder


TSHARK = [
    (),
    ("-V", "-O", "jobscheduler"),
    ("-T", "ek", "-J", "jobscheduler"),
    ("-T", "pdml", "-J", "jobscheduler"),
    ("-2",),
]


@pytest.mark.parametrize("options", TSHARK, ids=" ".join)
def test_wireshark(options: tuple[str, ...], path: Path) -> None:
    output = _tshark(path, *options)
    assert "jobscheduler" in output.lower()
    assert "Lua Error" not in output
    assert left(output) == []


def test_wireshark_leaves_harmless_texts(path: Path) -> None:
    lines = _tshark(path, "-T", "fields", "-e", "jobscheduler.log.text", "-Y", "jobscheduler.log.text").splitlines()
    for text in HARMLESS:
        assert text.replace("\\", "\\\\") in lines or text in lines


def _tshark(path: Path, *options: str) -> str:
    command = ["tshark", "-n", "-r", str(path), "-X", f"lua_script:{PLUGIN}", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("options", [(), ("-2",)], ids=" ".join)
def test_verify_compares_what_is_masked(options: tuple[str, ...], path: Path, jstrace: Command) -> None:
    result = jstrace("verify", path, *options)
    assert result.stdout.endswith(": equal\n")


@pytest.mark.dear
def test_verify_sees_a_plugin_that_masks_less(path: Path, tmp_path: Path, jstrace: Command) -> None:
    text = PLUGIN.read_text(encoding="utf-8")
    for number, (old, new) in enumerate(
        (
            ("local ok, masked = pcall(covered, text)", "local ok, masked = true, text"),
            ('if secret and value ~= "" then veil[value] = MASK end', ""),
            ("if js.looks_secret(pair[1]) then return MASK end", ""),
            ("veil[0] = MASK  -- for all numbers of the message", ""),
        )
    ):
        assert text.count(old) == 1
        plugin = tmp_path / f"less{number}.lua"
        plugin.write_text(text.replace(old, new), encoding="utf-8")
        assert jstrace("verify", path, "--plugin", plugin).exit_code == 1


def test_slice_and_redact(path: Path, tmp_path: Path, jstrace: Command) -> None:
    assert jstrace("redact", path, tmp_path / "plain.pcap").exit_code == 0
    plain = (tmp_path / "plain.pcap").read_bytes()
    assert left(plain.decode("latin-1")) == []
    assert [number for number in NUMBERS if number.to_bytes(4, "big") in plain] == []
    assert b"7.3190453" in path.read_bytes()
    assert b"7.3190453" not in plain
    assert jstrace("read", tmp_path / "plain.pcap", "--format", "json", "--messages").exit_code == 0
    assert jstrace("redact", path, tmp_path / "all.pcap", "--all-text").exit_code == 0
    assert left((tmp_path / "all.pcap").read_bytes().decode("latin-1")) == []
    assert jstrace("slice", path, tmp_path / "cut.pcapng", "--task", 1).exit_code == 0
    comments = _tshark(tmp_path / "cut.pcapng", "-T", "fields", "-e", "frame.comment")
    assert "task 1" in comments
    assert left(comments) == []


def test_live(path: Path) -> None:
    for options in (("--plain", "--log"), ("--format", "jsonl", "--messages")):
        program = Path(sys.executable).with_name("jstrace")
        done = subprocess.run(
            [program, "live", "-", *options], input=path.read_bytes(), capture_output=True, check=True
        )
        assert b"secrets" in done.stdout
        assert left(done.stdout.decode()) == []


def test_diff(path: Path, jstrace: Command) -> None:
    for options in ((), ("--full",), ("--format", "json")):
        result = jstrace("diff", path, ROOT / "captures" / "engine_shell_ok.pcap", *options, "--task", 1, "--task-b", 1)
        assert result.exit_code == 0
        assert left(result.stdout) == []
