"""What is fuzzed: a function for each way in; each takes any bytes and raises when a claim about them does not hold.

Only a JstraceError may leave the program for bad input, and each target says more than that where it can.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from unicodedata import category

import zstandard

from dissector.errors import CaptureError, DecodeError, UsageError
from dissector.model import Connection, Event, Message, Task
from dissector.render import filter as filters
from dissector.render.json import JsonLinesView
from dissector.render.ladder import LadderView
from dissector.render.records import Records
from dissector.render.table import TableView
from dissector.render.terminal import Terminal
from dissector.render.views import Output
from dissector.session import advance
from dissector.session.run_detection import find_runs
from dissector.session.tracer import Tracer
from dissector.sources.blocks import block_of
from dissector.sources.capture import CaptureReader
from dissector.stream import packets
from dissector.stream.documents import DocumentReader
from dissector.stream.fast_path import segment_of
from dissector.stream.framing import FrameReader
from dissector.stream.prefilter import Prefilter
from dissector.traffic import Chunk, Frame, Gap, Packet, RawDocument, Segment, Side
from dissector.wire import control
from dissector.wire.decode import Decoded, Pending, decode, fields, reference_decode
from dissector.wire.enums import Operation
from dissector.wire.http_message import parse_http
from dissector.wire.masking import Mask
from fuzz.script import packets as packets_of

Target = Callable[[bytes], None]
ROOT = Path(__file__).resolve().parent.parent
_OPERATIONS = list(Operation)
_LINK_TYPES = (0, 1, 12, 101, 108, 113, 228, 229, 276, 14)
#: Longest message that construct is asked about too: it needs so much longer.
_REFERENCE_SIZE = 4_096


def decoding(data: bytes) -> None:
    """First byte: the request that an answer belongs to (0: none); second: its count; the rest is a message."""
    choice, count, message = data[0] if data else 0, data[1] if data[1:] else 0, data[2:]
    pending = Pending(_OPERATIONS[choice % len(_OPERATIONS)], count) if choice else None
    found = _decoded(decode, message, pending)
    if found[0] == "refused":
        assert 0 <= int(str(found[2])) <= len(message), "the error's offset lies outside of the message"
    leaves = list(fields(message, pending).leaves())
    for leaf in leaves:
        assert isinstance(leaf.text, str)
    if message:
        ends = [0, *(leaf.end for leaf in leaves)]
        assert [leaf.start for leaf in leaves] == ends[:-1], "leaves have holes or overlap"
        assert ends[-1] == len(message), "leaves do not cover the message"
    if len(message) <= _REFERENCE_SIZE:
        assert found == _decoded(reference_decode, message, pending), "construct reads it otherwise"


def _decoded(
    function: Callable[[bytes, Pending | None], Decoded], message: bytes, pending: Pending | None
) -> tuple[object, ...]:
    """What the decoder says, in a form that tells equal records apart from unequal ones (NaN is text already)."""
    try:
        return ("read", repr(function(message, pending)))
    except DecodeError as error:
        return ("refused", error.path, error.offset, error.reason)


# --- streams -------------------------------------------------------------------------------------------------------


def _pieces(data: bytes) -> Iterator[Chunk | Gap]:
    """First byte: the length of chunks, roughly; a chunk whose number is divisible by 13 is missing if bit 7 is set."""
    how, stream = data[0], data[1:]
    size, lossy = (how & 0x3F) * 7 + 1, bool(how & 0x80)
    for number, start in enumerate(range(0, len(stream), size), 1):
        part = stream[start : start + size]
        if lossy and number % 13 == 0:
            yield Gap(Side.CLIENT, start, len(part), number, number)
        else:
            yield Chunk(Side.CLIENT, start, part, number, number)


def framing(data: bytes) -> None:
    """First byte: see ``_pieces``, bit 6: the connection was under way; frames have to be where they claim to be."""
    if not data:
        return
    stream = data[1:]
    reader = FrameReader(Side.CLIENT, synced=not data[0] & 0x40)
    reached = 0
    for piece in _pieces(data):
        for item in reader.feed(piece) if isinstance(piece, Chunk) else reader.gap(piece):
            if isinstance(item, Frame):
                end = item.offset + 4 + len(item.data)
                assert item.offset >= reached, "frames overlap"
                assert stream[item.offset : end] == len(item.data).to_bytes(4, "big") + item.data, "invented bytes"
                reached = end
        assert 0 <= reader.left_over <= len(stream)
    reader.finish(1, 1)


def documents(data: bytes) -> None:
    """First byte: see ``_pieces``, bit 6: the server's side; every document is parsed as what it may be."""
    if not data:
        return
    stream, is_client = data[1:], not data[0] & 0x40
    reader = DocumentReader(Side.CLIENT, is_client, mid_stream=bool(data[0] & 0x20))
    found: list[object] = []
    for piece in _pieces(data):
        found += reader.feed(piece) if isinstance(piece, Chunk) else reader.gap(piece)
    found += reader.finish(1, 1)
    for document in found:
        if isinstance(document, RawDocument):
            if not data[0] & 0x80 and document.kind != "http":
                place = slice(document.offset, document.offset + len(document.data))
                assert stream[place] == document.data, "invented bytes"
            _parsed(document.data, is_client)


def _parsed(data: bytes, is_client: bool) -> None:
    parse_http(data, is_client)
    document = control.parse_command(data) if is_client else control.parse_answer(data)
    for kind in (control.start_task, control.process_started, control.close_task, control.kill_task):
        kind(document)


def packet(data: bytes) -> None:
    """First byte: the link type; second: bytes that the snap length cut off; nothing is ever raised, and a packet that
    the prefilter takes for plain is the segment that it says."""
    if len(data) < 2:
        return
    found = Packet(1, 0, _LINK_TYPES[data[0] % len(_LINK_TYPES)], data[2:], len(data) - 2 + data[1])
    record = packets.parse(found)
    assert packets.carries_segment(found) == isinstance(record, Segment), "segments are counted otherwise"
    if isinstance(record, Segment):
        assert len(record.payload) <= record.length, "more bytes than were sent"
        assert record.payload in found.data
    for one in block_of(Prefilter(), [found[1:5]] * 2).packets():
        if one.key is not None:
            assert isinstance(record, Segment), "plain and no segment"
            assert one.key == record.key
            assert one.tunnelled or segment_of(one, one.key) == record._replace(number=one.number)


# --- captures ------------------------------------------------------------------------------------------------------


def files(data: bytes) -> None:
    """First byte: packed with gzip (1) or zstandard (2), and cut short then (bit 2); every reader of files."""
    how, content = data[0] if data else 0, data[1:]
    if how & 3 == 1:
        content = gzip.compress(content, 1, mtime=0)
    elif how & 3 == 2:
        content = zstandard.compress(content, 1)
    if how & 4:
        content = content[: -len(content) // 4]
    with _File(content) as path, suppress(CaptureError):
        list(CaptureReader([path]))


def capture(data: bytes) -> None:
    """A capture file, through to the records that the command prints."""
    with _File(data) as path, suppress(CaptureError):
        _same_both_ways(path)


def lean(data: bytes) -> None:
    """A script as a capture file: what the reader skips as foreign must not be missed."""
    records = (
        struct.pack("<IIII", *divmod(found.time // 1_000, 1_000_000), len(found.data), found.wire_length) + found.data
        for found in packets_of(data)
    )
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    with _File(header + b"".join(records)) as path:
        _same_both_ways(path)


#: Records that are there with messages only.
_FOR_MESSAGES = ('{"record": "message"', '{"record": "exchange"')


def _same_both_ways(path: str) -> None:
    """Blocks change nothing but the time; the records have to be the same."""
    reader = CaptureReader([path])
    told = _print_records(events_of(one._replace(key=None) for one in reader), reader)
    reader, tracer = CaptureReader([path]), Tracer(messages=False)
    rest = [line for line in told.splitlines(keepends=True) if not line.startswith(_FOR_MESSAGES)]
    in_blocks = _print_records(advance.events_of(tracer, reader.blocks(find_runs)), reader)
    assert "".join(rest) == in_blocks, "blocks make a difference"


def dialog(data: bytes) -> None:
    """A script (see ``script``), through to the records that the command prints."""
    _print_records(events_of(packets_of(data)))


def screen(data: bytes) -> None:
    """A script, through to table and ladder; no control character reaches the screen."""
    events = list(events_of(packets_of(data)))
    out = io.StringIO()
    terminal = Terminal(out, "never")
    table, ladder = TableView(terminal, Mask(True), full=False), _ladder(terminal)
    for view in (table, ladder):
        output = Output(view, (), filters.parse(()))
        output.add(events)
        output.close(())
    hostile = {char for char in out.getvalue() if category(char) in ("Cc", "Cs", "Zl", "Zp") and char != "\n"}
    assert not hostile, f"control characters on the screen: {hostile}"


def _ladder(terminal: Terminal) -> LadderView:
    return LadderView(terminal, Mask(True), verbose=True, full=True, fields=True)


def events_of(source: Iterable[Packet]) -> Iterator[Event]:
    """All that the tracer tells of these packets."""
    return _told(Tracer(), source)


def _told(tracer: Tracer, source: Iterable[Packet]) -> Iterator[Event]:
    for found in source:
        yield from tracer.feed(found)
    yield from tracer.finish()


def _print_records(events: Iterable[Event], reader: CaptureReader | None = None) -> str:
    """What the command prints: every record is JSON, and every number that others refer to has been given once."""
    out = io.StringIO()
    view = JsonLinesView(out, Records(Mask(True)), messages=True)
    for event in events:
        view.add(event)
    view.close(reader.infos if reader else ())
    seen: dict[str, list[int]] = {"task": [], "connection": [], "message": []}
    for text in out.getvalue().splitlines():
        record = json.loads(text)
        if record["record"] in seen:
            seen[record["record"]].append(record["n"])
    for kind, numbers in seen.items():
        assert len(set(numbers)) == len(numbers), f"a {kind} was handed out twice"
    return out.getvalue()


class _File:
    """Bytes under a path, in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __enter__(self) -> str:
        self._number = os.memfd_create("fuzz")
        os.write(self._number, self._content)
        return f"/proc/self/fd/{self._number}"

    def __exit__(self, *_: object) -> None:
        os.close(self._number)


# --- expressions ---------------------------------------------------------------------------------------------------


def filtering(data: bytes) -> None:
    """A filter expression in UTF-8, asked about the tasks and messages of a recording."""
    try:
        chosen = filters.parse([data.decode("utf-8", "surrogateescape")])
    except UsageError:
        return
    for event in _recording():
        if isinstance(event, Task):
            chosen.task(event)
        elif isinstance(event, Message):
            chosen.message(event)


@lru_cache
def _recording() -> Sequence[Event]:
    reader = CaptureReader([ROOT / "captures" / "engine_order.pcap"])
    return [event for event in events_of(reader) if not isinstance(event, Connection)]


TARGETS: dict[str, Target] = {
    "decode": decoding,
    "framing": framing,
    "documents": documents,
    "packets": packet,
    "files": files,
    "capture": capture,
    "dialog": dialog,
    "lean": lean,
    "screen": screen,
    "filter": filtering,
}
