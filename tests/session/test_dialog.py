"""Who answers whom, and what things are called: every test is a conversation."""

from __future__ import annotations

from itertools import count

import pytest
from conversation import (
    EMPTY,
    LOG_PROXY,
    NULL_GUID,
    SERVER_CLSID,
    SERVER_IID,
    TRUE,
    bstr,
    call,
    log_line,
    new_object,
    variants,
)
from kit import Talk
from parts import connection

from dissector import limits
from dissector.model import ObjectInfo, Role
from dissector.session import dialog as dialog_module
from dissector.session.dialog import Dialog
from dissector.traffic import Frame, Side
from dissector.wire import messages as m
from dissector.wire.decode import encode

SERVER, LOG, TASK, OTHER = 0xA_0000_0001, 0xB_0000_0001, 0xB_0000_0002, 0xB_0000_0003
OK = m.CallAnswer(0, TRUE)
FAILED = m.ErrorAnswer(("name=", "code=", "what=COM-80020009 oh"))
STEP = call(SERVER, "step")
EMPTY_ANSWER = b"A"


def lookup(object_id: int, name: str) -> m.GetIdsOfNames:
    return m.GetIdsOfNames(object_id, NULL_GUID, 0x409, (name,))


def found(dispid: int) -> m.GetIdsOfNamesAnswer:
    return m.GetIdsOfNamesAnswer(0, (dispid,))


def invoke(object_id: int, dispid: int, flags: int = 1, *arguments: m.Variant) -> m.Invoke:
    named = (-3,) if flags & 4 else ()
    return m.Invoke(object_id, dispid, NULL_GUID, 0, flags, m.DispParams(named, arguments[::-1]))


def begin(**names: m.Reference) -> m.Call:
    references = (m.Variant(9, reference) for reference in names.values())
    return call(SERVER, "begin", variants(*references), variants(*map(bstr, names)))


# --- who answers whom ----------------------------------------------------------------------------------------------


def test_an_answer_belongs_to_its_request() -> None:
    talk = Talk()
    asked = talk.client(STEP)
    answered = talk.task(OK)
    assert (asked.kind, asked.operation, asked.member, asked.depth) == ("request", "call", "step", 0)
    assert (answered.kind, answered.operation, answered.member, answered.depth) == ("answer", "call", "step", 0)
    assert (asked.answered_by, answered.answers) == (answered.n, asked.n)
    assert answered.request is asked
    assert answered.latency == answered.time - asked.time == 1_000
    assert asked.latency is None
    assert (asked.to_remote, answered.to_remote) == (True, False)
    assert asked.size == len(asked.raw) + 4
    assert talk.dialog.open_requests() == []


def test_callbacks_nest_and_unwind_from_the_inside() -> None:
    talk = Talk()
    step = talk.client(STEP)
    callback = talk.task(log_line(LOG, "one"))
    inner = talk.client(call(SERVER, "deeper"))
    innermost = talk.task(log_line(LOG, "two"))
    assert [message.depth for message in (step, callback, inner, innermost)] == [0, 1, 2, 3]
    assert talk.dialog.open_requests() == [step, callback, inner, innermost]
    answers = [talk.client(m.InvokeAnswer(0, EMPTY, None)), talk.task(OK)]
    answers += [talk.client(m.InvokeAnswer(0, EMPTY, None)), talk.task(OK)]
    assert [answer.request for answer in answers] == [innermost, inner, callback, step]
    assert [answer.depth for answer in answers] == [3, 2, 1, 0]


def test_an_error_answer_is_an_answer() -> None:
    talk = Talk()
    asked = talk.client(STEP)
    failed = talk.task(FAILED)
    assert (failed.kind, failed.operation, failed.member, failed.request) == ("error", "call", "step", asked)
    assert failed.body == FAILED


def test_keep_alives_slip_in_between_callbacks() -> None:
    talk = Talk()
    step = talk.client(STEP)
    talk.task(log_line(LOG, "one"))
    talk.client(m.InvokeAnswer(0, EMPTY, None))
    alive = talk.task(b"K")
    assert (alive.kind, alive.operation, alive.depth, alive.body) == ("keep_alive", "keep_alive", 1, m.KeepAlive())
    heard = talk.client(EMPTY_ANSWER)
    assert (heard.kind, heard.operation, heard.request) == ("answer", "keep_alive", alive)
    assert talk.task(OK).request is step


def test_the_classic_server_answers_a_keep_alive_with_an_error() -> None:
    talk = Talk()
    talk.client(STEP)
    alive = talk.task(b"K")
    assert talk.client(FAILED).request is alive


def test_an_answer_without_its_request_is_never_guessed() -> None:
    talk = Talk()
    orphan = talk.task(b"A\0\0\0\0")
    assert (orphan.kind, orphan.answers, orphan.request, orphan.latency) == ("undecoded", None, None, None)
    assert orphan.body == m.Undecoded(b"A\0\0\0\0", "answer without its request")
    assert orphan.note == "answer without its request"


def test_an_answer_to_one_s_own_request_is_without_request() -> None:
    """The side that asked can not answer itself."""
    talk = Talk()
    step = talk.client(STEP)
    assert talk.client(EMPTY_ANSWER).kind == "undecoded"
    assert talk.task(OK).request is step


def test_an_error_without_its_request_is_readable_all_the_same() -> None:
    failed = Talk().task(FAILED)
    assert (failed.kind, failed.body, failed.answers, failed.operation) == ("error", FAILED, None, None)


def test_an_answer_to_an_undecodable_request_is_paired_and_not_decoded() -> None:
    talk = Talk()
    step = talk.client(STEP)
    broken = talk.task(b"O" + bytes(8) + b"I\0")
    assert (broken.kind, broken.operation, broken.member) == ("undecoded", None, None)
    assert broken.note is not None
    assert "invoke" in broken.note
    answer = talk.client(b"A\0\0\0\0\0\0\0\0")
    assert (answer.kind, answer.request, answer.note) == (
        "undecoded",
        broken,
        "answer to a request that could not be decoded",
    )
    assert talk.task(OK).request is step


def test_an_error_to_an_undecodable_request_is_decoded() -> None:
    talk = Talk()
    broken = talk.client(b"O" + bytes(8) + b"?")
    failed = talk.task(FAILED)
    assert (failed.kind, failed.request, failed.body) == ("error", broken, FAILED)


def test_a_broken_answer_still_closes_its_request() -> None:
    talk = Talk()
    step = talk.client(STEP)
    broken = talk.task(b"A\0\0\0\0\0\0")
    assert (broken.kind, broken.request, step.answered_by) == ("undecoded", step, broken.n)
    assert talk.dialog.open_requests() == []


def test_the_tunnel_token_answers_nothing() -> None:
    talk = Talk()
    token = talk.task(b'{"tunnelToken":{"id":"1","secret":"x"}}')
    assert (token.kind, token.operation, token.note) == ("undecoded", "tunnel_token", None)
    assert isinstance(token.body, m.TunnelToken)
    step = talk.client(STEP)
    assert (step.depth, talk.task(OK).request) == (0, step)


@pytest.mark.parametrize("strange", [b"N", b"\0\1\2", b"{]", b"x"])
def test_a_message_of_an_unknown_class_answers_nothing(strange: bytes) -> None:
    talk = Talk()
    step = talk.client(STEP)
    odd = talk.task(strange)
    assert (odd.kind, odd.answers, odd.body.data) == ("undecoded", None, strange)
    assert odd.note
    assert talk.task(OK).request is step


def test_the_answer_to_the_outer_call_ends_the_inner_ones() -> None:
    """The answer to the callback was lost with a gap: the answer to the step says that it was given."""
    talk = Talk()
    step = talk.client(STEP)
    lost = talk.task(log_line(LOG, "one"))
    assert talk.task(OK).request is step
    assert lost.answered_by is None
    assert talk.dialog.open_requests() == []
    assert talk.dialog.given_up() == [lost]
    assert talk.dialog.given_up() == []


#: What bytes lost, cut off, or sent before the capture set.
CUT = [{"gaps": 1}, {"snapped": 1}, {"mid_stream": True}]


@pytest.mark.parametrize("cut", [{}, *CUT])
def test_nobody_asks_twice_without_an_answer_in_between(cut: dict[str, int]) -> None:
    """Where bytes were lost the first answer was among them, so the second callback is no deeper than the first."""
    talk = Talk()
    step = talk.client(STEP)
    first = talk.task(log_line(LOG, "one"))
    for name, value in cut.items():
        setattr(talk.dialog.connection, name, value)
    second = talk.task(log_line(LOG, "two"))
    assert second.depth == (1 if cut else 2)
    assert talk.dialog.given_up() == ([first] if cut else [])
    assert talk.client(m.InvokeAnswer(0, EMPTY, None)).request is second
    assert talk.task(OK).request is step


@pytest.mark.parametrize("cut", [{}, *CUT])
def test_who_answers_has_got_the_answers_to_what_he_asked(cut: dict[str, int]) -> None:
    """To a call from before the capture; one that was lost may have been made inside of what is asked."""
    talk = Talk()
    for name, value in cut.items():
        setattr(talk.dialog.connection, name, value)
    asked = talk.task(log_line(LOG, "one"))
    assert talk.task(OK).request is None
    is_late = "mid_stream" in cut
    assert talk.dialog.given_up() == ([asked] if is_late else [])
    assert talk.dialog.open_requests() == ([] if is_late else [asked])


def test_bytes_left_over_are_noted_and_the_message_is_kept() -> None:
    talk = Talk()
    asked = talk.client(b"O" + SERVER.to_bytes(8, "big") + b"R" + b"\1\2\3")
    assert (asked.kind, asked.body) == ("request", m.Release(SERVER))
    assert asked.note == "3 bytes left over behind the message"
    answer = talk.task(b"A\0")
    assert (answer.kind, answer.note, answer.request) == ("answer", "1 byte left over behind the message", asked)


def test_open_requests_are_bounded() -> None:
    talk = Talk()
    asked = [talk.client(STEP) for _ in range(limits.MAX_DIALOG_DEPTH + 5)]
    assert talk.dialog.open_requests() == asked[5:]
    assert talk.dialog.given_up() == asked[:5]
    assert talk.task(OK).request is asked[-1]


def test_create_instance_is_answered_with_an_object() -> None:
    talk = Talk()
    talk.client(m.CreateInstance(0, SERVER_CLSID, m.Reference(0, None), 0, (SERVER_IID,)))
    instance = new_object(SERVER, "sos::scheduler::Com_remote_module_instance_server")
    answer = talk.task(m.CreateInstanceAnswer(0, (m.InterfaceResult(0, instance),)))
    assert (answer.operation, answer.kind) == ("create_instance", "answer")
    assert talk.client(STEP).object_class == "sos::scheduler::Com_remote_module_instance_server"


def test_a_request_that_ends_like_a_keep_alive_is_none() -> None:
    asked = Talk().client(call(SERVER, "take", bstr("OK")))
    assert asked.raw.endswith(b"K")
    assert (asked.kind, asked.operation) == ("request", "call")


@pytest.mark.parametrize("client_side", [Side.CLIENT, Side.SERVER])
def test_the_client_may_be_either_end(client_side: Side) -> None:
    dialog = Dialog(connection(Role.CALLBACK), client_side, count(1).__next__)
    for side in Side:
        message = dialog.feed(Frame(side, 0, encode(m.Release(1)), (1,), 1))
        assert message.to_remote is (side is client_side)


# --- names ---------------------------------------------------------------------------------------------------------


def test_begin_names_the_objects() -> None:
    talk = Talk()
    talk.client(
        begin(spooler_log=new_object(LOG, "sos::scheduler::Com_log", LOG_PROXY), spooler_task=m.Reference(0, None))
    )
    line = talk.task(log_line(LOG, "hello"))
    assert (line.object_id, line.object_name, line.object_class) == (LOG, "spooler_log", "sos::scheduler::Com_log")
    assert line.member == "log"  # dispid 14, never looked up
    assert line.objects is not None
    assert line.objects[LOG] == ObjectInfo("spooler_log", "sos::scheduler::Com_log")
    assert 0 not in line.objects
    answer = talk.client(m.InvokeAnswer(0, EMPTY, None))
    assert (answer.object_id, answer.object_name, answer.member) == (LOG, "spooler_log", "log")


def test_begin_in_any_case_and_with_old_references() -> None:
    """Names are matched without case, and an object may have been sent before."""
    talk = Talk()
    talk.client(call(SERVER, "construct", m.Variant(9, new_object(LOG, "sos::scheduler::Com_log"))))
    talk.task(OK)
    objects = variants(m.Variant(9, m.Reference(LOG, None)))
    talk.client(call(SERVER, "BEGIN", objects, variants(bstr("spooler_log"))))
    line = talk.task(log_line(LOG, "hello"))
    assert (line.object_name, line.object_class) == ("spooler_log", "sos::scheduler::Com_log")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("objects",), False),
        (("objects", "text"), False),
        (("text", "names"), False),
        (("objects", "names", "text"), True),
    ],
)
def test_begin_names_objects_by_its_first_two_arrays(arguments: tuple[str, ...], named: bool) -> None:
    values = {
        "objects": variants(m.Variant(9, new_object(LOG, "sos::scheduler::Com_log"))),
        "names": variants(bstr("spooler_log")),
        "text": bstr("text"),
    }
    talk = Talk()
    talk.client(call(SERVER, "begin", *(values[name] for name in arguments)))
    assert talk.task(log_line(LOG, "hello")).object_name == ("spooler_log" if named else None)


@pytest.mark.parametrize("name", ["append", "begins", "end"])
def test_only_begin_names_objects(name: str) -> None:
    talk = Talk()
    talk.client(call(SERVER, name, variants(m.Variant(9, m.Reference(LOG, None))), variants(bstr("spooler_log"))))
    assert talk.task(log_line(LOG, "hello")).object_name is None


def test_only_what_is_an_object_and_a_text_gets_a_name() -> None:
    objects = variants(bstr("none"), m.Variant(9, m.Reference(LOG, None)), m.Variant(9, m.Reference(OTHER, None)))
    talk = Talk()
    talk.client(call(SERVER, "begin", objects, variants(bstr("a"), m.Variant(3, 5), bstr("spooler"))))
    assert talk.dialog.objects == {LOG: ObjectInfo(None, None), OTHER: ObjectInfo("spooler", "Com_spooler")}


def test_a_lookup_is_of_the_first_of_its_names_and_teaches_all() -> None:
    talk = Talk()
    asked = talk.task(m.GetIdsOfNames(LOG, NULL_GUID, 0x409, ("colour", "shade")))
    assert asked.member == "colour"
    talk.client(m.GetIdsOfNamesAnswer(0, (77, 78)))
    assert [talk.task(invoke(LOG, dispid, 2)).member for dispid in (77, 78)] == ["colour", "shade"]
    assert talk.task(m.GetIdsOfNames(LOG, NULL_GUID, 0x409, ())).member is None


def test_objects_are_found_among_plain_values() -> None:
    talk = Talk()
    objects = (m.Variant(9, new_object(object_id, "Com_log")) for object_id in (LOG, OTHER))
    talk.client(call(SERVER, "take", bstr("a"), next(objects), m.Variant(3, 5), next(objects), EMPTY))
    assert set(talk.dialog.objects) == {LOG, OTHER}


def test_objects_are_found_among_the_plain_values_of_an_array() -> None:
    talk = Talk()
    mixed = variants(m.Variant(3, 5), m.Variant(9, new_object(LOG, "Com_log")), bstr("a"), EMPTY)
    talk.client(call(SERVER, "take", mixed))
    assert set(talk.dialog.objects) == {LOG}


def test_an_object_keeps_its_class_when_it_is_sent_again() -> None:
    """By its id alone, and with a name that it gets later."""
    talk = Talk()
    talk.client(call(SERVER, "take", m.Variant(9, new_object(LOG, "sos::scheduler::Com_log"))))
    talk.client(call(SERVER, "take", m.Variant(9, m.Reference(LOG, None))))
    assert talk.dialog.objects[LOG] == ObjectInfo(None, "sos::scheduler::Com_log")
    talk.client(begin(other=m.Reference(LOG, None)))
    assert talk.dialog.objects[LOG] == ObjectInfo("other", "sos::scheduler::Com_log")
    assert talk.task(log_line(LOG, "hello")).member == "log"
    talk.client(begin(other=m.Reference(LOG, None)))
    talk.client(call(SERVER, "take", m.Variant(9, new_object(LOG, "Com_task"))))
    assert talk.dialog.objects[LOG] == ObjectInfo("other", "Com_task")


def test_arrays_of_other_things_than_variants_hold_no_objects() -> None:
    words = m.Variant(0x2008, m.SafeArray(features=0x0180, lower_bound=0, element_vt=8, elements=("a", "b")))
    talk = Talk()
    assert talk.client(call(SERVER, "take", words)).kind == "request"
    assert talk.dialog.objects == {}


def test_the_proxy_tells_the_class_where_the_title_says_nothing() -> None:
    talk = Talk()
    talk.client(call(SERVER, "take", m.Variant(9, new_object(LOG, "", LOG_PROXY))))
    line = talk.task(log_line(LOG, "hello"))
    assert (line.member, line.object_class) == ("log", "Com_log")


def test_the_name_tells_the_class_where_nothing_else_does() -> None:
    talk = Talk()
    talk.client(begin(spooler_log=m.Reference(LOG, None)))
    line = talk.task(log_line(LOG, "hello"))
    assert (line.object_name, line.object_class, line.member) == ("spooler_log", "Com_log", "log")


def test_a_java_title_is_a_class_as_well() -> None:
    talk = Talk()
    talk.client(call(SERVER, "take", m.Variant(9, new_object(LOG, "VariableSet"))))
    assert talk.task(invoke(LOG, 0, 2, bstr("key"))).member == "value"


def test_an_unknown_object_has_no_names() -> None:
    line = Talk().task(log_line(LOG, "hello"))
    assert (line.object_id, line.object_name, line.object_class, line.member) == (LOG, None, None, None)


def test_what_was_looked_up_wins_over_the_table() -> None:
    talk = Talk()
    talk.client(begin(spooler_log=new_object(LOG, "sos::scheduler::Com_log")))
    asked = talk.task(lookup(LOG, "surprise"))
    assert (asked.operation, asked.member) == ("get_ids_of_names", "surprise")
    assert talk.client(found(14)).member == "surprise"
    assert talk.task(log_line(LOG, "hello")).member == "surprise"


def test_a_lookup_holds_for_all_objects_of_the_interface() -> None:
    talk = Talk()
    for object_id in (LOG, OTHER):
        talk.client(call(SERVER, "take", m.Variant(9, new_object(object_id, "sos::scheduler::Com_log"))))
    talk.task(lookup(LOG, "colour"))
    talk.client(found(77))
    assert talk.task(invoke(OTHER, 77, 2)).member == "colour"
    assert talk.task(invoke(TASK, 77, 2)).member is None


def test_a_lookup_does_not_hold_for_all_objects_of_a_title() -> None:
    """The Java task server calls all kinds of objects ``Obj``."""
    talk = Talk()
    for object_id in (LOG, OTHER):
        talk.client(call(SERVER, "take", m.Variant(9, new_object(object_id, "Obj"))))
    talk.task(lookup(LOG, "colour"))
    talk.client(found(77))
    assert talk.task(invoke(LOG, 77, 2)).member == "colour"
    assert talk.task(invoke(OTHER, 77, 2)).member is None


def test_the_first_spelling_of_a_name_stays() -> None:
    talk = Talk()
    for name in ("Colour", "COLOUR"):
        talk.task(lookup(LOG, name))
        talk.client(found(77))
    assert talk.task(invoke(LOG, 77, 2)).member == "Colour"


def test_a_lookup_on_an_object_without_class_holds_for_that_object() -> None:
    talk = Talk()
    talk.task(lookup(LOG, "colour"))
    talk.client(found(77))
    assert talk.task(invoke(LOG, 77, 2)).member == "colour"
    assert talk.task(invoke(OTHER, 77, 2)).member is None


def test_a_failed_lookup_teaches_nothing() -> None:
    talk = Talk()
    talk.task(lookup(LOG, "colour"))
    talk.client(m.GetIdsOfNamesAnswer(0x8002_0006, None))
    assert talk.task(invoke(LOG, -1, 2)).member is None


@pytest.mark.parametrize(
    ("title", "dispid", "flags", "member"),
    [
        ("sos::scheduler::Com_log", 14, 1, "log"),
        ("sos::scheduler::Com_log", 0, 1, "info"),
        ("sos::scheduler::com_objects::Com_task", 4, 2, "params"),
    ],
)
def test_members_by_the_table(title: str, dispid: int, flags: int, member: str) -> None:
    talk = Talk()
    talk.client(call(SERVER, "take", m.Variant(9, new_object(LOG, title))))
    assert talk.task(invoke(LOG, dispid, flags)).member == member


@pytest.mark.parametrize("flags", [1, 2, 4, 8, 3])
def test_a_property_has_its_name_however_it_is_called(flags: int) -> None:
    """METHOD, PROPERTYGET, PROPERTYPUT, PROPERTYPUTREF and METHOD|PROPERTYGET."""
    talk = Talk()
    talk.client(call(SERVER, "take", m.Variant(9, new_object(LOG, "Com_variable_set"))))
    asked = talk.task(invoke(LOG, 0, flags, bstr("key")))
    assert asked.member == "value"
    assert isinstance(asked.body, m.Invoke)
    assert asked.body.params.named == ((-3,) if flags & 4 else ())


def test_results_and_properties_introduce_objects() -> None:
    talk = Talk()
    inner = m.Property("job", m.Variant(9, new_object(OTHER, "sos::scheduler::com_objects::Com_job")))
    talk.client(STEP)
    talk.task(invoke(TASK, 1, 2))
    result = m.Variant(9, new_object(LOG, "sos::scheduler::Com_log", NULL_GUID, inner))
    talk.client(m.InvokeAnswer(0, result, None))
    known = talk.dialog.objects
    assert {object_id: info.class_name for object_id, info in known.items()} == {
        LOG: "sos::scheduler::Com_log",
        OTHER: "sos::scheduler::com_objects::Com_job",
    }


def test_remembered_objects_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog_module, "MAX_OBJECTS", 10)
    talk = Talk()
    for object_id in range(1, 30):
        talk.client(call(SERVER, "take", m.Variant(9, new_object(object_id, "Com_log"))))
        talk.task(OK)
        talk.task(lookup(object_id, f"name{object_id}"))
        talk.client(found(object_id))
    assert list(talk.dialog.objects) == list(range(20, 30))
    assert len(talk.dialog._learnt) == len(talk.dialog._keys) == 10
