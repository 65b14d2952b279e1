"""A connection of others is told from its first packets in a block, and every oddity leaves it to the long way."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from kit import ACK, FIN, PSH, RST, SYN
from test_run_detection import CLIENT, PROCESS, SECOND, Spoken

from dissector.session.foreign_start import foreign_at
from dissector.stream.block import Block

GREETING, HELLO = b"220 mail ESMTP\r\n", b"EHLO x\r\n"
#: Where the fields of the headers stand in a frame.
SEQ, ACKED, FLAGS = 38, 42, 47
Change = Callable[[Spoken], object]


def place_in(block: Block) -> int:
    talk = block.conversations[-1]
    found = foreign_at(block, talk, block.ip_offset)
    # Nothing depends on whether all packets have the same shape, nor on which direction is named first.
    assert foreign_at(block, talk, None) == found
    turned = talk._replace(keys=talk.keys[::-1], places=[place ^ 1 for place in talk.places])
    assert foreign_at(block, turned, None) == found
    return found


def mail(isn: int = 1_000) -> Spoken:
    """The client (0) says something in packet 3, the server in packet 4."""
    return Spoken(syn=True, isn=isn).say(PROCESS, GREETING, flags=PSH | ACK).say(CLIENT, HELLO, flags=PSH | ACK)


def moved(place: int, field: int, by: int) -> Change:
    def change(talk: Spoken) -> None:
        data = talk.records[place].data
        value = int.from_bytes(data[field : field + 4], "big") + by & 0xFFFF_FFFF
        talk.change(place, field, struct.pack(">I", value))

    return change


def flagged(place: int, flags: int) -> Change:
    return lambda talk: talk.change(place, FLAGS, bytes([flags]))


@pytest.mark.parametrize("isn", [1_000, 2**32 - 1, 2**32 - 9, 0xFFFF_FFFF ^ 0x5555_0000])
def test_the_first_data_of_others_tells(isn: int) -> None:
    assert place_in(mail(isn).block()) == 3


@pytest.mark.parametrize(
    "change",
    [
        flagged(0, SYN | ACK),
        flagged(0, ACK),
        flagged(1, SYN),
        flagged(1, ACK),
        flagged(2, SYN | ACK),
        flagged(2, FIN | ACK),
        flagged(3, RST | ACK),
        flagged(3, PSH),
        moved(1, ACKED, 1),
        moved(1, ACKED, -1),
        *(moved(place, SEQ, by) for place in (2, 3) for by in (1, -1)),
        *(moved(place, ACKED, 1) for place in (2, 3)),
    ],
)
@pytest.mark.parametrize("isn", [1_000, 0xFFFF_FFFF ^ 0x5555_0000])
def test_what_is_not_usual_tells_nothing(change: Change, isn: int) -> None:
    """Each of the flags and numbers of the first packets, the server's next number 0 among them."""
    talk = mail(isn)
    change(talk)
    assert place_in(talk.block()) == 0


def test_an_acknowledgement_may_be_old() -> None:
    talk = mail()
    moved(3, ACKED, -1)(talk)
    assert place_in(talk.block()) == 3


def test_data_in_a_packet_that_opens_tells_nothing() -> None:
    for first, second in ((GREETING, b""), (b"", GREETING)):
        talk = Spoken().say(PROCESS, first, flags=SYN).say(CLIENT, second, flags=SYN | ACK).say(PROCESS, GREETING)
        assert place_in(talk.block()) == 0


@pytest.mark.parametrize(("cut", "place"), [(0, 3), (1, 0)])
def test_data_that_was_cut_tells_nothing(cut: int, place: int) -> None:
    talk = Spoken(syn=True).say(PROCESS, GREETING)
    assert place_in(talk.block(cut=cut)) == place


@pytest.mark.parametrize(("silent", "place"), [(12, 15), (13, 0)])
def test_so_many_packets_are_looked_at(silent: int, place: int) -> None:
    talk = Spoken(syn=True)
    for _ in range(silent):
        talk.say(CLIENT)
    assert place_in(talk.say(PROCESS, GREETING).block()) == place


@pytest.mark.parametrize(("after", "place"), [(60 * SECOND - 2_000_001, 3), (60 * SECOND - 2_000_000, 0)])
def test_what_takes_a_minute_is_left_alone(after: int, place: int) -> None:
    assert place_in(Spoken(syn=True).say(PROCESS, GREETING, after=after).block()) == place


@pytest.mark.parametrize(("others", "place"), [([], 3), ([4], 3), ([3], 0), ([1], 0), ([0], 0)])
def test_what_comes_in_between_may_be_about_it(others: list[int], place: int) -> None:
    """Packets that are not plain (``others``), ICMP among them."""
    block = mail().block()
    assert place_in(block._replace(others=others)) == place


@pytest.mark.parametrize(("others", "place"), [([], 3), ([3], 3), ([4], 0), ([7], 0), ([8], 3)])
def test_a_connection_may_begin_anywhere_in_a_block(others: list[int], place: int) -> None:
    """Here in packet 4 and more than a minute behind the first one."""
    talk, before = mail(), Spoken().say(PROCESS).say(PROCESS).say(PROCESS).say(PROCESS)
    before.change(0, 30, b"\x0a\x09").change(1, 30, b"\x0a\x09").change(2, 30, b"\x0a\x09").change(3, 30, b"\x0a\x09")
    early = [one._replace(time=one.time - 70 * SECOND) for one in before.records]
    talk.records[:0], talk.sides[:0] = early, before.sides
    block = talk.block()
    found = [one for one in block.conversations if one.places[0] >> 1 == 4]
    assert place_in(block._replace(conversations=found, others=others)) == place


def test_data_that_may_be_ours_is_looked_at_until_it_tells() -> None:
    talk = Spoken(syn=True).say(PROCESS, b"\0").say(CLIENT).say(PROCESS, b"\0\0\0xFoo")
    assert place_in(talk.block()) == 5
    moved(5, SEQ, 1)(talk)
    assert place_in(talk.block()) == 0


def test_what_is_ours_is_not_foreign() -> None:
    assert place_in(Spoken(syn=True).talk(1).block()) == 0
