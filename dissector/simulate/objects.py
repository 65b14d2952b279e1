"""The client scheduler's objects: what the task process finds when it calls back.

Dispids come from the interface tables, so that a trace names members as it does with the engine.  Properties that
nobody set are EMPTY, as is the result of a method without an effect here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import quoteattr

from dissector.limits import MAX_LOG_LINES, MAX_OBJECTS
from dissector.ports import COMMAND_PORTS
from dissector.simulate import values as v
from dissector.simulate.dialog import Script, Served
from dissector.wire import messages as m
from dissector.wire.enums import is_put
from dissector.wire.names import class_members, member_name

#: Members that only the log's proxy interprets: log(level, text) -> level's name.
LEVELS = {2: "error", 1: "warn", 0: "info", **{-n: f"debug{n}" for n in range(1, 10)}}
_LOG_MEMBERS = frozenset(LEVELS.values())

_COM = "sos::scheduler::com_objects::Com_"
_UNKNOWN_NAME = 0x8002_0006
_MEMBER_NOT_FOUND = 0x8002_0003
_EXCEPTION = 0x8002_0009
_SALT = 1


@dataclass(slots=True)
class Thing:
    """One object: ``properties`` by lower-case name, ``variables`` of a variable set."""

    reference: m.Reference
    title: str
    properties: dict[str, m.Variant] = field(default_factory=dict)
    variables: dict[str, m.Variant] = field(default_factory=dict)

    @property
    def again(self) -> m.Reference:
        """The reference as it is sent from the second time on."""
        return m.Reference(self.reference.object_id, None)


class World:
    """The objects of one task.  ``log`` is what the task process wrote; ``parameters`` are the task's own."""

    def __init__(self, job: str, task_id: int, parameters: dict[str, str], order: dict[str, str] | None) -> None:
        self.log: list[tuple[str, str]] = []
        self.lines = 0
        #: The task process's own object, known once it was created.
        self.instance = 0
        self._things: dict[int, Thing] = {}
        self._count = 0
        self.spooler = self._add(f"{_COM}spooler", v.SPOOLER_PROXY)
        self.job = self._add(f"{_COM}job")
        own_group = m.Property("subprocess_own_process_group_default", v.FALSE)
        self.task = self._add(f"{_COM}task", v.TASK_PROXY, own_group)
        self.task_log = self._add(f"{_COM}log", v.LOG_PROXY, m.Property("level", v.i4(-9)))
        self.spooler.properties |= {
            "id": v.bstr("simulated"),
            "hostname": v.bstr("localhost"),
            "tcp_port": v.i4(COMMAND_PORTS[0]),
        }
        self.job.properties |= {"name": v.bstr(job), "title": v.bstr(f"Simulated {job}")}
        self.task.properties |= {
            "id": v.i4(task_id),
            "params_xml": v.bstr(variable_set_xml(parameters)),
            "order_params_xml": v.bstr(variable_set_xml(order)) if order is not None else v.bstr(""),
            "order": v.dispatch(v.NULL_REFERENCE),
        }
        self._parameters = parameters
        self._order = order

    def begin_arguments(self) -> tuple[m.Variant, m.Variant]:
        """Objects and names for ``begin``."""
        things = (self.spooler, self.job, self.task, self.task_log)
        names = ("spooler", "spooler_job", "spooler_task", "spooler_log")
        objects = (v.dispatch(thing.reference) for thing in things)
        return v.variants(*objects), v.variants(*map(v.bstr, names))

    def serve(self, request: m.Request) -> Served:
        """Answers a callback; what it yields are the client's own calls inside of it."""
        match request:
            case m.KeepAlive():
                return v.DONE
            case m.Release():
                self._things.pop(request.object_id, None)
                return v.DONE
            case m.GetIdsOfNames() | m.Invoke():
                thing = self._things.get(request.object_id)
                if thing is None:
                    number = f"{request.object_id:016X}"
                    return v.error(f"Z-REMOTE-102   [{number[:8]}.{number[8:]}]")
                return _find(thing, request) if isinstance(request, m.GetIdsOfNames) else self._invoke(thing, request)
            case _:
                return v.error("COM-80004001  E_NOTIMPL")

    # --- members ---------------------------------------------------------------------------------------------------

    def _invoke(self, thing: Thing, request: m.Invoke) -> Served:
        name = (member_name(thing.title, request.dispid, request.flags) or "").lower()
        arguments = request.params.natural
        if not name:
            return v.failed(_MEMBER_NOT_FOUND, "Spooler", "DISP_E_MEMBERNOTFOUND")
        if thing is self.task_log:
            self._log(name, arguments)
            return v.returned(v.EMPTY)
        special = _SPECIAL.get((thing.title.rpartition("_")[2], name))
        if special is not None:
            return special(self, thing, request)
        if is_put(request.flags) and arguments:
            thing.properties[name] = _kept(arguments[-1])
            return v.returned(v.EMPTY)
        return v.returned(thing.properties.get(name, v.EMPTY))

    def _log(self, member: str, arguments: tuple[m.Variant, ...]) -> None:
        found = [argument.value for argument in arguments]
        if member == "log" and len(found) == 2 and isinstance(found[0], int):
            level, text = LEVELS.get(found[0], f"log{found[0]}"), found[1]
        elif member in _LOG_MEMBERS and len(found) == 1:
            level, text = member, found[0]
        else:
            return
        self.lines += 1
        if isinstance(text, str) and len(self.log) < MAX_LOG_LINES:
            self.log.append((level, text))

    def _get_job(self, _thing: Thing, request: m.Invoke) -> Served:
        wanted = "".join(str(argument.value) for argument in request.params.natural)
        text = f"SCHEDULER-161  There is no Job '{wanted}' (Calling Spooler.Spooler.job)"
        return v.failed(_EXCEPTION, "Spooler.Spooler", text)

    def _get_order(self, thing: Thing, _request: m.Invoke) -> Served:
        if self._order is None:
            return v.returned(thing.properties["order"])
        order = self._add("sos::scheduler::order::Order")
        order.properties |= {
            "id": v.bstr("order-1"),
            "state": v.bstr("first"),
            "title": v.bstr("Auftrag ü"),
            "priority": m.Variant(22, 7),
        }
        return v.returned(v.dispatch(order.reference))

    def _variable_set(self, thing: Thing, request: m.Invoke) -> Served:
        """A new variable set: of the task's parameters, the order's ones, the scheduler's variables."""
        if is_put(request.flags):
            return v.returned(v.EMPTY)
        created = self._add(f"{_COM}variable_set")
        source = self._parameters if thing is self.task else self._order if thing is not self.spooler else None
        created.variables |= {name: v.bstr(value) for name, value in (source or {}).items()}
        return v.returned(v.dispatch(created.reference))

    def _variable(self, thing: Thing, request: m.Invoke) -> Served:
        arguments = request.params.natural
        name = str(arguments[0].value) if arguments else ""
        if is_put(request.flags) and len(arguments) == 2:
            if len(thing.variables) < MAX_OBJECTS:
                thing.variables[name] = _kept(arguments[1])
            return v.returned(v.EMPTY)
        return v.returned(thing.variables.get(name, v.EMPTY))

    def _count_variables(self, thing: Thing, _request: m.Invoke) -> Served:
        return v.returned(v.i4(len(thing.variables)))

    def _variable_names(self, thing: Thing, _request: m.Invoke) -> Served:
        return v.returned(v.bstr(";".join(thing.variables)))

    def _variable_xml(self, thing: Thing, _request: m.Invoke) -> Served:
        texts = {name: value.value for name, value in thing.variables.items() if isinstance(value.value, str)}
        return v.returned(v.bstr(variable_set_xml(texts)))

    def _java_name(self, thing: Thing, _request: m.Invoke) -> Served:
        name = thing.title.removeprefix(_COM).rpartition("::")[2]
        return v.returned(v.bstr(f"sos.spooler.{name.capitalize()}"))

    def _execute_xml(self, _thing: Thing, request: m.Invoke) -> Script[m.Answer]:
        """Calls the task process back before it answers, which makes the dialog one level deeper."""
        command = "".join(str(argument.value) for argument in request.params.natural)
        yield v.call(self.instance, "call", v.bstr(f"spooler_nested({command})V"))
        return v.returned(v.bstr(f"{v.PROLOG}<spooler><answer><ok/></answer></spooler>\n"))

    def _add(self, title: str, proxy: bytes = v.NULL_GUID, *properties: m.Property) -> Thing:
        self._count += 1
        number = v.object_id(self._count, _SALT)
        thing = Thing(m.Reference(number, m.NewObject(title, proxy, properties)), title)
        if len(self._things) < MAX_OBJECTS:
            self._things[number] = thing
        return thing


_Special = Callable[[World, Thing, m.Invoke], Served]
_SPECIAL: dict[tuple[str, str], _Special] = {
    ("spooler", "job"): World._get_job,
    ("spooler", "execute_xml"): World._execute_xml,
    ("spooler", "variables"): World._variable_set,
    ("spooler", "create_variable_set"): World._variable_set,
    ("task", "order"): World._get_order,
    ("task", "params"): World._variable_set,
    ("sos::scheduler::order::Order", "params"): World._variable_set,
    ("sos::scheduler::order::Order", "java_class_name"): World._java_name,
    ("set", "var"): World._variable,
    ("set", "count"): World._count_variables,
    ("set", "names"): World._variable_names,
    ("set", "xml"): World._variable_xml,
    ("set", "java_class_name"): World._java_name,
}


def variable_set_xml(variables: dict[str, Any]) -> str:
    """A variable set as ``Params_xml`` gives it."""
    parts = "".join(f"<variable name={quoteattr(name)} value={quoteattr(value)}/>" for name, value in variables.items())
    size = sum(len(name) + len(value) + 43 for name, value in variables.items())
    head = f'<sos.spooler.variable_set count="{len(variables)}" estimated_byte_count="{size}"'
    return f"{v.PROLOG}{head}{f'>{parts}</sos.spooler.variable_set>' if parts else '/>'}\n"


@lru_cache(maxsize=4096)
def dispid_of(title: str, name: str) -> int | None:
    """Dispid of a member, whatever the case of its name; None for an unknown one."""
    return next((member.dispid for member in class_members(title) if member.name.lower() == name.lower()), None)


def _find(thing: Thing, request: m.GetIdsOfNames) -> m.GetIdsOfNamesAnswer:
    found = [dispid_of(thing.title, name) for name in request.names]
    known = [dispid for dispid in found if dispid is not None]
    if len(known) < len(found):
        return m.GetIdsOfNamesAnswer(_UNKNOWN_NAME, None)
    return m.GetIdsOfNamesAnswer(0, tuple(known))


def _kept(value: m.Variant) -> m.Variant:
    """A value as it is sent back: an object that was new is so no more."""
    if isinstance(value.value, m.Reference) and value.value.new is not None:
        return m.Variant(value.vt, m.Reference(value.value.object_id, None))
    return value
