"""HTTPS of the simulated agent and master, as far as genuine ones have it: no certificate is checked."""

from __future__ import annotations

import os
import ssl

from dissector.errors import UsageError


def server_side(path: str) -> ssl.SSLContext:
    """``path``: a PEM file with the agent's certificate and key.

    :raises UsageError: it can not be used
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(path)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    return context


def client_side() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if log := os.environ.get("SSLKEYLOGFILE"):
        context.keylog_filename = log
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
