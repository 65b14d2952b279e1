"""The line at the bottom that asks for a filter, a text or a file name.

While a text is typed, what is wrong with it stands beside it, and the rest of a word that can be completed behind the
cursor: Tab takes what all completions share, the right arrow takes the first one.
"""

from __future__ import annotations

from collections.abc import Callable
from os.path import commonprefix
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message as Event
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from dissector.view.questions import Question

_KEYS = "enter, or escape"


class _Suggester(Suggester):
    """Shows the first completion behind the cursor."""

    def __init__(self, completions: Callable[[str], list[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._completions = completions

    async def get_suggestion(self, value: str) -> str | None:
        return next(iter(self._completions(value)), None)


class Ask(Horizontal):
    """Takes the focus while it asks, and gives it back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", show=False, priority=True)]

    DEFAULT_CSS = """
    Ask { height: 1; display: none; background: $panel; }
    Ask Static { width: auto; padding: 0 1; text-style: bold; }
    Ask Input, Ask Input:focus { width: 1fr; height: 1; border: none; padding: 0; }
    Ask.refused Input { color: $error; text-style: bold; }
    Ask.refused #note { color: $error; max-width: 60%; height: 1; }
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
        self._question = Question("", "", "", "")
        self._before: Widget | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="words", markup=False)
        yield Input()
        yield Static(_KEYS, id="note", markup=False)

    @property
    def is_open(self) -> bool:
        return self.styles.display == "block"

    def ask(self, question: Question) -> None:
        """At once, so that keys that were typed ahead come here too."""
        self._question, self._before = question, self.screen.focused
        self.query_one("#words", Static).update(question.words)
        entry = self.query_one(Input)
        entry.suggester = _Suggester(question.completions)
        entry.value, entry.placeholder = question.value, question.example
        entry.cursor_position = len(question.value)
        self._judge(question.value)
        self.styles.display = "block"
        self.screen.set_focus(entry)

    def action_complete(self) -> None:
        entry = self.query_one(Input)
        found = self._question.completions(entry.value)
        shared = commonprefix(found)  # noqa: RUF071  of texts, not of paths
        if len(shared) > len(entry.value):
            entry.value = shared
            entry.cursor_position = len(shared)
        elif found:
            start = len(shared.rpartition(" ")[0])
            self._note(" ".join(text[start:].strip() for text in found))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._judge(event.value)

    def _judge(self, text: str) -> None:
        refusal = self._question.refusal(text)
        self.set_class(bool(refusal), "refused")
        self._note(refusal or _KEYS)

    def _note(self, words: str) -> None:
        self.query_one("#note", Static).update(words)

    def leave(self) -> None:
        if self.is_open:
            self.styles.display = "none"
            self.screen.set_focus(self._before)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.leave()
        self.post_message(self.Answered(self._question.name, event.value.strip(), self._before))
