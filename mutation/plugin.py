"""For pytest while mutants are tried: which tests have a vote.

A test that measures time fails by chance, and one with random examples succeeds by chance: neither has one.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import is_hypothesis_test

#: Names of tests that measure time.
_TIMED = re.compile(r"linear|is_quick|hundred_thousand|next_to_nothing|searched_twice")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [
        item
        for item in items
        if not is_hypothesis_test(getattr(item, "function", None)) and not _TIMED.search(item.name)
    ]
