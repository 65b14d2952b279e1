"""construct's declarations as the nodes of ``ir``.

``grammar()`` reads ``wire.grammar.MESSAGE`` into a ``Grammar``.  A construct class that this module does not know is a
``TypeError`` that names its place: a generator never guesses.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

import construct as c

from dissector.codegen.ir import (
    Blob,
    Boolean,
    Branch,
    Check,
    Choice,
    Compare,
    Constant,
    Expression,
    Field,
    Grammar,
    Group,
    Integer,
    Maybe,
    Name,
    Node,
    Nothing,
    Param,
    Recursive,
    Repeat,
    Repeating,
    Rest,
    Text,
    join,
)
from dissector.wire import grammar as g

_OPERATORS = {ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.GtE: ">=", ast.Gt: ">"}
_INTEGER = {"b": (1, True), "B": (1, False), "h": (2, True), "H": (2, False)}
_INTEGER |= {"l": (4, True), "L": (4, False), "q": (8, True), "Q": (8, False)}


def expression(value: object, path: str) -> Expression:
    """A ``this`` expression (read off its ``repr``, which is Python) or a plain number."""
    return _expression(ast.parse(repr(value), mode="eval").body, path)


def _expression(node: ast.expr, path: str) -> Expression:
    match node:
        case ast.Constant(value=int(number)):
            return Constant(number)
        case ast.Subscript(value=ast.Name(id="this"), slice=ast.Constant(value=str(name))):
            return Name(name)
        case ast.Subscript(
            value=ast.Subscript(value=ast.Name(id="this"), slice=ast.Constant(value="_params")),
            slice=ast.Constant(value=str(name)),
        ):
            return Param(name)
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _OPERATORS:
            return Compare(_OPERATORS[type(operator)], _expression(left, path), _expression(right, path))
        case _:
            raise TypeError(f"{path}: no generator knows the expression {ast.unparse(node)}")


@dataclass(slots=True)
class _Reader:
    """Walks construct's objects; the recursive type is met many times and read once."""

    nested: dict[int, Group] = field(default_factory=dict)

    def node(self, sc: Any, path: str) -> Node:
        """What holds other nodes; the rest are leaves."""
        match sc:
            case g.Record():
                return self.group(sc, path, sc.record.__name__, sc.names)
            case c.Struct():
                return self.group(sc, path, "", ())
            case c.Renamed() | c.Rebuild():
                return self.node(sc.subcon, path)
            case g.Shown():
                return self.shown(sc, path)
            case g.Counted():
                count = None if sc.count is None else expression(sc.count, path)
                return Repeat(count, self.node(sc.subcon, f"{path}[]"), sc.at_least)
            case g.Nested():
                return self.recursive(sc, path)
            case c.IfThenElse() if sc.elsesubcon is c.Pass:
                return Maybe(expression(sc.condfunc, path), self.node(sc.thensubcon, path))
            case g.Fork():
                return self.choice(sc, path)
            case g.Repeating():
                then, otherwise = self.way(sc.then, path), self.way(sc.otherwise, path)
                return Repeating(expression(sc.value, path), sc.then.sizeof(), then, otherwise)
            case _:
                return self.leaf(sc, path)

    def leaf(self, sc: Any, path: str) -> Node:
        match sc:
            case c.FormatField():
                return Integer(*_INTEGER[sc.fmtstr[1]])
            case _ if sc in (g.BOOL, g.TRUTH):
                return Boolean(strict=sc is g.BOOL)
            case c.Bytes():
                return Blob(expression(sc.length, path))
            case c.StringEncoded(subcon=c.Prefixed(lengthfield=prefix)) if sc.encoding == "latin-1":
                return Text(prefix.sizeof())
            case g.Number():
                text = self.node(sc.subcon, path)
                assert isinstance(text, Text)
                return Text(text.prefix, number=True)
            case _ if sc is c.GreedyBytes:
                return Rest()
            case _ if sc is c.Pass:
                return Nothing()
            case _:
                raise TypeError(f"{path}: no generator knows {sc!r}")

    def group(self, sc: Any, path: str, record: str, members: tuple[str, ...]) -> Group:
        items: list[Field | Check] = []
        for member in sc.subcons:
            if isinstance(member, g.Require):
                items.append(Check(expression(member.condition, path), member.reason))
            elif not member.name:
                raise TypeError(f"{path}: no generator knows the nameless {member!r}")
            else:
                items.append(Field(member.name, self.node(member, join(path, member.name))))
        return Group(record, members, tuple(items))

    def shown(self, sc: Any, path: str) -> Node:
        inner = self.node(sc.subcon, path)
        if isinstance(inner, Integer):
            return Integer(inner.size, inner.signed, sc.table)
        if isinstance(inner, Blob):
            return Blob(inner.size, sc.table)
        raise TypeError(f"{path}: no table for {inner!r}")

    def choice(self, sc: Any, path: str) -> Choice:
        """Codes that lead to the same node share a case."""
        merged: dict[tuple[str, Node], list[int | str]] = {}
        for code, target in sc.cases.items():
            name = target.name or ""
            merged.setdefault((name, self.node(target, join(path, name))), []).append(code)
        cases = tuple(Branch(tuple(codes), name, node) for (name, node), codes in merged.items())
        return Choice(expression(sc.keyfunc, path), cases, sc.what)

    def way(self, target: Any, path: str) -> Branch:
        return Branch((), target.name, self.node(target, join(path, target.name)))

    def recursive(self, sc: Any, path: str) -> Recursive:
        if id(sc) not in self.nested:
            self.nested[id(sc)] = Group("", (), ())
            found = self.node(sc.target, path)
            assert isinstance(found, Group)
            self.nested[id(sc)] = found
        return Recursive(sc.depth)


def grammar(root: Any = g.MESSAGE) -> Grammar:
    """The IR of ``root``.

    :raises TypeError: for a construct class, an expression or a shape that no generator knows; it names the path
    """
    reader = _Reader()
    group = reader.node(root, "")
    if not isinstance(group, Group) or len(reader.nested) != 1:
        raise TypeError("message: one struct with one recursive type is what generators know")
    return Grammar(group, next(iter(reader.nested.values())))
