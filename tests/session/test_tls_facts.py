"""Why a handshake of TLS failed, and what is told of connections that stay sealed: each fact alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from parts import CLIENT, HERE, REMOTE, SECOND, THERE, connection

from dissector.model import Mark, Problem, Severity
from dissector.session import rules_tls, tls_sealed
from dissector.session.tls_rhythm import Rhythm
from dissector.tlsfacts import Alert, Certificate, TlsFacts
from dissector.traffic import Side

DAY = 86_400 * SECOND
NOW = 20_000 * DAY
SERVER = f"The server {REMOTE}:4455"
AGENT = Certificate("CN=agent", "CN=ca", ("agent.example",), NOW - DAY, NOW + DAY)


def sealed(*alerts: Alert, foreign: bytes = b"", first_sealed: int = 0, closed: int | None = None, **known: Any) -> Any:
    """A connection with TLS with these alerts and facts; ``closed``: the side that ended it."""
    about = connection(start=NOW, first_packet=3)
    if closed is not None:
        about.closed, about.sides[closed].fin = "fin", Mark(9, NOW + SECOND)
    facts = TlsFacts(hello=Mark(4, NOW), alerts=list(alerts))
    for name, value in known.items():
        setattr(facts, name, value)
    rhythm = Rhythm()
    return SimpleNamespace(connection=about, facts=facts, foreign=foreign, first_sealed=first_sealed, rhythm=rhythm)


def alert(code: int, side: int = THERE, *, fatal: bool = True) -> Alert:
    return Alert(Side(side), fatal, code, Mark(7, NOW + 5))


def failed(*alerts: Alert, **known: Any) -> Problem:
    found = rules_tls.failure(sealed(*alerts, **known))
    assert found is not None
    return found


def refusal(*alerts: Alert, **known: Any) -> tuple[str, str]:
    """What follows the name of the alert, and the cause."""
    found = failed(*alerts, **known)
    assert (found.code, found.packets, found.time) == ("tls_handshake_failed", (4, 7), NOW + 5)
    assert " refused the handshake with the alert " in found.summary
    return found.summary.partition(" with the alert ")[2], found.cause


def test_a_server_that_answers_in_plain() -> None:
    found = failed(foreign=b"HTTP/1.1 400 Bad\r\nx")
    assert (found.code, found.packets) == ("tls_unexpected", (4,))
    assert found.summary == f"{CLIENT} began TLS with {REMOTE}:4455, which answered without TLS: HTTP/1.1 400 Bad."
    assert failed(foreign=b"\x00\x01").summary.endswith("which answered without TLS.")
    assert rules_tls.failure(sealed(foreign=b"\x15\x03\x03")) is None


def test_versions() -> None:
    assert refusal(alert(70), offered="TLS 1.1") == (
        "protocol_version: the client offers at most TLS 1.1.",
        "client and server have no version of TLS in common; agents take TLS 1.2 only",
    )
    assert "TLS 1.3, the server chose TLS 1.0." in refusal(alert(70), offered="TLS 1.3", version="TLS 1.0")[0]


def test_a_host_that_the_server_does_not_know() -> None:
    words, cause = refusal(alert(112), server_name="agent")
    assert words == "unrecognized_name: no host agent."
    assert cause == "the server does not know the host that the client asks for"


@pytest.mark.parametrize(
    ("code", "known", "wanted"),
    [
        (116, {}, True),
        (40, {"asks_client": True}, True),
        (42, {"asks_client": True, "client_certificates": 0}, True),
        (42, {"asks_client": True, "client_certificates": 1}, False),
        (42, {}, False),
    ],
)
def test_certificates_of_the_client(code: int, known: dict[str, Any], wanted: bool) -> None:
    words, cause = refusal(alert(code), **known)
    assert words.endswith(": a certificate of the client." if wanted else ": the client's certificate.")
    assert ("got none" in cause) is wanted
    assert ("does not trust the certificate of the client" in cause) is not wanted


def test_certificates_that_do_not_hold() -> None:
    old, new = AGENT._replace(not_after=NOW - 1), AGENT._replace(not_before=NOW + 1)
    for chain, words in (((AGENT, old), "ran out on 2024-10-03"), ((AGENT, new, old), "holds from 2024-10-04 on only")):
        summary, cause = refusal(alert(45, HERE), certificates=chain)
        assert (
            f": the certificate {words} (certificate CN=agent for agent.example, 2024-10-03 to 2024-10-05)." in summary
        )
        assert cause == f"the certificate CN=agent {words}"
    edge = AGENT._replace(not_before=NOW, not_after=NOW)
    assert "does not trust" in refusal(alert(45, HERE), certificates=(edge,))[0]


@pytest.mark.parametrize("code", [42, 46, 48])
@pytest.mark.parametrize(
    ("asked", "names", "fits"),
    [
        ("other.example", ("agent.example",), False),
        ("AGENT.example", ("agent.example",), True),
        ("a.example", ("*.example",), True),
        ("a.b.example", ("*.example",), False),
        (None, ("agent.example",), True),
        (None, ("10.9.9.9",), False),
        (None, (REMOTE,), True),
    ],
)
def test_a_certificate_for_others(code: int, asked: str | None, names: tuple[str, ...], fits: bool) -> None:
    certificate = AGENT._replace(names=names)
    words, cause = refusal(alert(code, HERE), certificates=(certificate,), server_name=asked)
    is_told = not fits and code != 48
    assert (f": the certificate is not for {asked or REMOTE}" in words) is is_told
    assert (cause == f"the certificate is for {names[0]}, and the client asks for {asked or REMOTE}") is is_told


def test_who_issued_it() -> None:
    own = AGENT._replace(issuer=AGENT.subject)
    assert refusal(alert(48, HERE), certificates=(own,))[1].startswith("the certificate is signed by itself")
    assert refusal(alert(48, HERE), certificates=(AGENT,))[1].endswith("who issued the certificate (CN=ca)")
    assert refusal(alert(48, HERE))[1].endswith("who issued the certificate")


@pytest.mark.parametrize("code", [40, 71])
def test_suites(code: int) -> None:
    words, cause = refusal(alert(code), suites=(0x00FF, 0x002F, 0x5600))
    assert words.endswith(": no cipher suite in common.")
    assert cause.endswith("in common (the client offers TLS_RSA_WITH_AES_128_CBC_SHA)")
    many = refusal(alert(code), suites=tuple(range(1, 9)))[1]
    assert many.endswith(" and 2 more)")
    words, cause = refusal(alert(code, HERE))
    assert ": no cipher" not in words
    assert cause == "client and server have no cipher suite, curve or kind of certificate in common"


def test_an_alert_that_says_nothing_more() -> None:
    words, cause = refusal(alert(80))
    assert words == "internal_error."
    assert cause.startswith("the alert says it")


def test_what_ends_no_handshake() -> None:
    assert rules_tls.failure(sealed(alert(0), alert(90), alert(80, fatal=False))) is None
    opened = {"opened": Mark(6, NOW)}
    found = failed(alert(80), **opened)
    assert found.summary == f"{SERVER} ended the connection with the alert internal_error."
    assert (found.code, found.packets, found.time) == ("tls_broken", (7,), NOW + 5)
    assert failed(alert(46, HERE), **opened).code == "tls_broken"
    assert failed(alert(46), **opened).code == "tls_handshake_failed"


def test_who_hung_up() -> None:
    behind, before = failed(closed=HERE, answer=Mark(5, NOW)), failed(closed=THERE)
    assert behind.summary == f"The client {CLIENT} closed the connection behind the server's hello."
    assert before.summary == f"{SERVER} closed the connection without an answer to the client's hello."
    assert behind.cause.startswith("the client did not like")
    assert before.cause.startswith("the server does not speak TLS")
    assert (behind.packets, before.packets) == ((4, 5), (4,))
    for lack in ("gaps", "snapped"):
        made = sealed(closed=THERE)
        setattr(made.connection, lack, 1)
        assert rules_tls.failure(made) is None


@pytest.mark.parametrize(
    ("size", "version", "is_alert"), [(19, "TLS 1.3", True), (20, "TLS 1.3", False), (19, "TLS 1.2", False)]
)
def test_an_alert_that_is_encrypted(size: int, version: str, is_alert: bool) -> None:
    found = failed(closed=HERE, first_sealed=size, version=version)
    assert ("ended the handshake right behind the server's certificate" in found.summary) is is_alert
    assert ("its alert is encrypted" in found.cause) is is_alert


def test_what_the_capture_does_not_tell() -> None:
    assert rules_tls.failure(sealed(alert(80), hello=None)) is None
    made = sealed(alert(80))
    made.connection.mid_stream = True
    assert rules_tls.failure(made) is None
    made.facts.answer = Mark(5, NOW)
    assert rules_tls.failure(made) is not None


# --- sealed ---------------------------------------------------------------------------------------------------------


def test_what_stays_sealed() -> None:
    made = sealed(version="TLS 1.2", suite="SUITE", server_name="agent", certificates=(AGENT,), reason="no secrets")
    found = tls_sealed.sealed_problem(made, is_likely=True)
    assert found.summary == (
        f"{CLIENT} and {REMOTE}:4455 use TLS 1.2 (SUITE, asked for as agent, certificate CN=agent for agent.example, "
        "2024-10-03 to 2024-10-05): no secrets."
    )
    assert (found.code, found.severity, found.packets) == ("tls_not_decrypted", Severity.WARNING, (4,))
    bare = sealed(hello=None, decrypted=True, reason="x")
    found = tls_sealed.sealed_problem(bare, is_likely=False)
    assert found.summary == f"{CLIENT} and {REMOTE}:4455 use TLS: deciphered in part, x."
    assert (found.severity, found.packets) == (Severity.INFO, (3,))


def test_what_is_guessed() -> None:
    made = sealed()
    rhythm = made.rhythm
    rhythm.first, rhythm.last = Mark(11, NOW), Mark(12, NOW + 3 * SECOND)
    rhythm.turns, rhythm.longest, rhythm.beats = 5, SECOND, 2
    found = tls_sealed.guessed(made)
    assert found.summary == (
        f"Guessed from sizes and times alone: {CLIENT} runs a task on the agent {REMOTE}:4455 (5 requests and "
        "responses in turn in 3.0 s, the longest wait 1.0 s, 2 of them after 10 s as heartbeats are)."
    )
    assert (found.code, found.packets) == ("tls_task_guessed", (11, 12))


@pytest.mark.parametrize(("number", "times"), [(1, "once"), (2, "2 times")])
def test_handshakes_that_are_made_anew(number: int, times: str) -> None:
    found = tls_sealed.renegotiated(sealed(renegotiations=number))
    assert found.summary == f"{CLIENT} and {REMOTE}:4455 made a new handshake {times} within their connection."
    assert (found.code, found.packets) == ("tls_renegotiated", (4,))
