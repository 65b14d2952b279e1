"""The log of a task as text."""

from __future__ import annotations

import io

from render_sample import at, capture, failing_job

from dissector.model import LogLine
from dissector.render.log import LogView
from dissector.render.terminal import Terminal
from dissector.wire.masking import Mask


def shown(*logs: list[LogLine]) -> str:
    out = io.StringIO()
    view = LogView(Terminal(out), Mask())
    for number, lines in reversed(list(enumerate(logs, 1))):
        task = failing_job().task
        task.n, task.log = number, lines
        view.add(task)
    view.close([capture()])
    return out.getvalue()


def test_time_level_text() -> None:
    lines = [LogLine(at(0), "info", "one", 1), LogLine(at(5), "debug9", "two\r\n three\n", 2)]
    assert shown(lines) == (
        "2026-11-22 UTC\n"
        "04:07:04.837 info   one\n"  #
        "04:07:04.842 debug9 two\n"
        "                     three\n"
    )


def test_controls_and_secrets_are_not_shown() -> None:
    lines = [LogLine(at(0), "warn", "\x1b[2J password=hunter2\x07", 1)]
    assert shown(lines) == "2026-11-22 UTC\n04:07:04.837 warn   \\x1b[2J password=***\n"


def test_several_tasks_have_headings() -> None:
    one = [LogLine(at(0), "error", "x", 1)]
    assert shown(one, one) == (
        "task 1  shell_fail\n2026-11-22 UTC\n04:07:04.837 error  x\n\ntask 2  shell_fail\n04:07:04.837 error  x\n"
    )


def test_a_new_day_is_named() -> None:
    lines = [LogLine(at(0) + day * 86_400 * 10**9, "info", "x", 1) for day in (0, 0, 1)]
    assert shown(lines).splitlines() == [
        "2026-11-22 UTC",
        "04:07:04.837 info   x",
        "04:07:04.837 info   x",
        "2026-11-23 UTC",
        "04:07:04.837 info   x",
    ]


def test_no_log_no_text() -> None:
    assert shown([]) == ""
