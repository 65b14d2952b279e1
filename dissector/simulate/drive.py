"""The client scheduler's side of a dialog: the calls that a task is made of (docs/protocol.md#life-of-a-task)."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from dissector.ports import COMMAND_PORTS
from dissector.simulate import values as v
from dissector.simulate.dialog import Script
from dissector.simulate.objects import World
from dissector.simulate.scenario import Scenario
from dissector.wire import messages as m
from dissector.wire.details import process_result

_ELEMENTS = 18
#: Steps of a job that never says that it is through.
_MAX_STEPS = 100


class Drive:
    """Runs one task from ``create_instance`` to ``release``; then tells how it went."""

    def __init__(self, scenario: Scenario, task_id: int) -> None:
        order = {"p1": "v1", "umlaut": "äöüß"} if scenario.order else None
        self.world = World(scenario.name, task_id, dict(scenario.parameters), order)
        self.exit_code: int | None = None
        self.signal: int | None = None
        self.failed = False
        self._scenario = scenario
        self._task_id = task_id

    def script(self) -> Script[None]:
        answer = yield m.CreateInstance(0, v.SERVER_CLSID, v.NULL_REFERENCE, 0, (v.SERVER_IID,))
        if not isinstance(answer, m.CreateInstanceAnswer) or not answer.results:
            self.failed = True
            return
        self.world.instance = answer.results[0].object.object_id
        if (yield from self._call("construct", self._construct())) == v.TRUE:
            if (yield from self._call("begin", *self.world.begin_arguments())) == v.TRUE:
                yield from self._shell() if self._scenario.is_shell else self._api()
            else:
                self.failed = True
        yield from self._last()
        yield m.Release(self.world.instance)

    def _construct(self) -> m.Variant:
        """What construct is called with."""
        return _construct(self._scenario, self._task_id)

    def _last(self) -> Script[None]:
        """What is asked before the release."""
        yield from ()

    def _shell(self) -> Script[None]:
        result = yield from self._call("step")
        text = result.value if result is not None else None
        found = process_result(text) if isinstance(text, str) else None
        if found is None:
            self.failed = True
            return
        self.exit_code = found.exit_code
        self.signal = found.signal_number
        self.failed = self.failed or bool(self.exit_code or self.signal)

    def _api(self) -> Script[None]:
        opened = yield from self._call("call", v.bstr("spooler_open()Z"))
        if opened is not None:
            for _ in range(_MAX_STEPS):
                if (yield from self._call("step")) != v.TRUE or self._scenario.order:
                    break
        yield from self._call("end", v.boolean(not self.failed))
        outcome = "error" if self.failed else "success"
        yield from self._call("call", v.bstr(f"spooler_on_{outcome}()V"))
        yield from self._call("call", v.bstr("spooler_exit()V"))

    def _call(self, name: str, *arguments: m.Variant) -> Script[m.Variant | None]:
        """The result; None after an error answer, which the task then fails with."""
        answer = yield v.call(self.world.instance, name, *arguments)
        if isinstance(answer, m.CallAnswer) and not m.is_failed(answer.hresult):
            return answer.result
        self.failed = True
        return None


def _construct(scenario: Scenario, task_id: int) -> m.Variant:
    """The array of ``key=value`` texts, its unused tail EMPTY."""
    language, java_class = ("shell", "") if scenario.is_shell else ("java", type(scenario.job).__name__)
    script = f'<source><source_part linenr="10"><![CDATA[{scenario.source}]]></source_part></source>\n'
    pairs = {
        "language": language,
        "com_class": "",
        "filename": "",
        "java_class": java_class,
        "java_options": " ",
        "java_class_path": "",
        "recompile": "1",
        "script": v.PROLOG + (script if scenario.is_shell else "<source/>\n"),
        "job": scenario.name,
        "task_id": str(task_id),
        "environment": _environment(scenario.name, task_id),
        "process.filename": "",
        "process.param_raw": "",
        "process.log_filename": "",
        "process.ignore_error": "0",
        "process.ignore_signal": "0",
    }
    if scenario.order:
        pairs["has_order"] = "1"
    elements = [v.bstr(f"{key}={value}") for key, value in pairs.items()]
    return v.variants(*elements, *[v.EMPTY] * (_ELEMENTS - len(elements)))


def _environment(job: str, task_id: int) -> str:
    values = {
        "SCHEDULER_JOB_NAME": job,
        "SCHEDULER_TASK_ID": str(task_id),
        "SCHEDULER_HOST": "localhost",
        "SCHEDULER_TCP_PORT": str(COMMAND_PORTS[0]),
    }
    inner = "".join(f"<variable name={quoteattr(name)} value={quoteattr(value)}/>" for name, value in values.items())
    return f'{v.PROLOG}<environment count="{len(values)}">{inner}</environment>\n'
