"""Which connections that begin like TLS are looked into: known ports, all with secrets, else a few without a task."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dissector.limits import MAX_TLS_LOOKS
from dissector.session import tls_room
from dissector.session.tls_room import TlsRoom
from dissector.wire.tls_keys import Secrets

HELLO = b"\x16\x03\x01\0\5\1"


def room(*, has_tasks: bool = False, secrets: bool = False) -> TlsRoom:
    given = Secrets()
    if secrets:
        given.add_log(b"CLIENT_RANDOM " + b"00" * 32 + b" " + b"11" * 48)
    nobody = cast("Any", None)
    return TlsRoom(nobody, nobody, nobody, cast("Any", SimpleNamespace(has_tasks=has_tasks)), given)


def begin(made: TlsRoom, *, is_known: bool, head: bytes = HELLO) -> Any:
    sniffer = SimpleNamespace(is_command_port=is_known, head=head)
    return made.begin(cast("Any", SimpleNamespace(connection=None)), cast("Any", sniffer))


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is begun is its arguments by name."""
    monkeypatch.setattr(tls_room, "Tls", lambda *_, **named: named)


@pytest.mark.parametrize("has_tasks", [False, True])
@pytest.mark.parametrize("secrets", [False, True])
@pytest.mark.parametrize("is_known", [False, True])
def test_which_are_looked_into(is_known: bool, secrets: bool, has_tasks: bool) -> None:
    made = room(has_tasks=has_tasks, secrets=secrets)
    assert made.wants(is_known) is (is_known or secrets or not has_tasks)


@pytest.mark.parametrize(("looks", "wants"), [(-1, True), (0, False), (1, False)])
def test_how_many_of_unknown_ports_are_looked_into(looks: int, wants: bool) -> None:
    made = room()
    for _ in range(MAX_TLS_LOOKS + looks):
        begin(made, is_known=False)
    assert made.wants(False) is wants
    assert made.wants(True)


@pytest.mark.parametrize(
    ("is_known", "secrets", "counts"), [(True, False, False), (False, True, False), (False, False, True)]
)
def test_those_count_that_nobody_named(is_known: bool, secrets: bool, counts: bool) -> None:
    made = room(secrets=secrets)
    for _ in range(MAX_TLS_LOOKS):
        begin(made, is_known=is_known)
    made.secrets = Secrets()
    assert made.wants(False) is not counts


def test_whether_it_is_seen_from_its_start() -> None:
    assert begin(room(), is_known=True) == {"is_known": True, "from_start": True}
    for head in (b"", HELLO[:3], b"\x17\3\3\0\5\1"):
        assert begin(room(), is_known=False, head=head) == {"is_known": False, "from_start": False}
