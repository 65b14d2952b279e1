"""Why a handshake of TLS failed, and what to change: from its alerts, its certificate and how it ended.

Java tells nearly everything that is wrong with a certificate by one alert (certificate_unknown), so the certificate
itself has to say what it was.
"""

from __future__ import annotations

from collections.abc import Callable

from dissector.model import Problem
from dissector.session.findings import Finding, Reason, first
from dissector.session.tls import Tls
from dissector.session.tls_words import Shaken
from dissector.session.verdict import closed_by
from dissector.traffic import Side

_NOT_TRUSTED = (42, 43, 44, 45, 46, 48, 49, 113)
_NO_VERSION, _NO_SUITE, _NO_NAME, _NO_CLIENT_CERTIFICATE = 70, (40, 71), 112, 116
_OF_HANDSHAKES = (*_NOT_TRUSTED, *_NO_SUITE, _NO_VERSION, _NO_NAME, _NO_CLIENT_CERTIFICATE)
#: An alert of TLS 1.3 in a record: two bytes, its type, and what the cipher adds.
_SEALED_ALERT = 19

# --- questions -----------------------------------------------------------------------------------------------------


def answers_in_plain(shaken: Shaken) -> bool:
    foreign = shaken.sealed.foreign
    return bool(foreign) and not foreign.startswith((b"\x15\x03", b"\x16\x03"))


def refused(shaken: Shaken) -> bool:
    """An alert ended the handshake."""
    alert = shaken.alert
    return alert is not None and (
        shaken.facts.opened is None or (alert.side is Side.SERVER and alert.code in _OF_HANDSHAKES)
    )


def alerted(shaken: Shaken) -> bool:
    return shaken.alert is not None


def by_server(shaken: Shaken) -> bool:
    """The server sent the alert, or hung up where there is none."""
    return (shaken.alert.side if shaken.alert is not None else closed_by(shaken.about)) is Side.SERVER


def alert_of(*codes: int) -> Callable[[Shaken], bool]:
    return lambda shaken: shaken.code in codes


def lacks_client_certificate(shaken: Shaken) -> bool:
    in_vain = shaken.facts.asks_client and not shaken.facts.client_certificates
    return shaken.code == _NO_CLIENT_CERTIFICATE or (shaken.code in (40, 42) and in_vain)


def has_run_out(shaken: Shaken) -> bool:
    return shaken.has_run_out


def is_outdated(shaken: Shaken) -> bool:
    return shaken.outdated is not None


def is_for_others(shaken: Shaken) -> bool:
    return shaken.wrong_host is not None


def is_self_signed(shaken: Shaken) -> bool:
    certificate = shaken.facts.certificate
    return certificate is not None and certificate.is_self_signed


def hung_up(shaken: Shaken) -> bool:
    """One end ended it before anything of the program was sent, and nothing of it lacks."""
    about = shaken.about
    is_whole = shaken.facts.opened is None and not about.gaps and not about.snapped
    return is_whole and about.closed is not None and closed_by(about) is not None


def by_sealed_alert(shaken: Shaken) -> bool:
    return shaken.sealed.first_sealed == _SEALED_ALERT and shaken.facts.version == "TLS 1.3"


# --- proof ---------------------------------------------------------------------------------------------------------


def hello_packets(shaken: Shaken) -> list[int]:
    facts = shaken.facts
    return [mark.number for mark in (facts.hello, facts.answer, facts.certified) if mark is not None]


def alert_packets(shaken: Shaken) -> list[int]:
    return [shaken.alert.mark.number] if shaken.alert is not None else []


def alert_time(shaken: Shaken) -> int:
    return shaken.alert.mark.time if shaken.alert is not None else shaken.about.start


# --- rows ----------------------------------------------------------------------------------------------------------


def _refusal(when: tuple[Callable[[Shaken], bool], ...], meaning: str, *reasons: Reason[Shaken]) -> Finding[Shaken]:
    """``meaning``: what the alert means here."""
    return Finding(
        "tls_handshake_failed",
        (refused, *when),
        f"{{sender}} refused the handshake with the alert {{alert_name}}{meaning}{{certificate}}.",
        (hello_packets, alert_packets),
        reasons or (Reason(),),
        time=alert_time,
    )


_NO_COMMON_SUITE: Reason[Shaken] = Reason(
    "client and server have no cipher suite, curve or kind of certificate in common{suites}",
    "see jdk.tls.disabledAlgorithms of both Javas, and the kind of the key in the agent's keystore (RSA fits all)",
)
_TRUST = (
    "add the agent's certificate, or its issuer's, to the master's config/agent-https.jks (without that file, "
    "to the trust store of its Java)"
)
_LOGS = "see the logs of both ends at that time, and that the agent was started with -https-port for this port"
FAILED: tuple[Finding[Shaken], ...] = (
    Finding(
        "tls_unexpected",
        (answers_in_plain,),
        "{about.client.ip} began TLS with {about.server}, which answered without TLS{first_words}.",
        (hello_packets,),
    ),
    _refusal(
        (alert_of(_NO_VERSION),),
        ": the client offers at most {facts.offered}{chosen}",
        Reason(
            "client and server have no version of TLS in common; agents take TLS 1.2 only",
            "let both ends speak TLS 1.2: see jdk.tls.disabledAlgorithms and jdk.tls.client.protocols of both Javas",
        ),
    ),
    _refusal(
        (alert_of(_NO_NAME),),
        ": no host {facts.server_name}",
        Reason(
            "the server does not know the host that the client asks for",
            "name the host in the process class as its certificate does, or give the server a certificate for it",
        ),
    ),
    _refusal(
        (by_server, lacks_client_certificate),
        ": a certificate of the client",
        Reason(
            "the server wants a certificate of the client and got none; agents ask for none, so it is a proxy's wish",
            "let the server ask for no certificate, or give the client one",
        ),
    ),
    _refusal(
        (by_server, alert_of(*_NOT_TRUSTED)),
        ": the client's certificate",
        Reason(
            "the server does not trust the certificate of the client",
            "add the client's certificate to the server's trust store",
        ),
    ),
    _refusal(
        (alert_of(*_NOT_TRUSTED), has_run_out),
        ": the certificate ran out on {last_day}",
        Reason(
            "the certificate {outdated.subject} ran out on {last_day}",
            "give the agent a new certificate (private-https.jks), and the master the same",
        ),
    ),
    _refusal(
        (alert_of(*_NOT_TRUSTED), is_outdated),
        ": the certificate holds from {first_day} on only",
        Reason(
            "the certificate {outdated.subject} holds from {first_day} on only",
            "see the clocks of both hosts, or give the agent a certificate that holds already",
        ),
    ),
    _refusal(
        (alert_of(42, 46), is_for_others),
        ": the certificate is not for {wrong_host}",
        Reason(
            "the certificate is for {hosts}, and the client asks for {wrong_host}",
            "name the host in the process class as the certificate does, or make a certificate for this host",
        ),
    ),
    _refusal(
        (alert_of(*_NOT_TRUSTED),),
        ": it does not trust the certificate",
        Reason("the certificate is signed by itself, and the client does not know it", _TRUST, when=(is_self_signed,)),
        Reason("the client does not know who issued the certificate{issuer}", _TRUST),
    ),
    _refusal((alert_of(*_NO_SUITE), by_server), ": no cipher suite in common", _NO_COMMON_SUITE),
    _refusal((alert_of(*_NO_SUITE),), "", _NO_COMMON_SUITE),
    _refusal((), ""),
    Finding(
        "tls_broken",
        (alerted,),
        "{sender} ended the connection with the alert {alert_name}.",
        (alert_packets,),
        time=alert_time,
    ),
    Finding(
        "tls_handshake_failed",
        (hung_up, by_sealed_alert),
        "The client {about.client.ip} ended the handshake right behind the server's certificate.",
        (hello_packets,),
        (
            Reason(
                "most likely the client does not trust the server's certificate: its alert is encrypted",
                "see the master's log; add the agent's certificate to its config/agent-https.jks",
            ),
        ),
    ),
    Finding(
        "tls_handshake_failed",
        (hung_up,),
        "{sender} closed the connection {how_far}{certificate}.",
        (hello_packets,),
        (
            Reason(
                "the server does not speak TLS on this port, or a device in between does not let TLS through",
                _LOGS,
                when=(by_server,),
            ),
            Reason("the client did not like what the server sent (its certificate, most likely), or gave up", _LOGS),
        ),
    ),
)


def failure(sealed: Tls) -> Problem | None:
    """Why a handshake did not get through; None where it did, or where the capture does not tell."""
    facts = sealed.facts
    if facts.hello is None or (sealed.connection.mid_stream and facts.answer is None):
        return None
    return next(first(FAILED, Shaken(sealed)), None)
