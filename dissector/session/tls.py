"""A connection with TLS: its records deciphered where there are secrets, and what can be told of it where not.

It stands between the bytes of a connection and whoever understands them: what the program sent goes on as chunks and
gaps of ``Sealed``, with the numbers of the packets that carried them, and is judged like the bytes of a connection
without TLS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dissector.limits import MAX_TLS_HELD
from dissector.model import Connection
from dissector.session.exchanges import Exchanges
from dissector.session.tls_half import Half
from dissector.session.tls_handshake import Handshake
from dissector.session.tls_rhythm import Rhythm
from dissector.sides import Mark
from dissector.stream.tls_records import HEADER, FramedRecord
from dissector.tlsfacts import Alert, TlsFacts
from dissector.traffic import Chunk, Gap, Side
from dissector.wire import tls
from dissector.wire.tls_keys import Secrets

if TYPE_CHECKING:
    from dissector.wire.tls_cipher import Opener

#: Alerts of a connection that are kept, records that may fail one after the other, and sequence numbers that are tried
#: behind a hole.
_MOST_ALERTS, _MOST_FAILURES, _MOST_TRIES = 8, 8, 2_048
#: The type of records of the program, as TLS 1.3 puts it behind their bytes.
_PROGRAM = bytes([tls.APPLICATION])
_new = tuple.__new__
_SMALLEST_RECORD = HEADER + 17
NO_KEYS, WRONG_KEYS = "no secrets of it were given", "the secrets that were given do not fit"
NOT_FROM_START = "its handshake was not captured"
IN_PART = "it was captured in part only"
UNREADABLE = "its records can not be deciphered any more: they are damaged, or too many of them are missing"


@dataclass(slots=True, eq=False)
class Sealed:
    """What a connection carries inside of TLS, like a flow of its own; ``outer`` is that of the connection."""

    connection: Connection
    outer: Any
    handler: Any = None

    def swap(self) -> None:
        """Who is the client is known by the handshake."""


class TlsDesk(Protocol):
    """What a connection with TLS asks of the tracer."""

    def opened(self, inner: Sealed) -> None:
        """It can be deciphered."""

    def plain(self, inner: Sealed, event: Chunk | Gap) -> None: ...
    def missing(self, inner: Sealed, side: Side) -> None:
        """Bytes are missing; how many is told as a gap later."""

    def plain_closed(self, inner: Sealed) -> None: ...
    def stays_sealed(self, sealed: Tls) -> None:
        """Nothing more of it will be deciphered."""

    def talks_sealed(self, sealed: Tls) -> None:
        """What stays sealed is in use."""

    def tls_ended(self, sealed: Tls) -> None: ...
    def room(self, size: int) -> bool:
        """True while so many more encrypted bytes may wait for secrets; negative: they wait no more."""


class Tls:
    """``is_known``: its port is known for what agents take; ``from_start``: its first bytes are the client's hello."""

    __slots__ = (
        "_again",
        "_desk",
        "_handshake",
        "_held",
        "_held_bytes",
        "_secrets",
        "_version",
        "connection",
        "facts",
        "first_sealed",
        "foreign",
        "halves",
        "inner",
        "is_known",
        "is_sealed",
        "is_told",
        "rhythm",
    )

    def __init__(
        self, connection: Connection, outer: Any, desk: TlsDesk, secrets: Secrets, *, is_known: bool, from_start: bool
    ) -> None:
        self.connection, self.is_known = connection, is_known
        self.facts = connection.tls = TlsFacts()
        self.inner = Sealed(connection, outer)
        self.rhythm = Rhythm()
        #: Somebody heard that it stays sealed.
        self.is_told = False
        #: What the server sent in the place of records.
        self.foreign = b""
        self._desk, self._secrets = desk, secrets
        self._handshake = Handshake(self.facts, secrets)
        lost = not from_start
        self.halves = Half(Side.CLIENT, lost=lost), Half(Side.SERVER, lost=lost)
        # A list: there are very many connections, and nearly none of them has something here.
        self._held: list[tuple[Half, FramedRecord]] = []
        self._held_bytes = self._version = 0
        self.is_sealed = self._again = False
        #: Size of the first encrypted record of the client, of TLS 1.3.
        self.first_sealed = 0
        if lost:
            self._seal(NOT_FROM_START)

    def chunk(self, chunk: Chunk) -> None:
        half = self.halves[chunk[0]]
        if half.opener is not None and not self.is_sealed and not self._held and self._whole(half, chunk):
            return
        for record in half.reader.feed(chunk):
            self._record(half, record)
        if half.reader.broken and not half.first:
            half.first = chunk.data[:64] or b"\0"
            if half.side is Side.SERVER and self.facts.answer is None:
                self.foreign = half.first
            self._seal(UNREADABLE)

    def _whole(self, half: Half, chunk: Chunk) -> bool:
        """Takes a chunk that is one record of the program, the short way; False, and nothing done, for any other."""
        side, offset, data, number, time = chunk
        if not half.reader.is_whole(chunk) or self.facts.opened is None:
            return False
        plain = self.plain(half, half.sequence, data)
        if plain is None:
            return False
        at = half.offset
        half.took(offset, len(data), len(plain))
        if plain:
            inner = _new(Chunk, (side, at, plain, number, time))
            handler = self.inner.handler
            if type(handler) is Exchanges:
                handler.chunk(inner)
            else:
                self._desk.plain(self.inner, inner)
        return True

    def plain(self, half: Half, number: int, record: bytes) -> bytes | None:
        """What the program sent in the record of that number, with its header; None: it can not be opened so."""
        assert half.opener is not None
        plain = half.opener(number, tls.APPLICATION, record[1] << 8 | record[2], record[HEADER:])
        if plain is None or not self._handshake.is_1_3:
            return plain
        plain = plain.rstrip(b"\0")
        return plain[:-1] if plain[-1:] == _PROGRAM else None

    @property
    def in_step(self) -> bool:
        """True when whole records of the program in order are all that is expected, and bring exchanges."""
        inner = self.inner.handler
        if self.is_sealed or self._held or self.facts.opened is None or self._handshake.is_chained:
            return False
        are_open = all(half.opener is not None and half.reader.is_between for half in self.halves)
        return are_open and type(inner) is Exchanges and inner.in_step

    def gap(self, gap: Gap) -> None:
        half = self.halves[gap.side]
        half.reader.gap(gap)
        half.messages.clear()
        if self.facts.decrypted:
            self._desk.missing(self.inner, gap.side)

    def closed(self, number: int, time: int) -> None:  # noqa: ARG002  every handler is told both
        if not self.is_sealed:
            self._release()
        if self._held:
            self._seal(self._no_keys())
        elif not self.facts.decrypted and (self.connection.gaps or self.connection.snapped):
            self._seal(IN_PART)
        if self.facts.decrypted:
            self._desk.plain_closed(self.inner)
        self._desk.tls_ended(self)

    # --- records ---------------------------------------------------------------------------------------------------

    def _record(self, half: Half, record: FramedRecord) -> None:
        is_1_3 = self._handshake.is_1_3
        if is_1_3 and record.kind == tls.CHANGE_CIPHER:
            return  # for old devices only
        protected = record.kind == tls.APPLICATION if is_1_3 else half.is_protected
        if not protected:
            self._content(half, record, record.kind, record.body)
            return
        if self.is_sealed:
            self._overheard(half, record)
        elif self._held:
            self._hold(half, record)
        else:
            self._decipher(half, record)

    def _decipher(self, half: Half, record: FramedRecord) -> None:
        open_record = half.opener or self._opener(half)
        if open_record is None:
            self._hold(half, record)
            return
        plain = self._opened(half, record, open_record)
        if plain is None:
            self._failed(half, record)
            return
        kind = record.kind
        if self._handshake.is_1_3:
            plain = plain.rstrip(b"\0")
            kind, plain = (plain[-1], plain[:-1]) if plain else (0, b"")
        if not self.facts.decrypted:
            self.facts.decrypted = True
            self._desk.opened(self.inner)
        self._content(half, record, kind, plain)

    def _opened(self, half: Half, record: FramedRecord, open_record: Opener) -> bytes | None:
        """The record's plain bytes; behind a hole its number is found by trying."""
        tries, is_unsure = 1, record.unsure or half.failures > 0
        if is_unsure:
            tries += min(max(0, record.offset - half.expect) // _SMALLEST_RECORD + 1, _MOST_TRIES)
        for missing in range(tries):
            plain = open_record(half.sequence + missing, record.kind, record.version, record.body)
            if plain is not None:
                if is_unsure and record.offset > half.expect:
                    self._missed(half, record, missing)
                half.sequence += missing + 1
                half.failures, half.expect = 0, record.offset + HEADER + len(record.body)
                half.overhead = HEADER + len(record.body) - len(plain)
                return plain
        return None

    def _missed(self, half: Half, record: FramedRecord, records: int) -> None:
        """So many records in front of this one were not captured."""
        size = record.offset - half.expect - records * (half.overhead or HEADER)
        if self.facts.opened is not None and size > 0:
            last = record.last
            self._desk.plain(self.inner, Gap(half.side, half.offset, size, last.number, last.time))
            half.offset += size

    def _failed(self, half: Half, record: FramedRecord) -> None:
        if self._handshake.sends_early and half.side is Side.CLIENT and not (half.is_behind or half.sequence):
            return  # what it sent before it was answered goes on behind that
        if not self.facts.decrypted:
            self._seal(WRONG_KEYS)
            self._overheard(half, record)
            return
        half.failures += 1
        half.reader.lose()
        if half.failures >= _MOST_FAILURES:
            self._seal(UNREADABLE)

    # --- what records hold -----------------------------------------------------------------------------------------

    def _content(self, half: Half, record: FramedRecord, kind: int, data: bytes) -> None:
        if kind == tls.APPLICATION:
            self._program(half, record, data)
        elif kind == tls.HANDSHAKE:
            for what, body in half.messages.feed(data):
                self._message(half, what, body, _mark(record))
        elif kind == tls.CHANGE_CIPHER:
            self._switch(half)
        elif kind == tls.ALERT and len(data) >= 2 and len(self.facts.alerts) < _MOST_ALERTS:
            self.facts.alerts.append(Alert(half.side, data[0] == 2, data[1], _mark(record)))
        half.expect = record.offset + HEADER + len(record.body)

    def _program(self, half: Half, record: FramedRecord, data: bytes) -> None:
        """What the program sent, a piece for each packet that carried the record, so that all of them are named."""
        if not self.facts.decrypted:
            return  # a cipher that hides nothing
        self.facts.opened = self.facts.opened or _mark(record)
        begin, spans = 0, record.spans
        front = max(0, HEADER + len(record.body) - len(data) - 16)
        last = spans[-1]
        for left, span in zip(range(len(spans) - 1, -1, -1), spans, strict=True):
            end = len(data) if not left else min(max(span.end - front, begin + 1), len(data) - left)
            if end > begin:
                chunk = Chunk(half.side, half.offset, data[begin:end], span.number, last.time)
                self._desk.plain(self.inner, chunk)
                half.offset += end - begin
                begin = end

    def _switch(self, half: Half) -> None:
        """Of TLS 1.2: the next records of this side are protected with what was agreed on last."""
        half.is_protected, half.opener, half.sequence = True, None, 0
        self._handshake.switched(half.side)

    def _message(self, half: Half, kind: int, body: bytes, mark: Mark) -> None:
        handshake = self._handshake
        if handshake.is_1_3 and kind == tls.FINISHED:
            half.is_behind, half.opener, half.secret = True, None, None
        elif handshake.is_1_3 and kind == tls.KEY_UPDATE and half.secret is not None:
            self._to_secret(half, handshake.updated(half.secret))
        else:
            handshake.message(half.side, kind, body, mark)

    # --- secrets ---------------------------------------------------------------------------------------------------

    def _opener(self, half: Half) -> Opener | None:
        """What opens this side's records; None while nobody knows the secret."""
        handshake = self._handshake
        if handshake.hopeless is not None:
            self._seal(handshake.hopeless)
            return None
        if handshake.is_1_3:
            secret = handshake.secret(half.side, handshake=not half.is_behind)
            if secret is not None:
                self._to_secret(half, secret)
        elif (openers := handshake.openers()) is not None:
            half.opener = openers[half.side]
        return half.opener

    def _to_secret(self, half: Half, secret: bytes) -> None:
        half.secret, half.opener, half.sequence = secret, self._handshake.opener_of(secret), 0

    # --- waiting ---------------------------------------------------------------------------------------------------

    def _hold(self, half: Half, record: FramedRecord) -> None:
        """Keeps a record until its secret is known, if that may be."""
        if self.is_sealed:
            self._overheard(half, record)
            return
        size = len(record.body)
        may_wait = self._held_bytes + size <= MAX_TLS_HELD and self._secrets.may_grow and self._desk.room(size)
        if not may_wait:
            self._seal(self._no_keys())
            self._overheard(half, record)
            return
        self._held.append((half, record))
        self._held_bytes += size
        if self._version != self._secrets.version or self._secrets.refresh is not None:
            self._version = self._secrets.version
            self._release()

    def _no_keys(self) -> str:
        return NO_KEYS if self._handshake.is_chosen or not self.connection.gaps else IN_PART

    def _release(self) -> None:
        """Deciphers what waits, if there are secrets by now."""
        if self._held and self._opener(self._held[0][0]) is not None:
            for half, record in self._let_go():
                self._record(half, record)

    def _let_go(self) -> list[tuple[Half, FramedRecord]]:
        waiting, self._held = self._held, []
        self._desk.room(-self._held_bytes)
        self._held_bytes = 0
        return waiting

    def _seal(self, reason: str) -> None:
        if self.is_sealed:
            return
        self.is_sealed = True
        self.facts.reason = reason
        self._handshake.forget()
        for half, record in self._let_go():
            self._overheard(half, record)
        self._desk.stays_sealed(self)

    def _overheard(self, half: Half, record: FramedRecord) -> None:
        """A record that stays closed: its size and time are all that is known of it."""
        is_1_3, size = self._handshake.is_1_3, len(record.body)
        if record.kind == tls.HANDSHAKE and self.rhythm.turns and not is_1_3 and half.side is Side.CLIENT:
            self.facts.renegotiations += not self._again
            self._again = True
        if record.kind == tls.APPLICATION:
            self._again = False
            self.rhythm.heard(half.side, size, _mark(record), is_1_3=is_1_3)
            if half.side is Side.CLIENT:
                self.first_sealed = self.first_sealed or size
            if self.rhythm.first is not None and self.facts.opened is None:
                self.facts.opened = self.rhythm.first
                self._desk.talks_sealed(self)


def _mark(record: FramedRecord) -> Mark:
    return Mark(record.last.number, record.last.time)
