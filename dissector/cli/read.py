"""``jstrace read``: captures from files."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dissector.cli.common import INTERRUPTED, PROBLEMS, exit_codes, port_range, say

if TYPE_CHECKING:
    from dissector.render.views import View


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@click.option(
    "--task",
    "tasks",
    multiple=True,
    type=click.IntRange(1),
    metavar="N",
    help="The ladder of task N: who said what. Repeatable.",
)
@click.option("-v", "--verbose", is_flag=True, help="Ladders with a line for every message, nothing folded.")
@click.option("--log", is_flag=True, help="Only what the jobs wrote to their logs.")
@click.option(
    "--bytes", "fields", is_flag=True, help="Ladders with the fields of each message below it: offset, name, value."
)
@click.option("--full", is_flag=True, help="Long texts whole, and every problem of many alike.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "jsonl"]),
    default="table",
    show_default=True,
    help="For people; or records for programs, as one JSON object or one a line while reading.",
)
@click.option("--messages", is_flag=True, help="Messages too (json and jsonl).")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="EXPR",
    help="Only what matches all conditions, such as "
    "'job=nightly outcome!=success latency>0.5 text~\"in * out\"'. Repeatable.",
)
@click.option(
    "--command-port",
    "command_ports",
    multiple=True,
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    default=(4444, 4455),
    show_default=True,
    help="Ports of remote schedulers, where the bytes do not tell. Repeatable.",
)
@click.option(
    "--callback-ports",
    callback=port_range,
    default="50000-59999",
    show_default=True,
    metavar="LOW-HIGH",
    help="Ports that clients open for their task processes, where the bytes do not tell.",
)
@click.option("--show-secrets", is_flag=True, help="Do not mask passwords and the like.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    help="Exit with 1 when a problem of this severity or worse is shown.",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="auto: on a terminal, unless NO_COLOR is set.",
)
@click.option(
    "--no-progress", is_flag=True, help="No progress bar (where standard error is no terminal, there is none anyway)."
)
def read(files: tuple[str, ...], **options: Any) -> None:
    """Read captures and show the remote tasks in them.

    Takes pcap and pcapng files, also compressed; - is standard input. Several files are read as one.

    Without --task, -v, --log, --bytes or another --format: a table of all tasks, then the problems found.

    Exit status: 0 read, 1 see --fail-on, 2 wrong usage or unreadable input.
    """
    wanted = _Wanted(**options)
    wanted.check()
    with exit_codes():
        _read(files, wanted)


@dataclass(frozen=True)
class _Wanted:
    """The options of ``read``, by their names."""

    tasks: tuple[int, ...]
    verbose: bool
    log: bool
    fields: bool
    full: bool
    form: str
    messages: bool
    filters: tuple[str, ...]
    command_ports: tuple[int, ...]
    callback_ports: tuple[int, int]
    show_secrets: bool
    fail_on: str | None
    color: str
    no_progress: bool

    def check(self) -> None:
        """Options that would have no effect are wrong usage, not silence."""
        if self.form == "table":
            if self.messages:
                raise click.UsageError("--messages needs --format json or jsonl; for people there is -v")
            return
        for name, given in (("-v", self.verbose), ("--log", self.log), ("--bytes", self.fields), ("--full", self.full)):
            if given:
                raise click.UsageError(f"{name} is for people and has no effect on --format {self.form}")

    def view(self) -> View:
        from dissector.wire.masking import Mask

        mask = Mask(not self.show_secrets)
        if self.form != "table":
            from dissector.render.json import JsonLinesView, JsonView
            from dissector.render.records import Records

            return (JsonView if self.form == "json" else JsonLinesView)(sys.stdout, Records(mask), self.messages)
        from dissector.render.terminal import Terminal

        terminal = Terminal(sys.stdout, self.color)
        if self.log:
            from dissector.render.log import LogView

            return LogView(terminal, mask)
        if self.tasks or self.verbose or self.fields:
            from dissector.render.ladder import LadderView

            return LadderView(terminal, mask, verbose=self.verbose, full=self.full, fields=self.fields)
        from dissector.render.table import TableView

        return TableView(terminal, mask, full=self.full)


def _read(files: tuple[str, ...], wanted: _Wanted) -> None:
    from dissector.model import Severity
    from dissector.render.filter import parse
    from dissector.render.progress import Progress
    from dissector.render.views import Output
    from dissector.session.tracer import Tracer
    from dissector.sources.capture import CaptureReader

    # What packets leave behind is seldom garbage: looking for it after every 700 objects costs a tenth of the time.
    gc.set_threshold(50_000, 20, 50)
    output = Output(wanted.view(), wanted.tasks, parse(wanted.filters))
    tracer = Tracer(wanted.command_ports, wanted.callback_ports, messages=output.needs_messages)
    interrupted = False
    with Progress(enabled=not wanted.no_progress) as progress:
        reader = CaptureReader(files, progress)
        try:
            for packet in reader.relevant(tracer.watch):
                if found := tracer.feed(packet):
                    output.add(found)
        except KeyboardInterrupt:
            interrupted = True
    output.add(tracer.finish())
    output.add(reader.warnings)
    output.close(reader.infos)
    for warning in reader.warnings:
        say(f"warning: {warning.summary}")
    for number in sorted(set(wanted.tasks) - output.tasks):
        say(f"warning: there is no task {number} to show")
    if interrupted:
        sys.exit(INTERRUPTED)
    if wanted.fail_on and output.has_problem(Severity(wanted.fail_on)):
        sys.exit(PROBLEMS)
