"""Text for screens: hostile text made harmless, long text folded, numbers and durations in readable words."""

from __future__ import annotations

from dissector.numbers import count
from dissector.wire.harmless import escape as escape

_ELLIPSIS = "…"
#: Characters of a folded text that must fit beside the note on the rest.
_LEAST_SHOWN = 8
_SIZES = ("kB", "MB", "GB", "TB")
#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@")


def fold(text: str, width: int) -> str:
    """At most ``width`` characters: the first line, cut where needed, and what was left out.

    ``first line … (14 lines, 1.0 MB)``; where that does not fit, the beginning and an ellipsis.
    """
    first, line_end, rest = text.partition("\n")
    if not line_end and len(text) <= width:
        return text
    lines = text.count("\n") + (not text.endswith("\n"))
    if lines == 1 and not rest and len(first) <= width:
        return first
    told = f"{lines} lines, {size(len(text))}" if lines > 1 else size(len(text))
    note = f" {_ELLIPSIS} ({told})"
    if len(note) + _LEAST_SHOWN > width:
        return first[: max(width - 1, 0)] + _ELLIPSIS if width > 0 else ""
    return first[: width - len(note)].rstrip() + note


def duration(nanoseconds: int) -> str:
    """``0.6 ms``, ``15 ms``, ``1.25 s``, ``2 m 15 s``, ``3 h 05 m``, ``2 d 04 h``."""
    if nanoseconds < 0:
        return f"-{duration(-nanoseconds)}"
    seconds = nanoseconds / 1e9
    if seconds < 0.000_05:
        return f"{nanoseconds / 1e3:.3g} µs"
    if seconds < 0.9995:
        return f"{_short(seconds * 1e3)} ms"
    if seconds < 59.95:
        return f"{_short(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m" if hours < 24 else f"{hours // 24} d {hours % 24:02d} h"


def _short(number: float) -> str:
    """Three digits, without a fraction that says nothing."""
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def size(number: int) -> str:
    """``950 bytes``, ``1.0 kB``, ``64 MB``: decimal units."""
    if abs(number) < 1000:
        return count(number, "byte")
    amount = float(number)
    for unit in _SIZES:
        amount /= 1000
        if abs(amount) < 999.5 or unit == _SIZES[-1]:
            break
    return f"{amount:.1f} {unit}" if abs(amount) < 9.95 else f"{amount:.0f} {unit}"


def harmless_cell(text: str) -> str:
    """A text that neither a terminal nor a spreadsheet takes for more than that."""
    shown = escape(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
