"""What lies in ``contrib``: judged by systemd's and Prometheus's own tools, and against what jstrace offers."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from dissector.cli.live import live

CONTRIB = Path(__file__).resolve().parent.parent / "contrib"
UNIT = CONTRIB / "jstrace-live.service"
RULES = CONTRIB / "prometheus"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (systemd)")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (prometheus)")


def output(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_systemd
def test_the_unit_is_hardened() -> None:
    said = re.search(r"Overall exposure level for jstrace-live.service: ([\d.]+)", output(
        "systemd-analyze", "security", "--offline=true", "--threshold=20", UNIT
    ))  # fmt: skip
    assert said is not None
    assert float(said[1]) < 2
    assert f"rates it {said[1]}" in (CONTRIB / "README.md").read_text(encoding="utf-8")


@needs_systemd
def test_the_unit_has_no_word_that_systemd_does_not_know(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8").replace("/usr/local/bin/jstrace", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"Documentation=.*", "", text), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


def test_the_unit_starts_what_there_is() -> None:
    text = UNIT.read_text(encoding="utf-8").replace("\\\n", " ")
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    words = [word for word in shlex.split(command) if word != "$JSTRACE_OPTIONS"]
    assert words[:2] == ["/usr/local/bin/jstrace", "live"]
    context = live.make_context("live", words[2:])
    assert context.params["sources"] == ("any",)
    assert context.params["ring"] == "48x100MB/1h"
    options = "--on outcome=lost --webhook https://hooks.example.org/jstrace --notify-after 3/10m"
    assert options in (CONTRIB / "README.md").read_text(encoding="utf-8")
    assert isinstance(live.make_context("live", ["any", *options.split()]), click.Context)


@needs_promtool
def test_the_alerts() -> None:
    assert "9 rules found" in output("promtool", "check", "rules", "jstrace.rules.yml")
    assert "SUCCESS" in output("promtool", "check", "config", "--syntax-only", "prometheus.yml")
    assert "SUCCESS" in output("promtool", "test", "rules", "jstrace.tests.yml")


def test_every_alert_is_played() -> None:
    alerts = re.findall(r"- alert: (\w+)", (RULES / "jstrace.rules.yml").read_text(encoding="utf-8"))
    played = (RULES / "jstrace.tests.yml").read_text(encoding="utf-8")
    missing = [name for name in alerts if not re.search(rf"alertname: {name}\n +exp_alerts:", played)]
    assert len(alerts) == 9
    assert missing == []


def offered() -> set[str]:
    """Names of all series that a scrape shows."""
    pytest.importorskip("prometheus_client")

    from prometheus_client import generate_latest

    from dissector.fleet.metrics import CaptureGauges, Metrics
    from dissector.model import Task
    from dissector.wire.masking import Mask

    metrics = Metrics(Mask())
    metrics.gauges = CaptureGauges(lambda: 1, lambda: 1, lambda: 1, lambda: {"whole": 1})
    metrics.add(Task(0, 1, n=1, end=1, callback_delay=1))
    lines = generate_latest(metrics.registry).decode().splitlines()
    return {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}


TEXTS = sorted(path for path in CONTRIB.rglob("*") if path.suffix in (".json", ".yml", ".md"))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_metric_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(r"\bjstrace_[a-z_]+(?<!_)", path.read_text(encoding="utf-8")))
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in offered()}
    assert named <= offered() | families


def test_every_metric_is_described() -> None:
    text = (CONTRIB / "README.md").read_text(encoding="utf-8")
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in offered()}
    assert {name for name in families if f"| `{name}` |" not in text} == set()


def test_the_dashboard() -> None:
    board = json.loads((CONTRIB / "grafana" / "jstrace.json").read_text(encoding="utf-8"))
    assert board["title"] == "jstrace"
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    places: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["expr"] and target["refId"] for target in panel["targets"])
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not places & cells, panel["title"]
        places |= cells
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]+)", json.dumps(panels))) <= variables


@needs_promtool
def test_the_dashboard_asks_what_prometheus_understands(tmp_path: Path) -> None:
    """Each of its questions as a rule."""
    board = json.loads((CONTRIB / "grafana" / "jstrace.json").read_text(encoding="utf-8"))
    questions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rules = [
        {"record": f"x:{n}", "expr": expression.replace("$__rate_interval", "5m").replace("$instance", ".*")}
        for n, expression in enumerate(questions)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "x", "rules": rules}]}), encoding="utf-8")
    assert f"{len(questions)} rules found" in output("promtool", "check", "rules", path)
