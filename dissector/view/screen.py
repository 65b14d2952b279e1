"""The full screen with its store, for who wires it to a capture."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from threading import Lock

from rich.console import Console

from dissector.errors import ScreenError
from dissector.model import CaptureInfo, Connection, Message, Task
from dissector.render import abilities
from dissector.render.filter import Filter
from dissector.render.live.plain import summary_lines
from dissector.view.app import ViewApp
from dissector.view.control import Control
from dissector.view.store import Status, Store
from dissector.wire.masking import Mask


class _NoCapture:
    """Nothing to be seen."""

    over, is_growing = False, True

    def __init__(self) -> None:
        self.lock = Lock()
        self.infos: list[CaptureInfo] = []

    def status(self) -> Status:
        return Status("", 0, 0, 0.0)

    def save(self, task: Task, connections: Iterable[Connection], path: str) -> str:
        raise NotImplementedError

    def recall(self, task: Task, connections: Iterable[Connection]) -> None:
        raise NotImplementedError


async def _rehearse(app: ViewApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark", "escape", "tab", "p", "f", "enter", "escape", "escape", "ctrl+p", "escape")


class Screen:
    """``keep`` as of ``Store``; ``clean`` as of ``ViewApp``."""

    def __init__(
        self,
        mask: Mask,
        chosen: Filter,
        *,
        keep: int | None,
        color: str,
        clean: Callable[[Message], bytes] | None = None,
    ) -> None:
        self.store = Store(mask, chosen, keep)
        self._colors, self._clean = abilities.colors(color), clean

    def rehearse(self) -> None:
        """Makes Textual load what it needs later, for errors too: this process may soon not be able to."""
        from rich.traceback import Traceback

        asyncio.run(_rehearse(self._app(Store(self.store.mask, Filter(), 1), _NoCapture())))
        try:
            raise ScreenError
        except ScreenError:
            Console(file=StringIO(), width=80).print(Traceback(show_locals=True))

    def _app(self, store: Store, control: Control) -> ViewApp:
        # Textual takes greys in place of colours where it meets NO_COLOR, unless it is told to use the terminal's own.
        if self._colors:
            os.environ.pop("NO_COLOR", None)
        else:
            os.environ["NO_COLOR"] = "1"
        return ViewApp(store, control, colors=self._colors, clean=self._clean)

    def run(self, control: Control) -> None:
        """Until the user leaves it or the capture is over.

        :raises ScreenError: the screen ended by an error of its own, which Textual has printed
        """
        app = self._app(self.store, control)
        app.run()
        if app.return_code:
            raise ScreenError("the full screen failed; --plain follows without it")

    def summary(self, infos: Sequence[CaptureInfo]) -> list[str]:
        return summary_lines(infos, self.store.outcomes)
