"""Who sent a reset, by hand: each packet of an end that is remembered counts, and each on its own."""

from __future__ import annotations

from typing import Any

import pytest
from parts import HERE, SECOND, THERE, connection, facts, record

from dissector.model import Connection, Mark, Role
from dissector.session.reset_origin import by_device, doubt, forgery, stopped, ttls
from dissector.traffic import Side


def mark(number: int, ttl: int = 64, ip_id: int = 0) -> Mark:
    return Mark(number, number * SECOND, ttl, ip_id)


def reset(ttl: int, *, side: Side = THERE, **fields: object) -> tuple[Connection, Mark]:
    """A command connection, reset in the name of one side by packet 50; both ends have the TTL 64 so far."""
    one = connection()
    end = one.sides[side].rst = mark(50, ttl)
    one.sides[side].packets = 4
    for name, value in fields.items():
        setattr(one.sides[side], name, value)
    return one, end


# --- by the TTL ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [HERE, THERE])
def test_a_ttl_that_no_other_packet_has(side: Side) -> None:
    who = "the client" if side is HERE else "the remote"
    one, end = reset(125, side=side)
    assert forgery(one, side, end) == f"its TTL is 125, the packets of {who} have 64"
    assert by_device(one, side, end)
    assert not by_device(one, side, mark(49))
    one, end = reset(64, side=side)
    assert forgery(one, side, end) == ""
    assert not by_device(one, side, end)
    one, end = reset(0, side=side)
    assert forgery(one, side, end) == ""


@pytest.mark.parametrize(
    ("usual", "ttl", "forged"),
    [
        (60, 61, False),  # a path that became shorter by a hop
        (60, 59, False),
        (60, 64, True),  # from the network of the capture, where the remote is not
        (64, 63, False),
        (60, 65, True),  # 128 at its beginning
        (65, 128, True),
        (65, 127, False),
        (120, 254, True),
        (250, 254, False),
        (30, 32, True),
        (30, 33, True),
    ],
)
def test_a_path_that_changes_is_no_device(usual: int, ttl: int, forged: bool) -> None:
    one, end = reset(ttl, first_data=mark(9, usual), last_data=mark(10, usual))
    one.sides[THERE].ttl = usual
    one.syn_acks = []
    assert by_device(one, THERE, end) is forged


@pytest.mark.parametrize(("side", "packets"), [(HERE, 2), (THERE, 1)])
def test_a_handshake_alone_is_not_known_to_be_the_host_s(side: Side, packets: int) -> None:
    """A device may have answered it, or asked, in the name of a host that then resets."""
    for count, ttl, forged in ((packets, 125, False), (packets + 1, 125, True), (packets, 254, True)):
        one, end = reset(ttl, side=side, packets=count + 1, first_data=None, last_data=None)
        assert by_device(one, side, end) is forged
    one, end = reset(125, side=side, packets=2, first_data=mark(9), last_data=mark(9))
    assert by_device(one, side, end)


@pytest.mark.parametrize("name", ["first_data", "last_data", "late_data", "fin", "before_rst"])
def test_the_ttl_of_any_packet_counts(name: str) -> None:
    found: dict[str, Any] = {name: mark(9, 61)}
    one, end = reset(61, **found)
    assert ttls(one, THERE) == {61, 64}
    assert not by_device(one, THERE, end)


@pytest.mark.parametrize("name", ["retransmitted", "zero_windows"])
def test_the_ttl_of_any_repetition_counts(name: str) -> None:
    found: dict[str, Any] = {name: [mark(9, 64), mark(10, 61)]}
    one, _ = reset(61, **found)
    assert ttls(one, THERE) == {61, 64}


def test_the_ttl_of_the_handshake_is_that_of_who_sent_it() -> None:
    for side, name in ((HERE, "syns"), (THERE, "syn_acks")):
        one, _ = reset(50, side=side)
        setattr(one, name, [mark(1, 63), mark(2, 62)])
        assert ttls(one, side) == {62, 63, 64}
        assert ttls(one, side.other) == {64}


def test_the_last_packet_counts_when_it_is_not_the_reset() -> None:
    one, _ = reset(61, last=mark(50, 61))
    assert ttls(one, THERE) == {64}
    one = connection()
    one.sides[THERE].last = mark(9, 61)
    assert ttls(one, THERE) == {61, 64}


@pytest.mark.parametrize(("packets", "rst", "known"), [(1, True, False), (2, True, True), (1, False, True)])
def test_a_reset_alone_has_no_ttl_of_another_packet(packets: int, rst: bool, known: bool) -> None:
    one, end = reset(61, packets=packets)
    one.syn_acks, one.sides[THERE].ttl = [], 61
    if not rst:
        one.sides[THERE].rst = None
    assert ttls(one, THERE) == ({61} if known else set())
    assert not by_device(one, THERE, end)


def test_the_other_connection_of_the_same_hosts_counts() -> None:
    """It runs in the other direction."""
    for which in (0, 1):
        made = facts()
        one, other = record(made)[which], record(made)[1 - which]
        one.task = other.task = made.record
        for side in Side:
            other.sides[side].first_data = mark(9, 50 + side)
        assert ttls(one, HERE) == {64, 51}
        assert ttls(one, THERE) == {64, 50}
        other.client = other.client._replace(ip="10.9.9.9")
        assert ttls(one, HERE) == ttls(one, THERE) == {64}
    made.record.callback = None
    one.task = None
    assert ttls(one, HERE) == {64}


# --- by the IP id ----------------------------------------------------------------------------------------------------


def counting(ttl: int = 64, ip_id: int = 120, **fields: object) -> tuple[Connection, Mark]:
    """A remote that counts its packets from 100 on; the last one before the reset has 110."""
    one, end = reset(ttl, first_data=mark(5, 64, 100), last_data=mark(9, 64, 110), before_rst=mark(9, 64, 110))
    end = one.sides[THERE].rst = end._replace(ip_id=ip_id)
    for name, value in fields.items():
        setattr(one.sides[THERE], name, value)
    return one, end


def of_remote(made: tuple[Connection, Mark]) -> tuple[Connection, Side, Mark]:
    return made[0], THERE, made[1]


def test_another_path_is_the_sender_s_when_its_ip_id_goes_on() -> None:
    assert forgery(*of_remote(counting(61))) == ""
    assert "TTL is 61" in forgery(*of_remote(counting(61, 9_000)))
    assert forgery(*of_remote(counting(61, 9_000, rst_unknown=True))) == ""
    for ttl, forged in ((61, False), (125, True)):
        assert bool(forgery(*of_remote(counting(ttl, before_rst=None)))) is forged
        assert bool(forgery(*of_remote(counting(ttl, first_data=None)))) is forged  # nobody knows that it counts


def test_an_ip_id_that_does_not_follow() -> None:
    words = "its IP id is 9000, the packets of the remote have counted up to 110"
    assert forgery(*of_remote(counting(64, 9_000))) == words
    assert forgery(*of_remote(counting(64, 9_000, rst_unknown=True))) == ""
    assert forgery(*of_remote(counting(64, 9_000, last_data=None))) == ""
    assert forgery(*of_remote(counting(64, 9_000, first_data=mark(5, 64, 9_500)))) == ""


def test_one_packet_is_no_counting() -> None:
    one, end = counting(64, 9_000)
    one.sides[THERE].first_data = one.sides[THERE].last_data
    assert forgery(one, THERE, end) == ""


def test_the_other_connection_shows_that_a_host_counts() -> None:
    made = facts()
    command, callback = record(made)
    command.task = callback.task = made.record
    end = command.sides[THERE].rst = mark(50, 64, 9_000)
    command.sides[THERE].last_data, command.sides[THERE].packets = mark(9, 64, 110), 3
    assert forgery(command, THERE, end) == ""
    callback.syns = [mark(1, 64, 300)]  # the remote is the client there
    callback.sides[HERE].last_data = mark(20, 64, 310)
    assert forgery(command, THERE, end).startswith("its IP id is 9000")
    callback.syns = []
    assert forgery(command, THERE, end) == ""
    callback.sides[HERE].first_data = mark(19, 64, 305)
    assert forgery(command, THERE, end).startswith("its IP id is 9000")


def test_the_client_counts_from_its_syn_on() -> None:
    one = connection(syns=[mark(1, 64, 100)])
    sender = one.sides[HERE]
    end = sender.rst = mark(50, 64, 9_000)
    sender.first_data = sender.last_data = mark(9, 64, 110)
    assert forgery(one, HERE, end).startswith("its IP id is 9000")
    one.syns = [mark(1, 64, 20_000)]
    assert forgery(one, HERE, end) == ""


@pytest.mark.parametrize(
    ("number", "ip_id", "forged"),
    [(51, 20_000, True), (50, 20_000, False), (51, 100, False), (51, 102, True), (51, 101, True)],
)
def test_data_behind_a_reset(number: int, ip_id: int, forged: bool) -> None:
    """Unless it overtook the data, whose IP id is one of the next."""
    one, end = reset(64, late_data=mark(number, 64, ip_id))
    end = one.sides[THERE].rst = end._replace(ip_id=101)
    words = "the data of the remote go on behind it (packet 51)" if forged else ""
    assert forgery(one, THERE, end) == words


# --- doubts ----------------------------------------------------------------------------------------------------------


def test_packets_with_several_ttls_leave_a_doubt() -> None:
    for name, rst, doubted in (
        ("last_data", True, True),
        ("before_rst", True, True),
        ("last", True, False),
        ("last", False, True),
    ):
        found: dict[str, Any] = {name: mark(9, 62)}
        one, _ = reset(64, first_data=mark(5, 64), **found)
        if not rst:
            one.sides[THERE].rst = None
        assert doubt(one, THERE) == (
            " (less certain: packets of the remote have TTLs 62 and 64, as on several paths or at several places "
            "of capture)"
            if doubted
            else ""
        )


def test_one_ttl_or_none_leaves_no_doubt() -> None:
    one, _ = reset(64, first_data=mark(5, 64), last_data=mark(9, 64))
    assert doubt(one, THERE) == ""
    one, _ = reset(64, first_data=mark(5, 64), last_data=mark(9, 0))
    assert doubt(one, THERE) == ""
    one, _ = reset(64, last_data=mark(5, 64), before_rst=mark(9, 62))
    assert doubt(one, THERE) == ""  # it never sent data that was captured


def test_the_ends_of_a_callback_connection_have_their_names() -> None:
    one = connection(Role.CALLBACK)
    end = one.sides[HERE].rst = mark(50, 125)
    one.sides[HERE].first_data = mark(5)
    assert forgery(one, HERE, end) == "its TTL is 125, the packets of the task process have 64"


# --- at two places ---------------------------------------------------------------------------------------------------


def at_two_places(**fields: object) -> Connection:
    """The remote's reset of second 50 answers packet 49, which came no farther than the client's side of a device."""
    one, _ = reset(64, rst_answers=mark(49, 128)._replace(time=50 * SECOND - SECOND // 2))
    one.sides[HERE].places, one.sides[THERE].places = (128, 127), (64, 63)
    one.sides[HERE].last = one.sides[THERE].rst_answers
    for name, value in fields.items():
        setattr(one.sides[THERE], name, value)
    return one


def test_a_packet_that_never_came_to_the_place_of_its_answer() -> None:
    one = at_two_places()
    asked, end = one.sides[THERE].rst_answers, one.sides[THERE].rst
    assert stopped(one, THERE) is asked
    assert end is not None
    words = "packet 49, which it answers, was captured before that device and not behind it"
    assert forgery(one, THERE, end) == words
    assert stopped(one, HERE) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"rst": None},
        {"rst": mark(50, 63)},  # it passed the device
        {"rst_again": True},
        {"rst_answers": None},
        {"rst_answers": mark(49, 127)._replace(time=50 * SECOND)},  # this one passed the device
        {"rst_answers": mark(49, 128)._replace(time=50 * SECOND - SECOND // 2 - 1)},  # no answer, so late
        {"places": None},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_reset_that_its_end_may_have_sent(fields: dict[str, object]) -> None:
    assert stopped(at_two_places(**fields), THERE) is None


def test_packets_of_the_other_end_captured_at_one_place_only() -> None:
    one = at_two_places()
    one.sides[HERE].places = None
    assert stopped(one, THERE) is None


def test_a_packet_that_passed_the_device_after_its_answer() -> None:
    one = at_two_places()
    for last, found in ((mark(51, 127), False), (mark(51, 127, 9), True), (mark(51, 128), True), (None, False)):
        one.sides[HERE].last = last
        assert (stopped(one, THERE) is not None) == found


def test_the_other_connection_shows_the_places() -> None:
    one, made = at_two_places(), facts()
    made.record.command, other = one, record(made)[1]
    one.task = other.task = made.record
    one.sides[THERE].places, other.sides[HERE].places = None, (64, 63)
    assert stopped(one, THERE) is not None
    one.sides[HERE].places, other.sides[THERE].places = None, (128, 127)
    assert stopped(one, THERE) is not None
    one.task = None
    assert stopped(one, THERE) is None


def test_no_doubt_about_a_reset_that_was_captured_twice() -> None:
    one, _ = reset(64, first_data=mark(5, 64), last_data=mark(9, 63))
    assert "less certain" in doubt(one, THERE)
    one.sides[THERE].rst_again = True
    assert doubt(one, THERE) == ""
