"""Capture files as a stream of what the tracer finds: the readers and the fast path behind one iterator."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from os import PathLike

from dissector.model import CaptureInfo, Connection, Event, Problem
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.session.advance import events_of
from dissector.session.run_detection import find_runs
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.wire.tls_keys import Secrets


class Reading:
    """Files that are read as one, once.  The arguments are those of ``Tracer``; ``prefetch``: another process reads
    ahead where that is worth it."""

    def __init__(
        self,
        files: Iterable[str | PathLike[str]],
        command_ports: Iterable[int] = COMMAND_PORTS,
        callback_ports: tuple[int, int] = CALLBACK_PORTS,
        *,
        messages: bool = True,
        made_by_others: Callable[[Connection], bool] | None = None,
        prefetch: bool = True,
        secrets: Secrets | None = None,
    ) -> None:
        secrets = Secrets() if secrets is None else secrets
        self._reader = CaptureReader(files, on_secrets=secrets.add_log)
        self._tracer = Tracer(
            command_ports, callback_ports, messages=messages, made_by_others=made_by_others, secrets=secrets
        )
        self._prefetch = prefetch

    @property
    def infos(self) -> list[CaptureInfo]:
        """A record for each file, of what was read so far."""
        return self._reader.infos

    @property
    def warnings(self) -> list[Problem]:
        """Of files that were read in part or not at all, so far."""
        return self._reader.warnings

    def events(self) -> Generator[Event, None, None]:
        """Everything as it becomes final, then what there is where there is no task; to be asked for once.

        :raises CaptureError: as ``CaptureReader``
        """
        with closing(self._reader.blocks(find_runs, prefetch=self._prefetch)) as blocks:
            yield from events_of(self._tracer, blocks)
        yield from self._tracer.overview.problems()
