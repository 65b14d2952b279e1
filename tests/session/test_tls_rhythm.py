"""The turns of a connection with TLS that stays sealed: sizes, times and shares, each at its edge."""

from __future__ import annotations

import pytest
from parts import HERE, MS, SECOND, THERE

from dissector.session.tls_rhythm import Rhythm
from dissector.sides import Mark
from dissector.traffic import Side


def heard(*turns: tuple[Side, int, int], is_1_3: bool = False) -> Rhythm:
    """Records: who sends, how many bytes, at what time; packet numbers count from 1."""
    rhythm = Rhythm()
    for number, (side, size, time) in enumerate(turns, 1):
        rhythm.heard(side, size, Mark(number, time), is_1_3=is_1_3)
    return rhythm


def asked(number: int, request: int = 500, response: int = 300, wait: int = MS) -> list[tuple[Side, int, int]]:
    """Turns of a second each."""
    begins = (SECOND * turn for turn in range(number))
    return [one for begin in begins for one in ((HERE, request, begin), (THERE, response, begin + wait))]


@pytest.mark.parametrize(("turns", "is_task"), [(6, False), (7, True), (8, True)])
def test_how_many_turns_are_a_task(turns: int, is_task: bool) -> None:
    rhythm = heard(*asked(turns))
    assert (rhythm.turns, rhythm.is_task) == (turns, is_task)
    assert (rhythm.first, rhythm.last) == (Mark(1, 0), Mark(2 * turns, (turns - 1) * SECOND + MS))


@pytest.mark.parametrize(
    ("request_", "response", "is_task"),
    [
        (180, 80, True),
        (179, 80, False),
        (180, 79, False),
        (2_499, 2_499, True),
        (2_500, 2_499, False),
        (2_499, 2_500, False),
    ],
)
def test_sizes(request_: int, response: int, is_task: bool) -> None:
    assert heard(*asked(8, request_, response)).is_task is is_task


@pytest.mark.parametrize(("large", "is_task"), [(2, True), (3, False)])
@pytest.mark.parametrize("is_first", [True, False])
def test_three_of_four_turns_have_such_sizes(large: int, is_first: bool, is_task: bool) -> None:
    usual, others = asked(8 - large), asked(large, 10_000)
    assert heard(*(others + usual if is_first else usual + others)).is_task is is_task


def test_records_of_one_side_are_one_turn() -> None:
    """Their sizes add up."""
    turns = [(HERE, 100, 0), (HERE, 80, 1), (THERE, 40, 2), (THERE, 40, 3)] * 7
    rhythm = heard(*turns)
    assert (rhythm.turns, rhythm.is_task) == (7, True)
    assert rhythm.last == Mark(28, 3)
    assert not heard(*[(HERE, 100, 0), (THERE, 80, 2)] * 7).is_task


def test_what_the_server_says_first_is_no_turn() -> None:
    rhythm = heard((THERE, 300, 0), (THERE, 300, 1), *asked(1))
    assert (rhythm.turns, rhythm.first, rhythm.longest) == (1, Mark(3, 0), MS)
    assert heard((THERE, 300, 0)).first is None


def test_of_tls_1_3_the_handshake_is_none() -> None:
    """All up to the first record of the client."""
    shaking = [(THERE, 2_000, 0), (THERE, 500, 1), (HERE, 60, 2)]
    rhythm = heard(*shaking, *asked(7), is_1_3=True)
    assert (rhythm.turns, rhythm.first, rhythm.is_task) == (7, Mark(4, 0), True)
    assert heard(*shaking, *asked(6), is_1_3=True).turns == 6
    assert heard(*asked(7)[:-1]).turns == 6


@pytest.mark.parametrize(
    ("wait", "beats"),
    [
        (9_500 * MS, 0),
        (9_500 * MS + 1, 1),
        (10_000 * MS, 1),
        (10_500 * MS - 1, 1),
        (10_500 * MS, 0),
        (0, 0),
        (20_000 * MS, 0),
    ],
)
def test_heartbeats(wait: int, beats: int) -> None:
    rhythm = heard((HERE, 500, 0), (THERE, 300, wait), (HERE, 500, wait), (THERE, 300, wait + 1))
    assert (rhythm.beats, rhythm.longest) == (beats, max(wait, 1))
