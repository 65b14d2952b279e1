"""Capture files on the screen: read in a thread, read once more, saved; and the command itself in a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from terminal_kit import COMMAND, ROOT, Terminal
from textual.pilot import Pilot
from view_kit import app_of, opened, play, press, settle, shown, title, top

from dissector.errors import UsageError
from dissector.model import Exchange, Message, Outcome
from dissector.render.ladder import LadderView
from dissector.sources.capture import CaptureReader
from dissector.view import entry as entry_module
from dissector.view import store as store_module
from dissector.view.app import ViewApp
from dissector.view.keys import FLEET, LIST, TASK
from dissector.view.pane import Sheet
from dissector.view.store import Status, Store
from dissector.view.top import top_line


def ladder(store: Store, number: int) -> list[str]:
    """The page of a task as the screen has it."""
    entry = next(one for one in store.final() if one.task.n == number)
    sheet = Sheet(120)
    view = LadderView(sheet, store.mask, verbose=True, fields=True)
    for event in store.events(entry):
        view.add(event)
    view.close(())
    return [line.text for line in sheet.lines]


def test_files_are_read_in_a_thread(captures: Path) -> None:
    store, reader = opened(captures / "engine_ten_tasks.pcap", captures / "engine_shell_fail.pcap")
    thread = threading.Thread(target=reader.run)
    thread.start()
    thread.join(60)
    assert reader.is_read
    assert reader.error is None
    assert (
        reader.done
        == reader.total
        == sum((captures / name).stat().st_size for name in ("engine_ten_tasks.pcap", "engine_shell_fail.pcap"))
    )
    assert (len(store.final()), store.failed) == (11, 1)
    assert [info.packets for info in reader.infos] == [567, 58]


@pytest.mark.parametrize("name", ["engine_ten_tasks.pcap", "agent/ua113_two_tasks_all.pcap", "h19_two.pcap"])
def test_what_is_read_once_more_is_what_was_read(captures: Path, name: str) -> None:
    store, reader = opened(captures / name)
    reader.run()
    assert store.final()
    for entry in store.final():
        before = ladder(store, entry.task.n)
        held = [one for one in entry.messages if isinstance(one, Message)]
        found = reader.recall(entry.task, entry.connections)
        assert all(isinstance(one, (Message, Exchange)) for one in found)
        again = [one for one in found if isinstance(one, Message)]
        assert [one.raw for one in again] == [one.raw for one in held]
        assert [one.packets for one in again] == [one.packets for one in held]
        store.recalled(entry, found)
        assert ladder(store, entry.task.n) == before


def test_of_captures_of_two_places_everything_is_read_once_more(captures: Path) -> None:
    sides = [captures / "faults" / f"12b_idle_firewall_drop_short_retries.{leg}.pcap" for leg in "cr"]
    store, reader = opened(*sides)
    reader.run()
    (entry,) = store.final()
    before = ladder(store, 1)
    store.recalled(entry, reader.recall(entry.task, entry.connections))
    assert ladder(store, 1) == before
    with pytest.raises(UsageError, match=r"several places: jstrace slice FILE\.\.\. --out-dir DIR --task 1"):
        reader.save(entry.task, entry.connections, "x.pcapng")


def test_a_task_is_saved_once(captures: Path, tmp_path: Path) -> None:
    store, reader = opened(captures / "engine_ten_tasks.pcap", captures / "engine_shell_fail.pcap")
    reader.run()
    entry = next(one for one in store.final() if one.task.outcome is Outcome.FAILURE)
    target = tmp_path / "one.pcapng"
    assert reader.save(entry.task, entry.connections, str(target)) == len(list(CaptureReader([target]))) > 40
    with pytest.raises(UsageError, match="exists already"):
        reader.save(entry.task, entry.connections, str(target))


def test_what_can_not_be_read_is_a_remark(tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_text("no capture at all")

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await settle(pilot, lambda: "no capture" in title(app))
        await press(pilot, "enter", "p")
        assert "this is a text that begins with 'no capture at all'" in app.pane.text
        assert app.is_running

    play([tmp_path / "x.pcap"], script)


def test_a_cut_file_is_read_as_far_as_it_goes(captures: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes((captures / "engine_shell_fail.pcap").read_bytes()[:-10])
    store, reader = opened(tmp_path / "x.pcap")
    reader.run()
    assert len(store.final()) == 1
    assert any(getattr(news, "code", "") == "capture_truncated" for news in store.news)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with very many tasks: hardly any messages are held."""
    monkeypatch.setattr(store_module, "MAX_MESSAGES", 30)
    monkeypatch.setattr(entry_module, "MAX_OF_TASK", 20)


@pytest.mark.usefixtures("forgetful")
def test_messages_that_are_no_longer_held_are_read_once_more(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        first = next(one for one in app.store.final() if one.task.n == 1)
        assert not app.store.is_whole(first)
        await press(pilot, "enter", "end", "enter")
        await settle(pilot, lambda: app.store.is_whole(first) and "construct(" in app.pane.text)
        assert app.table.selected is first
        assert app.place == TASK
        assert title(app).startswith(" Ladder of task 1 ")

    play([captures / "engine_ten_tasks.pcap"], script)


@pytest.mark.usefixtures("forgetful")
def test_no_more_messages_are_held_than_there_is_room_for(captures: Path) -> None:
    app = app_of(captures / "engine_ten_tasks.pcap")
    assert sum(len(entry.messages) for entry in app.store.final()) == app.store._messages <= 30
    assert max(len(entry.messages) for entry in app.store.final()) <= 20


def test_the_screen_is_of_use_while_files_are_read(captures: Path) -> None:
    """The reader is stopped in the middle: what is there so far is shown, and how far it is."""

    async def run() -> None:
        from dissector.cli.view import FilesControl

        store, reader = opened(captures / "engine_ten_tasks.pcap")
        reader.done, reader.total = 30, 60
        app = ViewApp(store, FilesControl(reader))
        async with app.run_test(size=(120, 30)) as pilot:
            await pilot.pause()
            assert "reading █████░░░░░ 50%" in top(app)
            assert "no task so far" in shown(app)
            thread = threading.Thread(target=reader.run)
            thread.start()
            await settle(pilot, lambda: "10 tasks" in top(app) and "reading" not in top(app))
            await settle(pilot, lambda: "shell_long" in shown(app))
            thread.join(10)

    import asyncio

    asyncio.run(run())


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_top_line_fits(width: int) -> None:
    status = Status("a_capture_with_a_very_long_name_of_yesterday.pcapng", 1_731_112, None, None, 50, 200)
    line = top_line(status, (3, 19_997), 2_222, 10**18, width, paused=False)
    assert len(line) <= width
    if width >= 80:
        assert "20000 tasks, 2222 failed" in line
        assert "reading ██░░░░░░░░ 25%" in line


def test_of_standard_input_it_is_not_known_how_much_there_is() -> None:
    line = top_line(Status("-", 5, None, None, 1_500_000, None), (0, 1), 0, 0, 80, paused=False)
    assert line == " jstrace  -  1 task  reading, 1.5 MB  5 packets"


# --- the command ---------------------------------------------------------------------------------------------------


def test_a_file_opens_by_its_name_alone(captures: Path) -> None:
    with Terminal(None, "xterm-256color", str(captures / "engine_shell_fail.pcap"), command=()) as terminal:
        terminal.until("1 task, 1 failed")
        terminal.until("Group by")
        assert terminal.fills
        terminal.press(b"\r")
        terminal.until("failure, exit 5")
        terminal.press(b"q")
        terminal.end()
        assert terminal.process.returncode == 0
        assert b"1 task: 1 failure" in terminal.out


def test_standard_input_stays_open(captures: Path) -> None:
    capture = (captures / "engine_shell_fail.pcap").read_bytes()
    with Terminal(capture, "xterm-256color", command=("view", "-")) as terminal:
        assert terminal.process.stdin is not None
        terminal.process.stdin.close()
        terminal.until("1 task, 1 failed")
        terminal.read(1.0)
        assert terminal.process.poll() is None
        terminal.press(b"\r")
        terminal.until("failure, exit 5")
        terminal.press(b"q")
        terminal.end()
        assert terminal.process.returncode == 0


def test_standard_input_that_never_ends_is_left_at_once(captures: Path) -> None:
    with Terminal((captures / "engine_shell_fail.pcap").read_bytes(), "xterm", command=("view", "-")) as terminal:
        terminal.until("reading")
        terminal.press(b"q")
        assert terminal.end() < 10
        assert terminal.process.returncode == 0


def test_a_signal_ends_it(captures: Path) -> None:
    with Terminal(None, "xterm", command=("view", str(captures / "engine_order.pcap"))) as terminal:
        terminal.until("Group by")
        terminal.process.terminate()
        terminal.end()
        assert b"Traceback" not in terminal.out


def jstrace(*arguments: str, cwd: Path = ROOT, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "dissector", *arguments], capture_output=True, text=True, cwd=cwd, env=environment,
        check=False, timeout=60, **options,
    )  # fmt: skip


def test_without_a_terminal_it_reads(captures: Path) -> None:
    path = str(captures / "engine_shell_fail.pcap")
    for arguments in (("view", path), (path,), ("view", path, "--filter", "outcome=failure", "--color", "never")):
        done = jstrace(*arguments, stdin=subprocess.DEVNULL)
        assert done.stdout == jstrace("read", path).stdout
        assert done.stderr == "jstrace: no terminal to fill: this is what jstrace read prints\n"
        assert done.returncode == 0


@pytest.mark.parametrize("name", ["nowhere", "nowhere.pcap"])
def test_what_is_neither_command_nor_file(name: str) -> None:
    done = jstrace(name)
    assert done.returncode == 2
    assert f"No such command '{name}'" in done.stderr


def test_a_command_goes_before_a_file_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "schema").write_text("")
    assert jstrace("schema", cwd=tmp_path).stdout.startswith("{")


def test_no_file_at_all_fails_before_the_screen() -> None:
    with Terminal(None, "xterm", "view", "/nowhere/x.pcap", command=()) as terminal:
        terminal.end()
        assert terminal.process.returncode == 2
        assert b"/nowhere/x.pcap: No such file or directory" in terminal.out
        assert not terminal.fills


def test_alone_it_tells_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in enumerate(["new one.pcap", "old.pcapng.gz", "note.txt", "-x.cap"]):
        (tmp_path / name).write_bytes(b"1234")
        os.utime(tmp_path / name, (time.time() - 100 * age,) * 2)
    monkeypatch.setattr("terminal_kit.ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with Terminal(None, "xterm", command=()) as terminal:
        terminal.end()
        text = terminal.out.decode()
    assert terminal.process.returncode == 0
    assert "3 captures in this folder:" in text
    assert text.index("jstrace 'new one.pcap'") < text.index("jstrace old.pcapng.gz") < text.index("jstrace ./-x.cap")
    assert "note.txt" not in text


def test_alone_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminal_kit.ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with Terminal(None, "xterm", command=()) as terminal:
        terminal.end()
        assert b"No capture in this folder." in terminal.out
        assert b"jstrace live" in terminal.out


def test_alone_without_a_terminal_it_is_wrong_usage() -> None:
    done = jstrace(stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "Usage: jstrace" in done.stderr
    assert COMMAND


def test_files_begin_with_all_tasks_and_a_live_capture_with_the_table(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        assert app.place == FLEET
        await press(pilot, "enter")
        assert app.place == LIST

    play([captures / "engine_shell_ok.pcap"], script)


@pytest.mark.parametrize("part", ["#tasks", "#ladder", "#title"])
def test_a_task_that_is_chosen_while_the_screen_is_taken_down(captures: Path, part: str) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter")
        await app.query_one(part).remove()
        app.on_task_table_selected()
        app._recall_later(None)
        app._redraw_anew()

    play([captures / "engine_shell_ok.pcap"], script)
