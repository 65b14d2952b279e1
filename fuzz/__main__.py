"""``make fuzz``: every target for a while, then a table of executions and findings.

    python -m fuzz [TARGET...] [--seconds N]

Seeds, grown corpora and findings lie in ``build/fuzz/TARGET``.  Exit status 1 when there is a finding; its input
then belongs into ``tests/fuzz/TARGET``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from fuzz.guard import HANG_SECONDS, MEMORY_MB, verdict
from fuzz.seeds import MAX_SIZE, SEEDS, seeds

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "fuzz"
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_PEAK = re.compile(r"stat::peak_rss_mb:\s*(\d+)")
_COVERED = re.compile(r"cov: (\d+)")


class Outcome(NamedTuple):
    """What a target's time brought: ``findings`` are files, each with what is wrong."""

    executions: int
    seconds: float
    covered: str
    peak: str
    findings: dict[Path, str]


def fuzz(name: str, seconds: int) -> Outcome:
    """Runs atheris on one target."""
    folder = FOLDER / name
    for part in ("seeds", "corpus", "findings"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (folder / "seeds" / sha256(seed).hexdigest()[:12]).write_bytes(seed)
    flags = [
        f"-max_total_time={seconds}",
        f"-timeout={HANG_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={MAX_SIZE}",
        f"-dict={Path(__file__).with_name('dictionary.txt')}",
        f"-artifact_prefix={folder / 'findings'}/",
        "-print_final_stats=1",
    ]
    command = [sys.executable, "-m", "fuzz.worker", name, str(folder), *flags]
    begin = monotonic()
    log = folder / "log"
    with log.open("w") as output:
        done = subprocess.run(
            [*command, str(folder / "corpus"), str(folder / "seeds")], stdout=output, stderr=output, check=False
        )
    told = log.read_text(encoding="utf-8", errors="replace")
    findings = {path: why for path in sorted((folder / "findings").iterdir()) if (why := verdict(name, path))}
    if done.returncode:
        findings[log] = f"the worker ended with {done.returncode}: {told[-300:]}"
    covered = _COVERED.findall(told)
    executed, peak = _EXECUTED.search(told), _PEAK.search(told)
    return Outcome(
        int(executed[1]) if executed else 0,
        monotonic() - begin,
        covered[-1] if covered else "",
        peak[1] if peak else "",
        findings,
    )


def fuzz_lua(seconds: int) -> Outcome:
    """Mutated captures through tshark; an execution is a mutated conversation.

    In a process of its own: what this one needs at its peak would count as memory of the workers that come later.
    """
    command = [sys.executable, "-m", "fuzz.lua", str(FOLDER / "lua"), str(seconds)]
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    findings = {Path(path): why for path, why in told["findings"].items()}
    return Outcome(told["conversations"], told["seconds"], "", "", findings)


def main() -> int:
    runs: dict[str, Callable[[int], Outcome]] = {name: partial(fuzz, name) for name in SEEDS}
    runs["lua"] = fuzz_lua
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz what reads bytes of others.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(runs)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(runs):
        parser.error(f"no target {', '.join(sorted(unknown))}")
    total = findings = 0
    print(f"{'target':10} {'executions':>12} {'a second':>9} {'covered':>8} {'peak MB':>8}  findings", flush=True)
    for name in chosen.targets or runs:
        found = runs[name](chosen.seconds)
        total += found.executions
        findings += len(found.findings)
        speed = found.executions / found.seconds
        row = f"{name:10} {found.executions:12,} {speed:9,.0f} {found.covered:>8} {found.peak:>8}"
        print(f"{row}  {len(found.findings)}", flush=True)
        for path, why in found.findings.items():
            print(f"\n{path}:\n{why}\n", flush=True)
    print(f"{total:,} executions, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
