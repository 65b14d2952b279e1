"""Tasks and connections made by hand, field by field, for tests of what is concluded from them.

``facts`` is a task under way whose connections are open and silent; a test adds what it is about.
"""

from __future__ import annotations

from dissector.model import Connection, Endpoint, Mark, Message, Outcome, Role
from dissector.session.life import CommandState, JoinState
from dissector.session.task import TaskFacts
from dissector.traffic import Side

SECOND = 1_000_000_000
MS = 1_000_000
CLIENT, REMOTE = "10.1.0.10", "10.2.0.10"
HERE, THERE = Side.CLIENT, Side.SERVER


def connection(role: Role = Role.COMMAND, **fields: object) -> Connection:
    """An open connection without a byte: the client's to the remote's command port, or the callback."""
    ends = Endpoint(CLIENT, 40_000), Endpoint(REMOTE, 4_455)
    if role is Role.CALLBACK:
        ends = Endpoint(REMOTE, 50_000), Endpoint(CLIENT, 59_999)
    made = Connection(*ends, 0, 1, role=role)
    made.syns, made.syn_acks = [Mark(1, 0, 64, 1)], [Mark(2, 1_000, 64, 1)]
    for side in made.sides:
        side.packets, side.ttl = 1, 64
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def message(time: int, packet: int = 10, **fields: object) -> Message:
    made = Message(1, connection(), time, (packet,), True, "request", None, None, b"", 0)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def facts(*, callback: bool = True, start: int | None = 0) -> TaskFacts:
    """A task whose start was answered; nothing has ended."""
    command = connection()
    made = TaskFacts.of_command(command)
    made.record.callback_port = 59_999
    if start is not None:
        made.start = message(start)
        made.start_answer = message(start + 1_000)
        made.life.command = CommandState.STARTED
    if callback:
        made.record.callback = connection(Role.CALLBACK, task=made.record)
        made.attempts.append(made.record.callback)
        made.life.join = JoinState.CALLED
    return made


def record(made: TaskFacts) -> tuple[Connection, Connection]:
    """Command and callback connection."""
    assert made.record.command is not None
    assert made.record.callback is not None
    return made.record.command, made.record.callback


def stuck(tries: int) -> Connection:
    """The remote's bytes of second 10 were retransmitted so often, and never acknowledged."""
    made = connection(Role.CALLBACK)
    sender = made.sides[HERE]
    sender.sent, sender.last_data = 100, Mark(10, 10 * SECOND)
    sender.retransmitted = [Mark(number, 11 * SECOND) for number in range(11, 11 + tries)]
    return made


def lost(**fields: object) -> TaskFacts:
    """A task whose 100 bytes at second 10 were never acknowledged, the remote's last packet being of second 9."""
    made = facts()
    made.record.outcome = Outcome.LOST
    command, _ = record(made)
    callback = made.record.callback = made.attempts[0] = stuck(3)
    callback.task, callback.role, callback.end = made.record, Role.CALLBACK, 20 * SECOND
    callback.sides[THERE].last, callback.sides[THERE].acked = Mark(8, 9 * SECOND), 1
    command.sides[HERE].last = Mark(9, 9 * SECOND)
    for name, value in fields.items():
        setattr(callback.sides[HERE], name, value)
    return made
