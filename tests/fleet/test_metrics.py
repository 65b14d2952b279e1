"""Metrics of made tasks: what is counted, and what of the wire gets into labels."""

from __future__ import annotations

import socket
import threading
import urllib.request

import pytest

pytest.importorskip("prometheus_client")

from dissector.errors import CaptureError
from dissector.fleet.company import Company
from dissector.fleet.metrics import MAX_JOBS, OTHER, CaptureGauges, Metrics
from dissector.fleet.scrapes import ScrapeServer
from dissector.model import Endpoint, Event, Outcome, Problem, Running, Severity, Task
from dissector.session.codes import CODES
from dissector.wire.masking import Mask

SECOND = 1_000_000_000


def ended(job: str | None = "nightly", outcome: Outcome = Outcome.SUCCESS, seconds: float = 1.0) -> Task:
    return Task(SECOND, 1, n=1, end=int(SECOND * (1 + seconds)), job=job, outcome=outcome)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    found: float | None = metrics.registry.get_sample_value(name, labels)
    return found


def jobs(metrics: Metrics) -> set[str]:
    families = {family.name: family for family in metrics.registry.collect()}
    return {sample.labels["job"] for sample in families["jstrace_tasks"].samples}


def test_tasks_by_outcome_and_job() -> None:
    metrics = Metrics(Mask())
    for task in (ended(), ended(), ended(outcome=Outcome.LOST, seconds=90), ended(None)):
        metrics.add(task)
    assert value(metrics, "jstrace_tasks_total", outcome="success", job="nightly") == 2
    assert value(metrics, "jstrace_tasks_total", outcome="lost", job="nightly") == 1
    assert value(metrics, "jstrace_tasks_total", outcome="success", job="") == 1
    assert value(metrics, "jstrace_task_seconds_sum", outcome="lost") == 90
    assert value(metrics, "jstrace_task_seconds_bucket", outcome="lost", le="60.0") == 0
    assert value(metrics, "jstrace_task_seconds_bucket", outcome="lost", le="300.0") == 1


def test_what_an_alert_may_ask_for_is_there_before_it_happens() -> None:
    """An increase from nothing is none to Prometheus."""
    metrics = Metrics(Mask())
    for outcome in Outcome:
        assert value(metrics, "jstrace_task_seconds_count", outcome=outcome.value) == 0
    for code, entry in CODES.items():
        assert value(metrics, "jstrace_problems_total", code=code, severity=entry.severity.value) == 0
    metrics.add(ended("new"))
    assert value(metrics, "jstrace_tasks_total", outcome="lost", job="new") == 0


def test_a_task_under_way_has_no_length_yet() -> None:
    metrics = Metrics(Mask())
    metrics.add(ended(outcome=Outcome.RUNNING))
    assert value(metrics, "jstrace_tasks_total", outcome="running", job="nightly") == 1
    assert value(metrics, "jstrace_task_seconds_count", outcome="running") == 0


def test_callback_delays() -> None:
    metrics = Metrics(Mask())
    task = ended()
    task.callback_delay = SECOND // 50
    metrics.add(task)
    metrics.add(ended())
    assert value(metrics, "jstrace_callback_delay_seconds_count") == 1
    assert value(metrics, "jstrace_callback_delay_seconds_bucket", le="0.01") == 0
    assert value(metrics, "jstrace_callback_delay_seconds_bucket", le="0.025") == 1


def test_problems_by_code() -> None:
    metrics = Metrics(Mask())
    metrics.add(Problem("connection_lost", Severity.ERROR, 0, (), "x"))
    assert value(metrics, "jstrace_problems_total", code="connection_lost", severity="error") == 1


@pytest.mark.parametrize("more", [-1, 0, 1, 50])
def test_jobs_are_bounded(more: int) -> None:
    metrics = Metrics(Mask())
    for n in range(MAX_JOBS + more):
        metrics.add(ended(f"job-{n}"))
    named = {f"job-{n}" for n in range(min(MAX_JOBS, MAX_JOBS + more))}
    assert jobs(metrics) == named | ({OTHER} if more > 0 else set())
    assert len(metrics.remarks) == (more > 0)
    if more > 0:
        assert value(metrics, "jstrace_tasks_total", outcome="success", job=OTHER) == more
    metrics.add(ended("job-0"))
    assert value(metrics, "jstrace_tasks_total", outcome="success", job="job-0") == 2


def test_labels_are_harmless_short_and_masked() -> None:
    metrics = Metrics(Mask())
    metrics.add(ended("a\x1b[2J\nb"))
    metrics.add(ended("x" * 5_000))
    metrics.add(ended("password=hunter2"))
    assert jobs(metrics) == {"a\\x1b[2J\\nb", "x" * 100, "password=***"}


class Shows:
    wants_messages = False

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.notes: list[str] = []

    def started(self, task: Task) -> None: ...
    def called_back(self, task: Task) -> None: ...
    def warn(self, problem: Problem) -> None: ...
    def running(self, changed: object, now: int, look: object) -> None: ...
    def close(self, captures: object) -> None: ...

    def add(self, event: Event) -> None:
        self.events.append(event)

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_tasks_under_way_and_their_calls() -> None:
    shows, metrics = Shows(), Metrics(Mask())
    company = Company(shows, [metrics])
    calls = {task: (None,) * n for n, task in enumerate((ended(), ended(), ended()))}
    metrics.gauges = CaptureGauges(lambda: 7, lambda: 3, lambda: 99, lambda: {"whole": 5})
    for task in calls:
        company.started(task)
    company.running((), 0, lambda task: Running(task, "step", 0, calls[task]))  # type: ignore[arg-type]
    assert value(metrics, "jstrace_tasks_running") == 3
    assert value(metrics, "jstrace_open_calls") == 3
    assert value(metrics, "jstrace_packets_total") == 7
    assert value(metrics, "jstrace_packets_dropped_total") == 3
    assert value(metrics, "jstrace_ring_bytes") == 99
    assert metrics.registry.get_sample_value("jstrace_failed_tasks_total", {"kept": "whole"}) == 5
    company.add(next(iter(calls)))
    assert value(metrics, "jstrace_tasks_running") == 2
    assert shows.events == [next(iter(calls))]


def test_a_scrape_asks_the_tracer_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is at work all the time under load, and is not to be waited for: it counts itself, once a second."""
    now, asked = [100.0], list[Task]()
    monkeypatch.setattr("dissector.fleet.metrics.time.monotonic", lambda: now[0])
    metrics = Metrics(Mask())
    metrics.gauges = CaptureGauges(lambda: 7, lambda: 3, None, None)
    metrics.started(ended())
    for moment, counts in ((100.0, 1), (100.9, 1), (101.0, 2)):
        now[0] = moment
        metrics.running((), 0, lambda task: asked.append(task))
        assert value(metrics, "jstrace_open_calls") == 0
        assert len(asked) == counts


def test_what_one_remarks_the_first_one_shows() -> None:
    shows, metrics = Shows(), Metrics(Mask())
    company = Company(shows, [metrics])
    metrics.remark("one")
    company.running((), 0, lambda _task: None)
    metrics.remark("two")
    company.close(())
    assert shows.notes == ["one", "two"]


@pytest.mark.parametrize("host", ["", "127.0.0.1", "::1", "localhost"])
def test_a_scrape(host: str) -> None:
    metrics = Metrics(Mask())
    try:
        server = ScrapeServer(Endpoint(host, 0), metrics.registry)
    except CaptureError:
        assert host == "::1"
        pytest.skip("no IPv6 here")
    with server:
        server.start()
        assert server.url.startswith("http://[::1]:" if host == "::1" else "http://127.0.0.1:") or host == "localhost"
        text = urllib.request.urlopen(server.url, timeout=10).read().decode()
        server.shutdown()
    assert 'jstrace_task_seconds_count{outcome="lost"} 0.0' in text
    assert "_created" not in text


def test_many_who_only_hold_the_line_do_not_stop_the_next_one() -> None:
    """So many threads and no more; who comes too much is sent away."""
    with ScrapeServer(Endpoint("", 0), Metrics(Mask()).registry) as server:
        server.start()
        before = threading.active_count()
        held = [socket.create_connection(("127.0.0.1", int(server.server_address[1]))) for _ in range(40)]
        sent_away = 0
        for one in held[16:]:
            one.settimeout(10)
            sent_away += one.recv(1) == b""
        assert sent_away == 24
        assert threading.active_count() - before <= 16
        for one in held:
            one.close()
        server.shutdown()


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CaptureError, match=f"--metrics 127.0.0.1:{port}: Address already in use"):
            ScrapeServer(Endpoint("", port), Metrics(Mask()).registry)
