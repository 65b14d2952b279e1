"""The corpus of secrets (``secrets_corpus.txt``): texts with each secret marked, and texts that are to stay."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_PATH = Path(__file__).with_name("secrets_corpus.txt")
_MARKED = re.compile("«(.*?)»", re.DOTALL)
_ESCAPE = re.compile(r"\\(n|r|t|\\|x[0-9a-f]{2})")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


class Marked(NamedTuple):
    text: str
    secrets: tuple[str, ...]


def _unescaped(line: str) -> str:
    return _ESCAPE.sub(lambda match: _PLAIN.get(match[1]) or chr(int(match[1][1:], 16)), line)


def _lines() -> tuple[list[str], list[str]]:
    secret, _, harmless = _PATH.read_text(encoding="utf-8").partition("\nharmless\n")
    return [
        [_unescaped(line) for line in part.splitlines() if line and not line.startswith("#")]
        for part in (secret, harmless)
    ]  # type: ignore[return-value]


def _marked(line: str) -> Marked:
    return Marked(_MARKED.sub(lambda match: match[1], line), tuple(match[1] for match in _MARKED.finditer(line)))


_SECRET, HARMLESS = _lines()
SECRET = [_marked(line) for line in _SECRET]
