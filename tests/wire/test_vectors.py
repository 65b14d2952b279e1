"""What the genuine serializers wrote: every vector decodes from exactly its bytes and encodes to them again."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import construct
import pytest

from dissector.errors import DecodeError
from dissector.wire import grammar as g
from dissector.wire import messages as m
from dissector.wire.decode import Decoded, Pending, decode, encode, reference_decode
from dissector.wire.enums import Operation
from dissector.wire.names import guid_text

Vector = dict[str, Any]

VECTORS: list[Vector] = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
REFUSED = [vector for vector in VECTORS if "throws" in vector]
WRITTEN = [vector for vector in VECTORS if "throws" not in vector]

BASE = {
    "byte": g.INT8,
    "int16": g.INT16,
    "int32": g.INT32,
    "int64": g.INT64,
    "bool": g.BOOL,
    "double": g.DOUBLE,
    "string": g.STRING,
    "uuid": g.GUID,
}
VARTYPES = {
    "VT_EMPTY": 0,
    "VT_I4": 3,
    "VT_R8": 5,
    "VT_BSTR": 8,
    "VT_DISPATCH": 9,
    "VT_BOOL": 11,
    "VT_UNKNOWN": 13,
    "VT_I8": 20,
    "VT_INT": 22,
    "VT_ARRAY|VT_VARIANT": 0x200C,
    "VT_ARRAY|VT_I4": 0x2003,
}
CALLS = {
    "CallCall": m.Call,
    "CreateInstanceCall": m.CreateInstance,
    "GetIDsOfNamesCall": m.GetIdsOfNames,
    "InvokeCall": m.Invoke,
    "KeepaliveCall$": m.KeepAlive,
    "QueryInterfaceCall": m.JavaQueryInterface,
    "ReleaseCall": m.Release,
}
RESULTS = {
    "CreateInstanceResult": Pending(Operation.CREATE_INSTANCE, 1),
    "EmptyResult$": Pending(Operation.RELEASE, 0),
    "InvokeResult": Pending(Operation.INVOKE, 0),
}


def of_kind(*kinds: str) -> list[Any]:
    return [
        pytest.param(vector, id=f"{vector['release']} {vector['name'][:40]}")
        for vector in WRITTEN
        if vector["kind"] in kinds
    ]


def is_base(vector: Vector) -> bool:
    return bool(vector["kind"] == "base" or (vector["kind"] == "unit-test" and vector["type"] in BASE))


def is_variant(vector: Vector) -> bool:
    return bool(vector["kind"] == "variant" or (vector["kind"] == "unit-test" and vector["type"].startswith("VT_")))


def java_text(text: str) -> str:
    """What is left of a Java string on the wire: the low byte of each UTF-16 unit."""
    units = text.encode("utf-16-be", "surrogatepass")
    return units[1::2].decode("latin-1")


def test_every_vector_is_checked() -> None:
    kinds = Counter(
        "throws" if "throws" in vector else "base" if is_base(vector) else "variant" if is_variant(vector)
        else "sequence" if vector["type"] == "sequence" else vector["kind"]
        for vector in VECTORS
    )  # fmt: skip
    assert kinds == {
        "base": 164, "variant": 142, "call": 34, "result": 21, "error": 14, "sequence": 1, "throws": 75,
    }  # fmt: skip
    assert len(VECTORS) == 451


@pytest.mark.parametrize("vector", [vector for vector in WRITTEN if is_base(vector)], ids=lambda vector: vector["name"])
def test_primitive(vector: Vector) -> None:
    data, text, layout = bytes.fromhex(vector["hex"]), vector["value"], BASE[vector["type"]]
    value = layout.parse(data)
    assert layout.build(value) == data
    match vector["type"]:
        case "bool":
            assert value is (text == "true")
        case "string":
            assert value == java_text(text)
        case "uuid":
            assert guid_text(value) == text
        case "double":
            assert value == m.Double(text)
            assert repr(value.value) == repr(float(text))
        case _:
            assert value == int(text)


def test_sequence() -> None:
    (vector,) = [vector for vector in WRITTEN if vector["type"] == "sequence"]
    layout = construct.Struct("a" / g.BOOL, "b" / g.STRING, "c" / g.INT32)
    found = layout.parse(bytes.fromhex(vector["hex"]))
    assert (found.a, found.b, found.c) == (True, "abc", 0x11223344)
    assert layout.build(found) == bytes.fromhex(vector["hex"])


def variant_of(vector: Vector) -> m.Variant:
    """The vector's variant, decoded inside an answer to invoke; it must encode to the same bytes."""
    data = bytes.fromhex(vector["hex"])
    message = bytes.fromhex("4100000000") + data
    found = decode(message, Pending(Operation.INVOKE, 0))
    assert found == reference_decode(message, Pending(Operation.INVOKE, 0))
    assert isinstance(found.body, m.InvokeAnswer)
    assert found.trailing == 0
    assert found.body.result is not None
    assert encode(found.body) == message
    return found.body.result


@pytest.mark.parametrize(
    "vector", [vector for vector in WRITTEN if is_variant(vector)], ids=lambda vector: vector["name"][:60]
)
def test_variant(vector: Vector) -> None:
    variant = variant_of(vector)
    assert variant.vt == VARTYPES[re.split(r" (?:null|known|new|\()", vector["type"])[0]]
    text = vector["value"]
    match variant.value:
        case None:
            assert text == "()"
        case bool(value):
            assert value is (text == "true")
        case int(value):
            assert value == int(text)
        case str(value):
            assert value == java_text(text)
        case m.Double(text=value):
            assert value == text
        case m.Reference(object_id=object_id, new=new):
            assert (object_id == 0) == (text == "null")
            assert (new is not None) == (" new" in vector["type"])
            assert (new is not None and bool(new.properties)) == vector["type"].endswith("properties")
        case m.SafeArray(element_vt=element_vt):
            assert element_vt == 12
            assert one(variant) == array_text(vector)


def array_text(vector: Vector) -> str:
    """An array as the genuine reader prints it, or, where that can not read it, as the writer was told it."""
    read = vector.get("genuineDeserializerReads", "THROWS")
    text: str = vector["value"] if read.startswith("THROWS") else re.sub("NewP|Known", "MyObj", read)
    return text if text.startswith("VariantArray(") else f"VariantArray({text})"


def one(variant: m.Variant) -> str:
    """A value as the genuine reader prints it."""
    match variant.value:
        case None:
            return "()"
        case bool(value):
            return str(value).lower()
        case m.Double(text=text):
            return text
        case m.Reference(object_id=object_id):
            return "IDispatch:MyObj" if object_id else "null"
        case m.SafeArray(elements=elements):
            return f"VariantArray({', '.join(one(element) for element in elements if isinstance(element, m.Variant))})"
        case value:
            return str(value)


@pytest.mark.parametrize("vector", of_kind("call"))
def test_request(vector: Vector) -> None:
    message = bytes.fromhex(vector["hex"])
    if vector["type"] == "CreateInstanceCall" and vector["release"] == "1.9":
        # That release forgets session id and command; its own reader refuses the message as well.
        assert "Session" in vector["genuineDeserializerReads"]
        with pytest.raises(DecodeError, match="unknown session command 129"):
            decode(message, None)
        return
    body, trailing = decode(message, None)
    assert trailing == 0
    assert type(body) is CALLS[vector["type"]]
    assert Decoded(body, 0) == reference_decode(message, None)
    assert encode(body) == message
    match body:
        case m.Invoke(dispid=dispid):
            assert f"DISPID({dispid})" in vector["value"]
        case m.Call(name=name):
            assert f",{name},List(" in vector["value"]
        case m.GetIdsOfNames(names=names, lcid=lcid):
            assert f",{lcid},List({', '.join(names)}))" in vector["value"]
        case m.CreateInstance(iids=iids):
            assert all(guid_text(iid) in vector["value"] for iid in iids)
        case m.JavaQueryInterface(iid=iid, object_id=object_id, object_id_again=again):
            assert object_id == again
            assert guid_text(iid) in vector["value"]


@pytest.mark.parametrize("vector", of_kind("result"))
def test_answer(vector: Vector) -> None:
    message, pending = bytes.fromhex(vector["hex"]), RESULTS[vector["type"]]
    found = decode(message, pending)
    assert found == reference_decode(message, pending)
    assert found.trailing == 0
    assert encode(found.body) == message
    match found.body:
        case m.InvokeAnswer(hresult=0, result=m.Variant() as result):
            known = {"MyObj": "IDispatch:MyObj"}.get(vector["value"], vector["value"])
            assert one(result) == known
        case m.CreateInstanceAnswer(hresult=0, results=(m.InterfaceResult(hresult=0, object=made),)):
            assert (made.object_id == 0) == (vector["value"] == "null")
            assert made.new is None or made.new.title == vector["value"]
        case body:
            assert body == m.EmptyAnswer()


@pytest.mark.parametrize("vector", of_kind("error"))
def test_error_answer(vector: Vector) -> None:
    message = bytes.fromhex(vector["hex"])
    found = decode(message, Pending(Operation.CALL, 0))
    assert isinstance(found.body, m.ErrorAnswer)
    assert encode(found.body) == message
    code = found.body.part("code=")
    assert found.body.part("name=") == "COM"
    assert found.body.part("what=") == f"{code} {java_text(vector['value'])}"


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: f"{vector['release']} {vector['name'][:60]}")
def test_what_a_sender_refuses_has_no_bytes(vector: Vector) -> None:
    assert vector["hex"] == ""
    assert re.match(r"(scala|java\.lang)\.\w+(Error|Exception): ", vector["throws"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.5000000000000000e+00"),
        (-0.0, "-0.0000000000000000e+00"),
        (1e308, "1.0000000000000000e+308"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_a_new_double_is_written_as_c_does(value: float, text: str) -> None:
    assert g.DOUBLE.build(m.Double.of(value)) == b"s" + bytes([len(text)]) + text.encode()
