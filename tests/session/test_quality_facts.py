"""What is said of captures that lack something, by hand: each flaw alone, each count, each word."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from parts import CLIENT, HERE, REMOTE, SECOND, THERE, connection, facts, message, record

from dissector.limits import MAX_EVIDENCE
from dissector.model import Endpoint, Mark, Outcome, Problem, Role, Severity
from dissector.session.capture_notes import CaptureNotes
from dissector.session.case import Case
from dissector.session.oddities import OddBytes, cut, frames, numbers, of_stream
from dissector.session.quality import address, capture, doubts
from dissector.session.task import TaskFacts
from dissector.traffic import Fragment, Packet, Side, StreamProblem

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def told(made: TaskFacts) -> list[Problem]:
    return list(capture(Case(made, 0)))


def codes(made: TaskFacts) -> list[str]:
    return [problem.code for problem in told(made)]


# --- doubts ----------------------------------------------------------------------------------------------------------


def test_a_whole_capture_leaves_no_doubt() -> None:
    assert doubts(facts(), None) == []


@pytest.mark.parametrize("which", [0, 1])
def test_each_flaw_of_either_connection_is_a_doubt(which: int) -> None:
    for name, value, flaw in (("gaps", 1, "gap"), ("mid_stream", True, "mid_stream"), ("snapped", 1, "snap_length")):
        made = facts()
        setattr(record(made)[which], name, value)
        assert doubts(made, None) == [flaw]
    made = facts()
    one = record(made)[which]
    one.bytes, one.sides[HERE].packets = 5, 0
    assert doubts(made, None) == ["one_direction"]


@pytest.mark.parametrize(("gaps", "never", "doubt"), [(1, 0, True), (1, 1, False), (2, 1, True)])
@pytest.mark.parametrize("side", [HERE, THERE])
def test_the_only_hole_is_none_of_the_capture_when_it_was_never_acknowledged(
    gaps: int, never: int, doubt: bool, side: Side
) -> None:
    made = facts()
    _, callback = record(made)
    callback.gaps, callback.sides[side].never_acknowledged = gaps, never
    assert doubts(made, None) == (["gap"] if doubt else [])


@pytest.mark.parametrize(
    ("steps", "doubt"),
    [((1, 9), False), ((1, 10), True), ((20, 30), True), ((21, 30), False), ((12, 13), True), (None, False)],
)
def test_a_clock_that_goes_back_while_the_task_runs(steps: tuple[int, int] | None, doubt: bool) -> None:
    made = facts()
    made.record.first_packet = 10
    command, callback = record(made)
    command.last_packet, callback.last_packet = 20, 15
    assert doubts(made, steps) == (["clock_backwards"] if doubt else [])


# --- the connections of a task ---------------------------------------------------------------------------------------


def test_a_callback_from_another_address() -> None:
    for peer, remote, said in (("10.9.9.9", REMOTE, True), (REMOTE, REMOTE, False)):
        made = facts()
        _, callback = record(made)
        made.record.callback_peer, made.record.remote = Endpoint(peer, 50_000), Endpoint(remote, 4_455)
        callback.first_packet = 7
        found = list(address(Case(made, 0)))
        assert [(one.summary, one.packets) for one in found] == [
            (f"The callback came from {peer}, the remote is {remote}.", (7,))
        ] * said
    for name in ("callback", "callback_peer", "remote"):
        made = facts()
        made.record.callback_peer = Endpoint("10.9.9.9", 50_000)
        setattr(made.record, name, None)
        assert list(address(Case(made, 0))) == []


def alone(**fields: object) -> TaskFacts:
    """A task without a command connection."""
    made = facts()
    made.record.command, made.record.first_packet = None, 5
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_why_a_task_has_no_command_connection() -> None:
    (problem,) = told(alone())
    assert (problem.code, problem.packets) == ("command_not_captured", (5,))
    (problem,) = told(alone(pair_unclear=True))
    assert (problem.code, problem.packets) == ("pair_unclear", (5,))
    (problem,) = told(alone(unread_command=connection(first_packet=9, gaps=1)))
    assert (problem.code, problem.packets) == ("command_unreadable", (9,))
    (problem,) = told(alone(unread_command=connection(), pair_unclear=True))
    assert problem.code == "pair_unclear"
    assert codes(facts()) == []
    made = facts()
    made.pair_unclear, made.unread_command = True, connection()
    assert codes(made) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"gaps": 1}, "packets are missing"),
        ({"mid_stream": True}, "the connection began before the capture"),
        ({"mid_stream": True, "snapped": 1}, "packets were cut off by the snap length"),
    ],
)
def test_why_a_command_could_not_be_read(fields: dict[str, Any], why: str) -> None:
    unread = connection(**fields)
    (problem,) = told(alone(unread_command=unread))
    assert problem.summary == (f"A command connection of these hosts is captured, but no start command: {why}.")
    unread.bytes, unread.sides[THERE].packets = 5, 0
    (problem,) = told(alone(unread_command=unread))
    assert problem.summary.endswith("one direction is missing.")


@pytest.mark.parametrize(
    ("outcome", "callback", "start", "close", "answered", "said"),
    [
        (Outcome.UNKNOWN, False, 0, True, True, True),
        (Outcome.UNKNOWN, False, 0, True, False, True),
        (Outcome.UNKNOWN, False, 0, False, True, True),
        (Outcome.UNKNOWN, False, 0, False, False, False),
        (Outcome.NO_CALLBACK, False, 0, True, True, False),
        (Outcome.UNKNOWN, True, 0, True, True, False),
        (Outcome.UNKNOWN, False, None, True, True, False),
    ],
)
def test_a_callback_that_was_not_captured(
    outcome: Outcome, callback: bool, start: int | None, close: bool, answered: bool, said: bool
) -> None:
    made = facts(callback=callback, start=start)
    made.record.outcome = outcome
    assert made.record.command is not None
    made.record.command.sides[THERE].bytes = 10
    made.close = message(SECOND) if close else None
    if not answered:
        made.start_answer = None
    assert codes(made) == (["callback_not_captured"] if said else [])


@pytest.mark.parametrize("which", [0, 1])
def test_the_words_of_each_flaw(which: int) -> None:
    made = facts()
    one = record(made)[which]
    name = ("The command connection", "The callback connection")[which]
    one.mid_stream, one.bytes, one.snapped, one.first_packet = True, 5, 12, 3
    one.sides[THERE].packets = 0
    assert [(problem.code, problem.summary, problem.packets) for problem in told(made)] == [
        ("mid_stream", f"{name} began before the capture.", (3,)),
        ("one_direction", f"{name} was captured in one direction only.", (3,)),
        ("snap_length", f"{name}: the snap length cut off 12 bytes.", (3,)),
    ]


def test_retransmissions_of_both_ends_are_added_up() -> None:
    made = facts()
    _, callback = record(made)
    for side, mark in ((HERE, 5), (THERE, 9)):
        one = callback.sides[side]
        one.retransmissions, one.repeat_wait, one.retransmitted = 2, 3 * SECOND, [Mark(mark, 0)]
    (problem,) = told(made)
    assert problem.summary == ("The callback connection: 4 segments were retransmitted, 6.0 s behind the first try.")
    assert problem.packets == (5, 9)


@pytest.mark.parametrize(("side", "who"), [(HERE, "The task process"), (THERE, "The client")])
def test_zero_windows_of_an_end(side: Side, who: str) -> None:
    made = facts()
    record(made)[1].sides[side].zero_windows = [Mark(5, SECOND), Mark(9, 4 * SECOND)]
    (problem,) = told(made)
    assert problem.summary == f"The callback connection: {who} announced a zero window 2 times in 3 s."
    assert (problem.packets, problem.time, problem.severity) == ((5, 9), SECOND, INFO)


# --- messages --------------------------------------------------------------------------------------------------------


def odd(time: int = SECOND, *, request: bool = False, raw: bytes = b"A\0", gaps: int = 1) -> TaskFacts:
    """A task with an answer that could not be decoded, in packets 7 and 8."""
    made = facts()
    one = message(time, raw=raw, note="answer without its request", request=message(0) if request else None)
    one.connection, one.packets = connection(Role.CALLBACK, gaps=gaps), (7, 8)
    made.undecoded = [one]
    return made


def test_an_answer_without_its_request_is_the_capture_s_fault() -> None:
    (problem,) = frames(Case(odd(), 0))
    assert (problem.code, problem.severity, problem.packets, problem.time) == ("undecoded_frame", INFO, (8,), SECOND)
    assert problem.summary == "1 message: answer without its request"
    assert problem.cause == (
        "their requests are not in the capture (packets are missing), and no answer can be read without its request"
    )
    assert problem.remedy == (
        "nothing is wrong on the wire; start the capture before the task and capture full packets"
    )


@pytest.mark.parametrize("fields", [{"request": True}, {"raw": b"E"}, {"gaps": 0}])
def test_another_message_that_could_not_be_decoded_is_not(fields: dict[str, bool]) -> None:
    (problem,) = frames(Case(odd(**fields), 0))  # type: ignore[arg-type]
    assert problem.severity is WARNING
    assert "not in the capture" not in problem.cause


def test_one_that_lacks_nothing_among_them_is_enough() -> None:
    made = odd()
    made.undecoded += [*odd(2 * SECOND, raw=b"E").undecoded]
    made.trailing = [*odd(3 * SECOND, raw=b"O").undecoded]
    undecoded, trailing = frames(Case(made, 0))
    assert (undecoded.severity, undecoded.time, trailing.code, trailing.time) == (
        WARNING,
        SECOND,
        "trailing_bytes",
        3 * SECOND,
    )
    assert undecoded.summary.startswith("2 messages: ")


def test_a_number_that_is_none() -> None:
    made = facts()
    made.odd_numbers["task_id"] = (message(3 * SECOND, 9), "task_id is odd")
    (problem,) = numbers(Case(made, 0))
    assert (problem.code, problem.summary, problem.packets, problem.time) == (
        "odd_number",
        "task_id is odd.",
        (9,),
        3 * SECOND,
    )


# --- bytes -----------------------------------------------------------------------------------------------------------


def stream(code: str = "gap", *, is_cap: bool = False, **fields: object) -> Problem:
    one = connection(Role.CALLBACK, **fields)
    return of_stream(StreamProblem(code, HERE, 5, 17, 3 * SECOND, "12 bytes are missing", is_cap), one)


def test_a_hole_of_the_capture() -> None:
    problem = stream(gaps=1)
    assert (problem.code, problem.severity, problem.packets, problem.time) == ("gap", WARNING, (17,), 3 * SECOND)
    assert problem.summary == "callback connection, the task process: 12 bytes are missing"
    assert "lost in the network" not in problem.cause


@pytest.mark.parametrize(
    ("code", "snapped", "gaps", "becomes"),
    [
        ("gap", 1, 0, "snap_length"),
        ("gap", 1, 1, "gap"),
        ("gap", 0, 0, "gap"),
        ("impossible_length", 1, 0, "impossible_length"),
    ],
)
def test_what_the_snap_length_cut_off_is_no_hole(code: str, snapped: int, gaps: int, becomes: str) -> None:
    problem = stream(code, snapped=snapped, gaps=gaps)
    assert (problem.code, problem.severity is INFO) == (becomes, becomes == "snap_length")


def test_bytes_that_the_receiver_never_had() -> None:
    one = connection(Role.CALLBACK, gaps=1)
    one.sides[HERE].never_acknowledged = 1
    for side, code, lost in ((HERE, "gap", True), (THERE, "gap", False), (HERE, "impossible_length", False)):
        problem = of_stream(StreamProblem(code, side, 5, 17, 3 * SECOND, "text"), one)
        assert problem.cause.startswith("they were lost in the network, not by the capture") is lost


def test_bytes_that_only_their_sender_counts() -> None:
    one = connection(Role.CALLBACK, gaps=1)
    one.sides[HERE].only_counted = True
    for side, code, counted in ((HERE, "gap", True), (THERE, "gap", False), (HERE, "impossible_length", False)):
        problem = of_stream(StreamProblem(code, side, 5, 17, 3 * SECOND, "text"), one)
        assert problem.cause.startswith("they were lost by the capture or in the network") is counted


@pytest.mark.parametrize("is_cap", [True, False])
def test_a_cap_is_said_to_be_one(is_cap: bool) -> None:
    problem = stream("impossible_length", is_cap=is_cap)
    assert problem.cause.startswith("a cap of jstrace itself") is is_cap
    assert problem.remedy.startswith("everything around it can be read") is is_cap


# --- the capture as a whole ------------------------------------------------------------------------------------------


def fragment(number: int) -> Fragment:
    src, dst = IPv4Address(f"10.0.0.{number}").packed, IPv4Address(REMOTE).packed
    return Fragment(number, number * SECOND, src, dst, 6, 1, 0, True, 64, b"")


def test_a_clock_that_goes_back() -> None:
    notes = CaptureNotes()
    assert notes.clock_steps is None
    for number, time in ((5, 7), (9, 3), (12, 6)):
        notes.clock_backwards(Packet(number, time * SECOND, 1, b"", 0), 8 * SECOND)
    assert notes.clock_steps == (5, 12)
    (problem,) = notes.problems()
    assert problem.summary == "The capture's clock goes backwards, by up to 5.000 s."
    assert (problem.code, problem.time, problem.packets) == ("clock_backwards", 7 * SECOND, (5, 9, 12))


def test_fragments_are_counted_and_the_first_one_is_named() -> None:
    notes = CaptureNotes()
    for number in (1, 2):
        notes.fragment(fragment(number))
    (problem,) = notes.problems()
    assert problem.summary == (f"2 IP datagrams with TCP lack fragments, the first one from 10.0.0.1 to {REMOTE}.")
    assert (problem.code, problem.time, problem.packets) == ("ip_fragment", SECOND, (1, 2))


def test_connections_without_an_answer_are_counted() -> None:
    notes = CaptureNotes()
    for number in (1, 2):
        notes.unanswered(connection(first_packet=number, start=number * SECOND))
    (problem,) = notes.problems()
    assert problem.summary == "2 more connections to command ports got no answer."
    assert (problem.code, problem.time, problem.packets) == ("connection_flood", SECOND, (1, 2))


def test_connections_without_a_byte_that_the_remote_ended() -> None:
    notes = CaptureNotes()
    for number, side in ((1, THERE), (2, HERE), (3, THERE)):
        one = connection(first_packet=number, start=number * SECOND)
        one.sides[side].fin = Mark(9, 9 * SECOND)
        notes.unused(one)
    (problem,) = notes.problems()
    assert problem.summary == (
        f"2 connections to command ports ended without a byte, the first one from {CLIENT} to {REMOTE}:4455."
    )
    assert (problem.code, problem.time, problem.packets) == ("unused_connections", SECOND, (1, 3))


def test_both_legs_of_a_gateway() -> None:
    notes = CaptureNotes()
    for number in (1, 2):
        copy = connection(first_packet=number, start=number * SECOND, client=Endpoint("192.0.2.9", number))
        notes.copied((Endpoint(CLIENT, number), Endpoint(REMOTE, 4_455)), copy)
    (problem,) = notes.problems()
    assert problem.summary == (
        f"2 connections of two legs of a gateway, shown once: {CLIENT}:1 to {REMOTE}:4455 is "
        f"192.0.2.9:1 to {REMOTE}:4455."
    )
    assert (problem.code, problem.time, problem.packets) == ("duplicates", SECOND, (1, 2))


@pytest.mark.parametrize("number", [MAX_EVIDENCE, MAX_EVIDENCE + 1])
def test_how_many_of_each_are_kept_as_evidence(number: int) -> None:
    notes = CaptureNotes()
    ends: tuple[Endpoint, Endpoint] = (Endpoint(CLIENT, 1), Endpoint(REMOTE, 2))
    for index in range(number):
        noted, unused = connection(first_packet=index), connection(first_packet=index)
        unused.sides[THERE].fin = Mark(9, 9 * SECOND)
        notes.clock_backwards(Packet(index, SECOND, 1, b"", 0), 2 * SECOND)
        notes.fragment(fragment(index))
        notes.unanswered(noted)
        notes.unused(unused)
        notes.copied(ends, noted)
    found = list(notes.problems())
    assert [len(problem.packets) for problem in found] == [MAX_EVIDENCE] * 5
    assert [problem.summary.split()[0] for problem in found] == [str(number)] * 3 + ["The", str(number)]


@pytest.mark.parametrize(
    ("code", "snapped", "gaps", "is_cut"),
    [("gap", 1, 0, True), ("gap", 0, 0, False), ("gap", 1, 1, False), ("", 1, 0, False), ("mid_stream", 1, 0, False)],
)
def test_what_the_snap_length_cut_off_is_no_loss(code: str, snapped: int, gaps: int, is_cut: bool) -> None:
    about = connection(snapped=snapped, gaps=gaps)
    assert cut(OddBytes(about, StreamProblem(code, HERE, 0, 1, 0, ""))) is is_cut
