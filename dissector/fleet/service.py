"""What systemd offers a service: to hear that it is ready and alive, and a journal whose entries have fields.

Protocols: sd_notify(3), and systemd's "Native Journal Protocol" (a datagram of ``NAME=value`` lines).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TextIO

from dissector.fleet.company import Companion
from dissector.model import CaptureInfo, Look, Running
from dissector.wire.harmless import escape

_JOURNAL = "/run/systemd/journal/socket"
#: Characters of a field: an entry must fit into a datagram.
_MAX_FIELD = 8_000


class ServiceManager(Companion):
    """Says that the capture runs, and again and again that it still does: only the thread that traces says it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._socket: socket.socket | None = None
        self._every, self._said = _watchdog(environment), 0.0
        place = environment.get("NOTIFY_SOCKET", "")
        if place[:1] in ("/", "@"):
            self._socket = _connected("\0" + place[1:] if place[0] == "@" else place)

    @property
    def listens(self) -> bool:
        return self._socket is not None

    def ready(self) -> None:
        self._say("READY=1")

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:  # noqa: ARG002  a listener's shape
        moment = time.monotonic()
        if self._every is not None and moment - self._said >= self._every:
            self._said = moment
            self._say("WATCHDOG=1")

    def close(self, captures: Sequence[CaptureInfo]) -> None:  # noqa: ARG002  a listener's shape
        self._say("STOPPING=1")
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, text: str) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.send(text.encode())


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life: half of what systemd waits for one."""
    limit, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    is_mine = process in ("", str(os.getpid()))
    return int(limit) / 2e6 if is_mine and limit.isdecimal() and limit.isascii() and len(limit) < 16 else None


class Journal:
    """The journal, for entries with fields; one that has no room at the moment, or is not there, loses them, and is
    told how many."""

    def __init__(self, place: str = _JOURNAL) -> None:
        self._socket, self._place = _connected(place), place
        self._lost = 0

    @property
    def is_there(self) -> bool:
        return self._socket is not None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def send(self, fields: Mapping[str, str]) -> None:
        if self._socket is None:
            return
        entry = dict(fields) | {"SYSLOG_IDENTIFIER": "jstrace"}
        if self._lost:
            entry["JSTRACE_LOST"] = str(self._lost)
        lines = (f"{name}={escape(value)[:_MAX_FIELD]}\n" for name, value in entry.items())
        try:
            # By its name each time: it may have been begun anew.
            self._socket.sendto("".join(lines).encode(errors="replace"), self._place)
        except OSError:
            self._lost += 1
        else:
            self._lost = 0


def journal_behind(stream: TextIO, environment: Mapping[str, str], place: str = _JOURNAL) -> Journal | None:
    """The journal, if what is written to ``stream`` goes there (``JOURNAL_STREAM``, systemd.exec(5))."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or something in memory
        return None
    if (device, inode) != (str(found.st_dev), str(found.st_ino)):
        return None
    journal = Journal(place)
    return journal if journal.is_there else None


def _connected(place: str) -> socket.socket | None:
    """A datagram socket that never waits; None where nobody listens."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.setblocking(False)
    try:
        one.connect(place)
    except OSError:
        one.close()
        return None
    return one
