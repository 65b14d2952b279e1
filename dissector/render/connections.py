"""What the ladder of a task shows of its connections: how they opened, were refused, fell on deaf ears and ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dissector.model import Connection, Mark, Message, Outcome, Role, Task, address_text
from dissector.render.steps import LadderStep, Lane
from dissector.render.words import Said
from dissector.traffic import Side
from dissector.wire.control import CLOSE_TASK

#: Where arrows of the end that opened a connection begin and end.
LanePair = tuple[Lane, Lane]

#: A client that ends a task this long after its start without a callback gave up waiting (60 s, Z-REMOTE-118).
_GIVE_UP_SECONDS = 55


def connection_steps(
    task: Task, connections: Sequence[Connection], messages: Sequence[Message], verbose: bool
) -> Iterator[LadderStep]:
    """The connections' part of a task's ladder; ``messages`` are the task's, by their numbers."""
    yield from _unreached([one for one in connections if one.role is Role.HTTP and not one.established], verbose)
    for connection in connections:
        if connection.role is Role.COMMAND:
            yield from _command(connection, messages, verbose)
        elif connection.role is Role.CALLBACK:
            yield from _callback(task, connection, messages, verbose)
        elif connection.role is Role.HTTP:
            yield from _pooled(connection, verbose)
        else:
            yield from _stranger(connection)
        for error in connection.icmp:
            label = f"ICMP {error.reason} from {address_text(error.sender)}"
            yield LadderStep(error.time, (error.number,), label, style="error")
    if task.outcome is Outcome.NO_CALLBACK:
        yield from _gave_up(task, messages)


def is_open_at(connections: Sequence[Connection], time: int) -> bool:
    """True while a callback connection stands: the task process is there."""
    return any(
        connection.role is Role.CALLBACK and connection.established and connection.start <= time <= connection.end
        for connection in connections
    )


def _command(connection: Connection, messages: Sequence[Message], verbose: bool) -> Iterator[LadderStep]:
    lanes = (Lane.CLIENT, Lane.REMOTE)
    if not connection.established:
        yield from _unanswered(connection, lanes, verbose)
        return
    if verbose:
        yield _opened(connection, lanes, "command connection", "")
    commands = [message for message in messages if message.kind == "command"]
    closed = bool(commands) and commands[-1].operation == CLOSE_TASK and commands[-1].answered_by is not None
    yield from _sent_again(connection, lanes, verbose)
    if verbose or not closed:
        yield from _ended(connection, "command", ("client", "remote"), closed)


def _callback(task: Task, connection: Connection, messages: Sequence[Message], verbose: bool) -> Iterator[LadderStep]:
    lanes = (Lane.PROCESS, Lane.CLIENT)
    if not connection.established:
        yield from _unanswered(connection, lanes, verbose)
        return
    words = []
    if task.remote is not None and connection.client.ip != task.remote.ip:
        words.append(f"from {connection.client.ip}")
    if len(connection.syns) > 1:
        words.append(f"{len(connection.syns)} SYNs")
    if connection.mid_stream:
        words.append("begun before the capture")
    yield _opened(connection, lanes, "callback connection", ", ".join(words))
    yield from _sent_again(connection, lanes, verbose)
    released = any(one.operation == "release" and one.kind == "request" and one.to_remote for one in messages)
    yield from _ended(connection, "callback", ("task process", "client"), released)


def _unreached(tries: Sequence[Connection], verbose: bool) -> Iterator[LadderStep]:
    """A master's connections to an agent that is gone: all of them, or the first one and how many there were."""
    for connection in tries if verbose else tries[:1]:
        steps = _unanswered(connection, (Lane.CLIENT, Lane.REMOTE), verbose)
        for step in steps:
            again = f", {len(tries)} connections in all" if not verbose and len(tries) > 1 and step.said.text else ""
            yield step._replace(said=step.said._replace(text=step.said.text + again))


def _pooled(connection: Connection, verbose: bool) -> Iterator[LadderStep]:
    """One of a master's connections to an agent: other tasks use it as well, so its end says nothing of one."""
    lanes = (Lane.CLIENT, Lane.REMOTE)
    if verbose and connection.established:
        yield _opened(connection, lanes, "HTTP connection", "")
        yield from _sent_again(connection, lanes, verbose)
        yield from _ended(connection, "HTTP", ("master", "agent"), True)


def _stranger(connection: Connection) -> Iterator[LadderStep]:
    """Somebody else who came to the announced port."""
    label = f"{connection.client} connects to the announced port {connection.server.port}"
    yield LadderStep(connection.start, (connection.first_packet,), label, style="error")
    yield from _ended(connection, "its", ("stranger", "client"), False)


def _opened(connection: Connection, lanes: LanePair, label: str, said: str) -> LadderStep:
    first = connection.syns[0] if connection.syns else Mark(connection.first_packet, connection.start)
    return LadderStep(first.time, (first.number,), label, Said(said), *lanes, line="double", style="lane")


def _unanswered(connection: Connection, lanes: LanePair, verbose: bool) -> Iterator[LadderStep]:
    """SYNs that opened nothing, and the RST that refused them."""
    syns, refusal = connection.syns, connection.sides[Side.SERVER].rst
    label = f"SYN to port {connection.server.port}"
    verdict = "" if refusal is not None or connection.icmp else "no answer"
    if len(syns) > 1:
        times = f"{len(syns)} SYNs in {_span(syns)}"
        verdict = f"{times}, {verdict}" if verdict else times
    for number, mark in enumerate(syns):
        if number in (0, len(syns) - 1) or verbose:
            said = Said(verdict if number == 0 else "", failed=True)
            yield LadderStep(mark.time, (mark.number,), label, said, *lanes, line="dashed", style="error")
    if refusal is not None:
        said = Said("connection refused", failed=True)
        yield LadderStep(refusal.time, (refusal.number,), "RST", said, *lanes[::-1], style="error")


def _sent_again(connection: Connection, lanes: LanePair, verbose: bool) -> Iterator[LadderStep]:
    """Retransmissions: all of them, or those after which the other end said nothing any more."""
    for side in Side:
        marks = connection.sides[side].retransmitted
        heard = connection.sides[side.other].last
        if not verbose and heard is not None:
            marks = [mark for mark in marks if mark.time > heard.time]
        direction = lanes if side is Side.CLIENT else lanes[::-1]
        for number, mark in enumerate(marks):
            if number == 0 or verbose:
                said = ""
                if not verbose:
                    times = "once" if len(marks) == 1 else f"{len(marks)} times in {_span(marks)}"
                    said = f"{times}, no answer"
                what = Said(said, failed=True)
                yield LadderStep(
                    mark.time, (mark.number,), "retransmitted", what, *direction, line="dashed", style="warning"
                )


def _ended(connection: Connection, name: str, ends: tuple[str, str], orderly: bool) -> Iterator[LadderStep]:
    """How a connection ended: the flags of the end that closed first, and whether that is as it should be."""
    marks = sorted(
        (mark.time, mark.number, flag, side)
        for side in Side
        for flag, mark in (("FIN", connection.sides[side].fin), ("RST", connection.sides[side].rst))
        if mark is not None
    )
    if not marks:
        return
    time, number, _, closer = marks[0]
    flags = ", ".join(flag for _, _, flag, side in marks if side is closer)
    if orderly:
        yield LadderStep(time, (number,), f"{name} connection closed ({flags}: normal)", style="dim")
    else:
        yield LadderStep(
            time, (number,), f"{name} connection ended: {flags} from the {ends[closer]}'s side", style="error"
        )


def _gave_up(task: Task, messages: Sequence[Message]) -> Iterator[LadderStep]:
    """The line where the client stopped waiting: just before the command that ends the task, or its FIN."""
    commands = [message for message in messages if message.kind == "command"]
    if not commands or task.command is None:
        return
    fin = task.command.sides[Side.CLIENT].fin
    time = commands[1].time if len(commands) > 1 else fin.time if fin is not None else 0
    if time - commands[0].time >= _GIVE_UP_SECONDS * 10**9:
        waited = (time - commands[0].time) / 1e9
        yield LadderStep(time, (), f"no callback for {waited:.1f} s: the client gives up (Z-REMOTE-118)", style="error")


def _span(marks: Sequence[Mark]) -> str:
    return f"{(marks[-1].time - marks[0].time) / 1e9:.3g} s"
