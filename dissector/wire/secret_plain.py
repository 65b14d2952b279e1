"""A text as it was before it was written into XML, or into a string: what command lines and scripts are searched in."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from dissector.wire.secret_rules import ESCAPED
from dissector.wire.secret_values import Span, piece

_ESCAPED = piece("escaped")


class Plain:
    """``text`` is the plain text of ``source``, however deep that is escaped."""

    def __init__(self, source: str) -> None:
        pieces: list[str] = []
        #: Places in ``text`` of characters that were escaped, and how much further on all behind each is in ``source``.
        self._places: list[int] = []
        self._shifts = [0]
        done = 0
        for match in _ESCAPED.finditer(source):
            pieces += (source[done : match.start()], ESCAPED[(match.lastindex or 1) - 1])
            done = match.end()
            self._places.append(match.start() - self._shifts[-1])
            self._shifts.append(self._shifts[-1] + len(match[0]) - 1)
        self.text = "".join((*pieces, source[done:])) if pieces else source

    def spans_in_source(self, spans: Iterable[Span]) -> Iterator[Span]:
        """The same places in ``source``."""
        return ((self._place(start), self._place(end)) for start, end in spans)

    def _place(self, index: int) -> int:
        return index + self._shifts[bisect_left(self._places, index)]
