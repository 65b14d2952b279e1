"""``jstrace view`` (and ``jstrace FILE...``): capture files on the full screen."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dissector.cli import streams
from dissector.cli.common import color_option, exit_codes, filter_option, say, utc_option
from dissector.cli.ending import stopped_by_signals
from dissector.cli.help import FilterCommand
from dissector.cli.masks import mask_options
from dissector.cli.points import all_files, point_options, wanted_of
from dissector.cli.read import read
from dissector.cli.tls import secrets, tls_options
from dissector.cli.tracing import port_hints
from dissector.garbage import ON_SCREEN, look_seldom

if TYPE_CHECKING:
    from dissector.model import CaptureInfo, Connection, Exchange, Message, Task
    from dissector.opening import OpenedFiles
    from dissector.view.screen import Screen
    from dissector.view.store import Status

_STANDARD_INPUT = "-"
#: Seconds that reading may take to end.
_PATIENCE = 0.5


@click.command(cls=FilterCommand)
@click.argument("files", nargs=-1, metavar="FILE...", type=click.Path(allow_dash=True))
@filter_option
@port_hints
@tls_options
@point_options
@utc_option
@click.option("--show-secrets", is_flag=True, help="Do not mask passwords and the like.")
@mask_options
@color_option()
@click.pass_context
def view(context: click.Context, /, files: tuple[str, ...], filters: tuple[str, ...], **options: Any) -> None:
    """Open captures on the full screen: from all tasks down to one byte.

    Takes what read takes. The screen can be used while files are still read; F1 or ? lists its keys. With - the capture
    comes from standard input and keys from the terminal; the screen stays when the input ends (live - follows one).
    jstrace FILE... is the same.

    Where there is no terminal that can be filled, the output of read follows, with a note on standard error.

    Exit status: 0 read, 2 wrong usage or unreadable input.
    """
    files = all_files(files, options["names"])
    if os.name != "posix" or not streams.can_fill(_STANDARD_INPUT in files):
        say("no terminal to fill: this is what jstrace read prints")
        context.invoke(read, files=files, filters=filters, **options)
        return
    with exit_codes():
        _view(files, filters, options)


def _view(files: tuple[str, ...], filters: tuple[str, ...], options: dict[str, Any]) -> None:
    from dissector.errors import CaptureError
    from dissector.opening import Asked, OpenedFiles
    from dissector.render.filter import parse
    from dissector.share.texts import without_secrets
    from dissector.view.screen import Screen
    from dissector.wire.masking import Mask

    missing = [file for file in files if file != _STANDARD_INPUT and not Path(file).exists()]
    if len(missing) == len(files):
        raise CaptureError(missing[0], "No such file or directory")
    mask = Mask(not options["show_secrets"])
    screen = Screen(mask, parse(filters), keep=None, color=options["color"], clean=without_secrets)
    wanted = wanted_of(options["names"], options["offsets"])
    ports = options["command_ports"], options["callback_ports"]
    opened = OpenedFiles(Asked(files, *ports, wanted, options["one_stream"], secrets), screen.store)
    if _STANDARD_INPUT in files:
        streams.take_keyboard()
    look_seldom(ON_SCREEN)
    with stopped_by_signals(opened):
        _show(screen, opened)
    if opened.error is not None:
        raise opened.error


def _show(screen: Screen, opened: OpenedFiles) -> None:
    """Until the user leaves the screen."""
    # It may wait for standard input: nobody waits for it then.
    thread = threading.Thread(target=opened.run, name="reader", daemon=True)
    thread.start()
    try:
        screen.run(FilesControl(opened))
    finally:
        opened.stop()
        thread.join(_PATIENCE)
    for line in screen.summary(opened.infos):
        print(line)
    if thread.is_alive():  # Python would wait for who waits for standard input
        sys.stdout.flush()
        os._exit(0)


class FilesControl:
    """What the screen may ask of files (``view.control.Control``)."""

    is_growing = False

    def __init__(self, opened: OpenedFiles) -> None:
        self._opened = opened
        self.lock = opened.lock

    @property
    def over(self) -> bool:
        return self._opened.over

    @property
    def infos(self) -> list[CaptureInfo]:
        return self._opened.infos

    def status(self) -> Status:
        from dissector.view.store import Status

        opened = self._opened
        name = ", ".join(Path(info.file).name for info in opened.infos)
        done = None if opened.is_read else opened.done
        return Status(name, sum(info.packets for info in opened.infos), None, None, done, opened.total)

    def save(self, task: Task, connections: Iterable[Connection], path: str) -> str:
        from dissector.numbers import count

        return f"{count(self._opened.save(task, connections, path), 'packet')} in {path}"

    def recall(self, task: Task, connections: Iterable[Connection]) -> list[Message | Exchange]:
        return self._opened.recall(task, connections)
