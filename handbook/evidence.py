"""Where a problem code stands in the project: recordings that show it, tests that state it, sources that have it."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from dissector.cli import main

ROOT = Path(__file__).resolve().parent.parent
#: A page is no place for a longer example.
_LONGEST_EXAMPLE = 48
_LONGEST_TEST = 30
#: Recordings of one code that are looked at.
_TRIED = 4
_WIDTH = "120"


class Place(NamedTuple):
    """A file, from the root of the project, a line of it, and what begins there: name and text (empty: the line)."""

    file: str
    line: int
    name: str = ""
    text: str = ""


class Example(NamedTuple):
    """A command and all that it prints."""

    command: str
    output: str


def run(*arguments: str) -> str:
    """What ``jstrace`` prints.

    :raises RuntimeError: it does not end with 0
    """
    done = CliRunner(env={"COLUMNS": _WIDTH, "NO_COLOR": "1"}).invoke(main, arguments)
    if done.exit_code:
        raise RuntimeError(f"jstrace {' '.join(arguments)}: {done.stderr}") from done.exception
    return done.stdout


@cache
def recorded() -> dict[str, list[tuple[str, int | None]]]:
    """Problem code -> recordings that have it, with the task's number (None: it is of no task)."""
    found: dict[str, list[tuple[str, int | None]]] = defaultdict(list)
    files = sorted((*ROOT.glob("captures/*.pcap"), *ROOT.glob("captures/f*/*.pcap")))
    for path in files:
        records = json.loads(run("read", str(path), "--format", "json", "--no-progress", "--jobs", "1"))
        for one in records["problems"]:
            found[one["code"]].append((path.relative_to(ROOT).as_posix(), one["task"]))
    return found


def example(code: str) -> Example | None:
    """The recording that shows a problem with the fewest others beside it: the task's ladder, where that is short, else
    its row of the table.  None where no recording has it, or none shows it in a few lines."""
    others = Counter(file for places in recorded().values() for file, _ in places)
    clearest = sorted(recorded().get(code, ()), key=lambda one: (others[one[0]], (ROOT / one[0]).stat().st_size))
    made = (_example(code, *where) for where in clearest[:_TRIED])
    return next((one for one in made if one is not None), None)


def _example(code: str, file: str, task: int | None) -> Example | None:
    ways = [] if task is None else [("--task", str(task)), ("--filter", f"problem={code}")]
    for way in (*ways, ()):
        output = run("read", str(ROOT / file), *way, "--utc", "--jobs", "1", "--no-progress")
        if len(output.splitlines()) <= _LONGEST_EXAMPLE and code in output:
            return Example(" ".join(("jstrace read", file, *way)), output.replace(f"{ROOT}/", ""))
    return None


def tests_of(code: str) -> list[Place]:
    """The tests that name a code, by file; a line that is in no test stands for its file."""
    return [place for path in _sources("tests") for place in _named(path, code)]


def shortest(places: Iterable[Place], code: str) -> Place | None:
    """The test that shows most plainly what a code is for: one of the session, called like it, short."""
    fitting = [one for one in places if one.text and one.text.count("\n") < _LONGEST_TEST]
    return min(
        fitting, key=lambda one: ("/session/" not in one.file, code not in one.name, len(one.text)), default=None
    )


def rows_of(code: str) -> list[Place]:
    """The lines of the package that have the code as a text of its own."""
    pattern = re.compile(rf"""["']{code}["']""")
    return [
        Place(path, number)
        for path, text, _ in _sources("dissector")
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def _named(source: tuple[str, str, ast.Module], code: str) -> Iterator[Place]:
    path, text, tree = source
    word = re.compile(rf"\b{code}\b")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if word.search(line)]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    named = {
        Place(path, one.lineno, one.name, ast.get_source_segment(text, one) or "")
        for one in functions
        if one.name.startswith("test_") and any(one.lineno <= line <= (one.end_lineno or 0) for line in lines)
    }
    yield from sorted(named, key=lambda place: place.line) or [Place(path, line) for line in lines[:1]]


@cache
def _sources(folder: str) -> list[tuple[str, str, ast.Module]]:
    return [(name, text, ast.parse(text)) for name, text in _texts((ROOT / folder).rglob("*.py"))]


def _texts(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in sorted(paths):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
