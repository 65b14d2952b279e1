"""The grammar as Lua functions: one for each record, over a cursor (``lua/cursor.lua``) that also draws the tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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
)
from dissector.codegen.lua_fields import Fields, by_code, is_number, of_code, of_element, of_field, snake

#: Says of a field's name whether anybody reads it from the record.
Wanted = Callable[[str], bool]

_OPERATORS = {"<": "<", "<=": "<=", "==": "==", ">=": ">=", ">": ">"}


@dataclass(slots=True)
class FunctionBody:
    """Lua text of one function; ``variables`` hold what later nodes refer to, ``kept`` what the record will hold."""

    group: Group
    variables: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    depth: int = 2
    count: int = 0

    def add(self, line: str) -> None:
        self.lines.append("  " * self.depth + line)

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def keep(self, name: str) -> str:
        """The variable of a field of the record; the same name in another branch is the same field."""
        return self.kept.setdefault(name, f"f{len(self.kept) + 1}")

    def is_kept(self, name: str) -> bool:
        return name in self.kept

    def function(self, head: str, more: str = "", *, has_name: bool = True) -> list[str]:
        """The whole function.  The record is made at its end, so that the table has its size at once.

        :param more: what is returned behind the record
        :param has_name: the record says its name
        """
        declared = [f"    local {', '.join(self.kept.values())}"] if self.kept else []
        record = [f'record = "{snake(self.group.record)}"'] if self.group.record and has_name else []
        items = [f"{_key(name)} = {variable}" for name, variable in self.kept.items()]
        made = f"    return {{ {', '.join([*record, *items])} }}{more}"
        return [f"  {head}", *declared, *self.lines, made, "  end", ""]

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

    def __init__(self, source: Grammar, wanted: Wanted = lambda _: True) -> None:
        self.fields = Fields()
        self._wanted = wanted
        self._source = source
        self._functions: dict[str, list[str]] = {}

    def lines(self) -> list[str]:
        """All functions, ``js.decode`` last."""
        root = FunctionBody(self._source.root)
        self._items(self._source.root, root, "")
        self._record(self._source.recursive, "variant")
        records = [line for lines in self._functions.values() for line in lines]
        return [*records, *root.function("function js.decode(c)")[:-1]]

    def _record(self, group: Group, path: str) -> str:
        name = snake(group.record)
        if name not in self._functions:
            self._functions[name] = []
            body = FunctionBody(group)
            self._items(group, body, path)
            self._functions[name] = body.function(f"function R.{name}(c)")
        return name

    # --- members -----------------------------------------------------------------------------------------------------

    def _items(self, group: Group, body: FunctionBody, path: str) -> None:
        for item in group.items:
            if isinstance(item, Check):
                reason = item.reason.replace('"', '\\"')
                body.add(f"if not ({body.expression(item.condition, path)}) then")
                self._refuse(body, f'"{reason}"')
                body.add("end")
            elif item.is_fork:
                self._fork(item.node, body, path)
            else:
                self._member(group, item, body, f"{path}.{item.name}" if path else item.name)

    def _refuse(self, body: FunctionBody, words: str, name: str = "") -> None:
        """``words`` are a Lua expression; ``name`` is the field that is refused, where it is one."""
        field = f', nil, "{name}"' if name else ""
        body.add(f"  C.refuse(c, {words}{field})")

    def _declare(self, item: Field, body: FunctionBody) -> str:
        """The variable of a field, kept in the record or not."""
        is_kept = body.is_kept(item.name) or self._wanted(item.name)
        target = body.keep(item.name) if is_kept else body.fresh("v")
        if not is_kept:
            body.add(f"local {target}")
        body.variables[item.name] = target
        return target

    def _member(self, group: Group, item: Field, body: FunctionBody, path: str) -> None:
        target = self._declare(item, body)
        if by_code(group, item) and isinstance(item.node, Choice):
            self._coded(group, item, item.node, body, target, path)
            return
        self._value(item.node, of_field(group.record, item.name), body, target, path)

    def _fork(self, node: Node, body: FunctionBody, path: str) -> None:
        """A choice between what the rest of the message is: its ways are named cases or further structs."""
        match node:
            case Choice(key=key, cases=cases, otherwise=otherwise):
                self._branches(body, body.expression(key, path), [(case.codes, case) for case in cases], path)
                body.add("else")
                self._refuse(body, f'"unknown {otherwise} " .. tostring({body.expression(key, path)})')
                body.add("end")
            case _:
                raise TypeError(f"{path}: the Lua generator does not know the fork {node!r}")

    def _branches(
        self, body: FunctionBody, key: str, branches: list[tuple[tuple[int | str, ...], Branch]], path: str
    ) -> None:
        for number, (codes, case) in enumerate(branches):
            body.add(f"{'elseif' if number else 'if'} {_test(key, codes)} then")
            body.depth += 1
            self._way(case, body, path)
            body.depth -= 1

    def _way(self, case: Branch, body: FunctionBody, path: str) -> None:
        path = f"{path}.{case.name}" if path and case.name else path or case.name
        match case.node:
            case Repeating(value=value, size=size, then=then, otherwise=otherwise):
                body.add(f"if {self._repeats(body.expression(value, path), size)} then")
                body.depth += 1
                self._way(then, body, path)
                body.depth -= 1
                body.add("else")
                body.depth += 1
                self._way(otherwise, body, path)
                body.depth -= 1
                body.add("end")
            case Choice() as choice if not case.name:
                self._fork(choice, body, path)
            case Group(record="") as group if not case.name:
                self._items(group, body, path)
            case Group() as group if case.name:
                self._value(group, case.name, body, body.keep("body"), path)
            case _:
                raise TypeError(f"{path}: the Lua generator does not know {case.node!r} here")

    # --- values ------------------------------------------------------------------------------------------------------

    def _value(self, node: Node, abbreviation: str, body: FunctionBody, target: str, path: str) -> None:
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

    def _read(self, node: Node, f: str, body: FunctionBody, path: str) -> str:
        match node:
            case Integer(table="message_class" | "command" as table):
                return f"C.letter(c, {f}, js.tables.{table})"
            case Integer(size=size, signed=signed):
                return f"C.{'i' if signed else 'u'}{size}(c, {f})"
            case Boolean(strict=strict):
                return f"C.{'bool' if strict else 'truth'}(c, {f})"
            case Blob(table="guid"):
                return f"C.guid(c, {f})"
            case Blob(size=size):
                return f"C.blob(c, {f}, {body.expression(size, path)})"
            case Text(prefix=prefix, number=number):
                return f"C.text(c, {f}, {prefix}, {str(number).lower()})"
            case _:
                return f"C.rest(c, {f})"

    def _repeats(self, value: str, size: int) -> str:
        """True when ``size`` bytes are left and the first eight say ``value``."""
        return f"C.repeats(c, {value}, {size})"

    def _repeat(self, node: Repeat, abbreviation: str, body: FunctionBody, target: str, path: str) -> None:
        f = self.fields.declare(abbreviation, node, path)
        up, found = body.fresh("up"), body.fresh("e")
        body.add(f"{target} = NONE")
        if node.count is None:
            body.add("if c.p < c.n then")
            loop = "while c.p < c.n do"
        else:
            count = body.expression(node.count, path)
            body.add(f"if {count} > 0 then")
            body.add(f"  C.fits(c, {count}, {node.at_least}, {f})")
            loop = f"for _ = 1, {count} do"
        body.depth += 1
        body.add(f"local {up} = C.open(c, {f})")
        body.add(f"{target} = {{}}")
        body.add(f"local list = {target}")
        body.add(loop)
        body.depth += 1
        body.add(f"local {found}")
        element = of_element(abbreviation, node.element)
        self.fields.path_names[element] = "[]"
        self._value(node.element, element, body, found, f"{path}[]")
        body.add(f"list[#list + 1] = {found}")
        body.depth -= 1
        body.add("end")
        body.add(f"C.close(c, {up})")
        body.depth -= 1
        body.add("end")

    def _coded(self, group: Group, item: Field, node: Choice, body: FunctionBody, target: str, path: str) -> None:
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
                self.fields.path_names[abbreviation] = item.name
                self._value(case.node, abbreviation, body, target, path)
                body.depth -= 1
        body.add("else")
        self._refuse(body, f'"unknown {node.otherwise} " .. string.format("%.0f", {key})', item.name)
        body.add("end")


def _key(name: str) -> str:
    return '["end"]' if name == "end" else name


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


__all__ = ["FunctionBody", "Functions", "Wanted"]
