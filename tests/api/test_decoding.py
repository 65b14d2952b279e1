"""``jstrace.decode``: one frame, without the connection around it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

import jstrace
from dissector.wire import messages as m
from dissector.wire.decode import encode_frame

TRUTH = ("engine_shell_fail", "h19_variants", "h19_errors", "engine_api_java_errorcalls")


def arguments(*values: m.Variant) -> m.DispParams:
    return m.DispParams((), tuple(reversed(values)))


@pytest.mark.parametrize("name", TRUTH)
def test_frames_of_recordings(name: str, captures: Path) -> None:
    """Frame by frame, each answer with its request, they say what the whole capture says but for names of objects."""
    from dissector.model import Message
    from dissector.reading import Reading

    raw = {
        event.n: event.raw
        for event in Reading([captures / f"{name}.pcap"]).events()
        if isinstance(event, Message) and event.connection.role.value == "callback"
    }
    decoded: dict[int, jstrace.Decoded] = {}
    for message in jstrace.messages(captures / f"{name}.pcap"):
        if message.n not in raw or message.kind == "undecoded":
            continue
        request = decoded.get(message.answers) if message.answers is not None else None
        found = decoded[message.n] = jstrace.decode(raw[message.n], request)
        assert (found.kind, found.operation, found.hresult) == (message.kind, message.operation, message.hresult)
        assert (found.dispid, found.flags, found.dispids) == (message.dispid, message.flags, message.dispids)
        assert [one.type for one in found.arguments or ()] == [one.type for one in message.arguments or ()]
        leaves = list(found.fields.leaves())
        assert (leaves[0].start, leaves[-1].end) == (0, len(raw[message.n]))
        assert all(one.end == other.start for one, other in pairwise(leaves))
    assert len(decoded) > 10


def test_the_length_header_is_optional() -> None:
    frame = encode_frame(m.Call(7, "begin", arguments(m.Variant(8, "text"), m.Variant(3, -5))))
    assert jstrace.decode(frame) == jstrace.decode(frame[4:])
    found = jstrace.decode(frame)
    assert (found.member, found.data, found.note) == ("begin", frame[4:], None)
    assert found.arguments == (jstrace.Value("BSTR", "text"), jstrace.Value("I4", -5))
    assert found.object == jstrace.Object(7, None, None)


def test_values_are_what_python_has_for_them() -> None:
    from decimal import Decimal

    values = [
        (m.Variant(20, -(1 << 62)), -(1 << 62)),
        (m.Variant(21, (1 << 64) - 1), (1 << 64) - 1),
        (m.Variant(6, -12_345), Decimal("-1.2345")),
        (m.Variant(5, m.Double("1e3")), 1000.0),
        (m.Variant(5, m.Double("Infinity")), float("inf")),
        (m.Variant(7, m.Double("2")), 2.0),
        (m.Variant(11, True), True),
        (m.Variant(0, None), None),
        (m.Variant(0x2011, m.SafeArray(0, 0, 17, b"\x00\xff")), b"\x00\xff"),
        (m.Variant(9, m.Reference(0, None)), None),
        (m.Variant(9, m.Reference(9, None)), jstrace.Object(9, None, None, new=False)),
        (m.Variant(0x2008, m.SafeArray(0, 0, 8, ("a", "b"))), (jstrace.Value("BSTR", "a"), jstrace.Value("BSTR", "b"))),
    ]
    found = jstrace.decode(encode_frame(m.Call(7, "x", arguments(*(variant for variant, _ in values)))))
    assert found.arguments is not None
    assert [value.value for value in found.arguments] == [plain for _, plain in values]
    assert [type(value.value) for value in found.arguments] == [type(plain) for _, plain in values]


def test_an_answer_needs_its_request() -> None:
    answer = encode_frame(m.CallAnswer(0, m.Variant(8, "done")))
    assert jstrace.decode(answer).kind == "undecoded"
    assert jstrace.decode(answer).note == "answer without its request"
    request = jstrace.decode(encode_frame(m.Call(7, "step", arguments())))
    found = jstrace.decode(answer, request)
    assert (found.kind, found.member, found.result) == ("answer", "step", jstrace.Value("BSTR", "done"))


def test_what_is_left_over_is_noted() -> None:
    found = jstrace.decode(encode_frame(m.Release(7), b"xyz"))
    assert found.note == "3 bytes left over behind the message"


def test_secrets() -> None:
    frame = encode_frame(m.Call(7, "set_var", arguments(m.Variant(8, "password"), m.Variant(8, "hush"))))
    masked = jstrace.decode(frame)
    assert "hush" not in repr(masked) + " ".join(leaf.text for leaf in masked.fields.leaves())
    shown = jstrace.decode(frame, show_secrets=True)
    assert "hush" in [leaf.text for leaf in shown.fields.leaves()]
    assert shown.arguments is not None
    assert shown.arguments[1].value == "hush"


@pytest.mark.parametrize("data", [b"", b"\x00\x00\x00\x00", b"Q", b"O", b"\x00\x00\x00\x01O"])
def test_what_is_no_frame(data: bytes) -> None:
    with pytest.raises(jstrace.DecodeError) as refused:
        jstrace.decode(data)
    assert refused.value.offset >= 0
    assert refused.value.reason
