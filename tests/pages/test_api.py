"""The reference of the Python API: signatures and docstrings as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from handbook import api


def short(a: int, *, b: str = "x") -> bool:
    return bool(a) and bool(b)


def long(
    *names: str,
    ports: tuple[int, int] = (50_000, 59_999),
    warn: Callable[[str], object] = print,
    much_longer_than_the_others: str | None = None,
) -> None:
    """Words."""


class Shown(NamedTuple):
    """What is shown.

        code of

        two parts

    ===== =======
    ``a`` one
    ``b`` the other
    ===== =======

    >>> 1  # doctest: +SKIP
    1

    :param size: how large
        it is
    :raises ValueError: never
    """

    size: int
    name: str | None

    def method(self, flag: bool = False) -> str:
        """Does."""
        return str(flag)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (short, "def f(a: int, *, b: str = 'x') -> bool"),
        (
            long,
            "def f(\n    *names: str,\n    ports: tuple[int, int] = (50000, 59999),\n"
            "    warn: Callable[[str], object] = ...,\n    much_longer_than_the_others: str | None = None,\n) -> None",
        ),
        (Shown.method, "def f(flag: bool = False) -> str"),
    ],
)
def test_signatures(function: Callable[..., object], text: str) -> None:
    assert api._signature("f", function) == text


def test_a_record() -> None:
    page = "\n".join(api._described("Shown", Shown))
    for part in (
        "class Shown(tuple)",
        "What is shown.\n",
        "```python\ncode of\n\ntwo parts\n```",
        "| | |\n|---|---|\n| `a` | one |\n| `b` | the other |",
        "```pycon\n>>> 1\n1\n```",
        "* `size`: how large it is\n* raises `ValueError`: never",
        "```python\nsize: int\nname: str | None\n```",
        "### Shown.method\n\n```python\ndef method(flag: bool = False) -> str\n```\n\nDoes.",
    ):
        assert part in page


def test_the_page_has_nothing_of_this_run() -> None:
    page = api.reference()
    for trace in ("ForwardRef", " at 0x", "/jstrace/", "<module", "<function", "``"):
        assert trace not in page.replace("```", "")
    assert page.index("\n## trace\n") < page.index("\n## Task\n") < page.index("\n## JstraceError\n")
