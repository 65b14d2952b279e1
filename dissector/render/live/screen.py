"""The full screen with its store, for who wires it to a capture."""

from __future__ import annotations

import asyncio
import os
from io import StringIO
from threading import Lock

from rich.console import Console

from dissector.errors import ScreenError
from dissector.model import CaptureInfo, Task
from dissector.render import abilities
from dissector.render.filter import Filter
from dissector.render.live.app import Control, LiveApp
from dissector.render.live.plain import summary_lines
from dissector.render.live.store import Status, Store
from dissector.wire.masking import Mask


class _NoCapture:
    """Nothing to be seen."""

    over = False

    def __init__(self) -> None:
        self.lock = Lock()

    def status(self) -> Status:
        return Status("", 0, 0, 0.0)

    def save(self, task: Task, path: str) -> tuple[int, bool]:
        raise NotImplementedError


async def _rehearse(app: LiveApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark", "escape", "tab", "p", "f", "enter")


class Screen:
    def __init__(self, mask: Mask, chosen: Filter, *, keep: int, color: str) -> None:
        self.store = Store(mask, chosen, keep)
        self._colors = abilities.colors(color)

    def rehearse(self) -> None:
        """Makes Textual load what it needs later, for errors too: this process may soon not be able to."""
        from rich.traceback import Traceback

        asyncio.run(_rehearse(self._app(Store(self.store.mask, Filter(), 1), _NoCapture())))
        try:
            raise ScreenError
        except ScreenError:
            Console(file=StringIO(), width=80).print(Traceback(show_locals=True))

    def _app(self, store: Store, control: Control) -> LiveApp:
        # Textual takes greys in place of colours where it meets NO_COLOR, unless it is told to use the terminal's own.
        if self._colors:
            os.environ.pop("NO_COLOR", None)
        else:
            os.environ["NO_COLOR"] = "1"
        return LiveApp(store, control, colors=self._colors)

    def run(self, control: Control) -> None:
        """Until the user leaves it or the capture is over.

        :raises ScreenError: the screen ended by an error of its own, which Textual has printed
        """
        app = self._app(self.store, control)
        app.run()
        if app.return_code:
            raise ScreenError("the full screen failed; --plain follows without it")

    def summary(self, info: CaptureInfo) -> list[str]:
        return summary_lines([info], self.store.outcomes)
