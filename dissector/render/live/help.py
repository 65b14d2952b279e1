"""The page of keys."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

#: Key, what the footer says, what the page of keys says.
KEYS = (
    ("up/down", "", "choose a task; also j, k, page up/down, home, end"),
    ("tab", "", "to the pane below and back; there the same keys scroll"),
    ("l", "Ladder", "who said what in the chosen task; follows its end"),
    ("o", "Log", "what the task's job writes to its log"),
    ("p", "Problems", "what went wrong, of all tasks, the newest at the end"),
    ("s", "Sort", "by the next column: #, took, job, outcome, remote, problems"),
    ("S", "", "the other way round"),
    ("f", "Filter", "tasks that match, such as outcome!=success; empty: all"),
    ("/", "Search", "a text in the table, or in the pane below (see tab)"),
    ("n, N", "", "the next place with that text, the one before"),
    ("z", "Zoom", "the pane below alone, and back"),
    ("space", "Pause", "the screen stands still, the capture goes on"),
    ("w", "Save", "the chosen task's packets as pcapng, if still in memory"),
    ("?", "Help", "this page"),
    ("ctrl-z", "", "back to the shell; fg comes back to the screen"),
    ("q", "Quit", "ends the capture and prints the summary"),
)

_WORDS = """
Tasks under way stand on top, with what they wait for and for how long in the column of problems. A start without
a callback is reported after 5 s and after 60 s, an open call after --slow seconds. Packets that the kernel dropped are
counted in the top line; what is decoded around such a gap is right. Times are local, or UTC with
--utc; the top line names the zone.
"""


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "back")]
    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll { width: 76; height: auto; max-height: 90%; border: round $primary; padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        lines = [f"{key:>8}  {words}" for key, _, words in KEYS]
        with VerticalScroll():
            yield Static("\n".join(lines) + "\n" + _WORDS.replace("\n", " ").strip(), markup=False)
