"""Tasks on Universal Agents: Python and every tshark agree, over plain HTTP and with the secrets of TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
from verify_kit import PLUGIN, ROOT, TSHARKS, told_by_python

from dissector.keys import secrets_of
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.verify import python_side
from dissector.verify.compare import compare
from dissector.verify.records import Found, Mismatch, Row, Told
from dissector.verify.tshark import Tshark

AGENT = ROOT / "captures" / "agent"
#: Two tasks at once with all their legs, repetitions, a lost agent, a lost task process, starts that are refused.
SOME = ("ua113_two_tasks_all", "ua113_frozen", "ua113_midcall", "ua111_task_killed_all", "ua113_startfail")


def differences(python: list[Told | Row | Found], capture: Path, tshark: Tshark) -> tuple[list[Mismatch], int, int]:
    """What differs, and how many messages and tasks were compared."""
    found = list(compare(python, tshark.read(str(capture)), two_pass=tshark.two_pass))
    return (
        [one for one in found if isinstance(one, Mismatch)],
        sum(isinstance(one, Told) for one in found),
        sum(isinstance(one, Row) for one in found),
    )


@pytest.mark.one_in(5)
@pytest.mark.parametrize("two_pass", [False, True], ids=("one pass", "two passes"))
@pytest.mark.parametrize("program", TSHARKS)
@pytest.mark.parametrize("name", SOME)
def test_messages_and_tasks_are_equal(name: str, program: str, two_pass: bool) -> None:
    capture = AGENT / f"{name}.pcap"
    found, messages, tasks = differences(told_by_python(capture), capture, Tshark(program, PLUGIN, two_pass))
    assert found == []
    assert messages > 0 or name == "ua113_startfail"
    assert tasks > 0


@pytest.mark.parametrize("program", TSHARKS)
def test_https_is_equal_with_its_key_log(program: str) -> None:
    capture, keys = AGENT / "ua113_https_rsa.pcap", AGENT / "ua113_https_rsa.keys"
    python = list(python_side.read(CaptureReader([capture]), Tracer(secrets=secrets_of(logs=[keys]))))
    tshark = Tshark(program, PLUGIN, preferences=(f"tls.keylog_file:{keys}",))
    found, messages, tasks = differences(python, capture, tshark)
    assert found == []
    assert (messages, tasks) == (20, 1)


def test_a_task_that_ends_otherwise_is_a_difference() -> None:
    """The recordings of two ends of the same job, one beside the other."""
    ok, killed = AGENT / "ua113_shell_ok.pcap", AGENT / "ua113_kill.pcap"
    found, _, _ = differences(told_by_python(ok), killed, Tshark("tshark", PLUGIN))
    assert any("outcome of task 1: Python success, tshark killed" in str(one) for one in found)
