"""Gives up root's rights once the sockets are open."""

from __future__ import annotations

import grp
import os
import pwd
from typing import NamedTuple

from dissector.errors import UsageError

_ROOT = 0
_NOBODY = "nobody"


class Account(NamedTuple):
    name: str
    user: int
    group: int


def account(name: str | None) -> Account | None:
    """Whom to become: ``name``, else who called sudo, else nobody; None when there is nothing to give up.

    :raises UsageError: there is no such user
    """
    if os.geteuid() != _ROOT:
        if name is not None:
            raise UsageError("--user: only root can become somebody else")
        return None
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
    return None if entry.pw_uid == _ROOT else Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def become(one: Account) -> None:
    """For good: this process can not go back."""
    os.setgroups([entry.gr_gid for entry in grp.getgrall() if one.name in entry.gr_mem] or [one.group])
    os.setresgid(one.group, one.group, one.group)
    os.setresuid(one.user, one.user, one.user)
