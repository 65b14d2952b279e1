"""Secrets that are known by their form, in command lines and in URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissector.wire.secret_commands import COMMANDS, PROGRAM
from dissector.wire.secret_shapes import SHAPES
from dissector.wire.secret_values import Span, arguments_end, compiled, inside, piece, value_end

_ORACLE_URL, _USER_END = piece("oracle_url"), piece("user_end")
_SHAPES = tuple((tuple(shape.needs.split("|")), shape) for shape in SHAPES)
_COMMANDS = tuple((tuple(command.needs.split("|")), command) for command in COMMANDS)


def shaped(text: str) -> Iterator[Span]:
    """What is secret by its form, and in command lines."""
    low = text.lower()
    for needs, shape in _SHAPES:
        if any(need in low for need in needs):
            yield from _matches(text, compiled(shape.pattern, shape.exact))
    for needs, command in _COMMANDS:
        if any(need in low for need in needs):
            yield from _arguments(text, compiled(PROGRAM % command.program), compiled(command.options))


def _matches(text: str, pattern: re.Pattern[str]) -> Iterator[Span]:
    """The secrets of a shape: the group that matched, or the value behind the match."""
    position = 0
    while match := pattern.search(text, position):
        span, position = _secret_of(text, match, 0)
        yield span


def _arguments(text: str, program: re.Pattern[str], options: re.Pattern[str]) -> Iterator[Span]:
    """Secrets in the arguments of a program."""
    end = 0
    while call := program.search(text, end):
        first, end = call.end(), arguments_end(text, call.end())
        given, position = text[first:end], 0
        while match := options.search(given, position):
            span, position = _secret_of(text, match, first)
            position -= first
            yield span


def _secret_of(text: str, match: re.Match[str], first: int) -> tuple[Span, int]:
    """The secret of a match in the part of ``text`` that begins at ``first``, and where the search goes on."""
    if match.lastindex:
        low, high = match.span(match.lastindex)
        return (first + low, first + high), first + max(match.end(), match.start() + 1)
    start = first + match.end()
    end = value_end(text, start)
    return inside(text, start, end), max(end, first + match.start() + 1)


def url_secrets(word: str) -> Iterator[Span]:
    """``scheme://user:password@host``: all from the user's colon to the last at sign of the word."""
    at = word.rfind("@")
    oracle = _oracle_password(word, max(at, 0))
    if oracle is not None:
        yield oracle, at
        return
    slashes = word.find("//", 0, max(at, 0))
    colon = word.find(":", slashes, at) if slashes >= 0 else -1
    if colon >= 0:
        yield colon + 1, at


def _oracle_password(word: str, at: int) -> int | None:
    """Index of the password in ``jdbc:oracle:thin:user/password@host``; None when the word has none before ``at``."""
    position = 0
    while driver := _ORACLE_URL.search(word, position, at):
        user_end = _USER_END.search(word, driver.end(), at)
        if user_end is None:
            return None
        if user_end[0] == "/":
            return user_end.end()
        position = user_end.end()
    return None
