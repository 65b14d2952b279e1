"""What a secret looks like (``wire.secret_rules``) as Lua tables: the same patterns, read there by PCRE2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dissector.codegen.lua_tables import quoted
from dissector.wire import secret_rules as rules
from dissector.wire.secret_elements import FOLDERS


def lines() -> Iterator[str]:
    """``js.secret_rules``: what ``lua/secrets.lua`` searches by."""
    yield "js.secret_rules = {"
    yield f"  hint = {quoted(rules.HINT)},"
    yield "  pieces = {"
    yield from (f"    {name} = {quoted(source)}," for name, source in rules.PIECES.items())
    yield "  },"
    yield "  shapes = {"
    for shape in rules.SHAPES:
        exact = ", exact = true" if shape.exact else ""
        yield f"    {{ needs = {_words(shape.needs)}, pattern = {quoted(shape.pattern)}{exact} }},"
    yield "  },"
    yield "  commands = {"
    for command in rules.COMMANDS:
        program = rules.PROGRAM % command.program
        yield f"    {{ needs = {_words(command.needs)}, program = {quoted(program)}, options = {quoted(command.options)} }},"
    yield "  },"
    yield f"  folders = {{ {', '.join(f'{name} = true' for name in FOLDERS)} }},"
    yield "}"


def _words(words: Iterable[str]) -> str:
    return f"{{ {', '.join(map(quoted, words))} }}"
