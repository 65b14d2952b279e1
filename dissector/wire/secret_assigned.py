"""Secrets that stand behind their name: ``password=...``, options, sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissector.wire.secret_elements import is_folder
from dissector.wire.secret_values import Span, inside, piece, value_end

_REST_OF_NAME = piece("name_rest")
_OPENING, _ASSIGNMENT, _MEMBER_NAME = piece("quote"), piece("assignment"), piece("member_name")
#: How far before a name is looked at for what it belongs to.
_BEFORE = 96
#: What a name stands behind that needs no sign, what is between it and its value, and what tells at once that it may.
_BEHIND = (("option", "blanks", "option_hint"), ("set_before", "set_between", "set_hint"))


def assigned(text: str, candidate_of: re.Pattern[str]) -> Iterator[Span]:
    """Values behind what ``candidate_of`` finds, a secret's name, and ``=``, ``:`` or the like."""
    position = 0
    while candidate := candidate_of.search(text, position):
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
    opening = _OPENING.match(text, sign.end())
    if "\n" in sign[3] and not (sign[1] or opening):
        return None
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
        behind += ["follows_quoted", "follows_set"]
        if piece("new_before").search(before):
            behind.append("follows_set_new")
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
