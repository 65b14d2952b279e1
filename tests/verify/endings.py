"""Tasks that end in ways of which there is no recording, each with the outcome that it has."""

from __future__ import annotations

from collections.abc import Callable

from conversation import (
    ACK,
    FIN,
    MICROSECOND,
    PSH,
    SECOND,
    SYN,
    Address,
    Line,
    Network,
    Record,
    TaskScript,
    close_command,
    dialog,
    start_command,
    started_answer,
)

from dissector.wire.decode import encode_frame

#: Without a SYN the lower port is taken for the one that listens.
SCRIPT = TaskScript(peer_port=60_001)
CLIENT, REMOTE = 0, 1
KILL = close_command(SCRIPT).replace(b"/>", b" kill='yes'/>")
#: Somebody else's connection; its packets move the clock of the capture.
PASSERS_BY = Address("10.9.0.1", 30_000), Address("10.9.0.2", 80)


def seconds(count: float) -> int:
    return round(count * SECOND)


def started(network: Network, at: float = 0.0, script: TaskScript = SCRIPT) -> Line:
    """The command connection of a task whose start was answered."""
    command = network.line(Address(script.client, script.command_port), Address(script.remote, script.remote_port))
    command.open(seconds(at))
    command.send(seconds(at) + 100 * MICROSECOND, 0, start_command(script))
    command.send(seconds(at) + 300 * MICROSECOND, 1, started_answer(script))
    return command


def called(network: Network, messages: int) -> Line:
    """A callback connection of the task with its first messages, within the second second."""
    callback = network.line(SCRIPT.peer_address, Address(SCRIPT.client, SCRIPT.callback_port))
    callback.open(seconds(1))
    for number, (side, body) in enumerate(list(dialog(SCRIPT))[:messages]):
        callback.send(seconds(1) + (number + 1) * 1_000 * MICROSECOND, side, encode_frame(body))
    return callback


def later(network: Network, at: float) -> None:
    """Something else is captured at that time."""
    network.line(*PASSERS_BY).packet(seconds(at), 0, SYN)


def unheard(line: Line, side: int, data: bytes, times: tuple[float, ...]) -> None:
    """``data`` without an acknowledgement, at each of these times."""
    for time in times:
        line.packet(seconds(time), side, PSH | ACK, data)
        line.next[side] -= len(data)
    line.next[side] += len(data)


def frame(number: int) -> bytes:
    return encode_frame(list(dialog(SCRIPT))[number][1])


def whole(network: Network) -> list[Record]:
    """All packets of a task that ended as it should."""
    network.play(SCRIPT)
    return network.ordered()


def without(network: Network, data: bytes) -> None:
    """The packet with these bytes was not captured."""
    network.records = [record for record in whole(network) if data not in record.data]


def behind(network: Network, data: bytes) -> None:
    """The capture begins with the packet behind the one with these bytes."""
    records = whole(network)
    network.records = records[next(n for n, record in enumerate(records) if data in record.data) + 1 :]


# --- the release and the result --------------------------------------------------------------------------------------

_RELEASE, _RELEASED = frame(10), frame(15)


def result_not_captured(network: Network) -> None:
    behind(network, b"<process.result")


def release_before_the_capture(network: Network) -> None:
    behind(network, _RELEASE)


def release_not_captured(network: Network) -> None:
    without(network, _RELEASE)


def released_not_captured(network: Network) -> None:
    without(network, b"\0\0\0\1A")


# --- nobody called back ----------------------------------------------------------------------------------------------


def killed_before_the_callback(network: Network) -> None:
    command = started(network)
    command.send(seconds(20), 0, KILL)
    command.finish(seconds(21), 0)


def nothing_more(network: Network) -> None:
    started(network)
    later(network, 80)


def nothing_more_yet(network: Network) -> None:
    started(network)
    later(network, 70)


def closed_late(network: Network) -> None:
    command = started(network)
    command.send(seconds(200), 0, close_command(SCRIPT))
    command.finish(seconds(201), 0)


def only_the_client(network: Network) -> None:
    started(network).finish(seconds(20), 0)
    network.records = [record for record in network.records if record.data[26:30] == bytes((10, 1, 0, 10))]


def only_the_remote(network: Network) -> None:
    started(network)
    network.records = [record for record in network.records if record.data[26:30] == bytes((10, 2, 0, 10))]


def somebody_else(network: Network) -> None:
    started(network)
    stranger = network.line(Address("10.7.0.1", 50_001), Address(SCRIPT.client, SCRIPT.callback_port))
    stranger.open(seconds(1))
    stranger.send(seconds(1.1), 0, b"GET / HTTP/1.1\r\n\r\n")
    stranger.finish(seconds(1.2), 0)


# --- the callback under way ------------------------------------------------------------------------------------------


def sent_twice(network: Network) -> None:
    started(network)
    unheard(called(network, 6), 1, frame(6), (2, 2.3))
    later(network, 20)


def sent_again_for_long(network: Network) -> None:
    started(network)
    unheard(called(network, 6), 1, frame(6), (2, 2.3, 2.9, 4.1))
    later(network, 20)


def sent_again_just_now(network: Network) -> None:
    started(network)
    unheard(called(network, 6), 1, frame(6), (2, 2.3, 2.9, 3.5))


def heard_at_last(network: Network) -> None:
    started(network)
    callback = called(network, 6)
    unheard(callback, 1, frame(6), (2, 2.3, 2.9, 4.1))
    callback.packet(seconds(4.2), 0, ACK)
    later(network, 20)


def answered_at_last(network: Network) -> None:
    started(network)
    callback = called(network, 6)
    unheard(callback, 1, frame(6), (2, 2.3, 2.9, 4.1))
    callback.send(seconds(4.2), 0, frame(7))
    later(network, 20)


def killed_and_not_heard(network: Network) -> None:
    """The reset comes from somebody to whom nothing gets through any more."""
    command = started(network)
    callback = called(network, 6)
    unheard(callback, 1, frame(6), (2, 2.3, 2.9, 4.1))
    command.send(seconds(5), 0, KILL)
    command.reset(seconds(6), 1)
    callback.reset(seconds(8), 1)
    later(network, 20)


def killed_while_not_heard(network: Network) -> None:
    """It was over before anybody could know whether something gets through; what comes long after is no matter."""
    command = started(network)
    callback = called(network, 6)
    unheard(callback, 1, frame(6), (2, 2.2, 2.4, 2.6))
    command.send(seconds(2.3), 0, KILL)
    command.reset(seconds(2.65), 1)
    callback.reset(seconds(2.7), 1)
    later(network, 3.8)
    later(network, 20)


def accepted_without_a_word(network: Network) -> None:
    started(network)
    called(network, 0)
    later(network, 10)


def killed_and_closed(network: Network) -> None:
    command = started(network)
    callback = called(network, 7)
    command.send(seconds(5), 0, KILL)
    command.finish(seconds(6), 0)
    callback.reset(seconds(5.1), 0)


def killed_and_open(network: Network) -> None:
    command = started(network)
    called(network, 7)
    command.send(seconds(5), 0, KILL)


def close_not_heard(network: Network) -> None:
    command = started(network)
    called(network, 7)
    unheard(command, 0, close_command(SCRIPT), (40, 40.3, 40.9, 42.1))
    later(network, 60)


def gone_without_an_end(network: Network) -> None:
    """The remote says that the process is gone, but the callback connection shows no end."""
    command = started(network)
    called(network, 7)
    command.send(seconds(10), 0, close_command(SCRIPT))
    command.send(seconds(10.1), 1, b"<?xml version='1.0'?><spooler><answer><ok/></answer></spooler>\0")
    later(network, 20)


def announced_again(network: Network) -> None:
    """The end of the first task was not captured."""
    started(network)
    called(network, 7)
    started(network, 500, TaskScript(command_port=40_001))
    later(network, 560)


def half_closed(network: Network) -> None:
    """The remote ends the command connection, the client says nothing more in the capture."""
    command = network.line(Address(SCRIPT.client, 40_000), Address(SCRIPT.remote, 4_455))
    command.open(0)
    command.packet(seconds(1), 1, FIN | ACK)


def waits_for_the_port(network: Network) -> None:
    """Two refused tries and an open connection without a word: only the first try stood for so long that it counts."""
    for number in range(2):
        line = network.line(Address(SCRIPT.client, 41_000 + number), Address(SCRIPT.remote, 4_455))
        line.packet(seconds(number), 0, SYN)
        line.reset(seconds(number) + 10, 1)
    network.line(Address(SCRIPT.client, 41_002), Address(SCRIPT.remote, 4_455)).open(seconds(2))
    started(network, 2.5)


ENDINGS: dict[Callable[[Network], None], list[str]] = {
    result_not_captured: ["unknown"],
    release_before_the_capture: ["unknown"],
    release_not_captured: ["unknown"],
    released_not_captured: ["success"],
    killed_before_the_callback: ["killed"],
    nothing_more: ["unknown"],
    nothing_more_yet: ["running"],
    closed_late: ["unknown"],
    only_the_client: ["unknown"],
    only_the_remote: ["unknown"],
    somebody_else: ["no_callback"],
    sent_twice: ["running"],
    sent_again_for_long: ["lost"],
    sent_again_just_now: ["running"],
    heard_at_last: ["running"],
    answered_at_last: ["running"],
    killed_and_not_heard: ["lost"],
    killed_while_not_heard: ["killed"],
    accepted_without_a_word: ["running"],
    killed_and_closed: ["killed"],
    killed_and_open: ["killed"],
    close_not_heard: ["lost"],
    gone_without_an_end: ["lost"],
    announced_again: ["unknown", "running"],
    half_closed: ["refused"],
    waits_for_the_port: ["unreachable", "running"],
}
