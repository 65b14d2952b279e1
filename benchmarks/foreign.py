"""Patterns of traffic that is none of JobScheduler's: web pages, downloads, TLS, queries, DNS, ARP."""

from __future__ import annotations

import struct
from random import Random

from benchmarks.patterns import KEY_AT, KEY_END, NO_FLOW, Line, Pattern, Step
from benchmarks.segments import ACK, FIN, MAC, PSH, SYN, Segments, size_of

_MSS = 1448
_MICRO = 1_000
_WORDS = b"<div class='row'><a href='/item/%d'>item</a><span>price</span></div>\r\n"


class _Talk:
    """Builds one TCP connection packet by packet: handshake, segments with acknowledgements, and the end."""

    def __init__(self, random: Random, name: str, port: int) -> None:
        self._random = random
        self._name, self._port = name, port
        self._steps: list[Step] = []
        self._now = 0
        self._segments = Segments(random)
        self._packet(0, SYN)
        self._now += random.randrange(200, 20_000) * _MICRO
        self._packet(1, SYN | ACK)
        self._packet(0, ACK)

    def send(self, side: int, data: bytes) -> None:
        """``data`` in full segments; the receiver acknowledges every second one."""
        self._now += self._random.randrange(100, 30_000) * _MICRO
        for index, start in enumerate(range(0, len(data), _MSS)):
            self._packet(side, ACK | (PSH if start + _MSS >= len(data) else 0), data[start : start + _MSS])
            if index % 2:
                self._packet(1 - side, ACK)

    def end(self) -> Pattern:
        self._packet(0, FIN | ACK)
        self._packet(1, FIN | ACK)
        self._packet(0, ACK)
        return Pattern(self._name, self._steps, [Line(False, self._port)], sum(map(size_of, self._steps)))

    def _packet(self, side: int, flags: int, payload: bytes = b"") -> None:
        self._steps.append(self._segments.step(self._now, side, flags, payload))
        self._now += self._random.randrange(5, 120) * _MICRO


def patterns(random: Random) -> tuple[list[Pattern], list[Pattern]]:
    """Patterns with small packets on the average, and patterns with large ones."""
    noise = random.randbytes(1 << 20)
    light = [_queries(random, noise) for _ in range(6)] + [_terminal(random, noise) for _ in range(4)]
    light += [_dns(random) for _ in range(6)] + [_arp()] + [_tls(random, noise, 3_000) for _ in range(4)]
    heavy = [_web(random) for _ in range(8)] + [_tls(random, noise, 60_000) for _ in range(6)]
    heavy += [_upload(random, noise) for _ in range(3)] + [_tls(random, noise, 600_000) for _ in range(2)]
    return light, heavy


def long(random: Random) -> list[Pattern]:
    """Transfers of some megabytes, down and up."""
    noise = random.randbytes(1 << 20)
    sizes = [random.randrange(1_000_000, 6_000_000) for _ in range(8)]
    return [_download(random, noise, size) for size in sizes] + [_upload(random, noise, sizes[0])]


def short(random: Random) -> list[Pattern]:
    """Connections of about twenty packets: one question, one answer, and the end."""
    noise = random.randbytes(1 << 16)
    found = []
    for number in range(24):
        talk = _Talk(random, "short", random.choice((443, 8_443) if number % 3 else (80, 8_080)))
        answer = _slice(random, noise, random.randrange(2_000, 9_000))
        if number % 3:
            talk.send(0, _hello(random))
            talk.send(1, _record(22, _slice(random, noise, random.randrange(1_500, 4_000))))
            talk.send(0, _record(20, b"\1"))
            talk.send(0, _record(23, _slice(random, noise, random.randrange(80, 900))))
            talk.send(1, _record(23, answer))
        else:
            talk.send(0, b"GET /item/%d HTTP/1.1\r\nHost: shop.example\r\n\r\n" % number)
            talk.send(1, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        found.append(talk.end())
    return found


def _download(random: Random, noise: bytes, size: int) -> Pattern:
    talk = _Talk(random, "download", 443)
    talk.send(0, _hello(random))
    talk.send(1, _record(22, _slice(random, noise, 3_000)))
    talk.send(0, _record(23, _slice(random, noise, 300)))
    talk.send(1, b"".join(_record(23, _slice(random, noise, 16_384)) for _ in range(size // 16_384)))
    return talk.end()


def _web(random: Random) -> Pattern:
    talk = _Talk(random, "web", random.choice((80, 80, 8080)))
    for number in range(random.randrange(2, 12)):
        headers = b"".join(b"X-Field-%d: %s\r\n" % (i, b"value" * random.randrange(1, 9)) for i in range(6))
        talk.send(0, b"GET /page/%d HTTP/1.1\r\nHost: shop.example\r\n%s\r\n" % (number, headers))
        body = b"".join(_WORDS % index for index in range(random.randrange(10, 1_500)))
        talk.send(1, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return talk.end()


def _upload(random: Random, noise: bytes, size: int = 0) -> Pattern:
    talk = _Talk(random, "upload", 80)
    body = _slice(random, noise, size or random.randrange(100_000, 400_000))
    talk.send(0, b"PUT /backup HTTP/1.1\r\nHost: store.example\r\nContent-Length: %d\r\n\r\n" % len(body))
    talk.send(0, body)
    talk.send(1, b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
    return talk.end()


def _tls(random: Random, noise: bytes, size: int) -> Pattern:
    talk = _Talk(random, "tls", random.choice((443, 443, 8443)))
    talk.send(0, _hello(random))
    talk.send(1, _record(20, b"\1") + _record(23, _slice(random, noise, random.randrange(2_000, 4_000))))
    talk.send(0, _record(20, b"\1") + _record(23, _slice(random, noise, 53)))
    for _ in range(random.randrange(2, 8)):
        talk.send(0, _record(23, _slice(random, noise, random.randrange(80, 900))))
        rest = random.randrange(size // 4, size)
        records = [_record(23, _slice(random, noise, min(16_384, rest - at))) for at in range(0, rest, 16_384)]
        talk.send(1, b"".join(records))
    return talk.end()


def _hello(random: Random) -> bytes:
    """A ClientHello of TLS 1.2 without extensions."""
    body = b"\x03\x03" + random.randbytes(32) + b"\0" + b"\0\x04\x13\x01\xc0\x2f" + b"\x01\0"
    return _record(22, b"\1" + len(body).to_bytes(3, "big") + body)


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack(">BHH", kind, 0x0303, len(data)) + data


def _queries(random: Random, noise: bytes) -> Pattern:
    talk = _Talk(random, "queries", random.choice((5_432, 6_379, 1_521)))
    for _ in range(random.randrange(5, 60)):
        talk.send(0, _slice(random, noise, random.randrange(20, 300)))
        talk.send(1, _slice(random, noise, random.randrange(20, 1_200)))
    return talk.end()


def _terminal(random: Random, noise: bytes) -> Pattern:
    talk = _Talk(random, "terminal", 22)
    talk.send(0, b"SSH-2.0-OpenSSH_9.2\r\n")
    talk.send(1, b"SSH-2.0-OpenSSH_9.2\r\n")
    for _ in range(random.randrange(20, 120)):
        talk.send(0, _slice(random, noise, 36))
        talk.send(1, _slice(random, noise, random.choice((36, 36, 52, 400))))
    return talk.end()


def _dns(random: Random) -> Pattern:
    name = bytes([8]) + random.choice((b"database", b"frontend", b"jobs-one")) + b"\x07example\0"
    question = name + b"\0\1\0\1"
    number = random.getrandbits(16)
    ask = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
    answer = struct.pack(">HHHHHH", number, 0x8180, 1, 1, 0, 0) + question + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\4\0\7"
    steps = [_datagram(0, 0, ask), _datagram(random.randrange(200, 9_000) * _MICRO, 1, answer)]
    return Pattern("dns", steps, [Line(False, 53)], sum(58 + len(data) for data in (ask, answer)))


def _datagram(delay: int, side: int, data: bytes) -> Step:
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(data), 0, 0x4000, 64, 17, 0)
    return Step(delay, side, MAC + b"\x08\0" + ip, struct.pack(">HH", 8 + len(data), 0) + data)


def _arp() -> Pattern:
    data = MAC + b"\x08\x06\0\1\x08\0\6\4\0\1" + MAC[6:] + b"\x0a\3\0\1" + bytes(6) + b"\x0a\3\0\2" + bytes(18)
    return Pattern("arp", [Step(0, NO_FLOW, data[:KEY_AT], data[KEY_AT:])], [], 16 + len(data))


def _slice(random: Random, noise: bytes, size: int) -> bytes:
    """``size`` of the bytes of ``noise``, as often as needed."""
    start = random.randrange(len(noise) // 2)
    part = noise[start : start + size]
    return part if len(part) == size else (noise * (size // len(noise) + 2))[start : start + size]


assert KEY_END - KEY_AT == 12
