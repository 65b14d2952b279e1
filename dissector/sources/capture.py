"""Capture files as one stream of blocks.

The readers of the formats are own code, though scapy has some: docs/decisions/0001-own-capture-readers.md.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from os import PathLike, fspath
from pathlib import Path

from dissector.errors import CaptureError
from dissector.model import CaptureInfo, Problem
from dissector.sources import pcap, snoop
from dissector.sources.behind import secrets_behind
from dissector.sources.blocks import Buffers, FileBuffers, Make, Prepare, RecordReader, locate
from dissector.sources.bytestream import STANDARD_INPUT, ByteStream, DamagedError
from dissector.sources.cooked import kernel_interfaces, of_interfaces
from dissector.sources.merge import merged
from dissector.sources.pcapng import PcapngRecords, interface_names, is_pcapng
from dissector.sources.prefetch import WORTH, Prefetch, available
from dissector.sources.remarks import skipped_file, skipped_packets, truncated
from dissector.sources.tally import Tally
from dissector.sources.unreadable import describe
from dissector.stream.block import Block
from dissector.stream.link import LINUX_SLL2, numbered_link_type
from dissector.stream.prefilter import Prefilter
from dissector.stream.records import Located
from dissector.traffic import Packet

#: Bytes of a pcapng file in which its interfaces are described.
_DESCRIBING = 8_192
#: Bytes of a file that tell what it is.
_TELLING = 512


@dataclass(frozen=True, slots=True)
class Interfaces:
    """Some interfaces by their numbers, or (``but``) all other ones: of those that a pcapng file describes, or
    (``by_kernel``) of those that packets of Linux cooked v2 have in their headers."""

    numbers: frozenset[int]
    by_kernel: bool = False
    but: bool = False

    def __contains__(self, number: object) -> bool:
        return (number in self.numbers) is not self.but


#: The interfaces whose packets are wanted; None: all.
Only = Interfaces | None
#: Called with the bytes read so far and the bytes there are (None: not known).
OnProgress = Callable[[int, "int | None"], object]


class CaptureReader:
    """Iterates over the packets of capture files (``-``: standard input), once.

    Packets of several files come in the order of their times, and are numbered in that order from 1 on: as in a file
    made by ``mergecap``, and with one file simply as in that file.  A file is opened when its first packet is due, so
    a ring of many files does no harm.

    ``interfaces``: for each file those whose packets are wanted, None for all.
    ``on_secrets`` gets the TLS key logs that pcapng files have among their packets, before those that come behind;
    what stands behind all packets of a file comes first.

    ``infos`` has a record for each file, ``warnings`` a Problem for each file that could be read in part only (it ends
    inside a packet, is damaged behind its first packets, or has packets of link types without IP as well) and for each
    of several files that could not be read.  Raises CaptureError for a single file, or the first one where none can be
    read, that can not be opened, is no capture, has only link types without IP, or is damaged before its first packet.
    """

    def __init__(
        self,
        paths: Iterable[str | PathLike[str]],
        progress: OnProgress | None = None,
        on_secrets: Callable[[bytes], object] = len,
        interfaces: Sequence[Only] = (),
    ) -> None:
        self._paths = [fspath(path) for path in paths]
        self.infos = [CaptureInfo(path) for path in self._paths]
        self.warnings: list[Problem] = []
        self._progress, self._on_secrets = progress, on_secrets
        self._interfaces = list(interfaces) or [None] * len(self._paths)
        self._done = 0
        self._size = _total_size(self._paths)

    def __iter__(self) -> Iterator[Packet]:
        """Those of link types that can be read."""
        for block in self.blocks():
            yield from block.packets()

    def blocks(self, prepare: Prepare = id, *, prefetch: bool = False) -> Generator[Block, None, None]:
        """The same in blocks, each of them prepared; ``prefetch``: in another process where that is worth it."""
        is_single = len(self._paths) == 1
        first_times = [(0, 0)] if is_single else self._first_times()
        opened = partial(self._contents if is_single else self._one_of_several, prepare)
        return merged(first_times, opened, _maker(prepare), self._count, prefetch=prefetch)

    def _first_times(self) -> list[tuple[int, int]]:
        """Time of the first packet and place of each file that can be read; of those that can not a warning."""
        times = [_time_or_error(path) for path in self._paths]
        errors = [one for one in times if isinstance(one, CaptureError)]
        if errors and len(errors) == len(times):
            raise errors[0]
        self.warnings += map(skipped_file, errors)
        return [(one, index) for index, one in enumerate(times) if isinstance(one, int)]

    def _one_of_several(self, prepare: Prepare, index: int, prefetch: bool) -> Iterator[Located | Block]:
        """As ``_contents``; that the file can not be read (any more) does not end the others."""
        try:
            yield from self._contents(prepare, index, prefetch)
        except CaptureError as error:
            self.warnings.append(skipped_file(error))

    def _count(self, index: int, segments: int) -> None:
        self.infos[index].tcp_segments += segments

    def _contents(self, prepare: Prepare, index: int, prefetch: bool) -> Iterator[Located | Block]:
        """What is in one file: its packets where they lie, or from another process blocks that are prepared."""
        info = self.infos[index]
        tally = Tally(info)
        if late := secrets_behind(info.file):
            self._on_secrets(late)
        with ByteStream(info.file, self._count_bytes if self._progress else None) as stream:
            try:
                for some in self._read(stream, prepare, index, prefetch=prefetch):
                    if some.secrets:
                        self._on_secrets(some.secrets)
                    if some.times:
                        tally.add(some)
                        yield some
            except DamagedError as damage:
                if not damage.cut and not info.packets:
                    raise CaptureError(stream.name, damage.reason, offset=damage.offset) from None
                info.truncated = True
                self.warnings.append(truncated(stream.name, info, damage))
        if tally.unread and sum(tally.unread.values()) == info.packets:
            first = next(iter(tally.unread))
            raise CaptureError(stream.name, f"{numbered_link_type(first)} is not supported")
        if tally.unread:
            self.warnings.append(skipped_packets(stream.name, info, tally.unread))

    def _read(self, stream: ByteStream, prepare: Prepare, index: int, *, prefetch: bool) -> Iterator[Located | Block]:
        read = _locator(stream, self._interfaces[index])
        if not (prefetch and stream.size >= WORTH and available()):
            yield from read(FileBuffers(stream))
            return

        def knowing(buffers: Buffers) -> Iterator[Located]:
            """In the other process, which has to learn of secrets by itself."""
            for located in read(buffers):
                if located.secrets:
                    self._on_secrets(located.secrets)
                yield located

        with closing(Prefetch(stream, knowing, _maker(prepare))) as reader:
            yield from reader

    def _count_bytes(self, size: int) -> None:
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self._size)


def _locator(stream: ByteStream, interfaces: Only = None) -> Callable[[Buffers], Iterator[Located]]:
    """Locates the packets of a file, and leaves out those of other interfaces.

    :raises CaptureError: it is no capture
    :raises DamagedError: its header says what can not be read
    """
    read = partial(locate, *_records(stream, interfaces))
    if interfaces is None or not interfaces.by_kernel:
        return read
    return lambda buffers: (of_interfaces(located, interfaces) for located in read(buffers))


def _maker(prepare: Prepare) -> Make:
    """Sorts packets into blocks and prepares these."""
    prefilter = Prefilter()

    def make(located: Located) -> Block:
        block = prefilter.sort(located)
        prepare(block)
        return block

    return make


def _records(stream: ByteStream, interfaces: Only = None) -> tuple[RecordReader, bytes, int]:
    """How the records of a file are read, its beginning, and where they begin.

    :raises CaptureError: it is no capture
    :raises DamagedError: its header says what can not be read
    """
    start = stream.more(b"", 4)
    if pcap.is_pcap(start):
        start = stream.more(start, pcap.HEADER)
        return pcap.PcapRecords(start), start, pcap.HEADER
    if is_pcapng(start):
        return PcapngRecords(None if interfaces is None or interfaces.by_kernel else interfaces), start, 0
    if snoop.is_snoop(start):
        start = stream.more(start, snoop.HEADER)
        return snoop.SnoopRecords(start), start, snoop.HEADER
    if not start and not stream.broken:
        late = ": a running tcpdump writes its packets late (with -U each one at once)" if stream.is_file else ""
        raise CaptureError(stream.name, f"the file is empty{late}")
    known = describe(stream.more(start, _TELLING))
    raise CaptureError(stream.name, stream.broken or known or "this is no capture file (pcap, pcapng or snoop)")


def interfaces_of(path: str, size: int) -> list[tuple[str, Interfaces]]:
    """The interfaces that a file's packets are of, with their names, where the file tells: those that a pcapng file
    describes at its beginning, or those of the kernel in about its first ``size`` bytes (``any``, Linux cooked v2)."""
    names = _described(path)
    if len(names) > 1:
        return [(name or str(number), Interfaces(frozenset((number,)))) for number, name in enumerate(names)]
    if not is_cooked(path):
        return []
    found = sorted(set[int]().union(*map(kernel_interfaces, first_blocks(path, size))))
    return [(f"if{number}", Interfaces(frozenset((number,)), by_kernel=True)) for number in found]


def interface_by_packet(path: str) -> Callable[[int], str]:
    """Tells of each packet's number the interface in a pcapng file that describes several, as ``if`` and its number
    there (of more than 256 the first one); empty for every other file."""
    found = bytearray()
    if len(_described(path)) > 1:
        with suppress(CaptureError, DamagedError), ByteStream(path) as stream:
            records = PcapngRecords(frozenset(), found)
            for _ in locate(records, b"", 0, FileBuffers(stream)):
                pass  # what is of interest is noted
    return lambda number: f"if{found[number - 1] if number <= len(found) else 0}" if found else ""


def has_interfaces(path: str) -> bool:
    """True when packets of a file may be of several interfaces; a look at its first bytes."""
    return len(_described(path)) > 1 or is_cooked(path)


def _described(path: str) -> list[str]:
    """The names of the interfaces of a pcapng file, as far as it describes them at its beginning; empty for others."""
    try:
        with ByteStream(path) as stream:
            start = stream.more(b"", 4)
            return interface_names(stream.more(start, _DESCRIBING)) if is_pcapng(start) else []
    except (CaptureError, DamagedError):
        return []


def is_cooked(path: str) -> bool:
    """True when the first packets of a file are of Linux cooked v2."""
    try:
        with ByteStream(path) as stream:
            first = next(locate(*_records(stream), FileBuffers(stream, hasty=True)), None)
    except (CaptureError, DamagedError):
        return False
    return first is not None and any(link_type == LINUX_SLL2 for _, link_type in first.links)


def first_blocks(path: str, size: int, interfaces: Only = None) -> Iterator[Block]:
    """The blocks of about the first ``size`` bytes of a file (of these interfaces), or of what can be read of it."""
    read = 0
    try:
        with ByteStream(path) as stream:
            for block in map(Prefilter().sort, _locator(stream, interfaces)(FileBuffers(stream))):
                yield block
                read += block.size
                if read >= size:
                    return
    except (CaptureError, DamagedError):
        return


def _time_or_error(path: str) -> int | CaptureError:
    """What can be read only once, or has no packet, comes first."""
    if path == STANDARD_INPUT or (Path(path).exists() and not Path(path).is_file()):
        return 0
    try:
        return first_time(path) or 0
    except CaptureError as error:
        return error


def first_time(path: str) -> int | None:
    """Time of a file's first packet; None: it has none.

    :raises CaptureError: it is no capture, or damaged before that
    """
    with ByteStream(path) as stream:
        try:
            blocks = map(Prefilter().sort, locate(*_records(stream), FileBuffers(stream, hasty=True)))
            first = next((packet for block in blocks for packet in block.packets()), None)
        except DamagedError as damage:
            if not damage.cut:
                raise CaptureError(stream.name, damage.reason, offset=damage.offset) from None
            first = None
    return first.time if first is not None else None


def _total_size(paths: list[str]) -> int | None:
    """Bytes of all files; None when one of them does not tell."""
    if not all(Path(path).is_file() for path in paths):
        return None
    return sum(Path(path).stat().st_size for path in paths)
