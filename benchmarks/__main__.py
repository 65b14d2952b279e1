"""``make bench``: jstrace beside its peers, in one run on this machine, on inputs made from the recordings.

    python -m benchmarks [SECTION...] [--quick] [--repeat N] [--out FILE]

Sections: mixed, dense, plugin, decode, startup, growth; attacks (captures in which one thing grows) and live take ten
minutes and more, live takes root too, so they run on demand only.
``--quick`` takes inputs of a fiftieth of the size and leaves ``RESULTS.md`` alone.  Exit status 1 when a goal is
missed; small inputs are not judged, there starting counts most.
"""

from __future__ import annotations

import argparse
import compileall
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dissector
from benchmarks import attacks as hostile
from benchmarks import decoding, inputs
from benchmarks import live as following
from benchmarks.measure import Contender, Figures, compare, run
from benchmarks.report import Report, machine, megabytes

QUICK = 1 / 50
PLUGIN = inputs.ROOT / "wireshark" / "jobscheduler.lua"
TABLE, LINES = "jstrace read", "jstrace read --format jsonl --messages"
TASKS = "jstrace read --format jsonl"
ALONE = "jstrace read --jobs 1"
READ = "tshark -q (reads records, dissects nothing)"
DISSECT = "tshark -q -Y frame (dissects, prints nothing)"
PLAIN, WITH, EK = "tshark (a line a packet)", "tshark with the plugin", "tshark with the plugin, -T ek"
SCAPY, DPKT, PYSHARK = "scapy PcapReader, TCPSession", "dpkt", "pyshark"
_FIRST_LINE_SECONDS, _MEMORY_MB = 0.5, 150
_ATTACKS = (5_000, 10_000, 20_000, 40_000)


@dataclass(frozen=True)
class Bench:
    """What a section needs: how large (1 is full size), how often, and where to put things."""

    report: Report
    scale: float
    repetitions: int
    folder: Path

    def compare(self, contenders: Sequence[Contender]) -> dict[str, Figures]:
        return compare(contenders, self.repetitions, self.folder / "home")


def jstrace(*arguments: str) -> list[str]:
    """The command as a user has it: the installed script, else the package of this folder."""
    script = Path(sys.executable).with_name("jstrace")
    return [str(script), *arguments] if script.exists() else [sys.executable, "-m", "dissector", *arguments]


def _tshark(path: str, *options: str, plugin: bool = False) -> list[str]:
    return ["tshark", "-r", path, *options, *(["-X", f"lua_script:{PLUGIN}"] if plugin else [])]


def _peer(name: str, path: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.peers", name, path]


def mixed(bench: Bench) -> None:
    made = inputs.mixed(round(inputs.MIXED_PACKETS * bench.scale), bench.folder)
    part = inputs.mixed(round(inputs.MIXED_PACKETS * bench.scale / 20), bench.folder)
    packets = made.packets
    figures = bench.compare(
        [
            Contender(TABLE, jstrace("read", made.path), packets),
            Contender(ALONE, jstrace("read", made.path, "--jobs", "1"), packets),
            Contender(TASKS, jstrace("read", made.path, "--format", "jsonl"), packets, first=True),
            Contender(READ, _tshark(made.path, "-q"), packets),
            Contender(DISSECT, _tshark(made.path, "-q", "-Y", "frame"), packets),
            Contender(PLAIN, _tshark(made.path), packets),
            Contender(WITH, _tshark(made.path, plugin=True), packets),
            Contender(DPKT, _peer("dpkt", made.path), packets),
            Contender(SCAPY, _peer("scapy", part.path), part.packets, repeat=False),
            Contender(PYSHARK, _peer("pyshark", part.path), part.packets, repeat=False),
        ]
    )
    report, base = bench.report, figures[TABLE]
    report.section("Mixed: the traffic of a busy host", made)
    report.comparison(figures, TABLE)
    report.goal("tshark, a line a packet / task table", figures[PLAIN].seconds / base.seconds, 5, at_least=True)
    report.goal("tshark, nothing printed / task table", figures[DISSECT].seconds / base.seconds, 5, at_least=True)
    report.goal("peak memory of the task table, MB", base.peak / 1e6, _MEMORY_MB, at_least=False)
    report.goal("first line, seconds", figures[TASKS].first or 0.0, _FIRST_LINE_SECONDS, at_least=False)


def dense(bench: Bench) -> None:
    made = inputs.dense(round(inputs.DENSE_FRAMES * bench.scale), bench.folder)
    part = inputs.dense(round(inputs.DENSE_FRAMES * bench.scale / 20), bench.folder)
    packets = made.packets
    figures = bench.compare(
        [
            Contender(TABLE, jstrace("read", made.path), packets),
            Contender(ALONE, jstrace("read", made.path, "--jobs", "1"), packets),
            Contender(LINES, jstrace("read", made.path, "--format", "jsonl", "--messages"), packets, first=True),
            Contender(READ, _tshark(made.path, "-q"), packets),
            Contender(DISSECT, _tshark(made.path, "-q", "-Y", "frame"), packets),
            Contender(PLAIN, _tshark(made.path), packets),
            Contender(WITH, _tshark(made.path, plugin=True), packets),
            Contender(EK, _tshark(made.path, "-T", "ek", plugin=True), packets, repeat=False),
            Contender(DPKT, _peer("dpkt", made.path), packets),
            Contender(SCAPY, _peer("scapy", part.path), part.packets, repeat=False),
            Contender(PYSHARK, _peer("pyshark", part.path), part.packets, repeat=False),
        ]
    )
    report, table, lines = bench.report, figures[TABLE].seconds, figures[LINES].seconds
    report.section("Dense: nothing but tasks", made)
    report.comparison(figures, TABLE)
    report.goal("tshark, a line a packet / task table", figures[PLAIN].seconds / table, 1.5, at_least=True)
    report.goal("tshark with the plugin / task table", figures[WITH].seconds / table, 2.5, at_least=True)
    report.goal("tshark with the plugin / all messages as JSONL", figures[WITH].seconds / lines, 1, at_least=True)
    report.goal("tshark -T ek / all messages as JSONL", figures[EK].seconds / lines, 8, at_least=True)
    _plugin_cost(report, figures)


def plugin(bench: Bench) -> None:
    """What the plugin adds to tshark, alone (``dense`` has the same figure among others)."""
    made = inputs.dense(round(inputs.DENSE_FRAMES * bench.scale), bench.folder)
    figures = bench.compare(
        [
            Contender(PLAIN, _tshark(made.path), made.packets),
            Contender(WITH, _tshark(made.path, plugin=True), made.packets),
        ]
    )
    bench.report.section("The plugin's cost", made)
    bench.report.comparison(figures, PLAIN)
    _plugin_cost(bench.report, figures)


def _plugin_cost(report: Report, figures: dict[str, Figures]) -> None:
    report.goal("tshark with the plugin / without", figures[WITH].seconds / figures[PLAIN].seconds, 2.5, at_least=False)


def decode(bench: Bench) -> None:
    found = decoding.speeds(bench.repetitions, max(1, round(50 * bench.scale)))
    report = bench.report
    report.section("Decode: one frame, one core")
    report.add(f"{found.frames:,} genuine frames of up to {decoding.SMALL} bytes with the requests that they answer.")
    rows = [
        ("generated decoder", f"{found.decoder:,.0f}", "1.00"),
        ("construct's interpreter", f"{found.construct:,.0f}", f"{found.decoder / found.construct:.2f}"),
    ]
    report.table(("", "frames/s", "ratio"), rows)
    report.goal("frames a second", found.decoder, 250_000, at_least=True)
    report.goal("generated decoder / construct", found.decoder / found.construct, 15, at_least=True)


def startup(bench: Bench) -> None:
    recording = str(inputs.ROOT / "captures" / "engine_shell_ok.pcap")
    contenders = [
        Contender("jstrace --version", jstrace("--version")),
        Contender("jstrace --help", jstrace("--help")),
        Contender("jstrace read, 36 messages", jstrace("read", recording)),
        Contender("tshark, the same", _tshark(recording)),
        Contender("python -c pass", [sys.executable, "-c", "pass"]),
    ]
    figures = compare(contenders, 4 * bench.repetitions, bench.folder / "home")
    report = bench.report
    report.section("Start")
    rows = [(name, f"{found.seconds * 1000:.0f}", megabytes(found.peak)) for name, found in figures.items()]
    report.table(("", "ms", "peak MB"), rows)
    for name in ("jstrace --version", "jstrace --help"):
        report.goal(f"{name}, ms", figures[name].seconds * 1000, 150, at_least=False)


def growth(bench: Bench) -> None:
    sizes = [round(size * bench.scale / inputs.BYTES_PER_PACKET) for size in inputs.GROWTH_BYTES]
    series = [inputs.mixed(packets, bench.folder) for packets in sizes]
    names = {made.path: f"{made.size / 1e9:.3g} GB" for made in series}
    contenders = [Contender(names[made.path], jstrace("read", made.path), made.packets) for made in series]
    figures = compare(contenders, max(1, bench.repetitions // 2 + 1), bench.folder / "home")
    report = bench.report
    report.section("Growth: the task table of ever more mixed traffic")
    report.comparison(figures, names[series[1].path])
    one, four = (figures[names[made.path]] for made in series[1:])
    ratio = four.seconds / one.seconds / (series[2].size / series[1].size) * 4
    report.goal("time of 4 GB / of 1 GB", ratio, 4.4, at_least=False)
    report.goal("memory of 4 GB / of 1 GB", four.peak / one.peak, 1.1, at_least=False)


def attacks(bench: Bench) -> None:
    """Twice as much of what somebody makes grow may cost 2.3 times, in Python and in the plugin."""
    report, home = bench.report, bench.folder / "home"
    report.section("Attacks: captures in which one thing grows")
    sizes = [max(10, round(size * bench.scale)) for size in _ATTACKS]
    rows, ratios = [], []
    for shape in (*hostile.SHAPES, *hostile.FILES):
        found = []
        for size in sizes:
            path = str(hostile.written(bench.folder / "attack.pcap", shape, size))
            commands = {"jstrace": jstrace("read", "--jobs", "1", path), "plugin": _tshark(path, plugin=True)}
            found.append({name: run(command, home) for name, command in commands.items()})
        for name in ("jstrace", "plugin"):
            runs = [runs_of[name] for runs_of in found]
            ratios.append(runs[-1].cpu / runs[-2].cpu)
            cells = [f"{one.cpu:.1f} s, {megabytes(one.peak)} MB" for one in runs]
            rows.append((f"{shape}, {name}", *cells, f"{ratios[-1]:.2f}"))
    report.table(("processor time and peak memory", *(f"{size:,}" for size in sizes), "last ratio"), rows)
    report.goal("time of 40,000 / of 20,000 at worst", max(ratios), 2.3, at_least=False)


def live(bench: Bench) -> None:
    """Ten minutes of tasks on loopback, followed as they run."""
    found = following.run(round(following.TASKS * bench.scale))
    report, samples = bench.report, found.samples
    report.section("Live: tasks at a rate on loopback, followed as they run")
    report.add(
        f"{found.ran:,} simulated tasks over real sockets in {found.seconds:.0f} s, {found.packets} packets captured; "
        "peers and monitor on this machine at once. Shared are the files of Python and the ring that the kernel fills, "
        "once it was used."
    )
    rows = [(f"{one.seconds:.0f} s", f"{one.tasks:,}", *(f"{figure:.1f}" for figure in one[1:-1])) for one in samples]
    report.table(("", "tasks seen", "own MB", "shared MB", "CPU s of live", "CPU s of the peers"), rows)
    report.add(f"Dropped by the kernel: {found.drops}")
    report.goal("tasks not seen", found.ran - found.seen, 0, at_least=False)
    report.goal("tasks seen to succeed", found.succeeded, found.ran, at_least=True)
    if len(samples) > 1:
        early = samples[len(samples) // 5].memory
        report.goal("own memory at the end / at a fifth", samples[-1].memory / early, 1.1, at_least=False)


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "mixed": mixed,
    "dense": dense,
    "plugin": plugin,
    "decode": decode,
    "startup": startup,
    "growth": growth,
    "attacks": attacks,
    "live": live,
}
#: ``dense`` tells the plugin's cost too; ``attacks`` and ``live`` have their own time.
_ALL = [name for name in SECTIONS if name not in ("plugin", "attacks", "live")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="jstrace beside its peers")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="inputs of a fiftieth of the size, nothing judged")
    parser.add_argument("--scale", type=float, help="inputs of this part of the size, nothing judged")
    parser.add_argument("--repeat", type=int, default=0, metavar="N", help="runs of each command (5; quick: 1)")
    parser.add_argument("--folder", type=Path, default=inputs.FOLDER, help="where inputs are kept")
    parser.add_argument("--out", type=Path, help="the file for the figures")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}")
    scale = chosen.scale or (QUICK if chosen.quick else 1)
    repetitions = chosen.repeat or (5 if scale == 1 else 1)
    whole = scale == 1 and not chosen.sections
    out = chosen.out or (Path(__file__).with_name("RESULTS.md") if whole else chosen.folder / "RESULTS.md")
    title = "Figures of jstrace" if scale == 1 else f"Figures of jstrace, inputs of {scale:.3g} of the size"
    report = Report(title, judge=scale == 1)
    report.add(machine(repetitions))
    report.add(
        "`make bench` makes this file. Ratios compare time a packet with the row whose ratio is 1; seconds include "
        "starting, with modules compiled as installing does. Memory is the peak of resident memory of all processes "
        "together; what they share counts in each."
    )
    compileall.compile_dir(Path(dissector.__file__).parent, quiet=1)
    for name in chosen.sections or _ALL:
        SECTIONS[name](Bench(report, scale, repetitions, chosen.folder))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(report.text, encoding="utf-8")
    print("\n".join([f"written to {out}", *(f"missed: {line}" for line in report.missed)]))
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
