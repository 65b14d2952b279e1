"""The keys of the screen, as they are bound, listed on the page of keys and in the palette, and written in the README.

They are those of sngrep, htop, less and vim where these have one for the same.
"""

from __future__ import annotations

from typing import NamedTuple

from textual.binding import Binding, BindingType

#: Where a key is of use: the page of all tasks, the table of tasks, a task's page, a message's page.
FLEET, LIST, TASK, MESSAGE = "fleet", "list", "task", "message"
_PLACES = frozenset((FLEET, LIST, TASK, MESSAGE))
_TASKS = frozenset((LIST, TASK))


class KeyRow(NamedTuple):
    """``keys`` and ``action`` as Textual has them; ``label`` is what the keys are called, ``footer`` the word for the
    line at the bottom, empty for most.  ``priority``: before whatever has the focus."""

    keys: str
    label: str
    action: str
    words: str
    places: frozenset[str] = _PLACES
    footer: str = ""
    priority: bool = False


class KeyGroup(NamedTuple):
    title: str
    keys: tuple[KeyRow, ...]


#: Bound by the panes themselves.
MOVES = (
    KeyRow("up,k", "up, k", "move(-1)", "the line before"),
    KeyRow("down,j", "down, j", "move(1)", "the next line"),
    KeyRow("pageup,ctrl+b", "page up, ctrl-b", "page(-1)", "a page up"),
    KeyRow("pagedown,ctrl+f", "page down, ctrl-f", "page(1)", "a page down"),
    KeyRow("home,g", "home, g", "move(-1000000000)", "the first line"),
    KeyRow("end,G", "end, G", "move(1000000000)", "the last line"),
    KeyRow("left", "left", "sideways(-8)", "what is cut off on the left; in bytes: the byte before"),
    KeyRow("right", "right", "sideways(8)", "what is cut off on the right; in bytes: the next byte"),
)
GROUPS = (
    KeyGroup(
        "Down to the bytes and back",
        (
            KeyRow("enter", "enter", "down", "down: all tasks, a task, its messages, a message, its fields, its bytes"),
            KeyRow("escape,backspace", "escape", "up", "back up"),
            KeyRow("tab", "tab", "other", "to the pane beside or below, and back", priority=True),
            KeyRow("z", "z", "zoom", "the pane below alone, and back", _TASKS),
            *MOVES,
        ),
    ),
    KeyGroup(
        "What is shown",
        (
            KeyRow("l", "l", "pane('ladder')", "who said what in the chosen task", _TASKS, "Ladder"),
            KeyRow("o", "o", "pane('log')", "what the task's job wrote to its log", _TASKS, "Log"),
            KeyRow("p", "p", "pane('problems')", "what went wrong, of all tasks", _TASKS, "Problems"),
            KeyRow("f,f4", "f, F4", "ask('filter')", "tasks that match, such as outcome!=success; empty: all",
                footer="Filter", priority=True),
            KeyRow("exclamation_mark", "!", "failures", "only tasks that failed, and back"),
            KeyRow("s,f6", "s, F6", "sort", "sorted by the next column; a click on a heading: by that one",
                frozenset((LIST,)), "Sort"),
            KeyRow("S", "S", "reverse", "the other way round", frozenset((LIST,))),
            KeyRow("u", "u", "group", "all tasks by job, remote, client, cause, outcome", frozenset((FLEET,)),
                "Group by"),
            KeyRow("i", "i", "order", "most failed first, most tasks, longest", frozenset((FLEET,)), "Order"),
            KeyRow("v", "v", "verbose", "a line for every message, and back", _TASKS),
            KeyRow("t", "t", "texts", "texts whole and wrapped, then sideways (left, right), then cut", _TASKS),
            KeyRow("d", "d", "times", "times since the start, since the line before, of day", _TASKS),
            KeyRow("space", "space", "pause", "the screen stands still, the capture goes on", footer="Pause"),
        ),
    ),
    KeyGroup(
        "Where to",
        (
            KeyRow("slash,f3", "/, F3", "ask('search')", "a text in what has the cursor; all places are marked",
                footer="Search", priority=True),
            KeyRow("n", "n", "again(1)", "the next place with that text"),
            KeyRow("N", "N", "again(-1)", "the one before"),
            KeyRow("e,right_square_bracket", "e, ]", "problem(1)", "the next problem; of a message: the next message"),
            KeyRow("E,left_square_bracket", "E, [", "problem(-1)", "the one before"),
            KeyRow("a", "a", "answer", "the answer to the chosen request", frozenset((TASK, MESSAGE))),
            KeyRow("r", "r", "request", "the request of the chosen answer", frozenset((TASK, MESSAGE))),
            KeyRow("colon", ":", "ask('place')", "a task (#3), a packet (217) or a time (04:07:15)", priority=True),
        ),
    ),
    KeyGroup(
        "What to take along",
        (
            KeyRow("y", "y", "copy('value')", "copy the chosen value: a task's job, a message's text, a field, a byte"),
            KeyRow("Y", "Y", "copy('row')", "copy the chosen line"),
            KeyRow("c", "c", "copy('filter')", "copy a display filter for Wireshark of what is chosen"),
            KeyRow("C", "C", "copy('tshark')", "copy a tshark command for what is chosen"),
            KeyRow("w,f2", "w, F2", "ask('save')", "save the chosen task: .pcapng, a report (.html), .json, .md, .txt",
                _TASKS, "Save", True),
        ),
    ),
    KeyGroup(
        "The screen",
        (
            KeyRow("question_mark,f1", "?, F1", "help", "this page", footer="Help"),
            KeyRow("ctrl+p", "ctrl-p", "command_palette", "all commands by name", priority=True),
            KeyRow("m", "m", "mouse", "the mouse off, so that the terminal itself can select text, and on"),
            KeyRow("ctrl+z", "ctrl-z", "suspend_process", "to the shell; fg comes back to the screen", priority=True),
            KeyRow("q,f10,ctrl+c", "q, F10", "quit", "ends it and prints the summary", footer="Quit"),
        ),
    ),
)  # fmt: skip


def all_keys() -> list[KeyRow]:
    """All of them but those of the panes."""
    return [key for group in GROUPS for key in group.keys if key not in MOVES]


def bindings() -> list[Binding]:
    """For the screen as a whole."""
    short = {"question_mark,f1": "?", "space": "␣", "slash,f3": "/", "w,f2": "w", "f,f4": "f", "s,f6": "s"}
    return [
        Binding(
            key.keys, key.action, key.footer or key.words, show=bool(key.footer),
            key_display=short.get(key.keys, key.label.split(",")[0]), priority=key.priority,
        )
        for key in all_keys()
    ]  # fmt: skip


def moves() -> list[BindingType]:
    """For each pane."""
    return [Binding(key.keys, key.action, key.words, show=False) for key in MOVES]


def places_of(action: str, parameters: tuple[object, ...]) -> frozenset[str]:
    """Where an action is of use."""
    called = f"{action}({', '.join(map(repr, parameters))})" if parameters else action
    return next((key.places for key in all_keys() if key.action == called), _PLACES)


def lines() -> list[str]:
    """The page of keys."""
    found: list[str] = []
    for group in GROUPS:
        found += ["", group.title, *(f"  {key.label:<18} {key.words}" for key in group.keys)]
    return found[1:]


def table() -> list[str]:
    """The same in Markdown."""
    found: list[str] = []
    for group in GROUPS:
        found += ["", f"| {group.title} | |", "|---|---|"]
        found += [f"| {', '.join(f'`{name}`' for name in key.label.split(', '))} | {key.words} |" for key in group.keys]
    return found[1:]
