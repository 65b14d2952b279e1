"""The bytes of a capture without what is nobody else's business, every length, number and name of the protocol kept.

Texts are changed in the bytes of a direction as a whole, so that one which crosses segments is one, and each packet,
sent for the first time or again, takes its bytes from there.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import shake_256
from itertools import islice
from operator import itemgetter

from dissector.errors import UsageError
from dissector.limits import MAX_MESSAGE, MAX_REDACTED_BYTES
from dissector.model import Role
from dissector.share.addresses import IPV4_NAME, IPV4_TEXT, IPV6_TEXT, MAC_TEXT, AddressMap, packed_text
from dissector.share.capture_index import CaptureIndex
from dissector.share.headers import addresses_of, rewritten, without_names
from dissector.share.pieces import MessagePiece
from dissector.share.streams import ByteRun, ConnectionSide, Conversations, Key, Stream
from dissector.share.texts import overwritten, readable
from dissector.stream.block import Block
from dissector.stream.fragments import Datagrams
from dissector.traffic import IcmpError, Packet, Segment
from dissector.wire.secrets import looks_secret

#: Letters that no secret's name has, so that filler never looks like one.
_LETTERS = b"bcdfghjkmnqrstvwxz"
_FILLER = b"x"
#: Length; length, class, object or session id, command.
_HEADER, _REQUEST_HEAD = 4, 14
_REQUESTS = (b"S", b"O")
#: A document begins with it: nothing was cut off before it.
_PROLOG = b"<?xml"
#: What tells that a document is one of the engine.
_DOCUMENT_START = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?(?:<spooler>\s*<answer|<[\w.:-]+)?")


@dataclass(slots=True)
class Redaction:
    """Turns packets of the capture that ``found`` tells about into others.  ``collect`` wants its packets first,
    then come ``clean`` and ``rename``, then ``packet`` gives the new bytes of each."""

    found: CaptureIndex
    key: bytes
    all_text: bool
    streams: dict[ConnectionSide, Stream] = field(default_factory=dict)
    #: Packed addresses of the result's packets, and of the texts in them.
    originals: set[bytes] = field(default_factory=set)
    texts: set[bytes] = field(default_factory=set)
    addresses: AddressMap = field(init=False)
    _conversations: Conversations = field(init=False)
    _size: int = 0
    #: Fragmented datagrams of the first pass over the packets and of the second.
    _collected: Datagrams = field(default_factory=Datagrams)
    _written: Datagrams = field(default_factory=Datagrams)

    def __post_init__(self) -> None:
        # What is encrypted can not be made clean; and names of hosts are in the certificates.
        self._conversations = Conversations(one for one in self.found.connections if one.tls is None)

    @property
    def size(self) -> int:
        """Payload bytes that were collected."""
        return self._size

    def candidates(self, blocks: Iterable[Block]) -> Iterator[Packet]:
        """The packets that ``collect`` and ``packet`` have to be given."""
        return self._conversations.candidates(blocks)

    def collect(self, packet: Packet, room: int = MAX_REDACTED_BYTES) -> None:
        """Remembers the packet's bytes and addresses if it is one of the result's.

        Raises UsageError when the connections have more bytes than ``room``.
        """
        whole, record = self._collected.whole(packet)
        if isinstance(record, Segment) and (direction := self._conversations.of_segment(record)) is not None:
            self._size += len(record.payload)
            if self._size > room:
                raise UsageError(
                    f"the connections have more than {MAX_REDACTED_BYTES >> 20} MiB; take some tasks with slice first"
                )
            self.streams.setdefault(direction, Stream()).add(record)
            self.originals |= addresses_of(whole or packet)
        elif isinstance(record, IcmpError) and self._quoted(record) is not None:
            self.originals |= {*addresses_of(whole or packet), record.src, record.dst}

    def clean(self, secrets: re.Pattern[bytes] | None) -> None:
        """Takes secrets out of the streams, also where only another capture tells that they are such."""
        for direction, stream in self.streams.items():
            self._clean(direction, stream, secrets)
        self.texts = {text for run in self.runs() for text in addresses_in(run)}
        self.originals.update(packed for text in self.texts if (packed := packed_text(_plain(text))) is not None)

    def rename(self, addresses: AddressMap) -> None:
        """Changes the addresses in the texts."""
        self.addresses = addresses
        for run in self.runs():
            for pattern, mapped in (
                (IPV4_TEXT, addresses.text),
                (IPV6_TEXT, addresses.text),
                (IPV4_NAME, addresses.name_text),
                (MAC_TEXT, addresses.mac_text),
            ):
                # In place, since they stay as long as they were; behind an address none begins at once.
                for match in pattern.finditer(run.data):
                    run.data[match.start() : match.end()] = mapped(match[0])

    def runs(self) -> Iterator[ByteRun]:
        """All bytes of the connections, those without a hole between them together."""
        for stream in self.streams.values():
            yield from stream.joined()

    def packet(self, packet: Packet) -> Packet | None:
        """The packet with its new bytes; None when it is not to be in the result.  A datagram that came in fragments
        stands in the place of the last one."""
        whole, record = self._written.whole(packet)
        if isinstance(record, Segment):
            wanted = self._conversations.of_segment(record) is not None
        else:
            wanted = isinstance(record, IcmpError) and self._quoted(record) is not None
        if whole is None or not wanted:
            return None
        plain = without_names(whole)
        return plain._replace(data=rewritten(plain, self.addresses, self._payload(packet.number)))

    def _quoted(self, error: IcmpError) -> ConnectionSide | None:
        return self._conversations.of_quote((error.src, error.sport, error.dst, error.dport), error.number)

    def _payload(self, number: int) -> Callable[[Key, int, int, int], bytes]:
        def payload(key: Key, seq: int, flags: int, size: int) -> bytes:
            direction = self._conversations.of_quote(key, number)
            stream = self.streams.get(direction) if direction is not None else None
            return stream.read(stream.place(seq, flags), size) if stream is not None else _FILLER * size

        return payload

    # --- one direction ---------------------------------------------------------------------------------------------

    def _clean(self, direction: ConnectionSide, stream: Stream, secrets: re.Pattern[bytes] | None) -> None:
        """Secrets, and all texts if wanted, in the messages and in what could not be read."""
        runs = stream.joined()
        done = runs[0].start if runs else 0
        #: Where messages are, those that follow each other at once together.
        told: list[tuple[int, int]] = []
        for piece in self.found.pieces.pop(direction, ()):
            size = len(piece.raw)
            data = size.to_bytes(piece.header, "big") + piece.raw if piece.header else piece.raw
            begin = stream.place_of(piece.packet)
            place = stream.find(data, max(done, done if begin is None else begin))
            if place is None and begin is not None:
                place = stream.find(data, done)
            if place is None:
                continue
            begin = told.pop()[0] if told and told[-1][1] == place else place
            done = place + len(data)
            told.append((begin, done))
            stream.write(place + piece.header, self._cleaned(piece, secrets))
        heads = _heads(stream, told) if direction.connection.role is Role.CALLBACK else []
        kept = [(offset, stream.read(offset, end - offset)) for offset, end in heads]
        for run in runs:
            self._clean_untold(stream, run, told, secrets)
        for offset, head in kept:
            stream.write(offset, head)

    def _cleaned(self, piece: MessagePiece, secrets: re.Pattern[bytes] | None) -> bytes:
        data = bytearray(piece.bare if self.all_text and piece.bare is not None else piece.clean)
        for start, end in piece.spans:
            text = bytes(data[start:end])
            if self.all_text:
                # The original decides: what was the same stays the same.
                data[start:end] = self._filler(piece.raw[start:end])
            elif secrets is not None:
                data[start:end] = secrets.sub(lambda match: b"*" * len(match[0]), text)
        return bytes(data)

    def _filler(self, text: bytes) -> bytes:
        """Letters that the same text always becomes; its lines stay lines."""
        digest = shake_256(self.key + text).digest(len(text))
        return bytes(
            old if old in b"\r\n" else _LETTERS[new % len(_LETTERS)] for old, new in zip(text, digest, strict=True)
        )

    def _clean_untold(
        self, stream: Stream, run: ByteRun, told: Sequence[tuple[int, int]], secrets: re.Pattern[bytes] | None
    ) -> None:
        """Bytes that are in no message: cut off, behind a hole, or somebody else's.

        What a secret's name stands before may be cut off from it, so behind a hole every text goes.
        """
        after_hole = run is not stream.runs[0] or not stream.from_start
        for start, end in _outside(run.start, run.end, told):
            low, high = start - run.start, end - run.start
            old = bytes(run.data[low:high])
            behind_hole = after_hole and start == run.start
            places = list(readable(old))
            new = overwritten(old, _behind_markup(old, places), _FILLER) if self.all_text else old
            if behind_hole or (not self.all_text and _has_secret(old, secrets)):
                cut_off = behind_hole and not old.startswith(_PROLOG)
                new = overwritten(old, places if cut_off else _behind_markup(old, places), _FILLER)
            run.data[low:high] = new


def addresses_in(run: ByteRun) -> set[bytes]:
    """Printed addresses in the bytes."""
    found = {match[0] for pattern in (IPV4_TEXT, IPV6_TEXT) for match in pattern.finditer(run.data)}
    found.update(re.sub(rb"[-_]", b".", match[0]) for match in IPV4_NAME.finditer(run.data))
    return {text for text in found if packed_text(_plain(text)) is not None}


def _has_secret(data: bytes, secrets: re.Pattern[bytes] | None) -> bool:
    return looks_secret(data.decode("iso-8859-1")) or (secrets is not None and secrets.search(data) is not None)


def _behind_markup(data: bytes, places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The places; of XML without what tells that it is a document of the engine."""
    kept = _DOCUMENT_START.match(data)
    for start, end in places:
        if kept is None or end > kept.end():
            yield max(start, kept.end() if kept else 0), end


def _heads(stream: Stream, told: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where messages begin that were not captured whole: each tells its length, and so where the next one begins.

    What stands there up to the command (behind length, class and object id) decides how the rest is read.
    """
    heads = []
    beginnings = [end for _, end in told] + ([1] if stream.from_start else [])
    for at in beginnings:
        while not _is_in(at, told) and (size := stream.available(at, _HEADER + 1)):
            length = int.from_bytes(stream.read(at, _HEADER), "big")
            if size <= _HEADER or not 0 < length <= MAX_MESSAGE:
                break
            kind = stream.read(at + _HEADER, 1)
            heads.append((at, at + stream.available(at, _REQUEST_HEAD if kind in _REQUESTS else _HEADER + 1)))
            at += _HEADER + length
    return heads


def _is_in(at: int, places: Sequence[tuple[int, int]]) -> bool:
    before = bisect_right(places, at, key=itemgetter(0))
    return before > 0 and at < places[before - 1][1]


def _outside(start: int, end: int, told: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts from ``start`` to ``end`` that none of ``told`` (in order) covers."""
    first = max(bisect_left(told, (start,)) - 1, 0)
    for low, high in islice(told, first, None):
        if low >= end:
            break
        if low > start:
            yield start, low
        start = max(start, high)
    if start < end:
        yield start, end


def _plain(text: bytes) -> bytes:
    """An IPv4 address without leading zeros."""
    return text if b":" in text else b".".join(str(int(part)).encode() for part in text.split(b"."))
