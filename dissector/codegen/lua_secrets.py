"""What a secret looks like (``wire.secret_rules``) as Lua tables: the same patterns, read there by PCRE2."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissector.codegen.lua_fields import of_code
from dissector.codegen.lua_tables import quoted
from dissector.wire import secret_commands as commands
from dissector.wire import secret_rules as rules
from dissector.wire import secret_shapes as shapes
from dissector.wire.masked import NUMBERS
from dissector.wire.secret_elements import FOLDERS


def lines() -> Iterator[str]:
    """``js.secret_rules``: what ``lua/secret*.lua`` search by."""
    yield "js.secret_rules = {"
    yield f"  hint = {quoted(rules.HINT)},"
    yield "  pieces = {"
    yield from (f"    {name} = {quoted(source)}," for name, source in rules.PIECES.items())
    yield "  },"
    yield "  shapes = {"
    for shape in shapes.SHAPES:
        exact = ", exact = true" if shape.exact else ""
        yield f"    {{ needs = {_words(shape.needs)}, pattern = {quoted(shape.pattern)}{exact} }},"
    yield "  },"
    yield "  commands = {"
    for command in commands.COMMANDS:
        program, options = quoted(commands.PROGRAM % command.program), quoted(command.options)
        yield f"    {{ needs = {_words(command.needs)}, program = {program}, options = {options} }},"
    yield "  },"
    numbers = ", ".join(f"[{int(vt)}] = {quoted(of_code('variant', int(vt)))}" for vt in sorted(NUMBERS))
    yield f"  numbers = {{ {numbers} }},"
    yield f"  escaped = {quoted(rules.ESCAPED)},"
    yield f"  folders = {{ {', '.join(f'{name} = true' for name in FOLDERS)} }},"
    yield "}"


def _words(needs: str) -> str:
    """What of PCRE2 finds one of the words: one search is much faster there than one a word."""
    return quoted("|".join(map(re.escape, needs.split("|"))))
