"""``jstrace index``: many captures into a dataset."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from dissector.cli.common import exit_codes, say
from dissector.cli.masks import mask_options
from dissector.cli.tls import given_files, tls_options
from dissector.cli.tracing import port_hints, processors
from dissector.numbers import count

if TYPE_CHECKING:
    from dissector.fleet.index import Indexed
    from dissector.fleet.tracing import UnitDone

_DAYS = re.compile(r"(\d{1,5})d?", re.ASCII)
_POINT_NAME = re.compile(r"[^/=\x00-\x1f\x7f]{1,100}")


def _days(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """``90d``"""
    if text is None:
        return None
    match = _DAYS.fullmatch(text)
    if match is None or not int(match[1]):
        raise click.BadParameter(f"{text!r} is no number of days such as 90d")
    return int(match[1])


def _points(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """``NAME=PATH``: names by paths."""
    names: dict[str, str] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not path or not _POINT_NAME.fullmatch(name):
            raise click.BadParameter(f"{text!r} is no NAME=PATH such as host7=/captures/eth0")
        names[path] = name
    return names


@click.command()
@click.argument("out", metavar="OUT", type=click.Path(file_okay=False))
@click.argument("paths", nargs=-1, metavar="FILE|DIR...", type=click.Path())
@click.option(
    "--point",
    "names",
    multiple=True,
    callback=_points,
    metavar="NAME=PATH",
    help="What to call the place where the captures in PATH (a file or a folder) were taken; else it is called as the "
    "folder that they are in. Repeatable.",
)
@click.option("--messages", is_flag=True, help="Messages too. OUT has them for all captures or for none.")
@click.option(
    "--retain",
    callback=_days,
    metavar="DAYS",
    help="Keep the newest day and those before it, so many in all (90d); what is older is forgotten.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=processors,
    show_default="one for each processor",
    metavar="N",
    help="Processes to use: one point of capture is traced by one of them. The result is the same.",
)
@click.option(
    "--dask",
    "cluster",
    metavar="ADDRESS",
    help="Trace on this cluster of dask.distributed (tcp://scheduler:8786). Its workers see captures and OUT under the "
    "same paths.",
)
@port_hints
@tls_options
@mask_options
def index(
    out: str,
    paths: tuple[str, ...],
    names: dict[str, str],
    messages: bool,
    retain: int | None,
    jobs: int,
    cluster: str | None,
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
) -> None:
    """Trace many captures into the dataset OUT: Parquet files for jstrace query and other programs.

    A DIR is searched for captures; both may be URLs (s3://bucket/host7). Captures of one folder are those of one point,
    one stream in the order of time: a task that begins in one file of a ring and ends in the next is one row. Run it
    again when there are new files: what was indexed is known by content and not read again, wherever it lies; what was
    not over is traced again together with what follows. A run that is stopped, by whatever, leaves OUT as it was or
    with some points done.

    Secrets are masked. OUT is private to its owner. Needs pip install 'jstrace[fleet]'.

    \b
    jstrace index archive /captures
    jstrace index archive --point host7=/mnt/host7 --point host8=/mnt/host8 --retain 90d
    jstrace query archive failures

    Exit status: 0 done, 2 wrong usage, or nothing can be read.
    """
    if not paths and not names:
        raise click.UsageError("Missing argument 'FILE|DIR...'.")
    with exit_codes():
        from dissector.fleet.captures import places_of
        from dissector.fleet.dataset import Dataset
        from dissector.fleet.index import index as run
        from dissector.fleet.tracing import HowToTrace

        logs, keys = given_files()
        how = HowToTrace(command_ports, callback_ports, messages, logs, keys)
        dataset = Dataset(out)
        places = places_of(paths, names)
        done = run(dataset, places, how, jobs=jobs, cluster=cluster, retain=retain, on_point=_progress())
        for warning in done.warnings:
            say(f"warning: {warning}")
        click.echo(_words(out, done))


def _words(out: str, done: Indexed) -> str:
    there = f"{count(done.tasks, 'task')} at {count(done.points, 'point')}"
    known = f"{count(done.known, 'capture')} known"
    if not done.captures:
        return f"{out}: nothing new, {known}; {there}"
    return f"{out}: {count(done.captures, 'capture')} indexed{f', {known}' if done.known else ''}; {there}"


def _progress() -> _Progress | None:
    return _Progress() if sys.stderr.isatty() else None


class _Progress:
    def __init__(self) -> None:
        self._done = 0

    def __call__(self, unit: UnitDone, units: int) -> None:
        self._done += 1
        say(f"{self._done} of {units}: {unit.point}, {count(unit.tasks, 'task')}")
