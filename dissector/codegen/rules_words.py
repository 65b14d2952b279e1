"""Names and constants of Python as Lua writes them."""

from __future__ import annotations

import ast
import re

from dissector.codegen.lua_tables import quoted

_KEYWORDS = frozenset(
    {
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local",
        "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"
    }
)  # fmt: skip
#: What means the same in both: letters and blanks, sets of letters, and either with ``?``.
_SIMPLE = re.compile(r"(?:(?:[A-Za-z ]|\[[a-z]+\])\??)+")


def word(name: str) -> str:
    """A Lua variable."""
    return f"{name}_" if name in _KEYWORDS else name


def member(name: str) -> str:
    """Access to a member of a table."""
    return f'["{name}"]' if name in _KEYWORDS else f".{name}"


def targets(target: ast.expr) -> list[str]:
    """The names that an assignment binds."""
    if isinstance(target, ast.Name):
        return [target.id]
    return [name for one in target.elts for name in targets(one)] if isinstance(target, ast.Tuple) else []


def alternatives(pattern: ast.expr) -> list[str] | None:
    """A regular expression as patterns of Lua, any of which is to fit; None where Lua has no words for it."""
    if not isinstance(pattern, ast.Constant) or not isinstance(pattern.value, str):
        return None
    found = pattern.value.split("|")
    return found if all(map(_SIMPLE.fullmatch, found)) else None


def literal(value: object) -> str:
    """A constant in Lua."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, bytes):
        return quoted(value.decode("latin-1"))
    assert isinstance(value, str), value
    return quoted(value.encode("utf-8").decode("latin-1"))
