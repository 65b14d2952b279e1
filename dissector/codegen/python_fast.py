"""The half of the generated decoder that builds records: ``decode_message``.

No read checks its bounds: a slice behind the end is short, ``unpack_from`` raises, and the offset only grows, so the
caller's one comparison of the final offset with the message's length finds what is left.  Each record outside of
a loop or branch is read inline, every other one by a function of its own.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from dissector.codegen.ir import (
    Blob,
    Boolean,
    Branch,
    Check,
    Choice,
    Constant,
    Field,
    Grammar,
    Group,
    Integer,
    Leaf,
    Maybe,
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
from dissector.codegen.python_text import Lines, case_test, expression, nodes, snake, used, variable

_HEAD = '''\
def decode_message(data: bytes, operation: str, count: int) -> tuple[Any, int]:
    """The record of a message and the offset behind it; an offset behind the end of ``data`` tells of a cut message.

    :raises ValueError, IndexError, struct.error: ``data`` does not follow the grammar
    """'''

_FORMATS = {1: "b", 2: "h", 4: "i", 8: "q"}


@dataclass(slots=True)
class _Block:
    """A place in the text: its lines, the variables that hold fields, and the offset of the next byte.

    The offset is ``base + delta``; ``base`` is ``o`` or nothing.  ``into`` is what an inlined group's variables begin
    with, ``depth`` the expression for how deep variants may still nest.
    """

    out: Lines
    depth: str
    base: str = "o"
    delta: int = 0
    into: str = ""
    names: dict[str, str] = field(default_factory=dict)

    @property
    def here(self) -> str:
        return self.ahead(0)

    def ahead(self, size: int) -> str:
        """The offset ``size`` bytes further on."""
        delta = self.delta + size
        if not self.base:
            return str(delta)
        return f"{self.base} + {delta}" if delta else self.base

    def settle(self) -> None:
        """Makes ``o`` itself the offset."""
        if self.base and self.delta:
            self.out.add(f"o += {self.delta}")
        elif not self.base:
            self.out.add(f"o = {self.delta}")
        self.base, self.delta = "o", 0

    def settled(self) -> None:
        """Code just written left the offset in ``o``."""
        self.base, self.delta = "o", 0

    def branch(self) -> _Block:
        return replace(self, out=self.out.indented(), names=dict(self.names))

    def refuse_if(self, condition: str) -> None:
        self.out.add(f"if {condition}:", "    raise ValueError")


class FastHalf:
    """``lines`` is the text, ``structs`` the formats that it unpacks, ``records`` the dataclasses that it makes."""

    def __init__(self, grammar: Grammar) -> None:
        self.recursive = grammar.recursive
        self.nested = {node.record for node in nodes(grammar.recursive) if isinstance(node, Group)}
        self.structs: set[str] = set()
        self.records: set[str] = set()
        self.functions: dict[str, list[str]] = {}
        depth = next(node.depth for node in nodes(grammar.root) if isinstance(node, Recursive))
        self.depth = str(depth)
        self.function(grammar.recursive)
        root = _Block(Lines(), self.depth, base="")
        self.items(grammar.root, root)
        self.lines = [line for body in self.functions.values() for line in [*body, "", ""]]
        self.lines += [_HEAD, *root.out.lines]

    # --- groups ---

    def function(self, group: Group) -> None:
        """Writes the function that reads ``group``, once."""
        name = snake(group.record)
        if name in self.functions:
            return
        self.functions[name] = []  # reserves the name: the group may contain itself
        nested = group.record in self.nested
        outer = _outer(group)
        parameters = ["data: bytes", "o: int", *(["depth: int"] if nested else []), *(f"{one}: int" for one in outer)]
        parameters += ["count: int"] if Param("count") in used(group) else []
        block = _Block(Lines(), "depth" if nested else self.depth, names={one: one for one in outer})
        if group == self.recursive:
            block.refuse_if("not depth")
            block.depth = "depth - 1"
        self.items(group, block)
        block.out.add(f"return {self.record(group, block)}, {block.here}")
        head = f"def _{name}({', '.join(parameters)}) -> tuple[{group.record}, int]:"
        self.functions[name] = [head, *block.out.lines]

    def record(self, group: Group, block: _Block) -> str:
        self.records.add(group.record)
        return f"{group.record}({', '.join(block.names[member] for member in group.members)})"

    def call(self, group: Group, block: _Block) -> str:
        """An expression for the tuple of ``group``'s record and the offset behind it."""
        if not group.items:
            return f"{self.record(group, block)}, {block.here}"
        self.function(group)
        arguments = ["data", block.here, *([block.depth] if group.record in self.nested else [])]
        arguments += [block.names[one] for one in _outer(group)]
        arguments += ["count"] if Param("count") in used(group) else []
        return f"_{snake(group.record)}({', '.join(arguments)})"

    def items(self, group: Group, block: _Block) -> None:
        """Reads the members of ``group``; a run of members of fixed size is unpacked at once, then checked."""
        run: list[tuple[str, str]] = []
        checks: list[str] = []
        for item in group.items:
            if isinstance(item, Check):
                checks.append(f"not {expression(item.condition, block.names)}")
                continue
            target = block.names[item.name] = variable(block.into + item.name)
            if form := _form(item.node):
                run.append((form, target))
                continue
            if isinstance(item.node, Text):
                run.append((_FORMATS[item.node.prefix].upper(), f"{target}_size"))
            self.unpack(run, block, checks)
            self.field(item, target, block)
        self.unpack(run, block, checks)

    def field(self, item: Field, target: str, block: _Block) -> None:
        match item.node:
            case Text():
                self.text(item.node, target, block)
            case Group() if not item.is_fork:
                inner = replace(block, into=f"{target}_", names=dict(block.names))
                self.items(item.node, inner)
                block.base, block.delta = inner.base, inner.delta
                block.out.add(f"{target} = {self.record(item.node, inner)}")
            case _:
                self.read(item.node, "" if item.is_fork else target, block)

    def unpack(self, run: list[tuple[str, str]], block: _Block, checks: list[str] | None = None) -> None:
        """Reads the ``run`` of (format, variable; ``?`` is a strict bool), makes the ``checks``, and empties both."""
        if run:
            forms = "".join(form for form, _ in run)
            size = struct.calcsize(f">{forms}")
            targets = ", ".join(target for _, target in run)
            if forms in ("B", "?"):
                block.out.add(f"{targets} = data[{block.here}]")
            elif len(run) == 1 and forms.endswith("s"):
                block.out.add(f"{targets} = data[{block.here}:{block.ahead(size)}]")
            else:
                layout = forms.replace("?", "B")
                self.structs.add(layout)
                block.out.add(f"{targets}{',' * (len(run) == 1)} = _unpack_{layout}(data, {block.here})")
            block.delta += size
        checks = checks if checks is not None else []
        for condition in [*checks, *(f"{target} > 1" for form, target in run if form == "?")]:
            block.refuse_if(condition)
        checks.clear()
        run.clear()

    # --- values ---

    def read(self, node: Node, target: str, block: _Block) -> None:
        """Reads ``node`` into the variable ``target``; without target returns the record with its end."""
        match node:
            case Recursive():
                block.out.add(f"{target}, o = _{snake(self.recursive.record)}(data, {block.here}, {block.depth})")
                block.settled()
            case Group(record=""):
                self.items(node, block)
            case Group():
                block.out.add(
                    f"{target}, o = {self.call(node, block)}" if target else f"return {self.call(node, block)}"
                )
                block.settled()
            case Repeat():
                self.repeat(node, target, block)
            case Maybe():
                self.maybe(node, target, block)
            case Choice():
                key = expression(node.key, block.names)
                self.fork([(case_test(key, case), case) for case in node.cases], target, block)
                block.out.add("else:", "    raise ValueError")
                block.settled()
            case Repeating():
                self.repeating(node, target, block)
            case _:
                self.leaf(node, target, block)

    def leaf(self, node: Leaf, target: str, block: _Block) -> None:
        match node:
            case Integer() | Boolean() | Blob(size=Constant()):
                self.unpack([(_form(node), target)], block)
                if isinstance(node, Boolean):
                    block.out.add(f"{target} = {target} != 0")
            case Blob(size=size):
                block.settle()
                wanted = expression(size, block.names)
                block.out.add(f"{target} = data[o:o + {wanted}]", f"o += {wanted}")
            case Text():
                self.unpack([(_FORMATS[node.prefix].upper(), f"{target}_size")], block)
                self.text(node, target, block)
            case Nothing():
                block.out.add(f"{target} = None")
            case Rest():
                pass  # the offset behind the record tells where it begins

    def text(self, node: Text, target: str, block: _Block) -> None:
        """The characters of a text whose length is in ``<target>_size``."""
        block.settle()
        encoding = "ascii" if node.number else "latin-1"
        block.out.add(f'{target} = data[o:o + {target}_size].decode("{encoding}")', f"o += {target}_size")
        if node.number:
            block.out.add(f"float({target})")

    def repeat(self, node: Repeat, target: str, block: _Block) -> None:
        block.settle()
        if node.count is None:
            block.out.add(f"{target}_list = []", "while o < len(data):")
            self.element(node, target, block)
            block.out.add(f"{target} = tuple({target}_list)")
            return
        count = expression(node.count, block.names)
        block.out.add(f"{target} = ()", f"if {count}:")
        inner = block.branch()
        inner.refuse_if(f"{count} * {node.at_least} > len(data) - o")
        inner.out.add(f"{target}_list = []", f"for _ in range({count}):")
        self.element(node, target, inner)
        inner.out.add(f"{target} = tuple({target}_list)")

    def element(self, node: Repeat, target: str, block: _Block) -> None:
        inner = block.branch()
        self.read(node.element, f"{target}_one", inner)
        inner.settle()
        inner.out.add(f"{target}_list.append({target}_one)")

    def maybe(self, node: Maybe, target: str, block: _Block) -> None:
        block.settle()
        block.out.add(f"{target} = None", f"if {expression(node.condition, block.names)}:")
        inner = block.branch()
        self.read(node.node, target, inner)
        inner.settle()

    def fork(self, ways: list[tuple[str, Branch]], target: str, block: _Block) -> None:
        """An ``if`` chain over ``ways``; what follows it is for the caller to add."""
        for index, (test, case) in enumerate(ways):
            block.out.add(f"{'elif' if index else 'if'} {test}:")
            inner = block.branch()
            self.read(case.node, target, inner)
            if target:
                inner.settle()

    def repeating(self, node: Repeating, target: str, block: _Block) -> None:
        value = expression(node.value, block.names)
        start = block.here
        repeated = f'int.from_bytes(data[{start}:{block.ahead(8)}], "big") == {value}'
        then, otherwise = cases(node)
        self.fork([(f"len(data) - {start} == {node.size} and {repeated}", then)], target, block)
        block.out.add("else:")
        inner = block.branch()
        self.read(otherwise.node, target, inner)
        if target:
            inner.settle()
        block.settled()


def _form(node: Node) -> str:
    """Format of a node of fixed size for ``struct`` (``?`` for a strict bool), "" for any other."""
    match node:
        case Integer(size=size, signed=signed):
            return _FORMATS[size] if signed else _FORMATS[size].upper()
        case Boolean(strict=strict):
            return "?" if strict else "B"
        case Blob(size=Constant(value=size)):
            return f"{size}s"
        case _:
            return ""


def _outer(group: Group) -> list[str]:
    """Members of ``group``'s record that it does not read itself."""
    own = {item.name for item in group.fields}
    return [member for member in group.members if member not in own]
