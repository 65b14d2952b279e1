"""``jstrace live`` with nobody before it: what it counts, tells and keeps, on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from live_kit import (
    COMMAND,
    HIGH,
    LOW,
    PATIENCE,
    PORT,
    PORTS,
    QUICK,
    ROOT,
    eventually,
    live,
    needs_root,
    records,
    simulate,
)

from benchmarks.scraping import PROGRAM, prometheus
from dissector.share.capture_index import CaptureIndex, Hints
from dissector.share.slice import packets_of
from dissector.sources.capture import CaptureReader

pytestmark = needs_root
BOTH = ("--listen", PORT, *QUICK)
METRICS = PORT + 90
PROMETHEUS = PORT + 91


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def scraped() -> dict[str, float]:
    """Series with their values."""
    lines = fetched(f"http://127.0.0.1:{METRICS}/metrics").splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def of_tasks(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if name.startswith("jstrace_tasks_total") and value}


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_metrics_are_what_is_shown(form: str, tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    path = tmp_path / "x.pcapng"
    with live("lo", *PORTS, "--metrics", f":{METRICS}", "--format", form, "-w", path) as running:
        simulate(*BOTH, "--scenario", "shell-job", "--scenario", "failing-job", "--scenario", "lost-task", "-q")
        eventually(lambda: sum(of_tasks(scraped()).values()) == 3)
        found = scraped()
        running.end()
    assert f"jstrace: metrics on http://127.0.0.1:{METRICS}/metrics\n" in running.errors
    assert of_tasks(found) == {
        'jstrace_tasks_total{job="shell-job",outcome="success"}': 1,
        'jstrace_tasks_total{job="failing-job",outcome="failure"}': 1,
        'jstrace_tasks_total{job="lost-task",outcome="lost"}': 1,
    }
    assert found["jstrace_callback_delay_seconds_count"] == 3
    assert found['jstrace_problems_total{code="connection_lost",severity="error"}'] == 1
    assert found["jstrace_packets_dropped_total"] == 0
    assert 0 < found["jstrace_ring_bytes"] <= path.stat().st_size


def test_prometheus_scrapes_a_capture_at_a_rate(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    if PROGRAM is None:
        pytest.skip("prometheus is not installed")
    with (
        prometheus(tmp_path, f"127.0.0.1:{METRICS}", f"127.0.0.1:{PROMETHEUS}") as asked,
        live("lo", *PORTS, "--metrics", f":{METRICS}", "--format", "jsonl") as running,
    ):
        eventually(lambda: asked('up{job="jstrace"}') == 1)
        simulate(*BOTH, "--scenario", "shell-job", "--tasks", 400, "--rate", 100, "-q")
        simulate(*BOTH, "--scenario", "lost-task", "-q")
        eventually(lambda: asked('sum(jstrace_tasks_total{outcome="success"})') == 400)
        eventually(lambda: asked('increase(jstrace_task_seconds_count{outcome="lost"}[1m])') > 0)
        eventually(lambda: asked('jstrace_tasks_total{job="lost-task",outcome="lost"}') == 1)
        assert asked("sum(jstrace_callback_delay_seconds_count)") == 401
        assert asked("jstrace_packets_dropped_total") == 0
        assert asked("histogram_quantile(0.9, sum by (le) (rate(jstrace_callback_delay_seconds_bucket[1m])))") > 0
        running.end()


@pytest.fixture
def folder() -> Iterator[Path]:
    """One in which whom root becomes may write; pytest keeps its own for itself alone."""
    with TemporaryDirectory() as name:
        made = Path(name)
        made.chmod(0o777)
        yield made


def test_somebody_is_told(folder: Path) -> None:
    """A program, as whom root became, and a web server; of those that match, and of nothing else."""
    program = folder / "told"
    program.write_text(
        f"#!/bin/sh\ncat > {folder}/record.$JSTRACE_TASK\n"
        'echo "$JSTRACE_EVENT $JSTRACE_JOB $JSTRACE_OUTCOME $JSTRACE_COUNT $(id -un)" '
        f"> {folder}/facts.$JSTRACE_TASK\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    posts: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        told = ("--on", "outcome=lost", "--run", program, "--webhook", f"http://127.0.0.1:{server.server_address[1]}/x")
        with live("lo", *PORTS, *told, "--format", "jsonl") as running:
            simulate(*BOTH, "--scenario", "shell-job", "--scenario", "failing-job", "--scenario", "lost-task", "-q")
            eventually(lambda: "lost-task" in running.text)
            lines = running.end()
        server.shutdown()
    (number,) = (task["n"] for task in records(lines, "task") if task["job"] == "lost-task")
    assert (folder / f"facts.{number}").read_text() == "task lost-task lost 1 nobody\n"
    assert sorted(path.name for path in folder.iterdir()) == [f"facts.{number}", f"record.{number}", "told"]
    assert [(post["record"], post["job"]) for post in posts] == [("task", "lost-task")]
    assert json.loads((folder / f"record.{number}").read_text()) == posts[0]


#: A mount namespace with the sockets of systemd in a folder, and standard output that "goes to the journal".
_SERVICE = """
mount --bind "$1" /run; shift
JOURNAL_STREAM=$(stat -L -c %d:%i /proc/$$/fd/1) NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=20000000 exec "$@"
"""


def test_a_service_of_systemd(folder: Path) -> None:
    """As whom root became it reports that it is there, and has entries of the journal in the place of its lines."""
    (folder / "systemd/journal").mkdir(parents=True)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        for one, name in ((journal, "systemd/journal/socket"), (manager, "notify")):
            one.bind(str(folder / name))
            (folder / name).chmod(0o666)
            one.settimeout(PATIENCE)
        with live("lo", *PORTS, inside=("unshare", "-m", "sh", "-ec", _SERVICE, "sh", str(folder))) as running:
            simulate(*BOTH, "--scenario", "lost-task", "-q")
            entries = [journal_entry(journal)]
            while entries[-1].get("JSTRACE_OUTCOME") != "lost":
                entries.append(journal_entry(journal))
            cause = journal_entry(journal)
            assert running.end(signal.SIGTERM) == "", "there are no lines besides"
            summary = journal_entry(journal)
        heard = [manager.recv(100) for _ in range(3)]
        manager.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                heard.append(manager.recv(100))
    about = {"SYSLOG_IDENTIFIER": "jstrace", "JSTRACE_TASK": "1", "JSTRACE_JOB": "lost-task:1"}
    assert all(one.items() >= about.items() for one in (*entries, cause))
    assert "started" in entries[0]["MESSAGE"]
    assert (entries[0]["PRIORITY"], entries[-1]["PRIORITY"]) == ("6", "3")
    assert (cause["JSTRACE_CODE"], cause["JSTRACE_SEVERITY"], cause["PRIORITY"]) == ("connection_lost", "error", "3")
    assert summary["MESSAGE"].startswith("lo  ")
    assert (heard[0], heard[1], heard[-1]) == (b"READY=1", b"WATCHDOG=1", b"STOPPING=1")
    assert set(heard[1:-1]) == {b"WATCHDOG=1"}


def journal_entry(journal: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in journal.recv(1 << 16).decode().splitlines())


def test_a_task_that_hangs_is_told_of_meanwhile(folder: Path) -> None:
    told = ("--on", "problem=slow_call", "--run", f"tee {folder}/record", "--slow", "1s")
    with live("lo", *PORTS, *told) as running:
        simulate(*BOTH, "--scenario", "idle", "--work", "3s", "-q")
        running.until("success")
        running.end()
    record = json.loads((folder / "record").read_text())
    assert (record["record"], record["code"]) == ("problem", "slow_call")


def test_the_flight_recorder_keeps_failed_tasks_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    """Each is what slice cuts out of the whole capture."""
    folder, whole = folder / "failed", tmp_path / "whole.pcapng"
    names = ("shell-job", "failing-job", "lost-task", "killed-task", "refused-start")
    mixed = [word for name in names for word in ("--scenario", name)]
    pytest.importorskip("prometheus_client")
    options = "--keep-failed", folder, "--metrics", f":{METRICS}", "-w", whole, "--format", "jsonl"
    with live("lo", *PORTS, *options) as running:
        simulate(*BOTH, *mixed, "--tasks", 40, "--rate", 20, "-q")
        eventually(lambda: sum(of_tasks(scraped()).values()) == 40)
        eventually(lambda: scraped()['jstrace_failed_tasks_total{kept="whole"}'] == 32)
        lines = running.end()
    assert "--keep-failed" not in running.errors
    tasks = records(lines, "task")
    failed = {task["n"] for task in tasks if task["outcome"] != "success"}
    assert len(tasks) > len(failed) > 10
    files = {int(path.stem.rpartition("_")[2]): path for path in folder.iterdir()}
    assert set(files) == failed
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    index = CaptureIndex.of(str(whole), Hints((PORT,), (LOW, HIGH)), messages=False)
    for task in index.tasks:
        if task.n in failed:
            cut = [(packet.time, bytes(packet.data)) for packet in packets_of([str(whole)], index, [task])]
            assert [(packet.time, packet.data) for packet in CaptureReader([str(files[task.n])])] == cut


def test_a_service_manager_hears_of_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        with live("lo", *PORTS, "--plain", env=environment) as running:
            assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            running.end()
        said = [manager.recv(100)]
        while said[-1] != b"STOPPING=1":
            said.append(manager.recv(100))


def test_without_the_client_of_prometheus() -> None:
    """One line says what to install."""
    code = "import sys; sys.modules['prometheus_client'] = None; from dissector.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "live", "lo", "--metrics", ":9464"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "jstrace: --metrics needs the client of Prometheus: pip install 'jstrace[metrics]'\n"


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metrics", "x:y"], "'x:y' is no HOST:PORT"),
        (["--on", "outcome=lost"], "--on needs --run CMD or --webhook URL"),
        (["--run", "true"], "--run needs --on EXPR"),
        (["--webhook", "http://x/"], "--webhook needs --on EXPR"),
        (["--notify-after", "3/10m"], "--notify-after needs --on EXPR"),
        (["--on", "x=1", "--run", "true"], "there is no field 'x'"),
        (["--on", "outcome=lost", "--run", "nosuch-program"], "there is no such program"),
        (["--on", "outcome=lost", "--webhook", "x"], "is no URL such as https://hooks.example.org/jstrace"),
        (["--on", "outcome=lost", "--run", "true", "--notify-after", "x"], "is no number of matches in a time"),
        (["--keep-failed", "/nowhere/x"], "/nowhere/x: No such file or directory"),
        (["--keep-failed", "/tmp", "--keep-failed-max", "0"], "is neither a size such as 2GB nor a number of files"),
        (["--keep-failed", "/root"], "Permission denied for nobody: another folder, or --user root"),
        (["--metrics", "192.0.2.1:9464"], "--metrics 192.0.2.1:9464: Cannot assign requested address"),
    ],
)
def test_wrong_usage_is_one_clear_line(arguments: list[str], words: str) -> None:
    pytest.importorskip("prometheus_client")
    done = subprocess.run(
        [*COMMAND, "live", "lo", *arguments], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
