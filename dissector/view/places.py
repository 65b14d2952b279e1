"""A place that somebody asks for: a task by its number, a packet, a moment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from dissector.model import Problem, Task
from dissector.numbers import Bounds, number
from dissector.render.steps import LadderStep
from dissector.render.times import clock, dated
from dissector.view.entry import TaskEntry

_MOMENT = re.compile(r"(?:(\d{4}-\d\d-\d\d)[ T])?(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)")
_NUMBERS = Bounds(1, 1 << 62)


class JumpTarget(NamedTuple):
    """One of them is there."""

    task: int | None = None
    packet: int | None = None
    moment: str = ""

    @classmethod
    def of(cls, text: str) -> JumpTarget | None:
        """``#3``, ``217``, ``04:07:15`` or ``2026-11-22 04:07``; None of anything else."""
        if text.startswith("#"):
            task = number(text[1:].strip(), _NUMBERS)
            return cls(task=task) if task is not None else None
        if (packet := number(text, _NUMBERS)) is not None:
            return cls(packet=packet)
        return cls(moment=text.replace("T", " ")) if _MOMENT.fullmatch(text) else None

    def begins(self, time: int) -> bool:
        """True for a time at or behind the moment."""
        return (dated(time) if self.moment[4:5] == "-" else clock(time)) >= self.moment

    def find(self, entries: Sequence[TaskEntry]) -> TaskEntry | None:
        """The task with that number, the last one that began at or before the packet, or the first one that began at
        or behind the moment."""
        tasks = sorted(entries, key=lambda entry: entry.task.n)
        if self.task is not None:
            return next((one for one in tasks if one.task.n == self.task), None)
        if self.packet is not None:
            begun = [one for one in tasks if one.task.first_packet <= self.packet]
            covering = [one for one in begun if self.packet <= _last_packet(one.task)]
            found = covering or begun
            return found[-1] if found else None
        return next((one for one in tasks if self.begins(one.task.start)), None)

    def is_in(self, subject: object) -> bool:
        """True for a line of a ladder that shows the packet: with a message, or an answer to one, in it."""
        if not isinstance(subject, LadderStep) or self.packet is None:
            return False
        exchange = subject.exchange.packets if subject.exchange is not None else ()
        shown = (subject.packets, exchange, *(one.packets for one in subject.messages))
        return any(self.packet in packets for packets in shown)

    def is_at(self, subject: object) -> bool:
        """True for a line of a ladder that stands there or behind."""
        if not isinstance(subject, LadderStep):
            return False
        if self.packet is not None:
            return bool(subject.packets) and subject.packets[-1] >= self.packet
        return bool(self.moment) and self.begins(subject.time)


def _last_packet(task: Task) -> int:
    return max((one.last_packet for one in (task.command, task.callback) if one is not None), default=0)


def refusal(text: str) -> str:
    """What is wrong with it; empty where nothing is."""
    return "" if not text or JumpTarget.of(text) is not None else "#3 is a task, 217 a packet, 04:07:15 a time"


def first_packet(problem: Problem) -> JumpTarget | None:
    """Where a problem is proved."""
    return JumpTarget(packet=problem.packets[0]) if problem.packets else None
