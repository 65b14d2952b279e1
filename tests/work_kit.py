"""How much work something is, whatever else the machine does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from types import FrameType


def work(run: Callable[[], object]) -> int:
    """How often a function is called while it runs."""
    calls = count()

    def called(_frame: FrameType, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            next(calls)

    sys.setprofile(called)
    try:
        run()
    finally:
        sys.setprofile(None)
    return next(calls)
