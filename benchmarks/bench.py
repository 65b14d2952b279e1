"""What the sections of the benchmarks share: the commands that are compared, and how a comparison is run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import inputs
from benchmarks.measure import Contender, Figures, compare
from benchmarks.mixes import PACKETS
from benchmarks.report import Report

PLUGIN = inputs.ROOT / "wireshark" / "jobscheduler.lua"
TABLE, LINES = "jstrace read", "jstrace read --format jsonl --messages"
ALONE = "jstrace read --jobs 1"
PLAIN, WITH = "tshark (a line a packet)", "tshark with the plugin"


@dataclass(frozen=True)
class Bench:
    """What a section needs: how large (1 is full size; ``packets`` of each mix and form), how often, where to put
    things, and which of a section's parts are wanted (none named: all)."""

    report: Report
    scale: float
    repetitions: int
    folder: Path
    packets: int = PACKETS
    only: frozenset[str] = frozenset()

    def compare(self, contenders: Sequence[Contender]) -> dict[str, Figures]:
        return compare(contenders, self.repetitions, self.folder / "home")

    def chosen(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that are wanted; all where none of them was named."""
        known = list(names)
        return [name for name in known if name in self.only] or known


def jstrace(*arguments: str) -> list[str]:
    """The command as a user has it: the installed script, else the package of this folder."""
    script = Path(sys.executable).with_name("jstrace")
    return [str(script), *arguments] if script.exists() else [sys.executable, "-m", "dissector", *arguments]


def tshark(path: str, *options: str, plugin: bool = False) -> list[str]:
    return ["tshark", "-r", path, *options, *(["-X", f"lua_script:{PLUGIN}"] if plugin else [])]


def peer(name: str, path: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.peers", name, path]
