"""A success needs its proof: what decides has to be in the capture, or the outcome is unknown."""

from __future__ import annotations

import pytest
from conversation import EMPTY, TRUE, bstr, call
from kit import CREATED, HEALTHY, STEP_ASKED, Found, Story, packets_of, trace
from parts import HERE, THERE, facts, message

from dissector.model import Message
from dissector.session.life import AnswerState
from dissector.session.proof import Proof
from dissector.traffic import Packet, Side
from dissector.wire import messages as m

FALSE = m.Variant(11, False)
SERVER = HEALTHY[2][1].object_id  # type: ignore[union-attr]
#: The client (1) calls, the task process (0) answers: an API job that went well, from its last step on.
STEP = (1, call(SERVER, "step")), (0, m.CallAnswer(0, FALSE))
END = (1, call(SERVER, "end", TRUE)), (0, m.CallAnswer(0, EMPTY))
EXIT = (1, call(SERVER, "call", bstr("spooler_exit()V"))), (0, m.CallAnswer(0, EMPTY))
ERROR = m.ErrorAnswer(("name=", "code=", "what=COM-80020009  DISP_E_EXCEPTION"))
Said = tuple[int, "m.Body | bytes"]


def api_job(*said: Said) -> Story:
    """A task whose messages between ``begin`` and the release are these."""
    story = Story(pid=4711).start().call_back()
    messages = (*HEALTHY[: STEP_ASKED - 1], *said, *HEALTHY[10:])
    return story.talk(0.02, *messages).leave(0.2).close(0.3)


def payload_packets(story: Story) -> list[Packet]:
    """The callback's packets with data, a message each."""
    ports = {(50_000).to_bytes(2, "big"), (59_999).to_bytes(2, "big")}
    return [
        packet
        for packet in packets_of(story.records)
        if {packet.data[34:36], packet.data[36:38]} == ports and len(packet.data) > 54
    ]


def without(story: Story, *messages: int) -> Found:
    """The trace without the packets of these messages (from 0)."""
    gone = {payload_packets(story)[message].number for message in messages}
    return trace([packet for packet in packets_of(story.records) if packet.number not in gone])


#: Numbers of messages: those of HEALTHY up to begin's answer, then two for each call.
BEGIN, BEGUN, STEPS, STEPPED, ENDS, ENDED, EXITS, EXITED = 4, 5, 6, 7, 8, 9, 10, 11


def test_the_whole_job() -> None:
    assert api_job(*STEP, *END, *EXIT).found().outcome.value == "success"


@pytest.mark.parametrize(
    ("lost", "word"),
    [
        # The client goes on to step only when all before it went well.
        ((CREATED - 1,), "success"),
        ((BEGIN,), "success"),
        ((BEGUN,), "success"),
        ((STEPS,), "unknown"),
        ((STEPPED,), "unknown"),
        ((STEPPED, ENDS), "unknown"),
        ((ENDED,), "unknown"),
        ((ENDED, EXITS), "unknown"),
        ((EXITED,), "unknown"),
        ((EXITS, EXITED), "unknown"),
    ],
)
def test_what_is_lost(lost: tuple[int, ...], word: str) -> None:
    assert without(api_job(*STEP, *END, *EXIT), *lost).outcome.value == word


def test_lost_callbacks_decide_nothing() -> None:
    """The answer to the call under way is there."""
    callback = HEALTHY[7:9]
    story = api_job(STEP[0], *callback, *callback, STEP[1], *END)
    assert without(story, STEPS + 1).outcome.value == "success"
    assert without(story, STEPS + 2).outcome.value == "success"
    # Both directions lack something: the answer may be that to a later call.
    assert without(story, STEPS + 1, STEPS + 4).outcome.value == "unknown"


@pytest.mark.parametrize("lost", [(), (BEGIN,), (CREATED - 1, BEGIN)])
def test_an_error_that_is_seen_is_a_failure(lost: tuple[int, ...]) -> None:
    """Also when its call was lost; only an error to "does it exist?" is none."""
    story = Story(pid=4711).start().call_back()
    messages = (*HEALTHY[: STEP_ASKED - 2], (0, ERROR), *END, *HEALTHY[10:])
    assert without(story.talk(0.02, *messages).leave(0.2).close(0.3), *lost).outcome.value == "failure"


def test_begin_false_needs_its_question() -> None:
    """An answer ``false`` may be that of the last step as well."""
    story = Story(pid=4711).start().call_back()
    messages = (*HEALTHY[: STEP_ASKED - 2], (0, m.CallAnswer(0, FALSE)), *END, *HEALTHY[10:])
    story.talk(0.02, *messages).leave(0.2).close(0.3)
    assert story.found().outcome.value == "failure"
    assert without(story, BEGIN).outcome.value == "unknown"


@pytest.mark.parametrize(
    ("text", "word", "code"),
    [
        ('<process.result exit_code="1" state_text="\x1b[31m & <b>"/>', "failure", 1),
        ('<process.result exit_code="1" state_text="a"b"/>', "failure", 1),
        ('<process.result exit_code="0" state_text="\x07"/>', "success", 0),
        ('<process.result exit_code="0" signal="9" state_text="\x07"/>', "failure", 0),
        ('<process.result exit_code="99999999999999999999"/>', "unknown", None),
        ("<process.result/>", "unknown", None),
    ],
)
def test_what_the_result_says(text: str, word: str, code: int | None) -> None:
    found = api_job(STEP[0], (0, m.CallAnswer(0, bstr(text)))).found()
    assert (found.outcome.value, found.task.exit_code) == (word, code)


def test_an_undecodable_answer_is_no_proof() -> None:
    found = api_job(STEP[0], (0, b"A\0\0\0\0\0\0\x77\x77"), *EXIT).found()
    assert found.outcome.value == "unknown"


# --- by hand ---------------------------------------------------------------------------------------------------------


def asked(proof: Proof, operation: str = "call") -> Message:
    request = message(1, operation=operation)
    proof.asked(request, operation)
    return request


@pytest.mark.parametrize(
    ("side", "asking", "settled"), [(HERE, False, False), (HERE, True, True), (THERE, False, True), (THERE, True, True)]
)
def test_what_is_lost_between_calls_may_be_an_answer(side: Side, asking: bool, settled: bool) -> None:
    proof = Proof()
    if asking:
        asked(proof)
    proof.lost(side)
    assert proof.settled is settled


def test_a_call_without_the_answer_to_the_last_one() -> None:
    proof = Proof()
    asked(proof)
    assert proof.settled
    asked(proof)
    assert not proof.settled
    asked(proof, "create_instance")  # the first of all
    assert proof.settled


@pytest.mark.parametrize(
    ("lost", "certain"), [((), True), ((HERE, HERE), True), ((THERE,), True), ((HERE, THERE), False)]
)
@pytest.mark.parametrize("is_step", [False, True])
def test_an_answer_is_certain_unless_both_directions_lack_something(
    lost: tuple[Side, ...], certain: bool, is_step: bool
) -> None:
    """That of step settles all before it."""
    proof = Proof(AnswerState.UNSETTLED)
    proof.lost(HERE)
    proof.lost(THERE)  # before the call
    asked(proof)
    for side in lost:
        proof.lost(side)
    assert proof.answered(proof.asking, is_step=is_step) is certain
    assert (proof.settled, proof.asking) == (certain and is_step, None)
    proof = Proof()
    asked(proof)
    for side in lost:
        proof.lost(side)
    proof.answered(proof.asking, is_step=is_step)
    assert proof.settled is certain


def test_the_answer_to_another_call_says_nothing_of_this_one() -> None:
    proof = Proof()
    asked(proof)
    proof.lost(HERE)
    proof.lost(THERE)
    for other in (None, message(1)):
        assert proof.answered(other, is_step=True)
        assert proof.state is AnswerState.ASKING


@pytest.mark.parametrize(
    ("kind", "member", "is_step"),
    [("answer", "step", True), ("answer", "Step", True), ("answer", "end", False), ("error", "step", False)],
)
def test_which_answer_is_that_of_a_step(kind: str, member: str, is_step: bool) -> None:
    made = facts()
    made.proof.state = AnswerState.UNSETTLED
    made.proof.asked(request := message(1), "call")
    made.frame(message(2, to_remote=False, kind=kind, member=member, request=request))
    assert made.proof.settled is is_step


@pytest.mark.parametrize(
    ("raw", "of", "settled", "asking"),
    [
        (b"A", "asking", False, False),
        (b"E", "asking", False, False),
        (b"O", "asking", True, True),
        (b"", "asking", True, True),
        (b"A", "nobody", False, True),
        (b"A", "callback", True, True),
        (b"A", "other", False, True),
    ],
)
def test_an_answer_that_can_not_be_read(raw: bytes, of: str, settled: bool, asking: bool) -> None:
    made = facts()
    requests = {
        "asking": asked(made.proof),
        "nobody": None,
        "callback": message(1, to_remote=False),
        "other": message(1),
    }
    made.unread(message(2, raw=raw, request=requests[of]))
    assert (made.proof.settled, made.proof.asking is not None) == (settled, asking)


def test_when_a_proof_holds() -> None:
    proof = Proof()
    assert proof.holds(None)
    release = asked(proof)
    assert proof.holds(release)
    assert not proof.holds(message(1))
    assert not proof.holds(None)
    assert not Proof(AnswerState.UNSETTLED).holds(None)
