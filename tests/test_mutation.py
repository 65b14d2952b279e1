"""What ``make mutate`` leaves out is still there, and for a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutation import equivalents

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
