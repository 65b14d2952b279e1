"""One mutant after the other is put into a copy of the project, and the tests that should notice it are run."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from time import monotonic

from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_item import TestOutcome

from mutation.mutants import ROOT, Mutant

TREE = ROOT / ".cache" / "mutation"
#: Of the tests of the whole program those that are quick and look at everything.
WHOLE = ("tests/test_truth.py", "tests/test_faults.py", "tests/test_doubts.py", "tests/test_short_cuts.py")
#: What belongs to the tests of a floor besides its folder.
MORE = {"stream": ("tests/sources/test_capture.py",), "wire": ("tests/codegen",)}
#: A mutant may take so many times as long as the original, and so many seconds more.
SLACK, EXTRA = 4, 20
_PYTEST = (
    sys.executable,
    "-m",
    "pytest",
    "-x",
    "-q",
    "--no-header",
    "--tb=no",
    "-p",
    "mutation.plugin",
    "-p",
    "no:xdist",
)


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


def stages(module: str) -> list[tuple[str, ...]]:
    """Tests that are run one after the other: the module's own, its floor's, the whole program's."""
    path = Path(module)
    floor = Path("tests") / path.parent.name
    own = tuple(str(test) for test in sorted(floor.glob(f"test_{path.stem.strip('_')}*.py")))
    return [tests for tests in (own, (str(floor), *MORE.get(floor.name, ())), WHOLE) if tests]


@cache
def seconds(tests: tuple[str, ...]) -> float:
    """How long these tests take without a mutant.  Raises CalledProcessError when one of them fails."""
    begin = monotonic()
    subprocess.run([*_PYTEST, *tests], check=True, stdout=subprocess.DEVNULL)
    return monotonic() - begin


def killed(mutant: Mutant) -> bool:
    """True when a test fails with this mistake, or takes for ever.  The current folder is the copy."""
    for tests in stages(mutant.module):
        patience = EXTRA + SLACK * seconds(tests)
        result = mutate_and_test([mutant.spec], shlex.join([*_PYTEST, *tests]), patience)
        if result.test_outcome not in (TestOutcome.SURVIVED, TestOutcome.KILLED):
            raise RuntimeError(f"{mutant}: {result.output}")
        if result.test_outcome is TestOutcome.KILLED:
            return True
    return False
