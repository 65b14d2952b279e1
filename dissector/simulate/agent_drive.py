"""The calls that a master of releases 1.10 and later makes of a task (docs/agent.md#order-of-events)."""

from __future__ import annotations

from xml.sax.saxutils import escape

from dissector.simulate import values as v
from dissector.simulate.dialog import Script
from dissector.simulate.drive import Drive
from dissector.wire import messages as m

_ELEMENTS = 20


class AgentDrive(Drive):
    """Waits for subprocesses before the release, and says construct's texts in the order of those releases."""

    def _construct(self) -> m.Variant:
        scenario = self._scenario
        source = f'<source><source_part linenr="1">{escape(scenario.source)}</source_part></source>'
        pairs = {
            "language": "shell" if scenario.is_shell else "java",
            "com_class": "",
            "filename": "",
            "java_class": "" if scenario.is_shell else type(scenario.job).__name__,
            "java_options": "",
            "java_class_path": "",
            "script": v.PROLOG + (source if scenario.is_shell else "<source/>"),
            "job": scenario.name,
            "task_id": str(self._task_id),
            "environment": f'{v.PROLOG}<environment><variable name="SCHEDULER_ID" value="simulated"/>'
            f'<variable name="SCHEDULER_TASK_ID" value="{self._task_id}"/></environment>',
        }
        elements = [v.bstr(f"{key}={value}") for key, value in pairs.items()]
        return v.variants(*elements, *[v.EMPTY] * (_ELEMENTS - len(elements)))

    def _last(self) -> Script[None]:
        yield from self._call("waitForSubprocesses")
