"""Python and tshark with the plugin agree on every message of every recording of the genuine engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from verify_kit import CAPTURES, ROOT

from dissector.verify.run import verify
from dissector.verify.tshark import Tshark

#: What the project itself recorded in its laboratory has tests of its own.
GENUINE = [path for path in CAPTURES if path.parent.name != "corpus"]


@pytest.mark.one_in(10)
@pytest.mark.parametrize("capture", GENUINE, ids=lambda path: path.relative_to(ROOT / "captures").as_posix())
def test_alone(capture: Path) -> None:
    """As a user would ask."""
    report = verify(str(capture), Tshark(), (4444, 4455), (50_000, 59_999), most=10)
    assert report.differences == []
