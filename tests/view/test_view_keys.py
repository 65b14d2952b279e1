"""One table of keys: what is bound, listed, offered in the palette and written in the README is the same.

``UPDATE_GOLDEN=1 pytest tests/view/test_view_keys.py`` writes the README's part anew.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest
from textual.pilot import Pilot
from view_kit import app_of, play, press, shown

from dissector.view import keys
from dissector.view.app import ViewApp
from dissector.view.bytes import BytesPane
from dissector.view.help import HelpScreen
from dissector.view.keys import FLEET, LIST, MESSAGE, TASK
from dissector.view.pane import LinesPane
from dissector.view.tasks import TaskTable

README = Path(__file__).resolve().parent.parent.parent / "README.md"
_TABLE = re.compile(
    r"(?<=<!-- keys: written by tests/view/test_view_keys.py -->\n)(.*?)(?=<!-- end of keys -->)", re.DOTALL
)


def test_the_readme_has_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    table = "\n" + "\n".join(keys.table()) + "\n\n"
    if os.environ.get("UPDATE_GOLDEN"):
        README.write_text(_TABLE.sub(lambda _: table, text), encoding="utf-8")
        return
    found = _TABLE.search(text)
    assert found is not None
    assert found[1] == table


@pytest.mark.parametrize("key", keys.all_keys(), ids=lambda key: key.action)
def test_every_key_does_something(key: keys.KeyRow) -> None:
    name = key.action.partition("(")[0]
    assert hasattr(ViewApp, f"action_{name}")


@pytest.mark.parametrize("pane", [LinesPane, TaskTable, BytesPane])
@pytest.mark.parametrize("key", keys.MOVES, ids=lambda key: key.action)
def test_every_pane_can_be_moved_in(pane: type, key: keys.KeyRow) -> None:
    assert hasattr(pane, f"action_{key.action.partition('(')[0]}")


@pytest.mark.parametrize("place", [FLEET, LIST, TASK, MESSAGE])
def test_no_key_has_two_meanings_in_one_place(place: str) -> None:
    bound = [name for key in (*keys.all_keys(), *keys.MOVES) if place in key.places for name in key.keys.split(",")]
    assert sorted(bound) == sorted(set(bound))


def test_the_page_of_keys_has_all_of_them(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "f1")
        assert isinstance(app.screen, HelpScreen)
        text = shown(app)
        for key in (*keys.all_keys(), *keys.MOVES):
            assert f"  {key.label:<18} {key.words}"[:60].rstrip() in text
        await press(pilot, "escape")
        assert not isinstance(app.screen, HelpScreen)

    play([captures / "engine_shell_ok.pcap"], script, size=(120, 100))


def test_the_page_of_keys_is_scrolled_by_keys(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "question_mark")
        assert "Down to the bytes and back" in shown(app)
        await press(pilot, "down", *["pagedown"] * 5)
        await pilot.pause(0.5)
        assert "ends it and prints the summary" in shown(app)

    play([captures / "engine_shell_ok.pcap"], script, size=(80, 24))


def test_the_palette_has_what_is_of_use_here(captures: Path) -> None:
    async def run() -> None:
        app = app_of(captures / "engine_shell_ok.pcap")
        async with app.run_test() as pilot:
            names = [command.title for command in app.get_system_commands(app.screen)]
            assert "All tasks by job, remote, client, cause, outcome" in names
            assert "Who said what in the chosen task" not in names
            await press(pilot, "enter")
            names = [command.title for command in app.get_system_commands(app.screen)]
            assert "Who said what in the chosen task" in names
            await press(pilot, "ctrl+p", *"only tasks", "enter")
            await pilot.pause(0.5)
            await press(pilot, "enter")
            await pilot.pause(0.3)
            assert app.choice.only_failures

    asyncio.run(run())


def test_keys_that_are_of_no_use_here_do_nothing(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        assert app.place == FLEET
        await press(pilot, "o", "v", "s", "w")
        assert app.place == FLEET
        assert not app.ask.is_open
        assert app._pane == "ladder"

    play([captures / "engine_shell_ok.pcap"], script)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("place", ["fleet", "list", "task", "message"])
def test_the_footer_fits_80_cells_everywhere(captures: Path, place: str) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, *["enter"] * ["fleet", "list", "task", "message"].index(place))
        await pilot.pause()
        assert app.place == place
        assert max(widget.region.right for widget in app.query("FooterKey")) <= 80
        assert "Help" in shown(app).splitlines()[-1]

    play([captures / "engine_shell_ok.pcap"], script, size=(80, 24))
