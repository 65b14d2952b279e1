"""Options of ``jstrace live`` for a capture that nobody looks at: whom it tells what, and what it keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dissector.cli.common import address
from dissector.model import Endpoint

if TYPE_CHECKING:
    from dissector.fleet.company import Companion
    from dissector.fleet.metrics import CaptureGauges, Metrics
    from dissector.fleet.scrapes import ScrapeServer
    from dissector.monitor import Listener, Monitor
    from dissector.sources.ring import CaptureWriter
    from dissector.wire.masking import Mask

_F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--metrics", callback=address, metavar="[HOST]:PORT",
        help="Metrics for Prometheus on this port, such as :9464; without HOST on 127.0.0.1 alone.",
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

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> UnattendedOptions:
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})


class Unattended:
    """What listens besides the one that shows.  Made before root's rights are given up: it opens what only root may.

    :raises CaptureError: a port that can not be opened
    :raises ToolError: a package that is not installed
    """

    def __init__(self, options: UnattendedOptions, mask: Mask) -> None:
        self._companions: list[Companion] = []
        self._metrics: Metrics | None = None
        self._server: ScrapeServer | None = None
        if options.metrics is not None:
            from dissector.fleet.metrics import Metrics
            from dissector.fleet.scrapes import ScrapeServer

            self._metrics = Metrics(mask)
            self._server = ScrapeServer(options.metrics, self._metrics.registry)
            self._companions.append(self._metrics)

    def beside(self, first: Listener) -> Listener:
        if not self._companions:
            return first
        from dissector.fleet.company import Company

        return Company(first, self._companions)

    def start(self, monitor: Monitor, writer: CaptureWriter | None) -> Iterator[str]:
        """Begins to serve; what the user should hear of it."""
        if self._metrics is not None and self._server is not None:
            self._metrics.gauges = _gauges(monitor, writer)
            self._server.start()
            yield f"metrics on {self._server.url}"


def _gauges(monitor: Monitor, writer: CaptureWriter | None) -> CaptureGauges:
    from dissector.fleet.metrics import CaptureGauges

    info = monitor.source.info
    ring = writer.size if writer is not None else None
    return CaptureGauges(lambda: info.packets, lambda: monitor.dropped, ring, monitor.lock)
