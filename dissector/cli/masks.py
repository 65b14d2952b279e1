"""``--mask`` and ``--mask-regex``, and the file that has such for every command."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])

_NAMES, _PATTERNS = "jstrace.mask", "jstrace.mask_regex"
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


def _of_file() -> tuple[list[str], list[str]]:
    """Names and patterns of the configuration file.  Raises UsageError for a line that is none of these."""
    from dissector.errors import UsageError

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
        if kind == "regex" and (fault := _fault(value.strip())):
            raise UsageError(f"{path}: line {number}: {fault}")
        (names if kind == "name" else patterns).append(value.strip())
    return names, patterns


def _fault(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{pattern!r} is no regular expression: {error}"
    return None


def _take(key: str) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], None]:
    def take(context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> None:
        for text in given:
            if not text.strip():
                raise click.BadParameter("nothing is no name")
            if key == _PATTERNS and (fault := _fault(text)):
                raise click.BadParameter(fault)
        context.meta[key] = given
        if _NAMES in context.meta and _PATTERNS in context.meta and not context.resilient_parsing:
            _apply(context.meta[_NAMES], context.meta[_PATTERNS])

    return take


def _apply(names: tuple[str, ...], patterns: tuple[str, ...]) -> None:
    from dissector.cli.common import exit_codes

    with exit_codes():
        more_names, more_patterns = _of_file()
    names, patterns = (*more_names, *names), (*more_patterns, *patterns)
    # What was added for another command in the same process is forgotten.
    if names or patterns or "dissector.wire.secrets" in sys.modules:
        from dissector.wire.secrets import extend

        extend(names, patterns)


_MASK = click.option(
    "--mask",
    multiple=True,
    expose_value=False,
    callback=_take(_NAMES),
    metavar="NAME",
    help="Mask the values of names with NAME in them too, as those with password. Repeatable; see also mask.conf.",
)
_MASK_REGEX = click.option(
    "--mask-regex",
    multiple=True,
    expose_value=False,
    callback=_take(_PATTERNS),
    metavar="RE",
    help="Mask what the regular expression RE matches (its first group, if it has one) too. Repeatable.",
)


def mask_options(command: _F) -> _F:
    """Options ``--mask`` and ``--mask-regex``; they, and the configuration file, hold for the whole process."""
    return _MASK(_MASK_REGEX(command))
