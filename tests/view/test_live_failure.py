"""The full screen without colours, and what becomes of an error inside it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

import pytest
from textual.app import App

from dissector.errors import ScreenError
from dissector.model import CaptureInfo, Connection, Task
from dissector.render.filter import Filter
from dissector.view.app import ViewApp
from dissector.view.screen import Screen
from dissector.view.store import Status, Store
from dissector.wire.masking import Mask

ROOT = Path(__file__).resolve().parent.parent.parent


class _Capture:
    """A capture that ends when the screen has been drawn a few times; ``error`` is raised then."""

    is_growing = True

    def __init__(self, error: Exception | None = None) -> None:
        self.lock = Lock()
        self.error = error
        self.rounds = 0
        self.infos: list[CaptureInfo] = []

    @property
    def over(self) -> bool:
        self.rounds += 1
        return self.rounds > 3

    def status(self) -> Status:
        if self.error is not None and self.rounds > 1:
            raise self.error
        return Status("eth0", 1, 0, 1.0)

    def save(self, task: Task, connections: Iterable[Connection], path: str) -> str:
        raise NotImplementedError

    def recall(self, task: Task, connections: Iterable[Connection]) -> None:
        raise NotImplementedError


@pytest.fixture
def headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ViewApp, "run", lambda app: App.run(app, headless=True))


def _screen(color: str) -> Screen:
    return Screen(Mask(), Filter(), keep=10, color=color)


@pytest.mark.one_in(5)
@pytest.mark.usefixtures("headless")
@pytest.mark.parametrize("color", ["auto", "always", "never"])
def test_the_screen_runs_with_and_without_colours(color: str) -> None:
    capture = _Capture()
    _screen(color).run(capture)
    assert capture.rounds > 3


@pytest.mark.parametrize("color", ["auto", "never"])
def test_what_is_rehearsed_is_what_runs(color: str) -> None:
    """A process that gives root's rights up loads everything before."""
    _screen(color).rehearse()


def test_without_colours_the_terminal_chooses_them() -> None:
    async def run() -> None:
        app = ViewApp(Store(Mask(), Filter(), 10), _Capture(), colors=0)
        async with app.run_test(size=(80, 24)):
            assert app.ansi_color or app.current_theme.ansi

    asyncio.run(run())


@pytest.mark.usefixtures("headless")
def test_an_error_in_the_screen_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ScreenError, match="--plain"):
        _screen("auto").run(_Capture(ZeroDivisionError("of the screen")))
    assert "of the screen" in capsys.readouterr().err


#: The real screen fails, or already its rehearsal; as Python.
_FAILS = {
    "screen": "ViewApp.redraw = lambda self, **_: draw(self) if 'No' in type(self.control).__name__ else 1 / 0",
    "rehearsal": "ViewApp.redraw = lambda self, **_: 1 / 0",
}


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("tmux") is None, reason="capturing needs root, and tmux")
@pytest.mark.parametrize(("what", "status"), [("screen", 2), ("rehearsal", 1)])
def test_an_error_in_a_real_terminal_is_no_success(captures: Path, tmp_path: Path, what: str, status: int) -> None:
    """It is printed, the process ends while the capture goes on, and its status tells."""
    program = (
        "from dissector.view.app import ViewApp; from dissector.cli import main; draw = ViewApp.redraw; "
        f"{_FAILS[what]}; main()"
    )
    os.mkfifo(tmp_path / "capture")
    capture = f"(cat {captures / 'engine_order.pcap'}; exec sleep 60) >{tmp_path}/capture &"
    tmux = ["tmux", "-L", f"jstrace-{what}-{os.getpid()}", "-f", "/dev/null"]
    command = f'{capture} {sys.executable} -c "{program}" live - <{tmp_path}/capture; echo status $?; sleep 60'
    subprocess.run([*tmux, "new-session", "-d", "-x", "100", "-y", "200", command], check=True, cwd=ROOT)
    try:
        deadline, text = time.monotonic() + 40, ""
        while "status " not in text:
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
            text = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
    assert f"status {status}" in text, text.strip()
    assert "ZeroDivisionError" in text
    assert ("the full screen failed" in text) == (what == "screen")
