"""Blocks of several places side by side: numbers are those of all files merged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from random import Random

import pytest

from dissector.sources.points import side_by_side
from dissector.stream.block import Block

Times = list[list[int]]


def block(times: list[int], first: int) -> Block:
    numbers = range(first, first + len(times))
    span = (min(times), max(times))
    return Block(b"", [], [], times, times == sorted(times), span, [], {}, [], [], [], numbers)


def blocks(parts: Times) -> Iterator[Block]:
    first = 1
    for times in parts:
        yield block(times, first)
        first += len(times)


def numbers_of(places: list[Times], sources: list[int] | None = None) -> list[list[int]]:
    """The numbers of each place's packets."""
    found: list[list[int]] = [[] for _ in places]
    for place, one in side_by_side([blocks(parts) for parts in places], sources or list(range(len(places)))):
        found[place] += list(one.numbers)
    return found


def merged(places: list[Times]) -> list[list[int]]:
    """The same by sorting: by time (of the newest packet so far), then by file, then as in the file."""
    keys = [list(accumulate([time for times in parts for time in times], max)) for parts in places]
    order = sorted((key, place, index) for place, row in enumerate(keys) for index, key in enumerate(row))
    found = [[0] * len(row) for row in keys]
    for number, (_, place, index) in enumerate(order, 1):
        found[place][index] = number
    return found


@pytest.mark.parametrize("seed", range(60))
def test_numbers_are_those_of_the_merged_stream(seed: int) -> None:
    random = Random(seed)
    places = []
    for _ in range(random.randint(1, 4)):
        time = random.randint(0, 30)
        parts: Times = []
        for _ in range(random.randint(0, 5)):
            times = []
            for _ in range(random.randint(1, 6)):
                time = max(0, time + random.choice((0, 0, 1, 2, 9, -1)))
                times.append(time)
            parts.append(times)
        places.append(parts)
    assert numbers_of(places) == merged(places)


def test_places_of_one_file_have_its_numbers() -> None:
    places = [[[1, 2, 3], [4, 5]], [[1, 2, 3], [4, 5]]]
    assert numbers_of(places, [0, 0]) == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]


def test_two_places_of_one_file_beside_another_file() -> None:
    places = [[[1, 3, 5]], [[1, 3, 5]], [[2, 4]]]
    assert numbers_of(places, [0, 0, 1]) == [[1, 3, 5], [1, 3, 5], [2, 4]]


def test_a_slice_of_numbers() -> None:
    (_, one), *_ = side_by_side([blocks([[1, 3, 5, 7]]), blocks([[9]])], [0, 1])
    assert one.numbers[1:3] == [2, 3]
    assert one.numbers[-1] == 4


def test_old_times_are_let_go() -> None:
    """What was read long ago is not kept for the numbers of what comes."""
    count = 2_000
    alive = []

    def place(offset: int) -> Iterator[Block]:
        for number in range(count):
            yield block([10 * number + offset, 10 * number + offset + 4], 2 * number + 1)

    for _, one in side_by_side([place(0), place(1)], [0, 1]):
        reader = one.numbers._others[0]  # type: ignore[attr-defined]
        alive.append(len(reader._past))
    assert max(alive) <= 4
