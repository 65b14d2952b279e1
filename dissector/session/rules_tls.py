"""What is wrong with a connection with TLS, and what to change: from its alerts, its certificate and how it ended.

Java tells nearly everything that is wrong with a certificate by one alert (certificate_unknown), so the certificate
itself has to say what it was.
"""

from __future__ import annotations

from datetime import datetime, timezone
from ipaddress import ip_address

from dissector.model import Connection, Problem, Severity
from dissector.session.case import problem
from dissector.session.timeouts import SECOND
from dissector.session.tls import Tls
from dissector.session.verdict import closed_by
from dissector.tlsfacts import Alert, Certificate, TlsFacts
from dissector.traffic import Side
from dissector.wire import tls
from dissector.wire.tls_suites import suite_name

_NOT_TRUSTED = frozenset((42, 43, 44, 45, 46, 48, 49, 113))
_OF_HANDSHAKES = frozenset((*_NOT_TRUSTED, 40, 70, 71, 112, 116))
_NO_VERSION, _NO_SUITE, _NO_NAME, _NO_CLIENT_CERTIFICATE = 70, (40, 71), 112, 116
#: Alerts that are no fault.
_ENDINGS = frozenset((tls.CLOSE_NOTIFY, 90, 100))
#: An alert of TLS 1.3 in a record: two bytes, its type, and what the cipher adds.
_SEALED_ALERT = 19
_NAMED = 6


def failure(sealed: Tls) -> Problem | None:
    """Why a handshake did not get through; None where it did, or where the capture does not tell."""
    connection, facts = sealed.connection, sealed.facts
    if facts.hello is None or (connection.mid_stream and facts.answer is None):
        return None
    if sealed.foreign and not sealed.foreign.startswith((b"\x15\x03", b"\x16\x03")):
        return problem("tls_unexpected", _plain_text(sealed), _packets(facts), connection)
    alert = next((one for one in facts.alerts if one.fatal and one.code not in _ENDINGS), None)
    if alert is not None and (facts.opened is None or (alert.side is Side.SERVER and alert.code in _OF_HANDSHAKES)):
        return _by_alert(connection, facts, alert)
    if alert is not None:
        summary = f"{_sender(connection, alert.side)} ended the connection with the alert {tls.alert_name(alert.code)}."
        return problem("tls_broken", summary, [alert.mark.number], connection, time=alert.mark.time)
    if facts.opened is None and not connection.gaps and not connection.snapped:
        return _without_alert(sealed)
    return None


def _by_alert(connection: Connection, facts: TlsFacts, alert: Alert) -> Problem:
    name = tls.alert_name(alert.code)
    words = _words(connection, facts, alert)
    what, cause, remedy = words if words is not None else ("", None, None)
    summary = f"{_sender(connection, alert.side)} refused the handshake with the alert {name}{what}{_with(facts)}."
    packets = [*_packets(facts), alert.mark.number]
    return problem(
        "tls_handshake_failed", summary, packets, connection, time=alert.mark.time, cause=cause, remedy=remedy
    )


def _words(connection: Connection, facts: TlsFacts, alert: Alert) -> tuple[str, str, str] | None:
    """What an alert means here, the cause, and the remedy."""
    code = alert.code
    if code == _NO_VERSION:
        return _version_words(facts)
    if code == _NO_NAME:
        remedy = "name the host in the process class as its certificate does, or give the server a certificate for it"
        return f": no host {facts.server_name}", "the server does not know the host that the client asks for", remedy
    asked_in_vain = facts.asks_client and not facts.client_certificates
    if alert.side is Side.SERVER and (code == _NO_CLIENT_CERTIFICATE or (code in (40, 42) and asked_in_vain)):
        cause = (
            "the server wants a certificate of the client and got none; agents ask for none, so it is a proxy's wish"
        )
        return ": a certificate of the client", cause, "let the server ask for no certificate, or give the client one"
    if alert.side is Side.SERVER and code in _NOT_TRUSTED:
        cause = "the server does not trust the certificate of the client"
        return ": the client's certificate", cause, "add the client's certificate to the server's trust store"
    if code in _NOT_TRUSTED:
        return _certificate_words(connection, facts, alert)
    if code in _NO_SUITE:
        return _suite_words(facts, alert)
    return None


def _version_words(facts: TlsFacts) -> tuple[str, str, str]:
    chosen = f", the server chose {facts.version}" if facts.version is not None else ""
    return (
        f": the client offers at most {facts.offered}{chosen}",
        "client and server have no version of TLS in common; agents take TLS 1.2 only",
        "let both ends speak TLS 1.2: see jdk.tls.disabledAlgorithms and jdk.tls.client.protocols of both Javas",
    )


def _suite_words(facts: TlsFacts, alert: Alert) -> tuple[str, str, str]:
    names = [suite_name(number) for number in facts.suites if number not in (0x00FF, 0x5600)]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    offered = f" (the client offers {', '.join(names[:_NAMED])}{more})" if names else ""
    return (
        ": no cipher suite in common" if alert.side is Side.SERVER else "",
        f"client and server have no cipher suite, curve or kind of certificate in common{offered}",
        "see jdk.tls.disabledAlgorithms of both Javas, and the kind of the key in the agent's keystore (RSA fits all)",
    )


def _certificate_words(connection: Connection, facts: TlsFacts, alert: Alert) -> tuple[str, str, str]:
    """The client does not take the server's certificate."""
    certificate = facts.certificate
    for one in facts.certificates:
        if one.not_after is not None and one.not_after < connection.start:
            day = _day(one.not_after)
            remedy = "give the agent a new certificate (private-https.jks), and the master the same"
            return f": the certificate ran out on {day}", f"the certificate {one.subject} ran out on {day}", remedy
        if one.not_before is not None and one.not_before > connection.start:
            day = _day(one.not_before)
            remedy = "see the clocks of both hosts, or give the agent a certificate that holds already"
            return (
                f": the certificate holds from {day} on only",
                f"the certificate {one.subject} holds from {day} on only",
                remedy,
            )
    wrong = _wrong_host(connection, facts)
    if wrong is not None and alert.code in (42, 46):
        cause = f"the certificate is for {_hosts(certificate)}, and the client asks for {wrong}"
        remedy = "name the host in the process class as the certificate does, or make a certificate for this host"
        return f": the certificate is not for {wrong}", cause, remedy
    if certificate is not None and certificate.is_self_signed:
        cause = "the certificate is signed by itself, and the client does not know it"
    else:
        issuer = f" ({certificate.issuer})" if certificate is not None else ""
        cause = f"the client does not know who issued the certificate{issuer}"
    remedy = (
        "add the agent's certificate, or its issuer's, to the master's config/agent-https.jks (without that file, "
        "to the trust store of its Java)"
    )
    return ": it does not trust the certificate", cause, remedy


def _wrong_host(connection: Connection, facts: TlsFacts) -> str | None:
    """The host that was asked for, where the certificate is for others."""
    certificate = facts.certificate
    if certificate is None:
        return None
    asked = facts.server_name or connection.server.ip
    known = [name.lower() for name in _names(certificate)]
    fits = any(_matches(name, asked.lower()) for name in known)
    # Without a name that the client asked for only the address is known, which a certificate may well lack.
    return None if fits or not known or (facts.server_name is None and not any(map(_is_address, known))) else asked


def _matches(name: str, host: str) -> bool:
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _without_alert(sealed: Tls) -> Problem | None:
    """One end hung up before anything of the program was sent."""
    connection, facts = sealed.connection, sealed.facts
    who = closed_by(connection)
    if connection.closed is None or who is None:
        return None
    if sealed.first_sealed == _SEALED_ALERT and facts.version == "TLS 1.3":
        summary = f"{_sender(connection, Side.CLIENT)} ended the handshake right behind the server's certificate."
        cause = "most likely the client does not trust the server's certificate: its alert is encrypted"
        remedy = "see the master's log; add the agent's certificate to its config/agent-https.jks"
        return problem("tls_handshake_failed", summary, _packets(facts), connection, cause=cause, remedy=remedy)
    where = "behind the server's hello" if facts.answer is not None else "without an answer to the client's hello"
    summary = f"{_sender(connection, who)} closed the connection {where}{_with(facts)}."
    cause = (
        "the client did not like what the server sent (its certificate, most likely), or gave up"
        if who is Side.CLIENT
        else "the server does not speak TLS on this port, or a device in between does not let TLS through"
    )
    remedy = "see the logs of both ends at that time, and that the agent was started with -https-port for this port"
    return problem("tls_handshake_failed", summary, _packets(facts), connection, cause=cause, remedy=remedy)


def _plain_text(sealed: Tls) -> str:
    words = sealed.foreign.split(b"\r\n")[0].split(b"\n")[0][:40].decode("ascii", "replace")
    shown = f": {words}" if words.isprintable() else ""
    return (
        f"{sealed.connection.client.ip} began TLS with {sealed.connection.server}, which answered without TLS{shown}."
    )


# --- connections that are not deciphered ---------------------------------------------------------------------------


def sealed_problem(sealed: Tls, *, is_likely: bool) -> Problem:
    """What a connection is that could not be deciphered."""
    connection, facts = sealed.connection, sealed.facts
    about = [facts.suite, f"asked for as {facts.server_name}" if facts.server_name else None, _certificate_text(facts)]
    words = ", ".join(filter(None, about))
    words = f" ({words})" if words else ""
    how_far = "deciphered in part, " if facts.decrypted else ""
    use = f"{connection.client.ip} and {connection.server} use {facts.version or 'TLS'}{words}"
    summary = f"{use}: {how_far}{facts.reason}."
    severity = None if is_likely else Severity.INFO
    packets = _packets(facts) or [connection.first_packet]
    return problem("tls_not_decrypted", summary, packets, connection, severity=severity)


def guessed(sealed: Tls) -> Problem:
    rhythm, connection = sealed.rhythm, sealed.connection
    seconds = (rhythm.last.time - rhythm.first.time) / SECOND if rhythm.first and rhythm.last else 0.0
    beats = f", {rhythm.beats} of them after 10 s as heartbeats are" if rhythm.beats else ""
    summary = (
        f"Guessed from sizes and times alone: {connection.client.ip} runs a task on the agent {connection.server} "
        f"({rhythm.turns} requests and responses in turn in {seconds:.1f} s, "
        f"the longest wait {rhythm.longest / SECOND:.1f} s{beats})."
    )
    packets = [mark.number for mark in (rhythm.first, rhythm.last) if mark is not None]
    return problem("tls_task_guessed", summary, packets, connection)


def renegotiated(sealed: Tls) -> Problem:
    connection, facts = sealed.connection, sealed.facts
    times = "once" if facts.renegotiations == 1 else f"{facts.renegotiations} times"
    summary = f"{connection.client.ip} and {connection.server} made a new handshake {times} within their connection."
    return problem("tls_renegotiated", summary, _packets(facts), connection)


# --- words ---------------------------------------------------------------------------------------------------------


def _packets(facts: TlsFacts) -> list[int]:
    return [mark.number for mark in (facts.hello, facts.answer, facts.certified) if mark is not None]


def _sender(connection: Connection, side: Side) -> str:
    return f"The client {connection.client.ip}" if side is Side.CLIENT else f"The server {connection.server}"


def _with(facts: TlsFacts) -> str:
    """The server's certificate in a few words."""
    text = _certificate_text(facts)
    return f" ({text})" if text else ""


def _certificate_text(facts: TlsFacts) -> str:
    certificate = facts.certificate
    if certificate is None:
        return ""
    dates = [_day(one) for one in (certificate.not_before, certificate.not_after) if one is not None]
    held = f", {' to '.join(dates)}" if dates else ""
    return f"certificate {certificate.subject or 'without a name'} for {_hosts(certificate)}{held}"


def _names(certificate: Certificate) -> tuple[str, ...]:
    """The hosts that it is for; of an old one without such names the common name."""
    common = next((part[3:] for part in certificate.subject.split(", ") if part.startswith("CN=")), None)
    return certificate.names or ((common,) if common else ())


def _hosts(certificate: Certificate | None) -> str:
    names = _names(certificate) if certificate is not None else ()
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more or "no host"


def _day(time: int) -> str:
    try:
        return datetime.fromtimestamp(time // SECOND, timezone.utc).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return "an impossible day"
