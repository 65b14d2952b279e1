"""Python and every tshark agree on conversations that nobody thought of.

Hypothesis makes them; all of them go through a tshark at once, so that hundreds take seconds.
"""

from __future__ import annotations

from pathlib import Path

from conversation import Network
from hypothesis import HealthCheck, given, settings
from talks import Talk, play, talks
from verify_kit import SOME_WAYS, disagreements

_MANY = 250


def test_made_conversations(tmp_path: Path) -> None:
    """A failure leaves the capture behind; its packets are those that the differences name."""
    made: list[Talk] = []

    @settings(max_examples=_MANY, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(talks)
    def make(talk: Talk) -> None:
        made.append(talk)

    make()
    assert len(made) >= 200
    network = Network()
    for number, talk in enumerate(made):
        play(network, talk, number)
    path = tmp_path / "made.pcap"
    path.write_bytes(network.capture())
    assert list(disagreements(path, SOME_WAYS, least=8 * len(made))) == []
