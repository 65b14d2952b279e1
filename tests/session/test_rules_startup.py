"""What kept a task from starting, with the packets as proof: one story for each way to fail."""

from __future__ import annotations

import pytest
from kit import (
    ACK,
    CLIENT,
    CREATED,
    FIN,
    PSH,
    REMOTE,
    RST,
    SYN,
    Address,
    Found,
    Line,
    Network,
    Story,
    icmp_error,
    is_reset,
    nanoseconds,
    number_of,
    start_command,
    started_answer,
    syns_of,
    the,
    with_ttl,
    xml_answer,
)

from dissector.model import Problem, Severity

ERROR, INFO = Severity.ERROR, Severity.INFO
STRANGER = Address("10.9.9.9", 40_404)


def knock(story: Story, *times: float, line: Line | None = None) -> Story:
    """SYNs of one connection that is not answered."""
    line = line or story.callback
    for time in times:
        line.next[0] = 5_000
        line.packet(nanoseconds(time), 0, SYN)
    return story


def refuse(story: Story, time: float, ttl: int = 64) -> Story:
    """A reset in answer to the callback's SYN."""
    story.callback.packet(nanoseconds(time), 1, RST | ACK)
    story.records[-1] = with_ttl(story.records[-1], ttl)
    return story


def intruder(story: Story, time: float) -> Line:
    """Somebody else connects to the announced port; the client takes him for the task process and begins."""
    line = story.network.line(STRANGER, Address(CLIENT, 59_999))
    line.open(nanoseconds(time))
    own, story.callback = story.callback, line
    story.say(time + 0.001, last=1)
    story.callback = own
    return line


# --- the command connection ----------------------------------------------------------------------------------------


def test_command_unanswered() -> None:
    story = Story()
    for second in (0, 1, 3):
        story.command.next[0] = 1_000
        story.command.packet(nanoseconds(second), 0, SYN)
    problem = the("command_unanswered", ERROR, story.later(10).found())
    assert problem.packets == (1, 2, 3)
    assert "3 SYNs to 10.2.0.10:4455 in 3 s" in problem.summary


def test_command_refused_by_the_host() -> None:
    story = Story()
    story.command.packet(0, 0, SYN)
    story.command.packet(1_000, 1, RST | ACK)
    problem = the("command_refused", ERROR, story.found())
    assert problem.packets == (1, 2)
    assert "(RST)" in problem.summary


def test_command_refused_by_a_router() -> None:
    story = Story()
    story.command.packet(0, 0, SYN)
    story.records.append(icmp_error(1_000, story.records[0], "10.2.0.1", 13))
    problem = the("command_refused", ERROR, story.found())
    assert problem.packets == (1, 2)
    assert "10.2.0.1" in problem.summary


def test_command_rejected() -> None:
    story = Story().start(answer=b"")
    story.command.finish(nanoseconds(0.1), 1)
    found = story.found()
    problem = the("command_rejected", ERROR, found)
    assert problem.packets == (6,)
    assert CLIENT in problem.cause
    assert CLIENT in problem.remedy
    assert found.alarms == ["command_rejected"]


def test_start_error() -> None:
    story = Story().start(answer=xml_answer('<ERROR code="SCHEDULER-717" text="SCHEDULER-717 No licence"/>'))
    story.command.finish(nanoseconds(0.1), 0)
    found = story.found()
    problem = the("start_error", ERROR, found)
    assert (problem.packets, found.alarms) == ((6,), ["start_error"])
    assert problem.summary.count("SCHEDULER-717") == 1


# --- no callback ---------------------------------------------------------------------------------------------------


def test_callback_missing() -> None:
    found = Story().start().close(60.0).found()
    assert the("callback_missing", ERROR, found).packets == (4,)
    assert found.alarms == ["callback_missing"]


def test_a_start_that_was_never_answered() -> None:
    """The system acknowledged it, the remote scheduler did not answer: it is busy or stopped."""
    story = Story().start(answer=b"")
    story.command.packet(nanoseconds(60.0), 0, FIN | ACK)
    found = story.found()
    problem = the("callback_missing", ERROR, found)
    assert (problem.packets, found.alarms) == ((4,), ["callback_missing"])
    assert "not answered" in problem.summary
    assert "busy, stopped or hangs" in problem.cause


def test_the_client_left_before_the_callback() -> None:
    """Long before its 60 s are over: what the callback met then only follows."""
    story = Story().start()
    story.command.finish(nanoseconds(5.0), 0)
    found = refuse(knock(story, 6.0), 6.001).found()
    problem = the("command_lost_first", ERROR, found)
    assert "before the callback came" in problem.summary
    assert list(problem.packets) == number_of(story, lambda record: bool(record.data[47] & FIN))[:1]
    assert found.problem("callback_refused").severity is INFO
    assert (found.outcome.value, found.alarms) == ("no_callback", ["command_lost_first"])


@pytest.mark.parametrize(("side", "whose"), [(0, "the client"), (1, "the remote")])
def test_who_left_before_the_callback(side: int, whose: str) -> None:
    """An end that the other one does not answer counts too: a stopped process sends none."""
    story = Story().start()
    story.command.packet(nanoseconds(5.0), side, FIN | ACK)
    found = story.later(200.0).found()
    assert found.alarms == ["command_lost_first"]
    host = REMOTE if side else CLIENT
    assert found.problem("command_lost_first").cause.startswith(f"{whose} scheduler ended")
    assert host in found.problem("command_lost_first").remedy


def test_the_client_left_and_no_callback_was_seen() -> None:
    story = Story().start()
    story.command.reset(nanoseconds(5.0), 0)
    found = story.later(200.0).found()
    assert (found.outcome.value, found.alarms) == ("no_callback", ["command_lost_first"])
    assert found.problem("callback_missing").severity is INFO


def test_a_client_that_gives_up_after_its_time_did_not_leave() -> None:
    story = Story().start()
    story.command.finish(nanoseconds(56.0), 0)
    assert story.later(250.0).found().alarms == ["callback_missing"]


# --- a callback that did not get through ---------------------------------------------------------------------------


def test_callback_dropped() -> None:
    story = Story().start()
    for second in (0.01, 1, 3, 7):
        story.callback.next[0] = 5_000
        story.callback.packet(nanoseconds(second), 0, SYN)
    found = story.close(60.0).found()
    problem = the("callback_dropped", ERROR, found)
    assert list(problem.packets) == syns_of(story, 59_999)
    assert len(problem.packets) == 4
    assert f"{CLIENT}:59999" in problem.cause
    assert found.alarms == ["callback_dropped"]


def test_callback_refused() -> None:
    story = Story().start()
    story.callback.packet(nanoseconds(0.01), 0, SYN)
    story.callback.packet(nanoseconds(0.011), 1, RST | ACK)
    found = story.close(60.0).found()
    problem = the("callback_refused", ERROR, found)
    assert list(problem.packets) == syns_of(story, 59_999) + number_of(story, is_reset)
    assert found.alarms == ["callback_refused"]


@pytest.mark.parametrize(
    ("ttl", "words"),
    [(63, "a device in between sent the reset (TTL 63"), (64, "client still waited: its own packet filter rejects")],
)
def test_who_refused_the_callback(ttl: int, words: str) -> None:
    found = refuse(knock(Story().start(), 0.01), 0.011, ttl).close(60.0).found()
    problem = the("callback_refused", ERROR, found)
    assert words in problem.cause
    assert ("own packet filter" in problem.remedy) == (ttl == 64)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(3, "port unreachable"), (13, "administratively prohibited"), (1, "host unreachable"), (10, "host administrativ")],
)
def test_a_router_refuses_the_callback(code: int, reason: str) -> None:
    """The kernel tries once more after a second, and is told again."""
    story = Story().start()
    for time in (0.01, 1.01):
        knock(story, time)
        story.records.append(icmp_error(nanoseconds(time + 0.001), story.records[-1], "10.2.0.1", code))
    problem = the("callback_refused", ERROR, story.close(60.0).found())
    assert f"by 10.2.0.1 (ICMP: {reason}" in problem.summary
    syns = syns_of(story, 59_999)
    assert list(problem.packets) == sorted([*syns, *(number + 1 for number in syns)])


@pytest.mark.parametrize("target", [Address(CLIENT, 59_998), Address("10.2.0.1", 59_999)])
def test_callback_elsewhere(target: Address) -> None:
    """A translation shifts the port; several interfaces or a translation change the address."""
    story = Story().start()
    line = story.network.line(Address(REMOTE, 50_000), target)
    knock(story, 0.01, line=line)
    line.packet(nanoseconds(0.011), 1, RST | ACK)
    found = story.close(60.0).found()
    problem = the("callback_elsewhere", ERROR, found)
    assert f"Port 59999 of {CLIENT} was announced, but {target.ip}:{target.port} was called." == problem.summary
    assert (len(problem.packets), found.alarms) == (2, ["callback_elsewhere"])


# --- somebody else takes the port ----------------------------------------------------------------------------------


@pytest.mark.parametrize("leaves", [True, False], ids=["leaves", "stays"])
def test_an_intruder_without_a_word(leaves: bool) -> None:
    """The client listens for one connection only: the task process finds the port closed."""
    story = Story().start()
    line = intruder(story, 0.05)
    if leaves:
        line.finish(nanoseconds(0.06), 0)
    found = refuse(knock(story, 0.5), 0.501).later(100.0).found()
    problem = the("callback_foreign_bytes", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("no_callback", ["callback_foreign_bytes"])
    assert problem.summary == "10.9.9.9:40404 took the announced port 59999 and never sent a byte."
    assert list(problem.packets) == syns_of(story, 59_999)[:1]
    assert found.task.callback_peer is None


def test_an_intruder_with_bytes_of_his_own() -> None:
    story = Story().start()
    line = intruder(story, 0.05)
    line.send(nanoseconds(0.06), 0, b"GET / HTTP/1.0\r\n\r\n")
    line.reset(nanoseconds(0.07), 1)
    found = refuse(knock(story, 0.5), 0.501).close(1.0).found()
    problem = the("callback_foreign_bytes", ERROR, found)
    assert found.alarms == ["callback_foreign_bytes"]
    assert "sent bytes that are no answer" in problem.summary
    assert list(problem.packets) == number_of(story, lambda record: b"HTTP/1.0" in record.data)


def test_a_silent_process_at_another_address_of_the_remote_is_no_intruder_once_it_answered() -> None:
    found = Story(peer="10.9.9.9").start().call_back().say(0.02, last=CREATED).later(5.0).found()
    assert (found.outcome.value, found.alarms) == ("running", [])


def test_a_silent_process_of_the_remote_is_no_intruder() -> None:
    found = Story().start().call_back().say(0.02, last=1).later(5.0).found()
    assert (found.outcome.value, found.alarms) == ("running", [])


# --- late ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "refused", "closed", "code"),
    [
        (54.0, 54.1, 60.0, "callback_refused"),  # nobody had given up
        (60.5, 60.6, 60.0, "callback_late"),
        (1.0, 61.0, 60.0, "callback_late"),  # its SYNs got through only then
        (0.5, 2.0, 1.0, "callback_refused"),  # closed early: somebody else took the port
    ],
)
def test_callback_late(first: float, refused: float, closed: float, code: str) -> None:
    story = Story().start()
    for second in (first, (first + refused) / 2):
        story.callback.next[0] = 5_000
        story.callback.packet(nanoseconds(second), 0, SYN)
    story.callback.packet(nanoseconds(refused), 1, RST | ACK)
    found = story.close(closed).found()
    assert found.alarms == [code]
    the(code, ERROR, found)


def test_late_because_its_syns_were_not_answered() -> None:
    story = knock(Story().start(), 0.01, 1.01, 3.01, 33.0, 61.0)
    problem = the("callback_late", ERROR, refuse(story, 61.001).close(60.0).found())
    assert "61 s after the start" in problem.summary
    assert "4 earlier SYNs in 61 s were not answered" in problem.cause


def test_late_because_the_start_was_answered_late() -> None:
    story = Story().start(answer=b"")
    story.command.send(nanoseconds(62.0), 1, started_answer(story.script))
    found = refuse(knock(story, 62.1), 62.101).found()
    assert "took that long to answer the start" in the("callback_late", ERROR, found).cause


def test_late_because_the_process_was_slow() -> None:
    problem = the("callback_late", ERROR, refuse(knock(Story().start(), 62.0), 62.001).close(60.0).found())
    assert "longer than 60 s to start" in problem.cause


def finish(story: Story, at: float) -> Story:
    """A dialog that begins and ends well."""
    return story.say(at).leave(at + 0.1).close(at + 0.2)


@pytest.mark.parametrize(("seconds", "told"), [(4.9, False), (5.1, True)])
def test_slow_start_of_the_process(seconds: float, told: bool) -> None:
    story = finish(Story().start().call_back(seconds), seconds + 0.01)
    found = story.found()
    assert (found.outcome.value, found.alarms) == ("success", [])
    assert ("slow_start" in found.codes) is told
    if told:
        problem = the("slow_start", INFO, found)
        assert problem.summary == "The callback came 5.1 s after the start."
        assert "the task process took that long" in problem.cause
        first = syns_of(story, 59_999)[0]
        assert problem.packets == (first, first + 1)


def test_slow_start_because_the_remote_answered_late() -> None:
    story = Story().start(answer=b"")
    story.command.send(nanoseconds(8.0), 1, started_answer(story.script))
    found = finish(story.call_back(8.5), 8.6).found()
    assert "answered the start only after 8.0 s" in the("slow_start", INFO, found).cause


def test_slow_start_because_syns_were_lost() -> None:
    story = knock(Story().start(), 0.01, 1.01, 3.01)
    story.callback.next[0] = 5_000
    found = finish(story.call_back(7.01), 7.1).found()
    problem = the("slow_start", INFO, found)
    assert problem.summary == "The callback came 7.0 s after the start."
    assert "4 SYNs in 7 s: the first ones were lost or dropped" in problem.cause


# --- what was not acknowledged, and what never arrived -------------------------------------------------------------


def unheard_start(story: Story, *times: float) -> Story:
    """The start command at each of these times, without an acknowledgement."""
    story.command.open(0)
    seq = story.command.next[0]
    for time in times:
        story.command.next[0] = seq
        story.command.packet(nanoseconds(time), 0, PSH | ACK, start_command(story.script))
    return story


@pytest.mark.parametrize("ends", [True, False])
def test_a_start_that_is_never_acknowledged(ends: bool) -> None:
    story = unheard_start(Story(), 0.1, 0.3, 0.9, 2.1, 4.5)
    if ends:
        story.command.packet(nanoseconds(60.0), 0, FIN | ACK)
    found = story.later(30.0 if not ends else 61.0).found()
    problem = the("callback_missing", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("no_callback", ["callback_missing"])
    assert "The start command was never acknowledged (4 retransmissions in 4 s)" in problem.summary
    assert "its system acknowledged" not in problem.cause
    assert problem.packets == (4, 5, 6, 7, 8)
    assert f"from {CLIENT} to {REMOTE}:4455" in problem.remedy


def test_a_router_says_why_the_start_is_not_acknowledged() -> None:
    """Its word and one retransmission are enough."""
    story = unheard_start(Story(), 0.1, 0.3)
    story.records.append(icmp_error(nanoseconds(0.31), story.records[-1], "10.1.0.1", 1))
    found = story.later(30.0).found()
    problem = the("callback_missing", ERROR, found)
    assert found.outcome.value == "no_callback"
    assert problem.cause.endswith("10.1.0.1 says: host unreachable")
    assert problem.packets == (4, 5, 6)


def test_the_client_leaves_before_the_start_is_answered() -> None:
    story = Story().start(answer=b"")
    story.command.packet(nanoseconds(5.0), 0, FIN | ACK)
    found = story.later(200.0).found()
    assert found.alarms == ["command_lost_first"]
    assert "The command connection was closed by the client before the callback came." in [
        problem.summary for problem in found.problems
    ]


def half_open(line: Line, *times: float, answers: int = 1) -> None:
    """SYNs, each of them answered so often; nothing arrives."""
    isn = line.next[1]
    for time in times:
        line.next[0] = 5_000
        line.packet(nanoseconds(time), 0, SYN)
        for again in range(answers):
            line.next[1] = isn
            line.packet(nanoseconds(time + 0.001 + again), 1, SYN | ACK)


@pytest.mark.parametrize(("times", "answers"), [((0.01, 1.01, 3.01), 1), ((0.01,), 3)])
def test_the_syn_ack_of_the_callback_never_arrives(times: tuple[float, ...], answers: int) -> None:
    """Seen at the client: SYNs again and again; seen at the remote's side of the break: SYN+ACKs."""
    story = Story().start()
    half_open(story.callback, *times, answers=answers)
    found = story.later(20.0).found()
    problem = the("syn_ack_lost", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("no_callback", ["syn_ack_lost"])
    assert f"The SYN+ACK of {CLIENT}:59999 never arrives at {REMOTE}" in problem.summary
    assert len(problem.packets) == len(times) * (1 + answers)
    assert found.task.callback_peer is None


def test_the_syn_ack_of_the_remote_never_arrives() -> None:
    story = Story()
    half_open(story.command, 0.0, 1.0, 3.0)
    found = story.later(20.0).found()
    problem = the("syn_ack_lost", ERROR, found)
    assert (found.outcome.value, found.alarms) == ("unreachable", ["syn_ack_lost"])
    assert f"The SYN+ACK of {REMOTE}:4455 never arrives at {CLIENT}" in problem.summary
    assert problem.summary.endswith("the command connection is not opened.")


def test_a_syn_ack_that_arrives_at_last() -> None:
    story = Story().start()
    half_open(story.callback, 0.01, 1.01)
    story.callback.packet(nanoseconds(1.02), 0, ACK)
    found = finish(story, 1.1).found()
    assert (found.outcome.value, found.alarms) == ("success", [])


def test_a_handshake_without_its_last_packet() -> None:
    """It may be missing in the capture only: nobody asks again."""
    story = Story().start()
    half_open(story.callback, 0.01)
    assert story.later(20.0).found().outcome.value == "running"


# --- rejected, or cut ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "code"), [(1.99, "command_rejected"), (2.01, "start_cut")])
def test_a_rejection_comes_at_once(after: float, code: str) -> None:
    story = Story().start(answer=b"")
    story.command.finish(nanoseconds(after + 0.000_02), 1)  # counted from the SYN+ACK
    found = story.found()
    problem = the(code, ERROR, found)
    assert (found.outcome.value, found.alarms) == ("refused", [code])
    assert ("allowed_host" in problem.remedy) is (code == "command_rejected")


@pytest.mark.parametrize(("ttl", "words"), [(64, "the remote scheduler ended (killed"), (254, "its TTL is 254")])
def test_an_early_reset_is_no_rejection(ttl: int, words: str) -> None:
    story = Story().start(answer=b"")
    story.command.reset(nanoseconds(0.01), 1)
    story.records[-1] = with_ttl(story.records[-1], ttl)
    found = story.found()
    problem = the("start_cut", ERROR, found)
    assert found.outcome.value == "refused"
    assert words in problem.cause
    assert ("device in between reset" in problem.summary) is (ttl == 254)
    assert "allowed_host" not in problem.cause + problem.remedy


def test_an_answer_that_is_not_in_the_capture() -> None:
    """The client waits its time; nobody knows whether the remote refused or the process ended."""
    story = Story().start()
    story.command.finish(nanoseconds(60.0), 0)
    story.network.records = [record for record in story.records if b"<process " not in record.data]
    found = story.found()
    problem = the("callback_missing", ERROR, found)
    assert found.outcome.value == "unknown"
    assert "the answer to the start is not in the capture or not complete" in problem.summary
    assert problem.cause.startswith("the remote refused the start (its answer would say so)")


def test_a_close_tells_that_the_start_was_answered() -> None:
    """It names the process."""
    story = Story().start().close(60.0)
    story.network.records = [record for record in story.records if b"<process " not in record.data]
    assert story.found().outcome.value == "no_callback"


# --- a host that is not down -----------------------------------------------------------------------------------------


def after_another(seconds: float) -> Found:
    """SYNs without an answer so long after the same port answered somebody."""
    network = Network()
    Story(network).healthy()
    story = Story(network, command_port=40_001)
    knock(story, *(0.050_44 + seconds + more for more in (0.0, 1.0, 3.0)), line=story.command)
    return story.later(seconds + 20.0).found()


@pytest.mark.parametrize(("seconds", "answers"), [(30.0, True), (59.9, True), (60.1, False)])
def test_a_port_that_answers_others(seconds: float, answers: bool) -> None:
    problem = after_another(seconds).problem("command_unanswered")
    assert ("answers other connections at that time" in problem.cause) is answers
    assert ("the remote host is down" in problem.cause) is not answers


def test_a_router_that_says_host_unreachable_of_a_host_that_answers() -> None:
    network = Network()
    Story(network).healthy()
    story = knock(Story(network, command_port=40_001), 1.0)
    story.callback.packet(nanoseconds(1.0), 0, SYN)
    knock(story, 1.0, line=story.command)
    story.records.append(icmp_error(nanoseconds(1.001), story.records[-1], "10.1.0.1", 1))
    problem = story.found().problem("command_refused")
    assert "though 10.2.0.10:4455 answers other connections" in problem.cause
    assert "host is down" not in problem.cause


def test_the_client_had_given_up() -> None:
    """It did not end: its time was over, and it had no process to close."""
    story = Story().start(answer=b"")
    story.command.packet(nanoseconds(60.0), 0, FIN | ACK)
    knock(story, 50.0)
    found = refuse(story, 60.5).found()
    problem = the("callback_refused", ERROR, found)
    assert "the client had given up 60 s after the start" in problem.cause
    assert "ended or was restarted" not in problem.cause


def test_a_second_address_is_no_scanner() -> None:
    """The handshake alone, without a word: the task process may call from another address."""
    found = Story(peer="10.9.9.9").start().call_back().later(5.0).found()
    assert (found.outcome.value, found.codes) == ("running", ["callback_other_address"])


def dropped(last: float | None) -> Problem:
    """SYNs from 1.0 s on without an answer; the client sends a space at that time."""
    story = knock(Story().start(), 1.0, 2.0, 4.0)
    if last is not None:
        story.command.packet(nanoseconds(last), 0, PSH | ACK, b" ")
    return story.later(30.0).found().problem("callback_dropped")


@pytest.mark.parametrize(("last", "heard"), [(None, False), (0.999, False), (1.0, True), (9.0, True)])
def test_a_firewall_or_a_host_that_is_down(last: float | None, heard: bool) -> None:
    problem = dropped(last)
    assert problem.cause.startswith(f"a firewall drops the SYNs from the remote to {CLIENT}:59999")
    assert (f"or that host is down: nothing came from {CLIENT} since" in problem.cause) is not heard


def test_a_syn_ack_that_never_arrives_and_then_a_refusal() -> None:
    """The client has given up by then: its answers before were lost, not missing."""
    story = Story().start()
    half_open(story.callback, 0.01, 1.01, 3.01, 61.0)
    story.network.records.pop()
    found = refuse(story, 61.001).close(60.0).found()
    assert found.alarms == ["syn_ack_lost"]
