"""What is found as metrics of Prometheus, in a registry of their own.

Names from the wire are labels in one place only, the job's name: masked, without what a terminal would obey, cut, and
of ``MAX_JOBS`` jobs at most.  Each series that an alert may ask for is there from the start with 0: an increase from
nothing to one is none to Prometheus.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dissector import __version__
from dissector.errors import ToolError
from dissector.fleet.company import Companion
from dissector.model import Event, Look, Outcome, Problem, Running, Task
from dissector.session.codes import CODES
from dissector.wire.harmless import escape
from dissector.wire.masking import Mask

MISSING = "--metrics needs the client of Prometheus: pip install 'jstrace[metrics]'"

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
except ImportError:
    raise ToolError(MISSING) from None

#: Jobs with a label of their own; all later ones are ``OTHER``.
MAX_JOBS = 200
OTHER = "other"
#: Characters of a job's name in a label.
_MAX_NAME = 100
#: Seconds between two counts of open calls.
_COUNTED = 1.0
_TASK_BUCKETS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400)
_CALLBACK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True)
class CaptureGauges:
    """What the capture itself can be asked while it runs; ``ring`` gives bytes of the files that are written to,
    ``kept`` numbers of tasks by what --keep-failed kept of them, None without such."""

    packets: Callable[[], int]
    dropped: Callable[[], int]
    ring: Callable[[], int] | None
    kept: Callable[[], Mapping[str, int]] | None


class Metrics(Companion):
    """Counts; ``registry`` is what a scrape shows.

    :raises ToolError: (on import) the client of Prometheus is not installed
    """

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self.gauges: CaptureGauges | None = None
        self._mask = mask
        self._jobs: dict[str | None, str] = {}
        self._is_full = False
        self._under_way: set[Task] = set()
        self._open_calls, self._next_count = 0, 0.0
        self._tasks = Counter("jstrace_tasks", "Tasks that ended.", ["outcome", "job"], registry=self.registry)
        self._seconds = Histogram(
            "jstrace_task_seconds", "How long tasks took.", ["outcome"], buckets=_TASK_BUCKETS, registry=self.registry
        )
        self._delays = Histogram(
            "jstrace_callback_delay_seconds",
            "From the start command to the callback's first packet.",
            buckets=_CALLBACK_BUCKETS,
            registry=self.registry,
        )
        self._problems = Counter(
            "jstrace_problems", "Problems of tasks, connections and the capture.", ["code", "severity"],
            registry=self.registry,
        )  # fmt: skip
        build = Gauge("jstrace_build_info", "Always 1.", ["version"], registry=self.registry)
        build.labels(__version__).set(1)
        for outcome in Outcome:
            self._seconds.labels(outcome.value)
        for code, entry in CODES.items():
            self._problems.labels(code, entry.severity.value)
        self.registry.register(_Now(self))

    def started(self, task: Task) -> None:
        self._under_way.add(task)

    def add(self, event: Event) -> None:
        if isinstance(event, Task):
            self._ended(event)
        elif isinstance(event, Problem):
            self._problems.labels(event.code, event.severity.value).inc()

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:  # noqa: ARG002  a listener's shape
        """Counts open calls.  Whoever scrapes can not do that: under load the tracer is at work all the time, and who
        waits for it may do so for seconds."""
        moment = time.monotonic()
        if moment >= self._next_count:
            found = (look(task) for task in self._under_way)
            self._open_calls = sum(len(one.calls) for one in found if one is not None)
            self._next_count = moment + _COUNTED

    def now(self) -> Iterator[Metric]:
        """What is so at the moment, for whoever scrapes, in whatever thread; it waits for nobody."""
        gauges = self.gauges
        yield GaugeMetricFamily("jstrace_tasks_running", "Tasks under way.", len(self._under_way))
        if gauges is None:
            return
        yield GaugeMetricFamily("jstrace_open_calls", "Calls without an answer so far.", self._open_calls)
        yield CounterMetricFamily("jstrace_packets", "Packets captured.", gauges.packets())
        yield CounterMetricFamily("jstrace_packets_dropped", "Packets the kernel dropped.", gauges.dropped())
        if gauges.ring is not None:
            yield GaugeMetricFamily("jstrace_ring_bytes", "Bytes of the files that -w keeps.", gauges.ring())
        if gauges.kept is not None:
            failed = CounterMetricFamily("jstrace_failed_tasks", "Tasks that failed, by what is kept.", labels=["kept"])
            for kept, number in gauges.kept().items():
                failed.add_metric([kept], number)
            yield failed

    def _ended(self, task: Task) -> None:
        self._under_way.discard(task)
        self._tasks.labels(task.outcome.value, self._job(task.job)).inc()
        if task.outcome is not Outcome.RUNNING:
            self._seconds.labels(task.outcome.value).observe(max(task.end - task.start, 0) / 1e9)
        if task.callback_delay is not None:
            self._delays.observe(task.callback_delay / 1e9)

    def _job(self, name: str | None) -> str:
        """The label of a job; that of a new one is made here."""
        known = self._jobs.get(name)
        if known is not None:
            return known
        if len(self._jobs) >= MAX_JOBS:
            if not self._is_full:
                self._is_full = True
                self.remark(f"metrics: the first {MAX_JOBS} jobs have labels of their own, all others are {OTHER!r}")
            return OTHER
        label = self._jobs[name] = escape(self._mask.text(name or ""))[:_MAX_NAME]
        for outcome in Outcome:
            self._tasks.labels(outcome.value, label)
        return label


class _Now:
    """A collector of the registry."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.now()
