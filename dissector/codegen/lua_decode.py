"""The grammar as Lua functions: one for each record, over a cursor (``lua/cursor.lua``) that also draws the tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from dissector.codegen.ir import (
    Blob,
    Boolean,
    Case,
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
)
from dissector.codegen.lua_fields import Fields, by_code, is_number, of_code, of_element, of_field, snake

_OPERATORS = {"<": "<", "<=": "<=", "==": "==", ">=": ">=", ">": ">"}


@dataclass(slots=True)
class _Body:
    """Lua text of one function and the variables that hold its fields."""

    group: Group
    variables: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    depth: int = 2
    count: int = 0

    def add(self, line: str) -> None:
        self.lines.append("  " * self.depth + line)

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def expression(self, found: Expression, path: str) -> str:
        match found:
            case Name(name=name) if name in self.variables:
                return self.variables[name]
            case Param(name=name):
                return f"c.{name}"
            case Constant(value=value):
                return str(value)
            case Compare(operator=operator, left=left, right=right) if operator in _OPERATORS:
                return f"{self.expression(left, path)} {_OPERATORS[operator]} {self.expression(right, path)}"
            case _:
                raise TypeError(f"{path}: the Lua generator does not know {found!r}")


class Functions:
    """Writes the functions; ``fields`` collects the ProtoFields that they need.

    :raises TypeError: for a node that Lua has no words for; it names the node's path
    """

    def __init__(self, source: Grammar) -> None:
        self.fields = Fields()
        self._source = source
        self._functions: dict[str, list[str]] = {}

    def lines(self) -> list[str]:
        """All functions, ``js.decode`` last."""
        root = _Body(self._source.root)
        self._items(self._source.root, root, "r", "")
        self._record(self._source.recursive, "variant")
        records = [line for lines in self._functions.values() for line in lines]
        return [*records, "  function js.decode(c)", "    local r = {}", *root.lines, "    return r", "  end"]

    def _record(self, group: Group, path: str) -> str:
        name = snake(group.record)
        if name not in self._functions:
            self._functions[name] = []
            body = _Body(group)
            self._items(group, body, "r", path)
            head = [f"  function R.{name}(c)", f'    local r = {{ record = "{name}" }}']
            self._functions[name] = [*head, *body.lines, "    return r", "  end", ""]
        return name

    # --- members -----------------------------------------------------------------------------------------------------

    def _items(self, group: Group, body: _Body, record: str, path: str) -> None:
        for item in group.items:
            if isinstance(item, Check):
                reason = item.reason.replace('"', '\\"')
                body.add(f'if not ({body.expression(item.condition, path)}) then C.refuse(c, "{reason}") end')
            elif item.is_fork:
                self._fork(item.node, body, record, path)
            else:
                self._member(group, item, body, record, f"{path}.{item.name}" if path else item.name)

    def _member(self, group: Group, item: Field, body: _Body, record: str, path: str) -> None:
        target = f"{record}.{item.name}" if item.name != "end" else f'{record}["end"]'
        if by_code(group, item) and isinstance(item.node, Choice):
            self._coded(group, item.node, body, target, path)
            return
        abbreviation = of_field(group.record, item.name)
        if isinstance(item.node, (Integer, Boolean, Blob, Text)):
            variable = body.fresh("v")
            body.add(f"local {variable}")
            self._value(item.node, abbreviation, body, variable, path)
            body.add(f"{target} = {variable}")
            body.variables[item.name] = variable
        else:
            self._value(item.node, abbreviation, body, target, path)

    def _fork(self, node: Node, body: _Body, record: str, path: str) -> None:
        """A choice between what the rest of the message is: its ways are named cases or further structs."""
        match node:
            case Choice(key=key, cases=cases, otherwise=otherwise):
                self._branches(body, body.expression(key, path), [(case.codes, case) for case in cases], record, path)
                body.add("else")
                body.add(f'  C.refuse(c, "unknown {otherwise} " .. tostring({body.expression(key, path)}))')
                body.add("end")
            case _:
                raise TypeError(f"{path}: the Lua generator does not know the fork {node!r}")

    def _branches(
        self, body: _Body, key: str, branches: list[tuple[tuple[int | str, ...], Case]], record: str, path: str
    ) -> None:
        for number, (codes, case) in enumerate(branches):
            body.add(f"{'elseif' if number else 'if'} {_test(key, codes)} then")
            body.depth += 1
            self._way(case, body, record, path)
            body.depth -= 1

    def _way(self, case: Case, body: _Body, record: str, path: str) -> None:
        path = f"{path}.{case.name}" if path and case.name else path or case.name
        match case.node:
            case Repeating(value=value, size=size, then=then, otherwise=otherwise):
                body.add(f"if C.repeats(c, {body.expression(value, path)}, {size}) then")
                body.depth += 1
                self._way(then, body, record, path)
                body.depth -= 1
                body.add("else")
                body.depth += 1
                self._way(otherwise, body, record, path)
                body.depth -= 1
                body.add("end")
            case Choice() as choice if not case.name:
                self._fork(choice, body, record, path)
            case Group(record="") as group if not case.name:
                self._items(group, body, record, path)
            case Group() as group if case.name:
                body.add(f'{record}.kind = "{case.name}"')
                self._value(group, case.name, body, f"{record}.body", path)
            case _:
                raise TypeError(f"{path}: the Lua generator does not know {case.node!r} here")

    # --- values ------------------------------------------------------------------------------------------------------

    def _value(self, node: Node, abbreviation: str, body: _Body, target: str, path: str) -> None:
        match node:
            case Nothing():
                return
            case Integer() | Boolean() | Text() | Blob() | Rest():
                f = self.fields.declare(abbreviation, node, path)
                body.add(f"{target} = {self._read(node, f, body, path)}")
            case Group():
                f = self.fields.declare(abbreviation, node, path)
                up, how = body.fresh("up"), "open_number" if is_number(node) else "open"
                body.add(f"local {up} = C.{how}(c, {f})")
                body.add(f"{target} = R.{self._record(node, path)}(c)")
                body.add(f"C.close(c, {up})")
            case Recursive():
                f = self.fields.declare(abbreviation, node, path)
                up = body.fresh("up")
                body.add("C.enter(c)")
                body.add(f"local {up} = C.open(c, {f})")
                body.add(f"{target} = R.{snake(self._source.recursive.record)}(c)")
                body.add(f"C.close(c, {up})")
                body.add("c.level = c.level - 1")
            case Repeat():
                self._repeat(node, abbreviation, body, target, path)
            case Maybe(condition=condition, node=inner):
                body.add(f"if {body.expression(condition, path)} then")
                body.depth += 1
                self._value(inner, abbreviation, body, target, path)
                body.depth -= 1
                body.add("end")
            case _:
                raise TypeError(f"{path}: the Lua generator does not know {node!r}")

    def _read(self, node: Node, f: str, body: _Body, path: str) -> str:
        match node:
            case Integer(table="message_class" | "command" as table):
                return f"C.letter(c, {f}, js.tables.{table})"
            case Integer(size=size, signed=signed):
                return f"C.{'i' if signed else 'u'}{size}(c, {f})"
            case Boolean():
                return f"C.bool(c, {f})"
            case Blob(table="guid"):
                return f"C.guid(c, {f})"
            case Blob(size=size):
                return f"C.blob(c, {f}, {body.expression(size, path)})"
            case Text(prefix=prefix, number=number):
                return f"C.text(c, {f}, {prefix}, {str(number).lower()})"
            case _:
                return f"C.rest(c, {f})"

    def _repeat(self, node: Repeat, abbreviation: str, body: _Body, target: str, path: str) -> None:
        f = self.fields.declare(abbreviation, node, path)
        up, found = body.fresh("up"), body.fresh("e")
        body.add(f"{target} = {{}}")
        if node.count is None:
            body.add("if c.p < c.n then")
            loop = "while c.p < c.n do"
        else:
            count = body.expression(node.count, path)
            body.add(f"if {count} > 0 then")
            body.add(f"  C.fits(c, {count}, {node.at_least})")
            loop = f"for _ = 1, {count} do"
        body.depth += 1
        body.add(f"local {up} = C.open(c, {f})")
        body.add(f"local list = {target}")
        body.add(loop)
        body.depth += 1
        body.add(f"local {found}")
        self._value(node.element, of_element(abbreviation, node.element), body, found, f"{path}[]")
        body.add(f"list[#list + 1] = {found}")
        body.depth -= 1
        body.add("end")
        body.add(f"C.close(c, {up})")
        body.depth -= 1
        body.add("end")

    def _coded(self, group: Group, node: Choice, body: _Body, target: str, path: str) -> None:
        """A value whose VARIANT type was read before: a field for each type."""
        key = body.expression(node.key, path)
        first = True
        for case in node.cases:
            by_name: dict[str, list[int]] = {}
            for code in case.codes:
                if not isinstance(code, int) or case.name:
                    raise TypeError(f"{path}: the Lua generator does not know the case {case!r}")
                by_name.setdefault(of_code(group.record, code), []).append(code)
            for abbreviation, codes in by_name.items():
                body.add(f"{'if' if first else 'elseif'} {_test(key, tuple(codes))} then")
                first = False
                body.depth += 1
                self._value(case.node, abbreviation, body, target, path)
                body.depth -= 1
        body.add("else")
        body.add(f'  C.refuse(c, "unknown {node.otherwise} " .. string.format("%.0f", {key}))')
        body.add("end")


def _test(key: str, codes: tuple[int | str, ...]) -> str:
    numbers = sorted(code for code in codes if isinstance(code, int))
    if len(numbers) > 3:
        return " or ".join(f"({key} >= {low} and {key} <= {high})" for low, high in _runs(numbers))
    return " or ".join(f'{key} == "{code}"' if isinstance(code, str) else f"{key} == {code}" for code in codes)


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


__all__ = ["Functions"]
