"""What the lines of a key log name, and which are none."""

from __future__ import annotations

import pytest

from dissector.wire.tls_keys import HANDSHAKE_SECRETS, TRAFFIC_SECRETS, Secrets

RANDOM, MASTER = bytes(range(32)), bytes(range(48))


def log(label: str, name: bytes, secret: bytes) -> bytes:
    return f"{label} {name.hex()} {secret.hex()}\n".encode()


def session(name: bytes, master: bytes) -> bytes:
    return f"RSA Session-ID:{name.hex()} Master-Key:{master.hex()}\n".encode()


@pytest.mark.parametrize(
    ("label", "sizes"),
    [
        ("CLIENT_RANDOM", {48}),
        ("PMS_CLIENT_RANDOM", {1, 2, 31, 32, 33, 47, 48, 49, 1_024}),
        *((label, {32, 48}) for label in (*HANDSHAKE_SECRETS, *TRAFFIC_SECRETS)),
        ("EXPORTER_SECRET", set()),
    ],
)
def test_how_long_a_secret_is(label: str, sizes: set[int]) -> None:
    for size in (1, 2, 31, 32, 33, 47, 48, 49, 1_024, 1_025):
        secrets = Secrets()
        assert secrets.add_log(log(label, RANDOM, bytes(size))) == (size in sizes), size
        assert secrets.of(RANDOM) == ({label: bytes(size)} if size in sizes else {})
        assert bool(secrets) is (size in sizes)


@pytest.mark.parametrize("size", [31, 32, 33])
def test_how_long_a_random_is(size: int) -> None:
    assert Secrets().add_log(log("CLIENT_RANDOM", bytes(size), MASTER)) == (size == 32)


@pytest.mark.parametrize(("name", "master", "found"), [(1, 48, 1), (32, 48, 1), (32, 47, 0), (32, 49, 0)])
def test_sessions(name: int, master: int, found: int) -> None:
    secrets = Secrets()
    assert secrets.add_log(session(bytes(name), bytes(master))) == found
    assert secrets.of_session(bytes(name)) == (bytes(master) if found else None)
    assert bool(secrets) is bool(found)
    assert secrets.add_log(b"RSA Session-ID:123 Master-Key:" + b"00" * 48) == 0


@pytest.mark.parametrize(("name", "secret", "found"), [(8, 48, 1), (7, 48, 0), (9, 48, 0), (8, 47, 0), (8, 49, 0)])
def test_premasters(name: int, secret: int, found: int) -> None:
    secrets = Secrets()
    assert secrets.add_log(log("RSA", bytes(range(name)), bytes(secret))) == found
    assert secrets.premaster(bytes(range(128))) == (bytes(secret) if found else None)
    assert secrets.premaster(bytes(128)) is None
    assert bool(secrets) is bool(found)


def test_premasters_by_keys_of_servers() -> None:
    secrets = Secrets()
    secrets.rsa = [lambda _: None, lambda encrypted: encrypted[::-1]]
    assert secrets
    assert secrets.premaster(b"ab") == b"ba"
    secrets.add_log(log("RSA", bytes(8), MASTER))
    assert secrets.premaster(bytes(9)) == MASTER


def test_secrets_of_one_connection_stand_together() -> None:
    secrets = Secrets()
    lines = b"".join(log(label, RANDOM, bytes(32)) for label in HANDSHAKE_SECRETS)
    assert secrets.add_log(lines + b"# words\n\n") == 2
    assert set(secrets.of(RANDOM)) == set(HANDSHAKE_SECRETS)
    assert secrets.version == 1
    secrets.add_log(b"# words")
    assert secrets.version == 1


def test_sessions_without_a_name_are_not_remembered() -> None:
    secrets = Secrets()
    secrets.remember(b"", MASTER)
    assert not secrets
    secrets.remember(b"ticket", MASTER)
    assert (secrets.of_session(b"ticket"), secrets.of_session(b"")) == (MASTER, None)


@pytest.mark.parametrize(("more", "known"), [(1, True), (2, False)])
def test_how_many_are_kept(more: int, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.wire.tls_keys.MAX_TLS_SECRETS", 2)
    secrets = Secrets()
    for number in range(1 + more):
        secrets.add_log(log("CLIENT_RANDOM", bytes([number]) * 32, MASTER))
    assert bool(secrets.of(bytes(32))) is known


def test_what_a_capture_brings_may_come_late() -> None:
    secrets = Secrets()
    assert not secrets.may_grow
    secrets.add_captured(log("CLIENT_RANDOM", RANDOM, MASTER))
    assert secrets.may_grow
    assert secrets.of(RANDOM)


def test_a_log_is_looked_at_again_for_what_is_unknown() -> None:
    secrets = Secrets()
    secrets.refresh = lambda: secrets.add_log(log("CLIENT_RANDOM", RANDOM, MASTER))
    assert secrets
    assert secrets.may_grow
    assert secrets.of(RANDOM)
    secrets.refresh = pytest.fail
    assert secrets.of(RANDOM)
