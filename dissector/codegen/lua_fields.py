"""What the grammar's fields are called in Wireshark, and the ProtoField of each.

An abbreviation is ``<record>.<field>`` in snake case (``invoke.dispid``); a field of a struct without a record stands
alone (``class``).  What a table of codes selects is named by the code (``variant.bstr``), an element of an array in the
singular (``create_instance.iid``), a record inside of an array by the record (``property``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dissector.codegen.ir import (
    Blob,
    Boolean,
    Choice,
    Constant,
    Field,
    Group,
    Integer,
    Name,
    Node,
    Recursive,
    Rest,
    Text,
)
from dissector.wire.enums import VarType

_LETTERS = ("message_class", "command")
_BASES = {"hresult": "HEX", "vartype": "HEX", "features": "HEX", "object_id": "HEX"}
_NAMED = ("hresult", "lcid", "invoke_flags", "vartype")


def snake(record: str) -> str:
    """``create_instance`` of ``CreateInstance``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", record).lower()


def of_field(record: str, name: str) -> str:
    """Abbreviation of a field; ``record`` is empty in a struct that makes no record."""
    return f"{snake(record)}.{name}" if record else name


def of_code(record: str, code: int) -> str:
    """Abbreviation of what the VARIANT type ``code`` selects."""
    name = "array" if code & VarType.ARRAY else VarType(code).name.lower()
    return of_field(record, name)


def of_element(array: str, element: Node) -> str:
    """Abbreviation of an element of the array that is called ``array``."""
    if isinstance(element, Recursive):
        return "variant"
    if isinstance(element, Group):
        return snake(element.record)
    return array.removesuffix("s") if array.endswith("s") else f"{array}_item"


def by_code(group: Group, item: Field) -> bool:
    """True when ``item`` is a choice between VARIANT types, so that its cases are named by their codes."""
    if not isinstance(item.node, Choice) or not isinstance(item.node.key, Name):
        return False
    key = item.node.key.name
    found = next((one.node for one in group.fields if one.name == key), None)
    return isinstance(found, Integer) and found.table == "vartype"


def is_number(node: Node) -> bool:
    """True for a group that says one number as text."""
    return isinstance(node, Group) and any(isinstance(one.node, Text) and one.node.number for one in node.fields)


@dataclass(slots=True)
class Fields:
    """ProtoField declarations by abbreviation, in the order of the grammar.

    ``path_names`` are those that have another name in the path of an error: ``[]`` for an element of an array, and what
    a code selects has the same in all cases.
    """

    declared: dict[str, str] = field(default_factory=dict)
    path_names: dict[str, str] = field(default_factory=dict)

    def declare(self, abbreviation: str, node: Node, path: str) -> str:
        """Lua expression for the field; the same abbreviation always means the same type."""
        text = _protofield(abbreviation, node, path)
        if self.declared.setdefault(abbreviation, text) != text:
            raise TypeError(f"{path}: {abbreviation} would have two types")
        return f'F["{abbreviation}"]'

    def lines(self) -> list[str]:
        return [f'  F["{abbreviation}"] = {text}' for abbreviation, text in self.declared.items()]

    def path_lines(self) -> list[str]:
        """``js.path_names``."""
        pairs = ", ".join(f'["{one}"] = "{name}"' for one, name in sorted(self.path_names.items()))
        return [f"js.path_names = {{ {pairs} }}"]


def _protofield(abbreviation: str, node: Node, path: str) -> str:
    kind, options = _type(node, path)
    title = abbreviation.rsplit(".", 1)[-1].replace("_", " ").capitalize()
    return f'ProtoField.{kind}("jobscheduler.{abbreviation}", "{title}"{options})'


def _type(node: Node, path: str) -> tuple[str, str]:
    """ProtoField's constructor and its arguments behind the title."""
    match node:
        case Integer(table=table) if table in _LETTERS:
            return "string", ""
        case Integer(size=size, signed=signed, table=table):
            kind = f"{'' if signed else 'u'}int{size * 8}"
            names = f", js.tables.{table}" if table in _NAMED else ""
            return kind, f", base.{'DEC' if signed else _BASES.get(table or '', 'DEC')}{names}"
        case Boolean():
            return "bool", ""
        case Blob(size=Constant(value=16), table="guid"):
            return "guid", ""
        case Blob(table=None) | Rest():
            return "bytes", ""
        case Text():
            return "string", ""
        case _ if is_number(node):
            return "double", ""
        case Blob():
            raise TypeError(f"{path}: the Lua generator does not know {node!r}")
        case _:
            return "none", ""
