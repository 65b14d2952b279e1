"""Keys that both ends know beforehand (PSK), by OpenSSL's own programs: what they say is read with a key log."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conversation import Address, Network
from kit import traced

from dissector.model import Connection, Exchange, Role
from dissector.traffic import Side

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
REQUEST = (
    b"POST /jobscheduler/agent/api/command HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\n"
    + b'{"$TYPE": "NoOperation"}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
SUITES = {
    "PSK-AES128-GCM-SHA256": "-tls1_2",
    "DHE-PSK-AES256-GCM-SHA384": "-tls1_2",
    "ECDHE-PSK-AES128-CBC-SHA256": "-tls1_2",
    "PSK-CHACHA20-POLY1305": "-tls1_2",
    "PSK-AES256-CBC-SHA": "-tls1_2",
    "TLS_AES_128_GCM_SHA256": "-tls1_3",
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(["openssl", *arguments], **options) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def wait_for(port: int) -> socket.socket:
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except OSError:  # noqa: PERF203  it is asked until it listens
            time.sleep(0.05)
    raise AssertionError("openssl does not listen")


def said(suite: str, version: str, log: Path) -> list[tuple[Side, bytes]]:
    """What the two ends say to each other, in order: a request and its response inside of TLS."""
    found: list[tuple[Side, bytes]] = []
    server_port, relay_port = free_port(), free_port()
    cipher = ["-ciphersuites" if version == "-tls1_3" else "-cipher", suite, version, "-psk", "0a1b2c3d"]
    server = ["s_server", "-quiet", "-nocert", "-accept", f"127.0.0.1:{server_port}", *cipher]
    client = ["s_client", "-quiet", "-connect", f"127.0.0.1:{relay_port}", "-keylogfile", str(log), *cipher]
    with (
        socket.create_server(("127.0.0.1", relay_port)) as relay,
        program(*server) as far,
        wait_for(server_port) as onward,
        program(*client) as near,
    ):
        relay.settimeout(20)
        inward, _ = relay.accept()
        inward.settimeout(20)

        def pass_on(side: Side, source: socket.socket, target: socket.socket) -> None:
            try:
                while data := source.recv(1 << 16):
                    found.append((side, data))
                    target.sendall(data)
            except OSError:
                pass

        ways = ((Side.CLIENT, inward, onward), (Side.SERVER, onward, inward))
        threads = [threading.Thread(target=pass_on, args=way, daemon=True) for way in ways]
        for thread in threads:
            thread.start()
        for process, other, data in ((near, far, REQUEST), (far, near, ANSWER)):
            assert process.stdin is not None
            assert other.stdout is not None
            process.stdin.write(data)
            process.stdin.flush()
            assert other.stdout.read(len(data)) == data
        inward.close()
        onward.close()
    return found


@pytest.mark.parametrize("suite", SUITES)
def test_keys_that_both_know_beforehand(suite: str, tmp_path: Path) -> None:
    log, network = tmp_path / "keys.log", Network()
    line = network.line(Address("10.1.0.10", 40_000), Address("10.2.0.10", 4_445))
    line.open(0)
    for place, (side, data) in enumerate(said(suite, SUITES[suite], log), 1):
        line.send(place * 10**6, int(side), data)
    events = traced(network.ordered(), log.read_bytes())
    (connection,) = [one for one in events if isinstance(one, Connection)]
    assert connection.role is Role.HTTP
    (exchange,) = [one for one in events if isinstance(one, Exchange)]
    assert (exchange.type, exchange.status) == ("NoOperation", 200)
