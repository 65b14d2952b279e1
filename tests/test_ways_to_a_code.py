"""From a problem code that somebody sees, one search leads to its row, to a test, and to its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissector.session.codes import CODES
from handbook import codes

ROOT = Path(__file__).resolve().parents[1]


def quoting(folder: str, code: str) -> set[str]:
    """Modules with the code in quotation marks, as it is written where it is told."""
    return {path.name for path, text in texts(folder) if f'"{code}"' in text}


_TEXTS: dict[str, list[tuple[Path, str]]] = {}


def texts(folder: str) -> list[tuple[Path, str]]:
    if folder not in _TEXTS:
        paths = sorted((ROOT / folder).rglob("*.py"))
        _TEXTS[folder] = [(path, path.read_text(encoding="utf-8")) for path in paths]
    return _TEXTS[folder]


@pytest.mark.parametrize("code", CODES)
def test_where_it_is_told(code: str) -> None:
    """Besides the table with its meaning, in one of these: it says when."""
    assert {name for name in quoting("dissector", code) if not name.endswith("codes.py")}


@pytest.mark.parametrize("code", CODES)
def test_where_it_means_something(code: str) -> None:
    defined = {path.name for path, text in texts("dissector/session") if f'"{code}": Code(' in text}
    assert len(defined) == 1


@pytest.mark.parametrize("code", CODES)
def test_where_it_is_tested(code: str) -> None:
    assert quoting("tests", code) - {"row_mirrors.py", "test_codes.py"}


def test_where_its_page_is() -> None:
    assert {one.code for one in codes.explained() if one.is_problem} == set(CODES)
