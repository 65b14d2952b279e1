"""Commands timed side by side: every repetition runs each of them once, so that a slow minute hits them all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

#: Runs that differ by no more than this part need no third one.
_ALIKE = 0.02
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
    def is_settled(self) -> bool:
        """Another run would tell nothing new."""
        low, high = self.spread if self.runs else (0.0, 0.0)
        return bool(self.runs) and (not self.contender.repeat or (len(self.runs) > 1 and high <= low * (1 + _ALIKE)))

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
    """Runs all contenders ``repetitions`` times, beginning with another one each time; one whose runs are alike less
    often.

    :param home: an empty folder that stands for the user's home, so that nobody's settings or plugins take part
    """
    figures = {contender.name: Figures(contender) for contender in contenders}
    for turn in range(repetitions):
        shift = turn % len(contenders)
        due = [one for one in (*contenders[shift:], *contenders[:shift]) if not figures[one.name].is_settled]
        for number, contender in enumerate(due, 1):
            found = run(contender.command, home, first=contender.first)
            figures[contender.name].runs.append(found)
            where = f"round {turn + 1} of {repetitions}, {number} of {len(due)}"
            print(f"  {where}: {contender.name}, {found.seconds:.1f} s", file=sys.stderr, flush=True)
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
