"""The secrets that a user gives for TLS, from files to ``Secrets``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike, fspath

from dissector.errors import UsageError
from dissector.sources.keys import VARIABLES, KeyLog, key_log_of, private_key
from dissector.wire.tls_keys import OpenRsa, Secrets

Path = str | PathLike[str]


def secrets_of(
    logs: Iterable[Path] = (),
    keys: Iterable[Path] = (),
    environment: Mapping[str, str] | None = None,
    *,
    follow: bool = False,
) -> Secrets:
    """``logs`` are key logs, ``keys`` private keys; without ``logs`` the key log that ``environment`` names counts.
    ``follow``: what is written to them later is read as it is needed.

    :raises UsageError: a file can not be read, or is something else
    :raises ToolError: the package that deciphers is not installed
    """
    secrets, paths, keys = Secrets(), [fspath(path) for path in logs], list(keys)
    if paths or keys:
        from dissector.wire.tls_cipher import require

        require()
    opened = [KeyLog(path, secrets, grows=follow) for path in paths]
    if not paths and environment is not None:
        opened += _of_environment(environment, secrets, grows=follow)
    for key in keys:
        secrets.rsa.append(_rsa(key))
    if follow and opened:

        def refresh() -> None:
            for log in opened:
                log.more()

        secrets.refresh = refresh
    return secrets


def _of_environment(environment: Mapping[str, str], secrets: Secrets, *, grows: bool) -> list[KeyLog]:
    """What others are told to write may be anything, and is not asked for by who runs jstrace: no error then."""
    named = key_log_of(environment)
    if named is None:
        return []
    try:
        return [KeyLog(named, secrets, grows=grows)]
    except UsageError:
        if environment.get(VARIABLES[0]):
            raise
        return []


def _rsa(path: Path) -> OpenRsa:
    from dissector.wire.tls_cipher import rsa_opener

    try:
        return rsa_opener(private_key(path))
    except ValueError as error:
        raise UsageError(f"{fspath(path)}: {error}") from None
