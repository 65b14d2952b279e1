"""What ``live`` needs of the system: packet sockets are Linux's, and a pipe that can be waited for is Unix's."""

from __future__ import annotations

import os
import socket

from dissector.errors import UsageError


def has_interfaces() -> bool:
    """True where packets can be captured on interfaces, and these can be listed."""
    return hasattr(socket, "AF_PACKET")


def check(from_stream: bool) -> None:
    """:raises UsageError: this system has no way to follow a capture stream, or not the interfaces"""
    if not hasattr(os, "readv"):
        raise UsageError("live does not run on this system: capture into a file, and jstrace read FILE")
    if not from_stream and not has_interfaces():
        raise UsageError(
            "on this system live has no interfaces, only a capture stream: tcpdump -U -w - | jstrace live -"
        )
