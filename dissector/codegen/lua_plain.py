"""The grammar as Lua functions once more: without a tree, for the first look at a message.

They read straight from the message's bytes and say of what is wrong only that something is: any error, also Lua's own
about a byte that is not there, means that the careful functions (``lua_decode.py``) read the message again and tell.
"""

from __future__ import annotations

from dissector.codegen.ir import (
    Blob,
    Boolean,
    Check,
    Constant,
    Expression,
    Field,
    Grammar,
    Group,
    Integer,
    Node,
    Param,
    Recursive,
    Repeat,
    Rest,
    Text,
)
from dissector.codegen.lua_decode import FunctionBody, Functions, Wanted
from dissector.codegen.lua_fields import snake

#: Fields that are read of other records only: what is not kept costs nothing.
_UNREAD = {("Invoke", "iid")}
_HEAD = """\
  --- Reads a message that begins at index `p`; gives what it says, its object's id and the bytes left over.
  function js.glimpse(data, p, asked, number)
    s, n, operation, count, level = data, #data, asked, number, 0\
"""
_TAIL = """\
    if p > n + 1 then error(NO) end
    return body, object_id, n + 1 - p
  end\
"""


class PlainFunctions(Functions):
    """Writes the functions; the bytes, the parameters and the depth of nesting are variables around them."""

    def __init__(self, source: Grammar, wanted: Wanted) -> None:
        super().__init__(source, wanted)
        self._bodies: set[str] = set()

    def lines(self) -> list[str]:
        """All functions, ``js.glimpse`` last."""
        root = _PlainBody(self._source.root)
        root.kept.update(body="body", object_id="object_id")
        self._items(self._source.root, root, "")
        records = [line for lines in self._functions.values() for line in lines]
        declared = ", ".join(root.kept.values())
        return [
            "  local s, n, operation, count, level",
            "  local NO = {}",
            "",
            *records,
            _HEAD,
            f"    local {declared}",
            *root.lines,
            _TAIL,
        ]

    def _record(self, group: Group, path: str, *, is_body: bool = False) -> str:
        name = snake(group.record)
        if name not in self._functions:
            self._functions[name] = []
            body = _PlainBody(group)
            self._items(group, body, path)
            self._functions[name] = body.function(f"function Q.{name}(p)", ", p", has_name=is_body)
        return name

    def _refuse(self, body: FunctionBody, words: str, name: str = "") -> None:  # noqa: ARG002  the careful functions tell what is wrong
        body.add("  error(NO)")

    # --- members -----------------------------------------------------------------------------------------------------

    def _items(self, group: Group, body: FunctionBody, path: str) -> None:
        """Fields of fixed size that follow each other are read at fixed distances."""
        run: list[Field] = []
        for item in group.items:
            if isinstance(item, Field) and not item.is_fork and _width(item.node):
                run.append(item)
                continue
            self._run(group, run, body)
            run = []
            if isinstance(item, Check):
                body.add(f"if not ({body.expression(item.condition, path)}) then error(NO) end")
            elif item.is_fork:
                self._fork(item.node, body, path)
            else:
                self._member(group, item, body, f"{path}.{item.name}" if path else item.name)
        self._run(group, run, body)

    def _run(self, group: Group, run: list[Field], body: FunctionBody) -> None:
        distance = 0
        for item in run:
            is_read = (group.record, item.name) not in _UNREAD and self._wanted(item.name)
            if body.is_kept(item.name) or is_read or f"Name(name={item.name!r})" in repr(group):
                self._declare(item, body)
                self._fixed(item.node, body, body.variables[item.name], distance)
            distance += _width(item.node)
        if distance:
            body.add(f"p = p + {distance}")

    def _fixed(self, node: Node, body: FunctionBody, target: str, distance: int) -> None:
        at = f"p + {distance}" if distance else "p"
        width = _width(node)
        last = f"p + {distance + width - 1}" if distance + width > 1 else "p"
        match node:
            case Blob() | Integer(size=8):
                body.add(f"{target} = sub(s, {at}, {last})")
            case Boolean(strict=strict):
                self._number(body, target, 1, at, last, signed=False)
                if strict:
                    body.add(f"if {target} > 1 then error(NO) end")
                body.add(f"{target} = {target} ~= 0")
            case Integer(size=size, signed=signed):
                self._number(body, target, size, at, last, signed=signed)
            case _:
                raise TypeError(f"{node!r} has no fixed size")

    @staticmethod
    def _number(body: FunctionBody, target: str, size: int, at: str, last: str, *, signed: bool) -> None:
        if size == 1:
            body.add(f"{target} = byte(s, {at})")
            body.add(f"if not {target} then error(NO) end")
        else:
            names = [body.fresh("b") for _ in range(size)]
            value = names[0]
            for number, name in enumerate(names[1:], 1):
                value = f"({value}) * 256 + {name}" if number > 1 else f"{value} * 256 + {name}"
            body.add(f"local {', '.join(names)} = byte(s, {at}, {last})")
            body.add(f"{target} = {value}")
        if signed:
            half, whole = 1 << (8 * size - 1), 1 << (8 * size)
            body.add(f"if {target} >= {half} then {target} = {target} - {whole} end")

    # --- values ------------------------------------------------------------------------------------------------------

    def _value(self, node: Node, abbreviation: str, body: FunctionBody, target: str, path: str) -> None:
        match node:
            case Integer() | Boolean():
                self._fixed(node, body, target, 0)
                body.add(f"p = p + {_width(node)}")
            case Blob(size=size):
                self._bytes(body, target, "p", body.expression(size, path))
            case Text(prefix=prefix, number=number):
                length = body.fresh("z")
                body.add(f"local {length}")
                self._fixed(Integer(prefix, signed=False), body, length, 0)
                self._bytes(body, target, f"p + {prefix}", length)
                if number:
                    body.add(f"if not js.number({target}) then error(NO) end")
            case Rest():
                return
            case Group():
                body.add(f"{target}, p = Q.{self._record(node, path, is_body=target == 'body')}(p)")
            case Recursive():
                body.add(f"if level == {node.depth} then error(NO) end")
                body.add("level = level + 1")
                body.add(f"{target}, p = Q.{self._record(self._source.recursive, path)}(p)")
                body.add("level = level - 1")
            case _:
                super()._value(node, abbreviation, body, target, path)

    @staticmethod
    def _bytes(body: FunctionBody, target: str, at: str, size: str) -> None:
        body.add(f"{target} = sub(s, {at}, {at} + {size} - 1)")
        body.add(f"p = {at} + {size}")

    def _repeat(self, node: Repeat, abbreviation: str, body: FunctionBody, target: str, path: str) -> None:
        found = body.fresh("e")
        body.add(f"{target} = NONE")
        if node.count is None:
            body.add("if p <= n then")
            loop = "while p <= n do"
        else:
            number = body.expression(node.count, path)
            body.add(f"if {number} > 0 then")
            body.add(f"  if {number} * {node.at_least} > n - p + 1 then error(NO) end")
            loop = f"for i = 1, {number} do"
        body.depth += 1
        body.add(f"{target} = {{}}")
        body.add(loop)
        body.depth += 1
        body.add(f"local {found}")
        self._value(node.element, abbreviation, body, found, f"{path}[]")
        body.add(f"{target}[{'#' + target + ' + 1' if node.count is None else 'i'}] = {found}")
        body.depth -= 1
        body.add("end")
        body.depth -= 1
        body.add("end")

    def _repeats(self, value: str, size: int) -> str:
        return f"n - p + 1 == {size} and sub(s, p, p + 7) == {value}"


class _PlainBody(FunctionBody):
    """The same, with parameters as variables."""

    def expression(self, found: Expression, path: str) -> str:
        return found.name if isinstance(found, Param) else super().expression(found, path)


def _width(node: Node) -> int:
    """Bytes of a field of fixed size; 0 for any other."""
    match node:
        case Integer(size=size) | Blob(size=Constant(value=size)):
            return size
        case Boolean():
            return 1
        case _:
            return 0


__all__ = ["PlainFunctions"]
