"""The tables of ``docs/json.md``: every key of every record, as ``dissector.render.contract`` has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, is_typeddict

from dissector.render import contract
from dissector.render.schema import hints, name_of
from handbook.markdown import code, plain

TARGET = Path(__file__).resolve().parents[1] / "docs" / "json.md"
_TABLE = re.compile(r"(<!-- keys of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_WORDS = {
    object: "any JSON value",
    str: "text",
    bool: "true, false",
    int: "whole number",
    float: "number",
    NoneType: "null",
}
#: Lists of words that stand in the text below a table instead.
_MOST_WORDS = 9


def records() -> dict[str, Any]:
    """Every kind of record by its name in the schema."""
    return {name_of(one): one for one in vars(contract).values() if is_typeddict(one)}


def filled(page: str) -> str:
    """The page with its tables made anew.

    :raises KeyError: there is no such record
    """
    known = records()
    return _TABLE.sub(lambda match: f"{match[1]}{_table(known[match[2]])}{match[3]}", page)


def tabled(page: str) -> set[str]:
    """The records of which the page has a table."""
    return {match[2] for match in _TABLE.finditer(page)}


def _table(record: Any) -> str:
    rows = [f"| {code(key)} | {_kind(kind)} | {plain(_meaning(kind))} |" for key, kind in hints(record).items()]
    return "\n".join(("", "| key | value | |", "|---|---|---|", *rows, "", ""))


def _meaning(kind: Any) -> str:
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return next((note for note in notes if isinstance(note, str)), "")


def _kind(kind: Any) -> str:
    return ", ".join(dict.fromkeys(_words(kind)))


def _words(kind: Any) -> Iterator[str]:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield from ("time" if contract.MOMENT in parts else word for word in _words(parts[0]))
    elif origin in (Union, UnionType):
        for part in parts:
            yield from _words(part)
    elif origin is Literal:
        yield from map(code, parts if len(parts) <= _MOST_WORDS else (parts[0], "…", parts[-1]))
    elif origin is list:
        yield f"list of {_kind(parts[0])}"
    elif is_typeddict(kind):
        yield f"[{name_of(kind)}](#{name_of(kind)})"
    else:
        yield _WORDS[kind]
