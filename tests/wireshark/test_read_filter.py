"""A read filter (``tshark -2 -R``) takes packets out in the first pass, and those behind them get their numbers."""

from __future__ import annotations

from pathlib import Path

import plugin_kit as kit
import pytest

#: Filters that the first pass can answer.
FILTERS = (
    "jobscheduler", "jobscheduler.kind == request", "jobscheduler.kind == answer", "jobscheduler.connection == command",
    "jobscheduler.log.text", "jobscheduler.depth > 0", 'jobscheduler.member == "Params_xml"', "frame.number > 0",
    "tcp.len == 0 || jobscheduler.kind == answer",
)  # fmt: skip
#: What a packet says of itself, and then numbers of other packets.
OWN = (
    "jobscheduler.class", "jobscheduler.kind", "jobscheduler.operation", "jobscheduler.member", "jobscheduler.task",
    "jobscheduler.depth", "jobscheduler.hresult", "jobscheduler.time", "jobscheduler.log.text",
    "jobscheduler.xml.element",
)  # fmt: skip
LINKS = (
    "jobscheduler.request_in", "jobscheduler.response_in", "jobscheduler.callback_in", "jobscheduler.command_in",
    "jobscheduler.segment", "jobscheduler.reassembled_in",
)  # fmt: skip


def _table(path: Path, *options: str) -> dict[str, tuple[str, ...]]:
    """Fields by the time of the packet, which no filter changes; its number comes first."""
    fields = [part for name in ("frame.time_epoch", "frame.number", *OWN, *LINKS) for part in ("-e", name)]
    text = kit.tshark(path, "-2", *options, "-T", "fields", "-E", "aggregator=;", *fields)
    return {row[0]: tuple(row[1:]) for row in (line.split("\t") for line in text.splitlines())}


def _linked(row: tuple[str, ...], time_of: dict[str, str]) -> list[set[str]]:
    """Times of the packets that a row links to, by link; without those of ``None``."""
    return [{time_of[number] for number in cell.split(";") if number} for cell in row[1 + len(OWN) :]]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("size", [0, 60], ids=["as recorded", "in small segments"])
@pytest.mark.parametrize("read_filter", FILTERS)
def test_what_passes_is_shown_as_without_the_filter(tmp_path: Path, read_filter: str, size: int) -> None:
    packets = kit.records(kit.CAPTURES / "engine_shell_ok.pcap")
    if size:
        # Each piece has a time of its own.
        packets = [
            packet._replace(micros=packet.micros % 500_000 + index)
            for index, packet in enumerate(kit.recut(packets, size))
        ]
    path = kit.write(tmp_path / "capture.pcap", packets)
    whole = _table(path)
    shown = set(_table(path, "-Y", read_filter))
    found = _table(path, "-R", read_filter)
    assert set(found) == shown
    assert len(shown) > 1
    time_of = {row[0]: time for time, row in whole.items()}
    time_now = {row[0]: time for time, row in found.items()}
    last = max(whole)
    for time, row in found.items():
        assert row[1 : 1 + len(OWN)] == whole[time][1 : 1 + len(OWN)]
        # Links lead to the same packets, as far as those are left.
        wanted = [{one for one in times if one in found and one != last} for times in _linked(whole[time], time_of)]
        assert [{one for one in times if one != last} for times in _linked(row, time_now)] == wanted


def test_the_task_table_names_packets_that_are_left() -> None:
    path = kit.CAPTURES / "engine_order.pcap"
    options = ("-q", "-o", "jobscheduler.task_table:TRUE", "-2", "-R")
    for read_filter, packets in (
        ("tcp", ["9", "165"]),
        ("jobscheduler", ["-", "-"]),
        ("frame.number == 165", ["-", "-"]),
    ):
        lines = kit.tshark(path, *options, read_filter).splitlines()
        assert [line.split()[1:3] for line in lines[1:]] == [[packets[0], "orderjob:1"], [packets[1], "ordershell:2"]]
