"""Tasks that end in ways of which there is no recording, each with the outcome that it has."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

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
    xml_answer,
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


def called(network: Network, messages: int, script: TaskScript = SCRIPT) -> Line:
    """A callback connection of the task with its first messages, within the second second."""
    callback = network.line(SCRIPT.peer_address, Address(SCRIPT.client, SCRIPT.callback_port))
    callback.open(seconds(1))
    for number, (side, body) in enumerate(list(dialog(script))[:messages]):
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


# --- process ids that are no numbers ----------------------------------------------------------------------------------

_ODD = b"9223372036854775808"


def _odd_process(network: Network, data: bytes, *, start: bool) -> Line:
    """A task that is under way with a process_id beyond 64 bits; the client says ``data``."""
    command = network.line(Address(SCRIPT.client, SCRIPT.command_port), Address(SCRIPT.remote, SCRIPT.remote_port))
    command.open(0)
    command.send(seconds(0.1), 0, start_command(SCRIPT))
    if not start:
        network.records.clear()  # the capture begins behind it
    command.send(seconds(0.2), 1, started_answer(SCRIPT).replace(b'process_id="1"', b'process_id="' + _ODD + b'"'))
    callback = called(network, 6)
    callback.send(seconds(3.5), 1, frame(6))
    command.send(seconds(4), 0, data)
    command.send(seconds(4.1), 1, b'<spooler><answer time="x"><ok/></answer></spooler>\0')
    later(network, 10)
    return command


def odd_process_killed(network: Network) -> None:
    _odd_process(network, b"<remote_scheduler.remote_task.kill process_id='" + _ODD + b"'/>", start=True)


def odd_process_without_its_start(network: Network) -> None:
    _odd_process(network, b"<remote_scheduler.remote_task.close process_id='" + _ODD + b"' kill='1'/>", start=False)


def odd_processes(network: Network) -> None:
    """Two on one connection: which of them was killed is not known."""
    command = _odd_process(network, b"<show_state/>", start=True)
    command.send(seconds(5), 0, start_command(replace(SCRIPT, callback_port=59_998)))
    command.send(seconds(5.1), 1, started_answer(SCRIPT).replace(b'process_id="1"', b'process_id="-' + _ODD * 2 + b'"'))
    command.send(seconds(6), 0, b"<remote_scheduler.remote_task.kill process_id='" + _ODD + b"'/>")
    command.send(seconds(6.1), 1, b'<spooler><answer time="x"><ok/></answer></spooler>\0')


# --- the release and the result --------------------------------------------------------------------------------------

_RELEASE, _RELEASED = frame(10), frame(15)


def result_not_captured(network: Network) -> None:
    behind(network, b"<process.result")


def release_before_the_capture(network: Network) -> None:
    behind(network, _RELEASE)


def release_not_captured(network: Network) -> None:
    without(network, _RELEASE)


def last_words_not_captured(network: Network) -> None:
    without(network, b"<process.result")
    network.records = [one for one in network.records if _RELEASE not in one.data and _RELEASED not in one.data[54:]]


def failed_without_last_words(network: Network) -> None:
    """The result, but no word behind it."""
    network.play(replace(SCRIPT, exit_code=5))
    network.records = [one for one in network.ordered() if _RELEASE not in one.data and _RELEASED not in one.data[54:]]


def failed_and_closed_in_order(network: Network) -> None:
    """The capture begins behind the callback's first packets; the task process closes with nothing open."""
    started(network)
    early = len(network.records)
    callback = called(network, 9, replace(SCRIPT, exit_code=5))
    callback.send(seconds(3), 0, encode_frame(list(dialog(replace(SCRIPT, exit_code=5)))[9][1]))
    del network.records[early : early + 3]
    callback.finish(seconds(4), 0)


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


def heard_after_a_silence(network: Network) -> None:
    """Nothing came on the connection for longer than ever before."""
    started(network)
    callback = called(network, 6)
    unheard(callback, 1, frame(6), (2, 2.3, 2.9, 4.1))
    callback.packet(seconds(6), 0, ACK)
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


def closed_twice(network: Network) -> None:
    """And killed behind that, both out of turn; then another task is started on the same connection."""
    command = started(network)
    for number, (side, text) in enumerate(((0, close_command(SCRIPT)), (1, xml_answer("<ok/>"))) * 2):
        command.send(seconds(5 + number), side, text)
    command.send(seconds(9), 0, KILL)
    command.send(seconds(10), 0, start_command(SCRIPT))
    command.send(seconds(11), 1, started_answer(SCRIPT))
    later(network, 12)


def closed_and_started(network: Network) -> None:
    """The capture begins with a close; the start behind it is that of another task."""
    callback = called(network, 7)
    callback.reset(seconds(4), 1)
    command = network.line(Address(SCRIPT.client, SCRIPT.command_port), Address(SCRIPT.remote, SCRIPT.remote_port))
    command.send(seconds(5), 0, close_command(SCRIPT))
    command.send(seconds(6), 1, xml_answer("<ok/>"))
    command.send(seconds(7), 0, start_command(SCRIPT))
    later(network, 8)


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
    """Somebody looks whether the port is open, and the remote ends it."""
    command = network.line(Address(SCRIPT.client, 40_000), Address(SCRIPT.remote, 4_455))
    command.open(0)
    command.packet(seconds(1), 1, FIN | ACK)


# --- who is not heard ------------------------------------------------------------------------------------------------


def start_not_heard(network: Network) -> None:
    command = network.line(Address(SCRIPT.client, 40_000), Address(SCRIPT.remote, 4_455))
    command.open(0)
    unheard(command, 0, start_command(SCRIPT), (0.01, 0.3, 0.9, 2.1))
    later(network, 20)


def start_not_heard_twice(network: Network) -> None:
    command = network.line(Address(SCRIPT.client, 40_000), Address(SCRIPT.remote, 4_455))
    command.open(0)
    unheard(command, 0, start_command(SCRIPT), (0.01, 0.3, 0.9))
    later(network, 20)


def _unreachable(network: Network, code: int) -> None:
    """Data without an acknowledgement, twice, and what a router says."""
    started(network)
    unheard(called(network, 6), 1, frame(6), (2, 2.3))
    quoted = network.records[-1].data[14:42]
    body = struct.pack(">BBHI", 3, code, 0, 0) + quoted
    head = struct.pack(">BBHHHBBH4s", 0x45, 0, 20 + len(body), 0, 0, 64, 1, 0, bytes((10, 1, 0, 1)))
    network.records.append(Record(seconds(2.31), network.records[-1].data[:14] + head + quoted[12:16] + body))
    later(network, 20)


def a_router_says_unreachable(network: Network) -> None:
    _unreachable(network, 1)


def a_router_says_too_large(network: Network) -> None:
    _unreachable(network, 4)


def kill_not_heard(network: Network) -> None:
    """The client ends both connections long after: nobody has heard that it wants the task killed."""
    command = started(network)
    callback = called(network, 7)
    unheard(command, 0, KILL, (10, 10.3, 10.9, 12.1))
    callback.reset(seconds(60), 1)
    command.packet(seconds(60), 0, FIN | ACK)
    later(network, 80)


def early_kill_not_heard(network: Network) -> None:
    unheard(started(network), 0, KILL, (10, 10.3, 10.9, 12.1))
    later(network, 30)


def finished_though_killed(network: Network) -> None:
    """The kill was not heard, the task came to its end by itself."""
    command = started(network)
    callback = called(network, 9)
    unheard(command, 0, KILL, (10, 10.3, 10.9, 12.1))
    for number, (side, body) in enumerate(list(dialog(SCRIPT))[9:]):
        callback.send(seconds(20) + number * 1_000 * MICROSECOND, side, encode_frame(body))
    callback.reset(seconds(21), 1)
    later(network, 30)


def answer_not_captured(network: Network) -> None:
    """The client waits its time; the remote may have refused the start as well."""
    started(network).finish(seconds(60), 0)
    network.records = [record for record in network.records if b"<process " not in record.data]


def _half_open(line: Line, synchronised: tuple[float, ...], answered: tuple[float, ...]) -> None:
    for at in synchronised:
        line.next[0] = 1_000
        line.packet(seconds(at), 0, SYN)
    line.next[1] = 9_000
    for at in answered:
        line.packet(seconds(at), 1, SYN | ACK)
        line.next[1] = 9_000


def command_half_open(network: Network) -> None:
    """Every SYN is answered, and no answer arrives."""
    line = network.line(Address(SCRIPT.client, 40_000), Address(SCRIPT.remote, 4_455))
    _half_open(line, (0, 1, 3), (0.01, 1.01, 3.01))
    later(network, 20)


def answer_repeated(network: Network) -> None:
    """At the remote's side: one SYN, and its answer again and again."""
    line = network.line(Address(SCRIPT.client, 40_000), Address(SCRIPT.remote, 4_455))
    _half_open(line, (0,), (0.01, 1.01, 3.01))
    later(network, 20)


def callback_half_open(network: Network) -> None:
    started(network)
    line = network.line(SCRIPT.peer_address, Address(SCRIPT.client, SCRIPT.callback_port))
    _half_open(line, (1, 2, 4), (1.01, 2.01, 4.01))
    later(network, 20)


def opened_at_last(network: Network) -> None:
    started(network)
    line = network.line(SCRIPT.peer_address, Address(SCRIPT.client, SCRIPT.callback_port))
    _half_open(line, (1, 2), (1.01, 2.01))
    line.next[1] += 1
    line.packet(seconds(2.02), 0, ACK)
    later(network, 20)


def silent_stranger(network: Network, at: float = 1) -> None:
    """It may be the task process, on a remote with several addresses."""
    started(network)
    network.line(Address("10.7.0.1", 50_001), Address(SCRIPT.client, SCRIPT.callback_port)).open(seconds(at))
    later(network, 20)


def stranger_leaves(network: Network) -> None:
    started(network)
    stranger = network.line(Address("10.7.0.1", 50_001), Address(SCRIPT.client, SCRIPT.callback_port))
    stranger.open(seconds(1))
    stranger.finish(seconds(1.2), 0)


def silent_stranger_found_out(network: Network) -> None:
    """The task process finds the port closed."""
    silent_stranger(network)
    line = network.line(SCRIPT.peer_address, Address(SCRIPT.client, SCRIPT.callback_port))
    line.packet(seconds(2), 0, SYN)
    line.reset(seconds(2) + 10, 1)


def waits_for_the_port(network: Network) -> None:
    """Two refused tries and an open connection without a word: only the first try stood for so long that it counts."""
    for number in range(2):
        line = network.line(Address(SCRIPT.client, 41_000 + number), Address(SCRIPT.remote, 4_455))
        line.packet(seconds(number), 0, SYN)
        line.reset(seconds(number) + 10, 1)
    network.line(Address(SCRIPT.client, 41_002), Address(SCRIPT.remote, 4_455)).open(seconds(2.1))
    started(network, 2.5)


ENDINGS: dict[Callable[[Network], None], list[str]] = {
    closed_twice: ["killed", "running"],
    closed_and_started: ["lost", "running"],
    odd_process_killed: ["killed"],
    odd_process_without_its_start: ["killed"],
    odd_processes: ["running", "running"],
    result_not_captured: ["unknown"],
    release_before_the_capture: ["unknown"],
    release_not_captured: ["unknown"],
    last_words_not_captured: ["unknown"],
    failed_without_last_words: ["exit 5"],
    failed_and_closed_in_order: ["exit 5"],
    released_not_captured: ["unknown"],
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
    heard_after_a_silence: ["running"],
    answered_at_last: ["running"],
    killed_and_not_heard: ["lost"],
    killed_while_not_heard: ["killed"],
    accepted_without_a_word: ["running"],
    killed_and_closed: ["killed"],
    killed_and_open: ["killed"],
    close_not_heard: ["lost"],
    gone_without_an_end: ["lost"],
    announced_again: ["unknown", "running"],
    half_closed: [],
    start_not_heard: ["no_callback"],
    start_not_heard_twice: ["running"],
    a_router_says_unreachable: ["lost"],
    a_router_says_too_large: ["running"],
    kill_not_heard: ["lost"],
    early_kill_not_heard: ["no_callback"],
    finished_though_killed: ["success"],
    answer_not_captured: ["unknown"],
    command_half_open: ["unreachable"],
    answer_repeated: ["unreachable"],
    callback_half_open: ["no_callback"],
    opened_at_last: ["running"],
    silent_stranger: ["running"],
    stranger_leaves: ["no_callback"],
    silent_stranger_found_out: ["no_callback"],
    waits_for_the_port: ["unreachable", "running"],
}
