"""Wireshark itself on a display of its own: started, sent keys, and asked what its packets hold."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dissector.codegen import install

NEEDED = ("wireshark", "Xvfb", "openbox", "xdotool")
missing = [name for name in NEEDED if shutil.which(name) is None]

#: No questions, no saved places, and one pane: what is slow or random on a screen stays away.
_PREFERENCES = """
gui.ask_unsaved: FALSE
gui.update.enabled: FALSE
gui.geometry.save.position: FALSE
"""

#: Another plugin: when Wireshark went through all packets it writes how many hold a message, and how many a Lua error.
_WITNESS = """
local names = {{ "jobscheduler.kind", "_ws.lua.error" }}
local fields, counts = {{}}, {{}}
for _, name in ipairs(names) do fields[name] = Field.new(name) end
local tap = Listener.new("frame")
function tap.reset()
  for _, name in ipairs(names) do counts[name] = 0 end
end
function tap.packet()
  for name, field in pairs(fields) do
    if field() then counts[name] = (counts[name] or 0) + 1 end
  end
end
function tap.draw()
  local file = io.open("{path}", "a")
  for _, name in ipairs(names) do file:write(counts[name] or 0, " ") end
  file:write("\\n")
  file:close()
end
"""


class Program:
    """A running Wireshark with one capture."""

    def __init__(self, process: subprocess.Popen[bytes], environment: dict[str, str], report: Path) -> None:
        self._process, self._environment, self._report = process, environment, report

    @property
    def status(self) -> int | None:
        """Exit status, negative for the signal that ended it; ``None`` as long as it runs."""
        return self._process.poll()

    @property
    def counts(self) -> list[list[int]]:
        """Packets with a message and packets with a Lua error, for each walk through all packets."""
        text = self._report.read_text() if self._report.exists() else ""
        return [[int(word) for word in line.split()] for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def window(self, name: str) -> str:
        """The id of the window with ``name`` in its title, when it is on the screen."""
        found: list[str] = []

        def look() -> bool:
            found[:] = self._xdotool("search", "--onlyvisible", "--name", name).split()
            return bool(found)

        self.until(look, f"no window {name!r}")
        return found[0]

    def keys(self, window: str, *keys: str) -> None:
        """Types into a window."""
        self._xdotool("windowfocus", "--sync", window)
        for key in keys:
            self._xdotool("key", key)
            time.sleep(0.2)

    def until(self, condition: Callable[[], bool], complaint: str, seconds: float = 60) -> None:
        """Waits until ``condition`` holds or the program has ended.

        :raises AssertionError: neither happened in time, or the program ended first
        """
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.status is None, f"Wireshark ended with {self.status}"
            assert time.monotonic() < deadline, complaint
            time.sleep(0.2)

    def _xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout


@contextmanager
def wireshark(home: Path, capture: Path, *options: str, disabled: str = "") -> Iterator[Program]:
    """The program with plugin and profile in an empty ``home``; ``disabled`` names a protocol that is switched off."""
    environment = _environment(home)
    places = install.folders(environment)
    install.install(places)
    profile = places.profiles / install.PROFILE
    with (profile / "preferences").open("a") as file:
        file.write(_PREFERENCES)
    if disabled:
        (profile / "disabled_protos").write_text(f"{disabled}\n")
    report = home / "report"
    (places.plugins / "witness.lua").write_text(_WITNESS.format(path=report))
    with _display(environment):
        command = ["wireshark", "-C", install.PROFILE, "-r", str(capture), *options]
        process = _start(command, environment)
        program = Program(process, environment, report)
        try:
            yield program
        finally:
            _end(process)


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "QT_", "WIRESHARK"))}
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    return {**kept, "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "QT_QPA_PLATFORM": "xcb"}


@contextmanager
def _display(environment: dict[str, str]) -> Iterator[None]:
    """An X server with a window manager, on the first free display; its name goes into ``environment``."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1240x760x24"], pass_fds=[writing],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    started = [server]
    try:
        with os.fdopen(reading) as numbers:
            environment["DISPLAY"] = ":" + numbers.readline().strip()
        started.append(_start(["openbox"], environment))
        yield
    finally:
        for process in reversed(started):
            _end(process)


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
