"""What an installed package brings along: every file that the code reads at run time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest

from dissector import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it for the versions before 3.11
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]


def _project() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return read


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


def test_the_version_is_said_once() -> None:
    project = _project()["project"]
    assert "version" not in project
    assert version("jstrace") == __version__
    said = re.compile(rf"""[="' ]{re.escape(__version__)}["'\s]""")
    places = [path for name in ("dissector", "jstrace", "handbook") for path in (ROOT / name).rglob("*.py")]
    assert [path.name for path in places if said.search(path.read_text(encoding="utf-8"))] == ["__init__.py"]


def test_commits_are_checked_by_what_lint_runs() -> None:
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert lint is not None
    wanted = {
        line.strip().removeprefix("@$(BIN)/").removeprefix("@$(MAKE) -s ").removesuffix(" .")
        for line in lint[1].splitlines()
    }
    hooks = re.findall(r"entry: (?:\.venv/bin/)?(.*)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {re.sub(" --(force-exclude|quiet)$", "", hook) for hook in hooks} == wanted


#: Run by the installed package alone: its own examples, on the recordings.
_EXAMPLES = """
import doctest, importlib, pkgutil, sys
import jstrace
assert jstrace.__file__.startswith(sys.prefix), jstrace.__file__
tried = failed = 0
for module in pkgutil.iter_modules(jstrace.__path__, "jstrace."):
    if module.name.rpartition(".")[2] not in ("__main__", "tables"):  # tables needs pandas
        found = doctest.testmod(importlib.import_module(module.name), extraglobs={"jstrace": jstrace})
        tried, failed = tried + found.attempted, failed + found.failed
print(tried, failed)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and nothing else but the packages that it needs, which are borrowed from this one:
    so that no network is needed."""
    if None in (find_spec("setuptools"), find_spec("pip")):
        pytest.skip("the environments of other versions have nothing to build a wheel with")
    folder = tmp_path_factory.mktemp("installed")
    sources = folder / "sources"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("dissector", "jstrace", "man"):
        shutil.copytree(ROOT / name, sources / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    if tuple(map(int, version("setuptools").split(".")[:2])) < (77, 0):
        pytest.skip("setuptools here is too old to build the wheel")
    pip = [sys.executable, "-m", "pip"]
    wheel = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(sources)]
    subprocess.run(wheel, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    (made,) = folder.glob("*.whl")
    install = [*pip, "--python", str(python), "install", "-q", "--no-deps", str(made)]
    subprocess.run(install, check=True, capture_output=True)
    (packages,) = (folder / "env").glob("lib/python*/site-packages")
    borrowed = Path(click.__file__).parents[1]
    # A path in a .pth file is looked at, but not for .pth files: this environment's own jstrace stays unseen.
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    return folder / "env" / "bin"


def test_the_wheel_alone_runs_the_examples(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "captures").symlink_to(ROOT / "captures")
    done = subprocess.run(
        [installed / "python", "-c", _EXAMPLES], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    tried, failed = map(int, done.stdout.split()[-2:])
    assert tried > 15
    assert failed == 0, done.stdout


def test_the_wheel_alone_is_the_command(installed: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> str:
        command = [str(installed / "jstrace"), *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert run("--version").strip() == f"jstrace, version {__version__}"
    assert json.loads(run("schema"))["title"] == "jstrace/1"
    record = json.loads(run("read", ROOT / "captures" / "engine_shell_fail.pcap", "--format", "json"))
    assert [task["job"] for task in record["tasks"]] == ["shell_fail"]
    assert "jobscheduler" in run("lua")
    assert (installed.parent / "share" / "man" / "man1" / "jstrace.1").is_file()
