"""``jstrace live``: tasks as they run."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dissector.cli import streams
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
from dissector.cli.masks import mask_options
from dissector.cli.tls import secrets, tls_options
from dissector.cli.tracing import vxlan_option
from dissector.ports import CALLBACKS_TEXT, COMMAND_PORTS

if TYPE_CHECKING:
    from dissector.model import CaptureInfo, Connection, Event, Exchange, Message, Task
    from dissector.monitor import Ends, Listener, Monitor
    from dissector.render.filter import Filter
    from dissector.sources.live import Recorder
    from dissector.sources.privileges import UserAccount
    from dissector.sources.recent import Recent
    from dissector.sources.ring import CaptureWriter
    from dissector.view.screen import Screen
    from dissector.view.store import Status

_STANDARD_INPUT = "-"
#: Seconds that the screen may take to end.
_SCREEN_END = 3.0
#: Bytes of packets that the full screen can still save.
_RECENT = 64_000_000


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
@click.option("--ring", metavar="NxSIZE", help="With -w: a ring of N files, such as 10x100MB; the oldest ones go.")
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

    wanted = _Wanted(sources, **options)
    wanted.check()
    with exit_codes():
        check(wanted.from_stream)
        _live(wanted) if sources else _interfaces()


@dataclass(frozen=True)
class _Wanted:
    """The options, by their names."""

    sources: tuple[str, ...]
    plain: bool
    form: str
    messages: bool
    log: bool
    filters: tuple[str, ...]
    command_ports: tuple[int, ...]
    callback_ports: tuple[int, int]
    narrow: str | None
    path: str | None
    overwrite: bool
    ring: str | None
    duration: float | None
    count: int | None
    until: str | None
    slow: float
    keep: int
    user: str | None
    show_secrets: bool
    color: str

    @property
    def from_stream(self) -> bool:
        return self.sources == (_STANDARD_INPUT,)

    @property
    def to_stdout(self) -> bool:
        """Standard output is the capture: words go to standard error."""
        from dissector.outfile import is_stdout

        return self.path is not None and is_stdout(self.path)

    def check(self) -> None:
        """Options that would have no effect are wrong usage, not silence."""
        if _STANDARD_INPUT in self.sources and not self.from_stream:
            raise click.UsageError("standard input can not be followed together with interfaces")
        if self.from_stream and self.narrow:
            raise click.UsageError("--filter-bpf has no effect on a stream: give the filter to who captures")
        if self.messages and self.form != "jsonl":
            raise click.UsageError("--messages needs --format jsonl; for people there is --log, and the full screen")
        if self.ring and not self.path:
            raise click.UsageError("--ring needs -w FILE")
        if self.to_stdout and (self.ring or self.form == "jsonl"):
            raise click.UsageError(f"-w {self.path} leaves no standard output for {'--ring' if self.ring else 'jsonl'}")
        if self.form == "jsonl" and self.log:
            raise click.UsageError("--log has no effect on --format jsonl: tasks have their logs")

    def ends(self) -> Ends:
        from dissector.monitor import Ends
        from dissector.render.filter import parse

        chosen = parse((self.until,)) if self.until else None
        until = _until(chosen) if chosen is not None else None
        return Ends(self.duration, self.count, until, chosen is not None and bool(chosen.on_messages))


def _until(chosen: Filter) -> Callable[[Event], bool]:
    """True for a task that ended so, or for a message that matches in a task that does so far."""
    from dissector.model import Message, Task

    def matches(event: Event) -> bool:
        if isinstance(event, Message) and chosen.on_messages:
            return chosen.message(event) and (event.task is None or chosen.task(event.task))
        return isinstance(event, Task) and not chosen.on_messages and chosen.task(event)

    return matches


def _interfaces() -> None:
    from dissector.sources.interfaces import ANY, interfaces

    found = interfaces()
    width = max(len(one.name) for one in found) if found else 0
    for one in found:
        print(f"{one.name:<{width}}  {'up' if one.is_up else 'down':<4}  {', '.join(one.addresses)}".rstrip())
    print(f"{ANY:<{width}}        all of them")


def _live(wanted: _Wanted) -> None:
    from dissector.monitor import WINDOW, Monitor
    from dissector.outfile import check_output
    from dissector.session.tracer import Tracer
    from dissector.sources.live import open_source
    from dissector.sources.privileges import account, become, explained
    from dissector.sources.ring import CaptureWriter, parse_ring

    ring = parse_ring(wanted.ring) if wanted.ring else None
    ends = wanted.ends()
    who = account(wanted.user)
    if wanted.path and ring is None:
        check_output(wanted.path, wanted.sources if wanted.from_stream else ())
    output, known = _Output(wanted), secrets(follow=True)
    # What only root may open is opened now; the files of a ring come later, so the first one shows whether they can.
    writer = CaptureWriter(wanted.path, overwrite=wanted.overwrite) if wanted.path and ring is None else None
    source = open_source(wanted.sources, wanted.command_ports, wanted.callback_ports, wanted.narrow, known.add_captured)
    if who is not None:
        if writer is not None:
            writer.give_to(who.user, who.group)
        _preload()
        output.preload()
    become(who)
    output.who = who
    if wanted.path and ring is not None:
        with explained(who):
            writer = CaptureWriter(wanted.path, ring)
    source.recorder = output.recorder(writer)
    messages = output.listener.wants_messages or ends.on_messages
    tracer = Tracer(wanted.command_ports, wanted.callback_ports, WINDOW, messages, secrets=known)
    slow = int(wanted.slow * 1e9)
    monitor = Monitor(source, tracer, output.listener, slow=slow, recorder=writer, ends=ends)
    # What is there now stays: the garbage collector need not look at it again while packets wait.
    gc.collect()
    gc.freeze()
    with stopped_by_signals(monitor):
        if not output.fills_screen and not wanted.from_stream:
            say(f"capturing on {source.info.file}" + (f", as {who.name}" if who is not None else ""))
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


class _Output:
    """Where it goes to: the full screen, lines, or records.  Made before root's rights are given up: what it imports
    may be where only root can read."""

    def __init__(self, wanted: _Wanted) -> None:
        from dissector.render.filter import parse
        from dissector.wire.masking import Mask

        mask = Mask(not wanted.show_secrets)
        chosen = parse(wanted.filters)
        self._screen: Screen | None = None
        self._recent: Recent | None = None
        #: Whom root became.
        self.who: UserAccount | None = None
        self.listener: Listener
        if wanted.form == "jsonl":
            from dissector.render.json import JsonLinesView
            from dissector.render.live.jsonl import JsonLines
            from dissector.render.records import Records

            self.listener = JsonLines(JsonLinesView(sys.stdout, Records(mask), wanted.messages), chosen, say)
        elif wanted.plain or not streams.can_fill(wanted.from_stream):
            from dissector.render.live.plain import PlainView
            from dissector.render.terminal import Terminal

            out = sys.stderr if wanted.to_stdout else sys.stdout
            self.listener = PlainView(Terminal(out, wanted.color), mask, chosen, log=wanted.log)
        else:
            from dissector.sources.recent import Recent
            from dissector.view.screen import Screen

            if wanted.from_stream:
                streams.take_keyboard()
            self._recent = Recent(_RECENT, overwrite=wanted.overwrite)
            from dissector.share.texts import without_secrets

            self._screen = Screen(mask, chosen, keep=wanted.keep, color=wanted.color, clean=without_secrets)
            self.listener = self._screen.store

    @property
    def fills_screen(self) -> bool:
        return self._screen is not None

    def preload(self) -> None:
        if self._screen is not None:
            self._screen.rehearse()

    def recorder(self, writer: CaptureWriter | None) -> Recorder | None:
        """What gets every packet: the file, and on a full screen the packets that it can still save."""
        if self._recent is None:
            return writer
        self._recent.following = writer
        return self._recent

    def follow(self, monitor: Monitor) -> None:
        """Until the end of the capture, or of the screen."""
        if self._screen is None or self._recent is None:
            monitor.run()
            return
        left = threading.Event()

        def capture() -> None:
            monitor.run()
            if not left.wait(_SCREEN_END):  # the terminal is closed or stuck: the screen will never end by itself
                os._exit(BAD_INPUT if monitor.error is not None else 0)

        thread = threading.Thread(target=capture, name="capture")
        thread.start()
        try:
            self._screen.run(_Control(monitor, self._recent, self.who))
        finally:
            left.set()
            monitor.stop()
            thread.join()
        for line in self._screen.summary([monitor.source.info]):
            print(line)


class _Control:
    """What the screen may ask of the capture (``view.control.Control``)."""

    is_growing = True

    def __init__(self, monitor: Monitor, recent: Recent, who: UserAccount | None) -> None:
        self._who = who
        self._monitor = monitor
        self._recent = recent
        self.lock = monitor.lock

    @property
    def over(self) -> bool:
        return self._monitor.over

    @property
    def infos(self) -> list[CaptureInfo]:
        return [self._monitor.source.info]

    def status(self) -> Status:
        from dissector.view.store import Status

        monitor = self._monitor
        return Status(monitor.source.info.file, monitor.source.info.packets, monitor.dropped, monitor.seconds)

    def save(self, _task: Task, connections: Iterable[Connection], path: str) -> str:
        from dissector.numbers import count
        from dissector.sources.privileges import explained

        with self.lock, explained(self._who):
            packets, whole = self._recent.save(path, connections)
        lost = "" if whole else "; earlier ones are no longer in memory"
        return f"{count(packets, 'packet')} in {path}{lost}"

    def recall(self, task: Task, connections: Iterable[Connection]) -> list[Message | Exchange] | None:  # noqa: ARG002  a control's shape
        """What is over is over."""
        return None
