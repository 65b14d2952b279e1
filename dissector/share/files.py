"""Captures made of captures: what may be their source, and the file that they are written to.

What is told of a connection that is open at the end depends on when that is.  So the last record of a copy with such
connections has the time at which the original ended, and carries nothing: all readers understand it, the plugin too.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dissector.errors import CaptureError, UsageError
from dissector.model import Connection
from dissector.outfile import OutFile, capture_format, check_output
from dissector.sources.bytestream import STANDARD_INPUT
from dissector.sources.formats import Format, Pcap, Pcapng
from dissector.stream.link import ETHERNET, LINUX_SLL, LINUX_SLL2

#: Of packets that carry nothing: link layer headers with the ethertype that IEEE 802 leaves to local experiments.
_EXPERIMENT = b"\x88\xb5"
_NOTHING = {
    ETHERNET: bytes(12) + _EXPERIMENT,
    LINUX_SLL: bytes(14) + _EXPERIMENT,
    LINUX_SLL2: _EXPERIMENT + bytes(18),
}
_ENDED = "jstrace: the original capture ended here"


def check_files(sources: Iterable[str], targets: Iterable[str]) -> None:
    """Raises UsageError where a source can be read only once or would be overwritten, or a target is none."""
    sources = list(sources)
    for source in sources:
        is_stream = Path(source).exists() and not (Path(source).is_file() or Path(source).is_dir())
        if source == STANDARD_INPUT or is_stream:
            raise UsageError(f"{source}: the capture is read several times, so it has to be a file")
    for target in targets:
        check_output(target, sources)


class CaptureFile:
    """The packets of a capture in their order, to ``out``, in the format that its name says, else in ``default``.

    ``nano``: times of a pcap file are in nanoseconds, else in microseconds.  All raise CaptureError for a packet that
    the format has no place for, and for a file that can not be written.
    """

    def __init__(self, out: OutFile, default: str, *, nano: bool = True, comments: Iterable[str] = ()) -> None:
        self._out = out
        self._format: Format = Pcap(nano=nano) if capture_format(out.target, default) == "pcap" else Pcapng()
        #: Link type, time and interface of the newest packet.
        self._newest: tuple[int, int, str] | None = None
        out.write(self._format.begin(comments))

    def secrets(self, log: bytes) -> None:
        """A TLS key log, where the format has a place for it; before the packets."""
        self._out.write(self._format.secrets(log))

    def packet(
        self,
        time: int,
        link_type: int,
        data: bytes,
        wire_length: int,
        comments: Iterable[str] = (),
        interface: str = "",
    ) -> None:
        """``interface``: on which it was captured, where the original tells (see ``interface_by_packet``)."""
        try:
            record = self._format.packet(time, link_type, data, wire_length, comments, interface)
        except ValueError as error:
            raise CaptureError(self._out.target, str(error)) from None
        self._out.write(record)
        if self._newest is None or time > self._newest[1]:
            self._newest = link_type, time, interface

    def ends(self, time: int | None, connections: Iterable[Connection]) -> int:
        """The original has no packet behind ``time``, and the copy these connections of tasks; the number of records
        that tell it where it matters: 1 or 0."""
        matters = any(connection.task is not None and connection.closed is None for connection in connections)
        if time is None or self._newest is None or time <= self._newest[1] or not matters:
            return 0
        link_type, _, interface = self._newest
        nothing = _NOTHING.get(link_type, b"")
        try:
            self.packet(time, link_type, nothing, len(nothing), [_ENDED], interface)
        except CaptureError:  # a time that pcap has no place for; all of the tasks is there
            return 0
        return 1

    def close(self) -> None:
        self._out.write(self._format.end())
        self._out.close()
