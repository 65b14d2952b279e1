"""Names and nesting of a message's fields in Wireshark, from the grammar: what the plugin has to show."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from dissector.codegen.from_construct import grammar
from dissector.codegen.ir import Choice, Grammar, Group, Maybe, Node, Recursive, Repeat, Repeating, cases
from dissector.codegen.lua_fields import by_code, is_number, of_code, of_element, of_field
from dissector.wire.fields import FieldNode


class Named(NamedTuple):
    """A node of a field tree with its name; ``is_number``: a group that says one number as text."""

    name: str
    level: int
    node: FieldNode
    is_number: bool = False


@lru_cache(maxsize=1)
def _grammar() -> Grammar:
    return grammar()


def named(root: FieldNode) -> Iterator[Named]:
    """The nodes below ``root`` in wire order, as ``wire.decode.fields`` gives them; those without bytes left out."""
    yield from _group(root, _grammar().root, 1)


def _group(parent: FieldNode, group: Group, level: int) -> Iterator[Named]:
    for child in parent.children:
        place = _place(group, parent, child.name)
        if place is not None:
            yield from _node(child, *place, level)
        elif child.end > child.start:  # what is no part of the grammar: undecoded, tunnel_token
            yield Named(child.name, level, child)


def _place(group: Group, parent: FieldNode, name: str) -> tuple[str, Node] | None:
    """Name and node of the member ``name`` of ``group``."""
    for item in group.fields:
        if item.name == name:
            if by_code(group, item):
                assert isinstance(item.node, Choice)
                return _coded(group.record, item.node, parent)
            return of_field(group.record, name), item.node
        found = _way(item.node, name) if item.is_fork else None
        if found is not None:
            return found
    return None


def _coded(record: str, choice: Choice, parent: FieldNode) -> tuple[str, Node]:
    """What a code of the same group selects."""
    key = getattr(choice.key, "name", "")
    code = next(node.value for node in parent.children if node.name == key)
    assert isinstance(code, int)
    return of_code(record, code), next(case.node for case in choice.cases if code in case.codes)


def _way(node: Node, name: str) -> tuple[str, Node] | None:
    """The member ``name`` behind a fork: a named way, or a member of a way without a name."""
    if isinstance(node, Group):
        return _place(node, FieldNode("", "", 0, 0), name)
    for case in cases(node) if isinstance(node, (Choice, Repeating)) else ():
        found = (name, case.node) if case.name == name else None if case.name else _way(case.node, name)
        if found is not None:
            return found
    return None


def _node(node: FieldNode, name: str, kind: Node, level: int) -> Iterator[Named]:
    if isinstance(kind, Maybe):
        yield from _node(node, name, kind.node, level)
        return
    if node.end == node.start:
        return
    yield Named(name, level, node, is_number(kind))
    if isinstance(kind, Recursive):
        kind = _grammar().recursive
    if isinstance(kind, Group):
        yield from _group(node, kind, level + 1)
    elif isinstance(kind, Repeat):
        for child in node.children:
            yield from _node(child, of_element(name, kind.element), kind.element, level + 1)
