"""JSON from unknown senders: values as they stand in bodies over HTTP, within bounds."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from dissector.limits import MAX_JSON, MAX_JSON_DEPTH

#: Longer texts of numbers stay texts: nobody counts so far, and to read them takes time that grows with their square.
_MOST_DIGITS = 40
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")


class JsonError(ValueError):
    """The bytes are no JSON; with ``is_cap`` they may be, and are more than is read."""

    def __init__(self, text: str, *, is_cap: bool = False) -> None:
        super().__init__(text)
        self.is_cap = is_cap


def json_value(data: bytes) -> Any:
    """The value of a JSON text in UTF-8; numbers that no double or 40 digits hold are the texts that they are written
    as.

    Raises JsonError.
    """
    if len(data) > MAX_JSON:
        raise JsonError(f"JSON of more than {MAX_JSON} bytes is not read", is_cap=True)
    try:
        text = data.decode("utf-8")
        if data.count(b"[") + data.count(b"{") > MAX_JSON_DEPTH and _depth(text) > MAX_JSON_DEPTH:
            raise JsonError(f"JSON nested deeper than {MAX_JSON_DEPTH} is not read", is_cap=True)
        return _DECODER.decode(text)
    except JsonError:
        raise
    except ValueError as error:
        raise JsonError(str(error)) from None


def _depth(text: str) -> int:
    """The deepest nesting, of brackets outside of strings."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text


def _double(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


#: ``parse_constant`` gets NaN and infinities, which no JSON has.
_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_double, parse_constant=str)
