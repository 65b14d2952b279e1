"""Where there is no task, every command says what there is instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from conversation import SYN, Address, Record, ethernet, pcap

from dissector.session.capture_codes import CAPTURE_CODES

Command = Callable[..., Result]


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.pcap"
    path.write_bytes(pcap([]))
    return path


@pytest.fixture
def knocking(tmp_path: Path) -> Path:
    """SYNs to a port that nobody names."""
    frame = ethernet(Address("10.0.0.1", 40_000), Address("10.0.0.2", 4450), 1, 0, SYN)
    path = tmp_path / "knocking.pcap"
    path.write_bytes(pcap([Record(0, frame), Record(10**9, frame)]))
    return path


@pytest.mark.parametrize("options", [(), ("--log",), ("-v",), ("--bytes",)])
def test_read_says_it_in_every_form(options: tuple[str, ...], empty: Path, knocking: Path, jstrace: Command) -> None:
    for path, words in ((empty, "nothing_captured"), (knocking, "--command-port 4450")):
        shown = jstrace("read", path, *options).stdout
        assert "no task" in shown
        assert words in shown


def test_programs_get_a_problem(empty: Path, jstrace: Command) -> None:
    (problem,) = json.loads(jstrace("read", empty, "--format", "json").stdout)["problems"]
    assert (problem["code"], problem["task"], problem["connection"]) == ("nothing_captured", None, None)
    assert jstrace("read", empty, "--fail-on", "warning").exit_code == 1


def test_the_named_option_shows_them(knocking: Path, jstrace: Command) -> None:
    document = json.loads(jstrace("read", knocking, "--command-port", 4450, "--format", "json").stdout)
    assert [problem["code"] for problem in document["problems"]] != ["unanswered_elsewhere"]


def test_slice_and_ports_say_it_too(knocking: Path, tmp_path: Path, jstrace: Command) -> None:
    result = jstrace("slice", knocking, tmp_path / "out.pcapng", "--task", 1)
    assert result.exit_code == 2
    assert "unanswered_elsewhere" in result.stderr
    assert "--command-port 4450" in jstrace("ports", knocking).stderr


@pytest.mark.parametrize("code", CAPTURE_CODES)
def test_explain_knows_it(code: str, jstrace: Command) -> None:
    assert CAPTURE_CODES[code].meaning in " ".join(jstrace("explain", code).stdout.split())
