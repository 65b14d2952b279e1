"""``--tls-keylog`` and ``--tls-key``, for commands that look into HTTPS."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from dissector.wire.tls_keys import Secrets

_F = TypeVar("_F", bound=Callable[..., Any])

#: What this run was given, by the names of the options.
_given: dict[str, tuple[str, ...]] = {}


def _keep(_context: click.Context, parameter: click.Parameter, files: tuple[str, ...]) -> None:
    _given[parameter.name or ""] = files


_KEY_LOG = click.option(
    "--tls-keylog",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    expose_value=False,
    callback=_keep,
    help="Decipher HTTPS with the secrets in this key log (NSS format), beside those that a pcapng file has itself. "
    "Without it: the file that TLS_KEYLOG_FILE or SSLKEYLOGFILE names. Repeatable.",
)
_KEY = click.option(
    "--tls-key",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    expose_value=False,
    callback=_keep,
    help="Decipher HTTPS with this private key of a server (RSA, PEM), where the cipher suite begins with TLS_RSA. "
    "Repeatable.",
)


def tls_options(command: _F) -> _F:
    """Options for ``secrets``."""
    return _KEY_LOG(_KEY(command))


def secrets(*, follow: bool = False) -> Secrets:
    """What the options of this run say.

    :raises UsageError: as ``keys.secrets_of``
    :raises ToolError: as ``keys.secrets_of``
    """
    from dissector.keys import secrets_of

    return secrets_of(_given.get("tls_keylog", ()), _given.get("tls_key", ()), os.environ, follow=follow)


def given_files() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Key logs and private keys that the options of this run name, or the environment, for another process."""
    from dissector.sources.keys import key_log_of

    logs = _given.get("tls_keylog", ())
    named = key_log_of(os.environ)
    return logs or ((named,) if named and Path(named).is_file() else ()), _given.get("tls_key", ())


def tshark_preferences() -> list[str]:
    """What tshark has to be told to use the same secrets.

    :raises UsageError: there are several key logs, and tshark takes one
    """
    from dissector.errors import UsageError
    from dissector.sources.keys import key_log_of

    logs = _given.get("tls_keylog", ())
    named = key_log_of(os.environ)
    if len(logs) > 1:
        raise UsageError("tshark takes one key log: put the lines of all into one file")
    keys = [f'uat:rsa_keys:"{_quoted(key)}",""' for key in _given.get("tls_key", ())]
    return [*(f"tls.keylog_file:{log}" for log in logs or ([named] if named else [])), *keys]


def _quoted(path: str) -> str:
    """A path as it stands between quotes in a preference."""
    return str(Path(path).resolve()).replace("\\", "\\x5c").replace('"', "\\x22")
