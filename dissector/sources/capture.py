"""Capture files as one stream of packets.

The readers of the two formats are own code, though scapy has some: scapy's end a file that is cut off or damaged
without a word that a program could read, cut packets of 65,536 bytes and more, keep the interfaces of a pcapng section
for the next one and ignore if_tsoffset.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import cast

from dissector.errors import CaptureError
from dissector.model import CaptureInfo, Problem
from dissector.sources.bytestream import STANDARD_INPUT, ByteStream, DamagedError
from dissector.sources.merge import merged
from dissector.sources.pcap import is_pcap, read_pcap
from dissector.sources.pcapng import is_pcapng, read_pcapng
from dissector.sources.remarks import skipped_file, skipped_packets, truncated
from dissector.sources.snoop import is_snoop, read_snoop
from dissector.sources.unreadable import describe
from dissector.stream.blocks import Block
from dissector.stream.link import link_type_name
from dissector.stream.sift import Sift
from dissector.traffic import Packet, Watch

#: Bytes of a file that tell what it is.
_TELLING = 512
#: What is done with each block first.
Prepare = Callable[[Block], object]
#: Called with the bytes read so far and the bytes there are (None: not known).
Progress = Callable[[int, "int | None"], object]


def read_captures(paths: Iterable[str | PathLike[str]], progress: Progress | None = None) -> Iterator[Packet]:
    """The packets of all files as ``CaptureReader`` gives them."""
    return iter(CaptureReader(paths, progress))


class CaptureReader:
    """Iterates over the packets of capture files (``-``: standard input), once.

    Packets of several files come in the order of their times, and are numbered in that order from 1 on: as in a file
    made by ``mergecap``, and with one file simply as in that file.  A file is opened when its first packet is due, so
    a ring of many files does no harm.

    ``infos`` has a record for each file, ``warnings`` a Problem for each file that could be read in part only (it ends
    inside a packet, is damaged behind its first packets, or has packets of link types without IP as well) and for each
    of several files that could not be read.  Raises CaptureError for a single file, or the first one where none can be
    read, that can not be opened, is no capture, has only link types without IP, or is damaged before its first packet.
    """

    def __init__(self, paths: Iterable[str | PathLike[str]], progress: Progress | None = None) -> None:
        self._paths = [fspath(path) for path in paths]
        self.infos = [CaptureInfo(path) for path in self._paths]
        self.warnings: list[Problem] = []
        self._progress = progress
        self._done = 0
        self._size = _total_size(self._paths)

    def __iter__(self) -> Iterator[Packet]:
        return self.relevant(None)

    def relevant(self, watch: Watch | None) -> Iterator[Packet]:
        """The same without the packets that may be skipped by ``watch``; they count and are numbered all the same."""
        return cast("Iterator[Packet]", self.blocks(watch, None))

    def blocks(
        self, watch: Watch | None, prepare: Prepare | None, *, ahead: bool = False
    ) -> Generator[Packet | Block, None, None]:
        """The same in blocks as far as they can be had, each of them prepared; ``ahead``: in another process."""
        if len(self._paths) == 1:
            return self._packets(0, watch, prepare, ahead=ahead)

        def opened(index: int, before: int, alone: bool) -> Iterator[Packet | Block]:
            return self._one_of_several(index, watch, prepare, ahead=ahead and alone, before=before)

        return merged(self._first_times(), self.infos, opened, watch or Watch())

    def _first_times(self) -> list[tuple[int, int]]:
        """Time of the first packet and place of each file that can be read; of those that can not a warning."""
        times = [_time_or_error(path) for path in self._paths]
        errors = [one for one in times if isinstance(one, CaptureError)]
        if errors and len(errors) == len(times):
            raise errors[0]
        self.warnings += map(skipped_file, errors)
        return [(one, index) for index, one in enumerate(times) if isinstance(one, int)]

    def _one_of_several(
        self, index: int, watch: Watch | None, prepare: Prepare | None, *, ahead: bool, before: int
    ) -> Iterator[Packet | Block]:
        """As ``_packets``; that the file can not be read (any more) does not end the others."""
        try:
            yield from self._packets(index, watch, prepare, ahead=ahead, before=before)
        except CaptureError as error:
            self.warnings.append(skipped_file(error))

    def _packets(
        self, index: int, watch: Watch | None, prepare: Prepare | None, *, ahead: bool = False, before: int = 0
    ) -> Generator[Packet | Block, None, None]:
        """What is in one file, numbered from ``before`` + 1 on."""
        info = self.infos[index]
        sift = Sift(info, watch, prepare, ahead=ahead, before=before)
        with ByteStream(info.file, self._read if self._progress else None) as stream:
            try:
                yield from _packets(stream, sift)
            except DamagedError as damage:
                if not damage.cut and not info.packets:
                    raise CaptureError(stream.name, damage.reason, offset=damage.offset) from None
                info.truncated = True
                self.warnings.append(truncated(stream.name, info, damage))
        if sift.unread and sum(sift.unread.values()) == info.packets:
            first = next(iter(sift.unread))
            raise CaptureError(stream.name, f"link type {first} ({link_type_name(first)}) is not supported")
        if sift.unread:
            self.warnings.append(skipped_packets(stream.name, info, sift.unread))

    def _read(self, size: int) -> None:
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self._size)


def _packets(stream: ByteStream, sift: Sift) -> Iterator[Packet | Block]:
    start = stream.more(b"", 4)
    if is_pcap(start):
        return read_pcap(stream, start, sift)
    if is_pcapng(start):
        return read_pcapng(stream, start, sift)
    if is_snoop(start):
        return read_snoop(stream, start, sift)
    if not start and not stream.broken:
        late = ": a running tcpdump writes its packets late (with -U each one at once)" if stream.is_file else ""
        raise CaptureError(stream.name, f"the file is empty{late}")
    known = describe(stream.more(start, _TELLING))
    raise CaptureError(stream.name, stream.broken or known or "this is no capture file (pcap, pcapng or snoop)")


def _time_or_error(path: str) -> int | CaptureError:
    try:
        return _first_time(path)
    except CaptureError as error:
        return error


def _first_time(path: str) -> int:
    """Time of a file's first packet; what can be read only once, or has none, comes first.  Raises CaptureError."""
    if path == STANDARD_INPUT or (Path(path).exists() and not Path(path).is_file()):
        return 0
    with ByteStream(path) as stream:
        try:
            first = next((one for one in _packets(stream, Sift(CaptureInfo(path))) if isinstance(one, Packet)), None)
        except DamagedError as damage:
            if not damage.cut:
                raise CaptureError(stream.name, damage.reason, offset=damage.offset) from None
            first = None
    return first.time if first is not None else 0


def _total_size(paths: list[str]) -> int | None:
    """Bytes of all files; None when one of them does not tell."""
    if not all(Path(path).is_file() for path in paths):
        return None
    return sum(Path(path).stat().st_size for path in paths)
