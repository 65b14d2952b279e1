"""Tasks that failed, for the flight recorder."""

from __future__ import annotations

from dissector.fleet.kept_folder import KeptBound
from dissector.model import Outcome, Task

START = 1_795_000_000 * 1_000_000_000
PLENTY = KeptBound(None, 10**9)


def failed(n: int = 1, job: str | None = "nightly") -> Task:
    return Task(START + n * 1_000_000_000, 1, n=n, end=START, job=job, outcome=Outcome.LOST)
