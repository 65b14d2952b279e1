"""What both halves of the generated decoder are written with: indented lines, variables, expressions."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from dissector.codegen.ir import (
    Blob,
    Branch,
    Check,
    Choice,
    Compare,
    Constant,
    Expression,
    Group,
    Maybe,
    Name,
    Node,
    Param,
    Repeat,
    Repeating,
    below,
)


@dataclass(slots=True)
class Lines:
    """Python text under way; ``indented`` gives the same text one step further in."""

    depth: int = 1
    lines: list[str] = field(default_factory=list)

    def add(self, *lines: str) -> None:
        self.lines.extend("    " * self.depth + line if line else "" for line in lines)

    def indented(self) -> Lines:
        return Lines(self.depth + 1, self.lines)


def snake(record: str) -> str:
    """``GetIdsOfNames`` -> ``get_ids_of_names``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", record).lower()


def variable(name: str) -> str:
    """A field's name as a Python variable."""
    return f"{name}_" if keyword.iskeyword(name) else name


def literal(code: int | str) -> str:
    return f'"{code}"' if isinstance(code, str) else str(code)


def case_test(key: str, case: Branch) -> str:
    """The condition under which ``key`` selects ``case``."""
    if len(case.codes) == 1:
        return f"{key} == {literal(case.codes[0])}"
    return f"{key} in {{{', '.join(map(literal, case.codes))}}}"


def expression(found: Expression, names: dict[str, str]) -> str:
    """``found`` in Python; ``names`` maps fields to variables."""
    match found:
        case Name(name=name):
            return names[name]
        case Param(name=name):
            return name
        case Constant(value=value):
            return str(value)
        case Compare(operator=operator, left=left, right=right):
            return f"{expression(left, names)} {operator} {expression(right, names)}"


def nodes(node: Node) -> Iterator[Node]:
    """``node`` and all nodes below it."""
    yield node
    for child in below(node):
        yield from nodes(child)


def used(node: Node) -> set[Expression]:
    """Every field and parameter that is asked for in and below ``node``."""
    return {atom for part in nodes(node) for found in _expressions(part) for atom in _atoms(found)}


def _expressions(node: Node) -> Iterator[Expression]:
    match node:
        case Group():
            yield from (item.condition for item in node.items if isinstance(item, Check))
        case Blob(size=found) | Choice(key=found) | Maybe(condition=found) | Repeating(value=found):
            yield found
        case Repeat(count=found) if found is not None:
            yield found


def _atoms(found: Expression) -> Iterator[Expression]:
    if isinstance(found, Compare):
        yield from _atoms(found.left)
        yield from _atoms(found.right)
    else:
        yield found
