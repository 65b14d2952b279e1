"""A fast part of the tests on every version of Python that jstrace supports, and on the lowest versions of packages.

    python tests/versions.py [lowest|VERSION]...        without a name: all of them but this one, on which all tests run

Interpreters are looked for on the path, in pyenv's folder, and where uv puts those that it downloads; where one is not
to be had, a line says that it was not tried.  Packages are the newest ones each time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
LOWEST = "lowest"
#: What depends on the version of Python: every import, the options, the records.
FAST = (
    "tests/wire/test_vectors.py", "tests/test_cli.py", "tests/render/test_table.py", "tests/test_packaging.py",
)  # fmt: skip
#: What depends on the versions of packages besides.
FAST_LOWEST = (
    "tests/view/test_live_failure.py", "tests/view/test_live_view.py", "tests/render/test_terminal.py",
    "tests/sources/test_capture.py",
)  # fmt: skip
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".venv" / "versions"
UV = Path(sys.executable).with_name("uv")
#: Packages of the lowest versions have no wheels for later interpreters.
LAST_OF_LOWEST = "3.12"


def candidates(version: str) -> Iterator[str]:
    """Where an interpreter may be."""
    if found := shutil.which(f"python{version}"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from map(str, sorted(pyenv.glob(f"{version}.*/bin/python{version}")))
    yield from _uv_interpreters(version)


def _uv_interpreters(version: str) -> Iterator[str]:
    """The one that uv has, else the one that it can get."""
    for command in (("find", "--managed-python"), ("install",)):
        found = subprocess.run([UV, "python", *command, version], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            yield found.stdout.strip() or version


def interpreter(version: str) -> str | None:
    """One that runs and is of this version."""
    show = "import sys; print('%d.%d' % sys.version_info[:2])"
    for path in candidates(version):
        if not Path(path).is_absolute():  # uv knows it by its version
            return path
        done = subprocess.run([path, "-c", show], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return path
    return None


def settings() -> dict[str, str]:
    """The environment, with pip's index for uv."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    index = os.environ.get("PIP_INDEX_URL") or (asked.stdout.strip() if asked.returncode == 0 else "")
    return {**({"UV_DEFAULT_INDEX": index} if index else {}), **os.environ}


def run(name: str, python: str) -> bool:
    """Makes an environment of its own and runs the tests in it; true when all of them passed."""
    place = ENVIRONMENTS / name
    environment = {**settings(), "VIRTUAL_ENV": str(place)}
    resolution = ["--resolution", "lowest-direct"] if name == LOWEST else ["--upgrade"]
    inside = place / "bin" / "python"
    commands: tuple[list[str | Path], ...] = (
        [UV, "venv", "-q", "--clear", "-p", python, place],
        [UV, "pip", "install", "-q", *resolution, "-e", f"{ROOT}[test]"],
        [inside, "-m", "pytest", "-n", "auto", "--maxfail", "20", *FAST, *(FAST_LOWEST if name == LOWEST else ())],
    )
    return all(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0 for command in commands)


def _wanted(names: list[str]) -> Iterator[tuple[str, str | None]]:
    """Names with their interpreters."""
    for name in names:
        if name == LOWEST:
            tried = VERSIONS[: VERSIONS.index(LAST_OF_LOWEST) + 1]
            yield name, next(filter(None, map(interpreter, tried)), None)
        else:
            yield name, interpreter(name)


def main(names: list[str]) -> int:
    """Exit status: 0 all passed or not to be had, 1 a test failed, 2 an unknown name."""
    if not set(names) <= {LOWEST, *VERSIONS}:
        print(f"versions: {LOWEST}, {', '.join(VERSIONS)}", file=sys.stderr)
        return 2
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    failed, missing = [], []
    for name, python in _wanted(names or [LOWEST, *(one for one in VERSIONS if one != own)]):
        if python is None:
            missing.append(name)
            continue
        print(f"--- a fast part of the tests: {name}, {python}", flush=True)
        if not run(name, python):
            failed.append(name)
    for name in missing:
        print(f"*** NOT TRIED, no interpreter is to be had here: {name}", file=sys.stderr)
    for name in failed:
        print(f"*** FAILED: {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
