"""A mutant put into modules that are imported already: the functions that differ get other code."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType

#: A function: its name and its first line.
_Where = tuple[str, int]


def patch(module: str, before: str, after: str) -> bool:
    """Changes the functions of a module (dotted name) from source ``before`` to ``after``.

    False when more than functions differ (constants, classes, defaults): then the module has to be imported anew.
    """
    changed = _changed(compile(before, module, "exec"), compile(after, module, "exec"))
    if changed is None:
        return False
    functions = [
        found
        for found in gc.get_objects()
        if type(found) is FunctionType
        and found.__module__ == module
        and (found.__code__.co_name, found.__code__.co_firstlineno) in changed
    ]
    for function in functions:
        function.__code__ = changed[function.__code__.co_name, function.__code__.co_firstlineno]
    return len(functions) >= len(changed) > 0


def _changed(before: CodeType, after: CodeType) -> dict[_Where, CodeType] | None:
    """The functions that differ, with their new code; None when what is done at the import differs."""
    if _without_codes(before) != _without_codes(after):
        return None
    changed: dict[_Where, CodeType] = {}
    for old, new in zip(_codes(before), _codes(after), strict=True):
        if old == new:
            continue
        if old.co_flags & inspect.CO_OPTIMIZED and not old.co_name.endswith(("comp>", "genexpr>")):
            changed[old.co_name, old.co_firstlineno] = new
        elif old.co_flags & inspect.CO_OPTIMIZED or (inside := _changed(old, new)) is None:
            return None
        else:
            changed |= inside
    return changed


def _without_codes(code: CodeType) -> tuple[object, ...]:
    constants = [(type(value), value) for value in code.co_consts if not isinstance(value, CodeType)]
    return code.co_code, code.co_names, code.co_varnames, repr(constants)


def _codes(code: CodeType) -> Iterator[CodeType]:
    return (value for value in code.co_consts if isinstance(value, CodeType))
