"""Capture files on the full screen, under Textual's pilot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, Static

from dissector.cli.view import FilesControl
from dissector.opening import Asked, OpenedFiles
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.render.filter import Filter
from dissector.share.texts import without_secrets
from dissector.view.app import ViewApp
from dissector.view.store import Store
from dissector.wire.masking import Mask

Script = Callable[[ViewApp, Pilot[None]], Awaitable[None]]


def opened(*files: Path) -> tuple[Store, OpenedFiles]:
    """Nothing of them is read so far."""
    store = Store(Mask(), Filter(), None)
    return store, OpenedFiles(Asked(tuple(map(str, files)), COMMAND_PORTS, CALLBACK_PORTS), store)


def app_of(*files: Path, colors: int = 1 << 24) -> ViewApp:
    """Files that were read."""
    store, reader = opened(*files)
    reader.run()
    return ViewApp(store, FilesControl(reader), clean=without_secrets, colors=colors)


def play(files: Sequence[Path], script: Script, size: tuple[int, int] = (120, 40)) -> None:
    async def run() -> None:
        app = app_of(*files)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(app, pilot)

    asyncio.run(run())


async def press(pilot: Pilot[None], *keys: str) -> None:
    """With what they change drawn."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


async def answer(app: ViewApp, pilot: Pilot[None], text: str) -> None:
    """What the screen asks for, all of it at once: a long text takes long to be typed."""
    app.query_one(Input).value = text
    await press(pilot, "enter")


async def settle(pilot: Pilot[None], is_so: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits for what a thread does."""
    for _ in range(int(seconds / 0.05)):
        if is_so():
            return
        await pilot.pause(0.05)
    raise AssertionError("it does not come")


def shown(app: ViewApp) -> str:
    """The whole screen as text."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def title(app: ViewApp) -> str:
    return str(app.query_one("#title", Static).render())


def top(app: ViewApp) -> str:
    return str(app.query_one("#top", Static).render())
