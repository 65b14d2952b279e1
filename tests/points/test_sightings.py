"""What is kept of each packet to find it again at another place."""

from __future__ import annotations

from pathlib import Path

from test_places import leg, written

from dissector.points.sightings import Sightings
from dissector.sources.capture import first_blocks
from dissector.traffic import Packet


def seen(path: Path) -> Sightings:
    found = Sightings()
    for block in first_blocks(str(path), 1 << 30):
        found.add(block)
    return found


def test_segmentation_offload_leaves_the_length_of_a_packet_open(tmp_path: Path) -> None:
    """A sender's capture has 0 there; the payload ends where the packet does."""

    def offloaded(packet: Packet) -> Packet:
        data = packet.data
        return packet._replace(data=data[:16] + (bytes(2) if len(data) > 100 else data[16:18]) + data[18:])

    source = leg("01_healthy", "c")
    plain, other = seen(source), seen(written(tmp_path / "x.pcap", source, offloaded))
    assert other.seen == plain.seen
    assert other.said == plain.said != {}
