"""Where a secret ends that begins at some place of a text, whatever language that is in."""

from __future__ import annotations

import re
from functools import lru_cache

from dissector.wire.secret_rules import PIECES

Span = tuple[int, int]

_QUOTES = ("'", '"')
#: What goes on behind a closing quote: a doubled quote, quotes inside of a shell word.
_MORE_QUOTED = {'"': ('"', "'\"'\""), "'": ("'", "\"'\"'", "\\''")}


@lru_cache(maxsize=256)
def compiled(pattern: str, exact: bool = False) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII if exact else re.ASCII | re.IGNORECASE)


def piece(name: str) -> re.Pattern[str]:
    """A pattern of ``PIECES``."""
    return compiled(PIECES[name])


_OPENING = piece("quote")
_ARRAY_STOP = piece("array_stop")
_MORE_BARE = piece("more_bare")
_JSON_VALUE, _LINE = piece("json_value"), piece("line")
_SCHEME, _BARE_STOP, _ENTITY = piece("scheme"), piece("bare_stop"), piece("entity")
_CALL, _CALL_STOP, _JOINED_TO = piece("call"), piece("call_stop"), piece("joined_to")
_ARGUMENT_STOP, _ARGUMENT_QUOTED = piece("argument_stop"), piece("argument_quoted")


def value_end(text: str, start: int, sign: str = "", quoted_name: bool = False, header: bool = False) -> int:
    """Where the value that begins at ``start``, behind ``sign``, ends."""
    if opening := _OPENING.match(text, start):
        return _joined_end(text, quoted_end(text, opening))
    first = text[start : start + 1]
    if first == "[":
        return _array_end(text, start)
    if first == "{" and sign == ":":
        # An object: its members have names of their own.
        return start
    if first == "{":
        end = text.find("}", start)
        return len(text) if end < 0 else end + 1
    if header or (quoted_name and sign == ":"):
        match = (_LINE if header else _JSON_VALUE).match(text, start)
        return match.end() if match else start
    return _bare_end(text, start)


def _bare_end(text: str, start: int) -> int:
    """Index behind a value without quotes.  Entities belong to it.

    They are stepped over one by one: a pattern that repeats them remembers every step, a gigabyte for some megabytes.
    """
    scheme = _SCHEME.match(text, start)
    position = scheme.end() if scheme else start
    if scheme and (opening := _OPENING.match(text, position)):
        return quoted_end(text, opening)
    if call := _CALL.match(text, position):
        return _call_end(text, call.end())
    while stop := _BARE_STOP.search(text, position):
        entity = _ENTITY.match(text, stop.start())
        if entity is None:
            return stop.start()
        position = entity.end()
    return len(text)


def _call_end(text: str, start: int) -> int:
    """Index behind the parenthesis, or the backquote, that closes what opens right before ``start``; the line's end
    where none does.  Any of the arguments may be the secret."""
    depth, position = 1, start
    is_quoted = text[start - 1] == "`"
    while stop := _CALL_STOP.search(text, position):
        sign, position = stop[0], stop.end()
        if sign == "\n":
            return stop.start()
        if is_quoted or sign == "`":
            if is_quoted and sign == "`":
                return position
        elif sign in "()":
            depth += 1 if sign == "(" else -1
            if not depth:
                return position
        elif opening := _OPENING.match(text, stop.start()):
            position = quoted_end(text, opening)
    return len(text)


def _joined_end(text: str, end: int) -> int:
    """Index behind the texts that are joined to the one that ends at ``end``: "x" + "y"."""
    while joined := _JOINED_TO.match(text, end):
        opening = _OPENING.match(text, joined.end())
        if opening is None:
            break
        end = quoted_end(text, opening)
    return end


def arguments_end(text: str, start: int) -> int:
    """Index behind the arguments of a command, which stand from ``start`` on."""
    position = start
    while stop := _ARGUMENT_STOP.search(text, position):
        quoted = _ARGUMENT_QUOTED.match(text, stop.start())
        if quoted is None:
            return stop.start()
        position = quoted.end()
    return len(text)


def inside(text: str, start: int, end: int) -> Span:
    """The value without the quotes around it."""
    opening = _OPENING.match(text, start)
    if opening is None or opening.end() > end - len(opening[0]) or not text.endswith(opening[0], start, end):
        return start, end
    return opening.end(), end - len(opening[0])


def quoted_end(text: str, opening: re.Match[str]) -> int:
    """Index behind the closing quote and what still belongs to the value behind it."""
    mark = opening[0].lstrip("\\")
    backslashes = len(opening[0]) - len(mark)
    end = _closing_end(text, opening.end(), mark, backslashes)
    while not backslashes and end < len(text):
        more = next((more for more in _MORE_QUOTED.get(mark, ()) if text.startswith(more, end)), None)
        if more is not None:
            end = _closing_end(text, end + len(more), mark, backslashes)
        elif mark in _QUOTES and (bare := _MORE_BARE.match(text, end)):
            end = bare.end()
        else:
            break
    return end


def _closing_end(text: str, start: int, mark: str, backslashes: int) -> int:
    """Index behind the next ``mark`` with as many backslashes before it as the opening one had.

    Inside of a string in a string in ... an escaped quote has more of them, and escaped backslashes come in groups.
    Before an entity they may stand for either, when XML is in JSON: with more of them it does not close.
    """
    group = len(text) + 1 if mark[0] == "&" else 2 * (backslashes + 1)
    position = start
    while (found := text.find(mark, position)) >= 0:
        run = found
        while run > position and text[run - 1] == "\\":
            run -= 1
        if (found - run) % group == backslashes:
            return found + len(mark)
        position = found + len(mark)
    return len(text)


def _array_end(text: str, start: int) -> int:
    """Index behind the ``]`` that no quotes enclose."""
    position = start + 1
    while stop := _ARRAY_STOP.search(text, position):
        if stop[0] == "]":
            return stop.end()
        run = stop.start()
        while run > position and text[run - 1] == "\\":
            run -= 1
        opening = _OPENING.match(text, run)
        position = quoted_end(text, opening) if opening else stop.end()
    return len(text)
