"""``CHANGELOG.md`` is as Keep a Changelog has it, and has the release that this is."""

from __future__ import annotations

import re
from pathlib import Path

import dissector

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
RELEASES = dict(re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", TEXT, re.MULTILINE))
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def test_releases() -> None:
    """What is not released comes first; what is has a date."""
    assert next(iter(RELEASES)) == "Unreleased"
    assert RELEASES.pop("Unreleased") == ""
    assert dissector.__version__ in RELEASES
    assert all(RELEASES.values())


def test_every_line_is_of_a_kind() -> None:
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[2:]:
        before, *kinds = re.split(r"^### (\w+)\n", part.partition("\n")[2], flags=re.MULTILINE)
        assert before.strip() == ""
        assert kinds[::2] == sorted(kinds[::2], key=KINDS.index)
        for lines in kinds[1::2]:
            assert [line for line in lines.splitlines() if line and not line.startswith(("- ", "  "))] == []
            assert "- " in lines
