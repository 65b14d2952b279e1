"""The file in which a user names secrets of an own kind, to be masked wherever texts are shown."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dissector.errors import UsageError

#: Longer than any list of names that a person writes.
_LONGEST_FILE = 1 << 20


def config_file() -> Path | None:
    """``mask.conf`` in jstrace's folder of the user's configuration (XDG); None for a user without a home."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():  # such a one is not to be used
        try:
            folder = Path.home() / ".config"
        except RuntimeError:
            return None
    return folder / "jstrace" / "mask.conf"


def configured() -> tuple[list[str], list[str]]:
    """Names and patterns of the configuration file; none where there is no such file.

    :raises UsageError: a line is none of these, or the file can not be read
    """
    path = config_file()
    names: list[str] = []
    patterns: list[str] = []
    if path is None:
        return names, patterns
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(_LONGEST_FILE).splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return names, patterns
    except OSError as error:
        if not os.access(path.parent, os.X_OK):  # the home of another user, left in the environment
            return names, patterns
        raise UsageError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        kind, _, value = line.strip().partition(" ")
        if not kind or kind.startswith("#"):
            continue
        if kind not in ("name", "regex") or not value.strip():
            raise UsageError(f"{path}: line {number}: neither 'name WORD' nor 'regex RE'")
        if kind == "regex" and (fault := fault_of(value.strip())):
            raise UsageError(f"{path}: line {number}: {fault}")
        (names if kind == "name" else patterns).append(value.strip())
    return names, patterns


def fault_of(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{pattern!r} is no regular expression: {error}"
    return None
