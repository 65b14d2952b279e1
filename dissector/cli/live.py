"""``jstrace live``: tasks as they run."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

import click

from dissector.cli.common import (
    BAD_INPUT,
    BROKEN_PIPE,
    PROBLEMS,
    exit_codes,
    filter_option,
    port_range,
    say,
    seconds,
    utc_option,
)
from dissector.cli.ending import stopped_by_signals
from dissector.cli.live_options import LiveOptions
from dissector.cli.live_output import LiveOutput
from dissector.cli.masks import mask_options
from dissector.cli.tls import secrets, tls_options
from dissector.cli.tracing import vxlan_option
from dissector.cli.unattended import Unattended, UnattendedOptions, unattended_options
from dissector.garbage import IN_LIVE, look_seldom
from dissector.ports import CALLBACKS_TEXT, COMMAND_PORTS

if TYPE_CHECKING:
    pass


def _complete(_context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
    from dissector.sources.interfaces import ANY, interfaces

    return [name for name in (*(one.name for one in interfaces()), ANY) if name.startswith(text)]


@click.command()
@click.argument("sources", nargs=-1, metavar="[IFACE...|-]", shell_complete=_complete)
@click.option("--plain", is_flag=True, help="A line for each event instead of the full screen.")
@click.option(
    "--format", "form", type=click.Choice(["text", "jsonl"]), default="text", show_default=True,
    help="jsonl: records for programs, one a line, as they become final.",
)  # fmt: skip
@click.option("--messages", is_flag=True, help="Messages too (jsonl).")
@click.option("--log", is_flag=True, help="What the jobs write to their logs too (--plain).")
@filter_option
@click.option(
    "--command-port", "command_ports", multiple=True, type=click.IntRange(1, 65_535), metavar="PORT",
    default=COMMAND_PORTS, show_default=True, help="Ports of remote schedulers. Repeatable.",
)  # fmt: skip
@click.option(
    "--callback-ports", callback=port_range, default=CALLBACKS_TEXT, show_default=True, metavar="LOW-HIGH",
    help="Ports that clients open for their task processes.",
)  # fmt: skip
@click.option(
    "--filter-bpf", "narrow", metavar="EXPR",
    help="Capture less, such as 'host 10.0.0.7' (as in tcpdump; of tunnels it sees the outermost addresses).",
)  # fmt: skip
@click.option(
    "-w", "path", type=click.Path(), metavar="FILE", help="Write what is captured meanwhile; - is standard output."
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist already.")
@click.option(
    "--ring",
    metavar="NxSIZE",
    help="With -w: a ring of N files, such as 10x100MB, 48x1h or 10x100MB/1h; the oldest ones go.",
)
@click.option("--for", "duration", callback=seconds, metavar="TIME", help="Stop after this time, such as 60s or 10min.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="Stop after N tasks have ended.")
@click.option("--until", metavar="EXPR", help="Stop when a task or message matches, such as 'outcome=lost'.")
@click.option(
    "--slow", callback=seconds, default="10s", show_default=True, metavar="TIME",
    help="Warn of a call without an answer for so long.",
)  # fmt: skip
@click.option(
    "--keep", type=click.IntRange(1), default=1_000, show_default=True, metavar="N",
    help="Ended tasks that the full screen keeps.",
)  # fmt: skip
@click.option(
    "--user",
    metavar="NAME",
    help="User that root switches to once it captures (else who called sudo, or nobody); root: none.",
)
@unattended_options
@vxlan_option
@tls_options
@utc_option
@click.option("--show-secrets", is_flag=True, help="Do not mask passwords and the like.")
@mask_options
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
def live(sources: tuple[str, ...], **options: Any) -> None:
    """Follow remote tasks as they run.

    Captures on the interfaces IFACE (any: all of them), or takes a capture stream from standard input (-). Without
    either, lists the interfaces. On a terminal it fills the screen, else it prints a line for each event.

    \b
    jstrace live eth0                                    the full screen; ? shows its keys
    jstrace live any --until outcome=lost -w lost.pcapng wait for it, unattended
    dumpcap -q -i eth0 -P -w - | jstrace live -          without privileges of its own

    Files are pcapng unless their name ends in .pcap; .gz and .zst behind it compress them. Only their owner may read
    them, and what exists already is not touched (--overwrite).

    Capturing needs root or the capability CAP_NET_RAW. Root privileges are dropped once the interface is open.

    Exit status: 0 ended as requested or by Ctrl-C, 1 ended before what --until waits for, 2 wrong usage, or the capture
    or its recording failed.
    """
    from dissector.sources.support import check

    others = UnattendedOptions.taken_from(options)
    wanted = LiveOptions(sources, others, **options)
    wanted.check()
    with exit_codes():
        check(wanted.from_stream)
        _live(wanted) if sources else _interfaces()


def _interfaces() -> None:
    from dissector.sources.interfaces import ANY, interfaces

    found = interfaces()
    width = max(len(one.name) for one in found) if found else 0
    for one in found:
        print(f"{one.name:<{width}}  {'up' if one.is_up else 'down':<4}  {', '.join(one.addresses)}".rstrip())
    print(f"{ANY:<{width}}        all of them")


def _live(wanted: LiveOptions) -> None:
    from dissector.monitor import WINDOW, Monitor
    from dissector.outfile import check_output
    from dissector.session.run_detection import runs_finder
    from dissector.session.tracer import Tracer
    from dissector.sources.live import open_source
    from dissector.sources.privileges import account, become, explained
    from dissector.sources.ring import CaptureWriter, parse_ring

    ring = parse_ring(wanted.ring) if wanted.ring else None
    ends = wanted.ends()
    who = account(wanted.user)
    if wanted.path and ring is None:
        check_output(wanted.path, wanted.sources if wanted.from_stream else ())
    output, known = LiveOutput(wanted), secrets(follow=True)
    others = Unattended(wanted.others, who)
    # What only root may open is opened now; the files of a ring come later, so the first one shows whether they can.
    writer = CaptureWriter(wanted.path, overwrite=wanted.overwrite) if wanted.path and ring is None else None
    ports = wanted.command_ports, wanted.callback_ports
    source = open_source(wanted.sources, *ports, wanted.narrow, known.add_captured, runs_finder(known))
    if who is not None:
        if writer is not None:
            writer.give_to(who.user, who.group)
        _preload()
        output.preload()
    become(who)
    output.who = who
    listener = others.beside(output.listener, output.recent)
    if wanted.path and ring is not None:
        with explained(who):
            writer = CaptureWriter(wanted.path, ring)
    source.recorder = output.recorder(writer)
    messages = listener.wants_messages or ends.on_messages
    tracer = Tracer(*ports, WINDOW, messages, secrets=known)
    slow = int(wanted.slow * 1e9)
    monitor = Monitor(source, tracer, listener, slow=slow, recorder=writer, ends=ends)
    # What is there now stays: the garbage collector need not look at it again while packets wait.
    gc.collect()
    gc.freeze()
    look_seldom(IN_LIVE)
    source.begin()
    with stopped_by_signals(monitor):
        if not output.fills_screen and not wanted.from_stream:
            say(f"capturing on {source.info.file}" + (f", as {who.name}" if who is not None else ""))
        for line in others.start(monitor, writer):
            if not output.fills_screen:
                say(line)
        output.follow(monitor)
    if writer is not None and output.fills_screen:
        print(f"packets written to {', '.join(map(str, writer.files))}")
    if monitor.error is not None:
        raise monitor.error
    if writer is not None and writer.failure is not None:
        sys.exit(BROKEN_PIPE if writer.reader_gone else BAD_INPUT)
    if ends.until is not None and not monitor.happened:
        sys.exit(PROBLEMS)


def _preload() -> None:
    """What Python loads when it is first needed may be where only root can read."""
    from dissector.wire import control, names

    names.preload()
    control.parse_command(b"<x/>")
