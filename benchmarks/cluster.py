"""A cluster of this machine for ``index --dask``, of which a worker dies in mid-run."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from dissector.fleet.captures import FileAtPoint
from dissector.fleet.dataset import Dataset
from dissector.fleet.index import Indexed, index
from dissector.fleet.tracing import HowToTrace, UnitDone

WORKERS = 4


class ClusterRun(NamedTuple):
    """``killed``: points that were done when the worker died, ``again``: points that were begun more than once."""

    seconds: float
    done: Indexed
    killed: int
    again: int


def with_a_death(out: Path, places: list[FileAtPoint], how: HowToTrace) -> ClusterRun:
    """Indexes ``places``; the worker dies (SIGKILL, while it traces) as soon as half of the points are done."""
    from distributed import LocalCluster
    from distributed.diagnostics.plugin import SchedulerPlugin

    begun = Counter[str]()
    finished, killed = 0, 0

    class Begun(SchedulerPlugin):  # type: ignore[misc]
        def transition(self, key: str, start: str, finish: str, *_: Any, **__: Any) -> None:  # noqa: ARG002  its shape
            begun[key] += finish == "processing"

    def on_point(_done: UnitDone, units: int) -> None:
        nonlocal finished, killed
        finished += 1
        if not killed and finished >= units // 2:
            os.kill(_at_work(cluster), signal.SIGKILL)
            killed = finished

    with LocalCluster(WORKERS, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        cluster.scheduler.add_plugin(Begun())
        start = time.monotonic()
        done = index(Dataset(str(out)), places, how, cluster=cluster.scheduler_address, on_point=on_point)
        seconds = time.monotonic() - start
    return ClusterRun(seconds, done, killed, sum(times - 1 for times in begun.values()))


def _at_work(cluster: Any) -> int:
    """The process of a worker that has something to do."""
    busy = {address for address, one in cluster.scheduler.workers.items() if one.processing}
    return next(int(nanny.pid) for nanny in cluster.workers.values() if nanny.worker_address in busy)


def differing(one: Path, other: Path) -> list[str]:
    """Files of two datasets that are not the same byte by byte; the same content has the same name."""
    found = [{path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} for out in (one, other)]
    common = found[0] & found[1]
    changed = {name for name in common if (one / name).read_bytes() != (other / name).read_bytes()}
    return sorted((found[0] ^ found[1]) | changed)
