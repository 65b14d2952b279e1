"""The line to the terminal, which may be slower than the screen changes.

A frame is drawn only when the one before it is out: what changes meanwhile is in the next one, so that nothing old is
ever waited for.  Who leaves does not wait for what is under way either.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import termios
import threading
import time
import tty
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

#: Bytes that are written at once: a line of 9600 baud takes a quarter of a second for them.
_PIECE = 256
#: Seconds between two looks at a line that takes nothing.
_LOOK = 0.05
#: Bytes that may still be in the system's queue when the next frame is drawn.
_NEARLY_OUT = 64
#: Seconds that the last words to the terminal may take.
_PATIENCE = 0.4
#: In place of a terminal's special character: there is none.
_DISABLED = b"\0"
#: What was cut off in the middle (CAN), attributes, and a frame that was begun (synchronized output).
_AFRESH = "\x18\x1b[0m\x1b[?2026l"


class InputLine:
    """Writes to the descriptor ``number`` in a thread of its own; ``on_idle`` is called there when all is out."""

    def __init__(self, number: int, on_idle: Callable[[], object]) -> None:
        self._number = number
        self._on_idle = on_idle
        self._changed = threading.Condition()
        self._waiting = bytearray()
        self._over = False
        #: A frame is not out yet.
        self.busy = False
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        with self._changed:
            self._waiting += text.encode(errors="replace")
            self.busy = True
            self._changed.notify()

    def drop(self) -> None:
        """What waits here or in the system's queue is no longer of interest."""
        with self._changed:
            self._waiting = bytearray()
            with suppress(termios.error):
                termios.tcflush(self._number, termios.TCOFLUSH)
        self.write(_AFRESH)

    def close(self) -> None:
        """Ends the thread, with all written if the line takes it in time."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._over):
                    self._changed.wait()
                waiting = self._waiting
                piece = bytes(waiting[:_PIECE])
            if not piece:
                return
            written = self._write(piece)
            with self._changed:
                del waiting[:written]
                is_out = not self._waiting
            if is_out:
                self._drain()
                self.busy = bool(self._waiting)
                self._on_idle()

    def _write(self, piece: bytes) -> int:
        """How many bytes the line took; all of them are lost on one that is gone."""
        try:
            if not select.select((), (self._number,), (), _LOOK)[1]:
                return 0
            return os.write(self._number, piece)
        except BlockingIOError:
            return 0
        except (OSError, ValueError):
            return len(piece)

    def _drain(self) -> None:
        """Waits while the system still has much of it, where it tells (a serial line does)."""
        while not (self._over or self._waiting) and _queued(self._number) > _NEARLY_OUT:
            time.sleep(_LOOK / 2)


def _queued(number: int) -> int:
    try:
        found: int = struct.unpack("i", fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)))[0]
    except OSError:
        return 0
    return found


class PacedApp(App[None]):
    """Draws no frame while the one before it is on its way."""

    #: Set by the driver, in a real terminal.
    line: InputLine | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(driver_class=PacedDriver, **options)
        self._hold = ExitStack()
        self._held = self._missed = False

    def post_display_hook(self) -> None:
        """A frame was drawn, or would have been."""
        if self._held:
            self._missed = True
        elif self.line is not None and self.line.busy:
            self._held = True
            self._hold.enter_context(self.batch_update())

    @property
    def held(self) -> bool:
        """What is drawn now is not seen before the line is free."""
        return self._held

    def line_idle(self) -> None:
        """The line has taken all that it was given."""
        if not self._held or (self.line is not None and self.line.busy):
            return
        self._held = False
        self._hold.close()
        if self._missed:
            self._missed = False
            self.draw_anew()

    def action_suspend_process(self) -> None:
        """Ctrl-Z where it comes as a key: for the whole job, as the terminal would do it."""
        self.stop_here(0)

    def stop_here(self, who: int) -> None:
        """Stops the process or, with 0, its group, until somebody lets it go on.  The system ignores that where nobody
        could (there is no shell); then the screen just comes back."""
        with self.suspend():
            before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(who, signal.SIGTSTP)
            while _in_background():  # the shell let it go on, but not have the terminal
                # The system stops the whole job for this, as for any who touches the terminal from there.
                with suppress(termios.error):
                    termios.tcsetattr(2, termios.TCSANOW, termios.tcgetattr(2))
                time.sleep(_LOOK)
            signal.signal(signal.SIGTSTP, before)
        self.draw_anew()

    def use_mouse(self, wanted: bool) -> None:
        """Whether the terminal tells of the mouse, or keeps it for selecting text."""
        if isinstance(self._driver, PacedDriver):
            self._driver.use_mouse(wanted)

    def draw_anew(self) -> None:
        """Everything, whatever the terminal shows."""
        self.screen.refresh()


def _in_background() -> bool:
    """True where the terminal is another process group's."""
    try:
        return os.tcgetpgrp(2) != os.getpgrp()
    except OSError:
        return False


def _let_stop(number: int) -> None:
    """Ctrl-Z is the terminal's: it stops the whole job, whoever feeds a pipe included; other keys are keys."""
    with suppress(termios.error):
        attributes = termios.tcgetattr(number)
        attributes[tty.LFLAG] |= termios.ISIG
        attributes[tty.CC][termios.VINTR] = attributes[tty.CC][termios.VQUIT] = _DISABLED
        termios.tcsetattr(number, termios.TCSANOW, attributes)


class PacedDriver(LinuxDriver):
    """Textual's, but with a line that never blocks the program."""

    def __init__(self, app: PacedApp, **options: Any) -> None:
        super().__init__(app, **options)
        self._paced = app
        signal.signal(signal.SIGTSTP, self._stopped)

    def _stopped(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._paced.stop_here, os.getpid())

    def start_application_mode(self) -> None:
        if self._paced.line is not None:  # it was stopped by others, and goes on
            self._loop.call_soon_threadsafe(self._paced.draw_anew)
        else:
            self._paced.line = InputLine(2, self._idle)  # Textual's screen is on standard error
            super().start_application_mode()  # type: ignore[no-untyped-call]
            _let_stop(self.fileno)

    def use_mouse(self, wanted: bool) -> None:
        if wanted:
            self._enable_mouse_support()
        else:
            self._disable_mouse_support()

    def _idle(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._paced.line_idle)

    def write(self, data: str) -> None:
        if self._paced.line is not None:
            self._paced.line.write(data)

    def stop_application_mode(self) -> None:
        if self._paced.line is not None:
            self._paced.line.drop()
        super().stop_application_mode()

    def close(self) -> None:
        super().close()
        if self._paced.line is not None:
            self._paced.line.close()
            self._paced.line = None
