"""The errors that bad input, or a program that is missing, can raise, and nothing else."""

from __future__ import annotations


class JstraceError(Exception):
    """Base of all errors that a user can cause; its text is one line fit for standard error."""


class DecodeError(JstraceError):
    """Bytes of one message that do not follow the grammar.

    ``path`` names the field (``invoke.params.arguments[2].value``), ``offset`` counts bytes from the start of the
    message (behind the length header), ``reason`` says what was wrong there.
    """

    def __init__(self, path: str, offset: int, reason: str) -> None:
        super().__init__(f"{path or 'message'} at offset {offset}: {reason}")
        self.path = path
        self.offset = offset
        self.reason = reason


class CaptureError(JstraceError):
    """A capture file or interface that can not be read: ``where`` is the file or interface, ``reason`` what is wrong.

    ``number`` is the packet (from 1) and ``offset`` the file offset where reading stopped, when known.
    """

    def __init__(self, where: str, reason: str, number: int | None = None, offset: int | None = None) -> None:
        place = "".join(
            (f", packet {number}" if number is not None else "", f", offset {offset}" if offset is not None else "")
        )
        super().__init__(f"{where}{place}: {reason}")
        self.where = where
        self.reason = reason
        self.number = number
        self.offset = offset


class UsageError(JstraceError):
    """Arguments that make no sense (an unknown filter field, a port range that is none)."""


class ToolError(JstraceError):
    """A program that jstrace was asked to run is missing, or did not do what it is for."""


class ScreenError(JstraceError):
    """The full screen ended by an error of its own."""
