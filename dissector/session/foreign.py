"""Protocols of others, by the first bytes of a connection: for naming what a capture holds, never for a verdict."""

from __future__ import annotations

import re
from functools import cache

#: Group -> name, where they differ.
_NAMES = {"HTTP2": "HTTP/2", "JAVA": "Java serialization", "AJP": "AJP", "RMI": "Java RMI"}
TLS = "TLS"

_HANDSHAKE = rb"\x16\x03[\x00-\x04]|\x80.\x01\x03[\x00-\x03]"
#: What either end may begin with.
_BOTH = {
    TLS: _HANDSHAKE,
    "SSH": rb"SSH-[12]\.",
    "RTSP": rb"RTSP/1\.|[A-Z_]{4,13} rtsp://",
    "SIP": rb"SIP/2\.|[A-Z]{3,9} sips?:",
    "XMPP": rb"(?:<\?xml[^>]{0,99}>)?\s*<stream:stream",
    "SMB": rb"\0...[\xfe\xff]SMB",
    "AMQP": rb"AMQP[\0-\x03]",
    "CORBA": rb"GIOP\x01",
    "JAVA": rb"\xac\xed\0\x05",
    "BitTorrent": rb"\x13BitTorrent protocol",
    "Telnet": rb"\xff[\xfb-\xfe]",
}
_CLIENT = _BOTH | {
    "HTTP2": rb"PRI \* HTTP/2",
    "HTTP": rb"[A-Z]{3,16} [^ \r\n]{1,4000} HTTP/1\.",
    "SMTP": rb"(?i:EHLO|HELO)[ \r]",
    "FTP": rb"(?i:AUTH|USER|FEAT)[ \r]",
    "IRC": rb"(?:NICK|CAP LS)[ \r]",
    "RDP": rb"\x03\0..[\x06-\x7f]\xe0",
    "PostgreSQL": rb"\0\0..(?:\0\x03\0[\0-\x02]|\x04\xd2\x16[\x2e-\x30])",
    "Redis": rb"\*\d{1,4}\r\n\$\d",
    "MQTT": rb"\x10.{1,4}?\0[\x04\x06]MQ",
    "LDAP": rb"\x30.{1,5}?\x02\x01.\x60",
    "RMI": rb"JRMI\0",
    "AJP": rb"\x12\x34..\x02",
    "OpenVPN": rb"\0[\x0e-\xff][\x38\x50].{8}",
}
_SERVER = _BOTH | {
    "HTTP": rb"HTTP/1\.\d \d",
    "SMTP": rb"220[ -][^\r\n]{0,200}?(?i:smtp|mail|postfix|exim)",
    "FTP": rb"220[ -]",
    "POP3": rb"\+OK[ \r]",
    "IMAP": rb"\* (?:OK|PREAUTH)[ \r]",
    "MySQL": rb"..\0\0\x0a\d",
    "VNC": rb"RFB \d{3}\.\d{3}\n",
    "rsync": rb"@RSYNCD:",
}


@cache
def _pattern(*, client: bool) -> re.Pattern[bytes]:
    """All of them in one: which one matched is told by its group."""
    known = _CLIENT if client else _SERVER
    return re.compile(b"|".join(b"(?P<%s>%s)" % (name.encode(), one) for name, one in known.items()), re.DOTALL)


def protocol(client: bytes | bytearray, server: bytes | bytearray) -> str | None:
    """The name of what the first bytes of either end are of; None when it is not known."""
    # The server's greeting tells mail from file transfer, which clients begin alike.
    for head, is_client in ((server, False), (client, True)):
        found = _pattern(client=is_client).match(head) if head else None
        if found is not None and found.lastgroup is not None:
            return _NAMES.get(found.lastgroup, found.lastgroup)
    return None
