"""Pictures of the screen at three sizes and without colours, compared as a whole.

``pytest tests/view/test_snapshots.py --snapshot-update`` takes them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from view_kit import app_of

pytest.importorskip("pytest_textual_snapshot")

SIZES = [(80, 24), (120, 40), (200, 50)]
#: To the table of tasks, and to a field of a message.
LIST = ("enter", "down")
FIELD = ("enter", "enter", "down", "down", "down", "enter", "enter", "down", "down", "down")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("keys", [LIST, FIELD], ids=["list", "field"])
def test_pictures(
    captures: Path, snap_compare: Callable[..., Any], size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    app = app_of(captures / "engine_shell_fail.pcap")
    assert snap_compare(app, press=keys, terminal_size=size)


def test_a_picture_without_colours(captures: Path, snap_compare: Callable[..., Any]) -> None:
    app = app_of(captures / "engine_shell_fail.pcap", colors=0)
    assert snap_compare(app, press=(), terminal_size=(80, 24))
