"""The line at the bottom that asks for a filter, a text or a file name."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message as Event
from textual.widget import Widget
from textual.widgets import Input, Static


class Ask(Horizontal):
    """Takes the focus while it asks, and gives it back."""

    DEFAULT_CSS = """
    Ask { height: 1; display: none; background: $panel; }
    Ask Static { width: auto; padding: 0 1; text-style: bold; }
    Ask Input, Ask Input:focus { width: 1fr; height: 1; border: none; padding: 0; }
    """

    class Answered(Event):
        """Enter: ``text`` is what was asked for by ``question``; ``before`` had the focus."""

        def __init__(self, question: str, text: str, before: Widget | None) -> None:
            super().__init__()
            self.question = question
            self.text = text
            self.before = before

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._question = ""
        self._before: Widget | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="words", markup=False)
        yield Input()
        yield Static("enter, or escape", markup=False)

    @property
    def is_open(self) -> bool:
        return self.styles.display == "block"

    def ask(self, question: str, words: str, value: str, example: str) -> None:
        """At once, so that keys that were typed ahead come here too."""
        self._question, self._before = question, self.screen.focused
        self.query_one("#words", Static).update(words)
        entry = self.query_one(Input)
        entry.value, entry.placeholder = value, example
        entry.cursor_position = len(value)
        self.styles.display = "block"
        self.screen.set_focus(entry)

    def leave(self) -> None:
        if self.is_open:
            self.styles.display = "none"
            self.screen.set_focus(self._before)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.leave()
        self.post_message(self.Answered(self._question, event.value.strip(), self._before))
