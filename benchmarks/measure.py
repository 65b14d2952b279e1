"""Commands timed side by side: every repetition runs each of them once, so that a slow minute hits them all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class Contender:
    """A command of a comparison.  ``units`` is what its time is divided by (packets of its input, or 1), ``first``
    True when the time to its first line counts too, ``repeat`` False for one that is too slow to be run again."""

    name: str
    command: Sequence[str]
    units: int = 1
    first: bool = False
    repeat: bool = True


@dataclass(frozen=True)
class Run:
    """One run: seconds on the clock and of the processors, peak memory in bytes, seconds to the first line."""

    seconds: float
    cpu: float
    peak: int
    first: float | None


@dataclass
class Figures:
    """All runs of one contender."""

    contender: Contender
    runs: list[Run] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return median(run.seconds for run in self.runs)

    @property
    def cpu(self) -> float:
        return median(run.cpu for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        return min(run.seconds for run in self.runs), max(run.seconds for run in self.runs)

    @property
    def per_unit(self) -> float:
        """Seconds for a packet (or whatever a unit is)."""
        return self.seconds / self.contender.units

    @property
    def peak(self) -> int:
        return max(run.peak for run in self.runs)

    @property
    def first(self) -> float | None:
        found = [run.first for run in self.runs if run.first is not None]
        return median(found) if found else None


def compare(contenders: Sequence[Contender], repetitions: int, home: Path) -> dict[str, Figures]:
    """Runs all contenders ``repetitions`` times, beginning with another one each time.

    :param home: an empty folder that stands for the user's home, so that nobody's settings or plugins take part
    """
    figures = {contender.name: Figures(contender) for contender in contenders}
    for turn in range(repetitions):
        shift = turn % len(contenders)
        for contender in [*contenders[shift:], *contenders[:shift]]:
            if contender.repeat or not figures[contender.name].runs:
                print(f"  {turn + 1}/{repetitions}  {contender.name}", file=sys.stderr, flush=True)
                figures[contender.name].runs.append(run(contender.command, home, first=contender.first))
    return figures


def run(command: Sequence[str], home: Path, first: bool = False) -> Run:
    """Runs one command; exits when it fails, since the figure of a failure means nothing."""
    home.mkdir(parents=True, exist_ok=True)
    launcher = [sys.executable, "-S", str(_LAUNCHER), str(home), "first" if first else "-", *command]
    found = json.loads(subprocess.run(launcher, capture_output=True, check=True).stdout)
    status = found.pop("status")
    if status:
        text = (home / "stderr").read_text(encoding="utf-8", errors="replace")[-2_000:]
        sys.exit(f"{' '.join(command)} ended with {status}:\n{text}")
    return Run(**found)


def alternate(functions: Sequence[Callable[[], float]], repetitions: int) -> list[float]:
    """Medians of what the functions return, called by turns."""
    found: list[list[float]] = [[] for _ in functions]
    for _ in range(repetitions):
        for results, function in zip(found, functions, strict=True):
            results.append(function())
    return [median(results) for results in found]
