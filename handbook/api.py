"""The reference of the Python API: every public name of ``jstrace`` with its signature and what its docstring says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ForwardRef, is_typeddict

import jstrace
from handbook.markdown import block, code

_FIELD = re.compile(r"^:(raises|param|returns?) ?([^:]*):\s*")
#: A table of reStructuredText: two columns between lines of ``=``.
_TABLE = re.compile(r"=+ +=+\n(.*)\n=+ +=+", re.DOTALL)
_OPTION = re.compile(r" *# doctest: .*")
_LONGEST_SIGNATURE = 100
_RECORDS = "The keys are those of [the record in JSON](json.md)."


def public() -> list[str]:
    """Names that ``jstrace`` lists, without ``__version__``: functions, records, errors, modules."""
    names = [name for name in jstrace.__all__ if not name.startswith("__")]
    return sorted(names, key=lambda name: (_kind(getattr(jstrace, name)), name.lower()))


def _kind(thing: Any) -> int:
    if inspect.isclass(thing):
        return 2 if issubclass(thing, Exception) else 1
    return 0 if inspect.isroutine(thing) else 3


def reference() -> str:
    """The page, a section a name."""
    lines = ["# Python API: reference", "", *_docstring(jstrace), ""]
    for name in public():
        lines += [f"## {name}", "", *_described(name, getattr(jstrace, name)), ""]
    return "\n".join(lines) + "\n"


def _described(name: str, thing: Any) -> Iterator[str]:
    if is_typeddict(thing):
        yield from (*_docstring(thing), _RECORDS, "")
    elif inspect.isclass(thing):
        bases = [base.__name__ for base in thing.__bases__ if base is not object and not base.__name__.startswith("_")]
        yield block(f"class {name}({', '.join(bases)})" if bases else f"class {name}", "python")
        yield from _docstring(thing)
        yield from _members(thing)
    elif inspect.isroutine(thing):
        yield block(_signature(name, thing), "python")
        yield from _docstring(thing)
    elif isinstance(thing, ModuleType):
        yield from _docstring(thing)
    else:
        yield block(f"{name} = {_type(thing)}", "python")


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
    if isinstance(kind, ForwardRef):
        return kind.__forward_arg__
    return kind if isinstance(kind, str) else inspect.formatannotation(kind)


def _signature(name: str, function: Any) -> str:
    """``def trace(*paths: Path, jobs: int = 1) -> Trace[Task]``, a parameter a line where it is long."""
    whole = inspect.signature(function)
    parameters = [_parameter(one) for one in whole.parameters.values() if one.name != "self"]
    kinds = [one.kind for one in whole.parameters.values() if one.name != "self"]
    if inspect.Parameter.VAR_POSITIONAL not in kinds and inspect.Parameter.KEYWORD_ONLY in kinds:
        parameters.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    empty = whole.return_annotation is inspect.Signature.empty
    result = "" if empty else f" -> {_type(whole.return_annotation)}"
    line = f"def {name}({', '.join(parameters)}){result}"
    if len(line) <= _LONGEST_SIGNATURE:
        return line
    return f"def {name}(\n" + "".join(f"    {one},\n" for one in parameters) + f"){result}"


def _parameter(one: inspect.Parameter) -> str:
    """``jobs: int = 1``; a default that is a function is not spelt out."""
    if callable(one.default) and one.default is not inspect.Parameter.empty:
        one = one.replace(default=...)
    text = str(one.replace(annotation=inspect.Parameter.empty))
    if one.annotation is inspect.Parameter.empty:
        return text
    name, equals, default = text.partition("=")
    return f"{name}: {_type(one.annotation)}" + (f" = {default.replace('Ellipsis', '...')}" if equals else "")


# --- docstrings ----------------------------------------------------------------------------------------------------


def _docstring(thing: Any) -> Iterator[str]:
    """Its paragraphs; what is set in, or shows a session, as code."""
    for part in _parts(inspect.getdoc(thing) or ""):
        table = _TABLE.fullmatch(part)
        if table is not None:
            rows = (line.split(maxsplit=1) for line in table[1].splitlines())
            yield from ("| | |", "|---|---|", *(f"| {_words(name)} | {_words(words)} |" for name, words in rows), "")
        elif part.startswith((" ", ">>>")):
            language = "pycon" if part.startswith(">>>") else "python"
            yield from (block(_OPTION.sub("", inspect.cleandoc(f"\n{part}")), language), "")
        elif _FIELD.match(part):
            yield from (*(f"* {_field(line)}" for line in re.split(r"\n(?=:)", part)), "")
        elif part:
            yield from (_words(part), "")


def _parts(text: str) -> list[str]:
    """Paragraphs; those set in that follow each other are one piece of code."""
    found: list[str] = []
    for part in text.split("\n\n"):
        if found and part.startswith(" ") and found[-1].startswith(" "):
            found[-1] += f"\n\n{part}"
        else:
            found.append(part)
    return found


def _field(line: str) -> str:
    """``:raises X: words``"""
    match = _FIELD.match(line)
    assert match is not None
    kind, name = match[1], match[2]
    words = _words(line[match.end() :])
    return f"{'raises ' if kind == 'raises' else ''}{code(name)}: {words}" if name else words


def _words(part: str) -> str:
    return " ".join(part.replace("``", "`").split())
