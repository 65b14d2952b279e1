"""An archive of many captures: rings of many hosts over many days, cut in mid-task, with a list of what is in it.

    python -m benchmarks.archive FOLDER [--scale S]

The list is the maker's own: it knows which recording it played when, and what became of the recording's task.
"""

from __future__ import annotations

import argparse
import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks import inputs, patterns
from benchmarks.inputs import BEGINNING, SECOND, Casting, Playing

DAY = 86_400 * SECOND
#: The full size.
HOSTS, DAYS, TASKS, CAPTURES = 40, 30, 200_000, 2_000
#: Recordings with one task, its job and its outcome, by how often they are played.
RECORDINGS = {
    "engine_shell_ok": (12, "shell", "success"),
    "engine_api_java_ok": (2, "api", "success"),
    "engine_shell_fail": (1, "shell_fail", "failure"),
    "engine_kill_task": (1, "shell_long", "killed"),
}


class Played(NamedTuple):
    """A task as its maker knows it; ``start`` in nanoseconds."""

    point: str
    start: int
    job: str
    outcome: str


class Size(NamedTuple):
    hosts: int = HOSTS
    days: int = DAYS
    tasks: int = TASKS
    captures: int = CAPTURES

    def scaled(self, scale: float) -> Size:
        """A part of it: fewer days, with as much on each day, and fewer hosts only where a day is too much."""
        days = max(round(self.days * scale), 1)
        hosts = max(round(self.hosts * min(1, scale * self.days)), 1)
        part = days * hosts / (self.days * self.hosts)
        return Size(hosts, days, max(round(self.tasks * part), 1), max(round(self.captures * part), hosts))


def make(folder: Path, size: Size, *, span: int | None = None, seed: int = 1) -> list[Played]:
    """Writes ``folder/HOST/ring_NNNNN.pcap`` and returns what was played, in the order of hosts and time.  ``span``:
    nanoseconds in which all tasks begin, in the place of the days."""
    found = {name: patterns.recorded(inputs.ROOT / "captures" / f"{name}.pcap") for name in RECORDINGS}
    weights = [often for often, _, _ in RECORDINGS.values()]
    played: list[Played] = []
    for host in range(size.hosts):
        random, point = Random(seed * 1_000 + host), f"host{host + 1:02d}"
        tasks = size.tasks // size.hosts + (host < size.tasks % size.hosts)
        starts = sorted(BEGINNING + random.randrange(span or size.days * DAY) for _ in range(tasks))
        names = random.choices(list(RECORDINGS), weights, k=tasks)
        casting = Casting(random, network=host)
        plan = [(start, found[name], casting.dialog(found[name])) for start, name in zip(starts, names, strict=True)]
        packets = sum(len(found[name].steps) for name in names)
        _write_ring(folder / point, plan, packets, max(size.captures // size.hosts, 1))
        played += [Played(point, start, *RECORDINGS[name][1:]) for start, name in zip(starts, names, strict=True)]
    return played


def _write_ring(folder: Path, plan: list[Playing], packets: int, files: int) -> None:
    """Files of the same number of packets: hardly ever ends one where no task is under way."""
    folder.mkdir(parents=True, exist_ok=True)
    header = struct.Struct("<IIII").pack
    stream: Iterator[tuple[int, bytes]] = inputs.timeline(plan)
    for number in range(files):
        count = packets * (number + 1) // files - packets * number // files
        with (folder / f"ring_{number + 1:05d}.pcap").open("wb", buffering=1 << 20) as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
            for time, data in islice(stream, count):
                seconds, rest = divmod(time, SECOND)
                file.write(header(seconds, rest // 1000, len(data), len(data)) + data)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description="Make an archive of captures.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, metavar="S", help="this part of the full size")
    chosen = parser.parse_args()
    played = make(chosen.folder, Size().scaled(chosen.scale))
    files = list(chosen.folder.rglob("*.pcap"))
    print(f"{len(played):,} tasks in {len(files):,} captures, {sum(f.stat().st_size for f in files):,} bytes")


if __name__ == "__main__":
    main()
