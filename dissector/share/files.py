"""Captures made of captures: what may be their source, and the file that they are written to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dissector.errors import CaptureError, UsageError
from dissector.outfile import OutFile, capture_format, check_output
from dissector.sources.bytestream import STANDARD_INPUT
from dissector.sources.formats import Format, Pcap, Pcapng


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
        out.write(self._format.begin(comments))

    def packet(self, time: int, link_type: int, data: bytes, wire_length: int, comments: Iterable[str] = ()) -> None:
        try:
            record = self._format.packet(time, link_type, data, wire_length, comments)
        except ValueError as error:
            raise CaptureError(self._out.target, str(error)) from None
        self._out.write(record)

    def close(self) -> None:
        self._out.write(self._format.end())
        self._out.close()
