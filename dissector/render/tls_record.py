"""Connections with TLS as records of the output contract."""

from __future__ import annotations

from dissector.render import contract
from dissector.render.times import iso
from dissector.tlsfacts import TlsFacts
from dissector.traffic import Side
from dissector.wire.tls import alert_name

#: Years that ISO 8601 writes with four digits, in nanoseconds since the epoch.
_FIRST, _LAST = -62_135_596_800_000_000_000, 253_402_300_799_000_000_000


def tls_record(facts: TlsFacts) -> contract.TlsRecord:
    return {
        "version": facts.version,
        "cipher_suite": facts.suite,
        "server_name": facts.server_name,
        "resumed": facts.resumed,
        "decrypted": facts.decrypted,
        "reason": facts.reason,
        "certificates": [
            {
                "subject": one.subject,
                "issuer": one.issuer,
                "names": list(one.names),
                "not_before": _time(one.not_before),
                "not_after": _time(one.not_after),
            }
            for one in facts.certificates
        ],
        "alerts": [
            {
                "sender": "client" if one.side is Side.CLIENT else "server",
                "fatal": one.fatal,
                "name": alert_name(one.code),
                "packet": one.mark.number,
            }
            for one in facts.alerts
        ],
        "renegotiations": facts.renegotiations,
    }


def _time(time: int | None) -> str | None:
    return iso(time) if time is not None and _FIRST <= time <= _LAST else None
