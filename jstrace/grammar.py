"""The grammar of the callback connection as construct declares it: the source of the decoder, plugin and scapy layers.

``MESSAGE`` parses and builds a message, which is a frame without its length header.  An answer is read by the request
that it answers: ``operation`` is one of ``Operation``'s values, ``count`` the number of interface ids or names that the
request has (else 0).

    >>> from jstrace.grammar import MESSAGE, Operation
    >>> request = bytes.fromhex("4f 9feaa85700000004 52")
    >>> message = MESSAGE.parse(request, operation=Operation.RELEASE, count=0)
    >>> hex(message._body.object_id), message._body._request
    ('0x9feaa85700000004', Release(object_id=11523207688196456452))
    >>> MESSAGE.build(message, operation=Operation.RELEASE, count=0) == request
    True

What construct raises for broken bytes is its own ``ConstructError``; ``jstrace.decode`` names the field instead.
What the fields mean is in ``docs/protocol.md``.
"""

from __future__ import annotations

from dissector.wire.enums import Command, MessageClass, Operation, VarType
from dissector.wire.grammar import ANSWERS, MESSAGE, OBJECT_REQUEST, SESSION_REQUEST, VARIANT

__all__ = [
    "ANSWERS",
    "MESSAGE",
    "OBJECT_REQUEST",
    "SESSION_REQUEST",
    "VARIANT",
    "Command",
    "MessageClass",
    "Operation",
    "VarType",
]
