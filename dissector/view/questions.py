"""What the screen asks for: a filter, a text to look for, a file name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dissector.errors import JstraceError
from dissector.render.filter import parse
from dissector.render.filter.guide import completions
from dissector.view import places


def _accepts(_text: str) -> str:
    return ""


def _no_completions(_text: str) -> list[str]:
    return []


class Question(NamedTuple):
    """``name`` comes back with the answer; ``refusal`` says what is wrong with a text so far, ``completions`` are the
    text in longer versions."""

    name: str
    words: str
    value: str
    example: str
    refusal: Callable[[str], str] = _accepts
    completions: Callable[[str], list[str]] = _no_completions


def refusal(text: str) -> str:
    """What is wrong with a filter for the table; empty where nothing is."""
    try:
        chosen = parse((text,))
    except JstraceError as error:
        return str(error).removeprefix(f"filter {text!r}: ")
    return "the table is filtered by fields of tasks: job, outcome, ip, problem ..." if chosen.on_messages else ""


def ask_filter(text: str) -> Question:
    return Question("filter", "Filter", text, "job=nightly outcome!=success", refusal, completions)


def ask_search(text: str) -> Question:
    return Question("search", "Search", text, "text")


def ask_file(task: int) -> Question:
    return Question("save", f"Save task {task} (.pcapng .html .json .md .txt) as", f"task-{task}.pcapng", "file")


def ask_place() -> Question:
    return Question("place", "Go to", "", "#3, 217 or 04:07:15", places.refusal)
