"""The command ``jstrace``: options, wiring and exit codes, a module a command; heavy imports where they are needed."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from dissector import __version__
from dissector.cli import streams
from dissector.cli.common import exit_codes
from dissector.cli.completion import completion
from dissector.cli.diff import diff
from dissector.cli.ending import ended_by_signals
from dissector.cli.explain import explain
from dissector.cli.help import help_
from dissector.cli.index import index
from dissector.cli.live import live
from dissector.cli.lua import lua
from dissector.cli.ports import ports
from dissector.cli.probe import probe
from dissector.cli.query import query
from dissector.cli.read import read
from dissector.cli.redact import redact
from dissector.cli.report import report
from dissector.cli.schema import schema
from dissector.cli.simulate import simulate
from dissector.cli.slice import slice_
from dissector.cli.start import start
from dissector.cli.verify import verify
from dissector.cli.view import view
from dissector.ports import CAPTURE_FILTER

_EXAMPLES = f"""\b
Examples:
  jstrace client.pcap                                 the capture on the full screen
  jstrace read client.pcap                            all tasks, and what went wrong
  jstrace read client.pcap --task 3                   who said what in task 3
  jstrace read client.pcap --task 3 --log             what its job wrote
  jstrace read *.pcap --filter 'outcome!=success'     only the tasks that need a look
  jstrace read client.pcap --format jsonl --messages  everything, for programs
  jstrace report client.pcap -o report.html           one page for a ticket: what failed, and why
  jstrace explain Z-REMOTE-118                        what a code means
  jstrace help filter                                 what --filter knows
  jstrace ports client.pcap                           callback ports, and the firewall's range for them
  jstrace probe HOST:4444                             is the path to a remote open, and the return path?
  jstrace diff good.pcap bad.pcap                     where a bad run parts from a good one
  jstrace redact client.pcap support.pcap             a copy without addresses and secrets
  tcpdump -U -w - {CAPTURE_FILTER} | jstrace read -
"""


class _Jstrace(click.Group):
    """Also what click itself prints may meet a closed stream or a full disk."""

    def main(self, *args: Any, **extra: Any) -> Any:
        streams.prepare()
        with ended_by_signals(), exit_codes():
            try:
                return super().main(*args, **extra)
            finally:
                sys.stdout.flush()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """``jstrace FILE...`` is ``jstrace view FILE...``"""
        if args and self.get_command(ctx, args[0]) is None and os.path.isfile(args[0]):  # noqa: PTH113  pathlib takes time to load
            return view.name, view, args
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Jstrace,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EXAMPLES,
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="jstrace")
@click.pass_context
def main(context: click.Context) -> None:
    """Trace the remote tasks of SOS JobScheduler 1.x in packet captures: which task ran where, what its job and the
    scheduler said to each other, what went wrong and why."""
    if context.invoked_subcommand is None:
        start(context)


_COMMANDS = (
    read, view, live, report, index, query, simulate, probe, explain, ports, diff, slice_, redact, lua, verify,
    schema, completion, help_,
)  # fmt: skip
for _command in _COMMANDS:
    main.add_command(_command)
