"""One task by hand, message by message: the failing shell job that most tests of this floor draw.

``Sample`` builds its messages on two connections; times are milliseconds from the task's start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dissector.model import (
    CaptureInfo,
    Connection,
    Counts,
    Endpoint,
    LogLine,
    Mark,
    Message,
    ObjectInfo,
    Outcome,
    Problem,
    Role,
    Severity,
    Task,
)
from dissector.wire import messages as wire
from dissector.wire.control import parse_answer, parse_command
from dissector.wire.decode import encode

SECOND = 1_000_000_000
#: 2026-11-22 04:07:04.837 UTC
START = 1_795_320_424 * SECOND + 837_000_000
NULL_GUID = bytes(16)
INSTANCE, TASK, LOG = 0xC835_CDFE_0000_0001, 0x161A_073B_0000_0003, 0x9FEA_A857_0000_0004
OBJECTS = {
    INSTANCE: ObjectInfo(None, "sos::scheduler::Com_remote_module_instance_server"),
    TASK: ObjectInfo("spooler_task", "sos::scheduler::com_objects::Com_task"),
    LOG: ObjectInfo("spooler_log", "sos::scheduler::com_objects::Com_log"),
}


def at(milliseconds: float) -> int:
    return START + round(milliseconds * 1_000_000)


def bstr(text: str) -> wire.Variant:
    return wire.Variant(8, text)


def strings(*texts: str) -> wire.Variant:
    return wire.Variant(0x200C, wire.SafeArray(0x0880, 0, 12, tuple(map(bstr, texts))))


def params(*arguments: wire.Variant) -> wire.DispParams:
    """Arguments as a programmer writes them; the wire has them the other way round."""
    return wire.DispParams((), arguments[::-1])


def log_text(level: int, text: str) -> wire.Invoke:
    return wire.Invoke(LOG, 14, NULL_GUID, 0, 1, params(wire.Variant(3, level), bstr(text)))


EMPTY_ANSWER = wire.InvokeAnswer(0, wire.Variant(0, None), None)
TRUE_ANSWER = wire.CallAnswer(0, wire.Variant(11, True))


class Sample:
    """``messages`` of ``task`` in order; ``request`` and ``answer`` add to them."""

    def __init__(self) -> None:
        self.command = Connection(Endpoint("10.1.0.10", 47406), Endpoint("10.2.0.10", 4455), at(-1), 10)
        self.callback = Connection(Endpoint("10.2.0.10", 40004), Endpoint("10.1.0.10", 59999), at(0.6), 17)
        self.task = Task(at(0), 10, n=1, client=self.command.client, remote=self.command.server)
        self.messages: list[Message] = []
        self.problems: list[Problem] = []
        for number, connection in enumerate((self.command, self.callback), 1):
            connection.n = number
            connection.task = self.task
            connection.syns = [Mark(connection.first_packet, connection.start)]
            connection.syn_acks = [Mark(connection.first_packet + 1, connection.start + 9_000)]
            connection.end = at(15)
        self.command.role, self.callback.role = Role.COMMAND, Role.CALLBACK
        self.task.command, self.task.callback = self.command, self.callback

    def _add(self, connection: Connection, time: float, packet: int, to_remote: bool, kind: str, body: Any) -> Message:
        document = connection is self.command
        raw = body.text.encode("latin-1") if document else encode(body)
        size = len(raw) + (0 if document else 4)
        number = len(self.messages) + 1
        message = Message(number, connection, at(time), (packet,), to_remote, kind, None, body, raw, size, self.task)
        self.messages.append(message)
        return message

    def say(self, time: float, packet: int, xml: str) -> Message:
        """A command of the client."""
        message = self._add(self.command, time, packet, True, "command", parse_command(xml.encode("latin-1")))
        message.operation = message.body.element
        return message

    def reply(self, time: float, packet: int, request: Message, content: str) -> Message:
        xml = f"<spooler><answer>{content}</answer></spooler>"
        message = self._add(self.command, time, packet, False, "command_answer", parse_answer(xml.encode("latin-1")))
        return self._pair(message, request)

    def request(
        self,
        time: float,
        packet: int,
        to_remote: bool,
        operation: str,
        body: Any,
        member: str | None = None,
        depth: int = 0,
    ) -> Message:
        kind = "keep_alive" if operation == "keep_alive" else "request"
        message = self._add(self.callback, time, packet, to_remote, kind, body)
        message.operation, message.member, message.depth = operation, member, depth
        message.object_id = getattr(body, "object_id", None)
        message.objects = OBJECTS
        message.object_name, message.object_class = OBJECTS.get(message.object_id or 0, (None, None))
        return message

    def answer(self, time: float, packet: int, request: Message, body: Any) -> Message:
        kind = "error" if isinstance(body, wire.ErrorAnswer) else "answer"
        message = self._add(self.callback, time, packet, not request.to_remote, kind, body)
        message.objects = OBJECTS
        return self._pair(message, request)

    def _pair(self, answer: Message, request: Message) -> Message:
        answer.request, answer.answers, request.answered_by = request, request.n, answer.n
        answer.latency = answer.time - request.time
        for name in ("operation", "member", "object_id", "object_name", "object_class", "depth"):
            setattr(answer, name, getattr(request, name))
        return answer

    def problem(self, code: str, severity: Severity, packets: tuple[int, ...], *texts: str) -> Problem:
        summary, cause, remedy = (*texts, "", "")[:3]
        problem = Problem(code, severity, at(12), packets, summary, cause, remedy, task=self.task)
        self.problems.append(problem)
        self.task.problems.append(problem)
        return problem

    @property
    def events(self) -> list[Any]:
        return [*self.messages, *self.problems, self.command, self.callback, self.task]


def failing_job() -> Sample:
    """A shell job that ends with exit code 5."""
    sample = Sample()
    start = sample.say(0, 13, '<remote_scheduler.start_remote_task tcp_port="59999" kind="process"/>')
    sample.reply(0.459, 15, start, '<process process_id="1"/>')
    create = wire.CreateInstance(
        0, bytes.fromhex("feee47a36c1b11d88103000476ee8afb"), wire.Reference(0, None), 0, (NULL_GUID,)
    )
    asked = sample.request(0.969, 20, True, "create_instance", create)
    instance = wire.Reference(
        INSTANCE, wire.NewObject("sos::scheduler::Com_remote_module_instance_server", NULL_GUID, ())
    )
    sample.answer(1.169, 22, asked, wire.CreateInstanceAnswer(0, (wire.InterfaceResult(0, instance),)))
    script = '<source><source_part linenr="11">echo failing\nexit 5</source_part></source>'
    settings = strings("language=shell", f"script={script}", "job=shell_fail", "task_id=1", "com_class=")
    asked = sample.request(1.704, 24, True, "call", wire.Call(INSTANCE, "construct", params(settings)), "construct")
    sample.answer(1.904, 25, asked, TRUE_ANSWER)
    names = strings("spooler_task", "spooler_log")
    begin = sample.request(2.167, 26, True, "call", wire.Call(INSTANCE, "begin", params(names, names)), "begin")
    lookup = wire.GetIdsOfNames(TASK, NULL_GUID, 0, ("Params_xml",))
    asked = sample.request(2.4, 27, False, "get_ids_of_names", lookup, "Params_xml", 1)
    sample.answer(2.5, 28, asked, wire.GetIdsOfNamesAnswer(0, (35,)))
    get = wire.Invoke(TASK, 35, NULL_GUID, 0, 2, params())
    asked = sample.request(2.644, 29, False, "invoke", get, "Params_xml", 1)
    sample.answer(2.7, 30, asked, wire.InvokeAnswer(0, bstr("<sos.spooler.variable_set/>"), None))
    sample.answer(3.7, 37, begin, TRUE_ANSWER)
    step = sample.request(7.7, 38, True, "call", wire.Call(INSTANCE, "step", params()), "step")
    asked = sample.request(8.0, 39, False, "invoke", log_text(0, "failing\nfor good\n"), "log", 1)
    sample.answer(8.1, 40, asked, EMPTY_ANSWER)
    result = '<process.result spooler_process_result="false" exit_code="5" state_text="failing"/>'
    sample.answer(12.3, 41, step, wire.CallAnswer(0, bstr(result)))
    release = sample.request(12.575, 42, True, "release", wire.Release(INSTANCE))
    asked = sample.request(12.8, 43, False, "release", wire.Release(TASK), None, 1)
    sample.answer(12.9, 44, asked, wire.EmptyAnswer())
    sample.answer(13.8, 45, release, wire.EmptyAnswer())
    close = sample.say(14.031, 54, "<remote_scheduler.remote_task.close process_id='1'/>")
    sample.reply(14.408, 55, close, "<ok/>")
    sample.callback.sides[1].fin = Mark(51, at(13.9))
    sample.callback.sides[1].rst = Mark(52, at(13.91))
    task = sample.task
    task.end, task.callback_port, task.callback_peer = at(15), 59999, sample.callback.client
    task.kind, task.process_id, task.job, task.task_id = "process", 1, "shell_fail", 1
    task.callback_delay, task.outcome, task.exit_code = 600_000, Outcome.FAILURE, 5
    task.counts = Counts(messages=18, calls=5, callbacks=4, log_lines=1, bytes=2_000)
    task.log = [LogLine(at(8.0), "info", "failing\nfor good\n", 39)]
    sample.problem(
        "job_failed",
        Severity.ERROR,
        (41,),
        'The job\'s process ended with exit code 5 ("failing").',
        "the script itself: everything on the wire went as it should",
        "read the task's log",
    )
    return sample


def capture() -> CaptureInfo:
    return CaptureInfo("engine_shell_fail.pcap", 59, 57, at(0), at(15), "EN10MB")


def golden(name: str) -> str:
    """What a screen has to look like, to the last blank."""
    return (Path(__file__).resolve().parent.parent / "golden" / f"{name}.txt").read_text(encoding="utf-8")
