"""What an installed package brings along: every file that the code reads at run time."""

from __future__ import annotations

import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it for the versions before 3.11
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_data_file_is_packaged() -> None:
    patterns = _project()["tool"]["setuptools"]["package-data"]["dissector"]
    package = ROOT / "dissector"
    data = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert {"wire/ids.json", "codegen/lua/main.lua", "codegen/profile/colorfilters"} <= data
    assert sorted(name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)) == []


def test_every_package_is_packaged() -> None:
    patterns = _project()["tool"]["setuptools"]["packages"]["find"]["include"]
    names = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks", "fuzz", "handbook", "mutation"}
    assert {"dissector", "jstrace"} <= names
    assert sorted(name for name in names if not any(fnmatch(name, pattern) for pattern in patterns)) == []


def test_the_man_page_is_packaged() -> None:
    """Where ``man`` looks beside a ``bin`` on the path."""
    (source,) = _project()["tool"]["setuptools"]["data-files"]["share/man/man1"]
    assert (ROOT / source).read_text(encoding="utf-8").startswith('.\\"')


@pytest.mark.parametrize("name", ["jstrace", "dissector"])
def test_the_package_is_the_command(name: str) -> None:
    command = [sys.executable, "-m", name]
    done = subprocess.run([*command, "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("jstrace, version ")
    wrong = subprocess.run([*command, "nonsense"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("Usage: jstrace ")
