"""What the slow reader reads of single fields: truths, and what an answer repeats of its request."""

from __future__ import annotations

import pytest

from dissector.wire.fields import Reader


@pytest.mark.parametrize(
    ("byte", "value", "table"), [(0, False, None), (1, True, None), (2, True, "0x02"), (255, True, "0xff")]
)
def test_a_truth_is_all_but_0(byte: int, value: bool, table: str | None) -> None:
    reader = Reader(bytes([byte]), keep=True)
    assert reader.truth("flag") is value
    (leaf,) = reader.root.children
    assert (leaf.value, leaf.table, leaf.start, leaf.end) == (value, table, 0, 1)


@pytest.mark.parametrize("data", [bytes(7) + b"\5", bytes(7) + b"\5\0\0"], ids=len)
@pytest.mark.parametrize("value", [4, 5, 6])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_what_an_answer_repeats(data: bytes, value: int, more: int) -> None:
    reader = Reader(b"xy" + data, keep=False)
    reader.position = 2
    assert reader.repeats(value, len(data) + more) is (value == 5 and more == 0)
    assert reader.position == 2
