"""What is told of connections with TLS that stay sealed, and of handshakes that are made anew."""

from __future__ import annotations

from dataclasses import dataclass

from dissector.model import Problem, Severity
from dissector.session.findings import Finding, first
from dissector.session.rules_tls import hello_packets
from dissector.session.timeouts import SECOND
from dissector.session.tls import Tls
from dissector.session.tls_words import Shaken, certificate_text


@dataclass(slots=True)
class Veiled(Shaken):
    """One that could not be deciphered, and maybe (``is_likely``) carries tasks."""

    is_likely: bool = False

    @property
    def details(self) -> str:
        facts = self.facts
        asked = f"asked for as {facts.server_name}" if facts.server_name else None
        words = ", ".join(filter(None, (facts.suite, asked, certificate_text(facts))))
        return f" ({words})" if words else ""

    @property
    def version(self) -> str:
        return self.facts.version or "TLS"

    @property
    def in_part(self) -> str:
        return "deciphered in part, " if self.facts.decrypted else ""

    @property
    def seconds(self) -> str:
        rhythm = self.sealed.rhythm
        return f"{(rhythm.last.time - rhythm.first.time) / SECOND if rhythm.first and rhythm.last else 0.0:.1f}"

    @property
    def longest(self) -> str:
        return f"{self.sealed.rhythm.longest / SECOND:.1f}"

    @property
    def beats(self) -> str:
        beats = self.sealed.rhythm.beats
        return f", {beats} of them after 10 s as heartbeats are" if beats else ""

    @property
    def times(self) -> str:
        number = self.facts.renegotiations
        return "once" if number == 1 else f"{number} times"


def likely(veiled: Veiled) -> bool:
    return veiled.is_likely


def first_packets(veiled: Veiled) -> list[int]:
    return hello_packets(veiled) or [veiled.about.first_packet]


def rhythm_packets(veiled: Veiled) -> list[int]:
    rhythm = veiled.sealed.rhythm
    return [mark.number for mark in (rhythm.first, rhythm.last) if mark is not None]


_USE = "{about.client.ip} and {about.server} use {version}{details}: {in_part}{facts.reason}."
SEALED: tuple[Finding[Veiled], ...] = (
    Finding("tls_not_decrypted", (likely,), _USE, (first_packets,)),
    Finding("tls_not_decrypted", (), _USE, (first_packets,), severity=Severity.INFO),
)
GUESSED: tuple[Finding[Veiled], ...] = (
    Finding(
        "tls_task_guessed",
        (),
        "Guessed from sizes and times alone: {about.client.ip} runs a task on the agent {about.server} "
        "({sealed.rhythm.turns} requests and responses in turn in {seconds} s, the longest wait {longest} s{beats}).",
        (rhythm_packets,),
    ),
)
RENEGOTIATED: tuple[Finding[Veiled], ...] = (
    Finding(
        "tls_renegotiated",
        (),
        "{about.client.ip} and {about.server} made a new handshake {times} within their connection.",
        (hello_packets,),
    ),
)


def sealed_problem(sealed: Tls, *, is_likely: bool) -> Problem:
    """What a connection is that could not be deciphered."""
    return next(first(SEALED, Veiled(sealed, is_likely=is_likely)))


def guessed(sealed: Tls) -> Problem:
    return next(first(GUESSED, Veiled(sealed)))


def renegotiated(sealed: Tls) -> Problem:
    return next(first(RENEGOTIATED, Veiled(sealed)))
