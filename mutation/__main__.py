"""``make mutate``: small mistakes are put into the modules of the lower floors one by one; which does no test notice?

    python -m mutation [MODULE...] [--sample N] [--seed N]

cosmic-ray makes the mistakes (mutants), in a copy of the project (``.cache/mutation``).  The survivors are printed with
the line that they change, then a table of scores by module and floor.
"""

from __future__ import annotations

import argparse
import os
import random
from collections import Counter
from pathlib import Path
from time import monotonic

from mutation.equivalents import equivalents
from mutation.mutants import Mutant, modules, mutants
from mutation.trial import TREE, copy, killed


def chosen(wanted: list[str], sample: int, seed: int) -> list[Mutant]:
    """All mutants of the modules, or one at each of ``sample`` places."""
    places: dict[tuple[object, ...], list[Mutant]] = {}
    for module in modules(wanted):
        for mutant in mutants(module):
            places.setdefault((module, mutant.start, mutant.end), []).append(mutant)
    if not 0 < sample < len(places):
        return [mutant for found in places.values() for mutant in found]
    rng = random.Random(seed)
    return sorted(rng.choice(found) for found in rng.sample(list(places.values()), sample))


def report(tried: list[tuple[Mutant, bool]]) -> None:
    """Scores by module and floor."""
    total: Counter[str] = Counter()
    dead: Counter[str] = Counter()
    for mutant, was_killed in tried:
        for name in (mutant.module, f"{Path(mutant.module).parent}/"):
            total[name] += 1
            dead[name] += was_killed
    print(f"\n{'module':40} {'mutants':>8} {'killed':>8} {'score':>7}")
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
    same, begin = equivalents(), monotonic()
    copy()
    os.chdir(TREE)
    tried: list[tuple[Mutant, bool]] = []
    for mutant in chosen(options.modules, options.sample, options.seed):
        before, after = mutant.lines()
        if (mutant.module, before, after) in same:
            continue
        tried.append((mutant, killed(mutant)))
        if not tried[-1][1]:
            print(f"\n{mutant.module}\n- {before}\n+ {after}", flush=True)
    report(tried)
    print(f"{len(tried)} mutants in {monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
