"""Files that are no capture for jstrace: what they are, and what can be done about it.

Sources: the first bytes that file(1) and Wireshark's wiretap know these formats by.
"""

from __future__ import annotations

_CONVERT = "convert it with: editcap -F pcapng IN OUT"
#: First bytes -> name of the format, and what to do.
_FORMATS: tuple[tuple[bytes, str, str], ...] = (
    (b"GMBU", "a capture of Microsoft Network Monitor 2", _CONVERT),
    (b"RTSS", "a capture of Microsoft Network Monitor 1", _CONVERT),
    (b"TRSNIFF data    \x1a", "a capture of Network General's Sniffer", _CONVERT),
    (b"XCP\0", "a capture of NetXRay or Sniffer for Windows", _CONVERT),
    (b"\x05VNF", "a capture of Network Instruments' Observer", _CONVERT),
    (b"ObserverPktBuffe", "a capture of Network Instruments' Observer", _CONVERT),
    (b"\x7fver", "a capture of Savvius' OmniPeek", _CONVERT),
    (b"iptrace ", "a capture of AIX' iptrace", _CONVERT),
    (b"\x54\x52\x00\x64\x00", "a capture of HP-UX' nettl", _CONVERT),
    (b"btsnoop\0", "a Bluetooth capture", "it holds no IP packets"),
    (b"PK\x03\x04", "a zip archive", "unpack it: unzip IN"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it: 7z x IN"),
    (b"Rar!\x1a\x07", "a rar archive", "unpack it: unrar x IN"),
    (b"\x1f\x9d", "a compressed file (compress)", "unpack it: uncompress IN"),
    (b"\x1f\xa0", "a compressed file (pack)", "unpack it"),
    (b"\x02\x21\x4c\x18", "a compressed file (lz4, its legacy format)", "unpack it: lz4 -d IN OUT"),
    (b"\x5d\x00\x00", "a compressed file (lzma)", "unpack it: unlzma IN"),
    (b"\xce\xb2\xcf\x81", "a compressed file (brotli)", "unpack it: brotli -d IN"),
)
_TAR_AT, _TAR = 257, b"ustar"


def describe(start: bytes) -> str | None:
    """What a file is that begins so, with what to do; None when nobody knows."""
    for magic, name, advice in _FORMATS:
        if start.startswith(magic):
            return f"this is {name}" + (f"; {advice}" if advice else "")
    if start[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return "this is a tar archive; unpack it: tar xf IN"
    if start and all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in start[:512]):
        first = start.split(b"\n")[0][:40].decode("ascii").strip()
        return f"this is a text that begins with {first!r}, no capture; tcpdump -w and Wireshark write captures"
    return None
