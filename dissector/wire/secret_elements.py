"""Secrets of which the name stands in another place than right before: attributes of XML, members of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from dissector.wire.secret_values import Span, inside, piece, value_end

#: How a tag begins in XML, in XML as text in XML, in that as text in XML, and however deep.
_TAG_BEGINNINGS = (
    ("", piece("tag_plain")),
    ("&", piece("tag_once")),
    ("&amp;", piece("tag_twice")),
    ("&amp;amp;", piece("tag_deeper")),
)
_TAG_END, _TAG_NAME = piece("tag_end"), piece("tag_name")
_NAMING, _VALUING = piece("naming"), piece("valuing")
_NAMING_TAG, _VALUING_TAG, _WHOLE_NAME = piece("naming_tag"), piece("valuing_tag"), piece("whole_name")
_FOLDER = piece("folder")
_CDATA = "![CDATA["
#: What a comment and an instruction begin with.
_NOTES = ("!--", "?")
_LONGEST_NAME = 256
#: Variables of a shell that say in which folder it is.
FOLDERS = ("PWD", "OLDPWD")


class Elements:
    """``names``: what is in the name of a secret."""

    def __init__(self, names: re.Pattern[str]) -> None:
        self._names = names

    def rounds(self, text: str) -> Iterator[re.Pattern[str]]:
        """The ways in which tags may begin in a text, the plainest first: the text is masked after each."""
        return (beginning for sign, beginning in _TAG_BEGINNINGS if sign in text)

    def members(self, text: str) -> Iterator[Span]:
        """Every value of a JSON text in which one has a secret's name: ``{"name": "db_password", "value": "..."}``."""
        if self._secret_name(text, ":"):
            for value, _ in _attribute_values(text, 0, len(text), ":"):
                yield value

    def secrets(self, text: str, beginning: re.Pattern[str]) -> Iterator[Span]:
        """Values and contents of elements with a secret's name, their own or in an attribute ``name``.

        An element reaches from one tag's beginning to the next; what stands before the first one is looked at like
        one.  Escaped beginnings count in a later round, since they may stand inside a value.  An attribute
        ``password="..."`` is no matter of this, but of what is assigned.
        """
        marks = [(0, 0), *(match.span() for match in beginning.finditer(text)), (len(text), len(text))]
        reached = 0
        in_content = in_cdata = in_note = is_open = named = False
        for number, ((_, begin), (end, _)) in enumerate(pairwise(marks)):
            start = max(begin, reached)
            if start >= end:
                continue
            in_cdata = in_cdata or (in_content and text.startswith(_CDATA, start))
            in_note = in_note or (is_open and not in_cdata and text.startswith(_NOTES, start))
            if in_note:
                # A comment or an instruction between the start tag and the content.
                closing = _note_end(text, start, end)
                in_note = closing < 0
                if closing >= 0 and text[closing:end].strip():
                    yield closing, end
                continue
            if in_cdata:
                closing = text.find("]]", start, end)
                in_cdata = in_content = closing < 0
                yield start + len(_CDATA) * text.startswith(_CDATA, start), end if closing < 0 else closing
                continue
            if named and _VALUING_TAG.match(text, start):
                in_content, named = True, False
                if content := _content(text, start, end):
                    yield content
                continue
            name = self._secret_name(text[start:end], ":=") or (number and self._secret_tag(text, start, end)) or ""
            if name:
                values = list(_attribute_values(text, start, end, ":="))
                yield from (span for span, _ in values if not is_folder(name, text, span[0]))
                reached = values[-1][1] if values else reached
            in_content = number > 0 and bool(name)
            is_open = in_content and not _is_empty(text, start, end)
            if number and text[start] != "/":
                named = self._names_next(text, start, end, name)
            if in_content and reached < end and (content := _content(text, max(start, reached), end)):
                yield content
                reached = end

    def _names_next(self, text: str, start: int, end: int, name: str) -> bool:
        """True when the element is empty so far and has a secret's ``name`` in an attribute, or one is its content."""
        if _NAMING_TAG.match(text, start) and (content := _content(text, start, end)):
            word = text[slice(*content)].strip()
            return bool(_WHOLE_NAME.match(word) and self._names.search(word))
        tag_end = _TAG_END.search(text, start, end)
        return (
            bool(name)
            and tag_end is not None
            and text[tag_end.start() - 1] != "/"
            and not text[tag_end.end() : end].strip()
        )

    def _secret_tag(self, text: str, start: int, end: int) -> str:
        """The element's own name if it is a secret's; else empty."""
        name = _TAG_NAME.match(text[start : min(end, start + _LONGEST_NAME)])
        return name[0] if name is not None and self._names.search(name[0]) else ""

    def _secret_name(self, element: str, signs: str) -> str:
        """The secret's name that the element has in an attribute; empty without one."""
        if self._names.search(element) is None:
            return ""
        for naming in _NAMING.finditer(element):
            if naming[1] in signs:
                name = _name_in(element[naming.end() : naming.end() + _LONGEST_NAME], naming[2])
                if self._names.search(name):
                    return name
        return ""


def is_folder(name: str, text: str, start: int) -> bool:
    """True for the shell's own variable PWD, which says a folder."""
    return name in FOLDERS and text.startswith("/", start) and _FOLDER.match(text, start) is not None


def _name_in(text: str, quote: str | None) -> str:
    if quote:
        return text.partition(quote)[0]
    word = _TAG_NAME.match(text)
    return word[0] if word else ""


def _is_empty(text: str, start: int, end: int) -> bool:
    """True for ``<x/>`` and for what has no end."""
    tag_end = _TAG_END.search(text, start, end)
    return tag_end is None or text[tag_end.start() - 1] in "/?"


def _note_end(text: str, start: int, end: int) -> int:
    """Index behind a comment or an instruction; -1 when it goes on behind ``end``."""
    position = start
    while tag_end := _TAG_END.search(text, position, end):
        if text.endswith(("--", "?"), start, tag_end.start()):
            return tag_end.end()
        position = tag_end.end()
    return -1


def _content(text: str, start: int, end: int) -> Span | None:
    """What stands behind a start tag; None when the element is empty, or the text there blank."""
    if _is_empty(text, start, end):
        return None
    tag_end = _TAG_END.search(text, start, end)
    return (tag_end.end(), end) if tag_end and text[tag_end.end() : end].strip() else None


def _attribute_values(text: str, start: int, end: int, signs: str) -> Iterator[tuple[Span, int]]:
    """What to mask, and where the search goes on."""
    position = start
    while position < end and (valuing := _VALUING.search(text, position, end)):
        # The value may go on behind a "<" that XML would not allow there.
        position = valuing.end()
        if valuing[2] not in signs:
            continue
        position = max(value_end(text, position, valuing[2], bool(valuing[1])), position)
        yield inside(text, valuing.end(), position), position
