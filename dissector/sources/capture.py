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
from dissector.model import CaptureInfo, Problem, Severity
from dissector.sources.bytestream import STANDARD_INPUT, ByteStream, DamagedError
from dissector.sources.merge import merged
from dissector.sources.pcap import is_pcap, read_pcap
from dissector.sources.pcapng import is_pcapng, read_pcapng
from dissector.sources.snoop import is_snoop, read_snoop
from dissector.sources.unreadable import describe
from dissector.stream.blocks import Block
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

    ``infos`` has a record for each file, ``warnings`` a Problem for each file that could be read in part only: one that
    ends inside a packet, or that is damaged behind its first packets.  Raises CaptureError for a file that can not be
    opened, is no capture, has a link type without IP, or is damaged before its first packet.
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
            return self._packets(index, watch, prepare, ahead=ahead and alone, before=before)

        return merged([_first_time(path) for path in self._paths], self.infos, opened, watch or Watch())

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
                self.warnings.append(_truncated(stream.name, info, damage))

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
        raise CaptureError(stream.name, "the file is empty")
    known = describe(stream.more(start, _TELLING))
    raise CaptureError(stream.name, stream.broken or known or "this is no capture file (pcap, pcapng or snoop)")


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


def _truncated(name: str, info: CaptureInfo, damage: DamagedError) -> Problem:
    where = f"packet {info.packets + 1}, offset {damage.offset}"
    return Problem(
        code="capture_truncated",
        severity=Severity.WARNING,
        time=info.last or 0,
        packets=(),
        summary=f"{name} could be read up to {where} only: {damage.reason}",
        cause="the capture was ended hard, is still being written, or was damaged on its way",
        remedy="end the capturing program with Ctrl-C (SIGINT) and copy the file in binary mode",
    )
