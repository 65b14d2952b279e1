"""Which tasks the screen shows: those that match the filter, are of the entered group, and have failed if only such are
wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dissector.model import Task
from dissector.render.filter import Filter, parse
from dissector.reports.summary import GROUPS, has_failed


@dataclass(frozen=True)
class TaskChoice:
    """``text``: a filter expression; ``group``: what a group is of (``reports.summary.GROUPS``) and its name."""

    text: str = ""
    group: tuple[str, str] | None = None
    only_failures: bool = False

    def filter(self) -> Filter:
        """:raises UsageError: as ``render.filter.parse``"""
        conditions: list[Callable[[Task], bool]] = []
        if self.text:
            conditions.append(parse((self.text,)).task)
        if self.only_failures:
            conditions.append(has_failed)
        if self.group is not None:
            kind, wanted = self.group
            name = GROUPS[kind]
            conditions.append(lambda task: name(task) == wanted)
        if not conditions:
            return Filter()
        if len(conditions) == 1:
            return Filter(task=conditions[0], on_tasks=True)
        return Filter(task=lambda task: all(one(task) for one in conditions), on_tasks=True)

    @property
    def words(self) -> str:
        """What the line above the pane says of it."""
        words = [f"{self.group[0]} {self.group[1] or '-'}"] if self.group is not None else []
        words += ["only failures"] if self.only_failures else []
        words += [f"filter {self.text}"] if self.text else []
        return "   ".join(words)

    @property
    def expression(self) -> str:
        """The same as an expression for ``--filter``, as far as there is one."""
        words = [f'{self.group[0]}="{self.group[1]}"'] if self.group is not None and self.group[0] == "job" else []
        words += ["outcome!=success outcome!=running outcome!=unknown"] if self.only_failures else []
        return " ".join([*words, *([self.text] if self.text else [])])

    def with_text(self, text: str) -> TaskChoice:
        return replace(self, text=text)

    def of_group(self, group: tuple[str, str] | None) -> TaskChoice:
        return replace(self, group=group)

    def toggled(self) -> TaskChoice:
        """With failures only, or with all again."""
        return replace(self, only_failures=not self.only_failures)
