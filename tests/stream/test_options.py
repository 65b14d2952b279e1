"""The maximum segment size that a SYN offers, wherever it stands among the options."""

from __future__ import annotations

import pytest

from dissector.stream.options import segment_size

MSS = b"\2\4\x05\xb4"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (MSS, 1460),
        (b"\2\4\x01\x02", 258),
        (b"\1" + MSS, 1460),
        (b"\1\1\1\1" + MSS, 1460),
        (b"\3\3\7" + MSS, 1460),
        (b"\4\2" + MSS, 1460),
        (b"\x08\x0a" + bytes(8) + MSS + b"\0", 1460),
        (b"\3\3\7\1" + MSS + b"\2\4\0\1", 1460),
        (b"\0" + MSS, None),
        (b"\1\0" + MSS, None),
        (b"\4\2", None),
        (b"\1\1\1\1", None),
        (b"", None),
        (b"\2", None),
        (b"\2\3\5" + MSS, 1460),
        (b"\2\5\5\5\5" + MSS, 1460),
        (b"\3\1" + MSS, None),
        (b"\3\0" + MSS, None),
        (b"\3\2" + MSS, 1460),
        (MSS[:3], None),
        (MSS[:2], None),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 7])
def test_the_segment_size_is_found(options: bytes, expected: int | None, before: int) -> None:
    data = b"\2" * before + options + MSS
    end = before + len(options)
    assert segment_size(data, before, end) == expected
    assert segment_size(data[:end], before, end) == expected
    assert segment_size(data[:end], before, end + 4) == expected


@pytest.mark.parametrize("captured", [0, 1, 2, 3])
def test_a_segment_size_that_was_cut_is_not_known(captured: int) -> None:
    assert segment_size(MSS[:captured], 0, 4) is None
