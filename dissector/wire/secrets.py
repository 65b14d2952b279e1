"""Finds secrets in free text: ``password=...``, ``<param name="pwd" value="..."/>``, ``mysql -p...``, tokens, URLs.

What a secret looks like is told in ``secret_rules``, ``secret_shapes`` and ``secret_commands``; here is how it is
searched, once for Python and once more in ``codegen/lua/secret*.lua``.

Nothing is parsed: the text may be XML in JSON in a log line, and cut off anywhere.  A quote may be of any form (with
backslashes before it, or an entity) and ends at the next one of its form, an unclosed one at the end of the text.
Where it is not clear what belongs to a secret, more is masked and not less.  Every search goes on where the last one
ended, and every repetition in a pattern is bounded or tried at one place only: time is linear in the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from io import StringIO

from dissector.wire.secret_commands import COMMANDS, PROGRAM
from dissector.wire.secret_elements import Elements, is_folder
from dissector.wire.secret_plain import Plain
from dissector.wire.secret_rules import HINT, PIECES
from dissector.wire.secret_shapes import SHAPES
from dissector.wire.secret_values import Span, arguments_end, compiled, inside, piece, value_end

MASK = "***"

#: What takes the place of a secret of so many characters.
Cover = Callable[[int], str]

_REST_OF_NAME, _WHOLE_NAME = piece("name_rest"), piece("whole_name")
_OPENING, _ASSIGNMENT, _MEMBER_NAME = piece("quote"), piece("assignment"), piece("member_name")
_URL_WORD, _ORACLE_URL, _USER_END = piece("url_word"), piece("oracle_url"), piece("user_end")
_SHAPES = tuple((tuple(shape.needs.split("|")), shape) for shape in SHAPES)
_COMMANDS = tuple((tuple(command.needs.split("|")), command) for command in COMMANDS)
#: How far before a name is looked at for what it belongs to.
_BEFORE = 96
#: What a name stands behind that needs no sign, what is between it and its value, and what tells at once that it may.
_BEHIND = (("option", "blanks", "option_hint"), ("set_before", "set_between", "set_hint"))


class Finder:
    """``names``: further words that a secret's name has in it; ``patterns``: further shapes (group 1, or all)."""

    def __init__(self, names: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        more = "".join(f"|{re.escape(name.lower())}" for name in names)
        hint = HINT + more
        self._hint, self._raw_hint = compiled(hint, exact=True), re.compile(hint.encode("iso-8859-1"))
        self.candidate = compiled(PIECES["candidate"] + more)
        self.patterns = tuple(re.compile(pattern) for pattern in patterns)
        self._elements = Elements(self.candidate)
        self.looks_secret = lru_cache(maxsize=4096)(self._looks_secret)

    def may_hold(self, raw: bytes) -> bool:
        """False when nothing in the bytes of a message can be a secret by itself, as in nearly all."""
        return bool(self.patterns) or self._raw_hint.search(raw.lower()) is not None

    def _looks_secret(self, name: str) -> bool:
        return self.candidate.search(name) is not None

    def covered(self, text: str, cover: Cover) -> str:
        """The text with what ``cover`` gives in the place of each secret."""
        if self._hint.search(text.lower()):
            text = self._ours(text, cover)
        for pattern in self.patterns:
            text = _replaced(text, (match.span(bool(pattern.groups)) for match in pattern.finditer(text)), cover)
        return text

    def _ours(self, text: str, cover: Cover) -> str:
        if self.candidate.search(text):
            text = _replaced(text, self._elements.members(text), cover)
            for beginning in self._elements.rounds(text):
                text = _replaced(text, self._elements.secrets(text, beginning), cover)
            text = _replaced(text, self._assigned(text), cover)
        plain = Plain(text)
        text = _replaced(text, plain.spans_in_source(sorted(_shaped(plain.text))), cover)
        if "@" in text:
            text = _URL_WORD.sub(lambda word: _replaced(word[0], _url_secrets(word[0]), cover), text)
        return text

    # --- name and value --------------------------------------------------------------------------------------------

    def _assigned(self, text: str) -> Iterator[Span]:
        """Values behind a secret's name and ``=``, ``:`` or the like."""
        position = 0
        while candidate := self.candidate.search(text, position):
            name = _REST_OF_NAME.match(text, candidate.end())
            position = name.end() if name else candidate.end()
            sign = _ASSIGNMENT.match(text, position)
            start = _sign_value(text, candidate.start(), sign) if sign else _plain_value(text, candidate, position)
            if start is None:
                continue
            header = bool(sign and candidate[1])
            end = value_end(text, start, sign[2] if sign else "", bool(sign and sign[1]), header)
            if sign and sign[2] == "," and _MEMBER_NAME.match(text, end):
                # Two members in a row: "name": "password", "value": ...
                continue
            if sign and is_folder(_whole_word(text, candidate.start(), position), text, start):
                continue
            yield inside(text, start, end)
            position = max(position, end)


def _sign_value(text: str, name_start: int, sign: re.Match[str]) -> int | None:
    """Where the value behind a name and a sign begins."""
    if sign[2] == ",":
        follows = _OPENING.match(text, sign.end()) or text[sign.end() : sign.end() + 1].isdigit()
        return sign.end() if sign[1] and follows else None
    if "\n" in sign[3] and not sign[1]:
        return None
    opening = _OPENING.match(text, sign.end())
    if opening and not sign[1] and _closes(text, name_start, opening):
        # The end of a text: "password=" + "x", or a prompt.
        joined = piece("joined").match(text, sign.end())
        return joined.end() if joined else None
    return sign.end()


def _closes(text: str, name_start: int, quote: re.Match[str]) -> bool:
    """True when the quote behind a name ends the text that the name is in: an odd number of its kind before it, and no
    word behind it."""
    if piece("letter").match(text, quote.end()):
        return False
    before = text[max(name_start - 2 * _BEFORE, 0) : name_start].rpartition("\n")[2]
    mark = quote[0]
    count = before.count(mark)
    if len(mark) == 1:
        count -= before.count("\\" + mark)
    return count % 2 == 1


def _plain_value(text: str, candidate: re.Match[str], name_end: int) -> int | None:
    """Where a value begins that no sign stands before: of an option, in a sentence, in a call."""
    before = text[max(candidate.start() - _BEFORE, 0) : candidate.start()]
    follower = text[name_end : name_end + 1]
    if follower in (">", "&"):
        return _tail_value(text, candidate, name_end, before)
    if follower not in (" ", "\t", "(", '"', "'"):
        return None
    for place, behind, telling in _BEHIND:
        if piece(telling).search(before) and piece(place).search(before):
            match = piece(behind).match(text, name_end)
            return match.end() if match else None
    if match := piece("called").match(text, name_end):
        return match.end()
    if match := piece("prose").match(text, name_end):
        return _unless_weak(text, candidate, match.end())
    noun = piece("noun").match(text, candidate.start())
    return _noun_value(text, noun, before) if noun and noun.end() == name_end else None


def _tail_value(text: str, candidate: re.Match[str], name_end: int, before: str) -> int | None:
    """``password>X``, where the element's opening is cut off."""
    match = piece("tail").match(text, name_end)
    if match is None or not piece("tail_before").search(before):
        return None
    return _unless_weak(text, candidate, match.end())


def _unless_weak(text: str, candidate: re.Match[str], start: int) -> int | None:
    """``start``, unless the name is one of sentences and the value looks like a word."""
    is_weak = piece("weak").search(candidate[0]) and not piece("mixed").match(text, start)
    return None if is_weak else start


def _noun_value(text: str, noun: re.Match[str], before: str) -> int | None:
    """``password X``, where X is no word of the sentence."""
    behind = ["follows_number"] if noun[1] else ["follows"]
    if not (noun[1] or noun[2]):
        behind.append("follows_quoted")
        if noun[0].lower() == "pwd" or piece("told_before").search(before):
            behind.append("follows_word")
    for one in behind:
        if match := piece(one).match(text, noun.end()):
            return match.end()
    return None


def _whole_word(text: str, start: int, end: int) -> str:
    begin = start
    while begin > max(start - _BEFORE, 0) and piece("letter").match(text, begin - 1):
        begin -= 1
    return text[begin:end]


# --- shapes, command lines, URLs -----------------------------------------------------------------------------------


def _shaped(text: str) -> Iterator[Span]:
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


def _url_secrets(word: str) -> Iterator[Span]:
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


def _replaced(text: str, spans: Iterable[Span], cover: Cover) -> str:
    """The text without the spans, which come in order but may overlap."""
    changed: StringIO | None = None
    done = 0
    for start, end in spans:
        if end > max(start, done):
            changed = changed or StringIO(newline="")
            start = max(start, done)
            changed.write(text[done:start])
            changed.write(cover(end - start))
            done = end
    if changed is None:
        return text
    changed.write(text[done:])
    return changed.getvalue()


# --- what all outputs ask ------------------------------------------------------------------------------------------

_finder = Finder()


def extend(names: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
    """From now on, in the whole process, also names with one of ``names`` in them are those of secrets, and so is what
    ``patterns`` match.

    :raises re.error: a pattern is none
    """
    global _finder
    _finder = Finder(tuple(names), tuple(patterns))


def may_hold_secret(raw: bytes) -> bool:
    """False when nothing in the bytes of a message can be a secret by itself, as in nearly all."""
    return _finder.may_hold(raw)


def looks_secret(name: str) -> bool:
    """True for the name of something that is not to be shown: it has a word like password, secret or key in it."""
    return _finder.looks_secret(name) if len(name) < 256 else _finder.candidate.search(name) is not None


def names_a_secret(text: str) -> bool:
    """True for a text that is nothing but such a name (an argument "db_password"), not a sentence with the word."""
    return _WHOLE_NAME.match(text) is not None and "\n" not in text and looks_secret(text)


def mask_text(text: str) -> str:
    """The text with every secret in it as ``***``."""
    return _finder.covered(text, lambda _: MASK)


def hide_text(text: str) -> str:
    """The text with every character of a secret as ``*``: as long as it was, every other character in its place."""
    return _finder.covered(text, lambda size: "*" * size)
