"""What a handshake of TLS shows, in words: who sent what, what was offered, and what the certificates say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from ipaddress import ip_address

from dissector.model import Connection
from dissector.session.timeouts import SECOND
from dissector.session.tls import Tls
from dissector.session.verdict import closed_by
from dissector.tlsfacts import Alert, Certificate, TlsFacts
from dissector.traffic import Side
from dissector.wire import tls
from dissector.wire.tls_suites import suite_name

#: Hosts and suites that are named.
_NAMED = 6
#: What clients put among the suites that is none.
_SIGNALS = (0x00FF, 0x5600)
#: Alerts that are no fault.
_ENDINGS = frozenset((tls.CLOSE_NOTIFY, 90, 100))


@dataclass(slots=True)
class Shaken:
    """A connection with TLS whose handshake is judged."""

    sealed: Tls
    case: None = None

    @property
    def about(self) -> Connection:
        return self.sealed.connection

    @property
    def facts(self) -> TlsFacts:
        return self.sealed.facts

    @property
    def alert(self) -> Alert | None:
        """The first one that ends a connection and is a fault."""
        return next((one for one in self.facts.alerts if one.fatal and one.code not in _ENDINGS), None)

    @property
    def code(self) -> int:
        """Of the alert; -1: there is none."""
        return self.alert.code if self.alert is not None else -1

    # --- who ---

    @property
    def sender(self) -> str:
        """Of the alert, or else who hung up."""
        side = self.alert.side if self.alert is not None else closed_by(self.about)
        return f"The client {self.about.client.ip}" if side is not Side.SERVER else f"The server {self.about.server}"

    @property
    def alert_name(self) -> str:
        return tls.alert_name(self.code)

    @property
    def first_words(self) -> str:
        """What a server says that does not speak TLS."""
        words = self.sealed.foreign.split(b"\r\n")[0].split(b"\n")[0][:40].decode("ascii", "replace")
        return f": {words}" if words.isprintable() else ""

    @property
    def how_far(self) -> str:
        return (
            "behind the server's hello" if self.facts.answer is not None else "without an answer to the client's hello"
        )

    # --- what was offered ---

    @property
    def chosen(self) -> str:
        version = self.facts.version
        return f", the server chose {version}" if version is not None else ""

    @property
    def suites(self) -> str:
        names = [suite_name(number) for number in self.facts.suites if number not in _SIGNALS]
        return f" (the client offers {some_of(names)})" if names else ""

    # --- certificates ---

    @property
    def certificate(self) -> str:
        """The server's in a few words."""
        text = certificate_text(self.facts)
        return f" ({text})" if text else ""

    @property
    def outdated(self) -> Certificate | None:
        """The first one that does not hold when the connection begins."""
        return next((one for one in self.facts.certificates if self._ran_out(one) or self._is_early(one)), None)

    @property
    def has_run_out(self) -> bool:
        return self.outdated is not None and self._ran_out(self.outdated)

    def _ran_out(self, one: Certificate) -> bool:
        return one.not_after is not None and one.not_after < self.about.start

    def _is_early(self, one: Certificate) -> bool:
        return one.not_before is not None and one.not_before > self.about.start

    @property
    def last_day(self) -> str:
        return _day(self.outdated.not_after) if self.outdated is not None else ""

    @property
    def first_day(self) -> str:
        return _day(self.outdated.not_before) if self.outdated is not None else ""

    @property
    def hosts(self) -> str:
        return _hosts(self.facts.certificate)

    @property
    def issuer(self) -> str:
        certificate = self.facts.certificate
        return f" ({certificate.issuer})" if certificate is not None else ""

    @property
    def wrong_host(self) -> str | None:
        """The host that was asked for, where the certificate is for others."""
        certificate, name = self.facts.certificate, self.facts.server_name
        if certificate is None:
            return None
        asked = name or self.about.server.ip
        known = [one.lower() for one in _names(certificate)]
        fits = any(_matches(one, asked.lower()) for one in known)
        # Without a name that the client asked for only the address is known, which a certificate may well lack.
        return None if fits or not known or (name is None and not any(map(_is_address, known))) else asked


def some_of(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def certificate_text(facts: TlsFacts) -> str:
    certificate = facts.certificate
    if certificate is None:
        return ""
    dates = [_day(one) for one in (certificate.not_before, certificate.not_after) if one is not None]
    held = f", {' to '.join(dates)}" if dates else ""
    return f"certificate {certificate.subject or 'without a name'} for {_hosts(certificate)}{held}"


def _matches(name: str, host: str) -> bool:
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _names(certificate: Certificate) -> tuple[str, ...]:
    """The hosts that it is for; of an old one without such names the common name."""
    common = next((part[3:] for part in certificate.subject.split(", ") if part.startswith("CN=")), None)
    return certificate.names or ((common,) if common else ())


def _hosts(certificate: Certificate | None) -> str:
    return (some_of(_names(certificate)) if certificate is not None else "") or "no host"


def _day(time: int | None) -> str:
    try:
        return datetime.fromtimestamp((time or 0) // SECOND, timezone.utc).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return "an impossible day"
