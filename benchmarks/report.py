"""Figures as text: one Markdown table a section, goals with the word met or missed, and the facts of the machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.inputs import Made
from benchmarks.measure import Figures


class Report:
    """Collects Markdown and prints each piece as it comes.  ``judge``: say whether goals are met."""

    def __init__(self, title: str, judge: bool) -> None:
        self._pieces: list[str] = []
        self._judge = judge
        self.missed: list[str] = []
        self.add(f"# {title}")

    @property
    def text(self) -> str:
        return "\n\n".join(self._pieces) + "\n"

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        print(piece, end="\n\n", flush=True)

    def section(self, title: str, made: Made | None = None) -> None:
        self.add(f"## {title}" if made is None else f"## {title}\n\n{_described(made)}")

    def goal(self, text: str, value: float, limit: float, *, at_least: bool) -> None:
        """A line with a figure and what it has to be."""
        met = value >= limit if at_least else value <= limit
        verdict = (": met" if met else ": MISSED") if self._judge else ""
        figure = f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"
        line = f"{text}: **{figure}** ({'at least' if at_least else 'at most'} {limit:,g}{verdict})"
        if self._judge and not met:
            self.missed.append(line)
        self.add(f"- {line}")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """First column to the left, the others to the right."""
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        lines = [heads, rule, *rows]
        self.add("\n".join(f"| {' | '.join(map(_aligned, line, widths, range(len(line))))} |" for line in lines))

    def comparison(self, figures: dict[str, Figures], measure: str) -> None:
        """A row for every contender; ``measure`` is the one that the others are divided by, packet for packet."""
        base = figures[measure].per_unit
        rows = []
        for name, found in figures.items():
            low, high = found.spread
            rows.append(
                (
                    name,
                    f"{found.seconds:.2f}",
                    f"{low:.2f} to {high:.2f}" if len(found.runs) > 1 else "once",
                    f"{found.cpu:.2f}",
                    f"{found.contender.units:,}",
                    f"{found.per_unit * 1e6:.2f}",
                    f"{found.per_unit / base:.2f}",
                    megabytes(found.peak),
                    "" if found.first is None else f"{found.first:.2f}",
                )
            )
        heads = ("", "seconds", "range", "CPU s", "packets", "µs/packet", "ratio", "peak MB", "first line s")
        self.table(heads, rows)


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}"


def _described(made: Made) -> str:
    return (
        f"{made.packets:,} packets, {made.size / 1e6:,.1f} MB; {made.jobscheduler:,} packets of JobScheduler "
        f"({made.jobscheduler / made.packets:.1%}) with {made.frames:,} frames of {made.tasks:,} tasks."
    )


def machine(repetitions: int) -> str:
    """The machine, the programs, and the day."""
    facts = {
        "processor": f"{_from_proc('cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(_from_proc('meminfo', 'MemTotal').split()[0]) / 1e6:.1f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "tshark": _first_line("tshark", "--version"),
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "repetitions": f"{repetitions} by turns, two where these are alike; seconds are medians, memory the highest",
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _from_proc(file: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.+)$", Path("/proc", file).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "0 (not told)"


def _first_line(*command: str) -> str:
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return found.stdout.splitlines()[0]
