"""What two places prove together, made by hand: which fact decides what is said, and which words it brings.

``points`` has whole captures; here stand the mirrors of its rows (``row_mirrors``).
"""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from parts import HERE, MS, SECOND, THERE, connection, facts, message, record

from dissector.limits import MAX_WAITING_BYTES
from dissector.model import Connection, Endpoint, Event, Mark, Outcome, Problem, Severity
from dissector.points import joined
from dissector.points.pairing import Joined, Leg
from dissector.points.place import CapturePoint
from dissector.points.rules import proven
from dissector.points.sharper import sharpen
from dissector.points.unjoined import unjoined
from dissector.session.case import problem
from dissector.session.task import TaskFacts
from dissector.traffic import IcmpError

BEHIND = Endpoint("10.9.9.9", 59_999)


class Pair:
    """A task that both places have alike: ``c`` is that of the client scheduler, ``r`` the remote's; it was lost."""

    def __init__(self) -> None:
        self.places = [CapturePoint(name, rank, first=0, last=1_000 * SECOND) for rank, name in enumerate("cr")]
        self.facts = [facts(), facts()]
        for made in self.facts:
            made.record.outcome = Outcome.LOST
            for number, one in enumerate(record(made), 7):
                one.sides[HERE].first_seq = number

    def command(self) -> tuple[Connection, Connection]:
        """As it is at the client scheduler's place and at the remote's."""
        c, r = (record(made)[0] for made in self.facts)
        return c, r

    def callback(self) -> tuple[Connection, Connection]:
        c, r = (record(made)[1] for made in self.facts)
        return c, r

    def group(self) -> Joined:
        return Joined([Leg(place, made) for place, made in zip(self.places, self.facts, strict=True)])

    def problems(self) -> list[Problem]:
        group = self.group()
        return proven(group, group.legs[0])

    def the(self) -> Problem:
        (found,) = self.problems()
        return found

    def astray(self) -> list[tuple[int, str, str, str, bool]]:
        return [(one.packet, one.what, one.near, one.far, one.is_forged) for one in self.facts[0].record.astray]


def test_a_task_that_is_alike_at_both_places() -> None:
    assert Pair().problems() == []


# --- lost ----------------------------------------------------------------------------------------------------------


def test_syns_that_never_come() -> None:
    pair = Pair()
    _, near = pair.callback()
    pair.facts[0].attempts, pair.facts[0].record.callback = [], None
    near.syns, near.syn_acks = [Mark(3, SECOND, 64, 5), Mark(4, 3 * SECOND, 64, 6)], []
    found = pair.the()
    assert (found.code, found.packets, found.time) == ("lost_between_points", (3, 4), SECOND)
    assert (found.severity, found.connection) == (Severity.ERROR, near)
    assert found.summary == "2 SYNs to 10.1.0.10:59999 in 2 s passed r and never came to c."
    assert found.cause == (
        "a device or link between r and c drops what the task process sends to open the callback connection"
    )
    assert found.remedy.startswith("let TCP connections from 10.2.0.10 to 10.1.0.10:59999 through between r and c")
    assert pair.astray() == [(number, "SYN to 10.1.0.10:59999", "r", "c", False) for number in (3, 4)]


@pytest.mark.parametrize("proof", ["answer here", "answer there", "refused by the host", "refused by another", "deaf"])
def test_syns_that_came_and_that_a_capture_lacks(proof: str) -> None:
    """Somebody answered them, or the capture has one direction only."""
    pair = Pair()
    far, near = pair.callback()
    command = pair.command()[0]
    far.syns, near.syn_acks = [], []
    if "there" not in proof:
        pair.facts[0].attempts, pair.facts[0].record.callback = [], None
    if proof == "answer here":
        near.syn_acks = [Mark(2, 1_000)]
    elif "refused" in proof:
        near.sides[THERE].rst = Mark(2, 1_000, 64 if proof.endswith("host") else 60)
    elif proof == "deaf":
        command.sides[THERE].packets = 0
    lost = [one for one in pair.problems() if "SYN " in one.summary]
    assert bool(lost) is (proof == "refused by another")


@pytest.mark.parametrize("by", ["acknowledged", "reset", "nothing"])
def test_syn_acks_that_a_capture_lacks(by: str) -> None:
    pair = Pair()
    near, far = pair.callback()
    far.syn_acks = []
    if by == "acknowledged":
        near.sides[HERE].acked = 0
    elif by == "reset":
        near.sides[HERE].rst = far.sides[HERE].rst = Mark(3, 2_000)
    assert [one.code for one in pair.problems()] == ["lost_between_points"] * (by == "nothing")


@pytest.mark.parametrize(("later", "is_told"), [(5 * SECOND, True), (5 * SECOND - 1, False)])
def test_syn_acks_of_which_one_comes(later: int, is_told: bool) -> None:
    pair = Pair()
    near, far = pair.callback()
    near.syn_acks = [Mark(3, SECOND, 64, 5), Mark(4, SECOND + later, 64, 6), Mark(5, 20 * SECOND, 64, 7)]
    far.syn_acks = [Mark(6, 20 * SECOND, 64, 7)]
    told = [one.summary for one in pair.problems() if one.severity is Severity.ERROR]
    assert told == ["2 of 3 SYN+ACKs to 10.2.0.10:50000 in 5 s passed c and never came to r."] * is_told
    assert bool(pair.astray()) is is_told


def lacking() -> Pair:
    """100 bytes of the task process, of second 11, never come to the client."""
    pair = Pair()
    there, here = (one.sides[HERE] for one in pair.callback())
    there.packets, here.packets, here.bytes, here.sent = 4, 5, 100, 100
    here.last_data, here.retransmitted = Mark(10, 10 * SECOND), [Mark(11, 11 * SECOND), Mark(12, 13 * SECOND)]
    pair.callback()[0].sides[THERE].last = Mark(8, 9 * SECOND)
    return pair


def test_data_that_never_come() -> None:
    pair = lacking()
    found = pair.the()
    assert (found.code, found.packets, found.time) == ("lost_between_points", (11, 12), 11 * SECOND)
    assert found.summary == "100 bytes of the task process passed r and never came to c (retransmitted 2 times in 2 s)."
    assert found.cause == "a device between the two places drops them, or the network loses them"
    assert pair.astray() == [(number, "100 bytes", "r", "c", False) for number in (11, 12)]


@pytest.mark.parametrize(
    ("acked", "holes", "left"), [(0, 0, 100), (99, 0, 1), (100, 0, 0), (60, 40, 40), (60, 60, 40), (0, 100, 100)]
)
def test_of_what_never_came_nothing_was_acknowledged(acked: int, holes: int, left: int) -> None:
    """``holes``: bytes that the capture there lacks as they were not acknowledged, of those that it has seen sent."""
    pair = lacking()
    far, near = pair.callback()
    near.sides[THERE].acked = acked
    far.sides[HERE].sent = far.sides[HERE].never_acknowledged = holes
    told = [one.summary.split(" of")[0] for one in pair.problems()]
    assert told == [f"{left} byte{'s' * (left > 1)}"] * bool(left)


@pytest.mark.parametrize("is_deaf", [True, False])
def test_a_capture_of_one_direction_has_lost_nothing_of_the_other(is_deaf: bool) -> None:
    pair = lacking()
    pair.callback()[0].sides[HERE].packets = 0
    pair.command()[0].sides[THERE].packets = 0 if is_deaf else 1
    pair.facts[1].record.command = pair.facts[0].record.command
    assert bool(pair.problems()) is not is_deaf


@pytest.mark.parametrize(
    ("size", "last", "is_large"),
    [(536, 6 * SECOND, True), (535, 6 * SECOND, False), (536, 6 * SECOND - 1, False), (None, 6 * SECOND, False)],
)
def test_sizes_that_never_come(size: int | None, last: int, is_large: bool) -> None:
    pair = lacking()
    pair.callback()[0].sides[HERE].last = Mark(7, last)
    pair.callback()[1].sides[HERE].smallest_retransmitted = size
    found = pair.the()
    assert ("in 2 s), segments of 536 bytes and more while smaller ones pass." in found.summary) is is_large
    assert found.cause.startswith("a link between r and c has a smaller MTU") is is_large
    assert found.remedy.endswith("or clamp the MSS there") is is_large
    assert found.packets == (7, 11, 12)


@pytest.mark.parametrize(
    ("last", "goes_on", "is_cut", "is_forgotten"),
    [
        (6 * SECOND, True, False, True),
        (6 * SECOND + 1, True, False, False),
        (6 * SECOND, False, False, False),
        (6 * SECOND, False, True, True),
    ],
)
def test_data_that_never_come_behind_a_silence(last: int, goes_on: bool, is_cut: bool, is_forgotten: bool) -> None:
    pair = lacking()
    pair.callback()[0].sides[THERE].last = Mark(8, last)
    for one in pair.command():
        one.end = 11 * SECOND - (not goes_on)
    if is_cut:
        pair.facts[0].record.problems.append(problem("idle_connection_cut", "", ()))
    found = pair.the()
    assert (found.code == "state_lost_in_device") is is_forgotten
    told = "a device between r and c forgot the connection in 5 s of silence: it drops what comes"
    assert (found.cause == told) is is_forgotten
    assert found.summary.endswith("never came to c (retransmitted 2 times in 2 s).")


def test_data_that_never_come_to_a_capture_that_ended() -> None:
    pair = lacking()
    pair.places[0].last = 10 * SECOND - 1
    found = pair.the()
    assert found.summary == "100 bytes of the task process passed r and never came to c."
    assert found.cause.endswith(" (less certain: c has no packet at all since)")
    assert pair.astray() == [(10, "100 bytes", "r", "c", False)]
    pair.places[0].last = 10 * SECOND
    assert "less certain" not in pair.the().cause


def test_an_end_that_never_comes() -> None:
    pair = Pair()
    pair.callback()[1].sides[HERE].fin = Mark(20, 20 * SECOND)
    found = pair.the()
    assert (found.code, found.severity, found.packets) == ("lost_between_points", Severity.ERROR, (20,))
    assert found.summary == "The FIN of the task process on the callback connection passed r and never came to c."
    assert pair.astray() == [(20, "FIN", "r", "c", False)]
    assert found.cause.endswith(" (less certain: c may have missed it)")
    heard = pair.callback()[0].sides[THERE]
    for at, is_certain in ((20 * SECOND, False), (20 * SECOND + 1, True)):
        heard.retransmitted = [Mark(19, at)]
        assert ("less certain" not in pair.the().cause) is is_certain
    heard.retransmitted, heard.last_data = [], Mark(21, 21 * SECOND)
    assert "less certain" not in pair.the().cause


@pytest.mark.parametrize("by", ["acknowledged", "closed", "deaf"])
def test_an_end_that_a_capture_lacks(by: str) -> None:
    pair = Pair()
    far, near = pair.callback()
    near.sides[HERE].fin = Mark(20, 20 * SECOND)
    if by == "acknowledged":
        far.sides[HERE].end_acked = 1
    elif by == "closed":
        far.closed = near.closed = "fin"
    else:
        for one in (far.sides[HERE], pair.command()[0].sides[THERE]):
            one.packets = 0
    assert pair.problems() == []


def test_an_end_follows_from_what_stopped_everything_else() -> None:
    pair = lacking()
    pair.callback()[1].sides[HERE].fin = Mark(20, 20 * SECOND)
    assert pair.the().summary.startswith("100 bytes")
    pair.command()[1].sides[THERE].rst = Mark(21, 21 * SECOND)
    data, end = pair.problems()
    assert (data.severity, end.severity) == (Severity.ERROR, Severity.INFO)
    assert end.summary == "The reset of the remote on the command connection passed r and never came to c."


def test_of_a_task_that_went_well_it_is_a_remark() -> None:
    pair = lacking()
    pair.facts[0].record.outcome = Outcome.SUCCESS
    assert pair.the().severity is Severity.INFO


# --- answered ------------------------------------------------------------------------------------------------------


def forged(ttl: int = 60, size: int = 0, idle: int = 0) -> Pair:
    """A reset in the name of the task process comes to the client."""
    pair = Pair()
    far, _ = pair.callback()
    far.bytes, far.idle_before_end = size, idle
    far.sides[HERE].rst = Mark(30, 30 * SECOND, ttl)
    return pair


def test_a_reset_that_nobody_sent() -> None:
    pair = forged()
    found = pair.the()
    assert (found.code, found.packets, found.time) == ("answered_by_device", (30,), 30 * SECOND)
    assert found.summary == (
        "The reset in the name of the task process that came to c never passed r: the task process did not send it."
    )
    assert found.cause == "a device between r and c sent it (its TTL is 60, that of the others 64)"
    assert found.remedy == "look at the firewalls and address translations between r and c"
    assert pair.astray() == [(30, "RST", "r", "c", True)]


def test_a_reset_that_refuses_a_connection() -> None:
    pair = forged()
    pair.callback()[0].syn_acks = []
    assert pair.problems()[0].remedy == (
        "look at the firewalls and address translations between r and c: "
        "let TCP connections from 10.2.0.10 to 10.1.0.10:59999 through"
    )


@pytest.mark.parametrize(("packets", "ttl", "is_other"), [(2, 60, True), (2, 64, False), (1, 60, True), (1, 64, False)])
@pytest.mark.parametrize("idle", [0, 30 * SECOND])
def test_who_sent_a_reset_is_told_by_its_ttl(packets: int, ttl: int, is_other: bool, idle: int) -> None:
    pair = forged(ttl, 10, idle)
    for one in pair.callback():
        one.sides[HERE].packets = packets
    words = " (its TTL is 60, that of the others 64)" if is_other else ""
    silence = ": it forgot the connection in 30 s of silence" if idle else ""
    doubt = "" if is_other else " (less certain: r may have missed it)"
    assert pair.the().cause == f"a device between r and c sent it{words}{silence}{doubt}"


def test_who_goes_on_has_not_reset_the_connection() -> None:
    pair = forged(64, 10, 30 * SECOND)
    _, near = pair.callback()
    for at, is_certain in ((30 * SECOND, False), (30 * SECOND + 1, True)):
        near.sides[HERE].last = Mark(31, at)
        assert ("less certain" not in pair.the().cause) is is_certain


def test_two_resets_that_nobody_sent_prove_each_other() -> None:
    pair = forged(64, 10)
    pair.callback()[1].sides[THERE].rst = Mark(31, 30 * SECOND, 64)
    assert ["less certain" in one.cause for one in pair.problems()] == [False, False]


@pytest.mark.parametrize("is_open", [True, False])
def test_a_reset_of_a_connection_that_the_other_place_has_nothing_of(is_open: bool) -> None:
    """What was open must have passed there."""
    pair = forged()
    far, near = pair.callback()
    far.syn_acks = far.syn_acks if is_open else []
    near.sides[HERE].packets, pair.facts[1].attempts, pair.facts[1].record.callback = 0, [], None
    assert bool([one for one in pair.problems() if one.code == "answered_by_device"]) is not is_open


def test_of_a_capture_of_one_direction_nobody_can_tell_who_sent_a_reset() -> None:
    pair = forged()
    for one, side in ((pair.callback()[1], HERE), (pair.command()[1], THERE)):
        one.sides[side].packets = 0
    assert pair.problems() == []


@pytest.mark.parametrize(("grain", "is_forgotten"), [(0, True), (SECOND, False)])
def test_a_coarse_clock_tells_a_silence_by_what_it_was_at_least(grain: int, is_forgotten: bool) -> None:
    pair = forged(64, 10, 5 * SECOND)
    pair.places[0].grain = grain
    assert (pair.the().code == "state_lost_in_device") is is_forgotten
    lost = lacking()
    lost.callback()[0].sides[THERE].last = Mark(8, 6 * SECOND)
    lost.places[0].grain = grain
    for one in lost.command():
        one.end = 11 * SECOND
    assert (lost.the().code == "state_lost_in_device") is is_forgotten


@pytest.mark.parametrize(
    ("size", "idle", "is_forgotten"), [(10, 5 * SECOND, True), (10, 5 * SECOND - 1, False), (0, 5 * SECOND, False)]
)
def test_a_reset_behind_a_silence(size: int, idle: int, is_forgotten: bool) -> None:
    found = forged(64, size, idle).the()
    assert (found.code == "state_lost_in_device") is is_forgotten
    assert (" forgot the connection in 5 s of silence" in found.cause) is is_forgotten


@pytest.mark.parametrize(("since", "is_forgotten"), [(SECOND - 1, True), (SECOND, False)])
def test_a_reset_may_answer_what_ended_a_silence(since: int, is_forgotten: bool) -> None:
    pair = forged(64, 10)
    far, _ = pair.callback()
    far.silence, far.silence_end = 9 * SECOND, Mark(29, 30 * SECOND - since)
    assert (pair.the().code == "state_lost_in_device") is is_forgotten


@pytest.mark.parametrize("is_open", [True, False])
def test_an_icmp_error_that_nobody_sent(is_open: bool) -> None:
    pair = Pair()
    _, far = pair.callback()
    far.icmp = [IcmpError(41, 2 * SECOND, IPv4Address("10.1.0.1").packed, "host unreachable", b"", 0, b"", 0, 0)]
    if not is_open:
        for one in pair.callback():
            one.syn_acks = []
    found = pair.the()
    assert (found.code, found.packets, found.time) == ("answered_by_device", (41,), 2 * SECOND)
    assert found.summary == "10.1.0.1 answered with ICMP (host unreachable) at r; nothing of it passed c."
    assert found.cause == "10.1.0.1, a device between c and r, answers in place of the client"
    let = "" if is_open else ": let TCP connections from 10.2.0.10 to 10.1.0.10:59999 through"
    assert found.remedy == f"look at the firewalls and address translations between c and r{let}"
    assert pair.astray() == []
    own = IPv4Address("10.1.0.10").packed
    far.icmp = [far.icmp[0]._replace(sender=own)]  # that the capture there lacks
    assert pair.problems() == []


# --- unheard -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2])
def test_syns_that_come_and_nobody_answers(number: int) -> None:
    pair = Pair()
    for talk in pair.callback():
        talk.syns = [Mark(at, at * SECOND) for at in range(1, number + 1)]
        talk.syn_acks, talk.sides[THERE].packets = [], 0
    found = pair.problems()
    assert [one.summary for one in found] == ["2 SYNs to 10.1.0.10:59999 came to c, and nobody answered."] * (
        number - 1
    )
    for one in found:
        assert (one.code, one.packets) == ("dropped_at_host", (1, 2))
        assert one.cause == "behind c: the packet filter of 10.1.0.10 drops them, or that host is down"
        assert one.remedy == "look at 10.1.0.10: its packet filter, and whether it runs"
    pair.callback()[1].sides[THERE].packets = 1  # an answer that the capture there lacks
    assert not [one for one in pair.problems() if one.code == "dropped_at_host"]


@pytest.mark.parametrize(("tries", "heard", "is_told"), [(3, 11, True), (2, 11, False), (3, 12, False)])
def test_data_that_come_and_nobody_acknowledges(tries: int, heard: int, is_told: bool) -> None:
    pair = Pair()
    for talk in pair.callback():
        sender = talk.sides[HERE]
        sender.sent, sender.last_data, talk.sides[THERE].last = 100, Mark(10, 10 * SECOND), Mark(9, heard * SECOND)
        sender.retransmitted = [Mark(number, number * SECOND) for number in range(11, 11 + tries)]
    found = pair.problems()
    summary = "Data of the task process came to c 3 times more in 2 s, and the client never acknowledged it."
    assert [one.summary for one in found] == [summary] * is_told
    for one in found:
        assert (one.code, one.packets, one.time) == ("dropped_at_host", (11, 12, 13), 11 * SECOND)
        assert one.cause == "behind c: 10.1.0.10 is down or gone, or its packet filter drops them"
        assert one.remedy.startswith("look at 10.1.0.10: whether it runs")


# --- remarks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_proxied", [True, False])
def test_a_connection_that_is_rewritten(is_proxied: bool) -> None:
    pair = Pair()
    pair.callback()[1].server = BEHIND
    for place in pair.places:
        place.by_content = is_proxied
    found = pair.the()
    assert (found.code, found.severity, found.packets) == ("rewritten_by_device", Severity.INFO, (1,))
    changes = "10.1.0.10:59999 is 10.9.9.9:59999 behind the device"
    assert found.summary == f"The callback connection is rewritten between c and r: {changes}."
    assert found.cause == ("a proxy" if is_proxied else "an address translation") + " between c and r"
    (how,) = pair.facts[0].record.rewritten
    assert (how.near, how.far, how.how) == ("c", "r", changes)


def test_an_mss_that_is_clamped() -> None:
    pair = Pair()
    for at, talk in enumerate(pair.command()):
        talk.sides[HERE].mss, talk.syns = 1460 - 100 * at, (Mark(3 + at, 0),)
    found = pair.the()
    assert (found.code, found.severity, found.packets) == ("rewritten_by_device", Severity.INFO, (3, 4))
    assert found.summary == (
        "The MSS is changed between c and r: 1460 of the client is 1360 behind the device (command connection)."
    )
    assert found.cause.startswith("a device between c and r clamps it")
    (how,) = pair.facts[0].record.rewritten
    assert how.how == "MSS 1460 of the client is 1360 behind the device"


@pytest.mark.parametrize(
    ("number", "code", "summary"),
    [
        (3, "lost_between_points", "Lost between c and r: 2 of 5 packets of the client on the command connection."),
        (6, "repeated_between_points", "Repeated between c and r: 1 packet of the client on the command connection."),
    ],
)
def test_packets_that_are_more_or_fewer(number: int, code: str, summary: str) -> None:
    pair = Pair()
    near, far = pair.command()
    near.sides[HERE].packets, far.sides[HERE].packets, far.first_packet = 5, number, 2
    assert pair.problems() == []  # a capture may lack an acknowledgement
    again = 2 if number < 5 else 0
    near.sides[HERE].retransmissions, far.sides[HERE].retransmissions = again, 3
    found = pair.the()
    assert (found.code, found.severity, found.summary) == (code, Severity.INFO, summary)
    assert found.packets == (1, 2)
    near.sides[HERE].retransmitted = [Mark(8, 8 * SECOND)]
    assert pair.the().packets == (2, 8)
    near.closed = "fin"  # the other capture ended before
    assert pair.problems() == []
    near.closed, near.sides[HERE].packets, far.sides[HERE].packets = None, 0, 0
    assert pair.problems() == []


@pytest.mark.parametrize("kind", ["fewer", "more"])
def test_what_was_sent_again_while_one_place_was_captured_tells_nothing(kind: str) -> None:
    pair = Pair()
    near, far = pair.command()
    sender, place = (near, pair.places[1]) if kind == "fewer" else (far, pair.places[0])
    sender.sides[HERE].packets, sender.sides[HERE].retransmissions = 3, 2
    sender.sides[HERE].retransmitted = [Mark(8, 8 * SECOND), Mark(9, 9 * SECOND)]
    assert "2" in pair.the().summary
    place.last = 8 * SECOND
    assert "1" in pair.the().summary
    place.last = 8 * SECOND - 1
    assert pair.problems() == []


def test_packets_that_are_both_fewer_and_more_share_their_proof() -> None:
    pair = Pair()
    near, far = pair.command()
    near.sides[HERE].packets, far.sides[THERE].packets, near.first_packet = 5, 3, 2
    near.sides[HERE].retransmissions, far.sides[THERE].retransmissions = 4, 2
    assert [(one.code, one.packets) for one in pair.problems()] == [("lost_between_points", (1, 2))]
    far.sides[HERE].packets, far.sides[HERE].retransmissions = 9, 8
    assert [(one.code, one.packets) for one in pair.problems()] == [
        ("lost_between_points", (1, 2)),
        ("repeated_between_points", (1, 2)),
    ]


def test_packets_that_others_overtook() -> None:
    pair = Pair()
    pair.command()[1].sides[HERE].overtaken = [Mark(9, SECOND, 64, 5)]
    found = pair.the()
    assert (found.code, found.severity, found.packets) == ("reordered_between_points", Severity.INFO, (1, 9))
    assert found.summary == (
        "Overtaken by later packets between c and r: 1 packet of the client on the command connection."
    )


@pytest.mark.parametrize(("calls", "is_told"), [(50, True), (49, False)])
def test_a_way_that_takes_most_of_the_time(calls: int, is_told: bool) -> None:
    pair = Pair()
    near, far = pair.command()
    near.syn_acks, far.syn_acks = [Mark(2, 200 * MS)], [Mark(3, 0)]
    pair.callback()[0].end, pair.facts[0].record.counts.calls = 20 * SECOND, calls
    found = pair.problems()
    summary = "200 ms there and back between c and r: of 50 calls the network there took 10.0 s of 20.0 s, and neither"
    assert [one.summary for one in found] == [f"{summary} end was slow."] * is_told
    assert all(
        (one.code, one.severity, one.packets, one.connection)
        == ("delayed_between_points", Severity.INFO, (1, 2, 3), near)
        for one in found
    )


def test_a_way_that_the_callback_connection_alone_shows() -> None:
    """It is told of that connection, and names the places as all others do."""
    pair = Pair()
    far, near = pair.callback()
    near.syn_acks, far.syn_acks, far.end = [Mark(2, 200 * MS)], [Mark(3, 0)], 0
    pair.facts[0].record.counts.calls = 25
    found = pair.the()
    assert found.summary.startswith("200 ms there and back between c and r: of 25 calls")
    assert found.connection is far


@pytest.mark.parametrize(("delay", "is_told"), [(SECOND, True), (SECOND - 1, False)])
def test_a_packet_that_takes_long(delay: int, is_told: bool) -> None:
    pair = Pair()
    for at, talk in enumerate(pair.command()):
        talk.sides[HERE].fin = Mark(20 + at, SECOND + at * delay, 64, 5)
    summary = "A packet of the client on the command connection took 1.00 s from c to r (within 0.000 ms)."
    found = pair.problems()
    assert [(one.code, one.packets, one.summary) for one in found] == [
        ("delayed_between_points", (20, 21), summary)
    ] * is_told
    pair.places[1].clock = None
    assert pair.problems() == []


def test_bytes_that_a_capture_alone_lacks() -> None:
    pair = Pair()
    near, far = pair.command()
    near.sides[HERE].bytes = near.sides[HERE].sent = near.sides[THERE].acked = 100
    far.gaps, far.gap_marks, far.start = 1, [Mark(15, 3 * SECOND)], SECOND
    found = pair.the()
    assert (found.code, found.severity, found.packets, found.time) == (
        "lost_by_capture",
        Severity.INFO,
        (1, 15),
        SECOND,
    )
    assert found.summary == ("r lacks 100 bytes of the client on the command connection; c has them, and they arrived.")


# --- waiting -------------------------------------------------------------------------------------------------------


def collected(*events: Event, most: int = 1_000, room: int = 1 << 30, made: TaskFacts | None = None) -> list[Problem]:
    """What is said at the end of what waited."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joined, "MAX_WAITING", most)
        patch.setattr(joined, "MAX_WAITING_BYTES", room)
        places = Pair().places
        collector = joined.Collector(places)
        if made is not None:
            collector.judged(made)
        found = [*collector.add(places[0], events), *collector.finish()]
    return [one for one in found if isinstance(one, Problem)]


def test_a_task_that_could_wait_no_longer() -> None:
    made = facts()
    made.record.start, made.record.first_packet = 3 * SECOND, 4
    (found,) = collected(made.record, most=0, made=made)
    assert (found.code, found.time, found.packets) == ("limit_reached", 3 * SECOND, (4,))
    assert found.summary == "1 task was shown without what another place has of them: too many waited."
    assert collected(made.record, most=1, made=made) == []


def test_messages_that_could_not_wait() -> None:
    waiting = [message(SECOND, 10), message(2 * SECOND, 20), message(3 * SECOND, 30)]
    (found,) = collected(*waiting, room=1)
    assert (found.code, found.time, found.packets) == ("limit_reached", 2 * SECOND, (20,))
    assert (
        found.summary
        == f"2 messages are not shown: more than {MAX_WAITING_BYTES >> 20} MiB waited for what another place has."
    )


def test_a_task_that_may_be_another_place_s() -> None:
    one, two = (Joined([leg]) for leg in Pair().group().legs)
    assert list(unjoined(one, one.legs[0])) == []
    one.unclear, two.legs[0].record.first_packet = two.legs[0], 5
    (found,) = unjoined(one, one.legs[0])
    assert (found.code, found.severity, found.packets) == ("pair_unclear", Severity.INFO, (1, 5))
    assert "captured at r; whether it is this one" in found.summary
    one.unclear = one.legs[0]  # it has one of that place
    assert list(unjoined(one, one.legs[0])) == []


# --- sharper -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_called", [True, False])
@pytest.mark.parametrize("is_answered", [True, False])
def test_that_nobody_called_is_certain_where_the_last_place_has_no_call(is_called: bool, is_answered: bool) -> None:
    pair = Pair()
    for made in pair.facts:
        made.attempts, made.record.callback = [], None
    if is_called:
        pair.facts[1].attempts.append(connection())
    if not is_answered:
        pair.facts[1].start_answer = None
    found, other = (problem(code, "", (), cause="a", remedy="b") for code in ("callback_missing", "gap"))
    pair.facts[0].record.problems = [found, other]
    sharpen(pair.group(), pair.facts[0].record)
    assert (other.cause, other.remedy) == ("a", "b")
    is_certain = is_answered and not is_called
    words = "the task process ended at its start, or calls another address: no SYN of it passed r"
    assert found.cause == (words if is_certain else "a")
    assert found.remedy.startswith("see the remote scheduler's own log") is is_certain
