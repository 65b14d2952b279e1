"""Captures of several places side by side: a tracer for each, and each task once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from dissector.model import CaptureInfo, Event, Problem
from dissector.points.joined import Collector
from dissector.points.place import CapturePoint
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.session.advance import feed
from dissector.session.run_detection import runs_finder
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader, OnProgress
from dissector.sources.points import side_by_side
from dissector.stream.block import Block
from dissector.survey import Site, remarks
from dissector.wire.tls_keys import Secrets


class Beside:
    """``files`` as they were given; ``sites`` are places of these (see ``survey``).  ``on_secrets`` as of
    ``CaptureReader``, in place of ``secrets``.  The other arguments are those of ``Tracer``."""

    def __init__(
        self,
        files: Sequence[str],
        sites: Sequence[Site],
        command_ports: Iterable[int] = COMMAND_PORTS,
        callback_ports: tuple[int, int] = CALLBACK_PORTS,
        *,
        messages: bool = True,
        prefetch: bool = True,
        progress: OnProgress | None = None,
        secrets: Secrets | None = None,
        on_secrets: Callable[[bytes], object] | None = None,
    ) -> None:
        self._files = list(files)
        self.sites = list(sites)
        ports, secrets = tuple(command_ports), Secrets() if secrets is None else secrets
        self._readers = [
            CaptureReader(
                [files[n] for n in site.files],
                progress,
                on_secrets=on_secrets or secrets.add_captured,
                interfaces=site.interfaces,
            )
            for site in sites
        ]
        self._tracers = [Tracer(ports, callback_ports, messages=messages, secrets=secrets) for _ in sites]
        self._collector = Collector([site.place for site in sites])
        self._prefetch, self._find_runs = prefetch, runs_finder(secrets)
        #: Of each place: it has no more packets, its tracer knows, and up to when it was read.
        self._ended, self._finished = [False] * len(sites), [False] * len(sites)
        self._upto = [0] * len(sites)
        for tracer in self._tracers:
            tracer.on_judged = self._collector.judged

    @property
    def infos(self) -> list[CaptureInfo]:
        """A record for each file, of what was read so far."""
        found: dict[int, CaptureInfo] = {}
        for site, reader in zip(self.sites, self._readers, strict=True):
            for number, part in zip(site.files, reader.infos, strict=True):
                info = replace(part)
                _set_clock(info, site.place)
                if (other := found.get(number)) is not None:  # another interface of the same file
                    info.tcp_segments += other.tcp_segments
                    info.point = f"{other.point}, {info.point}"
                found[number] = info
        return [found[number] for number in range(len(self._files))]

    @property
    def warnings(self) -> list[Problem]:
        """Of files that were read in part or not at all, and of clocks."""
        found = [warning for reader in self._readers for warning in reader.warnings]
        return list({warning.summary: warning for warning in found}.values()) + remarks(self.sites)

    def events(self) -> Generator[Event, None, None]:
        """Everything as it becomes final; to be asked for once.

        :raises CaptureError: as ``CaptureReader``
        """
        with ExitStack() as stack:
            blocks = [
                stack.enter_context(closing(self._ending(number, self._moved(reader, site.place))))
                for number, (reader, site) in enumerate(zip(self._readers, self.sites, strict=True))
            ]
            for number, block in side_by_side(blocks, self._numbered_by()):
                place, tracer = self.sites[number].place, self._tracers[number]
                for events in feed(tracer, block):
                    if events:
                        yield from self._collector.add(place, events)
                yield from self._settled(number)
        yield from self.finish()

    def _moved(self, reader: CaptureReader, place: CapturePoint) -> Generator[Block, None, None]:
        """The blocks of a place with corrected times."""
        corrected = correction(place)

        def prepare(block: Block) -> None:
            if corrected is not None:
                corrected(block)
            self._find_runs(block)

        if corrected is None or len(reader.infos) == 1:
            yield from reader.blocks(prepare, prefetch=self._prefetch)
            return
        # Files of one place are merged by their own times.
        for block in reader.blocks():
            prepare(block)
            yield block

    def _ending(self, number: int, blocks: Generator[Block, None, None]) -> Generator[Block, None, None]:
        """The blocks of a place; notes when it has no more."""
        with closing(blocks):
            yield from blocks
        self._ended[number] = True

    def _settled(self, number: int) -> list[Event]:
        """What no place has more of, now that this one was read so far."""
        found: list[Event] = []
        for ended, (site, tracer) in enumerate(zip(self.sites, self._tracers, strict=True)):
            if self._ended[ended] and not self._finished[ended]:
                self._finished[ended] = True
                found += self._collector.add(site.place, tracer.finish())
        self._upto[number] = self._tracers[number].clock.now
        if not self._collector.is_due(sum(len(tracer.under_way) for tracer in self._tracers)):
            return found
        now = min((upto for upto, ended in zip(self._upto, self._ended, strict=True) if not ended), default=0)
        running = [
            (site.place, facts)
            for site, tracer in zip(self.sites, self._tracers, strict=True)
            for facts in tracer.under_way
        ]
        return found + self._collector.settled(now, running)

    def _numbered_by(self) -> list[int]:
        """Interfaces of one file have its numbers."""
        return [
            site.files[0] if len(site.files) == 1 else len(self._files) + number
            for number, site in enumerate(self.sites)
        ]

    def finish(self) -> list[Event]:
        """What is left where nothing more is read."""
        found: list[Event] = []
        for site, tracer, is_finished in zip(self.sites, self._tracers, self._finished, strict=True):
            found += self._collector.add(site.place, [] if is_finished else tracer.finish())
        if not any(tracer.overview.has_tasks for tracer in self._tracers):
            for site, tracer in zip(self.sites, self._tracers, strict=True):
                found += self._collector.add(site.place, tracer.overview.problems())
        return found + self._collector.finish()


def _set_clock(info: CaptureInfo, place: CapturePoint) -> None:
    origin = place.clock.origin if place.clock is not None else 0
    info.point = place.name
    info.clock_offset, info.clock_error = place.ahead(origin, origin)
    if place.clock is not None and not place.is_told:
        info.clock_drift = place.clock.line()[1]


def correction(place: CapturePoint) -> Callable[[Block], None] | None:
    """What brings the times of a block to the clock of the first place; None where nothing is to be done."""
    offset, drift, origin = place.moved, 0.0, 0
    if not place.is_told and place.clock is not None and place.moved:
        origin = place.clock.origin
        offset, drift = place.clock.line()
    if not place.moved:
        return None

    def correct(block: Block) -> None:
        times = block.times
        for index, time in enumerate(times):
            times[index] = time - offset - int((time - offset - origin) * drift) if drift else time - offset

    return correct
