"""Time and memory of each command on captures in which one thing grows (see ``attacks``)."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import attacks
from benchmarks.bench import Bench, jstrace, tshark
from benchmarks.measure import Contender, Figures, compare
from benchmarks.report import megabytes

SIZES = (5_000, 10_000, 20_000, 40_000)
#: Twice as much may cost so many times the processor time.
MOST = 2.3
#: By their names: what makes of a capture's path the command that reads it; ``{}.copy`` is where it may write.
COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "read": lambda path: jstrace("read", "--jobs", "1", path),
    "JSON Lines": lambda path: jstrace("read", "--jobs", "1", "--format", "jsonl", "--messages", path),
    "redact": lambda path: jstrace("redact", path, f"{path}.copy"),
    "slice": lambda path: jstrace("slice", path, f"{path}.copy", "--task", "1"),
    "ports": lambda path: jstrace("ports", path),
    "diff": lambda path: jstrace("diff", path, path),
    "plugin": lambda path: tshark(path, plugin=True),
}


PARTS = {*COMMANDS, *attacks.SHAPES, *attacks.FILES}


def section(bench: Bench) -> None:
    """A table for each command: processor time and memory by size, and how much the largest one costs of the half.
    Twice as much of what somebody makes grow may cost 2.3 times."""
    report, worst = bench.report, 0.0
    report.section("Attacks: captures in which one thing grows")
    sizes = [max(10, round(size * bench.scale)) for size in SIZES]
    for name in bench.chosen(COMMANDS):
        rows = []
        for shape in bench.chosen([*attacks.SHAPES, *attacks.FILES]):
            found = [_figures(bench, shape, size, name) for size in sizes]
            ratio = found[-1].cpu / found[-2].cpu
            worst = max(worst, ratio)
            rows.append((shape, *(f"{one.cpu:.1f} s, {megabytes(one.peak)} MB" for one in found), f"{ratio:.2f}"))
        report.table((name, *(f"{size:,}" for size in sizes), "ratio"), rows)
    report.goal(f"processor time of {sizes[-1]:,} / of {sizes[-2]:,} at worst", worst, MOST, at_least=False)


def _figures(bench: Bench, shape: str, size: int, name: str) -> Figures:
    bench.folder.mkdir(parents=True, exist_ok=True)
    path = attacks.written(bench.folder / "attack.pcap", shape, size)
    contender = Contender(f"{name}: {shape}, {size:,}", COMMANDS[name](str(path)))
    # What is there is not written over.
    copy = path.with_name(path.name + ".copy")
    figures = Figures(contender)
    for _ in range(bench.repetitions):
        copy.unlink(missing_ok=True)
        figures.runs += compare([contender], 1, bench.folder / "home")[contender.name].runs
    copy.unlink(missing_ok=True)
    return figures
