"""A cluster makes the same dataset, also when a worker dies in the middle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fleet_kit import indexed, read_bytes

from benchmarks.archive import Size, make
from dissector.cli import main

ROOT = Path(__file__).resolve().parents[2]
_WORKERS, _POINTS = 4, 8
#: A cluster of its own, of which one worker dies as soon as it has begun to write; with as many points as workers have
#: to do two each, all of them are at work then.
_RUN = f"""
import os, signal, sys, threading, time
from pathlib import Path
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(ROOT)!r}]
from distributed import LocalCluster
from fleet_kit import indexed

def kill(pid, out):
    while not list(out.glob(".work/*/*/*")):
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    print("killed", flush=True)

if __name__ == "__main__":
    out, captures = map(Path, sys.argv[1:])
    with LocalCluster(n_workers={_WORKERS}, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        killer = threading.Thread(target=kill, args=(victim, out), daemon=True)
        killer.start()
        done = indexed(out, captures, cluster=cluster.scheduler_address)
        killer.join()
        print(done.tasks, done.warnings)
"""


@pytest.mark.dear
def test_a_cluster_makes_the_same_though_a_worker_dies(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    make(tmp_path / "captures", Size(_POINTS, 1, 160, 2 * _POINTS))
    indexed(tmp_path / "here", tmp_path / "captures")
    script = tmp_path / "run.py"
    script.write_text(_RUN)
    command = [sys.executable, str(script), str(tmp_path / "there"), str(tmp_path / "captures")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "killed\n160 []\n"
    assert read_bytes(tmp_path / "there") == read_bytes(tmp_path / "here")


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
