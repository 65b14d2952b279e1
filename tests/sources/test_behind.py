"""Secrets behind the last packet of a pcapng file: what is walked over, and where the walk ends."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from builders import block, enhanced, interface, old_packet, section, simple

from dissector.sources import behind
from dissector.sources.behind import secrets_behind

LOG = b"CLIENT_RANDOM 00 11"


def secrets(log: bytes = LOG, kind: int = 0x544C534B, order: str = "<") -> bytes:
    return block(10, struct.pack(f"{order}II", kind, len(log)) + log, order)


FRONT = section() + interface()
STATISTICS = block(5, bytes(12))


def found(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    return secrets_behind(str(path))


@pytest.mark.parametrize("packet", [enhanced(b"abcd"), simple(b"abcd"), old_packet(b"abcd")])
def test_what_stands_behind_the_last_packet(packet: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert found(path, FRONT + packet + STATISTICS + secrets(b"one") + STATISTICS + secrets(b"two")) == b"one\ntwo"
    assert found(path, FRONT + secrets() + packet + STATISTICS) == b""
    assert found(path, FRONT + packet + secrets(kind=0x57474B4C)) == b""  # of WireGuard


def test_other_byte_orders_and_files_without_packets(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert found(path, section(">") + interface(order=">") + secrets(order=">")) == LOG
    assert found(path, FRONT + secrets()) == LOG


def test_what_is_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data in (
        b"",
        b"\x0a\x0d\x0d\x0a",
        FRONT[:8] + bytes(4) + secrets(),
        gzip.compress(FRONT + secrets()),
        bytes(99),
    ):
        assert found(path, data) == b""
    assert secrets_behind(str(tmp_path)) == secrets_behind("-") == secrets_behind(str(tmp_path / "none")) == b""


@pytest.mark.parametrize("length", [0, 8, 11, 13, 1 << 20, 0xFFFF_FFFF])
def test_lengths_that_can_not_be_end_the_walk(length: int, tmp_path: Path) -> None:
    end = struct.pack("<I", length)
    assert found(tmp_path / "x", FRONT + secrets() + bytes(12) + end) == b""
    assert found(tmp_path / "x", FRONT + secrets()[:-4] + end) == b""


def test_a_file_that_is_cut_off_has_none(tmp_path: Path) -> None:
    assert found(tmp_path / "x", (FRONT + enhanced(b"abcd") + secrets())[:-1]) == b""


@pytest.mark.parametrize(("most", "log"), [(3, LOG), (2, b"")])
def test_so_many_blocks_are_walked_over(most: int, log: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "_MOST_BLOCKS", most)
    assert found(tmp_path / "x", FRONT + enhanced(b"abcd") + secrets() + 2 * STATISTICS) == log


@pytest.mark.parametrize(("most", "log"), [(len(secrets()), LOG), (len(secrets()) - 1, b"")])
def test_so_many_bytes_are_taken(most: int, log: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "_MOST_BYTES", most)
    assert found(tmp_path / "x", FRONT + enhanced(b"abcd") + secrets()) == log
