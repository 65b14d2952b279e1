"""Tasks for spreadsheets."""

from __future__ import annotations

import csv
import io

import pytest
from render_sample import capture, failing_job

from dissector.model import Task
from dissector.render.csvtable import COLUMNS, CsvView
from dissector.render.terminal import Terminal
from dissector.wire.masking import Mask


def rows(*tasks: Task) -> list[dict[str, str]]:
    out = io.StringIO()
    view = CsvView(Terminal(out), Mask())
    for task in tasks:
        view.add(task)
    view.close([capture()])
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def test_a_row_for_each_task_in_order() -> None:
    second = failing_job().task
    second.n = 2
    found = rows(second, failing_job().task)
    assert [row["n"] for row in found] == ["1", "2"]
    assert tuple(found[0]) == COLUMNS
    assert list(found[0].values()) == [
        *("1", "2026-11-22T04:07:04.837000Z", "2026-11-22T04:07:04.852000Z", "0.015", "10.1.0.10:47406"),
        *("10.2.0.10:4455", "59999", "10.2.0.10:40004", "0.0006", "process", "1", "", "shell_fail", "1"),
        *("failure", "5", "", "tcp", "5", "4", "0", "1", "2000", "job_failed"),
    ]


@pytest.mark.parametrize("job", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)"])
def test_no_cell_is_a_formula(job: str) -> None:
    task = failing_job().task
    task.job = job
    assert rows(task)[0]["job"] == f"'{job}"


def test_texts_are_harmless() -> None:
    task = failing_job().task
    task.job = 'a"b,c\n=1+1\x1b password=hunter2'
    assert rows(task)[0]["job"] == 'a"b,c\\n=1+1\\x1b password=***'


def test_an_ascii_stream() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    task = failing_job().task
    task.job = "größe"
    view = CsvView(Terminal(out), Mask())
    view.add(task)
    view.close([capture()])
    out.seek(0)
    assert next(csv.DictReader(out))["job"] == "gr\\xf6\\xdfe"
