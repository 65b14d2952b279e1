"""Callback ports as the engine takes them: from the highest down, the next lower one when a port is in use."""

from __future__ import annotations

import errno
import socket

from dissector.errors import UsageError


class Ports:
    """The ports from ``high`` down to ``low``; one held by a task is not tried for another."""

    def __init__(self, high: int, low: int) -> None:
        self._high = high
        self._low = low
        self._held: set[int] = set()

    def listen(self, family: socket.AddressFamily) -> tuple[socket.socket, int]:
        """A listening socket for one connection, on every address, and its port; give the port back with ``free``.

        :raises UsageError: no port is left
        """
        for port in range(self._high, self._low - 1, -1):
            if port in self._held:
                continue
            listener = _try(family, port)
            if listener is not None:
                self._held.add(port)
                return listener, port
        raise UsageError(f"no callback port is free between {self._high} and {self._low}")

    def free(self, port: int) -> None:
        self._held.discard(port)


def _try(family: socket.AddressFamily, port: int) -> socket.socket | None:
    """None when the port is in use."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        # Ends of earlier connections in TIME_WAIT do not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", port))
        listener.listen(1)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return None
        raise UsageError(f"callback port {port}: {error.strerror}") from None
    return listener
