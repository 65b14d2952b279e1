"""Where units of work are done: here, in processes of this machine, or on a cluster of dask."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from dissector.errors import ToolError
from dissector.fleet.tracing import UnitDone, UnitOfWork, trace_unit

#: How often a cluster tries a unit whose worker failed.
_RETRIES = 3


def done_units(units: Sequence[UnitOfWork], jobs: int, cluster: str | None) -> Generator[UnitDone, None, None]:
    """All units, each as it is done; the first ones are begun first.

    :raises ToolError: a process was ended by somebody, or there is no such cluster
    """
    if cluster is not None:
        yield from _on_cluster(units, cluster)
    elif jobs < 2 or len(units) < 2:
        for unit in units:
            yield trace_unit(unit)
    else:
        yield from _in_processes(units, min(jobs, len(units)))


def _in_processes(units: Sequence[UnitOfWork], jobs: int) -> Generator[UnitDone, None, None]:
    # Spawned: what was imported and opened here, threads of pyarrow among it, does not get into the others' way.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _end_with_parent)
    try:
        with pool:
            try:
                for future in as_completed([pool.submit(trace_unit, unit) for unit in units]):
                    yield future.result()
            except BaseException:
                for child in multiprocessing.active_children():
                    child.terminate()
                raise
    except BrokenProcessPool:
        raise ToolError("a process was ended, maybe for want of memory; what is done stays: run it again") from None


def _end_with_parent() -> None:
    """A process whose parent was killed is of no use to anybody."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _on_cluster(units: Sequence[UnitOfWork], address: str) -> Generator[UnitDone, None, None]:
    try:
        from distributed import Client
        from distributed import as_completed as completed
    except ImportError:
        raise ToolError("--dask needs dask.distributed: pip install 'jstrace[dask]'") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise ToolError(f"--dask {address}: {error}") from None
    with client:
        futures = client.map(trace_unit, units, pure=False, retries=_RETRIES)
        for future in completed(futures):
            yield future.result()
