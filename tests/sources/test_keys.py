"""Key logs as they are written: whole lines count, and what comes later is found when it is needed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dissector.errors import UsageError
from dissector.keys import secrets_of
from dissector.sources.keys import key_log_of
from dissector.wire.tls_keys import CLIENT_RANDOM, Secrets

ONE, TWO, MASTER = bytes(31) + b"1", bytes(31) + b"2", bytes(range(48))


def line(random: bytes, secret: bytes = MASTER, label: str = CLIENT_RANDOM) -> str:
    return f"{label} {random.hex()} {secret.hex()}\n"


def test_a_log_is_followed_line_by_line(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    path = tmp_path / "keys.log"
    path.write_text("# a comment\n" + line(ONE))
    secrets = secrets_of([path], follow=True)
    assert secrets.of(ONE) == {CLIENT_RANDOM: MASTER}
    assert secrets.of(TWO) == {}
    with path.open("a") as file:
        file.write(line(TWO)[:120])
        file.flush()
        assert secrets.of(TWO) == {}
        file.write(line(TWO)[120:])
        file.flush()
    assert secrets.of(TWO) == {CLIENT_RANDOM: MASTER}
    assert secrets.version >= 2


def test_a_log_that_is_empty_so_far(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    path = tmp_path / "keys.log"
    path.touch()
    secrets = secrets_of([path], follow=True)
    assert secrets
    path.write_text(line(ONE))
    assert secrets.of(ONE)


def test_a_log_that_nobody_writes_any_more_may_lack_its_last_line_end(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    path = tmp_path / "keys.log"
    path.write_text(line(ONE) + line(TWO).rstrip())
    secrets = secrets_of([path])
    assert secrets.of(ONE)
    assert secrets.of(TWO)


@pytest.mark.parametrize(
    "text",
    [
        line(ONE[:31]), line(ONE, MASTER[:47]), line(ONE, MASTER, "EXPORTER_SECRET"), "CLIENT_RANDOM 12 zz\n",
        "RSA Session-ID:12 Master-Key:1234\n", line(ONE)[:-2] + "\n", "\xff\xfe\n",
    ],
)  # fmt: skip
def test_lines_that_are_none(text: str) -> None:
    secrets = Secrets()
    assert secrets.add_log(text.encode("latin-1")) == 0
    assert not secrets


@pytest.mark.parametrize("text", [line(ONE), line(ONE).replace("\n", "\r\n"), line(ONE).upper(), line(ONE).rstrip()])
def test_lines_of_any_program(text: str) -> None:
    secrets = Secrets()
    assert secrets.add_log(b"# NSS\n\n" + text.encode() + b"\n") == 1
    assert secrets.of(ONE) == {CLIENT_RANDOM: MASTER}


def test_many_secrets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.wire.tls_keys.MAX_TLS_SECRETS", 10)
    secrets = Secrets()
    secrets.add_log("".join(line(number.to_bytes(32, "big")) for number in range(25)).encode())
    assert not secrets.of((14).to_bytes(32, "big"))
    assert secrets.of((15).to_bytes(32, "big"))


def test_a_line_without_an_end_is_not_kept(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    path = tmp_path / "keys.log"
    path.write_bytes(b"x" * 3_000_000 + b"\n" + line(ONE).encode())
    assert secrets_of([path]).of(ONE)


def test_which_file_the_environment_names(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    two.touch()
    assert key_log_of({}) is None
    assert key_log_of({"TLS_KEYLOG_FILE": str(one), "SSLKEYLOGFILE": str(two)}) == str(one)
    assert key_log_of({"SSLKEYLOGFILE": str(two)}) == str(two)
    assert key_log_of({"SSLKEYLOGFILE": str(one)}) is None


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    with pytest.raises(UsageError, match="directory"):
        secrets_of([tmp_path])


@pytest.mark.parametrize("text", ["", "no key log", line(ONE)])
def test_what_others_write_ends_no_run(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key log for browsers is none of jstrace's business, with or without the package that deciphers."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    path = tmp_path / "keys.log"
    path.write_text(text)
    assert bool(secrets_of(environment={"SSLKEYLOGFILE": str(path)})) is text.startswith(CLIENT_RANDOM)
    if text == "no key log":
        with pytest.raises(UsageError, match="no TLS key log"):
            secrets_of(environment={"TLS_KEYLOG_FILE": str(path)})


def test_who_waits_for_secrets() -> None:
    secrets = Secrets()
    secrets.add_log(line(ONE).encode())
    assert not secrets.may_grow
    secrets.add_captured(line(TWO).encode())
    assert secrets.may_grow
