"""How TCP cuts the streams makes no difference: single bytes, seven, as much as a segment can hold."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from builders import pcap
from test_disturbed import Seg, flights, in_time_order, read
from verify_kit import ROOT, SOME_WAYS, disagreements, messages, told_by_python

from dissector.sources.capture import CaptureReader

#: Calls inside of calls, log lines, all types of values, two tasks, several documents on one connection; and 1 MB.
SHORT = ("engine_shell_ok", "engine_xml_errors", "h19_nested", "scala111_keepalive")
LONG = ("engine_api_java_ok", "engine_order", "h19_variants", "scala19_java")
HUGE = ("engine_bigscript", "engine_ten_tasks")

CUTS = [*((name, 1) for name in SHORT), *((name, 7) for name in SHORT + LONG)]
CUTS += [(name, 65_000) for name in SHORT + LONG + HUGE]


def recut(segments: list[Seg], size: int) -> list[Seg]:
    """What is on its way together, joined and cut into pieces of ``size`` bytes."""
    result: list[Seg] = []
    for run in flights(segments):
        whole = run[0]._replace(payload=b"".join(one.payload for one in run), time=run[-1].time)
        in_order = all(
            one.seq == run[0].seq + sum(len(before.payload) for before in run[:i]) for i, one in enumerate(run)
        )
        if not (whole.is_data and in_order):
            result += run
            continue
        result += (whole.piece(start, start + size) for start in range(0, len(whole.payload), size))
    return result


@pytest.mark.one_in(9)
@pytest.mark.parametrize(("name", "size"), CUTS)
def test_any_segments(name: str, size: int, tmp_path: Path) -> None:
    original = ROOT / "captures" / f"{name}.pcap"
    path = tmp_path / "recut.pcap"
    path.write_bytes(in_time_order(recut(read(original), size)))
    count = messages(told_by_python(original))
    assert messages(told_by_python(path)) == count
    assert list(disagreements(path, SOME_WAYS, least=count - 1)) == []


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["engine_shell_ok", "engine_agent_not_reachable", "engine_kill_agent", "engine_order"])
def test_packets_out_of_order(name: str, tmp_path: Path) -> None:
    """All of them up to 5 ms late: beginnings, refusals and ends too."""
    packets, dice = list(CaptureReader([ROOT / "captures" / f"{name}.pcap"])), Random(name)
    late = sorted(((one.time + dice.randint(0, 5_000_000), one.data) for one in packets), key=lambda one: one[0])
    path = tmp_path / "late.pcap"
    path.write_bytes(pcap(late, nano=True, link_type=packets[0].link_type))
    assert list(disagreements(path, SOME_WAYS)) == []
