"""TLS in tests: genuine handshakes and records of Python's ssl without a network, put into packets by ``conversation``.

``Wire`` is one connection: what both programs say is enciphered by OpenSSL, and the key log is what OpenSSL wrote.
``replayed`` sends the bytes of a plain recording through such connections, packet for packet.
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

from conversation import EPOCH, MICROSECOND, SECOND, Address, Line, Network, Record
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from dissector.model import Endpoint
from dissector.sources.capture import CaptureReader
from dissector.stream.reassembly import Connections
from dissector.traffic import Chunk, Segment

AGENT_NAME = "agent.example"
#: When the conversations of tests take place.
NOW = datetime(2026, 11, 22, 4, tzinfo=timezone.utc)
FOLDER = Path(mkdtemp(prefix="jstrace-tls-"))
_LOGS = count()


@dataclass(frozen=True)
class Identity:
    """Certificate and key as files."""

    certificate: Path
    key: Path


@lru_cache
def identity(
    name: str = AGENT_NAME, *, kind: str = "rsa", days: tuple[int, int] = (-10, 3_650), hosts: tuple[str, ...] = ()
) -> Identity:
    """A certificate that is signed by itself; ``days`` from ``NOW`` on."""
    key = rsa.generate_private_key(65_537, 2_048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in hosts or (name,)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    stem = f"{name}-{kind}-{days[0]}-{days[1]}-{len(hosts)}"
    paths = Identity(FOLDER / f"{stem}.pem", FOLDER / f"{stem}.key")
    paths.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@lru_cache
def dh_parameters() -> Path:
    path = FOLDER / "dh.pem"
    command = "openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out"
    subprocess.run([*command.split(), str(path)], check=True, capture_output=True)
    text = path.read_text()
    assert "PARAMETERS" in text
    return path


@dataclass
class Setup:
    """How both ends are configured; ``ciphers`` in the words of OpenSSL, for TLS 1.2."""

    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    ciphers: str | None = None
    server: Identity = field(default_factory=identity)
    trusts: Identity | None = None
    checks: bool = False
    client: Identity | None = None
    wants_client: Identity | None = None
    host: str | None = AGENT_NAME
    client_version: ssl.TLSVersion | None = None
    server_ciphers: str | None = None
    dh: bool = False
    log: Path = field(default_factory=lambda: FOLDER / f"keys-{next(_LOGS)}.log")

    def __post_init__(self) -> None:
        self.server_context = self._server()
        self.client_context = self._client()

    def _server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.certificate, self.server.key)
        self._common(context, self.version, self.server_ciphers or self.ciphers)
        if self.dh:
            context.load_dh_params(str(dh_parameters()))
        if self.wants_client is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.wants_client.certificate)
        return context

    def _client(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.checks
        context.verify_mode = ssl.CERT_REQUIRED if self.checks or self.trusts else ssl.CERT_NONE
        if self.trusts is not None:
            context.load_verify_locations(self.trusts.certificate)
        if self.client is not None:
            context.load_cert_chain(self.client.certificate, self.client.key)
        self._common(context, self.client_version or self.version, self.ciphers)
        context.keylog_filename = str(self.log)
        return context

    @staticmethod
    def _common(context: ssl.SSLContext, version: ssl.TLSVersion, ciphers: str | None) -> None:
        context.minimum_version = context.maximum_version = version
        if ciphers is not None:
            context.set_ciphers(f"{ciphers}:@SECLEVEL=0")

    @property
    def secrets(self) -> bytes:
        return self.log.read_bytes() if self.log.exists() else b""


class Wire:
    """One connection with TLS on a ``Line``; every method moves the clock a little."""

    def __init__(
        self, setup: Setup, line: Line, now: int = 0, session: ssl.SSLSession | None = None, mss: int = 1_448
    ) -> None:
        self.line, self.now, self.mss = line, now, mss
        pipes = [ssl.MemoryBIO() for _ in range(4)]
        self._incoming, self._outgoing = (pipes[0], pipes[2]), (pipes[1], pipes[3])
        client = setup.client_context.wrap_bio(pipes[0], pipes[1], server_hostname=setup.host, session=session)
        self.ends = client, setup.server_context.wrap_bio(pipes[2], pipes[3], server_side=True)
        self.error: ssl.SSLError | None = None
        line.open(self._later())

    def _later(self) -> int:
        self.now += 300 * MICROSECOND
        return self.now

    def flush(self, side: int) -> bool:
        """Sends what OpenSSL has to say."""
        data = self._outgoing[side].read()
        if data:
            self.line.send(self._later(), side, data, self.mss)
            self._incoming[1 - side].write(data)
        return bool(data)

    def handshake(self) -> bool:
        """True when it got through."""
        done = [False, False]
        for _ in range(20):
            for side in (0, 1):
                try:
                    if not done[side]:
                        self.ends[side].do_handshake()
                        done[side] = True
                    else:
                        self.ends[side].read(1)
                except (ssl.SSLWantReadError, ssl.SSLSyscallError):
                    pass
                except ssl.SSLError as error:
                    self.error = error
                moved = self.flush(side)
            if self.error is not None:
                while self.flush(0) or self.flush(1):
                    pass
                return False
            if all(done) and not moved:
                return True
        return all(done)

    def say(self, side: int, data: bytes) -> None:
        """``data`` of the program on this side."""
        self.ends[side].write(data)
        self.flush(side)
        got = b""
        while len(got) < len(data):
            got += self.ends[1 - side].read(len(data) - len(got))
        assert got == data

    def end(self, side: int = 0) -> None:
        for one in (side, 1 - side):
            with suppress(ssl.SSLError):
                self.ends[one].unwrap()
            self.flush(one)
        self.line.finish(self._later(), side)


@dataclass(frozen=True)
class Said:
    """What one end of a plain connection sent with one packet."""

    connection: int
    side: int
    data: bytes
    time: int


def said_in(path: Path) -> tuple[list[tuple[Endpoint, Endpoint]], list[Said]]:
    """The connections of a plain recording, and their bytes in order."""
    table = Connections()
    ends: dict[object, int] = {}
    found: list[tuple[Endpoint, Endpoint]] = []
    said: list[Said] = []
    for packet in CaptureReader([path]):
        record = table.parse(packet)
        if not isinstance(record, Segment):
            continue
        for flow, event in table.feed(record):
            if isinstance(event, Chunk):
                number = ends.setdefault(flow, len(ends))
                if number == len(found):
                    found.append((flow.connection.client, flow.connection.server))
                said.append(Said(number, int(event.side), event.data, event.time))
    return found, said


def replayed(path: Path, setup: Setup, *, mss: int = 1_448) -> list[Record]:
    """The bytes of a plain recording in connections with TLS between the same ends, at the same pace."""
    ends, said = said_in(path)
    network, wires = Network(), {}
    now = 0
    for one in said:
        client, server = ends[one.connection]
        # Whoever speaks first has made its handshake in time.
        now = max(now + 100 * MICROSECOND, one.time - EPOCH * SECOND)
        if one.connection not in wires:
            line = network.line(Address(client.ip, client.port or 0), Address(server.ip, server.port or 0))
            wires[one.connection] = Wire(setup, line, now - SECOND // 2, mss=mss)
            assert wires[one.connection].handshake(), wires[one.connection].error
        wire = wires[one.connection]
        wire.now = max(wire.now, now)
        wire.say(one.side, one.data)
        now = wire.now
    for wire in wires.values():
        wire.now = now = now + SECOND // 10
        wire.end()
    return network.ordered()


def loopback(setup: Setup, exchanges: Iterable[tuple[bytes, bytes]], *, ends: Sequence[Address]) -> list[Record]:
    """One connection with these requests and responses."""
    network = Network()
    wire = Wire(setup, network.line(*ends))
    assert wire.handshake()
    for request, response in exchanges:
        wire.say(0, request)
        wire.say(1, response)
    wire.end()
    return network.ordered()
