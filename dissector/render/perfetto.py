"""Tasks as a trace for https://ui.perfetto.dev and chrome://tracing (the Trace Event Format, JSON).

A process is a host, a track in it a task: on the client its commands, on the remote host its calls with the callbacks
nested inside of them; an arrow leads from the start command to the callback connection's first call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from dissector.model import CaptureInfo, Event, Message, Task
from dissector.render.alike import problem_rows
from dissector.render.by_task import EventsByTask, TaskEvents
from dissector.render.charts.view import title_of
from dissector.render.exchanges import exchange_steps
from dissector.render.text import escape
from dissector.render.times import iso
from dissector.render.words import Words
from dissector.wire.control import START_TASK
from dissector.wire.masking import Mask

Record = dict[str, Any]


class PerfettoView:
    """Writes one JSON object at the end; times are microseconds since the first task's start (``otherData``)."""

    wants_messages = True

    def __init__(self, out: TextIO, mask: Mask) -> None:
        self._out = out
        self._mask = mask
        self._all = EventsByTask()
        #: Hosts by address.
        self._hosts: dict[str, int] = {}
        self._start = 0

    def add(self, event: Event) -> None:
        self._all.add(event)

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:  # noqa: ARG002  a view's shape
        tasks = self._all.tasks()
        self._start = min((task.start for task, _ in tasks), default=0)
        about = {"start": iso(self._start)} if tasks else {}
        self._out.write(f'{{"displayTimeUnit": "ms", "otherData": {json.dumps(about)}, "traceEvents": [')
        first = True
        for task, conversation in tasks:
            for record in self._task(task, conversation):
                self._out.write(("\n" if first else ",\n") + json.dumps(record))
                first = False
        self._out.write("\n]}\n")
        self._out.flush()

    def _task(self, task: Task, conversation: TaskEvents) -> Iterator[Record]:
        names = (task.client.ip if task.client is not None else "client", str(task.remote or "remote"))
        client, remote = (self._host(name) for name in names)
        yield from self._names(task, {client: names[0], remote: names[1]})
        end = task.end or max((message.time for message in conversation.messages), default=task.start)
        about: Record = {"outcome": task.outcome.value, "exit_code": task.exit_code, "packet": task.first_packet}
        yield self._slice(remote, task.n, task.start, end - task.start, title_of(task, self._mask), about)
        answers = {one.answers: one for one in conversation.messages if one.answers is not None}
        flow = {"cat": "callback", "name": "callback", "id": task.n}
        has_flow = task.callback_delay is not None
        for message in sorted(conversation.messages, key=lambda one: one.time):
            if message.answers is not None:
                continue
            is_command = message.kind == "command"
            host = client if is_command else remote
            yield self._call(host, task, message, answers.get(message.n), end)
            if has_flow and message.operation == START_TASK:
                yield self._event("s", client, task.n, message.time, **flow)
            elif has_flow and message.operation == "create_instance":
                has_flow = False
                yield self._event("f", remote, task.n, message.time, bp="e", **flow)
        for step in exchange_steps(conversation.exchanges, self._mask, every=False):
            about = {"answer": step.said.text, "packets": list(step.packets)}
            yield self._slice(client, task.n, step.time, step.latency or 0, step.label, about)
        for problem in conversation.problems:
            (row,) = problem_rows([problem], self._mask)
            proof = {"cause": row.cause, "remedy": row.remedy, "packets": row.packets}
            name = f"{row.code}: {row.summary}"
            yield self._event("i", remote, task.n, problem.time, name=name, s="t", args=proof)

    def _host(self, address: str) -> int:
        return self._hosts.setdefault(address, len(self._hosts) + 1)

    def _names(self, task: Task, hosts: dict[int, str]) -> Iterator[Record]:
        for host, address in hosts.items():
            yield {"ph": "M", "pid": host, "name": "process_name", "args": {"name": address}}
            name = f"task {task.n}  {escape(self._mask.text(task.job or ''))}".rstrip()
            yield {"ph": "M", "pid": host, "tid": task.n, "name": "thread_name", "args": {"name": name}}

    def _call(self, host: int, task: Task, message: Message, answer: Message | None, end: int) -> Record:
        """A request and its answer; one without an answer lasts as long as the task."""
        words = Words(self._mask)
        said = words.answer(answer).text if answer is not None else "no answer"
        about = {"answer": said, "packets": list(message.packets + (answer.packets if answer is not None else ()))}
        until = answer.time if answer is not None else end
        return self._slice(host, task.n, message.time, until - message.time, words.request(message), about)

    def _slice(self, host: int, track: int, start: int, length: int, name: str, about: Record) -> Record:
        return self._event("X", host, track, start, name=name, dur=max(length, 0) / 1e3, args=about)

    def _event(self, phase: str, host: int, track: int, time: int, **more: Any) -> Record:
        return {"ph": phase, "pid": host, "tid": track, "ts": (time - self._start) / 1e3, **more}
