"""From the grammar (``codegen.ir``) to scapy: a packet class for each group, a field for each member.

What scapy has is used where it fits (PacketField, PacketListField, ConditionalField); its own field for choices looks
at the caller's stack to find its packet, and its length fields know one place only, so these two are written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from keyword import iskeyword
from typing import Any

from scapy.config import conf
from scapy.fields import ConditionalField, Field, PacketField, PacketListField, StrField
from scapy.packet import Packet

from dissector.codegen import from_construct, ir
from dissector.wire.fields import display

_FORMATS = {1: "b", 2: "h", 4: "i", 8: "q"}
#: Elements of a list: the grammar has its own cap, by the bytes that are left.
_MOST = 1 << 24


class Group(Packet):  # type: ignore[misc]
    """A group of the grammar; what is behind it belongs to the group around it."""

    #: What the request says that an answer belongs to; of the outermost group.
    __slots__ = ["asked"]
    name = "group"

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes | None]:
        return b"", s

    def default_payload_class(self, payload: bytes) -> Any:  # noqa: ARG002  scapy's shape
        return conf.padding_layer


# --- fields --------------------------------------------------------------------------------------------------------


class Whole(Field):  # type: ignore[misc]
    """An integer or a bool.  None is made of what it counts when a packet is built."""

    __slots__ = ["counts", "is_bool", "table"]

    def __init__(self, name: str, size: int, signed: bool, table: str | None, default: int | None = 0) -> None:
        letter = _FORMATS[size]
        super().__init__(name, default, f">{letter if signed else letter.upper()}")
        self.table, self.counts, self.is_bool = table, "", False

    def i2m(self, pkt: Any, x: Any) -> int:
        if x is None and self.counts and pkt is not None:
            counted = pkt.getfieldval(self.counts)
            x = int(counted is not None) if self.is_bool else _size(counted)
        return int(x or 0)

    def i2repr(self, pkt: Any, x: Any) -> str:  # noqa: ARG002  scapy's shape
        if x is None:
            return "None"
        return display(bool(x) if self.is_bool else x, self.table)


class Plain(StrField):  # type: ignore[misc]
    """Raw bytes, as many as an expression says; without one all that are left."""

    __slots__ = ["size", "table"]

    def __init__(self, name: str, size: ir.Expression | None, table: str | None) -> None:
        super().__init__(name, bytes(size.value) if isinstance(size, ir.Constant) else b"")
        self.size, self.table = size, table

    def getfield(self, pkt: Any, s: bytes) -> tuple[bytes, bytes]:
        size = len(s) if self.size is None else evaluate(self.size, pkt)
        return _cut(s, size)[::-1]

    def i2repr(self, pkt: Any, x: Any) -> str:  # noqa: ARG002  scapy's shape
        return display(bytes(x), self.table)


class Text(StrField):  # type: ignore[misc]
    """ISO-8859-1 text behind its length."""

    __slots__ = ["prefix"]

    def __init__(self, name: str, prefix: int) -> None:
        super().__init__(name, "")
        self.prefix = prefix

    def getfield(self, pkt: Any, s: bytes) -> tuple[bytes, str]:  # noqa: ARG002  scapy's shape
        size, s = _cut(s, self.prefix)
        text, s = _cut(s, int.from_bytes(size, "big"))
        return s, text.decode("latin-1")

    def any2i(self, pkt: Any, x: Any) -> Any:  # noqa: ARG002  scapy's shape
        return x.decode("latin-1") if isinstance(x, bytes) else x

    def addfield(self, pkt: Any, s: bytes, val: Any) -> bytes:  # noqa: ARG002  scapy's shape
        text = (val or "").encode("latin-1")
        return bytes(s) + len(text).to_bytes(self.prefix, "big") + text

    def i2repr(self, pkt: Any, x: Any) -> str:  # noqa: ARG002  scapy's shape
        return repr(x)


class Several(Field):  # type: ignore[misc]
    """Elements that are no packets, as a tuple."""

    __slots__ = ["count", "element", "least"]

    def __init__(self, name: str, node: ir.Repeat) -> None:
        super().__init__(name, (), "0s")
        self.count, self.element, self.least = node.count, made(name, node.element), node.at_least

    def getfield(self, pkt: Any, s: bytes) -> tuple[bytes, tuple[Any, ...]]:
        count = None if self.count is None else _possible(self.count, self.least, pkt, s)
        found: list[Any] = []
        while len(found) < count if count is not None else s:
            s, one = self.element.getfield(pkt, s)
            found.append(one)
        return s, tuple(found)

    def any2i(self, pkt: Any, x: Any) -> tuple[Any, ...]:  # noqa: ARG002  scapy's shape
        return tuple(x or ())

    def addfield(self, pkt: Any, s: bytes, val: Any) -> bytes:
        for one in val or ():
            s = self.element.addfield(pkt, s, one)
        return s

    def i2repr(self, pkt: Any, x: Any) -> str:
        return f"[{', '.join(self.element.i2repr(pkt, one) for one in x or ())}]"


class Chosen(Field):  # type: ignore[misc]
    """One of several fields; what none of them is for stays bytes where that is possible (an answer whose request is
    not known)."""

    ismutable = True
    __slots__ = ["node", "ways"]

    def __init__(self, name: str, node: ir.Choice | ir.Repeating) -> None:
        super().__init__(name, None, "0s")
        self.node = node
        self.ways = [(case.codes, made(name, _in_one(case.node), case.name)) for case in ir.cases(node)]

    def chosen(self, pkt: Any, s: bytes = b"") -> Any:
        """:raises ValueError: there is no field for this key"""
        if isinstance(self.node, ir.Repeating):
            repeats = int.from_bytes(s[:8], "big") == evaluate(self.node.value, pkt)
            return self.ways[0 if repeats and len(s) == self.node.size else 1][1]
        key = evaluate(self.node.key, pkt)
        for codes, way in self.ways:
            if key in codes:
                return way
        if isinstance(self.node.key, ir.Param) and key == "":
            return Plain(self.name, None, None)
        raise ValueError(f"unknown {self.node.otherwise} {key}")

    def getfield(self, pkt: Any, s: bytes) -> Any:
        return self.chosen(pkt, s).getfield(pkt, s)

    def any2i(self, pkt: Any, x: Any) -> Any:  # noqa: ARG002  scapy's shape
        return x

    def addfield(self, pkt: Any, s: bytes, val: Any) -> Any:
        if val is None or isinstance(val, Packet):
            return s + bytes(val or b"")
        return s + val if isinstance(val, bytes) else self.chosen(pkt).addfield(pkt, s, val)

    def i2repr(self, pkt: Any, x: Any) -> str:
        return str(self.chosen(pkt).i2repr(pkt, x)) if not isinstance(x, (bytes, type(None))) else repr(x)


def made(name: str, node: ir.Node, case: str = "") -> Any:
    """The field of a node; ``case`` names what a choice leads to.

    :raises TypeError: no field is known for it
    """
    match node:
        case ir.Integer():
            return Whole(name, node.size, node.signed, node.table)
        case ir.Boolean():
            field = Whole(name, 1, signed=False, table=None)
            field.is_bool = True
            return field
        case ir.Blob():
            return Plain(name, node.size, node.table)
        case ir.Rest():
            return Plain(name, None, None)
        case ir.Nothing():
            return Plain(name, ir.Constant(0), None)
        case ir.Text():
            return Text(name, node.prefix)
        case ir.Maybe():
            condition = node.condition
            return ConditionalField(made(name, node.node), lambda pkt: bool(evaluate(condition, pkt)))
        case ir.Choice() | ir.Repeating():
            return Chosen(name, node)
        case ir.Repeat():
            return _several(name, node)
        case ir.Group() | ir.Recursive():
            return PacketField(name, None, packet_class(case or name, node))
        case _:
            raise TypeError(f"{name}: no field of scapy is known for {node!r}")


def _in_one(node: ir.Node) -> ir.Node:
    """A list of packets as one packet: scapy shows what is in a list only where a field is always a list."""
    if isinstance(node, ir.Repeat) and isinstance(node.element, (ir.Group, ir.Recursive)):
        return ir.Group("", (), (ir.Field("items", node),))
    return node


def _several(name: str, node: ir.Repeat) -> Any:
    if not isinstance(node.element, (ir.Group, ir.Recursive)):
        return Several(name, node)
    count = node.count
    assert count is not None, "only texts go up to the end of a message"
    element = packet_class(name, node.element)
    return PacketListField(name, [], element, count_from=lambda pkt: evaluate(count, pkt), max_count=_MOST)


# --- packet classes ------------------------------------------------------------------------------------------------


def packet_class(name: str, node: ir.Group | ir.Recursive) -> Any:
    """The class of a group; of the type that contains itself, what makes packets of its class."""
    if isinstance(node, ir.Group):
        return _class(name, node)

    def variant(s: bytes = b"", **rest: Any) -> Any:
        return _class("variant", grammar().recursive)(s, **rest)

    return variant


@cache
def grammar() -> ir.Grammar:
    """Read once."""
    return from_construct.grammar()


@cache
def _class(name: str, group: ir.Group) -> Any:
    title = "".join(word.capitalize() for word in name.split("_"))
    return type(f"JobScheduler{title}", (Group,), {"name": name, "fields_desc": list(fields_of(group))})


def fields_of(group: ir.Group) -> Iterator[Any]:
    """The fields of a group.  What counts or announces another one is left open: building fills it in."""
    for member in group.fields:
        field = made(attribute(member.name), member.node)
        if isinstance(field, Whole):
            counted = next((other for other in group.fields if _is_counted(other.node, member.name)), None)
            if counted is not None:
                field.counts, field.default = attribute(counted.name), None
            for item in group.items:
                match item:
                    case ir.Check(condition=ir.Compare("==", ir.Name(member.name), ir.Constant(value))):
                        field.default = value
        yield field


def attribute(name: str) -> str:
    """The name of a field as an attribute of a packet: ``class_``; forks are no secret here."""
    name = name.lstrip("_")
    return f"{name}_" if iskeyword(name) or hasattr(Packet, name) else name


def _is_counted(node: ir.Node, name: str) -> bool:
    """The number of bytes or elements of ``node``, or whether it is there, is what ``name`` says."""
    match node:
        case ir.Repeat(count=ir.Name(name=by)) | ir.Blob(size=ir.Name(name=by)) | ir.Maybe(condition=ir.Name(name=by)):
            return by == name
        case ir.Choice():
            return any(_is_counted(case.node, name) for case in node.cases)
        case _:
            return False


# --- values --------------------------------------------------------------------------------------------------------

_COMPARISONS = {"<": int.__lt__, "<=": int.__le__, "==": int.__eq__, ">=": int.__ge__, ">": int.__gt__}


def evaluate(expression: ir.Expression, pkt: Any) -> Any:
    """The value of an expression for a packet: fields of its own and of the packets around it, or (an ``ir.Param``)
    what the request says that the message answers; "" or 0 where that is not known."""
    match expression:
        case ir.Constant():
            return expression.value
        case ir.Compare():
            left, right = evaluate(expression.left, pkt), evaluate(expression.right, pkt)
            return _COMPARISONS[expression.operator](int(left or 0), int(right or 0))
        case ir.Param():
            while pkt.parent is not None:
                pkt = pkt.parent
            asked = getattr(pkt, "asked", None)
            return getattr(asked, expression.name) if asked is not None else {"operation": ""}.get(expression.name, 0)
        case ir.Name():
            return _value(pkt, attribute(expression.name))


def _value(pkt: Any, name: str) -> Any:
    while name not in pkt.fieldtype and pkt.parent is not None:
        pkt = pkt.parent
    value, field = pkt.getfieldval(name), pkt.fieldtype.get(name)
    return field.i2m(pkt, value) if isinstance(field, Whole) else value


def _size(value: Any) -> int:
    return len(value.items) if isinstance(value, Packet) else len(value or ())


def _cut(s: bytes, size: int) -> tuple[bytes, bytes]:
    """:raises ValueError: there are not so many bytes"""
    if size > len(s):
        raise ValueError(f"needs {size} bytes, {len(s)} left")
    return s[:size], s[size:]


def _possible(count: ir.Expression, least: int, pkt: Any, s: bytes) -> int:
    """:raises ValueError: so many elements can not be in the bytes that are left"""
    number = int(evaluate(count, pkt))
    if number * least > len(s):
        raise ValueError(f"{number} elements can not be in the {len(s)} bytes left")
    return number
