"""The grammar as a handful of node kinds: what every generator walks instead of construct's classes.

``grammar()`` reads ``wire.grammar.MESSAGE`` into a ``Grammar``.  A construct class that this module does not know is a
``TypeError`` that names its place: a generator never guesses.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import construct as c

from dissector.wire import grammar as g

# --- expressions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """A field read before, of this group or of one around it."""

    name: str


@dataclass(frozen=True, slots=True)
class Param:
    """What the request says about its answer: ``operation`` or ``count``."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    value: int


@dataclass(frozen=True, slots=True)
class Compare:
    """``operator`` is one of ``< <= == >= >``."""

    operator: str
    left: Expression
    right: Expression


Expression = Name | Param | Constant | Compare

# --- nodes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Integer:
    """Big-endian integer of 1, 2, 4 or 8 bytes; ``table`` names what translates it for people."""

    size: int
    signed: bool
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Boolean:
    """One byte, 0 or 1 and nothing else if ``strict``, else all but 0 is true."""

    strict: bool


@dataclass(frozen=True, slots=True)
class Blob:
    """``size`` raw bytes."""

    size: Expression
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """ISO-8859-1 text behind a length of ``prefix`` bytes; ``number``: only what ``float`` reads is allowed."""

    prefix: int
    number: bool = False


@dataclass(frozen=True, slots=True)
class Nothing:
    """No bytes and no value."""


@dataclass(frozen=True, slots=True)
class Rest:
    """All bytes left, maybe none."""


@dataclass(frozen=True, slots=True)
class Recursive:
    """The one type that contains itself: ``Grammar.recursive``, at most ``depth`` deep."""

    depth: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """``count`` elements of at least ``at_least`` bytes; ``count`` None: up to the end of the message."""

    count: Expression | None
    element: Node
    at_least: int


@dataclass(frozen=True, slots=True)
class Maybe:
    """``node`` when ``condition`` holds, else no bytes and no value."""

    condition: Expression
    node: Node


@dataclass(frozen=True, slots=True)
class Case:
    """The codes that lead to ``node``; ``name`` (may be empty) becomes a part of the paths below it."""

    codes: tuple[int | str, ...]
    name: str
    node: Node


@dataclass(frozen=True, slots=True)
class Choice:
    """The case that ``key`` selects; ``otherwise`` says what a ``key`` without a case was meant to be."""

    key: Expression
    cases: tuple[Case, ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class Repeating:
    """``then`` where ``size`` bytes are all that is left and the first eight say ``value``, else ``otherwise``."""

    value: Expression
    size: int
    then: Case
    otherwise: Case


@dataclass(frozen=True, slots=True)
class Check:
    """What must be true of the fields before it."""

    condition: Expression
    reason: str


@dataclass(frozen=True, slots=True)
class Field:
    """A named member; a name with a leading underscore is a fork that does not show in paths."""

    name: str
    node: Node

    @property
    def is_fork(self) -> bool:
        return self.name.startswith("_")


@dataclass(frozen=True, slots=True)
class Group:
    """Members in order.  ``record`` is the dataclass that it makes ("" for none), ``members`` that class's fields."""

    record: str
    members: tuple[str, ...]
    items: tuple[Field | Check, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(item for item in self.items if isinstance(item, Field))


Node = Integer | Boolean | Blob | Text | Nothing | Rest | Recursive | Repeat | Maybe | Choice | Repeating | Group


@dataclass(frozen=True, slots=True)
class Grammar:
    root: Group
    recursive: Group


@dataclass(frozen=True, slots=True)
class Place:
    """A field or element with its full dotted path, array elements as ``[]`` (``invoke.params.arguments[].vt``).

    Below the recursive type paths begin anew with its name (``variant.vt``).
    """

    path: str
    node: Node


# --- reading construct ---------------------------------------------------------------------------------------------

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

    def node(self, sc: Any, path: str) -> Node:  # noqa: C901 - one line a kind
        match sc:
            case g.Record():
                return self.group(sc, path, sc.record.__name__, sc.names)
            case c.Struct():
                return self.group(sc, path, "", ())
            case c.Renamed() | c.Rebuild():
                return self.node(sc.subcon, path)
            case g.Shown():
                return self.shown(sc, path)
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
                items.append(Field(member.name, self.node(member, _join(path, member.name))))
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
            merged.setdefault((name, self.node(target, _join(path, name))), []).append(code)
        cases = tuple(Case(tuple(codes), name, node) for (name, node), codes in merged.items())
        return Choice(expression(sc.keyfunc, path), cases, sc.what)

    def way(self, target: Any, path: str) -> Case:
        return Case((), target.name, self.node(target, _join(path, target.name)))

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


# --- asking about the IR -------------------------------------------------------------------------------------------


def _join(path: str, name: str) -> str:
    if not name or name.startswith("_"):
        return path
    return f"{path}.{name}" if path else name


def places(node: Node, path: str = "") -> Iterator[Place]:
    """Every field, array and array element below ``node``, in wire order, with its path."""
    match node:
        case Group():
            for member in node.fields:
                below = _join(path, member.name)
                if not member.is_fork:
                    yield Place(below, member.node)
                yield from places(member.node, below)
        case Repeat():
            yield Place(f"{path}[]", node.element)
            yield from places(node.element, f"{path}[]")
        case Maybe():
            yield from places(node.node, path)
        case Choice() | Repeating():
            for case in cases(node):
                below = _join(path, case.name)
                if case.name:
                    yield Place(below, case.node)
                yield from places(case.node, below)
        case _:
            return


def cases(node: Choice | Repeating) -> tuple[Case, ...]:
    """The ways on from a fork."""
    return node.cases if isinstance(node, Choice) else (node.then, node.otherwise)


def below(node: Node) -> tuple[Node, ...]:
    """The nodes directly under ``node``."""
    match node:
        case Group():
            return tuple(member.node for member in node.fields)
        case Repeat():
            return (node.element,)
        case Maybe():
            return (node.node,)
        case Choice() | Repeating():
            return tuple(case.node for case in cases(node))
        case _:
            return ()


def least(node: Node) -> int:
    """Size of the smallest value of ``node`` in bytes."""
    match node:
        case Integer():
            return node.size
        case Boolean():
            return 1
        case Blob(size=Constant(value=size)):
            return size
        case Text():
            return node.prefix
        case Recursive():
            return 4
        case Group():
            return sum(least(child) for child in below(node))
        case Choice() | Repeating():
            return min(least(child) for child in below(node))
        case _:
            return 0
