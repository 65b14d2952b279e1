"""What ``make mutate`` leaves out is still there, and for a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutation import equivalents, uses

ROOT = Path(__file__).resolve().parent.parent


def test_the_lines_of_equivalent_mutants_exist() -> None:
    for (module, before, after), reason in equivalents.equivalents().items():
        lines = {line.strip() for line in (ROOT / module).read_text(encoding="utf-8").splitlines()}
        assert before in lines, (module, before)
        assert before != after
        assert len(reason.split()) > 3, (module, before)


@pytest.mark.parametrize("block", ["a.py\n- x\n+ y", "a.py\nx\n+ y\nwhy", "a.py\n- x\ny\nwhy"])
def test_a_mutant_without_a_reason_is_refused(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "equivalent.txt"
    path.write_text(f"# words\n\n{block}\n")
    monkeypatch.setattr(equivalents, "LIST", path)
    with pytest.raises(ValueError, match="equivalent"):
        equivalents.equivalents()


HERE = """\
_LIMIT, LARGE = 5, 7
_TABLE = {LARGE: _LIMIT}
UNUSED = 3


class Facts:
    size: int = 0


def small(one: int = _LIMIT) -> bool:
    return one < 2


def known(one: int) -> bool:
    return one in _TABLE


def made() -> Facts:
    return Facts()
"""
THERE = """\
from dissector.session.here import LARGE

ask = lambda one: one.size + LARGE
"""


@pytest.mark.parametrize(
    ("line", "users", "named"),
    [
        (1, {("session/here", 15), ("wire/there", 3), ("session/here", 11)}, {"_LIMIT", "LARGE", "_TABLE"}),
        (2, {("session/here", 15)}, {"_TABLE"}),
        (3, set(), {"UNUSED"}),
        (7, {("wire/there", 3), ("session/here", 19)}, {"Facts", "size"}),
        (10, {("session/here", 11)}, set()),
    ],
)
def test_what_uses_a_constant(
    line: int, users: set[tuple[str, int]], named: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by way of other constants, in other modules; a parameter's default where its function runs, a field's where
    its class is called."""
    for name, text in (("session/here", HERE), ("wire/there", THERE)):
        path = tmp_path / "dissector" / f"{name}.py"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    for cached in (uses._tree, uses._uses):
        cached.cache_clear()
    try:
        found = uses.users("dissector/session/here.py", line)
    finally:
        for cached in (uses._tree, uses._uses):
            cached.cache_clear()
    assert found == ({(f"dissector/{name}.py", at) for name, at in users}, named)


def test_what_a_test_names() -> None:
    def test() -> bool:
        return all(uses.LIMIT for _ in HERE)  # type: ignore[attr-defined]  # never called

    assert {"uses", "LIMIT", "HERE", "all"} <= uses.names_in(test.__code__)
