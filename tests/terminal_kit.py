"""A program in a pseudo terminal whose line may be slow."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "dissector"]
PATIENCE = 60.0
_SGR = re.compile(rb"\x1b\[([\d;]*)m")


class Terminal:
    """``command`` (``jstrace live -``) with a recording, or the first bytes of one, as its standard input (None: the
    terminal itself), on a terminal of 80 by 24 cells, or ``size``, named ``term``; ``rate`` is how many bytes the line
    takes in a second."""

    def __init__(
        self,
        capture: bytes | None,
        term: str,
        *arguments: str,
        rate: int | None = None,
        command: tuple[str, ...] = ("live", "-"),
        size: tuple[int, int] = (80, 24),
        **environment: str,
    ) -> None:
        self.out = b""
        self.rate = rate
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        unset = ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES")
        values = {key: value for key, value in os.environ.items() if key not in unset}
        self._master = master
        keyboard = slave if capture is None else subprocess.PIPE
        self.process = subprocess.Popen(
            [*COMMAND, *command, *arguments], stdin=keyboard, stdout=slave, stderr=slave, cwd=ROOT,
            env={**values, "TERM": term, **environment}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        if capture is not None:
            self.feed(capture)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        os.close(self._master)

    def read(self, seconds: float) -> None:
        """What comes in so many seconds, as fast as the line is."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and self.process.poll() is None:
            if not select.select([self._master], [], [], min(left, 0.05))[0]:
                continue
            self._take()
            if self.rate is not None:
                time.sleep(0.05)
        if self.process.poll() is not None and self.rate is None:
            while select.select([self._master], [], [], 0.05)[0] and self._take():
                pass

    def _take(self) -> bool:
        try:
            data = os.read(self._master, 4_096 if self.rate is None else max(self.rate // 20, 1))
        except OSError:  # nobody writes to it any more
            return False
        self.out += data
        return bool(data)

    def until(self, word: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while word.encode() not in self.out:
            assert time.monotonic() < deadline, self.out[-2_000:]
            assert self.process.poll() is None or word.encode() in self.out, self.out[-2_000:]
            self.read(0.05)

    def feed(self, capture: bytes) -> None:
        """More of the recording on standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(capture)
        self.process.stdin.flush()

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def end(self) -> float:
        """Seconds until the program has ended."""
        begun = time.monotonic()
        while self.process.poll() is None:
            assert time.monotonic() < begun + PATIENCE
            self.read(0.05)
        took = time.monotonic() - begun
        self.read(0.2)
        return took

    @property
    def fills(self) -> bool:
        """It took the whole screen."""
        return b"\x1b[?1049h" in self.out

    @property
    def colors(self) -> set[str]:
        """The colours that were set, but for the terminal's own: ``31``, ``48;5;17``."""
        found: set[str] = set()
        for match in _SGR.finditer(self.out):
            numbers = match[1].decode().split(";")
            while numbers:
                first = numbers.pop(0)
                if first in ("38", "48"):
                    count = 2 if numbers[:1] == ["5"] else 4
                    found.add(";".join([first, *numbers[:count]]))
                    del numbers[:count]
                elif first.isdecimal() and (30 <= int(first) <= 47 or 90 <= int(first) <= 107) and first != "39":
                    found.add(first)
        return found
