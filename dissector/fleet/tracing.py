"""One unit of work: files of one point traced as one stream into Parquet files; runs in any process on any machine."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from dissector.errors import JstraceError
from dissector.fleet.briefs import brief_files
from dissector.fleet.columns import BEGINS
from dissector.fleet.dataset import part_path
from dissector.fleet.parquet import DayFiles, Written, rows_of
from dissector.fleet.places import FilesOfRun
from dissector.fleet.rows import RowsOfRun, begin_of, parts_of
from dissector.garbage import IN_FILES, look_seldom
from dissector.keys import secrets_of
from dissector.limits import HALF_OPEN_SECONDS
from dissector.model import Event, Problem, Task
from dissector.render.records import Records
from dissector.render.times import iso
from dissector.session.advance import feed
from dissector.session.run_detection import runs_finder
from dissector.session.sweeping import swept
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.sources.leaving import without
from dissector.sources.remote import RemoteFile, is_remote, within
from dissector.stream.block import Block
from dissector.stream.packets import parse
from dissector.stream.tunnels import BY_PORT, expect_vxlan, vxlan
from dissector.traffic import Segment, key_of
from dissector.wire.masking import Mask
from dissector.wire.secrets import extend, extended

#: Characters that a row is taken for that was written before.
_KEPT = 1_000
_SECOND = 1_000_000_000
#: What said nothing for so long is forgotten by the tracer too: nothing else is open without being known.
MARGIN = HALF_OPEN_SECONDS * _SECOND


class HowToTrace(NamedTuple):
    """The user's options; ``masks`` and ``vxlan_ports`` are those of the process that was asked."""

    command_ports: tuple[int, ...]
    callback_ports: tuple[int, int]
    messages: bool
    key_logs: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    masks: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    vxlan_ports: tuple[int, ...] = ()

    def with_process(self) -> HowToTrace:
        """The same with what this process was set to."""
        names, patterns = extended()
        ports = tuple(port for port, step in BY_PORT.items() if step is vxlan)
        return self._replace(masks=(names, tuple(pattern.pattern for pattern in patterns)), vxlan_ports=ports)

    def set_process(self) -> None:
        """Sets this process to what the other one was set to."""
        if self.masks != ((), ()) or extended() != ((), ()):
            extend(*self.masks)
        expect_vxlan(self.vxlan_ports)


class ToldConnection(NamedTuple):
    """A connection that another run told of: its packets up to ``end`` (microseconds) are no news."""

    client: tuple[str, int]
    server: tuple[str, int]
    end: int


class UnitOfWork(NamedTuple):
    """``files`` are read in the order of their first packets.  What begins before ``since`` (nanoseconds) was ``told``
    by an earlier run, and is kept of the Parquet files that are ``replaced`` (tables with paths).  New ones go to
    ``folder``, which is this unit's own, or at once to where they belong in the dataset at this URL."""

    point: str
    files: tuple[str, ...]
    folder: str
    how: HowToTrace
    since: int = 0
    told: tuple[ToldConnection, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    #: Briefs of what is kept (tables with paths); None: there are none of it, and so none are made.
    briefs: tuple[tuple[str, str], ...] | None = ()


class FileRead(NamedTuple):
    path: str
    first: int | None
    last: int | None
    packets: int


class UnitDone(NamedTuple):
    """``tail``: what begins from then on may change when the next file comes.  ``error``: why nothing was done.
    ``peak``: the most memory that the process had, in bytes."""

    point: str
    written: list[Written]
    files: list[FileRead]
    tail: str
    tasks: int
    warnings: list[str]
    error: str = ""
    peak: int = 0


def trace_unit(unit: UnitOfWork) -> UnitDone:
    """Never raises for what is in the captures."""
    look_seldom(IN_FILES)
    try:
        unit.how.set_process()
        if not is_remote(unit.folder):
            return _TracedUnit(unit, Path(unit.folder)).run()
        with TemporaryDirectory(prefix="jstrace-") as folder:
            done = _TracedUnit(unit, Path(folder)).run()
            return done._replace(written=[_sent(unit, made) for made in done.written])
    except (JstraceError, OSError) as error:
        return UnitDone(unit.point, [], [], "", 0, [], str(error))
    finally:
        gc.collect()  # what a tracer leaves hangs on itself, and the next unit comes at once


def _sent(unit: UnitOfWork, made: Written) -> Written:
    """A file that nobody asks for before the manifest names it, and that has the same content whoever sends it."""
    url = within(unit.folder, part_path(made.table, made.day, unit.point, made.digest))
    RemoteFile.at(url).put(made.path)
    return made._replace(path=url)


class _TracedUnit:
    def __init__(self, unit: UnitOfWork, folder: Path) -> None:
        self._unit, how = unit, unit.how
        self._told = _Told(unit.told)
        secrets = secrets_of(how.key_logs, how.keys, {})
        self._find_runs = runs_finder(secrets)
        self._reader = CaptureReader(unit.files, on_secrets=secrets.add_captured)
        self._tracer = Tracer(how.command_ports, how.callback_ports, messages=how.messages, secrets=secrets)
        # Another process may be at the same unit and not know yet that nobody waits for it.
        self._folder = folder / os.urandom(8).hex()
        self._folder.mkdir(parents=True)
        self._out = DayFiles(self._folder)
        places = FilesOfRun(self._reader.infos, unit.files)
        self._rows = RowsOfRun(unit.point, Records(Mask()), places, self._out.add)
        self._tasks = 0

    def run(self) -> UnitDone:
        reader, tracer = self._reader, self._tracer
        self._keep()
        with closing(reader.blocks(id if self._told.ends else self._find_runs)) as blocks:
            for block in swept(map(self._news, blocks), tracer.under_way):
                for events in feed(tracer, block):
                    self._add(events)
        late = list(tracer.finish())
        self._add(late)
        self._add([problem for problem in reader.warnings if problem.time])
        files = [FileRead(info.file, info.first, info.last, info.packets) for info in reader.infos]
        warnings = [problem.summary for problem in reader.warnings]
        if not self._tasks and not self._unit.since:
            warnings += [f"{self._unit.point}: {problem.summary}" for problem in tracer.overview.problems()]
        tail = self._tail(late)
        made = self._out.close()
        if self._unit.briefs is not None:
            made += brief_files(self._folder, made, self._unit.briefs, iso(self._unit.since)[:10])
        return UnitDone(self._unit.point, made, files, tail, self._tasks, warnings, peak=_peak())

    def _keep(self) -> None:
        """What was told before, of files that go."""
        since = datetime.fromisoformat(iso(self._unit.since)[:-1])
        for table, path in self._unit.replaced:
            for row in rows_of(path):
                if row[BEGINS[table]] < since:
                    self._out.add(table, row, _KEPT)

    def _news(self, block: Block) -> Block:
        if self._told.ends:
            block = self._told.without(block)
            self._find_runs(block)
        return block

    def _add(self, events: Sequence[Event]) -> None:
        for event in events:
            if begin_of(event) >= self._unit.since:
                self._tasks += isinstance(event, Task)
                self._rows.add(event)

    def _tail(self, late: Sequence[Event]) -> str:
        """The earliest begin of what was open at the end."""
        last = max((info.last for info in self._reader.infos if info.last is not None), default=None)
        if last is None:
            return ""
        since = min([last - MARGIN, *map(_first_sign, filter(_is_owned, late))])
        return iso(max(since, self._unit.since))


def _first_sign(event: Event) -> int:
    """The earliest packet of something that is not over."""
    if isinstance(event, Task):
        return min([event.start, *(part.start for part in parts_of(event))])
    return begin_of(event)


def _is_owned(event: Event) -> bool:
    """False for what is said of a capture as a whole."""
    return not isinstance(event, Problem) or event.task is not None or event.connection is not None


class _Told:
    """Leaves out packets of connections that were told of."""

    def __init__(self, told: Sequence[ToldConnection]) -> None:
        self.ends: dict[bytes, int] = {}
        for one in told:
            (client, port), (server, own) = one.client, one.server
            ends = (ip_address(client).packed, port), (ip_address(server).packed, own)
            for key in (key_of(*ends[0], *ends[1]), key_of(*ends[1], *ends[0])):
                self.ends[key] = max(one.end, self.ends.get(key, 0))
        self._latest = max(self.ends.values(), default=0)

    def without(self, block: Block) -> Block:
        if block.span is None or block.span[0] // 1000 > self._latest:
            return block
        return without(block, set(self._of_told(block)))

    def _of_told(self, block: Block) -> Iterator[int]:
        for conversation in block.conversations:
            end = self.ends.get(conversation.keys[0])
            if end is not None:
                yield from (place >> 1 for place in conversation.places if block.times[place >> 1] // 1000 <= end)
        for index in block.others:
            segment = parse(block.packet(index, None))
            if isinstance(segment, Segment) and block.times[index] // 1000 <= self.ends.get(segment.key, -1):
                yield index


def _peak() -> int:
    """The most memory that this process had so far, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
