"""Messages that are longer than what is decoded: their place in the dialog is kept, and what their heads say."""

from __future__ import annotations

import struct

import pytest
from conversation import EMPTY, bstr
from kit import BEGUN, CREATED, HEALTHY, LOGGED, RELEASED, STEP_ASKED, STEPPED, Found, Story, nanoseconds, trace

from dissector.model import Message
from dissector.stream import framing
from dissector.wire import messages as wire
from dissector.wire.decode import encode, without_arguments

#: In place of the cap in these tests, so that messages of some hundred bytes are above it.
CAP = 400


@pytest.fixture(autouse=True)
def low_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_DECODED_MESSAGE", CAP)


_BEGUN, _LOGGED = HEALTHY[BEGUN][1], HEALTHY[STEP_ASKED][1]
assert isinstance(_BEGUN, wire.Call)
assert isinstance(_LOGGED, wire.Invoke)
SERVER, LOG = _BEGUN.object_id, _LOGGED


def long_log(size: int = CAP) -> wire.Invoke:
    return wire.Invoke(LOG.object_id, 14, LOG.iid, 0, 1, wire.DispParams((), (bstr("x" * size),)))


def undecoded(found: Found) -> Message:
    (message,) = [message for message in found.messages if message.kind == "undecoded"]
    return message


def of(found: Found, request: Message) -> Message:
    (answer,) = [message for message in found.messages if message.request is request]
    return answer


def logged_long(story: Story, at: float = 0.1) -> Story:
    """A log line that is too long inside of the step, and all that follows."""
    story.talk(at, (0, long_log()), (1, wire.InvokeAnswer(0, EMPTY, None)))
    return story.say(at + 0.01, STEP_ASKED, RELEASED)


def test_a_long_callback_is_answered_by_its_own_answer() -> None:
    found = trace(logged_long(Story().start().call_back().say(0.02, last=STEP_ASKED)).leave(0.3).close(0.4))
    long = undecoded(found)
    assert (long.operation, long.object_name, long.member) == ("invoke", "spooler_log", "log")
    assert long.size == 4 + len(encode(long_log()))
    assert isinstance(long.body, wire.Undecoded)
    assert isinstance(long.body.asks, wire.Invoke)
    assert (long.body.asks.dispid, long.body.asks.params.arguments) == (14, ())
    answer = of(found, long)
    assert (answer.kind, answer.operation, answer.depth) == ("answer", "invoke", 1)
    assert isinstance(answer.body, wire.InvokeAnswer)
    (step,) = [message for message in found.messages if message.member == "step" and message.kind == "request"]
    assert isinstance(of(found, step).body, wire.CallAnswer)
    assert found.outcome.value == "success"
    (problem,) = [problem for problem in found.problems if problem.code == "undecoded_frame"]
    assert "is skipped" in problem.summary
    assert found.task.counts.messages == RELEASED + 2


def test_a_long_call_of_the_client() -> None:
    """Its answer says what it says: ``construct`` returns true."""
    construct = wire.Call(SERVER, "construct", wire.DispParams((), (bstr("x" * CAP),)))
    story = Story().start().call_back().say(0.02, last=CREATED).talk(0.03, (1, construct))
    story.say(0.04, CREATED + 1, RELEASED).leave(0.3).close(0.4)
    found = trace(story)
    long = undecoded(found)
    assert (long.operation, long.member, long.to_remote, long.depth) == ("call", "construct", True, 0)
    answer = of(found, long)
    assert isinstance(answer.body, wire.CallAnswer)
    assert answer.body.result.value is True
    assert found.outcome.value == "success"


@pytest.mark.parametrize(("text", "outcome"), [("x", "unknown"), ('<process.result exit_code="3"/>', "failure")])
def test_a_long_answer_answers_the_call_under_way(text: str, outcome: str) -> None:
    """How the job went is known as far as the beginning says it."""
    step = wire.CallAnswer(0, bstr(text + " " * CAP))
    story = Story().start().call_back().say(0.02, last=LOGGED).talk(0.1, (0, step))
    found = trace(story.say(0.2, STEPPED, RELEASED).leave(0.3).close(0.4))
    long = undecoded(found)
    assert long.request is not None
    assert (long.request.member, long.request.answered_by, long.answers) == ("step", long.n, long.request.n)
    assert long.latency is not None
    assert isinstance(long.body, wire.Undecoded)
    assert long.body.asks is None
    (release,) = [
        one for one in found.messages if one.operation == "release" and one.to_remote and one.kind == "request"
    ]
    assert of(found, release).kind == "answer"
    assert found.outcome.value == outcome


def test_a_long_message_that_has_not_ended_is_none() -> None:
    story = Story().start().call_back().say(0.02, last=STEP_ASKED)
    whole = struct.pack(">i", len(encode(long_log()))) + encode(long_log())
    story.callback.send(nanoseconds(0.1), 0, whole[:-1])
    assert [message.kind for message in trace(story).messages].count("undecoded") == 0
    story.callback.send(nanoseconds(0.2), 0, whole[-1:])
    assert [message.kind for message in trace(story).messages].count("undecoded") == 1


@pytest.mark.parametrize(("lost", "operation"), [(38, "invoke"), (37, None)])
def test_what_is_lost_behind_the_head_does_not_matter(lost: int, operation: str | None) -> None:
    """``lost``: where in the message a segment of it is not in the capture."""
    story = Story().start().call_back().say(0.02, last=STEP_ASKED)
    body = encode(long_log())
    data = struct.pack(">i", len(body)) + body
    story.callback.send(nanoseconds(0.1), 0, data[: 4 + lost])
    story.callback.next[0] += 50
    story.callback.send(nanoseconds(0.11), 0, data[4 + lost + 50 :])
    story.talk(0.2, (1, wire.InvokeAnswer(0, EMPTY, None)))
    found = trace(story.say(0.21, STEP_ASKED, RELEASED).leave(0.3).close(0.4))
    long = next(message for message in found.messages if message.kind == "undecoded")
    assert (long.operation, of(found, long).kind) == (operation, "answer" if operation else "undecoded")


HEAD = b"O" + bytes(8)


@pytest.mark.parametrize(
    ("head", "whole"),
    [
        (HEAD + b"I" + bytes(28), HEAD + b"I" + bytes(28) + bytes(8)),
        (HEAD + b"I" + bytes(27), HEAD + b"I" + bytes(27)),
        (HEAD + b"I" + bytes(90), HEAD + b"I" + bytes(28) + bytes(8)),
        (HEAD + b"A\0\0\0\3abc", HEAD + b"A\0\0\0\3abc" + bytes(8)),
        (HEAD + b"A\0\0\0\3abcdef", HEAD + b"A\0\0\0\3abc" + bytes(8)),
        (HEAD + b"A\0\0\0\4abc", HEAD + b"A\0\0\0\4abc"),
        (HEAD + b"A\0\0", HEAD + b"A\0\0"),
        (HEAD + b"R", HEAD + b"R"),
        (b"S" + bytes(8) + b"I" + bytes(40), b"S" + bytes(8) + b"I" + bytes(40)),
        (b"A", b"A"),
    ],
)
def test_heads(head: bytes, whole: bytes) -> None:
    assert without_arguments(head) == whole
