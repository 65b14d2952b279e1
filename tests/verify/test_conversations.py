"""Python and every tshark agree on conversations that nobody thought of.

Hypothesis makes them; all of them go through a tshark at once, so that hundreds take seconds.
"""

from __future__ import annotations

from pathlib import Path

from conversation import Network
from hypothesis import HealthCheck, given, settings
from talks import OBJECTS, Talk, Turn, play, talks
from verify_kit import SOME_WAYS, disagreements

from dissector.wire import messages as m
from dissector.wire.decode import encode_frame

_MANY = 20


def test_made_conversations(tmp_path: Path) -> None:
    """A failure leaves the capture behind; its packets are those that the differences name."""
    made: list[Talk] = []

    @settings(max_examples=_MANY, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(talks)
    def make(talk: Talk) -> None:
        made.append(talk)

    make()
    assert len(made) >= 15
    network = Network()
    for number, talk in enumerate(made):
        play(network, talk, number)
    path = tmp_path / "made.pcap"
    path.write_bytes(network.capture())
    assert list(disagreements(path, SOME_WAYS, least=8 * len(made))) == []


def test_failed_calls_of_a_member_without_a_name(tmp_path: Path) -> None:
    """An empty name is none: the two failed alike."""
    log, failure = OBJECTS[2], encode_frame(m.ErrorAnswer(("what=no",)))
    asked = m.Call(log, "", m.DispParams((), ())), m.QueryInterface(log, bytes(16))
    turns = [turn for one in asked for turn in (Turn(0, encode_frame(one)), Turn(1, failure))]
    network, path = Network(), tmp_path / "nameless.pcap"
    play(network, Talk(tuple(turns), 1_448, True), 0)
    path.write_bytes(network.capture())
    assert list(disagreements(path, SOME_WAYS, least=8)) == []
