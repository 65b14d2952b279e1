"""Problem codes of connections with TLS; a part of ``codes.CODES``."""

from __future__ import annotations

from dissector.model import Severity
from dissector.session.capture_codes import Code

_INFO, _WARNING, _ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR

TLS_CODES: dict[str, Code] = {
    "tls_not_decrypted": Code(
        _WARNING,
        "A connection is encrypted with TLS and could not be deciphered.",
        "its secrets were not given, or do not fit; tasks of a Universal Agent over HTTPS are not shown without them",
        "give the secrets that the master's or the agent's Java wrote with --tls-keylog FILE; for suites that begin "
        "with TLS_RSA the agent's RSA key in PEM does as well; start the capture before the connections",
    ),
    "tls_handshake_failed": Code(
        _ERROR,
        "Both ends could not agree on a connection with TLS.",
        "the alert says it: a certificate that is not trusted or has run out, or no version or cipher in common",
        "see the alert: correct the certificate or the trust store of the end that sent it, "
        "or let both ends take a version and a cipher suite in common",
    ),
    "tls_broken": Code(
        _ERROR,
        "A connection with TLS was ended by an alert.",
        "bytes were damaged on their way, or one of the ends has a fault in its TLS",
        "see the alert; look for devices between both ends that open or change TLS",
    ),
    "tls_expected": Code(
        _ERROR,
        "Plain HTTP was sent to a port that takes HTTPS.",
        "the URL of the process class begins with http, and the agent listens for https on this port",
        'write remote_scheduler="https://HOST:PORT", or name the agent\'s port for http (its -http-port)',
    ),
    "tls_unexpected": Code(
        _ERROR,
        "HTTPS was begun with a port that does not take it.",
        "the URL of the process class begins with https, and what listens on this port does not speak TLS",
        'write remote_scheduler="http://HOST:PORT", or name the agent\'s port for https (its -https-port)',
    ),
    "tls_renegotiated": Code(
        _INFO,
        "Both ends made another handshake within their connection.",
        "one of the ends asks for new keys or for a certificate of the client; agents and masters do not",
        "nothing to do, unless a device in between does so",
    ),
    "tls_task_guessed": Code(
        _INFO,
        "Encrypted traffic looks like that of a task on a Universal Agent.",
        "requests and responses come in turn with the sizes of such tasks: a guess, nothing of it was deciphered",
        "give the secrets (--tls-keylog FILE) to see the tasks",
    ),
}
