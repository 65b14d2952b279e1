"""Files with what TLS is deciphered with: key logs, which may still be written, and private keys."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from os import PathLike, fspath
from pathlib import Path
from typing import BinaryIO, Protocol
from weakref import finalize

from dissector.errors import UsageError

#: Where a key log is looked for when none is named; the second one is written by others, and may not be there yet.
VARIABLES = "TLS_KEYLOG_FILE", "SSLKEYLOGFILE"
_BLOCK = 1 << 20
#: A longer line of a key log is none.
_LONGEST_LINE = 1 << 16


class TakesLog(Protocol):
    def add_log(self, data: bytes) -> int: ...


class KeyLog:
    """A key log, read as far as it is written; ``more`` takes what came since, if it ``grows``."""

    def __init__(self, path: str | PathLike[str], secrets: TakesLog, *, grows: bool) -> None:
        """:raises UsageError: it can not be read, or is no key log"""
        self._name, self._secrets = fspath(path), secrets
        self._rest = b""
        self._grows = grows
        try:
            # It stays open: the rights to open it may be given up meanwhile.
            self._file: BinaryIO = Path(path).open("rb")  # noqa: SIM115  closed with this object
            finalize(self, self._file.close)
            found, size = self._read()
        except OSError as error:
            raise UsageError(f"{self._name}: {error.strerror or error}") from None
        if size and not found and not (grows and self._rest):
            raise UsageError(f"{self._name}: this is no TLS key log (no line such as CLIENT_RANDOM ... ...)")

    def more(self) -> None:
        with suppress(OSError):  # what was read before is known
            self._read()

    def _read(self) -> tuple[int, int]:
        """The number of secrets and of bytes that came."""
        found = size = 0
        while block := self._file.read(_BLOCK):
            size += len(block)
            lines, newline, self._rest = (self._rest + block).rpartition(b"\n")
            if newline:
                found += self._secrets.add_log(lines)
            if len(self._rest) > _LONGEST_LINE:
                self._rest = b""
        if not self._grows:  # else the last line may be half of one
            found += self._secrets.add_log(self._rest)
        return found, size


def key_log_of(environment: Mapping[str, str]) -> str | None:
    """The key log that the environment names."""
    named, written = (environment.get(name) for name in VARIABLES)
    return named or (written if written and Path(written).is_file() else None)


def private_key(path: str | PathLike[str]) -> bytes:
    """A private key in PEM.

    :raises UsageError: it can not be read
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(_BLOCK)
    except OSError as error:
        raise UsageError(f"{fspath(path)}: {error.strerror or error}") from None
