"""What a user calls secret besides: options, and the configuration file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from conversation import Network, TaskScript

from dissector.errors import UsageError
from dissector.verify.run import masking
from dissector.wire.secrets import extend, mask_text

Command = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[1]
LINES = ("badge=4x7z end", "case 4711-4712", "password=hunter2")


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "jstrace").mkdir()
    yield tmp_path / "jstrace" / "mask.conf"
    extend()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    network = Network()
    network.play(TaskScript(log=LINES))
    found = tmp_path / "lines.pcap"
    found.write_bytes(network.capture())
    return found


def log(result: Result) -> list[str]:
    assert result.exit_code == 0, result.stderr
    return [line.split("info", 1)[1].strip() for line in result.stdout.splitlines() if "info" in line]


def test_options_add_and_are_forgotten(path: Path, jstrace: Command) -> None:
    assert log(jstrace("read", path, "--log")) == [*LINES[:2], "password=***"]
    masked = log(
        jstrace("read", path, "--log", "--mask", "badge", "--mask-regex", r"case (\d+)", "--mask-regex", "en[d]")
    )
    assert masked == ["badge=*** ***", "case ***-4712", "password=***"]
    assert log(jstrace("read", path, "--log"))[0] == LINES[0]


def test_configuration_file(path: Path, jstrace: Command, own_configuration: Path) -> None:
    own_configuration.write_text("# ours\n\nname Badge\nregex \\d{4}-\\d{4}\n")
    assert log(jstrace("read", path, "--log")) == ["badge=*** end", "case ***", "password=***"]
    assert log(jstrace("read", path, "--log", "--mask-regex", "en[d]"))[0] == "badge=*** ***"
    for command in (
        ("slice", path, path.with_name("cut.pcapng"), "--task", 1),
        ("redact", path, path.with_name("r.pcap")),
    ):
        assert jstrace(*command).exit_code == 0
    assert b"4x7z" not in path.with_name("r.pcap").read_bytes()


@pytest.mark.parametrize(
    ("line", "words"), [("nome x", "line 2: neither"), ("regex (", "line 2: '(' is no"), ("name", "line 2")]
)
def test_a_wrong_line_is_an_error(line: str, words: str, path: Path, jstrace: Command, own_configuration: Path) -> None:
    own_configuration.write_text(f"name a\n{line}\n")
    result = jstrace("read", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"mask.conf: {words}" in result.stderr


def test_wrong_options(path: Path, jstrace: Command) -> None:
    for options in (("--mask-regex", "("), ("--mask", " ")):
        assert jstrace("read", path, *options).exit_code == 2


def test_the_plugin_has_the_same(path: Path) -> None:
    command = ["tshark", "-n", "-r", str(path), "-X", f"lua_script:{ROOT / 'wireshark' / 'jobscheduler.lua'}"]
    command += ["-o", "jobscheduler.mask_names:Badge, other", "-o", r"jobscheduler.mask_pattern:case (\d+)"]
    fields = ["-Y", "jobscheduler.log.text", "-T", "fields", "-e", "jobscheduler.log.text"]
    done = subprocess.run([*command, *fields], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["badge=*** end", "case ***-4712", "password=***"]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "options",
    [
        ("--mask", "badge"),
        ("--mask", "badge", "--mask", "case"),
        ("--mask-regex", r"case (\d+)"),
        ("--mask-regex", r"\d{4}"),
        ("--mask-regex", "en[d]", "--mask-regex", r"case (\d+)-(\d+)", "--mask-regex", "b(ad)(ge)"),
    ],
    ids=" ".join,
)
def test_verify_masks_the_same_on_both_sides(options: tuple[str, ...], path: Path, jstrace: Command) -> None:
    result = jstrace("verify", path, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(": equal\n")


def test_verify_masks_what_the_configuration_file_says(path: Path, jstrace: Command, own_configuration: Path) -> None:
    own_configuration.write_text("name badge\nregex case (\\d+)\n")
    assert jstrace("verify", path).stdout.endswith(": equal\n")


def test_what_verify_tells_the_plugin() -> None:
    extend()
    assert masking() == []
    extend(("badge", "vault-id"), ("a(b)c", "d|e"))
    assert masking() == ["jobscheduler.mask_names:badge,vault-id", "jobscheduler.mask_pattern:(?|a(b)c|(d|e))"]
    for name in ("two words", "a,b"):
        extend((name,))
        with pytest.raises(UsageError):
            masking()


def test_a_name_that_the_plugin_can_not_be_told_of(path: Path, jstrace: Command) -> None:
    result = jstrace("verify", path, "--mask", "two words")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "without commas and blanks" in result.stderr


def test_a_name_of_a_user_is_no_pattern() -> None:
    extend(("a.b", "C+"))
    assert mask_text("a.b=1 axb=2 c+=3") == "a.b=*** axb=2 c+=***"


def test_a_process_of_its_own(path: Path) -> None:
    """Two processes write the messages: both mask."""
    program = Path(sys.executable).with_name("jstrace")
    command = [str(program), "read", str(path), "--format", "jsonl", "--messages", "--mask", "badge", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b"4x7z" not in done.stdout
