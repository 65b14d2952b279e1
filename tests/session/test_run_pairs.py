"""Which messages of a run are put together: values to their last byte, and the answers that fit."""

from __future__ import annotations

import struct

import pytest

from dissector.session.run_pairs import DONE, RunPairs, _names, _values
from dissector.session.timeouts import SLOW_CALLBACK

NUMBER = struct.pack(">Ii", 3, -7)
#: A VARIANT as it is sent, and its value.
VARIANTS = [
    (struct.pack(">I", 0), None),
    (struct.pack(">I", 1), None),
    (NUMBER, -7),
    (struct.pack(">Ih", 2, -2), -2),
    (struct.pack(">IH", 18, 65_535), 65_535),
    (struct.pack(">Ib", 16, -1), -1),
    (struct.pack(">IB", 17, 255), 255),
    (struct.pack(">II", 19, 1 << 31), 1 << 31),
    (struct.pack(">Ii", 22, -1), -1),
    (struct.pack(">II", 23, 1 << 31), 1 << 31),
    (struct.pack(">Ii", 10, -1), -1),
    (struct.pack(">Iq", 20, -1), -1),
    (struct.pack(">IQ", 21, 1 << 63), 1 << 63),
    (struct.pack(">Iq", 6, -10_000), -10_000),
    (struct.pack(">II", 8, 3) + b"a\xe4c", "a\xe4c"),
    (struct.pack(">II", 8, 0), ""),
    (struct.pack(">IB", 11, 0), False),
    (struct.pack(">IB", 11, 1), True),
    (struct.pack(">I", 5) + b"s\0031.5", None),
]


@pytest.mark.parametrize(("data", "value"), VARIANTS)
def test_values_end_where_they_end(data: bytes, value: object) -> None:
    size = len(data)
    assert _values(b"xy" + data + b"z", 2, 2 + size, 1) == (value,)
    assert _values(data + NUMBER, 0, size + len(NUMBER), 2) == (-7, value)
    assert _values(data + NUMBER * 2, 0, size + 2 * len(NUMBER), 3) == ()
    for end in range(size):
        assert _values(data, 0, end, 1) is None, "cut off"
    assert _values(data + b"z", 0, size + 1, 1) is None, "more"


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">IB", 11, 2),
        struct.pack(">II", 9, 0),
        struct.pack(">II", 12, 0),
        struct.pack(">II", 24, 0),
        struct.pack(">I", 5) + b"s\003abc",
        struct.pack(">I", 5) + b"t\0031.5",
        struct.pack(">I", 4) + b"r\0031.5",
    ],
)
def test_other_values_are_left_to_the_decoder(data: bytes) -> None:
    assert _values(data, 0, len(data), 1) is None


def test_of_no_value_nothing_is_left() -> None:
    assert _values(b"", 0, 0, 0) == ()
    assert _values(b"x", 0, 1, 0) is None


RELEASE = b"O" + bytes(8) + b"R"
INVOKE = b"O" + bytes(8) + b"I" + bytes(28) + struct.pack(">II", 0, 0)
LOOK_UP = b"O" + bytes(8) + b"G" + bytes(20) + struct.pack(">I", 1) + struct.pack(">I", 1) + b"n"


def is_pair(asked: bytes, answered: bytes, wait: int = 1, side: int = 1) -> bool:
    """True where the two are put together; what is around them does not count."""
    pairs, data = RunPairs({}, 4), b"AA" + asked + answered + b"AA"
    middle = 2 + len(asked)
    pairs.add((0, 0, 2, middle, 0), data, 2, middle, 5)
    pairs.add((side, 1, middle, len(data) - 2, 0), data, middle, len(data) - 2, 5 + wait)
    return len(pairs.settled()) == 1


@pytest.mark.parametrize(
    ("asked", "answered", "fits"),
    [
        (RELEASE, b"A", True),
        (RELEASE, b"E", False),
        (RELEASE, b"@", False),
        (RELEASE, b"AA", False),
        (RELEASE[:-1] + b"Q", b"A", False),
        (INVOKE, DONE, True),
        (INVOKE, DONE[:-1], False),
        (INVOKE, DONE + b"\0", False),
        (INVOKE, b"E" + DONE[1:], False),
        (INVOKE, b"@" + DONE[1:], False),
        (INVOKE, b"A" + bytes(4) + NUMBER, True),
        (INVOKE, b"E" + bytes(4) + NUMBER, False),
        (INVOKE, b"A\x7f\xff\xff\xff" + NUMBER, True),
        (INVOKE, b"A\x80\0\0\0" + NUMBER, False),
        (INVOKE, b"A" + bytes(4) + NUMBER + b"\0", False),
        (LOOK_UP, b"A" + bytes(8), True),
        (LOOK_UP, b"E" + bytes(8), False),
        (LOOK_UP, b"A" + bytes(7), False),
        (LOOK_UP, b"A" + bytes(9), False),
        (LOOK_UP, b"A" + bytes(3), False),
        (LOOK_UP, b"A\x80\2\0\6", True),
        (LOOK_UP, b"A\x80\2\0\3", True),
        (LOOK_UP, b"A\x80\2\0\5", False),
        (LOOK_UP, b"A\x80\2\0\6" + bytes(4), False),
        (LOOK_UP, b"A\x7f\xff\xff\xff" + bytes(4), True),
        (LOOK_UP, b"A\x80\0\0\0", False),
    ],
)
def test_which_answers_fit(asked: bytes, answered: bytes, fits: bool) -> None:
    assert is_pair(asked, answered) is fits


@pytest.mark.parametrize(
    ("wait", "side", "fits"), [(SLOW_CALLBACK - 1, 1, True), (SLOW_CALLBACK, 1, False), (1, 0, False), (0, 1, True)]
)
def test_the_other_side_answers_soon(wait: int, side: int, fits: bool) -> None:
    assert is_pair(RELEASE, b"A", wait, side) is fits


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("names", [[b"n"], [b"", b"abc"], [b"a" * 100] * 3])
def test_names_of_a_look_up(names: list[bytes], more: int) -> None:
    texts = b"".join(struct.pack(">I", len(name)) + name for name in names)
    data = LOOK_UP[:30] + struct.pack(">I", len(names)) + texts
    assert _names(b"xy" + data + b"z", 2, 2 + len(data) + more) == (len(names) if not more else None)


@pytest.mark.parametrize(("size", "count"), [(511, 1), (512, 1), (513, None)])
def test_longer_look_ups_are_not_kept(size: int, count: int | None) -> None:
    data = LOOK_UP[:34] + struct.pack(">I", size - 38) + bytes(size - 38)
    assert len(data) == size
    assert _names(data, 0, size) == count


def test_what_is_no_look_up_has_no_names() -> None:
    assert _names(LOOK_UP[:30] + bytes(4), 0, 34) is None
    for first in b"NPA":
        assert _names(bytes([first]) + LOOK_UP[1:], 0, len(LOOK_UP)) is None
