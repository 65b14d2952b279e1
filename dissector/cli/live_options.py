"""What ``jstrace live`` was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dissector.cli.unattended import UnattendedOptions
    from dissector.model import Event
    from dissector.monitor import Ends
    from dissector.render.filter import Filter

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class LiveOptions:
    """The options, by their names."""

    sources: tuple[str, ...]
    others: UnattendedOptions
    plain: bool
    form: str
    messages: bool
    log: bool
    filters: tuple[str, ...]
    command_ports: tuple[int, ...]
    callback_ports: tuple[int, int]
    narrow: str | None
    path: str | None
    overwrite: bool
    ring: str | None
    duration: float | None
    count: int | None
    until: str | None
    slow: float
    keep: int
    user: str | None
    show_secrets: bool
    color: str

    @property
    def from_stream(self) -> bool:
        return self.sources == (STANDARD_INPUT,)

    @property
    def to_stdout(self) -> bool:
        """Standard output is the capture: words go to standard error."""
        from dissector.outfile import is_stdout

        return self.path is not None and is_stdout(self.path)

    def check(self) -> None:
        """Options that would have no effect are wrong usage, not silence."""
        self.others.check()
        if STANDARD_INPUT in self.sources and not self.from_stream:
            raise click.UsageError("standard input can not be followed together with interfaces")
        if self.from_stream and self.narrow:
            raise click.UsageError("--filter-bpf has no effect on a stream: give the filter to who captures")
        if self.messages and self.form != "jsonl":
            raise click.UsageError("--messages needs --format jsonl; for people there is --log, and the full screen")
        if self.ring and not self.path:
            raise click.UsageError("--ring needs -w FILE")
        if self.to_stdout and (self.ring or self.form == "jsonl"):
            raise click.UsageError(f"-w {self.path} leaves no standard output for {'--ring' if self.ring else 'jsonl'}")
        if self.form == "jsonl" and self.log:
            raise click.UsageError("--log has no effect on --format jsonl: tasks have their logs")

    def ends(self) -> Ends:
        from dissector.monitor import Ends
        from dissector.render.filter import parse

        chosen = parse((self.until,)) if self.until else None
        until = _until(chosen) if chosen is not None else None
        return Ends(self.duration, self.count, until, chosen is not None and bool(chosen.on_messages))


def _until(chosen: Filter) -> Callable[[Event], bool]:
    """True for a task that ended so, or for a message that matches in a task that does so far."""
    from dissector.model import Message, Task

    def matches(event: Event) -> bool:
        if isinstance(event, Message) and chosen.on_messages:
            return chosen.message(event) and (event.task is None or chosen.task(event.task))
        return isinstance(event, Task) and not chosen.on_messages and chosen.task(event)

    return matches
