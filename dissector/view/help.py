"""The page of keys."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from dissector.view import keys

_WORDS = """
Tasks under way stand on top, with what they wait for and for how long in the column of problems. A start without
a callback is reported after 5 s and after 60 s, an open call after --slow seconds. Packets that the kernel dropped are
counted in the top line; what is decoded around such a gap is right. Times are local, or UTC with
--utc; the top line names the zone.
"""


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", "back"),
        Binding("j", "scroll_lines(1)", show=False),
        Binding("k", "scroll_lines(-1)", show=False),
    ]
    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll { width: 78; height: auto; max-height: 90%; border: round $primary; padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        words = _WORDS.replace("\n", " ").strip()
        with VerticalScroll():
            yield Static("\n".join([*keys.lines(), "", words]), markup=False)

    def action_scroll_lines(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
