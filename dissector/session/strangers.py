"""Connections of others that begin in a block, taken in two steps: their SYN, and the segment that tells so.

Packet by packet, each of them would be a flow with two directions and somebody who listens to it, only to be forgotten
at its first data.  The tracer is asked at the SYN, as it stands then, whether anything that it knows is about these
ends; then the connection goes packet by packet.  What others may ask until it is known to be foreign (which of the
undecided connections came first, which one is shown again on another leg) is noted as for any other connection.
"""

from __future__ import annotations

from dissector.limits import HALF_OPEN_SECONDS
from dissector.model import Connection, Endpoint, Mark, Role, address_text
from dissector.session.early import Early
from dissector.session.join import Joiner
from dissector.session.numbering import Sequencer
from dissector.session.overview import Overview
from dissector.session.pairs import Copies, Opened
from dissector.session.sniffer import Sniffer
from dissector.session.timeouts import SECOND
from dissector.session.tls_room import TlsRoom
from dissector.stream.block import Block, Conversation
from dissector.stream.fast_path import ip_size, payload_of, reader
from dissector.stream.reassembly import Connections
from dissector.traffic import Chunk, Side

#: How connections with TLS begin.
_HELLO = b"\x16\x03"

_new = tuple.__new__


class Stranger:
    """A connection that is under way in a block and will be foreign; the attributes are those of ``Connection``."""

    __slots__ = ("client", "first_packet", "server", "start")

    def __init__(self, client: Endpoint, server: Endpoint, start: int, first_packet: int) -> None:
        self.client = client
        self.server = server
        self.start = start
        self.first_packet = first_packet


class Strangers:
    """``connections`` and all others are the tracer's own.  A block is entered before its connections begin."""

    _has_room: bool
    _due: int
    _latest: int

    def __init__(
        self,
        callback_ports: tuple[int, int],
        connections: Connections,
        joiner: Joiner,
        copies: Copies,
        early: Early,
        order: Sequencer,
        overview: Overview,
        tls: TlsRoom,
    ) -> None:
        self._low, self._high = callback_ports
        self._connections = connections
        self._joiner, self._copies, self._early = joiner, copies, early
        self._order, self._overview, self._tls = order, overview, tls

    def enter(self, block: Block) -> None:
        """A new block begins."""
        self._has_room = self._connections.has_room(len(block.conversations) + len(block.others))
        # What comes into the table in this block is not due before.
        self._latest = block.times[0] + HALF_OPEN_SECONDS * SECOND
        self._due = 0

    def begin(self, block: Block, conversation: Conversation) -> Stranger | None:
        """Takes the SYN of a connection that is ``foreign_at`` a place, if it can be taken for foreign from here on."""
        keys, place = conversation.keys, conversation.places[0]
        index, key = place >> 1, keys[place & 1]
        port, time, find = key[-2] << 8 | key[-1], block.times[index], self._connections.find
        if self._low <= port <= self._high or not self._has_room or find(keys[0]):
            return None
        if self._connections.is_full():
            return None
        if time >= self._due:
            # At a SYN that goes the usual way, the table gives up what is old.
            due = self._connections.next_due()
            self._due = self._latest if due is None else min(self._latest, due)
            if time >= self._due:
                return None
        size = len(key) - 4 >> 1
        client: Endpoint = _new(Endpoint, (address_text(key[:size]), key[-4] << 8 | key[-3]))
        server: Endpoint = _new(Endpoint, (address_text(key[size:-4]), port))
        if self._joiner.may_concern(client, server) or self._is_tls(block, conversation):
            return None
        headers, number = reader(ip_size(key))(block.data, block.ip(index)), block.numbers[index]
        mark = _new(Mark, (number, time, headers[2], headers[1]))
        if self._copies.of(_new(Opened, (client, server, headers[3], mark, time))) is not None:
            return None
        stranger = Stranger(client, server, time, number)
        self._order.opened(stranger)
        self._early.note(None)
        return stranger

    def _is_tls(self, block: Block, conversation: Conversation) -> bool:
        """True for TLS that is looked into."""
        if not self._tls.wants(False):
            return False
        places = conversation.places[: conversation.foreign_at + 1]
        for place in places:
            begin, end = payload_of(block, conversation, place >> 1)
            if end > begin and place & 1 == places[0] & 1:
                return _HELLO.startswith(block.data[begin : min(begin + 2, end)])
        return False

    def tell(self, stranger: Stranger, block: Block, conversation: Conversation) -> None:
        """Takes all packets up to the one that tells that the connection is foreign."""
        if not self._overview.has_tasks:
            self._overview.judged(_listened(stranger, block, conversation), Role.UNKNOWN)
        self._order.decided(stranger)


def _listened(stranger: Stranger, block: Block, conversation: Conversation) -> Sniffer:
    """What knows the connection up to that packet."""
    connection = Connection(stranger.client, stranger.server, stranger.start, stranger.first_packet)
    sniffer = Sniffer(connection, is_command_port=False)
    client = conversation.places[0] & 1
    for place in conversation.places[: conversation.foreign_at + 1]:
        index, side = place >> 1, Side((place & 1) ^ client)
        begin, end = payload_of(block, conversation, index)
        connection.packets += 1
        connection.sides[side].packets += 1
        connection.bytes += end - begin
        sniffer.chunk(Chunk(side, 0, block.data[begin:end], block.numbers[index], block.times[index]))
    return sniffer
