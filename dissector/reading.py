"""Capture files as a stream of what the tracer finds: readers, places and the fast path behind one iterator."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from os import PathLike, fspath

from dissector.beside import Beside
from dissector.model import CaptureInfo, Connection, Event, Problem
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.session.advance import events_of
from dissector.session.run_detection import runs_finder
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader, OnProgress
from dissector.survey import Wanted, survey
from dissector.wire.tls_keys import Secrets


class Reading:
    """Files of one place, or of several (see ``survey``; ``wanted`` is what the user says of them), to be read once.
    The other arguments are those of ``Tracer``; ``prefetch``: another process reads ahead where that is worth it.  Of
    several places every message is made.  ``one_stream``: the files are not looked at for places."""

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
        wanted: Wanted | None = None,
        one_stream: bool = False,
        progress: OnProgress | None = None,
    ) -> None:
        self._files = [fspath(file) for file in files]
        self._ports = tuple(command_ports), callback_ports
        self._secrets = secrets = Secrets() if secrets is None else secrets
        self._reader: CaptureReader | Beside = CaptureReader(self._files, progress, on_secrets=secrets.add_captured)
        self._tracer = Tracer(*self._ports, messages=messages, made_by_others=made_by_others, secrets=secrets)
        self._prefetch, self._messages, self._wanted = prefetch, messages, wanted
        self._one_stream, self._progress = one_stream, progress

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
        remarks: list[Problem] = []
        sites = [] if self._one_stream else survey(self._files, self._wanted, *self._ports, remarks.append)
        if sites:
            self._reader = Beside(
                self._files,
                sites,
                *self._ports,
                messages=self._messages,
                prefetch=self._prefetch,
                progress=self._progress,
                secrets=self._secrets,
            )
            yield from self._reader.events()
            yield from remarks
            return
        reader = self._reader
        assert isinstance(reader, CaptureReader)
        with closing(reader.blocks(runs_finder(self._secrets), prefetch=self._prefetch)) as blocks:
            yield from events_of(self._tracer, blocks)
        yield from self._tracer.overview.problems()
        yield from remarks
