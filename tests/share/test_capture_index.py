"""Secrets that are looked for again in all that is written."""

from __future__ import annotations

import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from dissector.share.capture_index import pattern_of


def by_hand(secrets: set[bytes]) -> re.Pattern[bytes] | None:
    """One behind the other, the longest first."""
    wanted = [one for one in secrets if len(one.strip()) >= 4 and not (one.strip().isdigit() and len(one) < 6)]
    return re.compile(b"|".join(map(re.escape, sorted(wanted, key=len, reverse=True)))) if wanted else None


@settings(max_examples=200, deadline=None)
@given(st.sets(st.text("ab.*1", min_size=1, max_size=50).map(str.encode), max_size=12), st.text("ab.*1", max_size=200))
def test_the_longest_secret_at_each_place(secrets: set[bytes], text: str) -> None:
    found, expected = pattern_of(secrets), by_hand(secrets)
    assert (found is None) is (expected is None)
    if found is not None and expected is not None:
        assert found.findall(text.encode()) == expected.findall(text.encode())


def test_long_secrets_that_begin_alike() -> None:
    secrets = {b"x" * 100 + tail for tail in (b"", b"a", b"ab", b"b")}
    pattern = pattern_of(secrets)
    assert pattern is not None
    assert pattern.findall(b"-" + b"x" * 100 + b"abc") == [b"x" * 100 + b"ab"]


def test_short_ones_may_be_anything() -> None:
    assert pattern_of({b"abc", b"12345", b"     "}) is None
    pattern = pattern_of({b"abcd", b"123456"})
    assert pattern is not None
    assert pattern.findall(b"abcd 123456 12345 abc") == [b"abcd", b"123456"]


def test_many_secrets_cost_little_more_than_few() -> None:
    """A text of so many bytes takes as long whatever the number of secrets."""

    def cost(count: int) -> float:
        pattern = pattern_of({f"secret-{number:06d}".encode() for number in range(count)})
        assert pattern is not None
        text = b"".join(b"nothing %06d secret-%06d " % (number, number) for number in range(4_000))
        best = 9.0
        for _ in range(3):
            begun = time.process_time()
            assert len(pattern.findall(text)) == min(count, 4_000)
            best = min(best, time.process_time() - begun)
        return best

    assert cost(16_000) < 8 * cost(1_000)
