"""Processes that a test starts: who their children are, and whether they are gone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds after which what is waited for will not come.
PATIENCE = 30.0


def eventually(condition: Callable[[], object]) -> bool:
    """Waits until the condition holds; False when it does not."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def bytes_read(pid: int) -> int:
    """What a process has read so far."""
    return int(Path(f"/proc/{pid}/io").read_text(encoding="ascii").split()[1])


def is_gone(pid: int) -> bool:
    """True when a process ends in time; ``-pid`` means its whole group."""

    def absent() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    return eventually(absent)
