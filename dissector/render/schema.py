"""The JSON Schema (draft 2020-12) of the output contract, made of ``contract``: closed, every key required.

It takes what ``--format json`` prints as a whole, and each line of ``--format jsonl``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from dissector.render import contract
from dissector.render.contract import SCHEMA

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PRIMITIVES = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}
_INTEGER_TEXT, _MONEY_TEXT = r"^-?\d+$", r"^-?\d+\.\d{4}$"

Schema = dict[str, Any]


def schema() -> Schema:
    """The schema as a JSON value."""
    made = _Maker()
    whole = [made.reference(kind) for kind in (contract.TracedRecord, contract.TracedWithMessagesRecord)]
    lines = {word: made.line(word, kind) for word, kind in contract.LINES.items()}
    _complete_value(made)
    return {
        "$schema": DIALECT,
        "title": SCHEMA,
        "description": "What jstrace prints with --format json, or a line of what it prints with --format jsonl.",
        # Not one list of choices: a checker that knows which one is meant can say what is wrong with it.
        "if": {"type": "object", "required": ["record"]},
        "then": {
            "properties": {"record": {"enum": list(lines)}},
            "allOf": [
                {"if": {"properties": {"record": {"const": word}}}, "then": line} for word, line in lines.items()
            ],
        },
        "else": {"if": {"required": ["messages"]}, "then": whole[1], "else": whole[0]},
        "$defs": dict(sorted(made.definitions.items())),
    }


class _Maker:
    """Collects definitions: one for each kind of record, by its name."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def reference(self, record: Any) -> Schema:
        """A reference to the definition of a kind of record, which is made when it is first asked for."""
        name = name_of(record)
        if name not in self.definitions:
            self.definitions[name] = {}  # a value may hold values
            self.definitions[name] = self._object(record, hints(record))
        return {"$ref": f"#/$defs/{name}"}

    def line(self, word: str, record: Any) -> Schema:
        """A reference to a record as a line of its own."""
        self.reference(record)
        name = f"{name_of(record)}_line"
        self.definitions[name] = self._object(record, {"record": Literal[word], **hints(record)})
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, record: Any, keys: Mapping[str, Any]) -> Schema:
        return {
            "type": "object",
            "description": record.__doc__,
            "properties": {key: self.value(kind) for key, kind in keys.items()},
            "required": list(keys),
            "additionalProperties": False,
        }

    def value(self, kind: Any) -> Schema:
        """The schema of a key's value.

        :raises TypeError: no schema is known for such a type
        """
        origin, parts = get_origin(kind), get_args(kind)
        if kind is object:  # any JSON value
            return {}
        if origin is Annotated:
            return self.value(parts[0]) | _notes(parts[1:])
        if origin in (Union, UnionType):
            return self._union(parts)
        if origin is Literal:
            return {"const": parts[0]} if len(parts) == 1 else {"enum": list(parts)}
        if origin is list:
            return {"type": "array", "items": self.value(parts[0])}
        if is_typeddict(kind):
            return self.reference(kind)
        if kind in _PRIMITIVES:
            return {"type": _PRIMITIVES[kind]}
        raise TypeError(f"no schema is known for {kind!r}")

    def _union(self, parts: tuple[Any, ...]) -> Schema:
        """``X | None`` in the shortest way there is."""
        choices = [self.value(part) for part in parts]
        if len(choices) == 2 and choices[1] == {"type": "null"}:
            first = choices[0]
            if "type" in first:
                return first | {"type": [first["type"], "null"]}
            if "enum" in first:
                return {"enum": [*first["enum"], None]}
        return {"anyOf": choices}


def name_of(record: Any) -> str:
    """``LogLineRecord`` -> ``log_line``"""
    words = record.__name__.removesuffix("Record")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in words).lstrip("_")


def hints(record: Any) -> dict[str, Any]:
    """The keys of a kind of record in their order, with the types of their values and what is noted of them."""
    return get_type_hints(record, vars(contract), include_extras=True)


def _notes(notes: tuple[object, ...]) -> Schema:
    found: Schema = {}
    for note in notes:
        if isinstance(note, contract.Form):
            found |= {key: value for key, value in note._asdict().items() if value is not None}
        else:
            found["description"] = note
    return found


def _complete_value(made: _Maker) -> None:
    """What stands in ``value`` depends on the ``type``; secret numbers are null."""
    texts: Schema = {"type": "string"}
    forms: dict[tuple[str, ...], Schema] = {
        contract.NOTHING: {"type": "null"},
        contract.WHOLE_NUMBERS: {"type": ["integer", "null"]},
        contract.WHOLE_TEXTS: {"type": ["string", "null"], "pattern": _INTEGER_TEXT},
        contract.MONEY: {"type": ["string", "null"], "pattern": _MONEY_TEXT},
        contract.FLOATS: {"anyOf": [{"type": ["number", "null"]}, {"enum": ["inf", "-inf", "nan"]}]},
        contract.TRUTHS: {"type": ["boolean", "null"]},
        contract.TEXTS: texts,
        contract.OBJECTS: made.value(contract.ReferenceRecord | None),
        contract.ARRAYS: {"type": "array", "items": {"$ref": "#/$defs/value"}},
        contract.BYTES: texts | {"pattern": "^([0-9a-f]{2})*$"},
    }
    value = made.definitions["value"]
    value["properties"]["type"] = {"enum": [name for types in forms for name in types]}
    value["properties"]["value"] = {}
    value["allOf"] = [
        {"if": {"properties": {"type": {"enum": list(types)}}}, "then": {"properties": {"value": form}}}
        for types, form in forms.items()
    ]
