"""What the screen may ask of whoever has the capture: one that grows, or files."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from dissector.model import CaptureInfo, Connection, Exchange, Message, Task
from dissector.view.store import Status


class Control(Protocol):
    """Records may be looked at under ``lock`` only."""

    @property
    def lock(self) -> AbstractContextManager[object]: ...
    @property
    def over(self) -> bool:
        """The screen has to end."""

    @property
    def is_growing(self) -> bool:
        """False of files, which are read once more for what is no longer in memory."""

    @property
    def infos(self) -> list[CaptureInfo]:
        """What was captured or read so far."""

    def status(self) -> Status: ...
    def save(self, task: Task, connections: Iterable[Connection], path: str) -> str:
        """Writes a task's packets; says what was written.  May take a while.

        :raises JstraceError: the file can not be written
        """

    def recall(self, task: Task, connections: Iterable[Connection]) -> list[Message | Exchange] | None:
        """The messages of a task, read once more; None where that can not be.  May take a while.

        :raises JstraceError: the files can not be read any more
        """
