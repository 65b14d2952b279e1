"""The benchmarks' inputs are what they claim, and every section runs; no figure is judged here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import inputs
from benchmarks.__main__ import main
from benchmarks.bench import WITH
from benchmarks.measure import Contender, Figures, Run, compare
from benchmarks.sections import DISSECT, PYSHARK, SCAPY

Trace = Callable[..., dict[str, Any]]
#: The inputs of this part of the size: a few thousand packets.
SCALE = 0.0005


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


def test_dense_input_is_whole_dialogs(folder: Path, trace: Trace) -> None:
    made = inputs.dense(1_500, folder)
    document = trace(made.path)
    (capture,) = document["captures"]
    assert capture["packets"] == capture["tcp_segments"] == made.packets == made.jobscheduler
    tasks = document["tasks"]
    assert len(tasks) == made.tasks > 10
    assert sum(task["counts"]["messages"] for task in tasks) == made.frames >= 1_500
    assert Counter(problem["code"] for problem in document["problems"]).keys() <= {
        "command_not_captured",
        "error_answer",
        "job_failed",
        "job_exception",
    }
    assert {task["outcome"] for task in tasks} <= {"success", "failure"}
    ends = {(task["client"]["ip"], task["callback"]["port"]) for task in tasks}
    assert len(ends) == len(tasks)


def test_mixed_input_hides_the_same_dialogs(folder: Path, trace: Trace) -> None:
    made = inputs.mixed(20_000, folder)
    document = trace(made.path)
    (capture,) = document["captures"]
    assert capture["packets"] == made.packets
    assert capture["tcp_segments"] < made.packets, "UDP and ARP are among them"
    assert made.size / made.packets == pytest.approx(inputs.BYTES_PER_PACKET, rel=0.05)
    assert made.jobscheduler / made.packets == pytest.approx(inputs.JOBSCHEDULER_SHARE, rel=0.2)
    assert len(document["tasks"]) == made.tasks
    assert sum(task["counts"]["messages"] for task in document["tasks"]) == made.frames
    assert sum(connection["packets"] for connection in document["connections"]) == made.jobscheduler


def test_inputs_are_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    first, second = inputs.mixed(3_000, folder), inputs.mixed(3_000, tmp_path)
    assert Path(first.path).read_bytes() == Path(second.path).read_bytes()
    before = Path(first.path).stat().st_mtime_ns
    assert inputs.mixed(3_000, folder) == first
    assert Path(first.path).stat().st_mtime_ns == before, "made once"


@pytest.mark.parametrize(
    "sections", [("Dense", "Decode", "Start"), pytest.param(("Mixed", "Growth"), marks=pytest.mark.dear)]
)
def test_the_sections_of_one_input_run(
    sections: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "results.md"
    names = ["startup" if name == "Start" else name.lower() for name in sections]
    assert main([*names, "--scale", str(SCALE), "--folder", str(folder), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    for title in sections:
        assert f"\n## {title}" in text
    if "Dense" in sections:
        for contender in (DISSECT, SCAPY, PYSHARK, WITH, "-T ek", "dpkt", "--format jsonl --messages"):
            assert contender in text
    assert "MISSED" not in text
    assert text.strip() in capsys.readouterr().out.replace("\n\n\n", "\n\n")


@pytest.mark.dear
@pytest.mark.skipif(os.geteuid() != 0, reason="capturing needs root")
def test_the_live_section_runs(folder: Path) -> None:
    out = folder / "live.md"
    assert main(["live", "--scale", "0.01", "--folder", str(folder), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert "1,000 simulated tasks over real sockets" in text
    assert "- tasks not seen: **0.00** (at most 0)" in text
    assert "- tasks seen to succeed: **1,000** (at least 1,000)" in text


@pytest.mark.dear
def test_the_section_of_attacks_runs(folder: Path) -> None:
    out = folder / "attacks.md"
    parts = ["--only", "open tasks", "unknown interfaces", "read", "redact"]
    chosen = ["--scale", str(SCALE), "--folder", str(folder), "--out", str(out)]
    assert main(["attacks", *parts, *chosen]) == 0
    text = out.read_text(encoding="utf-8")
    tables = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert [one for one in tables if not one.startswith("-")] == [
        *("read", "open tasks", "unknown interfaces"),
        *("redact", "open tasks", "unknown interfaces"),
    ]
    assert main(["attacks", "--only", "open tasks", "plugin", *chosen]) == 0
    assert "| plugin " in out.read_text(encoding="utf-8")


def test_unknown_section_is_refused() -> None:
    with pytest.raises(SystemExit):
        main(["nothing"])


def test_unknown_part_is_refused() -> None:
    with pytest.raises(SystemExit):
        main(["mixes", "--only", "nothing"])


@pytest.mark.parametrize(
    ("seconds", "repeat", "settled"),
    [
        ([], True, False),
        ([1.0], True, False),
        ([1.0], False, True),
        ([1.0, 1.02], True, True),
        ([1.0, 1.03], True, False),
        ([1.0, 1.03, 1.01], True, False),
    ],
)
def test_runs_that_are_alike_are_enough(seconds: list[float], repeat: bool, settled: bool) -> None:
    contender = Contender("one", [], repeat=repeat)
    assert Figures(contender, [Run(one, one, 0, None) for one in seconds]).is_settled is settled


def test_progress_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare([Contender("nothing", ["true"]), Contender("once", ["true"], repeat=False)], 1, tmp_path / "home")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("  round 1 of 1, 1 of 2: nothing, 0.")
    assert lines[1].startswith("  round 1 of 1, 2 of 2: once, 0.")
