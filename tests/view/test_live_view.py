"""The full screen under Textual's pilot, and once in a real terminal."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from threading import Lock

import pytest
from textual.color import Color
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import ContentSwitcher, Footer, Input, Static
from work_kit import work

from dissector.errors import CaptureError
from dissector.model import CaptureInfo, Connection, Outcome, Problem, Severity, Task
from dissector.render.filter import Filter, parse
from dissector.session.timers import running
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.view.app import ViewApp
from dissector.view.ask import Ask
from dissector.view.help import HelpScreen
from dissector.view.pane import LinesPane, PaneLine
from dissector.view.store import MAX_MESSAGES, Status, Store
from dissector.wire.masking import Mask

ROOT = Path(__file__).resolve().parent.parent.parent


class Capture:
    """What the screen asks: figures and files."""

    is_growing = True

    def __init__(self) -> None:
        self.lock = Lock()
        self.infos: list[CaptureInfo] = []
        self.over = self.busy = False
        self.saved: list[tuple[int, str]] = []

    def status(self) -> Status:
        if self.busy:
            return Status("eth0, eth1", 51_234_567, 1_234_567, 10_000.0)
        return Status("eth0", 1234, 5, 83.0)

    def save(self, task: Task, connections: Iterable[Connection], path: str) -> str:
        if path.startswith("/nowhere"):
            raise CaptureError(path, "No such file or directory")
        assert list(connections)
        self.saved.append((task.n, path))
        return f"58 packets in {path}"

    def recall(self, task: Task, connections: Iterable[Connection]) -> None:
        raise NotImplementedError


def filled(path: Path, until: int | None = None, keep: int = 1_000, chosen: Filter | None = None) -> Store:
    """What the screen knows after the packets of a recording, or the first of them."""
    store, tracer = Store(Mask(), chosen or Filter(), keep), Tracer(window=1)
    for packet in CaptureReader([path]):
        if until is not None and packet.number > until:
            for facts in tracer.running:
                if facts.record.n:
                    store.started(facts.record)
            store.running([running(facts, packet.time) for facts in tracer.running], packet.time)
            return store
        for event in tracer.feed(packet):
            store.add(event)
    for event in tracer.finish():
        store.add(event)
    return store


Script = Callable[[ViewApp, Pilot[None]], Awaitable[None]]


def play(store: Store, script: Script, size: tuple[int, int] = (80, 24), capture: Capture | None = None) -> None:
    async def run() -> None:
        app = ViewApp(store, capture or Capture())
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(app, pilot)

    asyncio.run(run())


def top(app: ViewApp) -> str:
    return str(app.query_one("#top", Static).render())


def title(app: ViewApp) -> str:
    """The line above the pane."""
    return str(app.query_one("#title", Static).render())


def shown(app: ViewApp) -> list[str]:
    """The table as it is on the screen."""
    table = app.table
    return [table.render_line(y).text.rstrip() for y in range(table.size.height)]


def test_tasks_and_the_ladder_of_the_first(captures: Path) -> None:
    async def script(app: ViewApp, _pilot: Pilot[None]) -> None:
        assert top(app) == " jstrace  eth0  0 running, 10 ended  1234 packets  5 dropped  1 m 23 s"
        rows = shown(app)
        assert rows[0].split()[0] == "▼#"
        assert [row.split()[0] for row in rows[1:8]] == ["10", "9", "8", "7", "6", "5", "4"]
        assert all("success" in row for row in rows[1:8])
        assert max(map(len, rows)) <= 80
        assert "task 10  shell_long:10  success" in app.pane.text
        assert "create_instance" in app.pane.text

    play(filled(captures / "engine_ten_tasks.pcap"), script)


def test_a_running_task_stands_on_top_with_its_open_call(captures: Path) -> None:
    async def script(app: ViewApp, _pilot: Pilot[None]) -> None:
        first = shown(app)[1]
        assert "running" in first
        assert first.endswith(" step")
        assert "not answered yet" in app.pane.text
        assert app.pane.scroll_offset.y == app.pane.max_scroll_y  # it follows the end

    play(filled(captures / "engine_shell_fail.pcap", until=38), script, size=(140, 20))


def before_the_record(path: Path, chosen: Filter | None = None, seconds: float = 0.9) -> Store:
    """What the screen knows so long after the last packet of a recording: of its last task there is no record yet."""
    store, tracer = Store(Mask(), chosen or Filter(), 10), Tracer(window=10**9)
    for packet in CaptureReader([path]):
        for event in tracer.feed(packet):
            store.add(event)
    now = packet.time + int(seconds * 1e9)
    for event in tracer.tick(now):
        store.add(event)
    store.running([running(facts, now) for facts in tracer.running], now)
    return store


def test_what_is_over_is_shown_so_at_once(captures: Path) -> None:
    """A task of 15 ms does not count to a second while its record waits for late packets."""

    async def script(app: ViewApp, _pilot: Pilot[None]) -> None:
        assert "0 running, 1 ended" in top(app)
        assert app.store.outcomes.total() == 0  # no record so far
        row = shown(app)[1]
        assert "failure, exit 5" in row
        assert "15.1 ms" in row
        assert "running" not in row
        assert "task 1  shell_fail:1  failure, exit 5" in app.pane.text

    play(before_the_record(captures / "engine_shell_fail.pcap"), script)


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("text", "rows"), [("outcome=failure", 1), ("outcome!=failure", 0), ("job=shell_fail", 1)])
def test_filters_know_what_is_over(captures: Path, text: str, rows: int) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        assert len(app.table.entries) == 1
        await pilot.press("f", *text, "enter")
        await pilot.pause()
        assert len(app.table.entries) == rows

    path = captures / "engine_shell_fail.pcap"
    play(before_the_record(path), script)
    store = before_the_record(path, parse((text,)))
    assert len(store.ended()) == rows
    assert store.counts == (0, rows)


def test_its_record_changes_nothing_but_problems(captures: Path) -> None:
    path = captures / "engine_shell_fail.pcap"
    early, final = before_the_record(path), before_the_record(path, seconds=1.1)
    assert (early.outcomes.total(), final.outcomes.total()) == (0, 1)
    (one,), (other,) = early.ended(), final.ended()
    cells, others = early.row_of(one, early.now).cells, final.row_of(other, final.now).cells
    assert {key for key in cells if cells[key] != others[key]} == {"problems"}
    assert early.counts == final.counts == (0, 1)


def test_the_other_panes(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press("o")
        await pilot.pause()
        assert app.query_one(ContentSwitcher).current == "log"
        assert "failing" in app.pane.text
        await pilot.press("p")
        await pilot.pause()
        assert "job_failed" in app.pane.text
        assert "Remedy" in app.pane.text
        await pilot.press("l")
        await pilot.pause()
        assert "exit code 5" in app.pane.text

    play(filled(captures / "engine_shell_fail.pcap"), script)


def test_choosing_sorting_and_searching(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press("down", "down")
        await pilot.pause()
        assert app.table.selected is not None
        assert app.table.selected.task.n == 8
        assert "task 8  " in app.pane.text
        await pilot.press("s")
        while app.table.sort != "n":  # round to the number again, the other way
            await pilot.press("s")
        await pilot.press("S")
        await pilot.pause()
        assert [entry.task.n for entry in app.table.entries] == list(range(1, 11))
        assert app.table.selected.task.n == 8  # the cursor stays on its task
        await pilot.press("slash", *"127.0.0.1", "enter")
        await pilot.press("n")
        assert "no " not in title(app)
        await pilot.press("slash", *"xyz", "enter")
        assert title(app) == "no 'xyz' here"

    play(filled(captures / "engine_ten_tasks.pcap"), script)


def test_searching_the_ladder(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press("tab", "slash", *"release", "enter")
        await pilot.pause()
        assert app.pane.has_focus
        place = app.pane.scroll_offset.y
        assert place > 0
        assert any("release" in app.pane.render_line(y).text for y in range(app.pane.size.height))

    play(filled(captures / "engine_shell_fail.pcap"), script)


def test_a_filter(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press("f", *"task_id=3", "enter")
        assert [entry.task.task_id for entry in app.table.entries] == [3]
        assert title(app).endswith("filter task_id=3")
        await pilot.press("f", *"x", "enter")
        assert title(app).startswith("filter 'x': 'x' is not field, operator and value")
        assert title(app).endswith("   filter task_id=3")
        assert len(app.table.entries) == 1  # a wrong one changes nothing

    play(filled(captures / "engine_ten_tasks.pcap"), script)


def under_way(number: int, ended: int = 3) -> Store:
    """Tasks that wait for their callbacks, every second one for port 1, and some that are over."""
    store = Store(Mask(), Filter(), 100)
    for n in range(1, number + ended + 1):
        task = Task(n, n, n=n, callback_port=n % 2)
        store.started(task)
        if n > number:
            task.outcome, task.end = Outcome.LOST, n + 1
            store.add(task)
    return store


@pytest.mark.one_in(2)
@pytest.mark.parametrize("keys", [[], ["f", *"port=1", "enter"], ["space"], ["f", *"port=1", "enter", "space"]])
def test_a_redraw_costs_the_same_however_many_tasks_are_under_way(keys: list[str]) -> None:
    costs: list[int] = []

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press(*keys, "down", "down")
        app.redraw()
        costs.append(work(app.redraw))

    for number in (40, 400):
        play(under_way(number), script)
    assert costs[1] < 1.1 * costs[0]


def test_a_filter_follows_what_changes_and_a_pause_holds_it() -> None:
    store = under_way(4, ended=0)
    second = store.under_way()[1]
    store.under_way()[3].task.callback_port = 2

    def numbers(app: ViewApp) -> list[int]:
        app.redraw()
        return [entry.task.n for entry in app.table.entries]

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press("f", *"port=1", "enter")
        assert numbers(app) == [1, 3]
        second.task.callback_port = 1
        store.called_back(second.task)
        assert numbers(app) == [1, 2, 3]
        await pilot.press("space")
        store.add(Task(9, 9, n=9, callback_port=1, outcome=Outcome.LOST))
        store.add(second.task)
        assert numbers(app) == [1, 2, 3]
        await pilot.press("f", "ctrl+u", *"port=2", "enter")
        assert numbers(app) == [4]
        await pilot.press("f", "ctrl+u", "enter")
        assert numbers(app) == [1, 2, 3, 4]
        await pilot.press("space")
        assert sorted(numbers(app)) == [1, 2, 3, 4, 9]

    play(store, script)


def test_a_wrong_filter_is_red_while_it_is_typed(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        ask = app.query_one(Ask)
        await pilot.press("f", *"outcome=lo")
        await pilot.pause()
        assert ask.has_class("refused")
        assert "there is no 'lo'" in str(app.query_one("#note", Static).render())
        assert app.query_one(Input).styles.color == Color.parse(app.theme_variables["error"])
        await pilot.press(*"st")
        await pilot.pause()
        assert not ask.has_class("refused")
        assert app.query_one(Input).styles.color != Color.parse(app.theme_variables["error"])
        await pilot.press("ctrl+u", *"member=x")
        await pilot.pause()
        assert "fields of tasks" in str(app.query_one("#note", Static).render())

    play(filled(captures / "engine_ten_tasks.pcap"), script, size=(160, 40))


def test_fields_and_values_are_completed(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        entry = app.query_one(Input)
        await pilot.press("f", *"outc", "tab")
        assert entry.value == "outcome="
        await pilot.press(*"su", "tab", "enter")
        assert {one.task.outcome for one in app.table.entries} == {Outcome.SUCCESS}
        await pilot.press("f", "ctrl+u", *"job=x callb", "tab", "tab")
        assert entry.value == "job=x callback"
        assert str(app.query_one("#note", Static).render()) == "callback= callback_delay= callbacks="
        assert app.query_one(Ask).is_open
        await pilot.press("ctrl+u", *"kind=p")
        await pilot.pause(0.2)
        assert entry._suggestion == "kind=process"
        await pilot.press("right")
        assert entry.value == "kind=process"

    play(filled(captures / "engine_ten_tasks.pcap"), script)


def test_what_is_asked_and_typed_is_seen(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press("f", *"job=x")
        await pilot.pause()
        ask, entry, footer = app.query_one(Ask), app.query_one(Input), app.query_one(Footer)
        assert ask.region.bottom == footer.region.y == 23
        assert ask.region.height == entry.region.height == 1
        assert entry.render_line(0).text.startswith("job=x")
        await pilot.press("escape")
        await pilot.pause()
        assert ask.region.height == 0
        assert app.table.has_focus

    play(filled(captures / "engine_ten_tasks.pcap"), script)


def test_keys_typed_ahead_come_to_what_is_asked(captures: Path) -> None:
    """As a terminal far away sends them: all in one piece."""

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        names = {"/": "slash", "\r": "enter"}
        for character in "/shell_long\r":
            app.post_message(Key(names.get(character, character), character))
        await pilot.pause(0.3)
        assert title(app) == " Ladder of task 9"  # the next one
        assert not app.query_one(Ask).is_open

    play(filled(captures / "engine_ten_tasks.pcap"), script)


def test_a_narrow_screen_shows_what_matters(captures: Path) -> None:
    """Counters to the last figure, the filter, and what came of a key."""

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        capture.busy = True
        await pilot.press("f", *"outcome=success", "enter")
        await pilot.press("w", "enter")
        await pilot.pause()
        assert top(app) == " eth0, eth1  0 running, 10 ended  51234567 packets  1234567 dropped  2 h 46 m"
        assert title(app) == "58 packets in task-10.pcapng   10 shown   filter outcome=success"
        assert max(len(top(app)), len(title(app))) <= 80
        await pilot.press("space")
        assert top(app).startswith(" PAUSED  eth0, eth1")

    capture = Capture()
    play(filled(captures / "engine_ten_tasks.pcap"), script, capture=capture)


def test_the_command_line_s_filter_lets_through(captures: Path) -> None:
    store = filled(captures / "engine_ten_tasks.pcap", chosen=parse(("task_id>8",)))
    assert sorted(entry.task.task_id or 0 for entry in store.ended()) == [9, 10]
    store = filled(captures / "engine_ten_tasks.pcap", chosen=parse(("member=nowhere",)))
    assert store.ended() == []


def test_saving(captures: Path) -> None:
    capture = Capture()

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press("w", "enter")
        await pilot.pause(0.2)
        assert capture.saved == [(1, "task-1.pcapng")]
        assert title(app) == "58 packets in task-1.pcapng"
        await pilot.press("w", "home", *"/nowhere/", "enter")
        await pilot.pause(0.2)
        assert "/nowhere/task-1.pcapng: No such file or directory" in title(app)

    play(filled(captures / "engine_shell_fail.pcap"), script, size=(160, 40), capture=capture)


def test_pause_help_zoom_and_the_end(captures: Path) -> None:
    capture = Capture()
    store = filled(captures / "engine_shell_fail.pcap")

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press("space")
        assert "PAUSED" in top(app)
        store.add(Task(1, 1, n=2, end=2, outcome=Outcome.LOST))
        await pilot.press("s", "S")
        await pilot.pause(0.4)
        assert len(app.table.entries) == 1
        await pilot.press("space")
        await pilot.pause(0.4)
        assert len(app.table.entries) == 2
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape", "z")
        await pilot.pause()
        assert not app.table.display
        assert app.pane.has_focus
        await pilot.press("z")
        assert app.table.display
        capture.over = True
        await pilot.pause(0.6)
        assert not app.is_running

    play(store, script, capture=capture)


@pytest.mark.parametrize("part", ["#top", "#tasks", "#title", "#ladder"])
def test_a_clock_that_ticks_once_more_while_the_screen_is_taken_down(captures: Path, part: str) -> None:
    async def script(app: ViewApp, _pilot: Pilot[None]) -> None:
        await app.query_one(part).remove()
        app._tick()

    play(filled(captures / "engine_shell_fail.pcap"), script)


def test_all_keys_are_in_the_footer_at_80_cells(captures: Path) -> None:
    async def script(app: ViewApp, _pilot: Pilot[None]) -> None:
        lines = [str(widget.render()) for widget in app.query("FooterKey")]
        text = " ".join(lines)
        for word in ("Ladder", "Log", "Problems", "Sort", "Filter", "Search", "Pause", "Save", "Help", "Quit"):
            assert word in text
        assert max(widget.region.right for widget in app.query("FooterKey")) <= 80

    play(filled(captures / "engine_shell_fail.pcap"), script)


def test_ten_thousand_tasks_stay_fluent() -> None:
    store = Store(Mask(), Filter(), keep=10_000)
    for n in range(1, 10_501):
        store.add(Task(n * 10**6, n, n=n, end=n * 10**6 + n, job=f"job{n}", outcome=Outcome.SUCCESS))
    assert len(store.ended()) == 10_000
    assert store.counts == (0, 10_500)

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        begun = time.perf_counter()
        for _ in range(10):
            app.redraw()
        assert (time.perf_counter() - begun) / 10 < 0.2
        await pilot.press("end")
        await pilot.pause()
        assert app.table.selected is not None
        assert app.table.selected.task.n == 501
        assert any(row.split()[:1] == ["501"] for row in shown(app))

    play(store, script, size=(120, 40))


def test_memory_is_bounded(captures: Path) -> None:
    store = Store(Mask(), Filter(), keep=3)
    for packet_file in ["engine_ten_tasks.pcap"] * 3:
        tracer = Tracer()
        for packet in CaptureReader([captures / packet_file]):
            for event in tracer.feed(packet):
                store.add(event)
        for event in tracer.finish():
            store.add(event)
    assert len(store.ended()) == 3
    assert store._messages == sum(len(entry.messages) for entry in store.ended())
    assert store._messages < MAX_MESSAGES


def test_hostile_text_is_harmless() -> None:
    store = Store(Mask(), Filter(), keep=10)
    evil = "\x1b]0;gone\x07[bold]x[/]"
    task = Task(1, 1, n=1, end=2, job=evil, outcome=Outcome.FAILURE)
    task.problems.append(Problem("job_failed", Severity.ERROR, 1, (1,), evil, task=task))
    for event in (task.problems[0], task):
        store.add(event)

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await pilot.press("p")
        await pilot.pause()
        everything = "\n".join([*shown(app), app.pane.text])
        assert "\x1b" not in everything
        assert "[bold]x[/]" in everything

    play(store, script, size=(140, 30))


def test_lines_stay_where_one_looks() -> None:
    async def run() -> None:
        from textual.app import App, ComposeResult

        class One(App[None]):
            def compose(self) -> ComposeResult:
                yield LinesPane("empty", id="one")

        async with One().run_test(size=(40, 10)) as pilot:
            pane = pilot.app.query_one(LinesPane)
            pane.show([PaneLine([(f"line {n}", "")]) for n in range(50)])
            await pilot.pause()
            assert pane.scroll_offset.y == pane.max_scroll_y == 40
            pane.scroll_to(y=5, animate=False, immediate=True)
            await pilot.pause()
            pane.show([PaneLine([(f"line {n}", "")]) for n in range(60)])
            await pilot.pause()
            assert pane.scroll_offset.y == 5
            pane.show([PaneLine([("x", "")])] * 60, begin=True)
            assert pane.scroll_offset.y == 0

    asyncio.run(run())


# --- a real terminal -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("tmux") is None, reason="capturing needs root, and tmux")
def test_in_a_terminal(captures: Path) -> None:
    """A capture stream on standard input, keys from the terminal, 80 by 24 cells."""
    tmux = ["tmux", "-L", f"jstrace-{os.getpid()}", "-f", "/dev/null"]
    command = (
        f"(cat {captures / 'engine_ten_tasks.pcap'}; sleep 30) | {sys.executable} -m dissector live -; echo status $?"
    )

    def screen() -> str:
        done = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False)
        return done.stdout

    def wait_for(word: str) -> str:
        deadline = time.monotonic() + 40
        while word not in (text := screen()):
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        return text

    subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", "24", command], check=True, cwd=ROOT)
    try:
        wait_for("0 running, 10 ended")
        text = wait_for("q Quit")
        assert "q Quit" in text.splitlines()[-1]
        assert "shell_long" in text
        subprocess.run([*tmux, "send-keys", "Down", "o"], check=True)
        wait_for("Log of task 9")
        subprocess.run([*tmux, "send-keys", "?"], check=True)
        wait_for("Down to the bytes and back")
        subprocess.run([*tmux, "send-keys", "Enter"], check=True)
        wait_for("Log of task 9")
        subprocess.run([*tmux, "send-keys", "q"], check=True)
        wait_for("10 tasks: 10 success")
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
