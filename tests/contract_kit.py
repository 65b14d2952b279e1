"""Every record that the tests make is held against the JSON Schema: ``watch`` sees to it in this process,
``check_lines`` checks what another process wrote.

The checker is compiled once (fastjsonschema knows draft 7, of which the schema is made as well but for its name);
``tests/render/test_schema.py`` holds it together with ``jsonschema``, which knows the draft that the schema names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import fastjsonschema

from dissector.render.records import Records
from dissector.render.schema import schema

_DRAFT_7 = "http://json-schema.org/draft-07/schema#"
_KINDS = ("capture", "task", "connection", "problem", "message")


@cache
def _compiled() -> Callable[[object], object]:
    checker: Callable[[object], object] = fastjsonschema.compile({**schema(), "$schema": _DRAFT_7})
    return checker


def check(record: object) -> None:
    """A whole output, or a line of one.

    :raises AssertionError: it is not what the schema says; with the place and the reason
    """
    try:
        _compiled()(record)
    except fastjsonschema.JsonSchemaException as error:
        raise AssertionError(f"{error.message}: {record}"[:2_000]) from None


def check_lines(text: str) -> None:
    """JSON Lines."""
    for line in text.splitlines():
        check(json.loads(line))


def watch() -> None:
    """From now on every record that is made in this process is checked."""
    for kind in _KINDS:
        setattr(Records, kind, _checked(kind, getattr(Records, kind)))


def _checked(kind: str, make: Callable[[Records, Any], str]) -> Callable[[Records, Any], str]:
    @wraps(make)
    def made(self: Records, subject: Any) -> str:
        text = make(self, subject)
        check({"record": kind, **json.loads(text)})
        return text

    return made
