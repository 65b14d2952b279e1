"""The grammar as a handful of node kinds: what every generator walks instead of construct's classes.

``from_construct`` reads it off the declarations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
class Branch:
    """The codes that lead to ``node``; ``name`` (may be empty) becomes a part of the paths below it."""

    codes: tuple[int | str, ...]
    name: str
    node: Node


@dataclass(frozen=True, slots=True)
class Choice:
    """The case that ``key`` selects; ``otherwise`` says what a ``key`` without a case was meant to be."""

    key: Expression
    cases: tuple[Branch, ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class Repeating:
    """``then`` where ``size`` bytes are all that is left and the first eight say ``value``, else ``otherwise``."""

    value: Expression
    size: int
    then: Branch
    otherwise: Branch


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


#: What holds no other node.
Leaf = Integer | Boolean | Blob | Text | Nothing | Rest
Node = Leaf | Recursive | Repeat | Maybe | Choice | Repeating | Group


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


# --- asking about the IR -------------------------------------------------------------------------------------------


def join(path: str, name: str) -> str:
    """The path of a field or case below ``path``; forks do not show."""
    if not name or name.startswith("_"):
        return path
    return f"{path}.{name}" if path else name


def places(node: Node, path: str = "") -> Iterator[Place]:
    """Every field, array and array element below ``node``, in wire order, with its path."""
    match node:
        case Group():
            for member in node.fields:
                below = join(path, member.name)
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
                below = join(path, case.name)
                if case.name:
                    yield Place(below, case.node)
                yield from places(case.node, below)
        case _:
            return


def cases(node: Choice | Repeating) -> tuple[Branch, ...]:
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
