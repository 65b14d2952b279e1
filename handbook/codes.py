"""Pages of codes, made from what ``jstrace explain`` knows: one for each problem, one with all codes of the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from handbook import evidence
from handbook.evidence import Place
from handbook.markdown import anchor, block, code, plain

_ENGINE_CODE = re.compile(r"\b(?:[A-Z][A-Z-]*-[0-9A-F]+|XML-ERROR)\b")
#: Tests that one page lists.
_MOST_TESTS = 12
_ENGINE_PAGE = "engine-codes.md"


class Candidate(NamedTuple):
    """A problem that a code of the engine can stand for, and how it looks in packets."""

    code: str
    meaning: str
    tell: str
    place: str


class Explained(NamedTuple):
    """A code as ``jstrace explain --format json`` has it; ``severity`` is None for a code of the engine."""

    code: str
    title: str
    meaning: str
    severity: str | None
    cause: str
    remedy: str
    tell: str
    engine: tuple[str, ...]
    look_for: str
    candidates: tuple[Candidate, ...]

    @property
    def is_problem(self) -> bool:
        return self.severity is not None


def explained() -> list[Explained]:
    """All codes, the problems first."""
    records = json.loads(evidence.run("explain", "--format", "json"))["codes"]
    return [_explained(record) for record in records]


def _explained(record: dict[str, object]) -> Explained:
    values = {name: record[name] for name in Explained._fields if name not in ("engine", "candidates")}
    engine, candidates = record["engine"], record["candidates"]
    assert isinstance(engine, list)
    assert isinstance(candidates, list)
    made = tuple(Candidate(*(str(one[name]) for name in Candidate._fields)) for one in candidates)
    return Explained(**values, engine=tuple(engine), candidates=made)  # type: ignore[arg-type]


def problem_list(codes: Iterable[Explained]) -> str:
    """The page in front of the problems."""
    lines = ["# Problems", "", "What `jstrace` may report, in the order of `jstrace explain`.", ""]
    lines += ["| code | severity | |", "|---|---|---|"]
    lines += [f"| [{code(one.code)}]({one.code}.md) | {one.severity} | {plain(one.meaning)} |" for one in codes]
    return "\n".join(lines) + "\n"


def problem_page(one: Explained) -> str:
    """What a problem looks like in packets, why it happens, what to change, and where all of that is stated."""
    return "\n".join(_problem(one)) + "\n"


def engine_page(codes: Iterable[Explained]) -> str:
    """A section a code of the engine."""
    lines = [
        "# Codes of the engine",
        "",
        "What schedulers log, and which problems of a capture can be behind it.",
        "",
    ]
    for one in codes:
        lines += [f"## {one.code}", "", f"*{plain(one.title)}*" if one.title else "", ""]
        lines += [plain(one.meaning), ""] if one.meaning else []
        lines += [f"Look: {plain(one.look_for)}", ""] if one.look_for else []
        lines += [_candidate(each) for each in one.candidates] + [""]
    return "\n".join(lines) + "\n"


def _candidate(each: Candidate) -> str:
    place = f" ({plain(each.place)})" if each.place else ""
    return f"* [{code(each.code)}](problems/{each.code}.md): {plain(each.tell)}{place}"


def _problem(one: Explained) -> Iterator[str]:
    yield from (f"# {one.code}", "", f"**{one.severity}** · {plain(one.meaning)}", "")
    yield from ("## In packets", "")
    if one.tell:
        yield from (_sentence(one.tell), "")
    yield from _example(one.code)
    yield from ("## Cause", "", _sentence(one.cause), "", "## What to change", "", _sentence(one.remedy), "")
    if one.engine:
        yield from ("## In the schedulers' logs", "", *(f"* {_linked(line)}" for line in one.engine), "")
    yield from ("## Where it is stated", "")
    yield from _places(one.code)


def _sentence(words: str) -> str:
    return f"{plain(words[:1].upper() + words[1:])}."


def _example(name: str) -> Iterator[str]:
    shown, files = evidence.example(name), sorted({file for file, _ in evidence.recorded().get(name, ())})
    if shown is not None:
        yield block(f"$ {shown.command}\n{shown.output}", "console")
    if files:
        yield from (f"Recordings that have it: {', '.join(map(code, files))}.", "")
    else:
        yield from ("No recording has it; the tests below make packets that do.", "")


def _linked(line: str) -> str:
    """``Z-REMOTE-118 (at the remote)`` with links."""
    return _ENGINE_CODE.sub(lambda found: f"[{found[0]}](../{_ENGINE_PAGE}#{anchor(found[0])})", plain(line))


def _places(name: str) -> Iterator[str]:
    yield "In the package:\n"
    yield from (f"* {_place(place)}" for place in evidence.rows_of(name))
    tests = evidence.tests_of(name)
    yield "\nIn tests:\n"
    yield from (f"* {_place(place)}" for place in tests[:_MOST_TESTS])
    if len(tests) > _MOST_TESTS:
        yield f"* and {len(tests) - _MOST_TESTS} more"
    if (shown := evidence.shortest(tests, name)) is not None:
        yield from (f"\nOne of them, {_place(shown)}:\n", block(shown.text, "python"))


def _place(place: Place) -> str:
    where = code(f"{place.file}:{place.line}")
    return f"{where} {code(place.name)}" if place.name else where
