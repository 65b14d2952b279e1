"""What an X.509 certificate says: for whom it is, by whom, from when to when (RFC 5280).

Only these few fields of its DER are read, so that they are told without the packages that decrypting needs.  Whatever
is no such certificate is None: nothing here raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from dissector.tlsfacts import Certificate

_SEQUENCE, _OCTETS, _UTC_TIME, _TIME = 0x30, 0x04, 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
#: Of these strings the bytes are UTF-16.
_WIDE = 0x1E
#: Attributes of a name, as they are written: of a subject without a common name the organisation has to do.
_NAMES = {
    b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU", b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L", b"\x55\x04\x08": "ST",
}  # fmt: skip
_ALTERNATIVE_NAMES = b"\x55\x1d\x11"
#: Names that are kept, and characters of each.
_MOST_NAMES, _LONGEST = 64, 256
_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class _Element(NamedTuple):
    tag: int
    start: int
    end: int


@lru_cache(maxsize=64)  # a server shows the same ones every time
def certificate_of(der: bytes) -> Certificate | None:
    try:
        return _certificate(der)
    except (ValueError, IndexError):
        return None


def _certificate(der: bytes) -> Certificate | None:
    outer = _element(der, 0)
    signed = list(_children(der, _element(der, outer.start)))
    fields = [one for one in signed if one.tag != _VERSION]
    # serial number, algorithm, issuer, validity, subject, public key, ...
    if outer.tag != _SEQUENCE or len(fields) < 5:
        return None
    issuer, validity, subject = fields[2:5]
    before, after = list(_children(der, validity))[:2]
    extensions = next((one for one in fields[5:] if one.tag == _EXTENSIONS), None)
    names = tuple(_hosts(der, extensions)) if extensions is not None else ()
    return Certificate(_name(der, subject), _name(der, issuer), names, _time(der, before), _time(der, after))


def _element(data: bytes, at: int, stop: int | None = None) -> _Element:
    """:raises ValueError: it does not end within ``data[:stop]``"""
    tag, size, start = data[at], data[at + 1], at + 2
    if size & 0x80:
        length = size & 0x7F
        if not 0 < length <= 4:
            raise ValueError
        size, start = int.from_bytes(data[start : start + length], "big"), start + length
    if start + size > (len(data) if stop is None else stop):
        raise ValueError
    return _Element(tag, start, start + size)


def _children(data: bytes, parent: _Element) -> Iterator[_Element]:
    at = parent.start
    while at < parent.end:
        child = _element(data, at, parent.end)
        yield child
        at = child.end


def _name(data: bytes, name: _Element) -> str:
    """``CN=agent, O=Example``"""
    parts: list[str] = []
    for part in _children(data, name):
        for pair in _children(data, part):
            oid, value = list(_children(data, pair))[:2]
            label = _NAMES.get(data[oid.start : oid.end])
            if label is not None and len(parts) < _MOST_NAMES:
                parts.append(f"{label}={_text(data, value)}")
    # The most particular part, which is written first, comes last.
    return ", ".join(reversed(parts))[: 4 * _LONGEST]


def _text(data: bytes, value: _Element) -> str:
    encoding = "utf-16-be" if value.tag == _WIDE else "utf-8"
    return data[value.start : value.end].decode(encoding, "replace")[:_LONGEST]


def _time(data: bytes, value: _Element) -> int | None:
    """``YYMMDDhhmmssZ`` with years from 1950 on, or the same with four digits."""
    text = data[value.start : value.end].decode("ascii", "replace")
    if value.tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    digits = text[:14]
    if value.tag not in (_UTC_TIME, _TIME) or len(digits) != 14 or not (digits.isascii() and digits.isdigit()):
        return None
    year, *parts = int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2))
    month, day, hour, minute, second = parts
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=timezone.utc)
    except ValueError:
        return None
    return int((moment - _EPOCH).total_seconds()) * _SECOND


def _hosts(data: bytes, extensions: _Element) -> Iterator[str]:
    """Names and addresses of the subject's alternative names."""
    found = 0
    for extension in _children(data, _element(data, extensions.start, extensions.end)):
        oid, *rest = _children(data, extension)
        if data[oid.start : oid.end] != _ALTERNATIVE_NAMES or not rest or rest[-1].tag != _OCTETS:
            continue
        for name in _children(data, _element(data, rest[-1].start, rest[-1].end)):
            address = data[name.start : name.end]
            if name.tag == _DNS_NAME:
                yield _text(data, name)
            elif name.tag == _IP_ADDRESS and len(address) in (4, 16):
                yield ip_address(address).compressed
            found += 1
            if found == _MOST_NAMES:
                return
