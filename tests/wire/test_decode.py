"""decode, encode, fields and construct's own parse: one grammar, four readers that must agree."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import bodies, pendings

from dissector.errors import DecodeError
from dissector.limits import MAX_VARIANT_DEPTH
from dissector.wire import messages as m
from dissector.wire.decode import (
    NO_REQUEST,
    Decoded,
    Pending,
    decode,
    encode,
    encode_frame,
    fields,
    operation_of,
    pending_of,
    reference_decode,
    without_arguments,
)
from dissector.wire.enums import Operation
from dissector.wire.fields import FieldNode

CLSID = bytes.fromhex("feee47a36c1b11d88103000476ee8afb")
IID = bytes.fromhex("feee47a26c1b11d88103000476ee8afb")
NULL = bytes(16)
OBJECT = 0xD97F997640000001
INVOKED = Pending(Operation.INVOKE, 0)

#: No deadline: a busy machine is no failure.
thorough = settings(max_examples=300, deadline=None)

CREATE = "53 0000000000000000 43" + CLSID.hex() + "0000000000000000 00 00000000 00000001" + IID.hex()
LOG = "4f d97f997640000001 49 0000000e" + NULL.hex() + "00000000 00000001 00000002 00000000"
LOG += "00000008 00000005 4772fcdf65  00000003 00000000"
PUT = "4f d97f997640000001 49 00000023" + NULL.hex() + "00000409 00000004 00000001 00000001 fffffffd"
PUT += "00000008 00000004 3c782f3e"
FAILURE = "41 80020009 ffffffff 0000 0001 00000003 737263 00000001 e4 00000000 00000007 80020009"
NEW = "01 00000003 4f626a feee47a6 6c1b 11d8 8103000476ee8afb 00000001 00000005 6c6576656c 00000003 ffffffff"
NEW_REFERENCE = m.Reference(
    1,
    m.NewObject(
        "Obj",
        bytes.fromhex("feee47a66c1b11d88103000476ee8afb"),
        (m.Property("level", m.Variant(3, -1)),),
    ),
)

#: Bytes, the request that they answer, what they say.
LITERALS: list[tuple[str, Pending | None, m.Body]] = [
    (CREATE, None, m.CreateInstance(0, CLSID, m.Reference(0, None), 0, (IID,))),
    ("4f 8000000000000001 52", None, m.Release(0x8000000000000001)),
    ("4f d97f997640000001 51" + IID.hex(), None, m.QueryInterface(OBJECT, IID)),
    ("4f d97f997640000001 47 d97f997640000001" + IID.hex(), None, m.JavaQueryInterface(OBJECT, OBJECT, IID)),
    (
        "4f d97f997640000001 47" + NULL.hex() + "00000407 00000002 00000001 61 00000000",
        None,
        m.GetIdsOfNames(OBJECT, NULL, 0x407, ("a", "")),
    ),
    ("4f d97f997640000001 47" + NULL.hex() + "00000000 00000000", None, m.GetIdsOfNames(OBJECT, NULL, 0, ())),
    (
        LOG,
        None,
        m.Invoke(OBJECT, 14, NULL, 0, 1, m.DispParams((), (m.Variant(8, "Grüße"), m.Variant(3, 0)))),
    ),
    (PUT, None, m.Invoke(OBJECT, 35, NULL, 0x409, 4, m.DispParams((-3,), (m.Variant(8, "<x/>"),)))),
    (
        "4f d97f997640000001 41 00000003 656e64 00000001 00000000 0000000b 01",
        None,
        m.Call(OBJECT, "end", m.DispParams((), (m.Variant(11, True),))),
    ),
    ("4b", None, m.KeepAlive()),
    ("41", Pending(Operation.RELEASE, 0), m.EmptyAnswer()),
    ("41", Pending(Operation.KEEP_ALIVE, 0), m.EmptyAnswer()),
    (
        "41 00000000 00000000 0000000000000001" + NEW + "80004002 0000000000000000 00",
        Pending(Operation.CREATE_INSTANCE, 2),
        m.CreateInstanceAnswer(
            0, (m.InterfaceResult(0, NEW_REFERENCE), m.InterfaceResult(0x80004002, m.Reference(0, None)))
        ),
    ),
    ("41 80040154", Pending(Operation.CREATE_INSTANCE, 1), m.CreateInstanceAnswer(0x80040154, None)),
    (
        "41 00000001 0000000000000001 00",
        Pending(Operation.QUERY_INTERFACE, 0),
        m.QueryInterfaceAnswer(1, m.Reference(1, None)),
    ),
    ("41 80004002", Pending(Operation.QUERY_INTERFACE, 0), m.QueryInterfaceAnswer(0x80004002, None)),
    (
        "41 00000000 0000000e ffffffff",
        Pending(Operation.GET_IDS_OF_NAMES, 2),
        m.GetIdsOfNamesAnswer(0, (14, -1)),
    ),
    ("41 80020006", Pending(Operation.GET_IDS_OF_NAMES, 1), m.GetIdsOfNamesAnswer(0x80020006, None)),
    ("41 00000000 00000000", INVOKED, m.InvokeAnswer(0, m.Variant(0, None), None)),
    (
        FAILURE,
        INVOKED,
        m.InvokeAnswer(
            0x80020009, None, m.InvokeFailure(-1, m.ExcepInfo(0, 1, "src", "ä", "", 7, 0x80020009 - (1 << 32)))
        ),
    ),
    ("41 80004005 00000001", Pending(Operation.CALL, 0), m.CallAnswer(0x80004005, m.Variant(1, None))),
    (
        "45 00000005 6e616d653d 00000005 636f64653d 00000006 776861743dfc",
        Pending(Operation.CALL, 0),
        m.ErrorAnswer(("name=", "code=", "what=ü")),
    ),
    ("45", None, m.ErrorAnswer(())),
]

#: vt and value as hex, what they say: every VARIANT type.
VARIANTS: list[tuple[str, m.Variant]] = [
    ("00000000", m.Variant(0, None)),
    ("00000001", m.Variant(1, None)),
    ("00000002 ffff", m.Variant(2, -1)),
    ("00000012 ffff", m.Variant(18, 65535)),
    ("00000003 ffffffff", m.Variant(3, -1)),
    ("00000013 ffffffff", m.Variant(19, 0xFFFFFFFF)),
    ("00000016 80000000", m.Variant(22, -0x80000000)),
    ("00000017 80000000", m.Variant(23, 0x80000000)),
    ("00000004 73 03 312e35", m.Variant(4, m.Double("1.5"))),
    ("00000005 73 16 312e35303030303030303030303030303030652b3030", m.Variant(5, m.Double.of(1.5))),
    ("00000007 73 03 696e66", m.Variant(7, m.Double("inf"))),
    ("00000008 00000001 fc", m.Variant(8, "ü")),
    ("00000009 0000000000000001 00", m.Variant(9, m.Reference(1, None))),
    ("0000000d 0000000000000001" + NEW, m.Variant(13, NEW_REFERENCE)),
    ("0000000a 80020004", m.Variant(10, 0x80020004 - (1 << 32))),
    ("0000000b 00", m.Variant(11, False)),
    ("0000000b 01", m.Variant(11, True)),
    ("00000010 ff", m.Variant(16, -1)),
    ("00000011 ff", m.Variant(17, 255)),
    ("00000014 ffffffffffffffff", m.Variant(20, -1)),
    ("00000015 ffffffffffffffff", m.Variant(21, 0xFFFFFFFFFFFFFFFF)),
    ("00000006 ffffffffffffd8f0", m.Variant(6, -10000)),
    (
        "00002011 0001 0090 00000002 00000000 00000011 00ff",
        m.Variant(0x2011, m.SafeArray(0x90, 0, 17, b"\x00\xff")),
    ),
    (
        "00002008 0001 0110 00000002 00000000 00000008 00000001 61 00000000",
        m.Variant(0x2008, m.SafeArray(0x110, 0, 8, ("a", ""))),
    ),
    (
        "00002003 0001 0880 00000001 00000001 0000000c 00000003 00000007",
        m.Variant(0x2003, m.SafeArray(0x880, 1, 12, (m.Variant(3, 7),))),
    ),
]

#: Bytes, request, and the error: path, offset, reason.
ERRORS: list[tuple[str, Pending | None, tuple[str, int, str]]] = [
    ("", None, ("class", 0, "needs 1 byte, 0 left")),
    ("4e", None, ("", 0, "unknown message class 78")),
    ("58", None, ("", 0, "unknown message class 88")),
    ("4f 00000000", None, ("object_id", 1, "needs 8 bytes, 4 left")),
    ("4f 0000000000000001", None, ("command", 9, "needs 1 byte, 0 left")),
    ("4f 0000000000000001 58", None, ("", 9, "unknown object command 88")),
    ("53 0000000000000000 52", None, ("", 9, "unknown session command 82")),
    ("4f 0000000000000001 49 00000001 00", None, ("invoke.iid", 14, "needs 16 bytes, 1 left")),
    ("4f 0000000000000001 41 00000005 61", None, ("call.name", 14, "needs 5 bytes, 1 left")),
    ("4f 0000000000000001 41 00000000 00000065", None, ("call.params", 14, "more than 100 arguments")),
    (
        "4f 0000000000000001 41 00000000 00000001 00000002",
        None,
        ("call.params", 18, "more named arguments than arguments"),
    ),
    (
        "4f 0000000000000001 41 00000000 00000002 00000000 00000000",
        None,
        ("call.params.arguments", 22, "2 elements can not be in the 4 bytes left"),
    ),
    (
        "4f 0000000000000001 41 00000000 00000002 00000000 00000000 0000000e",
        None,
        ("call.params.arguments[1].value", 26, "unknown VARIANT type 14"),
    ),
    (
        "41 00000000 00000009 0000000000000001 02",
        INVOKED,
        ("invoke_answer.result.value.is_new", 17, "a bool is neither 0 nor 1"),
    ),
    ("41 00000000 00000005 74", INVOKED, ("invoke_answer.result.value", 9, "a double begins with 's'")),
    ("41 00000000 00000005 73 01 78", INVOKED, ("invoke_answer.result.value.text", 11, "text that is no number")),
    ("41 00000000 00000005 73 00", INVOKED, ("invoke_answer.result.value.text", 11, "text that is no number")),
    ("41 00000000 00000005 73 02 31a0", INVOKED, ("invoke_answer.result.value.text", 11, "text that is no number")),
    ("41 00000000 00004003 00000001", INVOKED, ("invoke_answer.result.value", 5, "unknown VARIANT type 16387")),
    ("41 00000000 00006003 00000001", INVOKED, ("invoke_answer.result.value", 5, "unknown VARIANT type 24579")),
    ("41 00000000 0000000c", INVOKED, ("invoke_answer.result.value", 5, "unknown VARIANT type 12")),
    (
        "41 00000000 0000200c 0002 0880 00000000 00000000 0000000c",
        INVOKED,
        ("invoke_answer.result.value", 9, "an array has one dimension"),
    ),
    (
        "41 00000000 0000200c 0001 0880 00000001 00000000 00000003 00000007",
        INVOKED,
        ("invoke_answer.result.value.elements", 21, "unknown array element type 3"),
    ),
    (
        "41 00000000 00002011 0001 0090 ffffffff 00000000 00000011 00",
        INVOKED,
        ("invoke_answer.result.value.elements", 25, "needs 4294967295 bytes, 1 left"),
    ),
    (
        "41 00000000 00000000",
        Pending(Operation.GET_IDS_OF_NAMES, 2),
        ("get_ids_of_names_answer.dispids", 5, "2 elements can not be in the 4 bytes left"),
    ),
    ("45 00000001 61 00", None, ("error_answer.strings[1]", 6, "needs 4 bytes, 1 left")),
]


def outcome(read: Callable[[bytes, Pending | None], Decoded], message: bytes, pending: Pending | None) -> object:
    """What a reader says: its record, or its error as a tuple."""
    try:
        return read(message, pending)
    except DecodeError as error:
        return error.path, error.offset, error.reason


def tiles(node: FieldNode, size: int) -> bool:
    """True when it is of 0 to ``size``, and its leaves cover that in order without hole or overlap."""
    if (node.start, node.end) != (0, size):
        return False
    at = 0
    for leaf in node.leaves():
        if leaf.start != at or leaf.end < at:
            return False
        at = leaf.end
    return at == size


@pytest.mark.parametrize(("text", "pending", "body"), LITERALS)
def test_literal_messages(text: str, pending: Pending | None, body: m.Body) -> None:
    message = bytes.fromhex(text)
    assert decode(message, pending) == Decoded(body, 0)
    assert reference_decode(message, pending) == Decoded(body, 0)
    assert encode(body) == message
    assert encode_frame(body) == struct.pack(">i", len(message)) + message
    assert tiles(fields(message, pending), len(message))


@pytest.mark.parametrize(("text", "variant"), VARIANTS)
def test_literal_variants(text: str, variant: m.Variant) -> None:
    message = bytes.fromhex("41 00000000" + text)
    found = decode(message, INVOKED)
    assert found == Decoded(m.InvokeAnswer(0, variant, None), 0)
    assert found == reference_decode(message, INVOKED)
    assert isinstance(found.body, m.InvokeAnswer)
    assert found.body.result is not None
    assert type(found.body.result.value) is type(variant.value)
    assert encode(m.InvokeAnswer(0, variant, None)) == message


@pytest.mark.parametrize(("text", "pending", "error"), ERRORS)
def test_literal_errors(text: str, pending: Pending | None, error: tuple[str, int, str]) -> None:
    message = bytes.fromhex(text)
    assert outcome(decode, message, pending) == error
    assert outcome(reference_decode, message, pending) == error
    tree = fields(message, pending)
    assert tree.children[-1].name == "undecoded"
    assert error[2] in tree.children[-1].text
    assert tiles(tree, len(message))


def known(head: str, tail: str) -> set[int]:
    """The types below 0x7000 that are not refused as unknown between ``head`` and ``tail``."""
    return {
        vt
        for vt in range(0x7000)
        if "unknown" not in str(outcome(decode, bytes.fromhex(f"{head}{vt:08x}{tail}"), INVOKED))
    }


def test_no_other_variant_types_are_known() -> None:
    scalars = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16, 17, 18, 19, 20, 21, 22, 23}
    arrays = {0x2000 + vt for vt in (scalars - {0, 1}) | {12}}
    assert known("41 00000000", "00" * 16) == scalars | arrays


def test_no_other_element_types_are_known() -> None:
    assert known("41 00000000 0000200c 0001 0880 00000000 00000000", "") == {8, 12, 17}


def test_every_cut_is_an_error_at_a_place_inside() -> None:
    for text, pending, _ in LITERALS:
        whole = bytes.fromhex(text)
        for size in range(len(whole)):
            found = outcome(decode, whole[:size], pending)
            assert found == outcome(reference_decode, whole[:size], pending)
            if not (isinstance(found, Decoded) and whole[:1] == b"E"):
                assert isinstance(found, tuple)
                assert not isinstance(found, Decoded)
                assert found[1] <= size


def test_bytes_left_over_are_counted_and_the_message_is_kept() -> None:
    message = bytes.fromhex("41 00000000 00000000 abcdef")
    assert decode(message, INVOKED) == Decoded(m.InvokeAnswer(0, m.Variant(0, None), None), 3)
    assert encode(m.InvokeAnswer(0, m.Variant(0, None), None), b"\xab\xcd\xef") == message
    last = fields(message, INVOKED).children[-1]
    assert (last.name, last.start, last.end, last.value) == ("trailing", 9, 12, b"\xab\xcd\xef")


def test_answer_without_request_stays_undecoded() -> None:
    message = bytes.fromhex("41 00000000")
    assert decode(message, None) == Decoded(m.Undecoded(message, NO_REQUEST), 0)
    assert reference_decode(message, None) == decode(message, None)
    assert encode(m.Undecoded(message, NO_REQUEST)) == message
    assert [(leaf.name, leaf.start, leaf.end) for leaf in fields(message, None).leaves()] == [
        ("class", 0, 1),
        ("undecoded", 1, 5),
    ]


@pytest.mark.parametrize(
    ("head", "end"),
    [
        (b"O" + bytes(8) + b"I" + bytes(40), 38),
        (b"O" + bytes(8) + b"I" + bytes(28), 38),
        (b"O" + bytes(8) + b"I" + bytes(27), None),
        (b"O" + bytes(8) + b"A\0\0\0\4begin" + bytes(9), 18),
        (b"O" + bytes(8) + b"A\0\0\0\4begi", 18),
        (b"O" + bytes(8) + b"A\0\0\0\4beg", None),
        (b"O" + bytes(8) + b"A\1\0\0\4begin", None),
        (b"O" + bytes(8) + b"G" + bytes(40), None),
        (b"S" + bytes(8) + b"A\0\0\0\4begin", None),
        (b"O", None),
    ],
)
def test_the_beginning_of_a_request_is_one_without_arguments(head: bytes, end: int | None) -> None:
    assert without_arguments(head) == (head if end is None else head[:end] + bytes(8))


def test_what_waits_for_the_answer_to_a_part_of_a_request() -> None:
    call = m.Call(1, "step", m.DispParams((), ()))
    assert pending_of(m.Undecoded(b"O", "cut", call)) == pending_of(call) is not None
    assert pending_of(m.Undecoded(b"O", "cut", None)) is None


def test_tunnel_token() -> None:
    message = b'{"tunnelToken":{"id":"1","secret":"x"}}'
    assert decode(message, None) == Decoded(m.TunnelToken(message.decode()), 0)
    assert reference_decode(message, INVOKED) == decode(message, INVOKED)
    assert encode(m.TunnelToken(message.decode())) == message
    assert tiles(fields(message, None), len(message))
    with pytest.raises(DecodeError, match="unknown message class 123"):
        decode(b'{"other":1}', None)


def test_java_form_needs_the_size_and_the_same_id() -> None:
    head = bytes.fromhex("4f d97f997640000001 47")
    again = bytes.fromhex("d97f997640000001") + NULL
    assert isinstance(decode(head + again, None).body, m.JavaQueryInterface)
    assert decode(head + again + b"\0", None) == Decoded(
        m.GetIdsOfNames(OBJECT, bytes.fromhex("d97f997640000001") + bytes(8), 0, ()), 1
    )
    assert isinstance(decode(head + bytes(24), None).body, m.GetIdsOfNames)


def nested(depth: int) -> bytes:
    """An invoke answer whose variant is ``depth`` arrays of one element around an EMPTY."""
    array = bytes.fromhex("0000200c 0001 0880 00000001 00000000 0000000c")
    return bytes.fromhex("41 00000000") + array * depth + bytes(4)


def nested_properties(depth: int) -> bytes:
    """The same through references: a new object whose only property is a new object ..."""
    reference = bytes.fromhex("00000009 0000000000000001 01 00000000" + NULL.hex() + "00000001 00000000")
    return bytes.fromhex("41 00000000") + reference * depth + bytes(4)


@pytest.mark.parametrize("make", [nested, nested_properties])
def test_depth_is_capped(make: Callable[[int], bytes]) -> None:
    most = make(MAX_VARIANT_DEPTH - 1)
    found = decode(most, INVOKED)
    assert found == reference_decode(most, INVOKED)
    assert encode(found.body) == most
    deeper = outcome(decode, make(MAX_VARIANT_DEPTH), INVOKED)
    assert deeper == outcome(reference_decode, make(MAX_VARIANT_DEPTH), INVOKED)
    assert isinstance(deeper, tuple)
    assert deeper[2] == "nested deeper than 32"


@pytest.mark.parametrize("make", [nested, nested_properties])
def test_a_million_levels_are_refused_at_once(make: Callable[[int], bytes]) -> None:
    message = make(1_000_000)
    began = time.process_time()
    assert outcome(decode, message, INVOKED)[2] == "nested deeper than 32"  # type: ignore[index]
    assert time.process_time() - began < 1


def test_a_count_is_refused_before_it_is_used() -> None:
    array = bytes.fromhex("41 00000000 0000200c 0001 0880 ffffffff 00000000 0000000c") + bytes(4_000_000)
    began = time.process_time()
    with pytest.raises(DecodeError, match="4294967295 elements can not be in the 4000000 bytes left"):
        decode(array, INVOKED)
    assert time.process_time() - began < 1


@thorough
@given(bodies, st.binary(max_size=8))
def test_any_record_survives_the_wire(drawn: tuple[m.Body, Pending | None], trailing: bytes) -> None:
    body, pending = drawn
    if isinstance(body, (m.ErrorAnswer, m.JavaQueryInterface, m.GetIdsOfNames)):
        trailing = b""  # these read, or are told apart by, everything up to the end
    message = encode(body, trailing)
    assert decode(message, pending) == Decoded(body, len(trailing))
    assert reference_decode(message, pending) == Decoded(body, len(trailing))
    tree = fields(message, pending)
    assert tiles(tree, len(message))
    assert "undecoded" not in [leaf.name for leaf in tree.leaves()]


@thorough
@given(st.binary(max_size=200), st.none() | pendings)
@example(b"", None)
def test_any_bytes_are_a_record_or_a_decode_error(message: bytes, pending: Pending | None) -> None:
    assert outcome(decode, message, pending) == outcome(reference_decode, message, pending)
    assert tiles(fields(message, pending), len(message))


@thorough
@given(st.sampled_from(sorted(b"SOAEK")), st.sampled_from(sorted(b"CRQGIA")), st.binary(max_size=80), pendings)
def test_any_bytes_behind_a_true_head(first: int, command: int, rest: bytes, pending: Pending) -> None:
    message = bytes([first]) + rest[:8] + (bytes([command]) if first in b"SO" else b"") + rest[8:]
    assert outcome(decode, message, pending) == outcome(reference_decode, message, pending)
    assert tiles(fields(message, pending), len(message))


@thorough
@given(bodies, st.data())
def test_damaged_messages_are_judged_alike(drawn: tuple[m.Body, Pending | None], data: st.DataObject) -> None:
    body, pending = drawn
    message = bytearray(encode(body))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(message) - 1))
        message[at] = data.draw(st.sampled_from([0, 1, 2, 3, 8, 9, 11, 12, 0x20, 0x7F, 0x80, 0xFF, message[at] ^ 1]))
    cut = bytes(message[: data.draw(st.integers(0, len(message)))]) if data.draw(st.booleans()) else bytes(message)
    found = outcome(decode, cut, pending)
    assert found == outcome(reference_decode, cut, pending)
    assert tiles(fields(cut, pending), len(cut))
    if isinstance(found, Decoded) and not isinstance(found.body, (m.Undecoded, m.TunnelToken)):
        kept = cut[len(cut) - found.trailing :] if found.trailing else b""
        assert encode(found.body, kept) == cut


def test_pending_and_operation() -> None:
    wanted: list[tuple[m.Body, Pending | None, Operation | None]] = [
        (m.CreateInstance(0, CLSID, m.Reference(0, None), 0, (IID, IID)), Pending(Operation.CREATE_INSTANCE, 2), None),
        (m.GetIdsOfNames(1, NULL, 0, ("a",)), Pending(Operation.GET_IDS_OF_NAMES, 1), None),
        (m.JavaQueryInterface(1, 1, IID), Pending(Operation.QUERY_INTERFACE, 0), None),
        (m.KeepAlive(), Pending(Operation.KEEP_ALIVE, 0), None),
        (m.InvokeAnswer(0, m.Variant(0, None), None), None, Operation.INVOKE),
        (m.EmptyAnswer(), None, None),
        (m.ErrorAnswer(()), None, None),
        (m.Undecoded(b"", ""), None, None),
        (m.TunnelToken(""), None, None),
    ]
    for body, pending, operation in wanted:
        assert pending_of(body) == pending
        assert operation_of(body) == (pending.operation if pending else operation)


@pytest.mark.parametrize(
    "body",
    [
        m.Call(1, "€", m.DispParams((), ())),
        m.Call(1, "x", m.DispParams((), (m.Variant(0, None),) * 101)),
        m.Call(1, "x", m.DispParams((1,), ())),
        m.Call(1, "x", m.DispParams((), (m.Variant(3, 1 << 40),))),
        m.Call(1, "x", m.DispParams((), (m.Variant(14, 0),))),
        m.Call(1, "x", m.DispParams((), (m.Variant(5, m.Double("x")),))),
        m.InvokeAnswer(0, None, None),
    ],
)
def test_what_does_not_fit_is_not_encoded(body: m.Body) -> None:
    with pytest.raises(ValueError, match=type(body).__name__):
        encode(body)


@pytest.mark.parametrize("operation", [Operation.RELEASE, Operation.KEEP_ALIVE])
def test_an_empty_answer_is_a_group_without_bytes(operation: Operation) -> None:
    (head, body) = fields(b"A", Pending(operation, 0)).children
    assert (head.path, head.start, head.end) == ("class", 0, 1)
    assert (body.path, body.start, body.end, body.text) == ("empty_answer", 1, 1, "")


def test_field_tree_names_and_texts() -> None:
    tree = fields(bytes.fromhex(PUT), None)
    shown = {leaf.path: (leaf.start, leaf.end, leaf.text) for leaf in tree.leaves()}
    assert shown == {
        "class": (0, 1, "OBJECT ('O')"),
        "object_id": (1, 9, "0xd97f997640000001"),
        "command": (9, 10, "INVOKE ('I')"),
        "invoke.dispid": (10, 14, "35"),
        "invoke.iid": (14, 30, "00000000-0000-0000-0000-000000000000 (IID_NULL)"),
        "invoke.lcid": (30, 34, "en-US (0x409)"),
        "invoke.flags": (34, 38, "PROPERTYPUT (4)"),
        "invoke.params.arg_count": (38, 42, "1"),
        "invoke.params.named_count": (42, 46, "1"),
        "invoke.params.named[0]": (46, 50, "PROPERTYPUT (-3)"),
        "invoke.params.arguments[0].vt": (50, 54, "BSTR (0x8)"),
        "invoke.params.arguments[0].value": (54, 62, "<x/>"),
    }


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("0000000a 80020004", 0x80020004 - (1 << 32), "DISP_E_PARAMNOTFOUND (0x80020004)"),
        ("00000006 ffffffffffffd8f0", -10000, "-1.0000"),
        ("0000000b 01", True, "true"),
        ("0000200c 0001 0880 00000000 00000000 0000000c", 12, "VARIANT (0xc)"),
        ("00002011 0001 0090 00000002 00000000 00000011 00ff", b"\x00\xff", "00ff"),
    ],
)
def test_texts_of_values(text: str, value: object, shown: str) -> None:
    leaf = [leaf for leaf in fields(bytes.fromhex("41 00000000" + text), INVOKED).leaves() if leaf.end > leaf.start][-1]
    assert (leaf.value, leaf.text) == (value, shown)


@pytest.mark.parametrize("byte", [0, 1, 2, 0x7F, 0x80, 0xFF])
def test_every_byte_of_a_bool_but_0_is_true(byte: int) -> None:
    """As the genuine reader has it; the tree shows a byte that nobody writes, and what is written is 0 or 1."""
    data = bytes.fromhex("41 00000000 0000000b") + bytes([byte])
    answer = m.InvokeAnswer(0, m.Variant(11, byte != 0), None)
    assert decode(data, INVOKED) == reference_decode(data, INVOKED) == Decoded(answer, 0)
    assert type(answer.result) is m.Variant
    assert decode(data, INVOKED).body.result.value is (byte != 0)  # type: ignore[union-attr]
    leaf = list(fields(data, INVOKED).leaves())[-1]
    assert leaf.text == ("false" if byte == 0 else "true" if byte == 1 else f"true (0x{byte:02x})")
    assert encode(answer) == data[:-1] + bytes([min(byte, 1)])
