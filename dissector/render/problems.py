"""The list of problems in plain words: what happened, why, what to do, and the packets that prove it."""

from __future__ import annotations

from collections.abc import Iterable

from dissector.render.alike import ProblemRow
from dissector.render.terminal import Terminal, wrap
from dissector.render.theme import SEVERITY_STYLES

_INDENT = 9
#: Longer lines are hard to read.
_WIDEST = 120
#: With less room behind its heading a summary begins on a line of its own.
_ROOM = 50


def print_problems(terminal: Terminal, rows: Iterable[ProblemRow]) -> None:
    """A paragraph a problem: the summary with its packets at the right, then cause and remedy."""
    for row in rows:
        terminal.line()
        _summary(terminal, row)
        for word, text in (("Cause", row.cause), ("Remedy", row.remedy), ("Logs", row.logs), ("", row.others)):
            if text:
                _block(terminal, word, text, "" if word else "dim")


def _summary(terminal: Terminal, row: ProblemRow) -> None:
    style = SEVERITY_STYLES[row.severity]
    words = [(f" {row.severity.value:<8}", style)]
    if row.where:
        words.append((f"{row.where}  ", "title"))
    words.append((f"{row.code}  ", style))
    indent, width = sum(len(text) for text, _ in words), min(terminal.width, _WIDEST)
    if width - indent < _ROOM:
        terminal.line(*words)
        words, indent = [(" " * _INDENT, "")], _INDENT
    lines = wrap(row.summary, width - indent)
    for number, text in enumerate(lines):
        head = words if number == 0 else [(" " * indent, "")]
        if number < len(lines) - 1 or not row.packets:
            terminal.line(*head, (text, ""))
            continue
        packets = f"packet{'' if row.packets.isdecimal() else 's'} {row.packets}"
        room = width - indent - len(text) - len(packets) - 1
        if room >= 2:
            terminal.line(*head, (text, ""), (" " * room + packets, "dim"))
        else:
            terminal.line(*head, (text, ""))
            _block(terminal, "Packets", row.packets, "dim")


def _block(terminal: Terminal, word: str, text: str, style: str) -> None:
    terminal.block([(" " * _INDENT + word.ljust(8), "dim")], text, style, _WIDEST)
