"""What a terminal can do: by its name, TERM, and what the system's terminfo says of it."""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

#: Sixteen colours have names that terminals may redefine; with more than these, any colour has its place.
NAMED_COLORS = 16
_TRUE_COLOR = ("truecolor", "24bit")
_MANY = 1 << 24
_NO_NAMES = ("", "dumb", "unknown")
#: Moving the cursor must be ANSI's way, as that is what will be sent.
_ANSI_CURSOR = b"\x1b[%i%p1%d;%p2%dH"


class Abilities(NamedTuple):
    """``fills``: the cursor can be sent anywhere.  ``colors``: how many, 0 for none."""

    fills: bool
    colors: int


def abilities() -> Abilities:
    """Of the terminal that the environment names."""
    found = _described(os.environ.get("TERM", ""))
    if found.colors and os.environ.get("COLORTERM", "").strip().lower() in _TRUE_COLOR:
        return found._replace(colors=_MANY)
    return found


def colors(wanted: str) -> int:
    """How many to use: ``wanted`` is auto (which honours NO_COLOR), always or never."""
    if wanted == "never" or (wanted == "auto" and os.environ.get("NO_COLOR")):
        return 0
    found = abilities().colors
    return found if wanted == "auto" else max(found, NAMED_COLORS)


@cache
def _described(name: str) -> Abilities:
    if name in _NO_NAMES:
        return Abilities(False, 0)
    try:
        import curses
    except ImportError:  # a Python without it: most terminals of today are alike
        return Abilities(True, 256 if "256" in name else NAMED_COLORS)
    try:
        # Standard output need not be a terminal: what is asked does not depend on it.
        curses.setupterm(name, 1)
    except curses.error:
        return Abilities(False, 0)
    cursor = curses.tigetstr("cup") or b""
    return Abilities(cursor.startswith(_ANSI_CURSOR), max(curses.tigetnum("colors"), 0))
