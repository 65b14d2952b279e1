"""Runs one command and prints what it cost: ``python -S launch.py HOME FIRST COMMAND...``; imports nothing large.

A process of its own and a small one, because the kernel hands a parent's peak memory on to its children.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from threading import Event, Thread
from time import perf_counter

_SAMPLE_SECONDS = 0.1


def measure(command: list[str], home: str, first: bool) -> dict[str, float | None]:
    """Seconds on the clock and of the processors, peak memory in bytes, seconds to the first line, exit status."""
    with open(os.path.join(home, "stderr"), "wb") as stderr:  # noqa: PTH118, PTH123  pathlib costs memory
        begin = perf_counter()
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE if first else subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "COLUMNS": "160"},
        )
        with _Watch(child.pid) as watch:
            first_seconds = _first_line(child, begin) if first else None
            _, status, usage = os.wait4(child.pid, 0)
        seconds = perf_counter() - begin
    return {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": max(usage.ru_maxrss * 1024, watch.peak),
        "first": first_seconds,
        "status": os.waitstatus_to_exitcode(status),
    }


def _first_line(child: subprocess.Popen[bytes], begin: float) -> float:
    assert child.stdout is not None
    part = child.stdout.readline()
    seconds = perf_counter() - begin
    while part:
        part = child.stdout.read(1 << 16)
    return seconds


class _Watch:
    """Peak memory of a process with its children, together: the kernel tells it of each process alone only.

    Shared pages are counted once for each child, so the figure of several processes is an upper bound.
    """

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            family = _family(self._pid)
            if len(family) > 1:
                self.peak = max(self.peak, sum(map(_resident, family)))


def _family(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123  pathlib costs memory
            children = file.read().split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in _family(int(child)))]


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123  pathlib costs memory
            pages = int(file.read().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[3:], sys.argv[1], sys.argv[2] == "first")))
