"""Hypothesis strategies for every record of ``wire.messages``: whatever they make can be on the wire.

``bodies`` draws any record with the ``Pending`` that its bytes are decoded with (None for requests).
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dissector.limits import MAX_ARGUMENTS
from dissector.wire import messages as m
from dissector.wire.decode import Pending
from dissector.wire.enums import Operation, VarType


def signed(bits: int) -> SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


def unsigned(bits: int) -> SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


_any_text = st.text(st.characters(max_codepoint=0xFF), max_size=20)
#: Also names of secrets, which decide what is shown of the texts beside them.
_secrets = st.sampled_from(["password", "PIN", "db_pw", "token=1", "passwords are long"])
texts = st.one_of(_any_text, _any_text, _any_text, _secrets)
guids = st.binary(min_size=16, max_size=16)
object_ids = st.one_of(st.just(0), unsigned(64))
hresults_ok = st.one_of(st.just(0), st.integers(0, 0x7FFF_FFFF))
hresults_failed = st.integers(0x8000_0000, 0xFFFF_FFFF)
hresults = hresults_ok | hresults_failed
doubles = st.one_of(
    st.floats().map(m.Double.of),
    st.sampled_from(["1.5", "1.0E7", "-0.0", "NaN", "Infinity", "-Infinity", "inf", "-nan", "4.9E-324"]).map(m.Double),
)

_SCALARS: dict[VarType, SearchStrategy[m.VariantValue]] = {
    VarType.EMPTY: st.none(),
    VarType.NULL: st.none(),
    VarType.I1: signed(8),
    VarType.UI1: unsigned(8),
    VarType.I2: signed(16),
    VarType.UI2: unsigned(16),
    VarType.I4: signed(32),
    VarType.INT: signed(32),
    VarType.UI4: unsigned(32),
    VarType.UINT: unsigned(32),
    VarType.I8: signed(64),
    VarType.UI8: unsigned(64),
    VarType.CY: signed(64),
    VarType.ERROR: signed(32),
    VarType.BOOL: st.booleans(),
    VarType.BSTR: texts,
    VarType.R4: doubles,
    VarType.R8: doubles,
    VarType.DATE: doubles,
}
_ELEMENT_TYPES = sorted({*_SCALARS, VarType.VARIANT, VarType.DISPATCH, VarType.UNKNOWN} - {VarType.EMPTY, VarType.NULL})


def _variant(vt: int, values: SearchStrategy[m.VariantValue]) -> SearchStrategy[m.Variant]:
    return st.builds(m.Variant, st.just(int(vt)), values)


def _lists(elements: SearchStrategy[m.Variant]) -> SearchStrategy[tuple[m.Variant, ...]]:
    return st.lists(elements, max_size=4).map(tuple)


def _references(values: SearchStrategy[m.Variant]) -> SearchStrategy[m.Reference]:
    properties = st.lists(st.builds(m.Property, texts, values), max_size=3).map(tuple)
    return st.builds(m.Reference, object_ids, st.none() | st.builds(m.NewObject, texts, guids, properties))


def _arrays(values: SearchStrategy[m.Variant]) -> SearchStrategy[m.Variant]:
    def of(element_vt: int, elements: SearchStrategy[object]) -> SearchStrategy[m.SafeArray]:
        return st.builds(m.SafeArray, unsigned(16), signed(32), st.just(element_vt), elements)

    array = of(17, st.binary(max_size=20)) | of(8, st.lists(texts, max_size=4).map(tuple)) | of(12, _lists(values))
    outer = st.sampled_from([int(VarType.ARRAY | vt) for vt in _ELEMENT_TYPES])
    return st.builds(m.Variant, outer, array)


def _nesting(values: SearchStrategy[m.Variant]) -> SearchStrategy[m.Variant]:
    objects = st.sampled_from([int(VarType.DISPATCH), int(VarType.UNKNOWN)])
    return _arrays(values) | st.builds(m.Variant, objects, _references(values))


scalars: SearchStrategy[m.Variant] = st.one_of([_variant(vt, values) for vt, values in _SCALARS.items()])
variants: SearchStrategy[m.Variant] = st.recursive(scalars, _nesting, max_leaves=12)
references = _references(variants)


@st.composite
def _disp_params(draw: st.DrawFn) -> m.DispParams:
    arguments = draw(_lists(variants))
    named = draw(st.lists(signed(32), max_size=len(arguments)))
    return m.DispParams(tuple(named), arguments)


disp_params = _disp_params() | st.just(m.DispParams((), (m.Variant(VarType.EMPTY, None),) * MAX_ARGUMENTS))
excep_infos = st.builds(m.ExcepInfo, signed(16), signed(16), texts, texts, texts, signed(32), signed(32))


@st.composite
def _java_query_interfaces(draw: st.DrawFn) -> m.JavaQueryInterface:
    object_id = draw(object_ids)
    return m.JavaQueryInterface(object_id, object_id, draw(guids))


requests: SearchStrategy[m.Request] = st.one_of(
    st.builds(m.CreateInstance, signed(64), guids, references, signed(32), st.lists(guids, max_size=3).map(tuple)),
    st.builds(m.Release, object_ids),
    st.builds(m.QueryInterface, object_ids, guids),
    _java_query_interfaces(),
    st.builds(m.GetIdsOfNames, object_ids, guids, signed(32), st.lists(texts, min_size=1, max_size=4).map(tuple)),
    st.builds(m.Invoke, object_ids, signed(32), guids, signed(32), unsigned(32), disp_params),
    st.builds(m.Call, object_ids, texts, disp_params),
    st.builds(m.KeepAlive),
)

_interface_results = st.lists(st.builds(m.InterfaceResult, hresults, references), max_size=3).map(tuple)
_dispids = st.lists(signed(32), max_size=4).map(tuple)
_failures = st.builds(m.InvokeFailure, signed(32), excep_infos)

create_instance_answers = st.builds(m.CreateInstanceAnswer, hresults_ok, _interface_results) | st.builds(
    m.CreateInstanceAnswer, hresults_failed, st.none()
)
query_interface_answers = st.builds(m.QueryInterfaceAnswer, hresults_ok, references) | st.builds(
    m.QueryInterfaceAnswer, hresults_failed, st.none()
)
get_ids_of_names_answers = st.builds(m.GetIdsOfNamesAnswer, hresults_ok, _dispids) | st.builds(
    m.GetIdsOfNamesAnswer, hresults_failed, st.none()
)
invoke_answers = st.builds(m.InvokeAnswer, hresults_ok, variants, st.none()) | st.builds(
    m.InvokeAnswer, hresults_failed, st.none(), _failures
)
call_answers = st.builds(m.CallAnswer, hresults, variants)
error_answers = st.builds(m.ErrorAnswer, st.lists(texts, max_size=4).map(tuple))

operations = st.sampled_from(Operation)
pendings = st.builds(Pending, operations, st.integers(0, 4))


def _pending(answer: m.Answer, operation: Operation) -> tuple[m.Body, Pending]:
    """An answer with the request that it would have had."""
    match answer:
        case m.CreateInstanceAnswer(results=tuple(found)) | m.GetIdsOfNamesAnswer(dispids=tuple(found)):
            return answer, Pending(operation, len(found))
        case _:
            return answer, Pending(operation, 0)


answers: SearchStrategy[tuple[m.Body, Pending]] = st.one_of(
    st.builds(_pending, create_instance_answers, st.just(Operation.CREATE_INSTANCE)),
    st.builds(_pending, query_interface_answers, st.just(Operation.QUERY_INTERFACE)),
    st.builds(_pending, get_ids_of_names_answers, st.just(Operation.GET_IDS_OF_NAMES)),
    st.builds(_pending, invoke_answers, st.just(Operation.INVOKE)),
    st.builds(_pending, call_answers, st.just(Operation.CALL)),
    st.builds(_pending, st.builds(m.EmptyAnswer), st.sampled_from([Operation.RELEASE, Operation.KEEP_ALIVE])),
    st.builds(_pending, error_answers, operations),
)

bodies: SearchStrategy[tuple[m.Body, Pending | None]] = st.one_of(requests.map(lambda body: (body, None)), answers)
