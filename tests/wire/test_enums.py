"""Codes with their names; unknown ones are values too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.wire.enums import (
    HRESULTS,
    LCIDS,
    Code,
    Command,
    DispId,
    InvokeFlag,
    MessageClass,
    Operation,
    VarType,
    flag_names,
    is_put,
    vartype_name,
)


def test_codes_are_the_bytes_of_the_protocol() -> None:
    assert bytes(MessageClass) == b"SOAEKN{"
    assert bytes(Command) == b"CRQGIA"
    assert [operation.value for operation in Operation] == [
        "create_instance",
        "release",
        "query_interface",
        "get_ids_of_names",
        "invoke",
        "call",
        "keep_alive",
    ]
    assert {vt.name: vt.value for vt in VarType} == {
        "EMPTY": 0, "NULL": 1, "I2": 2, "I4": 3, "R4": 4, "R8": 5, "CY": 6, "DATE": 7, "BSTR": 8, "DISPATCH": 9,
        "ERROR": 10, "BOOL": 11, "VARIANT": 12, "UNKNOWN": 13, "I1": 16, "UI1": 17, "UI2": 18, "UI4": 19, "I8": 20,
        "UI8": 21, "INT": 22, "UINT": 23, "ARRAY": 0x2000, "BYREF": 0x4000,
    }  # fmt: skip
    assert {flag.name: flag.value for flag in InvokeFlag} == {
        "METHOD": 1, "PROPERTYGET": 2, "PROPERTYPUT": 4, "PROPERTYPUTREF": 8,
    }  # fmt: skip
    assert {known.name: known.value for known in DispId} == {
        "VALUE": 0,
        "UNKNOWN": -1,
        "PROPERTYPUT": -3,
        "NEWENUM": -4,
    }


def test_results_are_those_of_windows() -> None:
    """By facility (``winerror.h``)."""
    interfaces = {0x4001: "NOTIMPL", 0x4002: "NOINTERFACE", 0x4003: "POINTER", 0x4004: "ABORT", 0x4005: "FAIL"}
    dispatch = {
        1: "UNKNOWNINTERFACE", 3: "MEMBERNOTFOUND", 4: "PARAMNOTFOUND", 5: "TYPEMISMATCH", 6: "UNKNOWNNAME",
        7: "NONAMEDARGS", 8: "BADVARTYPE", 9: "EXCEPTION", 10: "OVERFLOW", 11: "BADINDEX", 12: "UNKNOWNLCID",
        13: "ARRAYISLOCKED", 14: "BADPARAMCOUNT", 15: "PARAMNOTOPTIONAL", 16: "BADCALLEE", 17: "NOTACOLLECTION",
        18: "DIVBYZERO",
    }  # fmt: skip
    classes = {0x110: "CLASS_E_NOAGGREGATION", 0x111: "CLASS_E_CLASSNOTAVAILABLE", 0x154: "REGDB_E_CLASSNOTREG"}
    system = {5: "ACCESSDENIED", 6: "HANDLE", 14: "OUTOFMEMORY", 87: "INVALIDARG"}
    assert {
        0: "S_OK",
        1: "S_FALSE",
        0x8000_FFFF: "E_UNEXPECTED",
        **{0x8000_0000 | code: f"E_{name}" for code, name in interfaces.items()},
        0x8001_0105: "RPC_E_SERVERFAULT",
        0x8001_0108: "RPC_E_DISCONNECTED",
        **{0x8002_0000 | code: f"DISP_E_{name}" for code, name in dispatch.items()},
        **{0x8004_0000 | code: name for code, name in classes.items()},
        **{0x8007_0000 | code: f"E_{name}" for code, name in system.items()},
    } == HRESULTS


def test_locales_are_a_language_and_where_it_is_spoken() -> None:
    """Six bits and ten (``winnls.h``)."""
    languages, own = {7: "de", 9: "en", 10: "es", 12: "fr", 16: "it", 17: "ja"}, {9: "US", 17: "JP"}
    found = {code: name for code, name in LCIDS.items() if "-" in name}
    assert len(found) == 9
    for code, name in found.items():
        language, _, place = name.partition("-")
        assert languages[code & 0x3FF] == language
        if code >> 10 == 1:
            assert place == own.get(code & 0x3FF, language.upper())
    assert {code >> 10: name for code, name in found.items() if code & 0x3FF == 7} == {
        1: "de-DE",
        2: "de-CH",
        3: "de-AT",
    }
    assert (LCIDS[0x0809], LCIDS[0x0C0A]) == ("en-GB", "es-ES")
    assert {code: name for code, name in LCIDS.items() if code not in found} == {
        0: "neutral", 0x7F: "invariant", 0x400: "user default", 0x800: "system default",
    }  # fmt: skip


def test_an_unknown_code_has_a_name_and_keeps_its_value() -> None:
    unknown = Command(0x1F)
    assert unknown.name == "UNKNOWN_31"
    assert unknown == 31
    assert isinstance(unknown, Command)
    assert "UNKNOWN_31" not in Command.__members__
    assert DispId(-77).name == "UNKNOWN_MINUS_77"


@given(st.sampled_from([MessageClass, Command, VarType, InvokeFlag, DispId]), st.integers(-(1 << 31), (1 << 32) - 1))
def test_any_number_is_a_code(table: type[Code], value: int) -> None:
    assert table(value) == value
    assert table(value).name
    assert len(table.__members__) < 30


def test_only_numbers_are_codes() -> None:
    with pytest.raises(ValueError, match="'x'"):
        VarType("x")  # type: ignore[arg-type]  # just that is refused


def test_plain_text_finds_an_operation() -> None:
    assert Operation.RELEASE in {"release"}
    assert {Operation.CALL: 1}["call"] == 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("vt", "name"),
    [(8, "BSTR"), (0x200C, "ARRAY|VARIANT"), (0x2011, "ARRAY|UI1"), (99, "UNKNOWN_99"), (0x2000, "ARRAY")],
)
def test_vartype_name(vt: int, name: str) -> None:
    assert vartype_name(vt) == name


@pytest.mark.parametrize(
    ("flags", "names", "put"),
    [
        (0, (), False),
        (1, ("METHOD",), False),
        (3, ("METHOD", "PROPERTYGET"), False),
        (4, ("PROPERTYPUT",), True),
        (8, ("PROPERTYPUTREF",), True),
        (0x12, ("PROPERTYGET", "UNKNOWN_16"), False),
    ],
)
def test_invoke_flags(flags: int, names: tuple[str, ...], put: bool) -> None:
    assert flag_names(flags) == names
    assert is_put(flags) is put


def test_hresults_are_unsigned_and_failures_have_the_top_bit() -> None:
    good = {code for code, name in HRESULTS.items() if name.startswith("S_")}
    assert good == {0, 1}
    assert all(0x8000_0000 <= code <= 0xFFFF_FFFF for code in HRESULTS.keys() - good)
