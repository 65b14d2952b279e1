"""Options of commands that take captures of several places."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dissector.errors import UsageError

if TYPE_CHECKING:
    from dissector.model import Problem
    from dissector.survey import Site, Wanted

_F = TypeVar("_F", bound=Callable[..., Any])

_OFFSET = re.compile(r"([+-]?)(\d{1,9}(?:\.\d{1,9})?)(ms|s|min|h|)")
_UNITS = {"ms": 1_000_000, "s": 10**9, "": 10**9, "min": 60 * 10**9, "h": 3_600 * 10**9}


def _points(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """``NAME=FILE``: names by files."""
    names: dict[str, str] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise click.BadParameter(f"{text!r} is no NAME=FILE such as client=client.pcap")
        names[file] = name
    return names


def _offsets(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, int]:
    """``NAME=TIME``: nanoseconds by names."""
    offsets: dict[str, int] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        match = _OFFSET.fullmatch(value)
        if not name or match is None:
            raise click.BadParameter(f"{text!r} is no NAME=TIME such as remote=+1.5s or remote=-30ms")
        whole, _, part = match[2].partition(".")
        unit = _UNITS[match[3]]
        amount = int(whole) * unit + int(part or 0) * unit // 10 ** len(part)
        offsets[name] = -amount if match[1] == "-" else amount
    return offsets


_POINT = click.option(
    "--point",
    "names",
    multiple=True,
    callback=_points,
    metavar="NAME=FILE",
    help="What to call the place where FILE was captured; files of one name are of one place. Repeatable.",
)
_ONE_STREAM = click.option(
    "--one-stream",
    is_flag=True,
    help="Read several files as one stream, also when they are of several places.",
)
_CLOCK_OFFSET = click.option(
    "--clock-offset",
    "offsets",
    multiple=True,
    callback=_offsets,
    metavar="NAME=TIME",
    help="How far the clock of a place is ahead (remote=+1.5s), in place of what the packets tell. Repeatable.",
)


def point_options(command: _F) -> _F:
    """Options ``names`` (by files), ``one_stream`` and ``offsets`` (nanoseconds by names)."""
    return _POINT(_CLOCK_OFFSET(_ONE_STREAM(command)))


def all_files(files: tuple[str, ...], names: dict[str, str]) -> tuple[str, ...]:
    """The files, and those that only got a name.

    :raises click.UsageError: there is none
    """
    found = (*files, *(file for file in names if file not in files))
    if not found:
        raise click.UsageError("Missing argument 'FILE...'.")
    return found


def wanted_of(names: dict[str, str], offsets: dict[str, int]) -> Wanted:
    from dissector.survey import Wanted

    return Wanted(names, offsets)


def sites_of(
    files: Sequence[str],
    names: dict[str, str],
    offsets: dict[str, int],
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
    on_remark: Callable[[Problem], object],
) -> list[Site]:
    """The places that the files are of; empty where they are one stream.  ``on_remark``: see ``survey``.

    :raises UsageError: a clock is given, and there is but one
    """
    from dissector.survey import survey

    sites = survey(files, wanted_of(names, offsets), command_ports, callback_ports, on_remark)
    if offsets and not sites:
        raise UsageError("--clock-offset needs captures of several places, and these files are one stream")
    return sites
