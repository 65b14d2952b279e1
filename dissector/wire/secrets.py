"""Finds secrets in free text: ``password=...``, ``<param name="password" value="..."/>``, ``"secret": "..."``, URLs.

Nothing is parsed: the text may be XML in JSON in a log line, and cut off anywhere.  A quote may be of any form (with
backslashes before it, or an entity) and ends at the next one of its form, an unclosed one at the end of the text.
Where it is not clear what belongs to a secret, more is masked and not less.  Every search goes on where the last one
ended, and every repetition in a pattern is bounded or tried at one place only: time is linear in the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from itertools import pairwise

MASK = "***"

_SECRET = (
    r"passwords?|passwd|pwd|passwort|passphrase|kennwort|secret|token|key|credential|(?<![A-Za-z])pass(?![A-Za-z])"
)
_HEADER = r"x-jobscheduler-(?:tunnel-secret|licen[sc]e-?keys?|session)|(?:proxy-)?authorization|(?:set-)?cookie"
_CANDIDATE = re.compile(rf"(?P<header>{_HEADER})|{_SECRET}", re.IGNORECASE)
_REST_OF_NAME = re.compile(r"[\w.$-]*")
_WHOLE_NAME = re.compile(r"[\w.$/:-]{1,256}")

#: Levels of XML as text in XML; bounded, since a repetition without an end remembers every step.
_DEEPER = "(?:amp;){0,64}"
_QUOTE = rf"\\*(?:[\"']|&{_DEEPER}(?:quot|apos|\#0*34|\#0*39|\#x0*22|\#x0*27);)"
_OPENING = re.compile(_QUOTE, re.IGNORECASE)
#: What stands between a name and its value; a comma does between two quoted words: set_var("password", "x").
_ASSIGNMENT = re.compile(
    rf"(?P<quote>{_QUOTE})?[ \t]{{0,64}}[)\]]{{0,2}}[ \t]{{0,64}}"
    r"(?P<sign>[!:]?={1,3}>?|:|,|%3[ad])(?P<blanks>\s{0,64})",
    re.IGNORECASE,
)
_MEMBER_NAME = re.compile(r"\s{0,8}:")
_OPTION = re.compile(r"(?:^|[\s\"'])--?[\w.-]{0,62}\Z")
_BLANKS = re.compile(r"[ \t]{1,64}(?![\s-])")
_ENTITY = re.compile(rf"&{_DEEPER}(?:amp|lt|gt|apos|\#\d{{1,7}}|\#x[0-9a-f]{{1,6}});", re.IGNORECASE)
_SCHEME = re.compile(r"(?:bearer|basic|digest|negotiate)[ \t]{1,8}", re.IGNORECASE)
_BARE_STOP = re.compile(r"[\s;\"'<>&]")
_JSON_VALUE = re.compile(r"[^\s,}\]\"'\\]*")
_ARRAY_STOP = re.compile(r"[\]\"'&]")
_LINE = re.compile(r"[^\r\n]*")
#: What goes on behind a closing quote: a doubled quote, quotes inside of a shell word, more of the word.
_MORE_QUOTED = {'"': ('"', "'\"'\""), "'": ("'", "\"'\"'", "\\''")}
_MORE_BARE = re.compile(r"[\w$%!@#^*~-][^\s,;&<>\"')\]}]*")

_LESS = r"(?:lt|\#0*60|\#x0*3c);"
#: How a tag begins in XML, in XML as text in XML, in that as text in XML, and however deep.
_TAG_BEGINNINGS = tuple(
    (sign, re.compile(rf"<|\\u003c{escaped}", re.IGNORECASE))
    for sign, escaped in (
        ("", ""),
        ("&", rf"|&{_LESS}"),
        ("&amp;", rf"|&(?:amp;)?{_LESS}"),
        ("&amp;amp;", rf"|&{_DEEPER}{_LESS}"),
    )
)
_TAG_END = re.compile(rf">|&{_DEEPER}(?:gt|\#0*62|\#x0*3e);|\\u003e", re.IGNORECASE)
_CDATA = "![CDATA["
_LONGEST_NAME = 256
_TAG_NAME = re.compile(r"[\w.:-]+")
_NAMING = re.compile(
    rf"(?<![\w.-])(?:name|key|variable|param)(?:{_QUOTE})?\s{{0,8}}(?P<sign>[:=])\s{{0,8}}(?P<quote>{_QUOTE})?",
    re.IGNORECASE,
)
_VALUING = re.compile(
    rf"(?<![\w.-])(?:hex_|default_)?(?:value|default|content|text)(?P<quote>{_QUOTE})?\s{{0,8}}(?P<sign>[:=])\s{{0,8}}",
    re.IGNORECASE,
)
_URL_WORD = re.compile(r"[^\s\"<>]+")
_ORACLE_URL = re.compile(r"jdbc:oracle:\w{1,64}:", re.IGNORECASE)
_USER_END = re.compile(r"[/@]")

Span = tuple[int, int]
#: What takes the place of a secret of so many characters.
Cover = Callable[[int], str]


def looks_secret(name: str) -> bool:
    """True for the name of something that is not to be shown: it has a word like password, secret or key in it."""
    return _CANDIDATE.search(name) is not None


def names_a_secret(text: str) -> bool:
    """True for a text that is nothing but such a name (an argument "db_password"), not a sentence with the word."""
    return _WHOLE_NAME.fullmatch(text) is not None and looks_secret(text)


def mask_text(text: str) -> str:
    """The text with every secret in it as ``***``."""
    return _covered(text, lambda _: MASK)


def hide_text(text: str) -> str:
    """The text with every character of a secret as ``*``: as long as it was, every other character in its place."""
    return _covered(text, lambda size: "*" * size)


def _covered(text: str, cover: Cover) -> str:
    if _CANDIDATE.search(text):
        text = _replaced(text, _member_secrets(text), cover)
        for sign, beginning in _TAG_BEGINNINGS:
            if sign in text:
                text = _replaced(text, _element_secrets(text, beginning), cover)
        text = _replaced(text, _assigned_secrets(text), cover)
    return _URL_WORD.sub(lambda word: _replaced(word[0], _url_secrets(word[0]), cover), text) if "@" in text else text


def _replaced(text: str, spans: Iterable[Span], cover: Cover) -> str:
    # No list of pieces: a text may have a million of them.
    result = StringIO(newline="")
    done = 0
    for start, end in spans:
        if end > max(start, done):
            start = max(start, done)
            result.write(text[done:start])
            result.write(cover(end - start))
            done = end
    if not done:
        return text
    result.write(text[done:])
    return result.getvalue()


# --- name and value ------------------------------------------------------------------------------------------------


def _assigned_secrets(text: str) -> Iterator[Span]:
    """Values behind a secret's name and ``=``, ``:`` or the like."""
    position = 0
    while candidate := _CANDIDATE.search(text, position):
        name = _REST_OF_NAME.match(text, candidate.end())
        position = name.end() if name else candidate.end()
        sign = _ASSIGNMENT.match(text, position)
        start = _value_start(text, candidate, position, sign)
        if start is None:
            continue
        header = bool(sign and candidate["header"])
        end = _value_end(text, start, sign["sign"] if sign else "", bool(sign and sign["quote"]), header)
        if sign and sign["sign"] == "," and _MEMBER_NAME.match(text, end):
            # Two members in a row: "name": "password", "value": ...
            continue
        yield _inside(text, start, end)
        position = max(position, end)


def _value_start(text: str, candidate: re.Match[str], name_end: int, sign: re.Match[str] | None) -> int | None:
    if sign is None:
        before = text[max(candidate.start() - 64, 0) : candidate.start()]
        blanks = _BLANKS.match(text, name_end) if _OPTION.search(before) else None
        return blanks.end() if blanks else None
    value = text[sign.end() : sign.end() + 1]
    if sign["sign"] == ",":
        follows = _OPENING.match(text, sign.end()) or value.isdigit()
        return sign.end() if sign["quote"] and follows else None
    return None if "\n" in sign["blanks"] and not sign["quote"] else sign.end()


def _value_end(text: str, start: int, sign: str, quoted_name: bool, header: bool = False) -> int:
    """Where the value that begins at ``start`` ends."""
    if opening := _OPENING.match(text, start):
        return _quoted_end(text, opening)
    first = text[start : start + 1]
    if first == "[":
        return _array_end(text, start)
    if first == "{" and sign == ":":
        # An object: its members have names of their own.
        return start
    if first == "{":
        end = text.find("}", start)
        return len(text) if end < 0 else end + 1
    if not header and not (quoted_name and sign == ":"):
        return _bare_end(text, start)
    pattern = _LINE if header else _JSON_VALUE
    match = pattern.match(text, start)
    return match.end() if match else start


def _bare_end(text: str, start: int) -> int:
    """Index behind a value without quotes.  Entities belong to it.

    They are stepped over one by one: a pattern that repeats them remembers every step, a gigabyte for some megabytes.
    """
    scheme = _SCHEME.match(text, start)
    position = scheme.end() if scheme else start
    while stop := _BARE_STOP.search(text, position):
        entity = _ENTITY.match(text, stop.start())
        if entity is None:
            return stop.start()
        position = entity.end()
    return len(text)


def _inside(text: str, start: int, end: int) -> Span:
    """The value without the quotes around it."""
    opening = _OPENING.match(text, start)
    if opening is None or opening.end() > end - len(opening[0]) or not text.endswith(opening[0], start, end):
        return start, end
    return opening.end(), end - len(opening[0])


def _quoted_end(text: str, opening: re.Match[str]) -> int:
    """Index behind the closing quote and what still belongs to the value behind it."""
    mark = opening[0].lstrip("\\")
    backslashes = len(opening[0]) - len(mark)
    end = _closing_end(text, opening.end(), mark, backslashes)
    while not backslashes and end < len(text):
        more = next((more for more in _MORE_QUOTED.get(mark, ()) if text.startswith(more, end)), None)
        if more is not None:
            end = _closing_end(text, end + len(more), mark, backslashes)
        elif mark in _MORE_QUOTED and (bare := _MORE_BARE.match(text, end)):
            end = bare.end()
        else:
            break
    return end


def _closing_end(text: str, start: int, mark: str, backslashes: int) -> int:
    """Index behind the next ``mark`` with as many backslashes before it as the opening one had.

    Inside of a string in a string in ... an escaped quote has more of them, and escaped backslashes come in groups.
    Before an entity they may stand for either, when XML is in JSON: with more of them it does not close.
    """
    group = len(text) if mark[0] == "&" else 2 * (backslashes + 1)
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
        position = _quoted_end(text, opening) if opening else stop.end()
    return len(text)


# --- XML -----------------------------------------------------------------------------------------------------------


def _member_secrets(text: str) -> Iterator[Span]:
    """Every value of a JSON text in which one has a secret's name: ``{"name": "db_password", "value": "..."}``."""
    if _is_named_secret(text, 0, len(text), ":"):
        for value, _ in _attribute_values(text, 0, len(text), ":"):
            yield value


def _element_secrets(text: str, beginning: re.Pattern[str]) -> Iterator[Span]:
    """Values and contents of elements with a secret's name, their own or in an attribute ``name``.

    An element reaches from one tag's beginning to the next; what stands before the first one is looked at like one.
    Escaped beginnings count in a later round, since they may stand inside a value.  An attribute ``password="..."`` is
    no matter of this, but of what is assigned.
    """
    marks = [(0, 0), *(match.span() for match in beginning.finditer(text)), (len(text), len(text))]
    reached = 0
    in_content = in_cdata = False
    for number, ((_, begin), (end, _)) in enumerate(pairwise(marks)):
        start = max(begin, reached)
        if start >= end:
            continue
        in_cdata = in_cdata or (in_content and text.startswith(_CDATA, start))
        if in_cdata:
            closing = text.find("]]", start, end)
            in_cdata = in_content = closing < 0
            yield start + len(_CDATA) * text.startswith(_CDATA, start), end if closing < 0 else closing
            continue
        named = _is_named_secret(text, start, end)
        if named:
            for value, value_end in _attribute_values(text, start, end):
                yield value
                reached = value_end
        in_content = number > 0 and (named or _has_secret_tag(text, start, end))
        if in_content and reached < end and (content := _content(text, max(start, reached), end)):
            yield content
            reached = end


def _has_secret_tag(text: str, start: int, end: int) -> bool:
    name = _TAG_NAME.match(text, start, min(end, start + _LONGEST_NAME))
    return name is not None and looks_secret(name[0])


def _is_named_secret(text: str, start: int, end: int, signs: str = ":=") -> bool:
    return _CANDIDATE.search(text, start, end) is not None and any(
        looks_secret(_name_in(text[naming.end() : min(naming.end() + _LONGEST_NAME, end)], naming["quote"]))
        for naming in _NAMING.finditer(text, start, end)
        if naming["sign"] in signs
    )


def _name_in(text: str, quote: str | None) -> str:
    if quote:
        return text.partition(quote)[0]
    word = _TAG_NAME.match(text)
    return word[0] if word else ""


def _content(text: str, start: int, end: int) -> Span | None:
    """What stands behind a start tag; None when the element is empty, or the text there blank."""
    tag_end = _TAG_END.search(text, start, end)
    if tag_end is None or text[tag_end.start() - 1] in "/?" or not text[tag_end.end() : end].strip():
        return None
    return tag_end.end(), end


def _attribute_values(text: str, start: int, end: int, signs: str = ":=") -> Iterator[tuple[Span, int]]:
    """What to mask, and where the search goes on."""
    position = start
    while position < end and (valuing := _VALUING.search(text, position, end)):
        # The value may go on behind a "<" that XML would not allow there.
        position = valuing.end()
        if valuing["sign"] not in signs:
            continue
        position = max(_value_end(text, position, valuing["sign"], bool(valuing["quote"])), position)
        yield _inside(text, valuing.end(), position), position


# --- URLs ----------------------------------------------------------------------------------------------------------


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
