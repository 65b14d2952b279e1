"""The sections of the benchmarks that have inputs of one kind: see ``__main__``; ``tables`` has mixes and forms."""

from __future__ import annotations

import sys

from benchmarks import decoding, inputs
from benchmarks import live as following
from benchmarks.bench import ALONE, LINES, PLAIN, TABLE, WITH, Bench, jstrace, peer, tshark
from benchmarks.measure import Contender, Figures, compare
from benchmarks.report import Report, megabytes

TASKS = "jstrace read --format jsonl"
READ = "tshark -q (reads records, dissects nothing)"
DISSECT = "tshark -q -Y frame (dissects, prints nothing)"
EK = "tshark with the plugin, -T ek"
SCAPY, DPKT, PYSHARK = "scapy PcapReader, TCPSession", "dpkt", "pyshark"
_FIRST_LINE_SECONDS, _MEMORY_MB = 0.5, 150


def mixed(bench: Bench) -> None:
    made = inputs.mixed(round(inputs.MIXED_PACKETS * bench.scale), bench.folder)
    part = inputs.mixed(round(inputs.MIXED_PACKETS * bench.scale / 20), bench.folder)
    packets = made.packets
    figures = bench.compare(
        [
            Contender(TABLE, jstrace("read", made.path), packets),
            Contender(ALONE, jstrace("read", made.path, "--jobs", "1"), packets),
            Contender(TASKS, jstrace("read", made.path, "--format", "jsonl"), packets, first=True),
            Contender(READ, tshark(made.path, "-q"), packets),
            Contender(DISSECT, tshark(made.path, "-q", "-Y", "frame"), packets),
            Contender(PLAIN, tshark(made.path), packets),
            Contender(WITH, tshark(made.path, plugin=True), packets),
            Contender(DPKT, peer("dpkt", made.path), packets),
            Contender(SCAPY, peer("scapy", part.path), part.packets, repeat=False),
            Contender(PYSHARK, peer("pyshark", part.path), part.packets, repeat=False),
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
            Contender(READ, tshark(made.path, "-q"), packets),
            Contender(DISSECT, tshark(made.path, "-q", "-Y", "frame"), packets),
            Contender(PLAIN, tshark(made.path), packets),
            Contender(WITH, tshark(made.path, plugin=True), packets),
            Contender(EK, tshark(made.path, "-T", "ek", plugin=True), packets, repeat=False),
            Contender(DPKT, peer("dpkt", made.path), packets),
            Contender(SCAPY, peer("scapy", part.path), part.packets, repeat=False),
            Contender(PYSHARK, peer("pyshark", part.path), part.packets, repeat=False),
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
            Contender(PLAIN, tshark(made.path), made.packets),
            Contender(WITH, tshark(made.path, plugin=True), made.packets),
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
        Contender("tshark, the same", tshark(recording)),
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
