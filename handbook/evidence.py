"""Where a problem code stands in the project: recordings that show it, tests that state it, sources that have it."""

from __future__ import annotations

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
#: A test of a module: up to the next line that is not set in (and does not end its head).
_TEST = re.compile(r"^def (test_\w+)\(.*\n(?:(?:[ )].*)?\n)*", re.MULTILINE)


class Place(NamedTuple):
    """A file, from the root of the project, a line of it, and what begins there: name and text (empty: the line)."""

    file: str
    line: int
    name: str = ""
    text: str = ""


class _Source(NamedTuple):
    file: str
    text: str


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
    return [place for source in _sources("tests") if code in source.text for place in _named(source, code)]


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
        Place(source.file, number)
        for source in _sources("dissector")
        if code in source.text
        for number, line in enumerate(source.text.splitlines(), 1)
        if pattern.search(line)
    ]


def _named(source: _Source, code: str) -> Iterator[Place]:
    word = re.compile(rf"\b{code}\b")
    lines = [number for number, line in enumerate(source.text.splitlines(), 1) if word.search(line)]
    named = [one for one in _tests(source) if word.search(one.text)]
    yield from named or [Place(source.file, line) for line in lines[:1]]


@cache
def _tests(source: _Source) -> list[Place]:
    return [
        Place(source.file, source.text.count("\n", 0, found.start()) + 1, found[1], found[0].rstrip())
        for found in _TEST.finditer(source.text)
    ]


@cache
def _sources(folder: str) -> list[_Source]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [_Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]
