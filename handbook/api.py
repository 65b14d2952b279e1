"""The reference of the Python API: every public name of ``jstrace`` with its signature and what its docstring says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import jstrace
from handbook.markdown import block, code

_FIELD = re.compile(r"^:(?:raises|param|returns?) ?([^:]*):\s*")


def public() -> list[str]:
    """Names that ``jstrace`` lists, without those of the interpreter (``__version__``)."""
    return [name for name in jstrace.__all__ if not name.startswith("__")]


def reference() -> str:
    """The page; sections in the order of ``__all__``."""
    lines = ["# Python API: reference", "", *_docstring(jstrace), ""]
    for name in public():
        lines += [f"## {name}", "", *_described(name, getattr(jstrace, name)), ""]
    return "\n".join(lines) + "\n"


def _described(name: str, thing: Any) -> Iterator[str]:
    if inspect.isclass(thing):
        yield block(f"class {name}({', '.join(base.__name__ for base in thing.__bases__)})", "python")
        yield from _docstring(thing)
        yield from _members(thing)
    elif callable(thing):
        yield block(_signature(name, thing), "python")
        yield from _docstring(thing)
    else:
        yield block(f"{name} = {thing!r}", "python")


def _members(thing: type) -> Iterator[str]:
    """Annotated fields, then methods and properties of its own."""
    fields = {name: kind for name, kind in inspect.get_annotations(thing).items() if not name.startswith("_")}
    if fields:
        yield block("\n".join(f"{name}: {_type(kind)}" for name, kind in fields.items()), "python")
    for name, member in vars(thing).items():
        if name.startswith("_") or name in fields:
            continue
        if isinstance(member, property):
            yield from (f"### {thing.__name__}.{name}", "", *_docstring(member), "")
        elif inspect.isfunction(member):
            yield from (f"### {thing.__name__}.{name}", "", block(_signature(name, member), "python"))
            yield from (*_docstring(member), "")


def _type(kind: Any) -> str:
    return kind if isinstance(kind, str) else inspect.formatannotation(kind)


def _signature(name: str, thing: Any) -> str:
    """``def trace(path: str, *, task: int | None = None) -> Iterator[Task]``, a parameter a line where it is long."""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return f"{name}(...)"
    text = f"{name}{signature}"
    if len(text) < 100:
        return text
    parameters = "".join(f"    {one},\n" for one in str(signature).rpartition(") ->")[0].lstrip("(").split(", "))
    return f"{name}(\n{parameters}){str(signature).rpartition(')')[2]}"


def _docstring(thing: Any) -> Iterator[str]:
    """Its paragraphs; what is set in, or shows a session, as code."""
    for part in (inspect.getdoc(thing) or "").split("\n\n"):
        if part.startswith((" ", ">>>")):
            yield from (block(inspect.cleandoc("\n" + part), "pycon" if ">>>" in part else "text"), "")
        elif _FIELD.match(part):
            yield from (*(f"* {_words(line)}" for line in re.split(r"\n(?=:)", part)), "")
        else:
            yield from (_words(part), "")


def _words(part: str) -> str:
    raised = _FIELD.match(part)
    text = f"{code(raised[1])}: {part[raised.end() :]}" if raised and raised[1] else part
    return " ".join(text.replace("``", "`").split())
