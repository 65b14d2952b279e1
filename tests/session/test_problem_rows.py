"""Each row of the tables of problems is needed: a test that mirrors it fails without it."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from row_mirrors import MIRRORS

from dissector.session.codes import CODES
from dissector.session.findings import Finding, Phrase, Reason

DISSECTOR = Path(__file__).resolve().parents[2] / "dissector"
#: The rooms in which problems are told by rows: those of one capture, and those of several places.
PATHS = [path for room in ("session", "points") for path in sorted((DISSECTOR / room).glob("*.py"))]
Table = tuple[Any, ...]


def module_of(path: Path) -> ModuleType:
    return importlib.import_module(f"dissector.{path.parent.name}.{path.stem}")


def is_table(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], (Finding, Reason, Phrase))


def tables() -> Iterator[tuple[str, Table]]:
    """Every table with its name, those within rows behind the others."""
    named: dict[str, Table] = {}
    for path in PATHS:
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"^(\w+): tuple\[(?:Finding|Reason|Phrase)\[", text, re.MULTILINE):
            named[f"{path.stem}.{name}"] = getattr(module_of(path), name)
    yield from named.items()
    known = {id(table) for table in named.values()}
    for name, table in named.items():
        for index, row in enumerate(table):
            for attribute in ("reasons", "more"):
                inner = getattr(row, attribute, ())
                if id(inner) not in known and len(inner) > (attribute == "reasons"):
                    known.add(id(inner))
                    yield f"{name}[{index}].{attribute}", inner


TABLES = dict(tables())
TESTS = sorted({mirror.partition(".")[0] for mirrors in MIRRORS.values() for mirror in mirrors})


def modules() -> list[ModuleType]:
    """Where tables are named."""
    return [*map(module_of, PATHS), *map(importlib.import_module, TESTS)]


def with_table(row: object, old: Table, new: Table) -> object:
    if not isinstance(row, Finding):
        return row
    row = replace(row, reasons=new) if row.reasons is old else row
    return replace(row, more=new) if row.more is old else row


def exchanged(monkeypatch: pytest.MonkeyPatch, old: Table, new: Table) -> None:
    """Puts another table in the place of one, in rows that have it too."""
    changes = [(old, new)]
    for table in TABLES.values():
        rows = tuple(with_table(row, old, new) for row in table)
        if any(one != other for one, other in zip(rows, table, strict=True)):
            changes.append((table, rows))
    for module in modules():
        for name, value in list(vars(module).items()):
            for before, after in changes:
                if value is before:
                    monkeypatch.setattr(module, name, after)


def calls(test: Callable[..., None]) -> Iterator[dict[str, object]]:
    """The arguments of each run of a test."""
    axes: list[list[dict[str, object]]] = []
    for mark in getattr(test, "pytestmark", ()):
        names = mark.args[0] if isinstance(mark.args[0], (tuple, list)) else re.split(r",\s*", mark.args[0])
        axes.append([dict(zip(names, one if len(names) > 1 else (one,), strict=True)) for one in mark.args[1]])
    for chosen in itertools.product(*axes):
        yield {name: value for one in chosen for name, value in one.items()}


def run(mirror: str) -> None:
    module, _, name = mirror.partition(".")
    test = getattr(importlib.import_module(module), name)
    for arguments in calls(test):
        test(**arguments)


def test_every_row_has_a_mirror() -> None:
    assert {name: len(table) for name, table in TABLES.items()} == {name: len(tests) for name, tests in MIRRORS.items()}


@pytest.mark.parametrize("mirror", sorted({mirror for mirrors in MIRRORS.values() for mirror in mirrors}))
def test_a_mirror_holds(mirror: str) -> None:
    run(mirror)


@pytest.mark.parametrize(("name", "index"), [(name, at) for name, table in TABLES.items() for at in range(len(table))])
def test_no_row_can_go(name: str, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = TABLES[name]
    exchanged(monkeypatch, table, table[:index] + table[index + 1 :])
    # Without its last reason a row has none to give, and without a row a test may miss its problem.
    with pytest.raises((AssertionError, ValueError, RuntimeError, StopIteration, AttributeError, LookupError)):
        run(MIRRORS[name][index])


# --- what rows name ------------------------------------------------------------------------------------------------


def test_codes_of_rows_have_words() -> None:
    rows = [row for table in TABLES.values() for row in table if isinstance(row, Finding)]
    assert [row.code for row in rows if row.code not in CODES and not row.code.startswith("{")] == []


def test_a_row_of_reasons_ends_with_one_for_all_others() -> None:
    for name, table in TABLES.items():
        if isinstance(table[0], Reason):
            assert table[-1].when == (), name
            assert all(row.when for row in table[:-1]), name


def test_problems_are_made_at_one_place() -> None:
    """Rows and what has no row yet go through ``case.problem``; of several places all have rows."""
    for path in PATHS:
        made = [
            node.lineno
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
            and (name := getattr(node.func, "id", getattr(node.func, "attr", None)))
            and (name == "Problem" or (name == "problem" and path.parent.name == "points"))
        ]
        assert not made or path.name in ("case.py", "tls_room.py"), (path, made)


def test_what_a_text_names_is_there() -> None:
    """Attributes of what the row is shown, by its class as the table's annotation has it."""
    for path in PATHS:
        module = module_of(path)
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            found = re.search(r"(?:Finding|Reason|Phrase)\[(\w+)\]", ast.unparse(statement.annotation))
            if found is None:
                continue
            subject = vars(module)[found[1]]
            known = {
                name for one in inspect.getmro(subject) for name in (*vars(one), *getattr(one, "__annotations__", ()))
            }
            value = vars(module)[statement.target.id]
            for row in value if isinstance(value, tuple) else (value,):
                names = set(re.findall(r"\{(\w+)", " ".join(texts_of(row))))
                assert names <= known | {"usual"}, (path.name, statement.target.id, names - known)


def texts_of(row: object) -> Iterator[str]:
    if isinstance(row, Phrase):
        yield row.text
    elif isinstance(row, Reason):
        yield from (row.cause, row.remedy)
    elif isinstance(row, Finding):
        yield from (row.code, row.summary)
        for one in (*row.reasons, *row.more):
            yield from texts_of(one)
