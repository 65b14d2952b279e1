"""The standard streams: one that is closed is put in place, and one that fails says that it was it.

Python leaves None where a stream is closed, and the next file that is opened gets its number: what is printed would end
up in there.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from dissector.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OUTPUT, ERRORS = "standard output", "standard error"

#: How /dev/null is opened in place of a closed stream: to read input and to write output is an error (EBADF), as it was
#: on the closed one; words for the user are dropped.
_INSTEAD = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))


class _Named(io.FileIO):
    """A stream's file whose errors name it, so that the error of another file is not taken for its."""

    def __init__(self, number: int, label: str) -> None:
        super().__init__(number, "w", closefd=False)
        self._label = label

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._label) from None


def prepare() -> None:
    """Opens what is closed, and gives standard output and standard error their names."""
    for number, (name, mode, how) in enumerate(_INSTEAD):
        if getattr(sys, name) is None:
            _open(number, name, mode, how)
    for name, label in (("stdout", OUTPUT), ("stderr", ERRORS)):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _named(stream, label))


def _open(number: int, name: str, mode: str, how: int) -> None:
    opened = os.open(os.devnull, how)
    if opened > number and not _is_open(number):
        os.dup2(opened, number)
        os.close(opened)
        opened = number
    os.set_inheritable(opened, True)
    stream = open(opened, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115  open as long as the process
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _named(stream: TextIO, label: str) -> TextIO:
    """The same stream, naming itself.  What is no file (in tests) stays as it is."""
    try:
        raw = _Named(stream.fileno(), label)
    except (OSError, ValueError):
        return stream
    stream.flush()
    line_buffering = bool(getattr(stream, "line_buffering", False))
    unbuffered = isinstance(stream.buffer, io.RawIOBase)
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=line_buffering,
        write_through=unbuffered,
    )


def drop(stream: TextIO) -> None:
    """What is still buffered must not fail once more when Python ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def can_fill(from_stream: bool) -> bool:
    """A full screen needs a terminal whose cursor can be sent anywhere, and a keyboard: with ``from_stream`` standard
    input is none, but the terminal has one."""
    from dissector.render.abilities import abilities

    needed = (sys.stdout, sys.stderr) if from_stream else (sys.stdin, sys.stdout, sys.stderr)
    return all(stream.isatty() for stream in needed) and abilities().fills


def take_keyboard() -> None:
    """Standard input is a capture: keys come from the terminal itself.

    :raises UsageError: there is none
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise UsageError("there is no terminal for the full screen: --plain") from None
    sys.stdin = os.fdopen(os.dup(sys.stdin.fileno()))
    os.dup2(terminal, 0)
    os.close(terminal)
