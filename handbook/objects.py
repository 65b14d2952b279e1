"""The page of objects: what ``wire/interfaces.json`` and ``wire/ids.json`` have of those on a callback connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from handbook.markdown import code, plain


def _table(name: str) -> Any:
    return json.loads(files("dissector.wire").joinpath(name).read_text(encoding="utf-8"))


def object_page() -> str:
    """A section a class, a line a member; then the ids."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("# Objects of the callback connection", "")
    yield "Methods and properties by class; [the protocol](protocol.md#names-and-ids) has them on the wire. A member"
    yield "without releases is in all of 1.3 to 1.13; arguments in brackets may be left out."
    yield ""
    for key, entry in _table("interfaces.json")["classes"].items():
        yield from (f"## {key}", "", code(entry["title"]), "", "| dispid | member | kind | result | releases |")
        yield "|---:|---|---|---|---|"
        for member in entry["members"]:
            releases = ", ".join(member.get("releases", ()))
            kind, result = member["kind"], plain(member["result"] or "")
            yield f"| {member['dispid']} | {code(_signature(member))} | {kind} | {result} | {releases} |"
        yield ""
    yield from ("## Ids", "", "| name | kind | id |", "|---|---|---|")
    for entry in _table("ids.json"):
        yield f"| {plain(entry['name'])} | {entry['kind']} | {code(entry['guid'])} |"


def _signature(member: dict[str, Any]) -> str:
    arguments = [argument.replace("BYREF|", "BYREF ") for argument in member["args"]]
    needed = len(arguments) - member.get("optional", 0)
    shown = [argument if place < needed else f"[{argument}]" for place, argument in enumerate(arguments)]
    return f"{member['name']}({', '.join(shown)})" if shown or member["kind"] == "method" else str(member["name"])
