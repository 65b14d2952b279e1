"""A cluster makes the same dataset, also when a worker dies in the middle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fleet_kit import HOW, archive

from benchmarks.cluster import differing
from dissector.cli import main
from dissector.errors import ToolError
from dissector.fleet import workers
from dissector.fleet.captures import places_of
from dissector.fleet.dataset import Dataset
from dissector.fleet.index import index

ROOT = Path(__file__).resolve().parents[2]
#: A cluster in this process.
QUIET: dict[str, Any] = {"threads_per_worker": 1, "processes": False, "dashboard_address": None, "silence_logs": 50}


@pytest.mark.dear
def test_a_cluster_makes_the_same_though_a_worker_dies(tmp_path: Path) -> None:
    """Nothing is done again but what the worker had at hand."""
    pytest.importorskip("distributed")
    command = [sys.executable, "-m", "benchmarks.fleet", "--dask", "--scale", "0.01", "--folder", str(tmp_path / "x")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed after 6 of 12 points" in done.stdout
    assert "missed" not in done.stdout


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("ImportError('no\\njstrace')", "ImportError: no jstrace; what is done stays: run it again"),
        (
            "__import__('distributed').KilledWorker('x', __import__('types').SimpleNamespace(address=''), 3)",
            "workers died of one point again and again, maybe for want of memory; what is done stays: run it again",
        ),
    ],
)
def test_what_workers_fail_of_is_one_line(error: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")

    def fails(_unit: object) -> None:
        raise eval(error)

    monkeypatch.setattr(workers, "trace_unit", fails)
    with distributed.LocalCluster(n_workers=1, **QUIET) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(ToolError) as raised:
            list(workers.done_units([0], 1, address))  # type: ignore[list-item]
    assert str(raised.value) == f"--dask {address}: {words}"


def test_a_cluster_writes_to_a_url_what_a_folder_gets(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    archive(tmp_path / "captures")
    here, there = tmp_path / "here", tmp_path / "there"
    places = places_of([str(tmp_path / "captures")], {})
    done = index(Dataset(str(here)), places, HOW)
    with distributed.LocalCluster(n_workers=2, **QUIET) as cluster:
        far = index(Dataset(f"file://{there}"), places, HOW, cluster=cluster.scheduler_address)
    assert (far.tasks, far.points, far.warnings) == (done.tasks, done.points, [])
    assert far.tasks > 0
    assert [name for name in differing(here, there) if name not in (".lock", "manifest.jsonl")] == []


def test_a_cluster_that_is_not_there_is_said(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    source = str(ROOT / "captures" / "engine_shell_ok.pcap")
    done = CliRunner().invoke(main, ["index", str(tmp_path / "out"), source, "--dask", "nonsense://x:1"])
    assert done.exit_code == 2
    assert done.stderr.startswith("jstrace: --dask nonsense://x:1: ")


def test_without_dask_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    source = str(ROOT / "captures" / "engine_shell_ok.pcap")
    done = CliRunner().invoke(main, ["index", str(tmp_path / "out"), source, "--dask", "tcp://127.0.0.1:1"])
    assert (done.exit_code, done.stderr) == (2, "jstrace: --dask needs dask.distributed: pip install 'jstrace[dask]'\n")
