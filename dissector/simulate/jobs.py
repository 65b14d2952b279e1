"""What runs in a task process: the jobs of the scenarios, as scripts.

Everything that a job does goes through its ``TaskProcess``, which asks the client's objects back.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from dissector.simulate import values as v
from dissector.simulate.dialog import Pause, Script, Vanish
from dissector.simulate.process import Job, JobFailed, TaskProcess
from dissector.wire import messages as m

#: Longest wait for a kill that may never come.
_PATIENCE = 3_600.0


# --- shell jobs ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShellJob(Job):
    """A script: its output comes with the release, as the engine sends what a short script wrote."""

    out: str = "hello from shell\na=1 u=äöü"
    err: str = "err"
    exit_code: int = 0
    signal: int = 0

    def begin(self, process: TaskProcess) -> Script[bool]:
        yield from process.get("spooler_task", "Params_xml")
        yield from process.get("spooler_task", "Order_params_xml")
        yield from process.output("SCHEDULER-987  Starting process: '/bin/sh' '-c' '\"/var/temp/sos.simulated\"'")
        return True

    def step(self, process: TaskProcess) -> Script[m.Variant]:
        yield from self.run(process)
        signal = 9 if process.killed else self.signal
        success = "false" if signal or self.exit_code else "true"
        signal_text = f' signal="{signal}"' if signal else ""
        state = quoteattr(self.out.partition("\n")[0][:100])
        attributes = f'spooler_process_result="{success}" exit_code="{self.exit_code}"{signal_text}'
        return v.bstr(f"{v.PROLOG}<process.result {attributes} state_text={state}/>")

    def run(self, process: TaskProcess) -> Script[None]:  # noqa: ARG002  a job's shape
        """What happens while the script runs."""
        yield from ()

    def leave(self, process: TaskProcess) -> Script[None]:
        for text in (self.out, self.err):
            if text:
                yield from process.output(text)


class SleepingJob(ShellJob):
    """Works for a while without a word."""

    def run(self, process: TaskProcess) -> Script[None]:
        yield from process.pause(process.pace.work)


class WaitingJob(ShellJob):
    """Works until it is killed, or until its client is gone."""

    def run(self, process: TaskProcess) -> Script[None]:
        yield from process.pause(_PATIENCE)


class TalkingJob(ShellJob):
    """Writes a line now and then."""

    def run(self, process: TaskProcess) -> Script[None]:
        for number in range(1, 5):
            yield from process.pause(process.pace.work / 4)
            yield from process.output(f"line {number} of 4")


class WordyJob(ShellJob):
    """Writes a great many lines."""

    def run(self, process: TaskProcess) -> Script[None]:
        for number in range(1, process.pace.log_lines + 1):
            yield from process.output(f"line {number}")


class KeptAliveJob(ShellJob):
    """Works silently with keep-alives, also between two callbacks, as releases from 1.9.4 on do."""

    def run(self, process: TaskProcess) -> Script[None]:
        for number in range(1, 5):
            yield from process.pause(process.pace.work / 4)
            yield m.KeepAlive()
            if number == 2:
                yield from process.output("half way")


# --- API jobs ------------------------------------------------------------------------------------------------------


class ApiJob(Job):
    """A Java job that uses the job API: log levels, properties, variable sets."""

    def begin(self, process: TaskProcess) -> Script[bool]:
        yield from process.log("info", "init: Grüße aus ApiJob äöüß")
        yield from process.log("debug1", "a debug line")
        yield from process.log("debug9", "finest detail")
        yield from process.log("warn", "a warning")
        return True

    def call(self, process: TaskProcess, method: str) -> Script[m.Variant]:
        if method in ("spooler_open()Z", "spooler_exit()V"):
            yield from process.log("info", method[8:12])
        return (yield from Job.call(self, process, method))

    def step(self, process: TaskProcess) -> Script[m.Variant]:
        host = yield from process.get("spooler", "hostname")
        name = yield from process.get("spooler_job", "name")
        title = yield from process.get("spooler_job", "title")
        yield from process.log("info", f"host={host.value} job={name.value} title={title.value}")
        parameters = yield from process.get_object("spooler_task", "params")
        yield from process.get(parameters, "count")
        first = yield from process.get(parameters, "var", v.bstr("a"))
        second = yield from process.get(parameters, "var", v.bstr("umlaut"))
        names = yield from process.get(parameters, "names")
        yield from process.log("info", f"a={first.value} umlaut={second.value} names={names.value}")
        yield from process.put(parameters, "var", v.bstr("ok"), v.bstr("result"))
        yield from process.get(parameters, "xml")
        yield from process.get("spooler_task", "order")
        yield from process.put("spooler_task", "history_field", v.bstr("hv"), v.bstr("hf"))
        yield from process.release(parameters)
        return v.FALSE

    def end(self, process: TaskProcess) -> Script[None]:
        yield from process.log("info", "close")


class OrderJob(Job):
    """A Java job that works on an order."""

    def step(self, process: TaskProcess) -> Script[m.Variant]:
        order = yield from process.get_object("spooler_task", "order")
        found = []
        for name in ("id", "state", "title", "priority"):
            value = yield from process.get(order, name)
            found.append(f"{name}={value.value}")
        yield from process.log("info", "order " + " ".join(found))
        parameters = yield from process.get_object(order, "params")
        value = yield from process.get(parameters, "var", v.bstr("p1"))
        yield from process.log("info", f"p1={value.value}")
        yield from process.put(parameters, "var", v.bstr("vom Job gesetzt: äöü"), v.bstr("out"))
        yield from process.put(order, "state_text", v.bstr("state text"))
        yield from process.release(order)
        yield from process.release(parameters)
        return v.TRUE


class VariantJob(Job):
    """Puts a value of every VARIANT type into a variable set and gets it back."""

    def step(self, process: TaskProcess) -> Script[m.Variant]:
        box = yield from process.get_object("spooler", "variables")
        equal = 0
        for name, value in v.every_variant():
            yield from process.put(box, "var", value, v.bstr(name))
            back = yield from process.get(box, "var", v.bstr(name))
            equal += back == value
        yield from process.log("info", f"{equal} of {len(v.every_variant())} values came back")
        yield from process.release(box)
        return v.FALSE


class UnluckyJob(Job):
    """Survives two calls that fail, dies of its own exception."""

    def step(self, process: TaskProcess) -> Script[m.Variant]:
        answer = yield from process.ask("spooler", "job", v.bstr("/not_existing"))
        if isinstance(answer, m.InvokeAnswer) and answer.failure is not None:
            yield from process.log("warn", f"caught 1: {answer.failure.excepinfo.description}")
        answer = yield v.lookup(v.object_id(77, 77), "nothing")
        if isinstance(answer, m.ErrorAnswer):
            yield from process.log("warn", f"caught 2: {answer.part('what=')}")
        raise JobFailed('java.lang.RuntimeException("Absichtlicher Fehler: Größe ist falsch")')


class NestedJob(Job):
    """Asks the client, which asks back, which asks the client again: three times inside each other."""

    def step(self, process: TaskProcess) -> Script[m.Variant]:
        yield from process.invoke("spooler", "Execute_xml", v.bstr("3"))
        return v.FALSE

    def call(self, process: TaskProcess, method: str) -> Script[m.Variant]:
        level = method.removeprefix("spooler_nested(")[:1]
        if method.startswith("spooler_nested(") and level in ("1", "2", "3"):
            yield from process.log("info", f"nested {level}")
            if level != "1":
                yield from process.invoke("spooler", "Execute_xml", v.bstr(str(int(level) - 1)))
        return (yield from Job.call(self, process, method))


class DyingJob(Job):
    """Its process is killed in the middle of a step."""

    def step(self, process: TaskProcess) -> Script[m.Variant]:
        yield from process.log("info", "about to die")
        yield from process.pause(min(0.05, process.pace.work))
        yield Vanish()
        yield Pause(_PATIENCE)
        return v.FALSE
