"""Names and constants of Python as Lua writes them."""

from __future__ import annotations

import ast

from dissector.codegen.lua_tables import quoted

_KEYWORDS = frozenset(
    {
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local",
        "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"
    }
)  # fmt: skip


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
