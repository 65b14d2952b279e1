"""Makes the pictures of the full screen and of a ladder: ``python -m docs.screenshots``, from the recordings in
``captures``."""

from __future__ import annotations

import asyncio
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

from rich.console import Console
from rich.text import Text

from dissector.cli.view import FilesControl
from dissector.model import CaptureInfo, Connection, Task
from dissector.opening import Asked, OpenedFiles
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.reading import Reading
from dissector.render.filter import Filter
from dissector.render.ladder import LadderView
from dissector.render.terminal import Terminal
from dissector.session.timers import running
from dissector.session.tracer import Tracer
from dissector.share.texts import without_secrets
from dissector.sources.capture import CaptureReader
from dissector.survey import Wanted
from dissector.view.app import ViewApp
from dissector.view.store import Status, Store
from dissector.wire.masking import Mask

DOCS = Path(__file__).resolve().parent
CAPTURES = DOCS.parent / "captures"
#: From all tasks to a field of a message.
MESSAGE = ("enter", "exclamation_mark", "enter", *["down"] * 4, "enter", "enter", *["down"] * 12)
#: To a field of the command that starts a task at a Universal Agent, of which there is a recording.
AGENT, EXCHANGE = "agent/ua113_shell_ok", ("enter", "enter", "enter", "enter", "down")
#: What the README begins with.
FIRST_MINUTE = ("jstrace read faults/02_callback_drop.r.pcap", "jstrace read engine_shell_fail.pcap --task 1")
RECORDINGS = ("engine_shell_ok", "engine_shell_fail", "engine_ten_tasks", "engine_kill_agent", "engine_order")


class Capture:
    over, is_growing = False, True

    def __init__(self, packets: int) -> None:
        self.lock = Lock()
        self.infos: list[CaptureInfo] = []
        self._packets = packets

    def status(self) -> Status:
        return Status("eth0", self._packets, 0, 754.0)

    def save(self, task: Task, connections: Iterable[Connection], path: str) -> str:
        raise NotImplementedError

    def recall(self, task: Task, connections: Iterable[Connection]) -> None:
        raise NotImplementedError


def store() -> tuple[Store, int]:
    """Tasks of several recordings as they ended, and those of another one that are under way."""
    filled, tracer, count = Store(Mask(), Filter(), 1_000), Tracer(window=10**9), 0
    now = next(iter(CaptureReader([CAPTURES / f"{RECORDINGS[0]}.pcap"]))).time
    for name in RECORDINGS:
        packets = list(CaptureReader([CAPTURES / f"{name}.pcap"]))
        begin, is_last = now + 5 * 10**9, name == RECORDINGS[-1]
        for packet in packets[:140] if is_last else packets:
            count += 1
            now = packet.time - packets[0].time + begin
            for event in tracer.feed(packet._replace(number=count, time=now)):
                filled.add(event)
        if not is_last:
            now += 300 * 10**9
            for event in tracer.tick(now):
                filled.add(event)
    for facts in tracer.running:
        filled.started(facts.record)
    filled.running([running(facts, now) for facts in tracer.running], now + 3 * 10**8)
    return filled, count


async def picture(name: str, size: tuple[int, int], *keys: str) -> None:
    filled, count = store()
    await pressed(ViewApp(filled, Capture(count)), name, "jstrace live eth0", size, *keys)


async def of_files(name: str, size: tuple[int, int], *keys: str, recordings: Sequence[str] = RECORDINGS) -> None:
    """Recordings on the screen, as files."""
    filled = Store(Mask(), Filter(), None)
    files = tuple(str(CAPTURES / f"{one}.pcap") for one in recordings)
    opened = OpenedFiles(Asked(files, COMMAND_PORTS, CALLBACK_PORTS), filled)
    opened.run()
    await pressed(ViewApp(filled, FilesControl(opened), clean=without_secrets), name, "jstrace *.pcap", size, *keys)


async def pressed(app: ViewApp, name: str, title: str, size: tuple[int, int], *keys: str) -> None:
    """The picture of the screen after some keys."""
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await pilot.pause(0.4)
        (DOCS / f"{name}.svg").write_text(app.export_screenshot(title=title), encoding="utf-8")


def ladder(name: str, case: str, width: int, lines: int) -> None:
    """The first ``lines`` of the page of a recorded fault's task, captured at both of its ends."""
    files = {
        str(CAPTURES / "faults" / f"{case}.{leg}.pcap"): place for leg, place in (("c", "client"), ("r", "remote"))
    }
    reading, out = Reading(files, wanted=Wanted(files)), io.StringIO()
    os.environ["COLUMNS"] = str(width)
    view = LadderView(Terminal(out, "always"), Mask())
    for event in reading.events():
        view.add(event)
    view.close(reading.infos)
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(Text.from_ansi("\n".join(out.getvalue().splitlines()[:lines])))
    title = f"jstrace read --task 1 --point client={case}.c.pcap --point remote={case}.r.pcap"
    (DOCS / f"{name}.svg").write_text(console.export_svg(title=title), encoding="utf-8")


def terminal(name: str, width: int, *commands: str) -> None:
    """A terminal in which these commands are given in the folder of recordings, with what they print."""
    console = Console(record=True, width=width, file=io.StringIO())
    for number, command in enumerate(commands):
        console.print(Text.assemble("\n" if number else "", ("$ ", "green"), (command, "bold")))
        console.print(Text.from_ansi(printed(command, width, "always")))
    (DOCS / f"{name}.svg").write_text(console.export_svg(title="jstrace"), encoding="utf-8")


def printed(command: str, width: int, color: str) -> str:
    """What the command prints on a screen of so many cells."""
    words = [sys.executable, "-m", "jstrace", *shlex.split(command)[1:], "--utc", "--color", color]
    environment = {**os.environ, "COLUMNS": str(width)}
    done = subprocess.run(words, cwd=CAPTURES, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


def main() -> None:
    terminal("first-minute", 100, *FIRST_MINUTE)
    ladder("both-ends", "12b_idle_firewall_drop_short_retries", 150, 29)
    asyncio.run(picture("live-ladder", (120, 36)))
    asyncio.run(picture("live-problems", (120, 30), "p"))
    asyncio.run(picture("live-small", (80, 24), "down", "down", "down"))
    asyncio.run(of_files("view-fleet", (120, 30)))
    asyncio.run(of_files("view-message", (120, 34), *MESSAGE))
    asyncio.run(of_files("view-log", (120, 34), "enter", "exclamation_mark", "o"))
    asyncio.run(of_files("view-help", (120, 50), "question_mark"))
    asyncio.run(of_files("view-exchange", (120, 34), *EXCHANGE, recordings=(AGENT,)))


if __name__ == "__main__":
    main()
