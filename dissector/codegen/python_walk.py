"""The half of the generated decoder that drives a ``wire.fields.Reader``: ``walk_message``."""

from __future__ import annotations

from dissector.codegen.ir import (
    Blob,
    Boolean,
    Branch,
    Check,
    Choice,
    Grammar,
    Group,
    Integer,
    Leaf,
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
    cases,
)
from dissector.codegen.python_text import Lines, case_test, expression, literal, snake, used, variable

_HEAD = '''\
def walk_message(r: Reader, operation: str, count: int) -> None:
    """Reads a message field by field.

    :raises DecodeError: the message does not follow the grammar; it names the field
    """'''


class WalkHalf:
    """``lines`` is the text: one function a record, and ``walk_message``."""

    def __init__(self, grammar: Grammar) -> None:
        self.recursive = grammar.recursive
        self.functions: dict[str, list[str]] = {}
        self.function(grammar.recursive)
        root = Lines()
        self.items(grammar.root, root)
        self.lines = [line for body in self.functions.values() for line in [*body, "", ""]]
        self.lines += [_HEAD, *root.lines]

    def function(self, group: Group) -> None:
        name = snake(group.record)
        if name in self.functions:
            return
        self.functions[name] = []  # reserves the name: the group may contain itself
        out = Lines()
        self.items(group, out)
        count = ", count: int" if Param("count") in used(group) else ""
        self.functions[name] = [f"def _walk_{name}(r: Reader{count}) -> None:", *out.lines]

    def items(self, group: Group, out: Lines) -> None:
        names = {item.name: variable(item.name) for item in group.fields}
        kept = {atom.name for atom in used(group) if isinstance(atom, Name)}
        for item in group.items:
            if isinstance(item, Check):
                out.add(f"if not {expression(item.condition, names)}:", f'    r.refuse("", {item.reason!r})')
            else:
                keep = names[item.name] if item.name in kept else ""
                self.read(item.node, "" if item.is_fork else literal(item.name), keep, names, out)

    def read(self, node: Node, name: str, keep: str, names: dict[str, str], out: Lines) -> None:
        """Reads ``node`` as the field ``name`` (Python for it, "" for a fork) and keeps its value in ``keep``."""
        match node:
            case Recursive():
                out.add(f"with r.nested({name}, {node.depth}):", f"    _walk_{snake(self.recursive.record)}(r)")
            case Group(record=""):
                self.items(node, out)
            case Group():
                self.group(node, name, out)
            case Repeat():
                out.add(f"with r.group({name}):")
                inner = out.indented()
                count = "" if node.count is None else f"{expression(node.count, names)}, {node.at_least}"
                inner.add(f"for name in r.items({count}):" if count else "for name in r.items_to_end():")
                self.read(node.element, "name", "", names, inner.indented())
            case Maybe():
                out.add(f"if {expression(node.condition, names)}:")
                self.read(node.node, name, keep, names, out.indented())
            case Choice():
                self.choice(node, name, names, out)
            case Repeating():
                then, otherwise = cases(node)
                out.add(f"if r.repeats({expression(node.value, names)}, {node.size}):")
                self.case(then, name, names, out)
                out.add("else:")
                self.case(otherwise, name, names, out)
            case _:
                self.leaf(node, name, keep, names, out)

    def leaf(self, node: Leaf, name: str, keep: str, names: dict[str, str], out: Lines) -> None:
        assign = f"{keep} = " if keep else ""
        match node:
            case Integer():
                table = f", {node.table!r}" if node.table else ""
                out.add(f"{assign}r.integer({name}, {node.size}, {node.signed}{table})")
            case Boolean(strict=strict):
                out.add(f"{assign}r.{'boolean' if strict else 'truth'}({name})")
            case Blob():
                table = f", {node.table!r}" if node.table else ""
                out.add(f"r.blob({name}, {expression(node.size, names)}{table})")
            case Text():
                out.add(f"r.text({name}, {node.prefix}, {node.number})")
            case Rest():
                out.add(f"r.rest({name})")
            case Nothing():
                out.add("pass")

    def group(self, node: Group, name: str, out: Lines) -> None:
        if not node.items:
            out.add(f"with r.group({name}):", "    pass")
            return
        self.function(node)
        count = ", count" if Param("count") in used(node) else ""
        out.add(f"with r.group({name}):", f"    _walk_{snake(node.record)}(r{count})")

    def choice(self, node: Choice, name: str, names: dict[str, str], out: Lines) -> None:
        key = expression(node.key, names)
        for index, case in enumerate(node.cases):
            out.add(f"{'elif' if index else 'if'} {case_test(key, case)}:")
            self.case(case, name, names, out)
        out.add("else:", f'    r.refuse({name or literal("")}, f"unknown {node.otherwise} {{{key}}}")')

    def case(self, case: Branch, name: str, names: dict[str, str], out: Lines) -> None:
        self.read(case.node, literal(case.name) if case.name else name, "", names, out.indented())
