"""Down to the bytes and back, jumps, what is shown, and what is taken along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from view_kit import answer, play, press, settle, shown, title, top

from dissector.model import Message, Outcome, Task
from dissector.render.fields import FieldSpan
from dissector.reports.summary import TaskFigures
from dissector.sources.capture import CaptureReader
from dissector.view.app import ViewApp
from dissector.view.keys import FLEET, LIST, MESSAGE, TASK
from dissector.view.takeaway import MOST_COPIED, tshark_command
from dissector.view.tasks import SORTS


@pytest.fixture
def several(captures: Path) -> list[Path]:
    """Eleven tasks, one of which failed."""
    return [captures / "engine_ten_tasks.pcap", captures / "engine_shell_fail.pcap"]


@pytest.fixture
def failed(captures: Path) -> list[Path]:
    return [captures / "engine_shell_fail.pcap"]


async def enter_construct(pilot: Pilot[None], app: ViewApp) -> None:
    """The message page of the call of ``construct``."""
    await press(pilot, "enter", "enter", "slash", *"construct", "enter", "enter")
    await settle(pilot, lambda: app.message.message is not None and app.message.fields_pane.text.strip())


def test_enter_goes_down_to_one_byte_and_escape_back_up(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        assert app.place == FLEET
        assert "shell_fail" in app.fleet.current.text
        await press(pilot, "enter")
        assert (app.place, app.table.has_focus) == (LIST, True)
        await press(pilot, "enter")
        assert (app.place, app.pane.has_focus) == (TASK, True)
        assert "start_remote_task" in app.pane.current.text
        await press(pilot, "enter")
        assert (app.place, app.message.words_pane.has_focus) == (MESSAGE, True)
        assert "start_remote_task" in app.message.words_pane.text
        await press(pilot, "enter")
        assert app.message.fields_pane.has_focus
        await press(pilot, "enter")
        assert app.message.bytes_pane.has_focus
        await press(pilot, "enter")  # there is nothing below
        assert app.message.bytes_pane.has_focus
        await press(pilot, "escape")
        assert app.message.fields_pane.has_focus
        await press(pilot, "escape", "escape")
        assert (app.place, app.pane.has_focus) == (TASK, True)
        await press(pilot, "escape")
        assert (app.place, app.table.has_focus) == (LIST, True)
        await press(pilot, "escape")
        assert app.place == FLEET
        await press(pilot, "escape", "escape")
        assert app.place == FLEET

    play(failed, script)


def test_a_group_is_entered_and_left(several: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter")
        assert title(app).endswith("1 shown   job shell_fail")  # most failed first
        assert len(app.table.entries) == 1
        await press(pilot, "escape")
        assert "job" not in title(app).partition("All tasks by job")[2]
        await press(pilot, "enter", "escape", "down", "enter")
        assert len(app.table.entries) == 10

    play(several, script)


def test_a_cause_is_entered(several: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "slash", *"job_failed", "enter", "enter")
        assert app.place == LIST
        assert [one.task.outcome for one in app.table.entries] == [Outcome.FAILURE]
        assert "cause job_failed" in title(app)

    play(several, script)


def test_one_of_the_worst_tasks_is_entered(several: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "end", "enter")
        assert app.place == TASK
        assert "shell_fail:1  failure, exit 5" in app.pane.text

    play(several, script)


def test_groups_of_another_kind(several: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        for kind in ("remote", "client", "cause", "outcome", "job"):
            await press(pilot, "u")
            assert title(app) == f" All tasks by {kind}"
            assert f"{kind} " in app.fleet.text
        await press(pilot, "i")
        assert "the most of count first" in title(app)
        rows = [line for line in app.fleet.text.splitlines() if line.startswith((" shell_fail", " shell_long"))]
        assert rows[0].startswith(" shell_long")

    play(several, script)


def test_other_groups_and_orders_do_not_take_all_tasks_anew(
    several: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until tasks are gone that the page tells of; what a filter leaves out stays out."""
    added: list[int] = []
    add = TaskFigures.add

    def counted(figures: TaskFigures, task: Task) -> None:
        added.append(task.n)
        add(figures, task)

    monkeypatch.setattr(TaskFigures, "add", counted)

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        assert len(added) == 11
        await press(pilot, "u", "u", "i", "i", "u")
        assert len(added) == 11
        app.choose(app.choice.with_text("job=shell_long"))
        await pilot.pause()
        assert len(added) == 21
        await press(pilot, "u", "u")
        assert title(app).startswith(" All tasks by job")
        assert "shell_long" in app.fleet.text
        assert "shell_fail" not in app.fleet.text
        assert len(added) == 21
        del app.store._ended[next(one for one in app.store._ended if one.job == "shell_long")]
        await press(pilot, "u")
        assert len(added) == 30

    play(several, script)


# --- fields and bytes ----------------------------------------------------------------------------------------------


def test_a_field_marks_its_bytes_and_a_byte_its_field(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await enter_construct(pilot, app)
        page = app.message
        message = page.message
        assert message is not None
        await press(pilot, "enter", *["down"] * 9)
        while page.field is not None and page.field.start == page.field.end:
            await press(pilot, "down")
        field = page.field
        assert field is not None
        assert page.bytes_pane.marked == message.raw[field.start : field.end] != b""
        await press(pilot, "enter", "right", "down")
        at = page.bytes_pane.cursor
        assert at == field.start + 1 + page.bytes_pane.a_line
        field = page.field
        assert field is not None
        assert field.start <= at < field.end
        spans = [one for one in page.fields_pane.subjects() if isinstance(one, FieldSpan) and one.start <= at < one.end]
        assert field.end - field.start == min(one.end - one.start for one in spans)
        assert page.bytes_pane.marked == message.raw[field.start : field.end]

    play(failed, script)


def test_every_byte_has_a_field(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await enter_construct(pilot, app)
        page = app.message
        for at in range(0, len(page.bytes_pane._data), 7):
            page.bytes_pane.cursor = at
            page.on_bytes_pane_moved()
            assert page.field is not None
            assert page.field.start <= at < page.field.end

    play(failed, script)


def test_bytes_are_shown_without_secrets_unless_these_are_wanted(captures: Path) -> None:
    """``share.texts.without_secrets`` takes them out (its own tests say how well)."""
    path = captures / "engine_order.pcap"

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await enter_construct(pilot, app)
        message = app.message.message
        assert message is not None
        app.message._clean = lambda one: b"*" * len(one.raw)
        app.message.show(message)
        assert app.message.bytes_pane._data == b"*" * len(message.raw)
        app.store.mask.enabled = False
        app.message.show(message)
        assert app.message.bytes_pane._data == message.raw

    play([path], script)


def test_the_next_message_and_the_one_before(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter", "enter")
        numbers = [one.n for one in app._messages()]

        def shown_number() -> int:
            assert app.message.message is not None
            return app.message.message.n

        await settle(pilot, lambda: app.message.message is not None)
        assert shown_number() == numbers[0]
        await press(pilot, "e", "e")
        assert shown_number() == numbers[2]
        await press(pilot, "E", "E", "E")
        assert shown_number() == numbers[0]

    play(failed, script)


# --- where to ------------------------------------------------------------------------------------------------------


def test_to_the_answer_and_back_to_the_request(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await enter_construct(pilot, app)
        request = app.message.message
        assert request is not None
        await press(pilot, "a")
        answer = app.message.message
        assert isinstance(answer, Message)
        assert answer.answers == request.n
        await press(pilot, "a")
        assert title(app).startswith("no answer of this")
        await press(pilot, "r")
        assert app.message.message is request
        await press(pilot, "escape", "v")
        await pilot.pause()
        at = app.pane.current
        await press(pilot, "a")
        assert app.pane.current is not at
        await press(pilot, "r")
        assert app.pane.current.text == at.text or "construct(" in app.pane.current.text

    play(failed, script)


def test_from_problem_to_problem(several: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "down", "down", "down", "down", "enter", "escape", "escape")
        app.choose(type(app.choice)())
        app.go(LIST)
        await press(pilot, "e")
        assert app.table.selected is not None
        assert app.table.selected.task.outcome is Outcome.FAILURE
        await press(pilot, "enter", "e")
        assert app.pane.current.is_bad
        first = app.pane.current
        await press(pilot, "e", "E")
        assert app.pane.current is first

    play(several, script)


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("text", "words"),
    [("38", "step"), ("04:07:04.839", "construct("), ("#1", "start_remote_task"), ("99999", "nothing behind that")],
)
def test_to_a_packet_or_a_time_in_a_task(failed: list[Path], text: str, words: str) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter", "colon", *text, "enter")
        if text == "#1":
            await press(pilot, "enter")
        await pilot.pause()
        assert words in app.pane.current.text or title(app).startswith(words)

    play(failed, script)


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("text", "number"), [("#3", 3), ("04:11:10.318", 4), ("2026-11-22 04:11:10.330", 9)])
def test_to_a_task(several: list[Path], text: str, number: int) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "colon", *text, "enter")
        assert app.place == LIST
        assert app.table.selected is not None
        assert app.table.selected.task.n == number + (0 if text == "#3" else 1)

    play(several, script)


def test_a_place_that_is_none_is_refused(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "colon", *"yesterday")
        assert app.ask.has_class("refused")
        await press(pilot, "enter")
        assert "#3 is a task, 217 a packet, 04:07:15 a time" in title(app)

    play(failed, script)


def test_all_places_of_a_text_are_marked(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter", "slash", *"spooler_task", "enter")
        pane = app.pane
        lines = [pane.render_line(y) for y in range(pane.size.height)]
        with_text = [line for line in lines if "spooler_task" in line.text]
        assert len(with_text) > 2
        for line in with_text:
            assert any(one.text == "spooler_task" and one.style and one.style.bold for one in line)
        places = set()
        for _ in range(len(with_text)):
            places.add(pane._cursor)
            await press(pilot, "n")
        assert len(places) > 2
        assert pane._cursor == min(places)  # round and round
        await press(pilot, "N")
        assert pane._cursor == max(places)

    play(failed, script)


# --- what is shown -------------------------------------------------------------------------------------------------


def test_only_failures_on_one_key(several: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "exclamation_mark")
        assert "1 task: 1 failure" not in top(app)
        assert "shell_long" not in app.fleet.text
        app.go(LIST)
        assert [one.task.outcome for one in app.table.entries] == [Outcome.FAILURE]
        assert title(app).endswith("1 shown   only failures")
        await press(pilot, "exclamation_mark")
        assert len(app.table.entries) == 11

    play(several, script)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("column", SORTS)
def test_a_column_is_sorted_by_and_says_so(several: list[Path], column: str) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        app.go(LIST)
        app.table.sort_by(column)
        app.redraw()
        await pilot.pause()
        key = SORTS[column]
        values = [key(one.task) for one in app.table.entries]
        assert values == sorted(values, reverse=app.table.reverse)
        before = app.table.reverse
        app.table.sort_by(column)
        app.redraw()
        assert app.table.reverse is not before
        assert [key(one.task) for one in app.table.entries] == values[::-1]

    play(several, script, size=(200, 40))


def test_a_click_on_a_heading_sorts(several: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        app.go(LIST)
        await pilot.pause()
        heading = app.table.render_line(0).text
        assert "▼#" in heading
        await pilot.click("#tasks", offset=(heading.index("took") + 1, 0))
        await pilot.pause()
        assert app.table.sort == "took"
        assert "▼took" in app.table.render_line(0).text
        await pilot.click("#tasks", offset=(app.table.render_line(0).text.index("took"), 0))
        await pilot.pause()
        assert "▲took" in app.table.render_line(0).text

    play(several, script)


def test_clicks_choose_and_enter(several: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        app.go(LIST)
        await pilot.pause()
        await pilot.click("#tasks", offset=(10, 4))
        await pilot.pause()
        assert app.table._cursor == 3
        await pilot.click("#tasks", offset=(10, 4), times=2)
        await pilot.pause()
        assert app.place == TASK
        await pilot.click("#ladder", offset=(10, 6), times=2)
        await settle(pilot, lambda: app.place == MESSAGE)

    play(several, script)


def test_times_since_the_line_before_and_of_day(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter")
        assert "0.284 ms" in app.pane.text
        await press(pilot, "d")
        assert "delta" in app.pane.text
        assert "0.459 ms  │◀─ process 1" in app.pane.text
        await press(pilot, "d")
        assert "04:07:04.837  ├── start_remote_task" in app.pane.text
        await press(pilot, "d")
        assert "0.284 ms" in app.pane.text

    play(failed, script)


def test_texts_whole_sideways_and_cut(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter")
        cut = app.pane.text
        assert "…" in cut
        await press(pilot, "t")
        assert "java_class_path" in app.pane.text or len(app.pane.text) > len(cut)
        await press(pilot, "t", "home")
        assert app.pane.virtual_size.width > 400
        await press(pilot, *["right"] * 3)
        assert app.pane.scroll_offset.x == 24
        await press(pilot, *["left"] * 5)
        assert app.pane.scroll_offset.x == 0
        await press(pilot, "t")
        assert app.pane.text == cut

    play(failed, script, size=(80, 24))


def test_heads_of_lanes_stay(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter", "v", "end")
        await pilot.pause()
        assert app.pane.scroll_offset.y > 6
        assert app.pane.render_line(0).text.lstrip().startswith("packet")
        for _ in range(60):
            app.pane.action_move(-1)
        assert app.pane._at(app.pane._cursor - app.pane.scroll_offset.y) == app.pane._cursor

    play(failed, script, size=(80, 24))


def test_a_log_line_leads_to_its_message(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter", "o", "end", "enter")
        await settle(pilot, lambda: app.place == MESSAGE and app.message.message is not None)
        assert "failing" in app.message.words_pane.text

    play(failed, script)


def test_a_problem_leads_to_its_packet(several: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        app.go(LIST)
        await press(pilot, "p", "z", "slash", *"job_failed", "enter", "enter")
        await pilot.pause()
        assert app._pane == "ladder"
        assert "shell_fail:1" in app.pane.text
        assert "exit code 5" in app.pane.current.text

    play(several, script)


# --- what is taken along -------------------------------------------------------------------------------------------


def test_values_rows_filters_and_commands_are_copied(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "y")
        assert app.clipboard == "shell_fail"
        await press(pilot, "enter", "Y")
        assert app.clipboard.startswith("1\t04:07:04.837\t127.0.0.1:47406\t")
        await press(pilot, "c")
        assert app.clipboard.startswith("frame.number >= ")
        assert "tcp.port == 47406 && ip.addr == 127.0.0.1 && tcp.port == 4455" in app.clipboard
        await press(pilot, "C")
        assert app.clipboard.startswith(f"tshark -r {failed[0]} -Y 'frame.number >= ")
        await press(pilot, "enter", "slash", *"construct", "enter", "c")
        assert app.clipboard.startswith("frame.number in {24, ")
        await press(pilot, "y")
        assert app.clipboard.startswith("construct(")
        await press(pilot, "enter", "enter", *["down"] * 3, "y")
        assert app.clipboard == app.message.field.text if app.message.field is not None else False
        await press(pilot, "enter", "y")
        assert bytes.fromhex(app.clipboard) == app.message.bytes_pane.marked
        assert title(app).startswith("copied: ")

    play(failed, script)


def test_what_is_too_long_for_a_terminal_is_not_copied(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        app._line = lambda: "x" * (MOST_COPIED + 1)  # type: ignore[method-assign]
        await press(pilot, "Y")
        assert "too long to be copied" in title(app)
        assert app.clipboard == ""
        app._line = lambda: "x" * MOST_COPIED  # type: ignore[method-assign]
        await press(pilot, "Y")
        assert len(app.clipboard) == MOST_COPIED

    play(failed, script)


def test_a_command_for_what_is_captured_at_the_moment() -> None:
    from dissector.model import CaptureInfo

    assert tshark_command([CaptureInfo("eth0, eth 1")], True, "tcp") == "tshark -i eth0 -i 'eth 1' -Y tcp"


@pytest.mark.one_in(5)
@pytest.mark.parametrize("ending", ["pcapng", "json", "md", "txt", "html"])
def test_a_task_is_saved_in_each_form(several: list[Path], tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"one.{ending}"

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "w")
        await answer(app, pilot, str(target))
        await settle(pilot, lambda: f" in {target}" in title(app))
        await press(pilot, "w")
        await answer(app, pilot, str(target))
        await settle(pilot, lambda: "exists already" in title(app))

    play(several, script, size=(200, 40))
    assert target.stat().st_mode & 0o777 == 0o600
    if ending == "pcapng":
        assert len(list(CaptureReader([target]))) > 40
    elif ending == "json":
        found = json.loads(target.read_text())
        assert found["schema"] == "jstrace/1"
        assert [task["outcome"] for task in found["tasks"]] == ["failure"]
        assert len(found["messages"]) > 20
    else:
        assert "shell_fail" in target.read_text(encoding="utf-8")


def test_the_mouse_is_the_terminal_s_and_the_screen_s_again(failed: list[Path]) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "m")
        assert title(app).startswith("the mouse is the terminal's")
        await press(pilot, "m")
        assert title(app).startswith("the mouse is on")

    play(failed, script)


def test_the_layout_does_not_jump(several: list[Path]) -> None:
    """Whatever is asked, told or chosen: the line of titles and the pane stay where they are."""

    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        app.go(LIST)
        await pilot.pause()
        before = app.query_one("#title").region, app.pane.region, app.table.region
        for keys in (["s"], ["o"], ["p"], ["l"], ["exclamation_mark"], ["exclamation_mark"], ["end"], ["n"]):
            await press(pilot, *keys)
            assert (app.query_one("#title").region, app.pane.region, app.table.region) == before
        assert shown(app)

    play(several, script, size=(80, 24))
