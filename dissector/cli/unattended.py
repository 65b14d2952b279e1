"""Options of ``jstrace live`` for a capture that nobody looks at: whom it tells what, and what it keeps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dissector.cli.common import address
from dissector.model import Endpoint

if TYPE_CHECKING:
    from dissector.fleet.company import Companion
    from dissector.fleet.flight import FlightRecorder
    from dissector.fleet.kept_folder import KeptBound
    from dissector.fleet.metrics import CaptureGauges, Metrics
    from dissector.fleet.scrapes import ScrapeServer
    from dissector.monitor import Listener, Monitor
    from dissector.sources.privileges import UserAccount
    from dissector.sources.recent import Recent
    from dissector.sources.ring import CaptureWriter

_F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--metrics", callback=address, metavar="[HOST]:PORT",
        help="Metrics for Prometheus on this port, such as :9464; without HOST on 127.0.0.1 alone.",
    ),
    click.option(
        "--on", metavar="EXPR",
        help="Report each task that ends so or hangs so by --run or --webhook, such as 'outcome=lost'.",
    ),
    click.option(
        "--run", metavar="CMD",
        help="With --on: run this program (no shell): JSON on its standard input, JSTRACE_* in its environment.",
    ),
    click.option("--webhook", metavar="URL", help="With --on: post the JSON record to this URL; retried."),
    click.option(
        "--notify-after", metavar="N/TIME",
        help="With --on: report when N matched within TIME, such as 3/10m, and then once in that time.",
    ),
    click.option(
        "--keep-failed", type=click.Path(), metavar="DIR",
        help="Keep the packets of each task that fails in a file of its own in this folder.",
    ),
    click.option(
        "--keep-failed-max", default="1GB", show_default=True, metavar="SIZE|N",
        help="What the folder of --keep-failed may hold; the oldest files go.",
    ),
)  # fmt: skip


def unattended_options(command: _F) -> _F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class UnattendedOptions:
    """The options, by their names."""

    metrics: Endpoint | None
    on: str | None
    run: str | None
    webhook: str | None
    notify_after: str | None
    keep_failed: str | None
    keep_failed_max: str

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> UnattendedOptions:
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})

    def check(self) -> None:
        """Options that would have no effect are wrong usage, not silence."""
        if self.on is not None and not (self.run or self.webhook):
            raise click.UsageError("--on needs --run CMD or --webhook URL")
        for name, given in (("--run", self.run), ("--webhook", self.webhook), ("--notify-after", self.notify_after)):
            if given is not None and self.on is None:
                raise click.UsageError(f"{name} needs --on EXPR")


class Unattended:
    """What listens besides the one that shows.  Made before root's rights are given up: it opens what only root may.

    :raises CaptureError: a port that can not be opened
    :raises ToolError: a package that is not installed
    :raises UsageError: values that make no sense
    """

    def __init__(self, options: UnattendedOptions, who: UserAccount | None) -> None:
        from dissector.fleet.company import Company
        from dissector.fleet.service import ServiceManager
        from dissector.wire.masking import Mask

        self._options, self._who = options, who
        # What leaves this machine is masked, whatever is shown on it.
        self._mask = Mask()
        self._company = Company
        self._companions: list[Companion] = []
        self._metrics: Metrics | None = None
        self._server: ScrapeServer | None = None
        self._bound: KeptBound | None = None
        self._flight: FlightRecorder | None = None
        self._manager = ServiceManager(os.environ)
        if self._manager.listens:
            self._companions.append(self._manager)
        if options.metrics is not None:
            self._open_metrics(options.metrics)
        if options.on is not None:
            self._companions.append(_alarm(options, options.on))
        if options.keep_failed is not None:
            from dissector.fleet.flight import FlightRecorder
            from dissector.fleet.kept_folder import make_folder, parse_bound

            self._recorder = FlightRecorder
            self._bound = parse_bound(options.keep_failed_max)
            make_folder(options.keep_failed, who)

    def _open_metrics(self, place: Endpoint) -> None:
        from dissector.fleet.metrics import Metrics
        from dissector.fleet.scrapes import ScrapeServer

        self._metrics = Metrics(self._mask)
        self._server = ScrapeServer(place, self._metrics.registry)
        self._companions.append(self._metrics)

    def beside(self, first: Listener, recent: Recent | None) -> Listener:
        """``first`` and all others.  Root's rights are given up: what is written now, is as who it became.

        :raises CaptureError: nothing can be written to the folder of --keep-failed
        """
        if self._bound is not None and recent is not None and self._options.keep_failed is not None:
            self._flight = self._recorder(self._options.keep_failed, self._bound, recent, self._mask, self._who)
            self._companions.append(self._flight)
        return self._company(first, self._companions) if self._companions else first

    def start(self, monitor: Monitor, writer: CaptureWriter | None) -> Iterator[str]:
        """Begins to serve; what the user should hear of it."""
        if self._metrics is not None and self._server is not None:
            self._metrics.gauges = _gauges(monitor, writer, self._flight)
            self._server.start()
            yield f"metrics on {self._server.url}"
        self._manager.ready()


def _alarm(options: UnattendedOptions, expression: str) -> Companion:
    from dissector.fleet.alarm import Alarm
    from dissector.fleet.delivery import Bearer, RunCommand, Webhook
    from dissector.fleet.flood import parse_after
    from dissector.render.filter import parse

    bearers: list[Bearer] = []
    if options.run is not None:
        bearers.append(RunCommand(options.run))
    if options.webhook is not None:
        bearers.append(Webhook(options.webhook))
    after = parse_after(options.notify_after) if options.notify_after is not None else None
    return Alarm(parse((expression,)), bearers, after)


def _gauges(monitor: Monitor, writer: CaptureWriter | None, flight: FlightRecorder | None) -> CaptureGauges:
    from dissector.fleet.metrics import CaptureGauges

    info = monitor.source.info
    ring = writer.size if writer is not None else None
    kept = flight.counts if flight is not None else None
    return CaptureGauges(lambda: info.packets, lambda: monitor.dropped, ring, kept)
