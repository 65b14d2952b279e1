"""What the commands share: values of options, exit codes, what is said on standard error."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from dissector.cli import streams
from dissector.errors import JstraceError
from dissector.model import Endpoint
from dissector.ports import CALLBACKS_TEXT

PROBLEMS, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141

_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|min|h|)")
#: Of a pipe whose reader has seen enough, and of a terminal that was closed.
_READER_GONE = (errno.EPIPE, errno.EIO)
_F = TypeVar("_F", bound=Callable[..., Any])
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "min": 60.0, "h": 3_600.0}


def port_range(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, int]:
    """``LOW-HIGH``"""
    from dissector.numbers import PORT, number

    low, high = (number(end, PORT) for end in (*text.split("-"), "", "")[:2])
    if low is None or high is None or low > high or text.count("-") != 1:
        raise click.BadParameter(f"{text!r} is no port range such as {CALLBACKS_TEXT}")
    return low, high


def seconds(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """``60s``, ``500ms``, ``10min``; a number alone is seconds."""
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    value = float(match[1]) * _UNITS[match[2]] if match is not None else 0.0
    if not value > 0:
        raise click.BadParameter(f"{text!r} is no time such as 60s, 500ms or 10min")
    return value


def address(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Endpoint | None:
    """``HOST:PORT``, ``[IPV6]:PORT``, or a port alone."""
    if text is None:
        return None
    from dissector.numbers import ANY_PORT, number

    host, _, port = text.rpartition(":")
    value = number(port, ANY_PORT)
    if value is None:
        raise click.BadParameter(f"{text!r} is no HOST:PORT")
    return Endpoint(host.strip("[]"), value)


def color_option(prefix: str = "") -> Callable[[_F], _F]:
    """``--color``; ``prefix``: what it is of, where that is not all."""
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help=f"{prefix}auto: on a terminal, unless NO_COLOR is set.",
    )


def _show_utc(_context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    from dissector.render import times

    times.show_utc(wanted)


#: ``--utc``, for commands that show or read times of day.
utc_option = click.option(
    "--utc",
    is_flag=True,
    expose_value=False,
    callback=_show_utc,
    help="Times in UTC instead of local time (of TZ). Records for programs are always in UTC.",
)


def _complete_filter(_context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
    from dissector.render.filter.guide import completions

    return completions(text)


#: ``--filter``, for commands that choose tasks.
filter_option = click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="EXPR",
    shell_complete=_complete_filter,
    help="Only what matches, such as 'job=nightly outcome!=success'; see jstrace help filter. Repeatable.",
)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Errors as one line on standard error and the exit status that goes with them."""
    try:
        yield
        sys.stdout.flush()
    except JstraceError as error:
        say(str(error))
        sys.exit(BAD_INPUT)
    except OSError as error:
        sys.exit(_failed(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _failed(error: OSError) -> int:
    """The exit status of what the system refused; said with the name of the file, where it is known."""
    if error.filename in (streams.OUTPUT, streams.ERRORS):
        streams.drop(sys.stdout if error.filename == streams.OUTPUT else sys.stderr)
        if error.errno in _READER_GONE:
            return BROKEN_PIPE
    reason = error.strerror or str(error)
    say(f"{os.fsdecode(error.filename)}: {reason}" if error.filename else reason)
    return BAD_INPUT


def say(text: str) -> None:
    from dissector.render.text import escape

    try:
        print(f"jstrace: {escape(text)}", file=sys.stderr)
    except OSError:
        streams.drop(sys.stderr)
