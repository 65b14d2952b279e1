"""The same packets in other forms: file formats, compression, link layers, IP version, a tunnel, several files.

``FORMS`` has for each name what writes it; the plain pcap file that they are made of is a form too.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.encapsulations import ENCAPSULATIONS, ip_of
from benchmarks.inputs import write
from benchmarks.packets import TCP, UDP, ethernet, ipv6
from benchmarks.patterns import KEY_AT, KEY_END, read_packets
from dissector.sources.formats import Pcap, Pcapng

_BUFFER = 1 << 20
_FILES = 3
_IPV4 = b"\x08\x00"

#: The source and the folder for what is made of it: the files, to be read together.
Make = Callable[[Path, Path], list[Path]]


def _plain(source: Path, folder: Path) -> list[Path]:  # noqa: ARG001  a form's shape
    return [source]


def _pcapng(source: Path, folder: Path) -> list[Path]:
    path, form = folder / "plain.pcapng", Pcapng()
    with path.open("wb", buffering=_BUFFER) as file:
        file.write(form.begin())
        for time, data in read_packets(source):
            file.write(form.packet(time, 1, data, len(data)))
    return [path]


def _gz(source: Path, folder: Path) -> list[Path]:
    path = folder / "plain.pcap.gz"
    with source.open("rb") as file, gzip.open(path, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(file, packed, _BUFFER)
    return [path]


def _wrapped(encapsulation: str, source: Path, folder: Path) -> list[Path]:
    """Every packet in one of ``ENCAPSULATIONS``."""
    link_type, wrap, _ = ENCAPSULATIONS[encapsulation]
    path = folder / f"{encapsulation.replace(' ', '-')}.pcap"
    write(path, ((time, wrap(data)) for time, data in read_packets(source)), link_type)
    return [path]


def _ipv6(source: Path, folder: Path) -> list[Path]:
    path = folder / "ipv6.pcap"
    write(path, ((time, as_ipv6(data)) for time, data in read_packets(source)))
    return [path]


def as_ipv6(frame: bytes) -> bytes:
    """A frame with IPv4 and TCP or UDP as one with IPv6, a host the same host everywhere; others as they are."""
    if frame[12:14] != _IPV4 or frame[23] not in (TCP, UDP):
        return frame
    source, target = (f"fd00::{frame[at]:x}:{frame[at + 1]:x}:{frame[at + 2]:x}:{frame[at + 3]:x}" for at in (26, 30))
    return ethernet(ipv6(ip_of(frame)[20:], source, target, frame[23]), 0x86DD)


def _three(source: Path, folder: Path) -> list[Path]:
    """Each connection in one of three files whose times overlap, as three interfaces see them."""
    paths = [folder / f"interface{number}.pcap" for number in range(_FILES)]
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("wb", buffering=_BUFFER)) for path in paths]
        forms = [Pcap(nano=False) for _ in files]
        for time, data in read_packets(source):
            # The same number for both directions, another one for a task's other connection.
            number = sum(data[KEY_AT:KEY_END]) % _FILES
            files[number].write(forms[number].packet(time, 1, data, len(data)))
        for file, form in zip(files, forms, strict=True):
            file.write(form.end())
    return paths


FORMS: dict[str, Make] = {
    "pcap": _plain,
    "pcapng": _pcapng,
    "gz": _gz,
    "cooked": partial(_wrapped, "Linux cooked v2"),
    "vlan": partial(_wrapped, "802.1Q"),
    "ipv6": _ipv6,
    "vxlan": partial(_wrapped, "VXLAN"),
    "three files": _three,
}
