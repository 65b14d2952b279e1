"""``jstrace read``: captures from files."""

from __future__ import annotations

import atexit
import gc
import sys
from contextlib import closing
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import click

from dissector import limits
from dissector.cli.common import INTERRUPTED, PROBLEMS, color_option, exit_codes, filter_option, say, utc_option
from dissector.cli.help import FilterCommand
from dissector.cli.masks import mask_options
from dissector.cli.points import all_files, point_options
from dissector.cli.read_options import FORMS, ReadOptions
from dissector.cli.tls import secrets, tls_options
from dissector.cli.tracing import port_hints, processors
from dissector.garbage import IN_FILES, look_seldom

if TYPE_CHECKING:
    from dissector.cli.parallel import SecondProcess
    from dissector.model import CaptureInfo, Problem
    from dissector.render.views import Output
    from dissector.survey import Site


def _collector(_context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    if url is not None and not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} is no URL such as http://localhost:4318")
    return url


#: What bounds the memory that a capture can take, by the names in ``limits.py``.
_LIMITS = f"""\b
Limits (memory depends on what is open at the moment, not on the file):
  MAX_CONNECTIONS      {limits.MAX_CONNECTIONS:>9,}  connections followed at once
  MAX_HALF_OPEN        {limits.MAX_HALF_OPEN:>9,}  more that have not said anything, for {limits.HALF_OPEN_SECONDS} s
  IDLE_SECONDS         {limits.IDLE_SECONDS:>9,}  without a packet end one that belongs to no task
  MAX_FRAGMENTED       {limits.MAX_FRAGMENTED:>9,}  IP datagrams wait for fragments, for {limits.FRAGMENT_SECONDS} s
  MAX_LAYERS           {limits.MAX_LAYERS:>9,}  tags and tunnels in one packet are looked through
  MAX_RATIO            {limits.MAX_RATIO:>9,}  times its size is what a compressed file may unpack to
  MAX_INTERFACES       {limits.MAX_INTERFACES:>9,}  different interfaces of a pcapng section are known
  MAX_REORDER_BYTES    {limits.MAX_REORDER_BYTES >> 20:>5} MiB  wait behind a hole in a stream
  MAX_DECODED_MESSAGE  {limits.MAX_DECODED_MESSAGE >> 20:>5} MiB  is the longest message that is decoded
  MAX_DOCUMENT         {limits.MAX_DOCUMENT >> 20:>5} MiB  is the longest XML document that is read
  MAX_HTTP_HEAD        {limits.MAX_HTTP_HEAD >> 10:>5} KiB  is the longest head or chunk line of HTTP
  MAX_INFLATION        {limits.MAX_INFLATION:>9,}  times its size, or 64 KiB, a body over HTTP may unpack to
  MAX_JSON             {limits.MAX_JSON >> 20:>5} MiB  is the longest JSON, nested up to {limits.MAX_JSON_DEPTH} times
  MAX_LOG_LINES        {limits.MAX_LOG_LINES:>9,}  lines of a task's log are kept
  MAX_LOG_BYTES        {limits.MAX_LOG_BYTES >> 20:>5} MiB  of them
  MAX_PROBLEMS         {limits.MAX_PROBLEMS:>9,}  problems of a task or connection are kept
  MAX_UNREACHABLE      {limits.MAX_UNREACHABLE:>9,}  unanswered starts become tasks
  MAX_OPEN_TASKS       {limits.MAX_OPEN_TASKS:>9,}  tasks are under way at once; of more the idlest is given up
  MAX_ATTEMPTS         {limits.MAX_ATTEMPTS:>9,}  calls to the port of one start are shown one by one
  MAX_WAITING          {limits.MAX_WAITING:>9,}  tasks of one place of capture wait for what another one has of them
  MAX_WAITING_BYTES    {limits.MAX_WAITING_BYTES >> 20:>5} MiB  of memory for their messages
  MAX_PENDING_COMMANDS {limits.MAX_PENDING_COMMANDS:>9,}  commands of a connection wait for their answers
  MAX_TLS_SECRETS      {limits.MAX_TLS_SECRETS:>9,}  connections of which secrets for TLS are known
  MAX_TLS_HELD         {limits.MAX_TLS_HELD >> 20:>5} MiB  of a connection wait for their secrets
  MAX_TLS_LOOKS        {limits.MAX_TLS_LOOKS:>9,}  connections with TLS to other ports are looked into without them
"""


@click.command(cls=FilterCommand, epilog=_LIMITS)
@click.argument("files", nargs=-1, metavar="FILE...", type=click.Path(allow_dash=True))
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
@click.option("--http", is_flag=True, help="Ladders with a line for every exchange over HTTP.")
@click.option("--summary", is_flag=True, help="Many tasks on one page; more than 50 begin with most of it anyway.")
@click.option(
    "--group-by",
    type=click.Choice(["job", "remote", "client", "cause", "outcome"]),
    help="What the summary has a line for.  [default: job]",
)
@click.option(
    "--sort",
    type=click.Choice(["failed", "count", "median", "p95", "max"]),
    help="What the lines of the summary begin with the most of.  [default: failed]",
)
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="Lines of the summary.")
@click.option("--full", is_flag=True, help="Long texts whole, and every problem of many alike.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="table",
    show_default=True,
    help="table: for people. json, jsonl: records for programs, as one object or one a line while reading. csv: a row "
    "for each task. markdown: for tickets; with --task or -v also charts and logs. mermaid, mscgen, plantuml: a "
    "sequence chart of one task. perfetto: a trace for ui.perfetto.dev. otlp: traces of OpenTelemetry (JSON).",
)
@click.option(
    "--otlp-endpoint",
    metavar="URL",
    callback=_collector,
    help="Send the traces of --format otlp to this collector (http://localhost:4318); print a traceparent a task.",
)
@click.option("--messages", is_flag=True, help="Messages too (json and jsonl).")
@filter_option
@port_hints
@tls_options
@point_options
@utc_option
@click.option("--show-secrets", is_flag=True, help="Do not mask passwords and the like.")
@mask_options
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    help="Exit with 1 when a problem of this severity or worse is shown.",
)
@color_option()
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=lambda: min(processors(), 2),
    show_default="2 where there are as many processors",
    metavar="N",
    help="Processes to use; the second one reads and sorts packets or makes half of the messages, more are of no use. "
    "The result is the same.",
)
@click.option(
    "--no-progress", is_flag=True, help="No progress bar (where standard error is no terminal, there is none anyway)."
)
def read(files: tuple[str, ...], **options: Any) -> None:
    """Read captures and show the remote tasks in them.

    Takes pcap and pcapng files, also compressed; - is standard input. Several files are read as one stream, unless they
    were captured at several places on one path: then each task is shown once, with what only both sides prove.

    Without --task, -v, --log, --bytes or another --format: a table of all tasks, then the problems found.

    Exit status: 0 read, 1 see --fail-on, 2 wrong usage or unreadable input.
    """
    wanted = ReadOptions(**options)
    wanted.check()
    files = all_files(files, wanted.names)
    with exit_codes():
        if wanted.filters:  # a wrong one is told before a large capture is read
            from dissector.render.filter import parse

            parse(wanted.filters)
        sites = wanted.sites(files)
        if sites:
            _read_beside(files, sites, wanted)
            return
        if not wanted.shares(files):
            _read(files, wanted)
            return
        from dissector.cli.parallel import SecondProcess

        with SecondProcess() as second:
            _read(files, wanted, second)


def _read(files: tuple[str, ...], wanted: ReadOptions, second: SecondProcess | None = None) -> None:
    from dissector.render.progress import Progress
    from dissector.session.run_detection import runs_finder
    from dissector.sources.capture import CaptureReader

    _look_for_garbage_seldom()
    interrupted = False
    with Progress(enabled=not (wanted.no_progress or (second is not None and second.is_second))) as progress:
        known = secrets()
        reader = CaptureReader(files, progress, known.add_captured)
        with closing(reader.blocks(runs_finder(known), prefetch=wanted.jobs > 1 and second is None)) as blocks:
            # Another process may begin to read while this one imports the rest.
            first = list(islice(blocks, 1))

            from dissector.render.filter import parse
            from dissector.render.views import Output
            from dissector.session.advance import feed
            from dissector.session.sweeping import swept
            from dissector.session.tracer import Tracer

            output = Output(wanted.view(second), wanted.tasks, parse(wanted.filters))
            tracer = Tracer(
                wanted.command_ports,
                wanted.callback_ports,
                messages=output.needs_messages,
                made_by_others=None if second is None else second.made_by_others,
                secrets=known,
            )
            try:
                for block in swept(chain(first, blocks), tracer.under_way):
                    for events in feed(tracer, block):
                        if events:
                            output.add(events)
            except KeyboardInterrupt:
                interrupted = True
                if second is not None:
                    second.part()
    output.add(tracer.finish())
    output.add(tracer.overview.problems())
    if second is not None and second.is_second:
        output.add(reader.warnings)
        output.close(reader.infos)
        return
    _end(output, reader.warnings, reader.infos, wanted, interrupted=interrupted)


def _read_beside(files: tuple[str, ...], sites: list[Site], wanted: ReadOptions) -> None:
    """Captures of several places."""
    from dissector.beside import Beside
    from dissector.render.filter import parse
    from dissector.render.progress import Progress
    from dissector.render.views import Output

    _look_for_garbage_seldom()
    interrupted = False
    output = Output(wanted.view(None), wanted.tasks, parse(wanted.filters))
    with Progress(enabled=not wanted.no_progress) as progress:
        reader = Beside(
            files,
            sites,
            wanted.command_ports,
            wanted.callback_ports,
            messages=output.needs_messages,
            prefetch=wanted.jobs > 1,
            progress=progress,
            secrets=secrets(),
        )
        try:
            output.add(reader.events())
        except KeyboardInterrupt:
            interrupted = True
            output.add(reader.finish())
    _end(output, reader.warnings, reader.infos, wanted, interrupted=interrupted)


def _look_for_garbage_seldom() -> None:
    look_seldom(IN_FILES)
    atexit.register(gc.freeze)  # Python looks once more when it ends


def _end(
    output: Output, warnings: list[Problem], infos: list[CaptureInfo], wanted: ReadOptions, *, interrupted: bool
) -> None:
    """What is said when all was read, and the exit status."""
    from dissector.model import Severity
    from dissector.render.views import refuse_missing

    output.add([*warnings, *wanted.remarks])
    output.close(infos)
    for warning in warnings:
        say(f"warning: {warning.summary}")
    if interrupted:
        sys.exit(INTERRUPTED)
    refuse_missing(wanted.tasks, output.seen)
    if wanted.fail_on and output.has_problem(Severity(wanted.fail_on)):
        sys.exit(PROBLEMS)
