"""``index`` and ``query`` on an archive of many captures, judged by what its maker knows.

    python -m benchmarks.fleet [--scale S] [--folder FOLDER] [--dask]

Prints a line a figure with its goal; exit status 1 when one is missed.  How fast and how large small archives are is
not judged.  With ``--dask``, in the place of the other figures, the same by a cluster of this machine, of which a
worker is killed in mid-run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import inputs
from benchmarks.archive import Played, Size, make
from benchmarks.cluster import WORKERS, differing, with_a_death
from dissector.fleet.captures import places_of
from dissector.fleet.dataset import Dataset
from dissector.fleet.index import Indexed, index
from dissector.fleet.query import Asking
from dissector.fleet.questions import QUESTIONS
from dissector.fleet.tracing import HowToTrace
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS

#: Goals: how much faster two processes are than one, seconds for a question and to see that nothing is new, the
#: dataset's part of the captures, bytes of memory of a process.
SPEEDUP, QUESTION, AGAIN, PART, MEMORY = 1.8, 1.0, 5.0, 0.03, 300_000_000
#: What a worker may have at hand when it dies: a point, the next one, and one whose rows nobody has fetched yet.
LOST = 3
HOW = HowToTrace(tuple(COMMAND_PORTS), CALLBACK_PORTS, messages=False)
#: From this part of the full size on.
_JUDGED = 0.1


class Figures:
    def __init__(self, judged: bool) -> None:
        self._judged = judged
        self.missed = False

    def add(self, what: str, value: str, goal: str, reached: bool) -> None:
        self.missed |= self._judged and not reached
        self._print(what, value, goal, reached)

    def right(self, what: str, value: object, wanted: object) -> None:
        """Of an archive of any size."""
        self.missed |= value != wanted
        self._print(what, str(value), str(wanted), value == wanted)

    def _print(self, what: str, value: str, goal: str, reached: bool) -> None:
        print(f"{what:<36} {value:>14}  {goal:<12} {'' if reached else 'missed'}".rstrip(), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description="Index and query many captures.")
    parser.add_argument("--scale", type=float, default=1.0, metavar="S", help="this part of the full archive")
    parser.add_argument("--folder", type=Path, default=inputs.FOLDER / "fleet", help="where archive and datasets go")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="runs with one and with two processes each")
    parser.add_argument("--dask", action="store_true", help="by a cluster of which a worker dies")
    chosen = parser.parse_args(arguments)
    figures, size, folder = Figures(chosen.scale >= _JUDGED), Size().scaled(chosen.scale), chosen.folder
    shutil.rmtree(folder, ignore_errors=True)
    captures = folder / "captures"
    played = make(captures, size)
    sizes = [path.stat().st_size for path in captures.rglob("*.pcap")]
    print(f"{len(played):,} tasks in {len(sizes):,} captures of {size.hosts} hosts, {sum(sizes):,} bytes")
    if chosen.dask:
        _by_a_cluster(figures, folder, captures)
    else:
        _by_this_machine(figures, folder, captures, chosen.rounds)
        _size(figures, folder / "jobs2", sum(sizes))
    _as_listed(figures, folder / "jobs2", played)
    if not chosen.dask:
        _ask(figures, folder / "jobs2")
    return figures.missed


def _by_a_cluster(figures: Figures, folder: Path, captures: Path) -> None:
    took, done = _indexed(folder / "jobs2", captures, 2)
    print(f"  index --jobs 2: {took:.1f} s")
    run = with_a_death(folder / "dask", places_of([str(captures)], {}), HOW)
    print(
        f"  index --dask, {WORKERS} workers: {run.seconds:.1f} s; killed after {run.killed} of {run.done.points} points"
    )
    figures.add("points traced again", str(run.again), f"<= {LOST}", run.again <= LOST)
    figures.right("tasks", run.done.tasks, done.tasks)
    figures.right("files that differ", len(differing(folder / "jobs2", folder / "dask")), 0)


def _by_this_machine(figures: Figures, folder: Path, captures: Path, rounds: int) -> None:
    times: dict[int, list[float]] = {1: [], 2: []}
    work: dict[int, list[float]] = {1: [], 2: []}
    for round_ in range(rounds):
        for jobs in (1, 2) if round_ % 2 == 0 else (2, 1):
            shutil.rmtree(folder / f"jobs{jobs}", ignore_errors=True)
            before = _processor_times()
            took, done = _indexed(folder / f"jobs{jobs}", captures, jobs)
            own, others = (now - then for now, then in zip(_processor_times(), before, strict=True))
            times[jobs].append(took)
            work[jobs].append(own + others / jobs)
            print(f"  index --jobs {jobs}: {took:.1f} s; processor {own:.1f} s here, {others:.1f} s in others")
            if jobs == 2:
                peak = done.peak
    speedup = min(times[1]) / min(times[2])
    figures.add("two processes are faster by", f"{speedup:.2f}", f">= {SPEEDUP}", speedup >= SPEEDUP)
    # Where others use the processors as well, this is what can be said.
    alone = min(work[1]) / min(work[2])
    figures.add("by processor time", f"{alone:.2f}", f">= {SPEEDUP}", alone >= SPEEDUP)
    figures.add("memory of a process", f"{peak / 1e6:.0f} MB", f"< {MEMORY / 1e6:.0f} MB", peak < MEMORY)
    out = folder / "jobs2"
    took, done = _indexed(out, captures, 2)
    figures.add("indexing again", f"{took:.2f} s", f"< {AGAIN:.0f} s", took < AGAIN and not done.captures)


def _as_listed(figures: Figures, out: Path, played: Sequence[Played]) -> None:
    """Tasks of each point, job and outcome."""
    counted = Counter((one.point, one.job, one.outcome) for one in played)
    told = Asking(Dataset(str(out))).answer("SELECT point, job, outcome, count(*) FROM tasks GROUP BY ALL").rows
    figures.right("tasks as the maker lists them", {tuple(key): count for *key, count in told} == counted, True)


def _indexed(out: Path, captures: Path, jobs: int) -> tuple[float, Indexed]:
    start = time.monotonic()
    done = index(Dataset(str(out)), places_of([str(captures)], {}), HOW, jobs=jobs)
    return time.monotonic() - start, done


def _processor_times() -> tuple[float, float]:
    """Seconds of this process, and of others that it began and that have ended."""
    now = os.times()
    return now.user + now.system, now.children_user + now.children_system


def _size(figures: Figures, out: Path, captures: int) -> None:
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    figures.add("dataset", f"{size / captures:.2%}", f"<= {PART:.0%}", size <= PART * captures)


def _ask(figures: Figures, out: Path) -> None:
    """Each question as a user asks it, the command with its start included."""
    for name in QUESTIONS:
        start = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "jstrace", "query", str(out), name], check=True, stdout=subprocess.DEVNULL
        )
        took = time.monotonic() - start
        figures.add(f"query {name}", f"{took:.2f} s", f"< {QUESTION:.0f} s", took < QUESTION)


if __name__ == "__main__":
    sys.exit(main())
