"""Values for programs: the contract's ``Value`` as JSON text.

Text is put together here and in ``records`` where there are as many records as messages: to make dictionaries of them
first and have those encoded takes three times as long.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, TextIO

from dissector.model import ObjectInfo
from dissector.wire import messages as wire
from dissector.wire.enums import VarType, vartype_name

Objects = dict[int, ObjectInfo] | None

#: As ``json.dumps``, which makes an encoder for each call.
encoded = json.JSONEncoder(allow_nan=False).encode
_indented = json.JSONEncoder(allow_nan=False, indent=1).encode

NULL = "null"
#: As plain ints: comparing members of an enum takes longer than all else.
_CY = int(VarType.CY)
#: Integers beyond what a double holds.
_AS_TEXT = frozenset((int(VarType.I8), int(VarType.UI8)))
_NOT_KNOWN = ObjectInfo(None, None)


def write_object(out: TextIO, record: dict[str, Any]) -> None:
    """A whole document over several lines: ASCII as all JSON here, so that it can be written in any locale and no
    terminal obeys it."""
    out.write(_indented(record) + "\n")


def text_or_null(text: str | None) -> str:
    return NULL if text is None else quoted(text)


def number_or_null(number: float | None) -> str:
    """An int or a finite float."""
    return NULL if number is None else repr(number)


def array(items: Iterable[str]) -> str:
    """A list of what is JSON text already."""
    return f"[{', '.join(items)}]"


def value_text(variant: wire.Variant, objects: Objects = None) -> str:
    """A VARIANT as the contract's Value."""
    vt, value = variant.vt, variant.value
    if isinstance(value, wire.SafeArray):
        return _array_text(value, objects)
    return f"{_typed(vt)}{_plain(vt, value, objects)}}}"


@lru_cache(maxsize=256)
def _typed(vt: int) -> str:
    """What is before the value of a VARIANT."""
    return f'{{"type": {quoted(vartype_name(vt))}, "value": '


def _plain(vt: int, value: Any, objects: Objects) -> str:
    if value is None:
        return NULL
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, wire.Reference):
        return reference_text(value, objects)
    if isinstance(value, wire.Double):
        return _double_text(value.value)
    if vt == _CY:
        return f'"{Decimal(value).scaleb(-4):.4f}"'
    return f'"{value}"' if vt in _AS_TEXT else str(value)


def _double_text(number: float) -> str:
    """Doubles without a JSON form are texts."""
    if math.isnan(number):
        return '"nan"'
    if math.isinf(number):
        return '"inf"' if number > 0 else '"-inf"'
    return repr(number)


def _array_text(safe_array: wire.SafeArray, objects: Objects) -> str:
    elements, begin = safe_array.elements, _typed(VarType.ARRAY | safe_array.element_vt)
    if isinstance(elements, bytes):
        return f'{begin}"{elements.hex()}"}}'
    items = (wire.Variant(VarType.BSTR, one) if isinstance(one, str) else one for one in elements)
    return f"{begin}{array(value_text(item, objects) for item in items)}}}"


def reference_text(reference: wire.Reference, objects: Objects) -> str:
    """Null for the null reference; else the object's id, and its name and class as far as the session knows them."""
    object_id, new = reference.object_id, reference.new
    if not object_id:
        return NULL
    name, class_name = (objects or {}).get(object_id, _NOT_KNOWN)
    class_name = class_name or (new.title if new is not None else None) or None
    known = f'"name": {text_or_null(name)}, "class": {text_or_null(class_name)}'
    return f'{{"id": "0x{object_id:016x}", "new": {"false" if new is None else "true"}, {known}}}'


@lru_cache(maxsize=1024)
def object_text(object_id: int, name: str | None, class_name: str | None) -> str:
    """The object that a message is about."""
    return encoded({"id": f"0x{object_id:016x}", "name": name, "class": class_name})


def named_text(object_id: int, objects: Objects) -> str:
    """The same by what the session knows of it."""
    return object_text(object_id, *(objects or {}).get(object_id, _NOT_KNOWN))
