"""The full screen: what the keys do (``keys`` has the table of them)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dissector.model import LogLine, Message, Problem, Severity
from dissector.render.rows import TaskRow
from dissector.render.steps import LadderStep
from dissector.reports.summary import Cause, TaskGroup
from dissector.view import keys, pages, places
from dissector.view.ask import Ask
from dissector.view.choice import TaskChoice
from dissector.view.copying import chosen_value, filter_of
from dissector.view.exchange import KINDS
from dissector.view.frame import ViewFrame
from dissector.view.help import HelpScreen
from dissector.view.keys import FLEET, LIST, MESSAGE, TASK
from dissector.view.pane import LinesPane
from dissector.view.places import JumpTarget
from dissector.view.questions import Question, ask_file, ask_filter, ask_place, ask_search, refusal
from dissector.view.takeaway import MOST_COPIED, is_of_records, save_records, tshark_command
from dissector.view.tasks import TaskTable


class ViewApp(ViewFrame):
    """Each ``action_`` is a row of ``keys.GROUPS``."""

    _mouse = True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys are bound where they are of use; those with priority are meant for what has the screen or asks for a
        text, if anything does."""
        if action in ("ask", "other") and (len(self.screen_stack) > 1 or self.ask.is_open):
            return False
        return self.place in keys.places_of(action, parameters)

    # --- down and up -----------------------------------------------------------------------------------------------

    def action_down(self) -> None:
        {FLEET: self._enter_group, LIST: self._enter_task, TASK: self._enter_line, MESSAGE: self._enter_part}[
            self.place
        ]()

    def _enter_group(self) -> None:
        subject = self.fleet.current.subject
        if isinstance(subject, TaskGroup):
            self.choose(self.choice.of_group((self.fleet.group_by, subject.name)))
        elif isinstance(subject, Cause):
            self.choose(self.choice.of_group(("cause", subject.first.code)))
        self.go(LIST)
        if isinstance(subject, TaskRow):
            self._go_to_task(JumpTarget(task=int(subject.cells["n"])))
            self.go(TASK)

    def _enter_task(self) -> None:
        if self.pane.has_focus:
            self._enter_line()
        elif self.table.selected is not None:
            self.go(TASK)
            self.recall(self.table.selected)

    def _enter_line(self) -> None:
        subject = self.pane.current.subject
        if isinstance(subject, Problem) and subject.task is not None:
            self._enter_problem(subject)
        elif behind := pages.messages_behind(subject):
            self._show_message(behind[0])
        elif isinstance(subject, LogLine):
            found = [one for one in self._messages() if subject.packet in one.packets]
            if found:
                self._show_message(found[-1])
        else:
            self.tell("no message stands behind this line")

    def _enter_problem(self, problem: Problem) -> None:
        assert problem.task is not None
        self.action_pane("ladder")
        self._go_to_task(JumpTarget(task=problem.task.n))
        self.go(TASK)
        if problem.packets:
            self.call_after_refresh(self._go_to_line, JumpTarget(packet=problem.packets[0]))

    def _enter_part(self) -> None:
        self.message.deeper(1)

    def _show_message(self, message: Message) -> None:
        if self.place != MESSAGE:
            self._above = self.place
        self._said = ""
        self.go(MESSAGE)
        self.call_after_refresh(self.message.show, message)
        self.call_after_refresh(self.redraw)

    def _messages(self, shown: Message | None = None) -> list[Message]:
        entry = self.table.selected
        with self.control.lock:
            return pages.messages_like(self.store, entry, shown) if entry is not None else []

    def action_up(self) -> None:
        if self.ask.is_open:
            self.ask.leave()
        elif self.place == MESSAGE:
            if not self.message.deeper(-1):
                self.go(self._above)
                self.pane.focus()
        elif self.place == TASK:
            self.go(LIST)
        elif self.place == LIST and self.pane.has_focus:
            self.table.focus()
        elif self.place == LIST and not self._said:
            if self.choice.group is not None:
                self.choose(self.choice.of_group(None))
            self.go(FLEET)
        self.tell("")

    def action_other(self) -> None:
        if self.place == MESSAGE:
            self.message.around()
        elif self.place == LIST:
            (self.pane if self.table.has_focus else self.table).focus()
        elif self.place == TASK:
            self.go(LIST)

    def action_zoom(self) -> None:
        self.go(LIST if self.place == TASK else TASK)

    def on_task_table_entered(self) -> None:
        self.action_down()

    def on_lines_pane_entered(self) -> None:
        self.action_down()

    # --- what is shown ---------------------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        focused = self.pane.has_focus
        self._pane = name
        self.panes.current = name
        if focused:
            self.pane.focus()
        self.call_after_refresh(self.draw_pane, anew=True)

    def action_failures(self) -> None:
        self.choose(self.choice.toggled())

    def action_sort(self) -> None:
        self.table.next_sort()
        self.on_task_table_sorted()

    def action_reverse(self) -> None:
        self.table.reverse = not self.table.reverse
        self.on_task_table_sorted()

    def on_task_table_sorted(self) -> None:
        self.tell(f"sorted by {self.table.sort}")

    def action_group(self) -> None:
        with self.control.lock:
            self.fleet.next_group(self.final)
        self.redraw(anew=True)

    def action_order(self) -> None:
        self.tell(f"the most of {self.fleet.next_order()} first")
        self.redraw(anew=True)

    def action_verbose(self) -> None:
        self.restyle(self.style_of_ladders.toggled())
        self.tell("a line for every message" if self.style_of_ladders.verbose else "a line for every call")

    def action_texts(self) -> None:
        self.restyle(self.style_of_ladders.next_texts())
        self.tell(f"long texts {self.style_of_ladders.texts}")

    def action_times(self) -> None:
        self.restyle(self.style_of_ladders.next_times())
        self.tell(self.style_of_ladders.time_words)

    def restyle(self, style: pages.Style) -> None:
        self.style_of_ladders = style
        self.draw_pane(anew=True)

    def action_pause(self) -> None:
        self._paused = not self._paused
        with self.control.lock:
            self._frozen = (list(self.store.all_under_way()), self.store.ended()) if self._paused else None
            self._pick()
        self.redraw()

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def action_mouse(self) -> None:
        self._mouse = not self._mouse
        self.use_mouse(self._mouse)
        self.tell("the mouse is on" if self._mouse else "the mouse is the terminal's: it selects text")

    # --- questions -------------------------------------------------------------------------------------------------

    def action_ask(self, question: str) -> None:
        """Opens the line for a filter, a text, a place or a file name."""
        task = self.table.selected
        if question == "save" and task is None:
            self.tell("choose a task")
            return
        self._saved = task
        asked: dict[str, Callable[[], Question]] = {
            "save": partial(ask_file, task.task.n if task is not None else 0),
            "filter": partial(ask_filter, self.choice.text),
            "search": partial(ask_search, self.wanted),
            "place": ask_place,
        }
        self.ask.ask(asked[question]())

    def on_ask_answered(self, event: Ask.Answered) -> None:
        if event.question == "filter":
            self._set_filter(event.text)
        elif event.question == "search":
            self.wanted = event.text
            self.action_again(1)
        elif event.question == "place":
            self._go_to(event.text)
        else:
            self._save(event.text)

    def _set_filter(self, text: str) -> None:
        if why := refusal(text):
            self.tell(f"filter {text!r}: {why}")
            return
        self.choose(self.choice.with_text(text))

    def _save(self, path: str) -> None:
        entry = self._saved
        if entry is None or not path:
            return
        if is_of_records(path):
            with self.control.lock:
                events = list(self.store.events(entry))
            self.in_background(partial(save_records, events, self.control.infos, self.store.mask, path))
        else:
            self.in_background(partial(self.control.save, entry.task, entry.connections, path))

    # --- where to --------------------------------------------------------------------------------------------------

    def _searched(self) -> LinesPane | TaskTable:
        """What a search looks through: what has the cursor."""
        if self.place == FLEET:
            return self.fleet
        if self.place == MESSAGE:
            fields = self.message.fields_pane
            return fields if fields.has_focus else self.message.words_pane
        return self.table if self.table.has_focus else self.pane

    def action_again(self, step: int) -> None:
        searched, wanted = self._searched(), self.wanted
        searched.wanted = wanted
        if not wanted:
            searched.refresh()
            return
        found = searched.search(wanted, step) if isinstance(searched, LinesPane) else self._search_table(step)
        self.tell("" if found else f"no {wanted!r} here")

    def _search_table(self, step: int) -> bool:
        wanted = self.wanted.casefold()
        return self.table.seek(
            step, lambda entry: wanted in " ".join(self.store.row_of(entry, self._now).cells.values()).casefold()
        )

    def action_problem(self, step: int) -> None:
        if self.place == MESSAGE:
            self._next_message(step)
            return
        pane = self._searched()
        if isinstance(pane, LinesPane):
            found = pane.next_bad(step)
        else:
            found = pane.seek(step, lambda one: any(p.severity is not Severity.INFO for p in one.task.problems))
        self.tell("" if found else "no problem here")

    def _next_message(self, step: int) -> None:
        shown = self.message.message
        messages = self._messages(shown)
        here = (shown.n, shown.to_remote) if shown is not None else None
        at = next((at for at, one in enumerate(messages) if (one.n, one.to_remote) == here), 0) + step
        if 0 <= at < len(messages):
            self._show_message(messages[at])

    def action_answer(self) -> None:
        self._go_to_message("answered_by", "answer")

    def action_request(self) -> None:
        self._go_to_message("answers", "request")

    def _go_to_message(self, attribute: str, name: str) -> None:
        """To the partner of the chosen message."""
        message = self.message.message if self.place == MESSAGE else self._message_here()
        number = getattr(message, attribute, None)
        partners = [one for one in self._messages(message) if number is not None and one.n == number]
        # Both sides of an exchange have its number; an answer always goes the other way.
        partner = next(
            (one for one in partners if message is not None and one.to_remote is not message.to_remote), None
        )
        if partner is None:
            self.tell(f"no {name} of this")
        elif self.place == MESSAGE:
            self._show_message(partner)
        elif partner.kind not in KINDS and not self.pane.go_to(
            lambda one: isinstance(one, LadderStep) and partner in one.messages
        ):
            self.tell(f"its {name} is not on this page")

    def _message_here(self) -> Message | None:
        return next(iter(pages.messages_behind(self.pane.current.subject)), None)

    def _go_to(self, text: str) -> None:
        if not text:
            return
        place = JumpTarget.of(text)
        if place is None:
            self.tell(places.refusal(text))
        elif self.place in (FLEET, LIST) or place.task is not None:
            self.go(LIST)
            self._go_to_task(place)
        else:
            self._go_to_line(place)

    def _go_to_task(self, place: JumpTarget) -> None:
        entry = place.find(self.table.entries)
        if entry is None and self.choice != TaskChoice():
            self.choose(TaskChoice())  # it may be among those that are not shown
            entry = place.find(self.table.entries)
        if entry is None:
            self.tell("no such task here")
            return
        self.table.select(entry)
        self.redraw()

    def _go_to_line(self, place: JumpTarget) -> None:
        if not (self.pane.go_to(place.is_in) or self.pane.go_to(place.is_at)):
            self.tell("nothing behind that in this task")

    # --- copying ---------------------------------------------------------------------------------------------------

    def action_copy(self, what: str) -> None:
        if what == "value":
            text = chosen_value(self)
        elif what == "row":
            text = self.table.row_text if self._searched() is self.table else self._line().strip()
        else:
            expression = filter_of(self)
            is_growing = self.control.is_growing
            text = expression if what == "filter" else tshark_command(self.control.infos, is_growing, expression)
        if not text or len(text) > MOST_COPIED:
            self.tell("too long to be copied" if text else "nothing to be copied")
            return
        self.copy_to_clipboard(text)
        self.tell(f"copied: {text}")

    def _line(self) -> str:
        pane = self._searched()
        return pane.current.text if isinstance(pane, LinesPane) else ""
