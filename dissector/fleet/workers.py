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

_STAYS = "what is done stays: run it again"
_ENDED = f"maybe for want of memory; {_STAYS}"


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
        raise ToolError(f"a process was ended, {_ENDED}") from None


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
        from distributed import Client, KilledWorker
        from distributed import as_completed as completed
    except ImportError:
        raise ToolError("--dask needs dask.distributed: pip install 'jstrace[dask]'") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise ToolError(f"--dask {address}: {error}") from None
    with client:
        for future in completed(client.map(trace_unit, units, pure=False)):
            try:
                done = future.result()
            except KilledWorker:
                raise ToolError(f"--dask {address}: workers died of one point again and again, {_ENDED}") from None
            except Exception as error:  # whatever a worker raises: it may have another version, or none
                reason = " ".join(str(error).split())
                raise ToolError(f"--dask {address}: {type(error).__name__}: {reason}; {_STAYS}") from error
            future.release()  # a worker that dies later takes its results with it, and they would be made again
            yield done
