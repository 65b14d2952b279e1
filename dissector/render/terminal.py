"""A stream of lines made of styled spans: finds out what the stream can show, and shows that.

Views hand over text with the names of styles; only this module knows colours' codes, the screen's width and which
characters the stream's encoding has.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO

from dissector.numbers import Bounds, number
from dissector.render.abilities import colors
from dissector.render.theme import STYLES

if TYPE_CHECKING:
    from rich.console import Console

#: A text and the name of its style.
StyledText = tuple[str, str]

_GLYPHS = "─│┊├┤┼╪═╌▶◀×…·µ█░"
_PLAIN = str.maketrans(_GLYPHS, "-|:||++=-><x~.u#:")
_PIPED_WIDTH = 160
_LEAST_WIDTH = 20
_WIDTHS = Bounds(1, 1_000_000)


class Terminal:
    """``width`` is the number of cells in a line; ``fixed`` is False where lines may be longer (a pipe or a file)."""

    def __init__(self, out: TextIO, color: str = "auto") -> None:
        """``color`` is auto, always or never; auto honours NO_COLOR and wants a terminal."""
        self._out = out
        self._paint = _painter(out, color)
        self._encoding = getattr(out, "encoding", None) or "utf-8"
        self._plain = not _can_encode(self._encoding, _GLYPHS)
        columns = os.environ.get("COLUMNS", "")
        if (width := number(columns, _WIDTHS)) is not None:
            self.width, self.fixed = width, True
        elif out.isatty():
            self.width, self.fixed = _console(out).width, True
        else:
            self.width, self.fixed = _PIPED_WIDTH, False
        self.width = max(self.width, _LEAST_WIDTH)

    def line(self, *spans: StyledText) -> None:
        """Write one line; blanks at its end are left out."""
        cut = list(spans)
        while cut and not (last := cut[-1][0].rstrip(" ")):
            cut.pop()
        if cut:
            cut[-1] = (last, cut[-1][1])
        self._out.write("".join(self._render(text, style) for text, style in cut) + "\n")

    def about(self, subject: object) -> None:
        """What the lines to come are about, None: nothing; for those who keep lines (``view.pane``)."""

    def block(self, head: Iterable[StyledText], text: str, style: str = "", widest: int = 10_000) -> None:
        """Write ``text`` wrapped behind ``head``, its further lines as far in as the first."""
        spans, width = list(head), min(self.width, widest)
        indent = sum(len(part) for part, _ in spans)
        if indent > width // 2:
            self.line(*spans)
            indent, spans = 4, [("    ", "")]
        for place, part in enumerate(wrap(text, width - indent)):
            self.line(*(spans if place == 0 else [(" " * indent, "")]), (part, style))

    def flush(self) -> None:
        self._out.flush()

    def _render(self, text: str, style: str) -> str:
        if self._plain:
            text = text.translate(_PLAIN)
        text = text.encode(self._encoding, "backslashreplace").decode(self._encoding)
        return text if self._paint is None else self._paint(text, style)


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells; at least one, which may be empty."""
    return textwrap.wrap(text, max(width, 8), break_on_hyphens=False) or [""]


def clip(text: str, width: int) -> str:
    """At most ``width`` cells, with an ellipsis where something is missing."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"[:width]


def _painter(out: TextIO, color: str) -> Callable[[str, str], str] | None:
    """Puts codes for the colours of a style around a text; None where there are to be none."""
    if color == "never" or (color == "auto" and not (out.isatty() and colors(color))):
        return None
    from rich.color import ColorSystem
    from rich.style import Style

    systems = {
        "standard": ColorSystem.STANDARD,
        "256": ColorSystem.EIGHT_BIT,
        "truecolor": ColorSystem.TRUECOLOR,
        "windows": ColorSystem.WINDOWS,
    }
    name = _console(out, colored=True).color_system
    system = systems.get(name or "", ColorSystem.STANDARD if color == "always" else None)
    if system is None:
        return None
    styles = {name: Style.parse(text) for name, text in STYLES.items() if text}

    def paint(text: str, style: str) -> str:
        rule = styles.get(style)
        return text if rule is None else rule.render(text, color_system=system)

    return paint


def _console(out: TextIO, *, colored: bool = False) -> Console:
    """What rich knows of a stream, which has colours if ``colored``.  A pipe needs none of it, so it is imported for
    terminals only."""
    from rich.console import Console

    return Console(file=out, force_terminal=True, no_color=False) if colored else Console(file=out)


def _can_encode(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
