"""``make mutate``: small mistakes are put into the modules of the lower floors one by one; which does no test notice?

    python -m mutation [MODULE...] [--sample N] [--seed N]

cosmic-ray makes the mistakes (mutants), ``floor`` tries them, in a copy of the project (``.cache/mutation``).  The
survivors are printed with the line that they change, then a table of scores by module and floor.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path
from time import monotonic

from mutation.equivalents import equivalents
from mutation.mutants import Mutant, modules, mutants

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / ".cache" / "mutation"


def copy() -> None:
    """Makes the copy anew; a hash in its compiled files says what they were made from, whatever the clock says."""
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    for path in ROOT.iterdir():
        if path.name == "captures":
            (TREE / path.name).symlink_to(path)
        elif path.is_dir() and not path.name.startswith(".") and path.name not in ("build", "dist"):
            shutil.copytree(path, TREE / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.suffix in (".toml", ".md"):
            shutil.copy(path, TREE)
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "dissector"]
    subprocess.run(command, cwd=TREE, check=True)


def chosen(wanted: list[str], sample: int, seed: int) -> list[Mutant]:
    """All mutants of the modules, or one at each of ``sample`` places; without those that are equivalent."""
    places: dict[tuple[object, ...], list[Mutant]] = {}
    for module in modules(wanted):
        for mutant in mutants(module):
            places.setdefault((module, mutant.start, mutant.end), []).append(mutant)
    found = [mutant for at in places.values() for mutant in at]
    if 0 < sample < len(places):
        rng = random.Random(seed)
        found = sorted(rng.choice(at) for at in rng.sample(list(places.values()), sample))
    same = equivalents()
    suspects = {(module, before) for module, before, _ in same}
    return [
        mutant
        for mutant in found
        if (mutant.module, mutant.line) not in suspects or (mutant.module, *mutant.lines()) not in same
    ]


def tried(floor: str, found: list[Mutant]) -> list[tuple[Mutant, bool]]:
    """Mutants of one floor, and whether a test noticed them.  Raises CalledProcessError when tests fail without."""
    source, target = TREE / f"{floor}.json", TREE / f"{floor}.jsonl"
    source.write_text(json.dumps(found))
    command = [sys.executable, "-m", "mutation.floor", floor, str(source), str(target)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    pairs = map(json.loads, target.read_text().splitlines())
    return [(Mutant.of(fields), killed) for fields, killed in pairs]


def report(results: list[tuple[Mutant, bool]]) -> None:
    """Survivors, then scores by module and floor."""
    total: Counter[str] = Counter()
    dead: Counter[str] = Counter()
    for mutant, killed in results:
        for name in (mutant.module, f"{Path(mutant.module).parent}/"):
            total[name] += 1
            dead[name] += killed
        if not killed:
            before, after = mutant.lines()
            print(f"{mutant.module}\n- {before}\n+ {after}\n")
    print(f"{'module':40} {'mutants':>8} {'killed':>8} {'score':>7}")
    for name in sorted(total):
        print(f"{name:40} {total[name]:8} {dead[name]:8} {100 * dead[name] / total[name]:6.1f}%")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="mutation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="parts of paths, as stream/ or session/join.py")
    parser.add_argument("--sample", type=int, default=0, help="one mutant at each of so many places (0: all mutants)")
    parser.add_argument("--seed", type=int, default=1, help="of the random sample")
    options = parser.parse_args()
    begin = monotonic()
    copy()
    os.chdir(TREE)
    mine = chosen(options.modules, options.sample, options.seed)
    results = [pair for floor, found in groupby(mine, lambda one: one.floor) for pair in tried(floor, list(found))]
    report(results)
    print(f"{len(results)} mutants in {monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
