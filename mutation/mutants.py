"""What can be changed in a module: the mutants of cosmic-ray but for those that can not make a difference.

Paths count from the current folder.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from mutation import FLOORS

#: Only when a module of it is named.
OTHERS = ("sources",)
GENERATED = frozenset({"dissector/wire/_decoder.py"})

#: Identity in place of equality or order: with numbers it is a matter of the interpreter, and nobody's mistake.
_IDENTITY = re.compile(r"(?!Is).*_Is(Not)?|Is_Eq|IsNot_NotEq")
#: Behind this stands how much memory and time is taken, or whether to check what holds by construction.
_COSTS = ("slots=", "maxsize=", "strict=")
#: Flags of regular expressions have different bits: their sum is their union.
_UNIONS = frozenset({"BitOr_Add", "BitOr_BitXor"})
_Place = tuple[int, int]


class Mutant(NamedTuple):
    """One change of a module: operator, which of the places that it fits to, and where that place begins and ends."""

    module: str
    operator: str
    occurrence: int
    start: _Place
    end: _Place

    @classmethod
    def of(cls, fields: list[Any]) -> Mutant:
        """From JSON."""
        module, operator, occurrence, start, end = fields
        return cls(module, operator, occurrence, tuple(start), tuple(end))

    @property
    def floor(self) -> str:
        return Path(self.module).parent.name

    @property
    def line(self) -> str:
        """Where it begins, without blanks around."""
        return Path(self.module).read_text(encoding="utf-8").splitlines()[self.start[0] - 1].strip()

    def sources(self) -> tuple[str, str]:
        """The module before and after."""
        before = Path(self.module).read_text(encoding="utf-8")
        return before, mutate_code(before, get_operator(self.operator)(), self.occurrence) or before

    def lines(self) -> tuple[str, str]:
        """The first line that it changes, before and after, without blanks around."""
        before, after = (source.splitlines() for source in self.sources())
        changed = (pair for pair in zip(before, after, strict=False) if pair[0] != pair[1])
        first, second = next(changed, ("", ""))
        return first.strip(), second.strip()


def modules(wanted: list[str]) -> list[str]:
    """Modules as paths: those of the lower floors, or what ``wanted`` names (files, folders, or parts of paths)."""
    found = [
        path.as_posix()
        for floor in (FLOORS + OTHERS if wanted else FLOORS)
        for path in sorted(Path("dissector", floor).glob("*.py"))
        if path.name != "__init__.py"
    ]
    return [name for name in found if name not in GENERATED and (not wanted or any(one in name for one in wanted))]


def mutants(module: str) -> Iterator[Mutant]:
    """All mutants of a module, in a fixed order."""
    code = Path(module).read_text(encoding="utf-8")
    nodes, unread, lines = list(ast_nodes(get_ast(code))), _annotations(code), code.splitlines()
    for operator in sorted(operator_names()):
        make, change = get_operator(operator), operator.partition("Operator_")[2]
        if make.arguments() or _IDENTITY.fullmatch(change):
            continue
        operation = make()
        places = (place for node in nodes for place in operation.mutation_positions(node))
        for occurrence, (start, end) in enumerate(places):
            line = lines[start[0] - 1]
            is_union = change in _UNIONS and line[end[1] :].startswith(" re.")
            is_marker = line[start[1] : end[1] + 1] == "*,"  # of parameters by name: instead of it "/" stands as well
            is_cost = line[: start[1]].endswith(_COSTS) or line.lstrip().startswith("@lru_cache")
            if is_cost or is_marker or is_union or any(low <= start < high for low, high in unread):
                continue
            yield Mutant(module, operator, occurrence, start, end)


def _annotations(code: str) -> list[tuple[_Place, _Place]]:
    """Where annotations stand: nobody evaluates them."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.AnnAssign, ast.arg)):
            found.append(node.annotation)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(node.returns)
    return [
        ((one.lineno, one.col_offset), (one.end_lineno or 0, one.end_col_offset or 0))
        for one in found
        if one is not None
    ]
