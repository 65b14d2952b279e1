"""Codes in plain words: one after the other, or all of them as a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from dissector.model import Severity
from dissector.render.terminal import Terminal
from dissector.render.theme import SEVERITY_STYLES
from dissector.render.values import write_object
from dissector.reports.explain import Explanation

_WIDEST = 110
_INDENT = 9


def print_json(out: TextIO, explanations: Sequence[Explanation]) -> None:
    """One object with all of them; candidates as objects too."""
    records = [
        {**one._asdict(), "engine": list(one.engine), "candidates": [each._asdict() for each in one.candidates]}
        for one in explanations
    ]
    write_object(out, {"schema": "jstrace-explain/1", "codes": records})


def print_explanations(terminal: Terminal, explanations: Sequence[Explanation]) -> None:
    """A paragraph for each."""
    for number, one in enumerate(explanations):
        if number:
            terminal.line()
        style = SEVERITY_STYLES[Severity(one.severity)] if one.severity else "title"
        words = [(f" {one.code}", style)]
        if one.severity or one.title:
            words.append((f"  {one.severity or one.title}", ""))
        terminal.line(*words)
        _part(terminal, "", one.meaning)
        _part(terminal, "Seen as", one.tell)
        _part(terminal, "Cause", one.cause)
        _part(terminal, "Remedy", one.remedy)
        _part(terminal, "Look", one.look_for)
        _part(terminal, "Engine", ", ".join(one.engine))
        if one.candidates:
            _part(terminal, "", "jstrace distinguishes these causes:")
            for each in one.candidates:
                place = f"  ({each.place})" if each.place else ""
                terminal.block([(f"   {each.code:<24}", "key")], each.tell + place, "", _WIDEST)
    terminal.flush()


def print_list(terminal: Terminal, explanations: Sequence[Explanation]) -> None:
    """A line for each."""
    width = max(len(one.code) for one in explanations) + 2
    for one in explanations:
        style = SEVERITY_STYLES[Severity(one.severity)] if one.severity else ""
        head = [(f" {one.code:<{width}}", "title"), (f"{one.severity or 'engine':<9}", style)]
        terminal.block(head, one.meaning or "see the problem codes that it can stand for")
    terminal.flush()


def _part(terminal: Terminal, word: str, text: str) -> None:
    if text:
        terminal.block([(" " + word.ljust(_INDENT - 1) if word else " ", "dim")], text, "", _WIDEST)
