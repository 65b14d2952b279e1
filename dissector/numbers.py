"""Texts that say numbers: read within bounds, and otherwise not at all; and numbers of things in texts.

A text from the wire may have a million digits, or digits of any script.  What is no plain number within its bounds is
unknown to all of jstrace; whoever reads it can tell (``is_odd``) that something stood there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_DECIMAL = re.compile(r"[ \t\r\n]*([+-]?)0*(\d{1,20})[ \t\r\n]*", re.ASCII)
_HEXADECIMAL = re.compile(r"0*([0-9A-Fa-f]{1,15})", re.ASCII)
#: Of a text that is no number so much is shown.
_SHOWN = 24
_OF_MANY = {"is": "are", "was": "were", "belongs": "belong"}


class Bounds(NamedTuple):
    """The least and the greatest number that there may be."""

    least: int
    greatest: int


INT64 = Bounds(-(1 << 63), (1 << 63) - 1)
PORT = Bounds(1, 65_535)
#: With 0, which stands for any that is free.
ANY_PORT = Bounds(0, 65_535)
TASK_ID = Bounds(0, INT64.greatest)
#: Of POSIX and of Windows systems.
PID = Bounds(0, (1 << 32) - 1)
#: Windows programs end with codes such as 0xC0000005, told with a sign or without.
EXIT_CODE = Bounds(-(1 << 31), (1 << 32) - 1)
SIGNAL = Bounds(0, 255)
COUNT = Bounds(0, 10**18 - 1)


def number(text: str | None, bounds: Bounds = INT64) -> int | None:
    """A decimal number, maybe with a sign, blanks around it and leading zeros; None for anything else."""
    match = _DECIMAL.fullmatch(text) if text is not None else None
    if match is None:
        return None
    value = -int(match[2]) if match[1] == "-" else int(match[2])
    return value if bounds.least <= value <= bounds.greatest else None


def hexadecimal(text: str) -> int | None:
    """A hexadecimal number of up to 60 bits; None for anything else."""
    match = _HEXADECIMAL.fullmatch(text)
    return int(match[1], 16) if match is not None else None


def is_odd(text: str | None, bounds: Bounds) -> bool:
    """True for a text that should be such a number and is none; one that is not there, or empty, is no text."""
    return bool(text and text.strip()) and number(text, bounds) is None


def odd_words(name: str, text: str) -> str:
    """What to say of it: ``task_id="1e9" is no number that is possible there``."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    length = f" ({len(text)} characters)" if shown is not text else ""
    return f'{name}="{shown}"{length} is no number that is possible there, so it counts as unknown'


def count(amount: int, noun: str, plural: str = "") -> str:
    """``1 packet``, ``2 packets``; a plural that is more than an s is named: ``3 addresses``."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {plural or f'{noun}s'}"


def verb(amount: int, of_one: str) -> str:
    """The verb that fits so many things: ``is`` or ``are``, ``was`` or ``were``."""
    return of_one if amount == 1 else _OF_MANY[of_one]
