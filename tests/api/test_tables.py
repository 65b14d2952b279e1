"""Tables of pandas."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import jstrace


def test_a_row_for_each_record(captures: Path) -> None:
    pytest.importorskip("pandas")
    table = jstrace.to_dataframe(jstrace.trace(captures / "engine_ten_tasks.pcap", captures / "engine_shell_fail.pcap"))
    assert sorted(table["n"]) == list(range(1, 12))
    assert set(table[table.outcome == "failure"]["job"]) == {"shell_fail"}
    assert str(table["start"].dtype).startswith("datetime64[")
    assert (table["end"] - table["start"]).dt.total_seconds().round(6).tolist() == table["duration"].round(6).tolist()
    assert table["counts.calls"].min() > 0


def test_what_is_not_there_makes_no_column_of_its_own(captures: Path) -> None:
    pytest.importorskip("pandas")
    table = jstrace.to_dataframe(jstrace.messages(captures / "engine_shell_fail.pcap"))
    assert len(table) == 34
    assert "object" not in table
    assert {"object.id", "object.name"} <= set(table)
    assert len(jstrace.to_dataframe([])) == 0


def test_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(jstrace.ToolError, match="pip install pandas"):
        jstrace.to_dataframe([])
