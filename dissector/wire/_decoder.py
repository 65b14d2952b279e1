"""Generated from wire/grammar.py by ``python -m dissector.codegen``; do not edit."""
# ruff: noqa
# fmt: off
# mypy: ignore-errors

from __future__ import annotations

from struct import Struct
from typing import Any

from dissector.wire.fields import Reader
from dissector.wire.messages import (
    Call,
    CallAnswer,
    CreateInstance,
    CreateInstanceAnswer,
    DispParams,
    Double,
    EmptyAnswer,
    ErrorAnswer,
    ExcepInfo,
    GetIdsOfNames,
    GetIdsOfNamesAnswer,
    InterfaceResult,
    Invoke,
    InvokeAnswer,
    InvokeFailure,
    JavaQueryInterface,
    KeepAlive,
    NewObject,
    Property,
    QueryInterface,
    QueryInterfaceAnswer,
    Reference,
    Release,
    SafeArray,
    Variant,
)

_unpack_16sI = Struct(">16sI").unpack_from
_unpack_16siI = Struct(">16siI").unpack_from
_unpack_BB = Struct(">BB").unpack_from
_unpack_H = Struct(">H").unpack_from
_unpack_HHIiI = Struct(">HHIiI").unpack_from
_unpack_I = Struct(">I").unpack_from
_unpack_II = Struct(">II").unpack_from
_unpack_Q = Struct(">Q").unpack_from
_unpack_Q16s = Struct(">Q16s").unpack_from
_unpack_QB = Struct(">QB").unpack_from
_unpack_b = Struct(">b").unpack_from
_unpack_h = Struct(">h").unpack_from
_unpack_hhI = Struct(">hhI").unpack_from
_unpack_i = Struct(">i").unpack_from
_unpack_i16siI = Struct(">i16siI").unpack_from
_unpack_iI = Struct(">iI").unpack_from
_unpack_ii = Struct(">ii").unpack_from
_unpack_q = Struct(">q").unpack_from
_unpack_qB = Struct(">qB").unpack_from


def _variant(data: bytes, o: int, depth: int) -> tuple[Variant, int]:
    if not depth:
        raise ValueError
    vt, = _unpack_I(data, o)
    if vt == 8:
        value_size, = _unpack_I(data, o + 4)
        o += 8
        value = data[o:o + value_size].decode("latin-1")
        o += value_size
    elif vt in {0, 1}:
        value = None
        o += 4
    elif vt in {3, 22}:
        value, = _unpack_i(data, o + 4)
        o += 8
    elif vt == 11:
        value = data[o + 4]
        value = value != 0
        o += 5
    elif vt in {9, 13}:
        value, o = _reference(data, o + 4, depth - 1)
    elif vt in {5, 4, 7}:
        value, o = _double(data, o + 4, depth - 1)
    elif vt == 20:
        value, = _unpack_q(data, o + 4)
        o += 12
    elif vt == 6:
        value, = _unpack_q(data, o + 4)
        o += 12
    elif vt == 21:
        value, = _unpack_Q(data, o + 4)
        o += 12
    elif vt in {19, 23}:
        value, = _unpack_I(data, o + 4)
        o += 8
    elif vt == 10:
        value, = _unpack_i(data, o + 4)
        o += 8
    elif vt == 2:
        value, = _unpack_h(data, o + 4)
        o += 6
    elif vt == 18:
        value, = _unpack_H(data, o + 4)
        o += 6
    elif vt == 16:
        value, = _unpack_b(data, o + 4)
        o += 5
    elif vt == 17:
        value = data[o + 4]
        o += 5
    elif vt in {8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8203, 8204, 8205, 8208, 8209, 8210, 8211, 8212, 8213, 8214, 8215}:
        value, o = _safe_array(data, o + 4, depth - 1)
    else:
        raise ValueError
    return Variant(vt, value), o


def _reference(data: bytes, o: int, depth: int) -> tuple[Reference, int]:
    object_id, is_new = _unpack_QB(data, o)
    if is_new > 1:
        raise ValueError
    o += 9
    new = None
    if is_new:
        new, o = _new_object(data, o, depth)
    return Reference(object_id, new), o


def _new_object(data: bytes, o: int, depth: int) -> tuple[NewObject, int]:
    title_size, = _unpack_I(data, o)
    o += 4
    title = data[o:o + title_size].decode("latin-1")
    o += title_size
    proxy_clsid, property_count = _unpack_16sI(data, o)
    o += 20
    properties = ()
    if property_count:
        if property_count * 8 > len(data) - o:
            raise ValueError
        properties_list = []
        for _ in range(property_count):
            properties_one, o = _property(data, o, depth)
            properties_list.append(properties_one)
        properties = tuple(properties_list)
    return NewObject(title, proxy_clsid, properties), o


def _property(data: bytes, o: int, depth: int) -> tuple[Property, int]:
    name_size, = _unpack_I(data, o)
    o += 4
    name = data[o:o + name_size].decode("latin-1")
    o += name_size
    value, o = _variant(data, o, depth)
    return Property(name, value), o


def _double(data: bytes, o: int, depth: int) -> tuple[Double, int]:
    marker, text_size = _unpack_BB(data, o)
    if not marker == 115:
        raise ValueError
    o += 2
    text = data[o:o + text_size].decode("ascii")
    o += text_size
    float(text)
    return Double(text), o


def _safe_array(data: bytes, o: int, depth: int) -> tuple[SafeArray, int]:
    dims, features, count, lower_bound, element_vt = _unpack_HHIiI(data, o)
    if not dims == 1:
        raise ValueError
    if element_vt == 12:
        o += 16
        elements = ()
        if count:
            if count * 4 > len(data) - o:
                raise ValueError
            elements_list = []
            for _ in range(count):
                elements_one, o = _variant(data, o, depth)
                elements_list.append(elements_one)
            elements = tuple(elements_list)
    elif element_vt == 8:
        o += 16
        elements = ()
        if count:
            if count * 4 > len(data) - o:
                raise ValueError
            elements_list = []
            for _ in range(count):
                elements_one_size, = _unpack_I(data, o)
                o += 4
                elements_one = data[o:o + elements_one_size].decode("latin-1")
                o += elements_one_size
                elements_list.append(elements_one)
            elements = tuple(elements_list)
    elif element_vt == 17:
        o += 16
        elements = data[o:o + count]
        o += count
    else:
        raise ValueError
    return SafeArray(features, lower_bound, element_vt, elements), o


def _invoke(data: bytes, o: int, object_id: int) -> tuple[Invoke, int]:
    dispid, iid, lcid, flags = _unpack_i16siI(data, o)
    params_arg_count, params_named_count = _unpack_II(data, o + 28)
    if not params_arg_count <= 100:
        raise ValueError
    if not params_named_count <= params_arg_count:
        raise ValueError
    o += 36
    params_named = ()
    if params_named_count:
        if params_named_count * 4 > len(data) - o:
            raise ValueError
        params_named_list = []
        for _ in range(params_named_count):
            params_named_one, = _unpack_i(data, o)
            o += 4
            params_named_list.append(params_named_one)
        params_named = tuple(params_named_list)
    params_arguments = ()
    if params_arg_count:
        if params_arg_count * 4 > len(data) - o:
            raise ValueError
        params_arguments_list = []
        for _ in range(params_arg_count):
            params_arguments_one, o = _variant(data, o, 32)
            params_arguments_list.append(params_arguments_one)
        params_arguments = tuple(params_arguments_list)
    params = DispParams(params_named, params_arguments)
    return Invoke(object_id, dispid, iid, lcid, flags, params), o


def _call(data: bytes, o: int, object_id: int) -> tuple[Call, int]:
    name_size, = _unpack_I(data, o)
    o += 4
    name = data[o:o + name_size].decode("latin-1")
    o += name_size
    params_arg_count, params_named_count = _unpack_II(data, o)
    if not params_arg_count <= 100:
        raise ValueError
    if not params_named_count <= params_arg_count:
        raise ValueError
    o += 8
    params_named = ()
    if params_named_count:
        if params_named_count * 4 > len(data) - o:
            raise ValueError
        params_named_list = []
        for _ in range(params_named_count):
            params_named_one, = _unpack_i(data, o)
            o += 4
            params_named_list.append(params_named_one)
        params_named = tuple(params_named_list)
    params_arguments = ()
    if params_arg_count:
        if params_arg_count * 4 > len(data) - o:
            raise ValueError
        params_arguments_list = []
        for _ in range(params_arg_count):
            params_arguments_one, o = _variant(data, o, 32)
            params_arguments_list.append(params_arguments_one)
        params_arguments = tuple(params_arguments_list)
    params = DispParams(params_named, params_arguments)
    return Call(object_id, name, params), o


def _java_query_interface(data: bytes, o: int, object_id: int) -> tuple[JavaQueryInterface, int]:
    object_id_again, iid = _unpack_Q16s(data, o)
    return JavaQueryInterface(object_id, object_id_again, iid), o + 24


def _get_ids_of_names(data: bytes, o: int, object_id: int) -> tuple[GetIdsOfNames, int]:
    iid, lcid, count = _unpack_16siI(data, o)
    o += 24
    names = ()
    if count:
        if count * 4 > len(data) - o:
            raise ValueError
        names_list = []
        for _ in range(count):
            names_one_size, = _unpack_I(data, o)
            o += 4
            names_one = data[o:o + names_one_size].decode("latin-1")
            o += names_one_size
            names_list.append(names_one)
        names = tuple(names_list)
    return GetIdsOfNames(object_id, iid, lcid, names), o


def _query_interface(data: bytes, o: int, object_id: int) -> tuple[QueryInterface, int]:
    iid = data[o:o + 16]
    return QueryInterface(object_id, iid), o + 16


def _invoke_answer(data: bytes, o: int) -> tuple[InvokeAnswer, int]:
    hresult, = _unpack_I(data, o)
    o += 4
    result = None
    if hresult < 2147483648:
        result, o = _variant(data, o, 32)
    failure = None
    if hresult >= 2147483648:
        failure, o = _invoke_failure(data, o)
    return InvokeAnswer(hresult, result, failure), o


def _invoke_failure(data: bytes, o: int) -> tuple[InvokeFailure, int]:
    argerr, = _unpack_i(data, o)
    excepinfo_code, excepinfo_reserved, excepinfo_source_size = _unpack_hhI(data, o + 4)
    o += 12
    excepinfo_source = data[o:o + excepinfo_source_size].decode("latin-1")
    o += excepinfo_source_size
    excepinfo_description_size, = _unpack_I(data, o)
    o += 4
    excepinfo_description = data[o:o + excepinfo_description_size].decode("latin-1")
    o += excepinfo_description_size
    excepinfo_help_file_size, = _unpack_I(data, o)
    o += 4
    excepinfo_help_file = data[o:o + excepinfo_help_file_size].decode("latin-1")
    o += excepinfo_help_file_size
    excepinfo_help_context, excepinfo_scode = _unpack_ii(data, o)
    excepinfo = ExcepInfo(excepinfo_code, excepinfo_reserved, excepinfo_source, excepinfo_description, excepinfo_help_file, excepinfo_help_context, excepinfo_scode)
    return InvokeFailure(argerr, excepinfo), o + 8


def _call_answer(data: bytes, o: int) -> tuple[CallAnswer, int]:
    hresult, = _unpack_I(data, o)
    result, o = _variant(data, o + 4, 32)
    return CallAnswer(hresult, result), o


def _get_ids_of_names_answer(data: bytes, o: int, count: int) -> tuple[GetIdsOfNamesAnswer, int]:
    hresult, = _unpack_I(data, o)
    o += 4
    dispids = None
    if hresult < 2147483648:
        dispids = ()
        if count:
            if count * 4 > len(data) - o:
                raise ValueError
            dispids_list = []
            for _ in range(count):
                dispids_one, = _unpack_i(data, o)
                o += 4
                dispids_list.append(dispids_one)
            dispids = tuple(dispids_list)
    return GetIdsOfNamesAnswer(hresult, dispids), o


def _create_instance_answer(data: bytes, o: int, count: int) -> tuple[CreateInstanceAnswer, int]:
    hresult, = _unpack_I(data, o)
    o += 4
    results = None
    if hresult < 2147483648:
        results = ()
        if count:
            if count * 13 > len(data) - o:
                raise ValueError
            results_list = []
            for _ in range(count):
                results_one, o = _interface_result(data, o)
                results_list.append(results_one)
            results = tuple(results_list)
    return CreateInstanceAnswer(hresult, results), o


def _interface_result(data: bytes, o: int) -> tuple[InterfaceResult, int]:
    hresult, = _unpack_I(data, o)
    object_object_id, object_is_new = _unpack_QB(data, o + 4)
    if object_is_new > 1:
        raise ValueError
    o += 13
    object_new = None
    if object_is_new:
        object_new, o = _new_object(data, o, 32)
    object = Reference(object_object_id, object_new)
    return InterfaceResult(hresult, object), o


def _query_interface_answer(data: bytes, o: int) -> tuple[QueryInterfaceAnswer, int]:
    hresult, = _unpack_I(data, o)
    o += 4
    object = None
    if hresult < 2147483648:
        object, o = _reference(data, o, 32)
    return QueryInterfaceAnswer(hresult, object), o


def _create_instance(data: bytes, o: int, session_id: int) -> tuple[CreateInstance, int]:
    clsid = data[o:o + 16]
    outer_object_id, outer_is_new = _unpack_QB(data, o + 16)
    if outer_is_new > 1:
        raise ValueError
    o += 25
    outer_new = None
    if outer_is_new:
        outer_new, o = _new_object(data, o, 32)
    outer = Reference(outer_object_id, outer_new)
    context, count = _unpack_iI(data, o)
    o += 8
    iids = ()
    if count:
        if count * 16 > len(data) - o:
            raise ValueError
        iids_list = []
        for _ in range(count):
            iids_one = data[o:o + 16]
            o += 16
            iids_list.append(iids_one)
        iids = tuple(iids_list)
    return CreateInstance(session_id, clsid, outer, context, iids), o


def _error_answer(data: bytes, o: int) -> tuple[ErrorAnswer, int]:
    strings_list = []
    while o < len(data):
        strings_one_size, = _unpack_I(data, o)
        o += 4
        strings_one = data[o:o + strings_one_size].decode("latin-1")
        o += strings_one_size
        strings_list.append(strings_one)
    strings = tuple(strings_list)
    return ErrorAnswer(strings), o


def decode_message(data: bytes, operation: str, count: int) -> tuple[Any, int]:
    """The record of a message and the offset behind it; an offset behind the end of ``data`` tells of a cut message.

    :raises ValueError, IndexError, struct.error: ``data`` does not follow the grammar
    """
    class_ = data[0]
    if class_ == 79:
        object_id, command = _unpack_QB(data, 1)
        if command == 73:
            return _invoke(data, 10, object_id)
        elif command == 65:
            return _call(data, 10, object_id)
        elif command == 82:
            return Release(object_id), 10
        elif command == 71:
            if len(data) - 10 == 24 and int.from_bytes(data[10:18], "big") == object_id:
                return _java_query_interface(data, 10, object_id)
            else:
                return _get_ids_of_names(data, 10, object_id)
        elif command == 81:
            return _query_interface(data, 10, object_id)
        else:
            raise ValueError
    elif class_ == 65:
        if operation == "invoke":
            return _invoke_answer(data, 1)
        elif operation == "call":
            return _call_answer(data, 1)
        elif operation in {"release", "keep_alive"}:
            return EmptyAnswer(), 1
        elif operation == "get_ids_of_names":
            return _get_ids_of_names_answer(data, 1, count)
        elif operation == "create_instance":
            return _create_instance_answer(data, 1, count)
        elif operation == "query_interface":
            return _query_interface_answer(data, 1)
        else:
            raise ValueError
    elif class_ == 83:
        session_id, command = _unpack_qB(data, 1)
        if command == 67:
            return _create_instance(data, 10, session_id)
        else:
            raise ValueError
    elif class_ == 69:
        return _error_answer(data, 1)
    elif class_ == 75:
        return KeepAlive(), 1
    else:
        raise ValueError


def _walk_variant(r: Reader) -> None:
    vt = r.integer("vt", 4, False, 'vartype')
    if vt == 8:
        r.text("value", 4, False)
    elif vt in {0, 1}:
        pass
    elif vt in {3, 22}:
        r.integer("value", 4, True)
    elif vt == 11:
        r.truth("value")
    elif vt in {9, 13}:
        with r.group("value"):
            _walk_reference(r)
    elif vt in {5, 4, 7}:
        with r.group("value"):
            _walk_double(r)
    elif vt == 20:
        r.integer("value", 8, True)
    elif vt == 6:
        r.integer("value", 8, True, 'currency')
    elif vt == 21:
        r.integer("value", 8, False)
    elif vt in {19, 23}:
        r.integer("value", 4, False)
    elif vt == 10:
        r.integer("value", 4, True, 'hresult')
    elif vt == 2:
        r.integer("value", 2, True)
    elif vt == 18:
        r.integer("value", 2, False)
    elif vt == 16:
        r.integer("value", 1, True)
    elif vt == 17:
        r.integer("value", 1, False)
    elif vt in {8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8203, 8204, 8205, 8208, 8209, 8210, 8211, 8212, 8213, 8214, 8215}:
        with r.group("value"):
            _walk_safe_array(r)
    else:
        r.refuse("value", f"unknown VARIANT type {vt}")


def _walk_reference(r: Reader) -> None:
    r.integer("object_id", 8, False, 'object_id')
    is_new = r.boolean("is_new")
    if is_new:
        with r.group("new"):
            _walk_new_object(r)


def _walk_new_object(r: Reader) -> None:
    r.text("title", 4, False)
    r.blob("proxy_clsid", 16, 'guid')
    property_count = r.integer("property_count", 4, False)
    with r.group("properties"):
        for name in r.items(property_count, 8):
            with r.group(name):
                _walk_property(r)


def _walk_property(r: Reader) -> None:
    r.text("name", 4, False)
    with r.nested("value", 32):
        _walk_variant(r)


def _walk_double(r: Reader) -> None:
    marker = r.integer("marker", 1, False)
    if not marker == 115:
        r.refuse("", "a double begins with 's'")
    r.text("text", 1, True)


def _walk_safe_array(r: Reader) -> None:
    dims = r.integer("dims", 2, False)
    if not dims == 1:
        r.refuse("", 'an array has one dimension')
    r.integer("features", 2, False, 'features')
    count = r.integer("count", 4, False)
    r.integer("lower_bound", 4, True)
    element_vt = r.integer("element_vt", 4, False, 'vartype')
    if element_vt == 12:
        with r.group("elements"):
            for name in r.items(count, 4):
                with r.nested(name, 32):
                    _walk_variant(r)
    elif element_vt == 8:
        with r.group("elements"):
            for name in r.items(count, 4):
                r.text(name, 4, False)
    elif element_vt == 17:
        r.blob("elements", count)
    else:
        r.refuse("elements", f"unknown array element type {element_vt}")


def _walk_invoke(r: Reader) -> None:
    r.integer("dispid", 4, True, 'dispid')
    r.blob("iid", 16, 'guid')
    r.integer("lcid", 4, True, 'lcid')
    r.integer("flags", 4, False, 'invoke_flags')
    with r.group("params"):
        _walk_disp_params(r)


def _walk_disp_params(r: Reader) -> None:
    arg_count = r.integer("arg_count", 4, False)
    if not arg_count <= 100:
        r.refuse("", 'more than 100 arguments')
    named_count = r.integer("named_count", 4, False)
    if not named_count <= arg_count:
        r.refuse("", 'more named arguments than arguments')
    with r.group("named"):
        for name in r.items(named_count, 4):
            r.integer(name, 4, True, 'dispid')
    with r.group("arguments"):
        for name in r.items(arg_count, 4):
            with r.nested(name, 32):
                _walk_variant(r)


def _walk_call(r: Reader) -> None:
    r.text("name", 4, False)
    with r.group("params"):
        _walk_disp_params(r)


def _walk_java_query_interface(r: Reader) -> None:
    r.integer("object_id_again", 8, False, 'object_id')
    r.blob("iid", 16, 'guid')


def _walk_get_ids_of_names(r: Reader) -> None:
    r.blob("iid", 16, 'guid')
    r.integer("lcid", 4, True, 'lcid')
    count = r.integer("count", 4, False)
    with r.group("names"):
        for name in r.items(count, 4):
            r.text(name, 4, False)


def _walk_query_interface(r: Reader) -> None:
    r.blob("iid", 16, 'guid')


def _walk_invoke_answer(r: Reader) -> None:
    hresult = r.integer("hresult", 4, False, 'hresult')
    if hresult < 2147483648:
        with r.nested("result", 32):
            _walk_variant(r)
    if hresult >= 2147483648:
        with r.group("failure"):
            _walk_invoke_failure(r)


def _walk_invoke_failure(r: Reader) -> None:
    r.integer("argerr", 4, True)
    with r.group("excepinfo"):
        _walk_excep_info(r)


def _walk_excep_info(r: Reader) -> None:
    r.integer("code", 2, True)
    r.integer("reserved", 2, True)
    r.text("source", 4, False)
    r.text("description", 4, False)
    r.text("help_file", 4, False)
    r.integer("help_context", 4, True)
    r.integer("scode", 4, True, 'hresult')


def _walk_call_answer(r: Reader) -> None:
    r.integer("hresult", 4, False, 'hresult')
    with r.nested("result", 32):
        _walk_variant(r)


def _walk_get_ids_of_names_answer(r: Reader, count: int) -> None:
    hresult = r.integer("hresult", 4, False, 'hresult')
    if hresult < 2147483648:
        with r.group("dispids"):
            for name in r.items(count, 4):
                r.integer(name, 4, True, 'dispid')


def _walk_create_instance_answer(r: Reader, count: int) -> None:
    hresult = r.integer("hresult", 4, False, 'hresult')
    if hresult < 2147483648:
        with r.group("results"):
            for name in r.items(count, 13):
                with r.group(name):
                    _walk_interface_result(r)


def _walk_interface_result(r: Reader) -> None:
    r.integer("hresult", 4, False, 'hresult')
    with r.group("object"):
        _walk_reference(r)


def _walk_query_interface_answer(r: Reader) -> None:
    hresult = r.integer("hresult", 4, False, 'hresult')
    if hresult < 2147483648:
        with r.group("object"):
            _walk_reference(r)


def _walk_create_instance(r: Reader) -> None:
    r.blob("clsid", 16, 'guid')
    with r.group("outer"):
        _walk_reference(r)
    r.integer("context", 4, True)
    count = r.integer("count", 4, False)
    with r.group("iids"):
        for name in r.items(count, 16):
            r.blob(name, 16, 'guid')


def _walk_error_answer(r: Reader) -> None:
    with r.group("strings"):
        for name in r.items_to_end():
            r.text(name, 4, False)


def walk_message(r: Reader, operation: str, count: int) -> None:
    """Reads a message field by field.

    :raises DecodeError: the message does not follow the grammar; it names the field
    """
    class_ = r.integer("class", 1, False, 'message_class')
    if class_ == 79:
        object_id = r.integer("object_id", 8, False, 'object_id')
        command = r.integer("command", 1, False, 'command')
        if command == 73:
            with r.group("invoke"):
                _walk_invoke(r)
        elif command == 65:
            with r.group("call"):
                _walk_call(r)
        elif command == 82:
            with r.group("release"):
                pass
        elif command == 71:
            if r.repeats(object_id, 24):
                with r.group("java_query_interface"):
                    _walk_java_query_interface(r)
            else:
                with r.group("get_ids_of_names"):
                    _walk_get_ids_of_names(r)
        elif command == 81:
            with r.group("query_interface"):
                _walk_query_interface(r)
        else:
            r.refuse("", f"unknown object command {command}")
    elif class_ == 65:
        if operation == "invoke":
            with r.group("invoke_answer"):
                _walk_invoke_answer(r)
        elif operation == "call":
            with r.group("call_answer"):
                _walk_call_answer(r)
        elif operation in {"release", "keep_alive"}:
            with r.group("empty_answer"):
                pass
        elif operation == "get_ids_of_names":
            with r.group("get_ids_of_names_answer"):
                _walk_get_ids_of_names_answer(r, count)
        elif operation == "create_instance":
            with r.group("create_instance_answer"):
                _walk_create_instance_answer(r, count)
        elif operation == "query_interface":
            with r.group("query_interface_answer"):
                _walk_query_interface_answer(r)
        else:
            r.refuse("", f"unknown operation {operation}")
    elif class_ == 83:
        r.integer("session_id", 8, True)
        command = r.integer("command", 1, False, 'command')
        if command == 67:
            with r.group("create_instance"):
                _walk_create_instance(r)
        else:
            r.refuse("", f"unknown session command {command}")
    elif class_ == 69:
        with r.group("error_answer"):
            _walk_error_answer(r)
    elif class_ == 75:
        with r.group("keep_alive"):
            pass
    else:
        r.refuse("", f"unknown message class {class_}")
    r.rest("trailing")
