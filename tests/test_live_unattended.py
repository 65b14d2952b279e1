"""``jstrace live`` with nobody before it: what it counts, tells and keeps, on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_kit import COMMAND, PORT, PORTS, QUICK, ROOT, eventually, live, needs_root, simulate

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


@contextmanager
def prometheus(folder: Path) -> Iterator[None]:
    """A real one that scrapes once a second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed")
    configuration = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "jstrace", "static_configs": [{"targets": [f"127.0.0.1:{METRICS}"]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration), encoding="utf-8")
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{PROMETHEUS}", "--log.level=error"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def asked(query: str) -> float:
    """What Prometheus says at the moment; 0 as long as it says nothing."""
    try:
        text = fetched(f"http://127.0.0.1:{PROMETHEUS}/api/v1/query?" + urllib.parse.urlencode({"query": query}))
    except OSError:
        return 0
    result = json.loads(text)["data"]["result"]
    return float(result[0]["value"][1]) if result else 0


def test_prometheus_scrapes_a_capture_at_a_rate(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    with (
        prometheus(tmp_path),
        live("lo", *PORTS, "--metrics", f":{METRICS}", "--format", "jsonl") as running,
    ):
        eventually(lambda: asked('up{job="jstrace"}') == 1)
        simulate(*BOTH, "--scenario", "shell-job", "--tasks", 400, "--rate", 100, "-q")
        simulate(*BOTH, "--scenario", "lost-task", "-q")
        eventually(lambda: asked('sum(jstrace_tasks_total{outcome="success"})') == 400)
        eventually(lambda: asked('increase(jstrace_task_seconds_count{outcome="lost"}[1m])') > 0)
        assert asked("sum(jstrace_callback_delay_seconds_count)") == 401
        assert asked("jstrace_packets_dropped_total") == 0
        assert asked("histogram_quantile(0.9, sum by (le) (rate(jstrace_callback_delay_seconds_bucket[1m])))") > 0
        running.end()


def test_without_the_client_of_prometheus() -> None:
    """One line says what to install."""
    code = "import sys; sys.modules['prometheus_client'] = None; from dissector.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "live", "lo", "--metrics", ":9464"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "jstrace: --metrics needs the client of Prometheus: pip install 'jstrace[metrics]'\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metrics", "x:y"], "'x:y' is no HOST:PORT"),
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
