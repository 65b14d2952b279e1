"""The ladder's columns of places: where packets passed, and between which two an arrow ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from test_commands import both
from test_places import farther, leg

from dissector.model import Astray, Role, Task, TaskPoint
from dissector.render.arrows import Columns
from dissector.render.points import columns_of
from dissector.traffic import Side

Run = Callable[..., Result]


def page(jstrace: Run, width: int, *files: str | Path) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        result = jstrace("read", *map(str, files), "--task", "1", "--color", "never")
    assert result.exit_code == 0, result.stderr
    found: list[str] = result.stdout.splitlines()
    return found


def line_with(lines: list[str], words: str) -> str:
    return next(line for line in lines if words in line)


def named(case: str) -> list[str]:
    client, remote = both(case)
    return ["--point", f"client={client}", "--point", f"remote={remote}"]


def test_what_was_lost_ends_between_the_two_columns(jstrace: Run) -> None:
    lines = page(jstrace, 140, *named("02_callback_drop"))
    heading, lost = line_with(lines, "┊ client"), line_with(lines, "11 times, never came to client")
    client, remote = heading.index("┊ client"), heading.index("┊ remote")
    assert client < lost.index("×") < remote
    assert lost[client] == "┊"
    assert lost.rindex("┤") > heading.rindex("│")


def test_what_a_device_sent_begins_between_the_two_columns(jstrace: Run) -> None:
    lines = page(jstrace, 140, *named("13_idle_firewall_rst"))
    heading, reset = line_with(lines, "┊ client"), line_with(lines, "── RST ──")
    assert heading.index("┊ client") < reset.index("├") < heading.index("┊ remote")


def test_a_syn_of_the_client_s_side_ends_before_the_remote_s_column(jstrace: Run) -> None:
    """The client's own data never come to the remote's place."""
    lines = page(jstrace, 140, *named("26_mtu_black_hole"))
    heading, lost = line_with(lines, "┊ client"), line_with(lines, "×│")
    assert heading.index("┊ client") < lost.index("×") < heading.index("┊ remote")
    assert lost[lost.index("├") + 1] == "╌"


def test_between_the_right_two_of_three_columns(jstrace: Run, tmp_path: Path) -> None:
    beyond = farther(leg("02_callback_drop", "r"), tmp_path / "beyond.pcap")
    lines = page(jstrace, 160, *named("02_callback_drop"), beyond)
    heading, lost = line_with(lines, "┊ client"), line_with(lines, "never came to client")
    assert heading.index("┊ client") < lost.index("×") < heading.index("┊ remote") < heading.index("┊ beyond")


def test_a_translation_is_told_at_the_connection(jstrace: Run) -> None:
    lines = page(jstrace, 160, *named("06_client_nat_dnat"))
    told = line_with(lines, "callback: 10.50.1.10:59999 is 10.50.2.1:59999 behind the device")
    assert "between client and remote" in told
    assert lines.index(told) == lines.index(line_with(lines, "═ callback connection")) - 1
    assert line_with(lines, "┊ client")


def test_places_that_do_not_differ_have_no_columns(jstrace: Run) -> None:
    assert not any("┊" in line for line in page(jstrace, 140, *named("01_healthy")))


@pytest.mark.parametrize(("width", "has_columns"), [(99, False), (100, True)])
def test_a_narrow_screen_has_none(width: int, has_columns: bool, jstrace: Run) -> None:
    lines = page(jstrace, width, *named("02_callback_drop"))
    assert any("┊" in line for line in lines) is has_columns
    assert any("never came to client" in line for line in lines)


@pytest.mark.parametrize(("end", "has_columns"), [(14, False), (15, True)])
def test_columns_need_room(end: int, has_columns: bool) -> None:
    points = [TaskPoint(name, None, None, None, 0, 0, 1) for name in "ab"]
    task = Task(0, 1, points=points, astray=[Astray(1, 0, "SYN", Role.COMMAND, Side.CLIENT, "a", "b")])
    assert bool(columns_of(task, end).names) is has_columns


def test_long_names_show_where_they_differ() -> None:
    heading = Columns.along(["02_callback_drop.c", "02_callback_drop.r"], 36).heading((0, 36, 60))
    assert heading == "│           ┊ …c        ┊ …r        │"
    heading = Columns.along(["client", "remote"], 36).heading((0, 36, 60))
    assert heading == "│           ┊ client    ┊ remote    │"
