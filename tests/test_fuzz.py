"""Inputs that a fuzzer found once (``tests/fuzz/TARGET``) do no harm any more, nor do the ones that it begins with."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from dissector.model import Message, Task
from fuzz import lua
from fuzz.guard import verdict
from fuzz.script import line, packets
from fuzz.seeds import SEEDS, seeds
from fuzz.targets import TARGETS, events_of

FOUND = sorted(path for path in (Path(__file__).parent / "fuzz").glob("*/*") if path.is_file())
#: Seeds of each target that are tried here.
SOME = 60


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_found_input(path: Path) -> None:
    if path.parent.name == "lua":
        assert lua.complaint(path) is None
    else:
        TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_accepted(target: str) -> None:
    tried = list(islice(seeds(target), SOME))
    assert len(tried) >= 10
    for seed in tried:
        TARGETS[target](seed)


def test_every_target_has_seeds() -> None:
    assert SEEDS.keys() == TARGETS.keys()


def test_a_finding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"job=x")
    assert verdict("filter", path) is None
    told = verdict("nothing", path)
    assert told is not None
    assert "KeyError" in told


def test_script_makes_connections() -> None:
    script = line(0, 0, b"<a/>") + line(0, 1, b"<b/>\0", control=0x08) + line(1, 0, b"x", timing=0x20)
    found = packets(script)
    # Two SYNs with their answers, what was said and not lost, and the ICMP error.
    assert [len(packet.data) for packet in found] == [54, 54, 58, 54, 54, 55, 82]
    assert packets(b"\x01") != []


def test_scripts_of_recordings_are_tasks() -> None:
    """Whoever fuzzes what is taken for foreign traffic finds nothing."""
    events = [event for seed in seeds("dialog") for event in events_of(packets(seed))]
    jobs = {event.job for event in events if isinstance(event, Task)}
    assert {"shell", "shell_fail", "orderjob", "ordershell"} <= jobs
    assert sum(isinstance(event, Message) for event in events) > 1_000


@pytest.fixture
def small_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lua, "BATCH", 40)


@pytest.mark.dear
@pytest.mark.usefixtures("small_batch")
def test_mutated_captures_do_not_break_the_plugin(tmp_path: Path) -> None:
    found = lua.run(tmp_path, 0, seed=1)
    assert found.conversations == 40
    assert found.findings == {}


@pytest.mark.usefixtures("small_batch")
def test_a_broken_plugin_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.lua"
    broken.write_text("local p = Proto('broken', 'broken')\nfunction p.dissector(b, i, t) error('no') end\n")
    broken.write_text(broken.read_text() + "DissectorTable.get('tcp.port'):add(4455, p)\n")
    monkeypatch.setattr(lua, "PLUGIN", broken)
    assert lua.run(tmp_path, 0, seed=1).findings
