"""Gives up root's rights, and all capabilities, once sockets are open (docs/decisions/0015-privileges-go-first.md)."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct
from typing import NamedTuple

from dissector.errors import CaptureError, UsageError

_ROOT = 0
_NOBODY = "nobody"

#: linux/prctl.h and linux/capability.h; more capabilities than any kernel has.
_CAPBSET_DROP, _NO_NEW_PRIVILEGES, _CAP_AMBIENT, _CLEAR_ALL = 24, 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_CAPABILITY_HEADER, _CAPABILITIES = Struct("Ii"), Struct("6I")
_DAC_OVERRIDE = 1
_MOST_CAPABILITIES = 64


class UserAccount(NamedTuple):
    name: str
    user: int
    group: int


def account(name: str | None) -> UserAccount | None:
    """Whom to become: ``name``, else who called sudo, else nobody; None when there is nothing to give up.

    :raises UsageError: there is no such user
    """
    if os.geteuid() != _ROOT:
        if name is not None:
            raise UsageError("--user: only root can switch users")
        return None
    import pwd

    try:
        if name is not None:
            entry = pwd.getpwnam(name)
        elif (caller := os.environ.get("SUDO_UID", "")).isdecimal() and int(caller) != _ROOT:
            entry = pwd.getpwuid(int(caller))
        else:
            entry = pwd.getpwnam(_NOBODY)
    except KeyError:
        wanted = name or os.environ.get("SUDO_UID") or _NOBODY
        raise UsageError(f"there is no user {wanted}; name one with --user") from None
    return None if entry.pw_uid == _ROOT else UserAccount(entry.pw_name, entry.pw_uid, entry.pw_gid)


def become(one: UserAccount | None) -> None:
    """For good: this process can not go back, nor can what it might start.  None stays who it is; of capabilities root
    keeps the one by which it may write where it likes, all others keep none.

    :raises CaptureError: the system does not let it
    """
    stays_root = one is None and os.geteuid() == _ROOT
    has_capabilities = sys.platform == "linux"
    if has_capabilities:
        _empty_bounding_set()
    if one is not None:
        try:
            _change(one)
        except OSError as error:
            raise CaptureError(
                f"user {one.name}", f"root can not switch to this user: {error.strerror}; --user root"
            ) from None
    if has_capabilities:
        _keep_only(1 << _DAC_OVERRIDE if stays_root else 0)


def _change(one: UserAccount) -> None:
    """For root these calls set the real, the effective and the saved id."""
    import grp

    os.setgroups([entry.gr_gid for entry in grp.getgrall() if one.name in entry.gr_mem] or [one.group])
    os.setgid(one.group)
    os.setuid(one.user)


def _empty_bounding_set() -> None:
    """Needs CAP_SETPCAP; who lacks it is not let to, and gains nothing by the set but through a program it starts."""
    prctl = _libc().prctl
    for capability in range(_MOST_CAPABILITIES):
        prctl(_CAPBSET_DROP, capability, 0, 0, 0)


def _keep_only(capabilities: int) -> None:
    libc = _libc()
    libc.prctl(_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    header, data = _CAPABILITY_HEADER.pack(_CAPABILITY_VERSION_3, 0), ctypes.create_string_buffer(_CAPABILITIES.size)
    libc.capget(header, data)
    # Effective, permitted and inheritable ones, in two words of 32.
    kept = capabilities & _CAPABILITIES.unpack(data)[1]
    if libc.capset(header, _CAPABILITIES.pack(kept, kept, 0, 0, 0, 0)) != 0:
        raise CaptureError("capabilities", f"can not be given up: {os.strerror(ctypes.get_errno())}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@contextmanager
def explained(one: UserAccount | None) -> Iterator[None]:
    """Where root may write, whom it became may not: an error says so, and what to do."""
    try:
        yield
    except CaptureError as error:
        if one is None or error.reason != os.strerror(errno.EACCES):
            raise
        raise CaptureError(error.where, f"{error.reason} for {one.name}: another folder, or --user root") from None
