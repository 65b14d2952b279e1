"""``make bench``: jstrace beside its peers, in one run on this machine, on inputs made from the recordings.

    python -m benchmarks [SECTION...] [--only NAME...] [--packets N] [--quick] [--repeat N] [--out FILE]

Sections: mixed, dense, plugin, decode, startup, growth, mixes, formats, pairs; attacks (captures in which one thing
grows) and live take ten minutes and more, live takes root too, so they run on demand only.

``mixes`` has other traffic and other writers of tasks, ``formats`` the same packets in other files by command,
``pairs`` the same tasks captured at two places, ``attacks`` a table a command: of these ``--only`` takes parts by name
(``formats --only vlan read``); ``--packets`` is the size of the inputs of the first three.

``--quick`` takes inputs of a fiftieth of the size and leaves ``RESULTS.md`` alone.  Exit status 1 when a goal is
missed; small inputs are not judged, there starting counts most.
"""

from __future__ import annotations

import argparse
import compileall
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import dissector
from benchmarks import growing, inputs, mixes, sections, tables
from benchmarks.bench import Bench
from benchmarks.report import Report, machine

QUICK = 1 / 50
#: Fewer packets are not judged.
_JUDGED = 100_000

SECTIONS: dict[str, Callable[[Bench], None]] = {
    "mixed": sections.mixed,
    "dense": sections.dense,
    "plugin": sections.plugin,
    "decode": sections.decode,
    "startup": sections.startup,
    "growth": sections.growth,
    "mixes": tables.mixes,
    "formats": tables.formats,
    "pairs": tables.pairs,
    "attacks": growing.section,
    "live": sections.live,
}
#: ``dense`` tells the plugin's cost too; ``attacks`` and ``live`` have their own time.
_ALL = [name for name in SECTIONS if name not in ("plugin", "attacks", "live")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="jstrace beside its peers")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="parts of mixes, formats, pairs, attacks")
    parser.add_argument("--packets", type=int, help=f"size of the inputs of mixes, formats, pairs ({mixes.PACKETS:,})")
    parser.add_argument("--quick", action="store_true", help="inputs of a fiftieth of the size, nothing judged")
    parser.add_argument("--scale", type=float, help="inputs of this part of the size, nothing judged")
    parser.add_argument("--repeat", type=int, default=0, metavar="N", help="runs of each command (5; quick: 1)")
    parser.add_argument("--folder", type=Path, default=inputs.FOLDER, help="where inputs are kept")
    parser.add_argument("--out", type=Path, help="the file for the figures")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}")
    parts = tables.PARTS | growing.PARTS
    if wrong := set(chosen.only) - parts:
        parser.error(f"no part {', '.join(sorted(wrong))}: one of {', '.join(sorted(parts))}")
    scale = chosen.scale or (QUICK if chosen.quick else 1)
    packets = chosen.packets or round(mixes.PACKETS * scale)
    repetitions = chosen.repeat or (5 if scale == 1 else 1)
    whole = scale == 1 and not (chosen.sections or chosen.only or chosen.packets)
    out = chosen.out or (Path(__file__).with_name("RESULTS.md") if whole else chosen.folder / "RESULTS.md")
    title = "Figures of jstrace" if scale == 1 else f"Figures of jstrace, inputs of {scale:.3g} of the size"
    report = Report(title, judge=scale == 1 and packets >= _JUDGED)
    report.add(machine(repetitions))
    report.add(
        "`make bench` makes this file. Ratios compare time a packet with the row whose ratio is 1; seconds include "
        "starting, with modules compiled as installing does. Memory is the peak of resident memory of all processes "
        "together; what they share counts in each."
    )
    compileall.compile_dir(Path(dissector.__file__).parent, quiet=1)
    for name in chosen.sections or _ALL:
        SECTIONS[name](Bench(report, scale, repetitions, chosen.folder, packets, frozenset(chosen.only)))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(report.text, encoding="utf-8")
    print("\n".join([f"written to {out}", *(f"missed: {line}" for line in report.missed)]))
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
