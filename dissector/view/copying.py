"""What of the screen is copied: the chosen value, and the filter of what is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissector.model import LogLine, Problem
from dissector.render.rows import TaskRow
from dissector.render.steps import LadderStep
from dissector.render.text import escape
from dissector.reports.summary import Cause, TaskGroup
from dissector.view.keys import FLEET, MESSAGE
from dissector.view.pages import messages_behind
from dissector.view.takeaway import display_filter, packet_filter

if TYPE_CHECKING:
    from dissector.view.frame import ViewFrame


def chosen_value(app: ViewFrame) -> str:
    """Without secrets, as all that is shown."""
    if app.place == MESSAGE:
        return _of_message(app)
    if app.place != FLEET and app.table.has_focus:
        entry = app.table.selected
        return escape(app.store.mask.text(entry.task.job or f"task {entry.task.n}")) if entry is not None else ""
    subject = (app.fleet if app.place == FLEET else app.pane).current.subject
    return escape(app.store.mask.text(_of_subject(subject)))


def _of_subject(subject: object) -> str:
    if isinstance(subject, TaskGroup):
        return subject.name
    if isinstance(subject, Cause):
        return subject.first.code
    if isinstance(subject, TaskRow):
        return subject.cells["job"]
    if isinstance(subject, LadderStep):
        return f"{subject.label}  {subject.said.text}".strip()
    if isinstance(subject, LogLine):
        return subject.text
    return subject.summary if isinstance(subject, Problem) else ""


def _of_message(app: ViewFrame) -> str:
    page = app.message
    if page.bytes_pane.has_focus:
        return page.bytes_pane.marked.hex()
    if page.fields_pane.has_focus and page.field is not None:
        return page.field.text or page.bytes_pane.marked.hex()
    return page.words_pane.text.partition("\n")[2]


def filter_of(app: ViewFrame) -> str:
    """A display filter of Wireshark for the chosen line, or for the task."""
    entry = app.table.selected
    message = app.message.message
    if app.place == MESSAGE and message is not None:
        return packet_filter(message.packets)
    if entry is None or app.place == FLEET:
        return ""
    subject = app.pane.current.subject
    if app.pane.has_focus and isinstance(subject, LadderStep) and subject.packets:
        return packet_filter(packet for one in messages_behind(subject) for packet in one.packets) or ""
    if app.pane.has_focus and isinstance(subject, Problem) and subject.packets:
        return packet_filter(subject.packets)
    return display_filter(entry.task, list(entry.connections))
