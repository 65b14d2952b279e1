"""A task process: the object that the client drives, and the callbacks that its job makes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from dissector.simulate import values as v
from dissector.simulate.dialog import Pause, Script, Served
from dissector.wire import messages as m
from dissector.wire.details import construct_parameters
from dissector.wire.enums import InvokeFlag

_SALT = 2
_LOG_DISPID = 14
_TITLE = "sos::scheduler::Com_remote_module_instance_server"
_EXCEPTION_TEXT = "COM-80020009  DISP_E_EXCEPTION [{0}] [] [Z-JAVA-105  Java exception {1}, method={2} []]"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long (seconds) and how much: ``work`` of a job that takes its time, lines of a wordy one."""

    work: float = 1.0
    log_lines: int = 500


class JobFailed(Exception):  # noqa: N818  a job's exception, which becomes an E answer
    """The job throws: its text goes into the ``E`` answer."""


class Job:
    """What a job does at the moments that the client calls; this one does nothing, and does it well."""

    def begin(self, process: TaskProcess) -> Script[bool]:  # noqa: ARG002  a job's shape
        yield from ()
        return True

    def step(self, process: TaskProcess) -> Script[m.Variant]:  # noqa: ARG002  a job's shape
        yield from ()
        return v.FALSE

    def call(self, process: TaskProcess, method: str) -> Script[m.Variant]:  # noqa: ARG002  a job's shape
        """A method of an API job by its signature: ``spooler_open()Z``."""
        yield from ()
        return v.TRUE if method.endswith("Z") else v.EMPTY

    def end(self, process: TaskProcess) -> Script[None]:  # noqa: ARG002  a job's shape
        yield from ()

    def leave(self, process: TaskProcess) -> Script[None]:  # noqa: ARG002  a job's shape
        """Last words, before the task process releases what it holds."""
        yield from ()


class CallFailed(Exception):  # noqa: N818  what went wrong with a call, not an error of ours
    """A callback that has to succeed did not."""


class TaskProcess:
    """One task process.  ``choose`` finds the job for the ``job`` and ``language`` of construct."""

    def __init__(self, choose: Callable[[str, str], Job], pace: Pace, title: str = _TITLE) -> None:
        """``title`` is that of its object; the Java task server has another one."""
        self.pace = pace
        self._title = title
        self.killed = False
        self.job_name: str | None = None
        self._choose = choose
        self._job = Job()
        self._instance = v.object_id(1, _SALT)
        #: What begin named, in its order.
        self._named: dict[str, int] = {}
        self._dispids: dict[tuple[int, str], int] = {}

    def serve(self, request: m.Request) -> Served:
        """Answers the client's request; what it yields are callbacks."""
        match request:
            case m.CreateInstance(clsid=v.SERVER_CLSID):
                reference = m.Reference(self._instance, m.NewObject(self._title, v.NULL_GUID, ()))
                return m.CreateInstanceAnswer(0, (m.InterfaceResult(0, reference),) * len(request.iids))
            case m.CreateInstance():
                return m.CreateInstanceAnswer(0x8004_0154, None)
            case m.Call(object_id=self._instance):
                return self._call(request)
            case m.Release(object_id=self._instance):
                return self._leave()
            case m.Release() | m.KeepAlive():
                return v.DONE
            case m.QueryInterface():
                return m.QueryInterfaceAnswer(0x8000_4002, None)
            case _:
                return v.error("COM-80004001  E_NOTIMPL")

    # --- what the client calls -------------------------------------------------------------------------------------

    def _call(self, request: m.Call) -> Served:
        arguments = request.params.natural
        name = request.name.lower()
        if name == "construct":
            parameters = construct_parameters(arguments)
            self.job_name = parameters.job
            self._job = self._choose(parameters.job or "", (parameters.language or "").lower())
            return m.CallAnswer(0, v.TRUE)
        first = arguments[0].value if arguments else None
        method = first if isinstance(first, str) else ""
        if name == "begin":
            self._learn_names(arguments)
        moments: dict[str, Callable[[], Script[object]]] = {
            "begin": lambda: self._job.begin(self),
            "step": lambda: self._job.step(self),
            "call": lambda: self._job.call(self, method.removeprefix("?")),
            "end": lambda: self._job.end(self),
        }
        if name in moments:
            return self._moment(name, method or f"spooler_{name}", moments[name]())
        if name in ("wait_for_subprocesses", "waitforsubprocesses"):
            return m.CallAnswer(0, v.EMPTY)
        return v.error(f"COM-80020006  DISP_E_UNKNOWNNAME [{request.name}]")

    def _moment(self, name: str, method: str, script: Script[object]) -> Script[m.Answer]:
        try:
            result = yield from script
        except (JobFailed, CallFailed) as error:
            return v.error(_EXCEPTION_TEXT.format(name, error, method))
        if isinstance(result, m.Variant):
            return m.CallAnswer(0, result)
        return m.CallAnswer(0, v.EMPTY if result is None else v.boolean(bool(result)))

    def _learn_names(self, arguments: tuple[m.Variant, ...]) -> None:
        arrays = [argument.value for argument in arguments]
        if len(arrays) == 2 and all(isinstance(array, m.SafeArray) for array in arrays):
            objects, names = (_elements(array) for array in arrays)
            for reference, name in zip(objects, names, strict=False):
                if isinstance(reference, m.Reference) and isinstance(name, str) and reference.object_id:
                    self._named[name] = reference.object_id

    def _leave(self) -> Script[m.Answer]:
        with suppress(CallFailed):  # nobody is left to be told
            yield from self._job.leave(self)
        for target in self._named.values():
            yield m.Release(target)
        self._named.clear()
        return v.DONE

    # --- what the job does -----------------------------------------------------------------------------------------

    def pause(self, seconds: float) -> Script[None]:
        """Works for so long; a kill ends it."""
        if not self.killed:
            yield Pause(seconds)

    def output(self, text: str) -> Script[None]:
        """Lines of stdout or stderr, several in one call: ``spooler_log.log(0, text)``, never looked up."""
        target = self._named.get("spooler_log")
        if target is not None:
            yield v.invoke(target, _LOG_DISPID, InvokeFlag.METHOD, v.i4(0), v.bstr(text))

    def log(self, level: str, text: str) -> Script[None]:
        """``spooler_log.info`` and its like."""
        yield from self.invoke("spooler_log", level, v.bstr(text))

    def invoke(self, target: int | str, name: str, *arguments: m.Variant) -> Script[m.Variant]:
        return _result(name, (yield from self._ask(target, name, InvokeFlag.METHOD, arguments)))

    def get(self, target: int | str, name: str, *arguments: m.Variant) -> Script[m.Variant]:
        return _result(name, (yield from self.ask(target, name, *arguments)))

    def ask(self, target: int | str, name: str, *arguments: m.Variant) -> Script[m.Answer]:
        """``get`` with the answer as it came, for a job that expects a failure."""
        return (yield from self._ask(target, name, InvokeFlag.PROPERTYGET, arguments))

    def put(self, target: int | str, name: str, value: m.Variant, *index: m.Variant) -> Script[None]:
        _result(name, (yield from self._ask(target, name, InvokeFlag.PROPERTYPUT, (*index, value))))

    def get_object(self, target: int | str, name: str) -> Script[int]:
        """The object that a property holds; as the Java API does, its class is asked for at once."""
        value = (yield from self.get(target, name)).value
        if not isinstance(value, m.Reference) or not value.object_id:
            raise CallFailed(f"{name} is no object")
        yield from self.get(value.object_id, "java_class_name")
        return value.object_id

    def release(self, target: int) -> Script[None]:
        yield m.Release(target)

    def _ask(
        self, target: int | str, name: str, flags: InvokeFlag, arguments: tuple[m.Variant, ...]
    ) -> Script[m.Answer]:
        """Looks a member up when it is needed for the first time, then invokes it."""
        found = self._named.get(target) if isinstance(target, str) else target
        if found is None:
            raise CallFailed(f"there is no {target}")
        dispid = self._dispids.get((found, name))
        if dispid is None:
            answer = yield v.lookup(found, name)
            if not isinstance(answer, m.GetIdsOfNamesAnswer) or not answer.dispids:
                raise CallFailed(f"{name} is unknown")
            dispid = self._dispids[found, name] = answer.dispids[0]
        result: m.Answer = yield v.invoke(found, dispid, flags, *arguments)
        return result


def _result(name: str, answer: m.Answer) -> m.Variant:
    if isinstance(answer, m.InvokeAnswer) and answer.result is not None:
        return answer.result
    raise CallFailed(f"{name} failed")


def _elements(array: m.VariantValue) -> list[m.VariantValue]:
    elements = array.elements if isinstance(array, m.SafeArray) else ()
    return [element.value for element in elements if isinstance(element, m.Variant)]
