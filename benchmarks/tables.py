"""The sections with many inputs: mixes of traffic and writers of tasks, file forms by command, and pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench import ALONE, PLAIN, TABLE, Bench, jstrace, tshark
from benchmarks.forms import FORMS
from benchmarks.measure import Contender, Figures
from benchmarks.mixes import HTTPS, MIXES, WRITERS, made
from benchmarks.pairs import FORMS as PAIRS
from benchmarks.pairs import made as both_sides
from benchmarks.report import megabytes
from benchmarks.sealed import key_log

#: How many times faster than tshark reading has to be.
_MIX_GOAL, _WRITER_GOAL = 4, 1.8
#: Of some writers.
_GOALS = {"agents": 3.0, HTTPS: 1.0}
_FORM_GOALS = {"pcap": 5, "pcapng": 5, "cooked": 5, "vlan": 5, "ipv6": 5, "vxlan": 4}
#: Processor time beside plain pcap, other commands beside ``read``, memory.
_FORM_COST, _TUNNEL_COST, _COMMAND_COST, _MEMORY_MB = 1.2, 1.5, 1.3, 150
#: What each connection has at least, so that there are secrets for all.
_PACKETS_A_CONNECTION = 10
#: The inputs of the table by form: the mix or writer that each is, and its part of the packets.  Of nothing but tasks a
#: quarter is enough: as many packets of JobScheduler as five times the other has.
KINDS = {"mixed": ("busy host", 1), "tasks": ("recordings", 1 / 4)}
_READ, _TSHARK = "read", "tshark -r"


def mixes(bench: Bench) -> None:
    """``jstrace read`` beside ``tshark -r`` on each mix and writer."""
    rows, ratios = [], {}
    for name in bench.chosen([*MIXES, *WRITERS]):
        source = made(name, bench.packets, bench.folder)
        ours, theirs = _keys(bench, source.packets) if name == HTTPS else ((), ())
        found = bench.compare(
            [
                Contender(TABLE, jstrace("read", source.path, *ours), source.packets),
                Contender(ALONE, jstrace("read", source.path, "--jobs", "1", *ours), source.packets),
                Contender(PLAIN, tshark(source.path, *theirs), source.packets),
            ]
        )
        table, alone, plain = (found[one] for one in (TABLE, ALONE, PLAIN))
        ratios[name] = plain.seconds / table.seconds
        share = f"{source.jobscheduler / source.packets:.0%}"
        seconds = [f"{one:.2f}" for one in (table.seconds, table.cpu, alone.seconds, plain.seconds, plain.cpu)]
        peaks = megabytes(table.peak), megabytes(plain.peak)
        rows.append((name, f"{source.packets:,}", share, f"{source.tasks:,}", *seconds, *peaks, f"{ratios[name]:.2f}"))
    report = bench.report
    report.section("Mixes of traffic, and tasks of several writers")
    heads = (
        "",
        "packets",
        "ours",
        "tasks",
        "read s",
        "CPU s",
        "--jobs 1 s",
        "tshark s",
        "CPU s",
        "MB",
        "tshark MB",
        "ratio",
    )
    report.table(heads, rows)
    for name, ratio in ratios.items():
        goal = _MIX_GOAL if name in MIXES else _GOALS.get(name, _WRITER_GOAL)
        report.goal(f"{name}: tshark -r / task table", ratio, goal, at_least=True)


def _keys(bench: Bench, packets: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What both are told to decipher a capture of so many packets with."""
    path = bench.folder / "https.keys"
    path.write_text(key_log(packets // _PACKETS_A_CONNECTION), encoding="ascii")
    return ("--tls-keylog", str(path)), ("-o", f"tls.keylog_file:{path}")


# --- forms ---------------------------------------------------------------------------------------------------------

#: Commands by name: what to run on files with an output in a folder; None: the command takes one file only.
_COMMANDS: dict[str, Callable[[list[str], Path], list[str] | None]] = {
    _READ: lambda files, out: jstrace("read", *files),  # noqa: ARG005  a command's shape
    "lines": lambda files, out: jstrace("read", *files, "--format", "jsonl", "--messages"),  # noqa: ARG005  a command's shape
    "ports": lambda files, out: jstrace("ports", *files),  # noqa: ARG005  a command's shape
    "diff": lambda files, out: _alone(files, "diff", files[0], files[0], "--task", "1", "--task-b", "2"),  # noqa: ARG005  a command's shape
    "slice": lambda files, out: _alone(files, "slice", files[0], str(out / "slice.pcapng"), "--task", "1"),
    "redact": lambda files, out: jstrace("redact", *files, "--out-dir", str(out / "redacted")),
}


def _alone(files: list[str], *arguments: str) -> list[str] | None:
    return jstrace(*arguments) if len(files) == 1 else None


def formats(bench: Bench) -> None:
    """Every command on every form of the same packets."""
    for kind in bench.chosen(KINDS):
        name, share = KINDS[kind]
        source = made(name, round(bench.packets * share), bench.folder)
        with TemporaryDirectory(dir=bench.folder) as path:
            folder = Path(path)
            figures = _measured(bench, Path(source.path), source.packets, folder)
        bench.report.section(f"Forms of the same packets: {kind}", source)
        _table(bench, figures)
        _judge(bench, kind, figures)


def _measured(bench: Bench, source: Path, packets: int, folder: Path) -> dict[tuple[str, str], Figures]:
    """Figures by form and command, those of tshark among them."""
    contenders = {}
    for form in bench.chosen(FORMS):
        files = [str(path) for path in FORMS[form](source, folder)]
        # tshark reads one file: of several it gets what they were made of.
        contenders[form, _TSHARK] = tshark(files[0] if len(files) == 1 else str(source))
        for name in bench.chosen(_COMMANDS):
            command = _COMMANDS[name](files, folder)
            if command is not None:
                contenders[form, name] = command
    names = {f"{form}: {name}": (form, name) for form, name in contenders}
    found = bench.compare([Contender(text, contenders[key], packets) for text, key in names.items()])
    return {names[text]: figures for text, figures in found.items()}


def _table(bench: Bench, figures: dict[tuple[str, str], Figures]) -> None:
    rows = []
    for (form, name), found in figures.items():
        peer, plain = figures[form, _TSHARK], figures.get(("pcap", name))
        rows.append(
            (
                form,
                name,
                f"{found.seconds:.2f}",
                f"{found.cpu:.2f}",
                megabytes(found.peak),
                f"{peer.seconds / found.seconds:.2f}",
                f"{found.cpu / plain.cpu:.2f}" if plain else "",
            )
        )
    bench.report.table(("form", "command", "seconds", "CPU s", "peak MB", "tshark / this", "CPU / pcap's"), rows)


def _judge(bench: Bench, kind: str, figures: dict[tuple[str, str], Figures]) -> None:
    report = bench.report
    read = {form: found for (form, name), found in figures.items() if name == _READ}
    for form, found in read.items():
        if form in _FORM_GOALS:
            goal = _FORM_GOALS[form] if kind == "mixed" else _WRITER_GOAL
            report.goal(
                f"{kind}, {form}: tshark -r / read", figures[form, _TSHARK].seconds / found.seconds, goal, at_least=True
            )
    for form in bench.chosen(FORMS):
        costs = {
            name: found.cpu / figures["pcap", name].cpu
            for (one, name), found in figures.items()
            if one == form != "pcap" and name != _TSHARK and ("pcap", name) in figures
        }
        if costs:
            worst, limit = max(costs, key=costs.__getitem__), _TUNNEL_COST if form == "vxlan" else _FORM_COST
            report.goal(f"{kind}, {form}: CPU / pcap's, worst in {worst}", costs[worst], limit, at_least=False)
    for name in ("ports", "slice", "diff"):
        times = {
            form: figures[form, name].seconds / one.seconds for form, one in read.items() if (form, name) in figures
        }
        if times:
            worst = max(times, key=times.__getitem__)
            report.goal(f"{kind}, {name} / read, worst as {worst}", times[worst], _COMMAND_COST, at_least=False)
    if read:
        report.goal(
            f"{kind}: peak memory of read, MB", max(one.peak for one in read.values()) / 1e6, _MEMORY_MB, at_least=False
        )


# --- pairs ---------------------------------------------------------------------------------------------------------

_ONE, _OTHER, _BOTH = "client side alone", "remote side alone", "both sides"
#: Processor time of a pair beside that of its files read one by one.
_PAIR_COST = 1.3


def pairs(bench: Bench) -> None:
    """``jstrace read`` of two captures of the same tasks, beside reading each of them alone."""
    rows, ratios = [], {}
    for form in bench.chosen(PAIRS):
        client, remote = both_sides(form, bench.packets // 2, bench.folder)
        found = bench.compare(
            [
                Contender(_ONE, jstrace("read", client.path), client.packets),
                Contender(_OTHER, jstrace("read", remote.path), remote.packets),
                Contender(_BOTH, jstrace("read", client.path, remote.path), client.packets + remote.packets),
            ]
        )
        alone, both = [found[_ONE], found[_OTHER]], found[_BOTH]
        ratios[form] = both.cpu / sum(one.cpu for one in alone)
        figures = [f"{one.cpu:.2f}" for one in (*alone, both)]
        peaks = megabytes(max(one.peak for one in alone)), megabytes(both.peak)
        counts = f"{client.packets + remote.packets:,}", f"{max(client.tasks, remote.tasks):,}"
        rows.append((form, *counts, *figures, *peaks, f"{ratios[form]:.2f}"))
    bench.report.section("Pairs: the same tasks captured at two places")
    heads = (
        "",
        "packets",
        "tasks",
        "client alone CPU s",
        "remote alone CPU s",
        "both CPU s",
        "MB alone",
        "MB",
        "ratio",
    )
    bench.report.table(heads, rows)
    for form, ratio in ratios.items():
        bench.report.goal(f"{form}: CPU of both sides / of each alone", ratio, _PAIR_COST, at_least=False)


#: What ``--only`` may name.
PARTS = frozenset((*PAIRS, *MIXES, *WRITERS, *KINDS, *FORMS, *_COMMANDS))
