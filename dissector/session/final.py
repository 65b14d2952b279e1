"""From when on nothing that comes late changes what is told of a task: for captures that are followed as they grow.

The tracer itself waits for some time (``LINGER``) behind the end of the last connection.  Most ends need no such wait:
a segment behind the end of a connection brings no bytes, so that it can not change how the task went.
"""

from __future__ import annotations

from dissector.model import Connection
from dissector.session.life import CommandState
from dissector.session.task import TaskFacts
from dissector.session.timeouts import LINGER
from dissector.session.verdict import end_mark, is_fin, is_rejected


def judged_at(facts: TaskFacts, now: int) -> int:
    """The time of which an ended task is judged at packet time ``now``: that at which the tracer would do it."""
    return max(now, facts.last_seen() + LINGER)


def is_certain(facts: TaskFacts) -> bool:
    """True when all is over and the outcome stands: no connection can come that is still the task's callback."""
    record = facts.record
    if not facts.is_through():
        return False
    if record.callback is not None:
        # Somebody else who leaves without a word is no callback, and the real one may be on its way.
        return facts.confirmed or (record.remote is not None and record.callback.client.ip == record.remote.ip)
    if facts.life.command is CommandState.REFUSED:
        return True
    return record.callback_port is not None and (facts.life.command is CommandState.CLOSED or is_rejected(facts))


def is_final(facts: TaskFacts) -> bool:
    """True when the problems stand as well: a command connection that is not known yet may show itself by its close,
    and data that go on behind a reset tell that a device sent it."""
    record = facts.record
    if record.command is None or not is_certain(facts):
        return False
    released = record.callback if facts.release is not None else None
    return not any(_may_go_on(connection) for connection in facts.connections() if connection is not released)


def _may_go_on(connection: Connection) -> bool:
    """The connection ended with a reset, and not behind a FIN."""
    mark = end_mark(connection)
    return connection.bytes > 0 and mark is not None and not is_fin(connection, mark)
