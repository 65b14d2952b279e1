"""What the tracer finds in a capture, kept as far as a copy of the capture needs it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from html import escape, unescape
from itertools import groupby
from typing import NamedTuple

from dissector.beside import Beside
from dissector.model import Connection, Event, Exchange, LogLine, Message, Problem, Role, Task
from dissector.session.advance import events_of
from dissector.session.run_detection import runs_finder
from dissector.session.tracer import Tracer
from dissector.share import http_texts
from dissector.share.pieces import MessagePiece, Pieces
from dissector.share.streams import ConnectionSide
from dissector.share.texts import markup_spans, readable, spans, without_secrets
from dissector.sources.capture import CaptureReader
from dissector.survey import survey
from dissector.traffic import Side
from dissector.wire.http import places_of
from dissector.wire.http_message import HttpMessage
from dissector.wire.tls_keys import Secrets

_HEADER = 4
#: A secret shorter than this, or a number shorter than that, is not looked for elsewhere: it may be anything.
_LEAST_SECRET, _LEAST_NUMBER = 4, 6
#: Bytes of secrets that are told apart one by one; what they share beyond is seldom.
_DEEPEST = 40
_ASTERISKS = re.compile(rb"\*+")


class Hints(NamedTuple):
    """Ports for connections whose bytes say nothing (see ``Tracer``)."""

    command_ports: tuple[int, ...]
    callback_ports: tuple[int, int]
    #: To decipher TLS with, and with those that the capture has among its packets; None: it stays as it is.
    secrets: Secrets | None = None


@dataclass(slots=True)
class CaptureIndex:
    """Everything of JobScheduler in a capture."""

    tasks: list[Task] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    connections: dict[Connection, None] = field(default_factory=dict)
    pieces: dict[ConnectionSide, Pieces] = field(default_factory=dict)
    #: Texts that were masked somewhere, as bytes.
    secrets: set[bytes] = field(default_factory=set)
    #: What there is where there is no task.
    instead: list[Problem] = field(default_factory=list)
    #: Time of the capture's latest packet; None: none has one.
    end: int | None = None
    #: Of messages in bodies over HTTP, by exchange and direction: without secrets, and places of the user's own.
    _bodies: dict[tuple[int, bool], tuple[bytes, list[tuple[int, int]]]] = field(default_factory=dict)
    _exchanges: list[Exchange] = field(default_factory=list)
    #: What the capture has of a TLS key log among its packets, if it was of use.
    key_log: bytes = b""

    @classmethod
    def of(
        cls,
        path: str,
        hints: Hints,
        *,
        messages: bool,
        keep: bool = True,
        on_event: Callable[[Event], object] | None = None,
        new_log: Callable[[], list[LogLine]] = list,
    ) -> CaptureIndex:
        """What is in the file, with the texts of its messages if they are wanted and to be kept; ``on_event`` gets all
        of it first, and ``new_log`` is what keeps the log of a task.  Unless texts are kept, interfaces of the file
        that are places of capture are read as such, with the connections of all of them.

        Raises CaptureError.
        """
        found, secrets = cls(), hints.secrets

        def add(log: bytes) -> None:
            if secrets is not None and log not in found.key_log:
                secrets.add_captured(log)
                found.key_log += log + b"\n"

        ports = hints.command_ports, hints.callback_ports
        if not keep and (sites := survey([path], None, *ports)):
            beside = Beside([path], sites, *ports, messages=messages, secrets=secrets, on_secrets=add)
            found._add(beside.events(), False, on_event)
            found.tasks.sort(key=lambda task: task.n)
            found.end = beside.infos[0].last
            return found
        tracer, reader = Tracer(*ports, messages=messages, secrets=secrets), CaptureReader([path], on_secrets=add)
        tracer.new_log, copies = new_log, list[Connection]()
        tracer.watch_copies(copies.append)
        with closing(reader.blocks(runs_finder(secrets), prefetch=True)) as blocks:
            found._add(events_of(tracer, blocks), messages and keep, on_event)
        found._add_copies(copies)
        found.instead += tracer.overview.problems()
        found.end = reader.infos[0].last
        found.tasks.sort(key=lambda task: task.n)
        return found

    def _add(self, events: Iterable[Event], messages: bool, on_event: Callable[[Event], object] | None) -> None:
        for event in events:
            if on_event is not None:
                on_event(event)
            if isinstance(event, Task):
                self.tasks.append(event)
            elif isinstance(event, Connection):
                self.connections[event] = None
            elif isinstance(event, Problem):
                self.problems.append(event)
                if event.connection is not None:
                    self.connections[event.connection] = None
            elif messages and isinstance(event, Message):
                self._message(event)
            elif messages and isinstance(event, Exchange) and event.connection.role is Role.HTTP:
                self._exchanges.append(event)
        for exchange in self._exchanges:
            self._half(exchange, exchange.request_raw, exchange.request, exchange.request_packets, to_remote=True)
            if exchange.response is not None:
                half = exchange.response_raw, exchange.response, exchange.response_packets
                self._half(exchange, *half, to_remote=False)
        self._exchanges.clear()
        self._bodies.clear()

    def _add_copies(self, copies: Iterable[Connection]) -> None:
        """What the other leg of a gateway shows is said by the same messages."""
        originals = {_opening(one): one for one in self.connections if one.role is not Role.UNKNOWN}
        for copy in copies:
            original = originals.get(_opening(copy))
            if original is None:
                continue
            self.connections[copy] = None
            copy.role, copy.tls = original.role, original.tls
            for side in Side:
                if (pieces := self.pieces.get(ConnectionSide(original, side))) is not None:
                    self.pieces[ConnectionSide(copy, side)] = pieces

    def _half(
        self, exchange: Exchange, raw: bytes, message: HttpMessage, packets: tuple[int, ...], *, to_remote: bool
    ) -> None:
        """A request or a response."""
        connection = exchange.connection
        body, inside = self._bodies.get((exchange.n, to_remote), (None, None))
        of_body = places_of(raw)
        clean = http_texts.without_secrets(raw, of_body, message, body)
        self._secret(raw, clean)
        places = http_texts.spans(raw, of_body, markup_spans, readable)
        if inside is not None:
            start = http_texts.body_start(raw, of_body)
            places = [place for place in places if place[1] <= start] + [(start + a, start + b) for a, b in inside]
        elif of_body.compressed:
            text = message.body.decode("iso-8859-1")
            self._secret(text.encode("iso-8859-1"), http_texts.hidden(text).encode("iso-8859-1"))
        piece = MessagePiece(exchange.n, packets[0], 0, raw, clean, places, http_texts.bare(raw, of_body, message))
        side = Side.CLIENT if to_remote else Side.SERVER
        self.pieces.setdefault(ConnectionSide(connection, side), Pieces()).add(piece)

    def _secret(self, raw: bytes, clean: bytes) -> None:
        if clean != raw:
            self.secrets.update(_differing(raw, clean))

    def _message(self, message: Message) -> None:
        """Keeps what has to be known of a message; not of one that is too long to be decoded."""
        connection = message.connection
        if connection.role is Role.HTTP:
            clean = without_secrets(message)
            self._secret(message.raw, clean)
            self._bodies[message.exchange or 0, message.to_remote] = clean, spans(message)
            return
        if connection.role is not Role.COMMAND and message.size != len(message.raw) + _HEADER:
            return
        clean = without_secrets(message)
        self._secret(message.raw, clean)
        # On a callback connection the scheduler listens; on a command connection it calls.
        side = Side.CLIENT if message.to_remote == (connection.role is Role.COMMAND) else Side.SERVER
        header = 0 if connection.role is Role.COMMAND else _HEADER
        body = message.body
        bare = http_texts.bare(message.raw, places_of(message.raw), body) if isinstance(body, HttpMessage) else None
        piece = MessagePiece(message.n, message.packets[0], header, message.raw, clean, spans(message), bare)
        self.pieces.setdefault(ConnectionSide(connection, side), Pieces()).add(piece)


def _opening(connection: Connection) -> tuple[int | None, ...]:
    """What a connection has on both legs of a gateway."""
    return connection.client.port, connection.server.port, connection.sides[Side.CLIENT].first_seq


def _differing(raw: bytes, clean: bytes) -> Iterator[bytes]:
    """What of ``raw`` is behind the asterisks of ``clean``, as it is and as it may be written elsewhere."""
    for match in _ASTERISKS.finditer(clean):
        text = raw[match.start() : match.end()].decode("iso-8859-1")
        if text.strip("*"):
            variants = (text, unescape(text), escape(text), escape(text, quote=False), text.encode("latin-1").hex())
            yield from (variant.encode("iso-8859-1", "ignore") for variant in variants)


def pattern_of(secrets: Iterable[bytes]) -> re.Pattern[bytes] | None:
    """Finds every secret that is long enough to be known again."""
    wanted = [
        secret
        for secret in secrets
        if len(secret) >= (_LEAST_NUMBER if secret.strip().isdigit() else _LEAST_SECRET) and secret.strip()
    ]
    return re.compile(_any_of(sorted(set(wanted)), 0)) if wanted else None


def _any_of(words: list[bytes], depth: int) -> bytes:
    """A pattern that finds the longest of sorted ``words``, whose first ``depth`` bytes it does not repeat: a tree by
    their bytes, so that a place in a text costs what its own bytes do and not what there are words."""
    if len(words) == 1 or depth == _DEEPEST:
        return b"(?:" + b"|".join(re.escape(one[depth:]) for one in sorted(words, key=len, reverse=True)) + b")"
    ends = len(words[0]) == depth
    parts = [
        re.escape(bytes((first,))) + _any_of(list(group), depth + 1)
        for first, group in groupby(words[1:] if ends else words, key=lambda word: word[depth])
    ]
    return b"(?:" + b"|".join(parts) + b")" + (b"?" if ends else b"")
