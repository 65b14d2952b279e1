"""Ends of connections, and places where they were captured; a part of ``model``."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from dissector.traffic import Side


@lru_cache(maxsize=4096)
def address_text(packed: bytes) -> str:
    """Printed form of a packed IPv4 or IPv6 address."""
    return ip_address(packed).compressed


class Endpoint(NamedTuple):
    """An address in printed form and a port; ``port`` is None when it was not captured."""

    ip: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return host if self.port is None else f"{host}:{self.port}"


class Role(str, Enum):
    COMMAND = "command"
    CALLBACK = "callback"
    #: One that carries exchanges with a Universal Agent.
    HTTP = "http"
    #: One with TLS that could not be deciphered.
    TLS = "tls"
    UNKNOWN = "unknown"


class Astray(NamedTuple):
    """A packet of one of a task's connections that left ``near`` and never came to ``far``, or (``is_forged``) came to
    ``far`` in the name of an end that never sent it; ``what`` it is, in words."""

    packet: int
    time: int
    what: str
    role: Role
    side: Side
    near: str
    far: str
    is_forged: bool = False


class Rewritten(NamedTuple):
    """What a device between ``near`` (nearer to the client scheduler) and ``far`` changes of a connection, in words:
    "10.0.0.1:40004 is 192.0.2.7:40004 behind the device".  ``packet``: the first one of it at ``near``."""

    packet: int
    time: int
    role: Role
    near: str
    far: str
    how: str


class TaskPoint(NamedTuple):
    """What one of several places of capture has of a task, with the addresses as they are there.  ``clock_offset``:
    nanoseconds that its clock is ahead of that of the place nearest to the client scheduler, ``clock_error`` the bound
    of the error of that, both for the time of the task and None where it is not known."""

    name: str
    client: Endpoint | None
    remote: Endpoint | None
    callback_port: int | None
    clock_offset: int | None
    clock_error: int | None
    first_packet: int
