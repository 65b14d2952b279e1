"""What the spans of a task are: the task, its calls and callbacks inside of each other, its problems as events.

Nothing of OpenTelemetry's own is used here.  Times are nanoseconds since the epoch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from dissector.model import Message, Task
from dissector.render.alike import problem_rows
from dissector.render.by_task import TaskEvents
from dissector.render.exchanges import exchange_steps
from dissector.render.rows import outcome_words
from dissector.render.text import escape
from dissector.render.words import Words
from dissector.reports.summary import has_failed
from dissector.wire.masking import Mask

#: What an attribute can be.
Value = str | int | bool | Sequence[int]
Attributes = dict[str, Value]

#: W3C's Trace Context, as an environment variable, a parameter or a line of a log has it.
_TRACEPARENT = re.compile(
    rb"(?i)traceparent[^\w]{1,4}(?:value[^\w]{1,4})?00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?![\w-])"
)
#: Calls inside of each other that have spans inside of each other; deeper ones are beside the last.
_DEEPEST = 50
_COMMANDS = ("command", "command_answer")
_ANSWERS = ("answer", "error", "command_answer")


class SpanEvent(NamedTuple):
    time: int
    name: str
    attributes: Attributes


@dataclass(slots=True)
class TaskSpan:
    """``failed``: why, in words; None where nothing did."""

    name: str
    start: int
    end: int
    attributes: Attributes
    failed: str | None = None
    events: list[SpanEvent] = field(default_factory=list)
    inside: list[TaskSpan] = field(default_factory=list)


class TraceIds(NamedTuple):
    """Of one task: its trace, and the span of another program that the job was started in (0: none)."""

    trace: int
    parent: int = 0


def trace_ids(task: Task, messages: Sequence[Message]) -> TraceIds:
    """The trace that the task's own messages name (``traceparent``), else one of its own, the same in every run."""
    for message in messages:
        if (found := _TRACEPARENT.search(message.raw)) is not None:
            trace, parent = (int(number, 16) for number in found.groups())
            if trace and parent:
                return TraceIds(trace, parent)
    facts = (task.start, task.client, task.remote, task.callback_port, task.process_id, task.job, task.task_id)
    return TraceIds(int.from_bytes(blake2b(repr(facts).encode(), digest_size=16).digest(), "big") or 1)


def task_span(task: Task, conversation: TaskEvents, mask: Mask) -> TaskSpan:
    messages = sorted(conversation.messages, key=lambda message: message.n)
    end = max([task.end or task.start, *(message.time for message in messages)])
    job = escape(mask.text(task.job or ""))
    root = TaskSpan(f"task {job}".rstrip(), task.start, end, _about(task, job))
    if has_failed(task):
        root.failed = outcome_words(task)
    root.events = [*_problems(conversation, mask)]
    root.inside = [*_calls(messages, mask, end), *_exchanges(conversation, mask)]
    return root


def _about(task: Task, job: str) -> Attributes:
    known: dict[str, Value | None] = {
        "jobscheduler.task": task.n,
        "jobscheduler.job": job or None,
        "jobscheduler.task_id": task.task_id,
        "jobscheduler.kind": escape(task.kind) if task.kind is not None else None,
        "jobscheduler.via": task.via,
        "jobscheduler.outcome": task.outcome.value,
        "jobscheduler.exit_code": task.exit_code,
        "jobscheduler.signal": task.signal,
        "jobscheduler.process_id": task.process_id,
        "jobscheduler.callback_port": task.callback_port,
        "jobscheduler.callback_delay_ns": task.callback_delay,
        "process.pid": task.pid,
        "client.address": task.client.ip if task.client is not None else None,
        "client.port": task.client.port if task.client is not None else None,
        "server.address": task.remote.ip if task.remote is not None else None,
        "server.port": task.remote.port if task.remote is not None else None,
        "jobscheduler.packet": task.first_packet,
    }
    return {name: value for name, value in known.items() if value is not None}


def _problems(conversation: TaskEvents, mask: Mask) -> Iterator[SpanEvent]:
    for problem in sorted(conversation.problems, key=lambda one: one.time):
        (row,) = problem_rows([problem], mask)
        texts = {"summary": row.summary, "cause": row.cause, "remedy": row.remedy, "severity": row.severity.value}
        about: Attributes = {f"jobscheduler.{name}": text for name, text in texts.items() if text}
        yield SpanEvent(problem.time, row.code, about | {"jobscheduler.packets": list(problem.packets)})


def _calls(messages: Sequence[Message], mask: Mask, end: int) -> Iterator[TaskSpan]:
    """A span for a request with its answer, callbacks inside of the call that they interrupt; a request without an
    answer lasts as long as the task."""
    words = Words(mask)
    answers = {message.answers: message for message in messages if message.answers is not None}
    parents: list[TaskSpan] = []
    for message in messages:
        if message.answers is not None or message.kind in _ANSWERS:
            continue
        span = _call(message, answers.get(message.n), words, end)
        if message.kind in _COMMANDS:
            yield span
            continue
        del parents[min(message.depth, _DEEPEST) :]
        if parents:
            parents[-1].inside.append(span)
        else:
            yield span
        parents.append(span)


def _call(message: Message, answer: Message | None, words: Words, end: int) -> TaskSpan:
    about: Attributes = {
        "jobscheduler.request": words.request(message),
        "jobscheduler.packets": list(message.packets + (answer.packets if answer is not None else ())),
        "jobscheduler.callback": not message.to_remote,
    }
    span = TaskSpan(_name(message), message.time, answer.time if answer is not None else end, about)
    if answer is None:
        span.failed = "no answer" if message.kind != "undecoded" else None
        return span
    said = words.answer(answer)
    if said.text:
        about["jobscheduler.answer"] = said.text
    span.failed = said.text if said.failed else None
    return span


def _name(message: Message) -> str:
    """What many spans can have in common: ``spooler_task.Params_xml``, ``step``."""
    name = message.member if message.operation in ("invoke", "call") else message.operation
    owner = f"{message.object_name}." if message.operation == "invoke" and message.object_name else ""
    return escape(f"{owner}{name or message.operation or message.kind}")


def _exchanges(conversation: TaskEvents, mask: Mask) -> Iterator[TaskSpan]:
    """Commands to a Universal Agent."""
    for step in exchange_steps(conversation.exchanges, mask, every=False):
        about: Attributes = {"jobscheduler.request": step.label, "jobscheduler.packets": list(step.packets)}
        failed = step.said.text if step.said.failed else None
        name = step.label.partition("(")[0]
        yield TaskSpan(name, step.time, step.time + (step.latency or 0), about, failed)
