"""The progress bar on standard error: only on a terminal, and only when reading takes a while."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_PATIENCE_SECONDS = 0.2
#: Drawn when bytes were read and so much later than before: a thread that draws would be in the way of ``fork``.
_PERIOD_SECONDS = 0.1


class Progress:
    """Call it with the bytes read so far and the bytes there are (None: not known)."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled and sys.stderr.isatty()
        self._start = time.monotonic()
        self._drawn = 0.0
        self._bar: Bar | None = None
        self._id: TaskID | None = None

    def __call__(self, done: int, total: int | None) -> None:
        if not self._enabled:
            return
        if self._bar is None:
            if time.monotonic() - self._start < _PATIENCE_SECONDS:
                return
            self._open(total)
        if self._bar is not None and self._id is not None:
            self._bar.update(self._id, completed=done, total=total)
            if time.monotonic() - self._drawn >= _PERIOD_SECONDS:
                self._drawn = time.monotonic()
                self._bar.refresh()

    def _open(self, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("reading"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, console=Console(file=sys.stderr), transient=True, auto_refresh=False)
        self._bar.start()
        self._id = self._bar.add_task("reading", total=total)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
