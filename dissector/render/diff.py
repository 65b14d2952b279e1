"""Two tasks side by side: what one said that the other did not, other answers, and where the time went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from dissector.model import Message
from dissector.numbers import count
from dissector.render.rows import outcome_words, ranges
from dissector.render.terminal import Terminal, clip
from dissector.render.text import duration, escape
from dissector.render.theme import OUTCOME_STYLES
from dissector.render.values import write_object
from dissector.render.words import Words
from dissector.reports.diff import Difference, DiffPart, Recording, Spent
from dissector.wire.masking import Mask

#: Messages of one stretch that are listed, and rows of the table of times.
_LISTED, _ROWS = 20, 12
#: A change (ns) that is not worth a row.
_NOTHING = 50_000
_SIGNS = {"A": ("-", "error"), "B": ("+", "good")}


class DiffView:
    """``full``: every message and every row."""

    def __init__(self, terminal: Terminal, mask: Mask, *, full: bool = False) -> None:
        self._terminal = terminal
        self._mask = mask
        self._words = Words(mask)
        self._full = full

    def show(self, found: Difference) -> None:
        for letter, recording in (("A", found.a), ("B", found.b)):
            self._heading(letter, recording)
        self._terminal.line()
        self._sequence(found)
        self._answers(found)
        self._terminal.line()
        self._times(found)
        self._terminal.flush()

    def _heading(self, letter: str, recording: Recording) -> None:
        task = recording.task
        job = escape(self._mask.text(task.job or "")) + (f":{task.task_id}" if task.task_id is not None else "")
        self._terminal.line(
            (f" {letter}  ", "title"),
            (f"{escape(recording.name)}  task {task.n}  ", ""),
            (f"{job}  " if job else "", "title"),
            (outcome_words(task), OUTCOME_STYLES[task.outcome]),
            (f"  {duration(recording.duration)}", ""),
        )

    # --- what was said ---------------------------------------------------------------------------------------------

    def _sequence(self, found: Difference) -> None:
        if all(part.tag == "equal" for part in found.parts):
            self._terminal.line((" the same messages in the same order", "title"))
        for part in found.parts:
            if part.tag == "equal":
                self._terminal.line((f"   {_alike(part)}", "dim"))
                continue
            self._messages("A", part.a, found.a)
            self._messages("B", part.b, found.b)

    def _messages(self, letter: str, messages: Sequence[Message], recording: Recording) -> None:
        sign, style = _SIGNS[letter]
        shown = messages if self._full or len(messages) <= _LISTED else messages[: _LISTED - 1]
        for message in shown:
            time = duration(message.time - recording.task.start)
            arrow = "──▶" if message.to_remote else "◀──"
            head = f" {sign} {letter} {message.packets[-1]:>6} {time:>9}  {arrow}  "
            self._terminal.line(
                (head, style), (clip(self._text(message), max(self._terminal.width - len(head), 8)), "")
            )
        if len(shown) < len(messages):
            self._terminal.line((f" {sign} {letter} {'':>6} … {len(messages) - len(shown)} more", "dim"))

    def _answers(self, found: Difference) -> None:
        shown = found.answers if self._full else found.answers[:_LISTED]
        if shown:
            self._terminal.line()
            self._terminal.line((" other answers to the same calls", "title"))
        for one in shown:
            name = self._words.request(one.a.request) if one.a.request is not None else one.a.operation or ""
            self._terminal.line((f"   {clip(name, self._terminal.width - 3)}", ""))
            for letter, message in (("A", one.a), ("B", one.b)):
                sign, style = _SIGNS[letter]
                head = f" {sign} {letter} {message.packets[-1]:>6}  "
                text = self._words.answer(message).text or "ok"
                self._terminal.line((head, style), (clip(text, max(self._terminal.width - len(head), 8)), ""))
        if len(shown) < len(found.answers):
            self._terminal.line((f"   … {len(found.answers) - len(shown)} more", "dim"))

    def _text(self, message: Message) -> str:
        return message_text(message, self._words)

    # --- times -----------------------------------------------------------------------------------------------------

    def _times(self, found: Difference) -> None:
        rows = found.spent if self._full else [one for one in found.spent if abs(one.change) >= _NOTHING][:_ROWS]
        total = found.b.duration - found.a.duration
        self._terminal.line((f" time: {_signed(total)} in B", "title"))
        width = max([len(_name(one)) for one in rows] + [4])
        width = min(width, max(self._terminal.width - 50, 12))
        if rows:
            head = f"   {'':<{width}}  {'A':>6} {'':>9}  {'B':>6} {'':>9}  {'B - A':>9}"
            self._terminal.line((head, "heading"))
        for one in rows:
            cells = (
                f"   {clip(_name(one), width):<{width}}  {_calls(one.calls_a):>6} {_time(one.time_a):>9}"
                f"  {_calls(one.calls_b):>6} {_time(one.time_b):>9}  "
            )
            self._terminal.line((cells, ""), (f"{_signed(one.change):>9}", "error" if one.change > 0 else "good"))


def message_text(message: Message, words: Words) -> str:
    """A request or an answer in a line."""
    if message.kind in ("request", "command", "keep_alive"):
        return words.request(message)
    name = message.member or message.operation or message.kind
    return f"{escape(name)} {words.answer(message).text or '=> ok'}"


def _alike(part: DiffPart) -> str:
    packets = [ranges(_packets(messages), most=1) for messages in (part.a, part.b)]
    return f"{count(len(part.a), 'message')} alike   A packets {packets[0]}   B packets {packets[1]}"


def _packets(messages: Sequence[Message]) -> range:
    """From the first one's to the last one's."""
    return range(messages[0].packets[0], messages[-1].packets[-1] + 1)


def _name(one: Spent) -> str:
    return f"{escape(one.name)}" if one.to_remote else f"callback {escape(one.name)}"


def _calls(number: int) -> str:
    return f"{number} x" if number else ""


def _time(nanoseconds: int) -> str:
    return duration(nanoseconds) if nanoseconds else "-"


def _signed(nanoseconds: int) -> str:
    return duration(nanoseconds) if nanoseconds < 0 else f"+{duration(nanoseconds)}"


# --- for programs --------------------------------------------------------------------------------------------------


def print_json(out: TextIO, found: Difference, mask: Mask) -> None:
    """One object; durations are seconds, packets those of each capture."""
    words = Words(mask)
    record = {
        "schema": "jstrace-diff/1",
        "a": _recording_record(found.a, mask),
        "b": _recording_record(found.b, mask),
        "alike": found.alike,
        "parts": [_part_record(part, words) for part in found.parts],
        "answers": [{"a": _message_record(one.a, words), "b": _message_record(one.b, words)} for one in found.answers],
        "times": [
            {
                "name": one.name,
                "direction": "client->remote" if one.to_remote else "remote->client",
                "calls_a": one.calls_a,
                "calls_b": one.calls_b,
                "time_a": one.time_a / 1e9,
                "time_b": one.time_b / 1e9,
                "change": one.change / 1e9,
            }
            for one in found.spent
        ],
    }
    write_object(out, record)


def _recording_record(recording: Recording, mask: Mask) -> dict[str, Any]:
    task = recording.task
    return {
        "file": recording.name,
        "task": task.n,
        "job": mask.text(task.job) if task.job is not None else None,
        "task_id": task.task_id,
        "outcome": task.outcome.value,
        "exit_code": task.exit_code,
        "duration": recording.duration / 1e9,
        "messages": len(recording.messages),
    }


def _part_record(part: DiffPart, words: Words) -> dict[str, Any]:
    """Of what is alike numbers only."""
    record: dict[str, Any] = {"tag": part.tag}
    for side, messages in (("a", part.a), ("b", part.b)):
        record[side] = {
            "messages": len(messages),
            "packets": [messages[0].packets[0], messages[-1].packets[-1]] if messages else None,
            "said": _records(messages, words) if part.tag != "equal" else None,
        }
    return record


def _records(messages: Iterable[Message], words: Words) -> list[dict[str, Any]]:
    return [_message_record(message, words) for message in messages]


def _message_record(message: Message, words: Words) -> dict[str, Any]:
    return {
        "n": message.n,
        "packet": message.packets[-1],
        "direction": "client->remote" if message.to_remote else "remote->client",
        "kind": message.kind,
        "operation": message.operation,
        "object": message.object_name,
        "member": message.member,
        "text": message_text(message, words),
    }
