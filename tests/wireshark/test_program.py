"""The plugin in Wireshark itself: reloading, and switching off.  ``make gui`` runs these alone."""

from __future__ import annotations

from pathlib import Path

import plugin_kit as kit
import program_kit
import pytest

pytestmark = pytest.mark.skipif(
    bool(program_kit.missing), reason=f"not installed: {', '.join(program_kit.missing)} (make gui)"
)
CAPTURE = kit.CAPTURES / "engine_shell_fail.pcap"


def _holds(program: program_kit.Program, wanted: list[int], rounds: int = 0) -> None:
    """Wireshark goes through all packets, for more than the first ``rounds`` times, and finds what is wanted."""
    program.until(
        lambda: len(program.counts) > rounds and program.counts[-1] == wanted,
        f"{wanted} packets with messages and errors wanted, in round {rounds + 1}",
    )


def _reload(program: program_kit.Program, wanted: list[int]) -> None:
    """Analyze > Reload Lua Plugins, and what the packets hold then."""
    before = len(program.counts)
    program.keys(program.window(CAPTURE.name), "ctrl+shift+l")
    _holds(program, wanted, before)


def _messages() -> int:
    return len(kit.rows(CAPTURE, "jobscheduler.kind", "frame.number"))


@pytest.mark.one_in(2)
@pytest.mark.parametrize("options", [(), ("-Y", "jobscheduler")], ids=["all packets", "display filter"])
def test_the_plugins_can_be_reloaded(tmp_path: Path, options: tuple[str, ...]) -> None:
    wanted = [_messages(), 0]
    with program_kit.wireshark(tmp_path, CAPTURE, *options) as program:
        _holds(program, wanted)
        for _ in range(3):
            _reload(program, wanted)
        assert program.status is None


def test_they_can_be_reloaded_beside_the_task_list(tmp_path: Path) -> None:
    wanted = [_messages(), 0]
    with program_kit.wireshark(tmp_path, CAPTURE) as program:
        _holds(program, wanted)
        program.keys(program.window(CAPTURE.name), "alt+t", "Down", "Down", "Right", "Return")
        program.window("JobScheduler tasks")
        _reload(program, wanted)
        assert program.status is None


def test_a_disabled_protocol_stays_away(tmp_path: Path) -> None:
    with program_kit.wireshark(tmp_path, CAPTURE, disabled="jobscheduler") as program:
        _holds(program, [0, 0])
        _reload(program, [0, 0])
        assert program.status is None
