"""Finds secrets in free text: ``password=...``, ``<param name="pwd" value="..."/>``, ``mysql -p...``, tokens, URLs.

What a secret looks like is told in ``secret_rules``, ``secret_shapes`` and ``secret_commands``; here, in
``secret_assigned``, ``secret_elements`` and ``secret_forms`` is how it is searched, once for Python and once more in
``codegen/lua/secret*.lua``.

Nothing is parsed: the text may be XML in JSON in a log line, and cut off anywhere.  A quote may be of any form (with
backslashes before it, or an entity) and ends at the next one of its form, an unclosed one at the end of the text.
Where it is not clear what belongs to a secret, more is masked and not less.  Every search goes on where the last one
ended, and every repetition in a pattern is bounded or tried at one place only: time is linear in the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from io import StringIO

from dissector.wire.secret_assigned import assigned
from dissector.wire.secret_elements import Elements
from dissector.wire.secret_forms import shaped, url_secrets
from dissector.wire.secret_plain import Plain
from dissector.wire.secret_rules import HINT, PIECES
from dissector.wire.secret_values import Span, compiled, piece

MASK = "***"

#: What takes the place of a secret of so many characters.
Cover = Callable[[int], str]

_WHOLE_NAME, _URL_WORD = piece("whole_name"), piece("url_word")


class Finder:
    """``names``: further words that a secret's name has in it; ``patterns``: further shapes (group 1, or all)."""

    def __init__(self, names: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self.names, self.patterns = tuple(names), tuple(re.compile(pattern) for pattern in patterns)
        more = "".join(f"|{re.escape(name.lower())}" for name in self.names)
        hint = HINT + more
        self._hint, self._raw_hint = compiled(hint, exact=True), re.compile(hint.encode("iso-8859-1"))
        self.candidate = compiled(PIECES["candidate"] + more)
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
            text = _replaced(text, assigned(text, self.candidate), cover)
        plain = Plain(text)
        text = _replaced(text, plain.spans_in_source(sorted(shaped(plain.text))), cover)
        if "@" in text:
            text = _URL_WORD.sub(lambda word: _replaced(word[0], url_secrets(word[0]), cover), text)
        return text


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


def extended() -> tuple[tuple[str, ...], tuple[re.Pattern[str], ...]]:
    """The names and patterns that were added."""
    return _finder.names, _finder.patterns


def may_hold_secret(raw: bytes) -> bool:
    """False when nothing in the bytes of a message can be a secret by itself, as in nearly all."""
    return _finder.may_hold(raw)


def looks_secret(name: str) -> bool:
    """True for the name of something that is not to be shown: it has a word like password, secret or key in it."""
    return _finder.looks_secret(name) if len(name) < 256 else _finder.candidate.search(name) is not None


def names_a_secret(text: str) -> bool:
    """True for a text that is nothing but such a name (an argument "db_password"), not a sentence with the word, nor a
    token that has it in its form."""
    is_name = _WHOLE_NAME.match(text) is not None and "\n" not in text and looks_secret(text)
    return is_name and mask_text(text) == text


def mask_text(text: str) -> str:
    """The text with every secret in it as ``***``."""
    return _finder.covered(text, lambda _: MASK)


def hide_text(text: str) -> str:
    """The text with every character of a secret as ``*``: as long as it was, every other character in its place."""
    return _finder.covered(text, lambda size: "*" * size)
