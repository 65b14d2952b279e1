"""JSON Lines with messages by two processes: each traces everything and makes the messages of half of the connections.

Decoding frames and writing them down is most of the work, and needs no more than the frame's own connection; numbering,
joining and judging need all packets, but little time.  So both processes trace the whole capture, each has but a glance
at the frames of half of the callback connections, and as they do the same in the same order, their lines only have to
be put together: the tracer gives a stand-in where the other one has a line.  Whoever is faster waits at the pipe, so
memory is that of two processes.  One task alone gains nothing, and neither does a small file.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from dissector.errors import ToolError
from dissector.model import CaptureInfo, Connection, Event, Message, Role
from dissector.render.json import JsonLinesView
from dissector.render.records import Records
from dissector.sources.piped import widen
from dissector.sources.prefetch import WORTH, available, fork

#: Of nine callback connections those that the second process has: one more than half, as the first one writes it all.
_SECONDS_SHARE = frozenset((1, 3, 5, 7, 8))


def pays(files: Iterable[str]) -> bool:
    """True for files that can be read twice and take long enough."""
    paths = [Path(file) for file in files]
    return available() and all(path.is_file() for path in paths) and sum(path.stat().st_size for path in paths) >= WORTH


def is_other_half(connection: Connection) -> bool:
    """True for the connections whose messages the second process makes."""
    return connection.role is not Role.COMMAND and connection.n // 2 % 9 in _SECONDS_SHARE


class SecondProcess:
    """The second process, seen from the first one; ``is_second`` is True in the second one."""

    def __init__(self) -> None:
        sys.stdout.flush()
        reading, writing = os.pipe()
        self._pid = fork()
        self.is_second = self._pid == 0
        self.parted = False
        os.close(reading if self.is_second else writing)
        if self.is_second:
            self._pipe: TextIO = _text(writing, "w")
        else:
            widen(reading)
            self._pipe = _text(reading, "r")

    def __enter__(self) -> SecondProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the second process; in there, leaves it without a word: the first one met the same."""
        if self.is_second:
            with suppress(OSError):
                self._pipe.flush()
            os._exit(0)
        self._pipe.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def made_by_others(self, connection: Connection) -> bool:
        """True for the connections whose messages the other process makes."""
        return is_other_half(connection) is not self.is_second

    def view(self, out: TextIO, records: Records) -> JsonLinesView:
        """What this process writes."""
        return _SecondView(self._pipe, records, messages=True) if self.is_second else _FirstView(out, records, self)

    def part(self) -> None:
        """Reading was interrupted, at another packet than in the other process: what is left is written as it is known
        here, which is all but the messages that still wait for their task's number."""
        self.parted = True

    def line(self) -> str:
        """The next line of the second process.

        :raises ToolError: it was ended by somebody
        """
        line = self._pipe.readline()
        if not line.endswith("\n"):
            raise ToolError("the second process was ended; with --jobs 1 there is none")
        return line


class _FirstView(JsonLinesView):
    """Writes everything; lines that the second process has, as they come from there."""

    def __init__(self, out: TextIO, records: Records, second: SecondProcess) -> None:
        super().__init__(out, records, messages=True)
        self._second = second

    def add(self, event: Event) -> None:
        if not isinstance(event, Message) or not is_other_half(event.connection):
            super().add(event)
        elif not self._second.parted:
            self.write(self._second.line())
        elif event.n:
            super().add(event)


class _SecondView(JsonLinesView):
    """Writes its messages and nothing else."""

    def add(self, event: Event) -> None:
        if isinstance(event, Message) and is_other_half(event.connection):
            super().add(event)

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:  # noqa: ARG002  the first one writes them
        self.flush()


def _text(descriptor: int, mode: str) -> TextIO:
    binary = open(descriptor, mode + "b", buffering=1 << 16)  # noqa: SIM115  closed with the text
    return io.TextIOWrapper(binary, encoding="ascii", newline="\n", write_through=False)
