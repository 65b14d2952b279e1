"""The same job in two captures: where the messages part, and where the time went.  Durations in nanoseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

from dissector.errors import UsageError
from dissector.limits import MAX_COMPARED
from dissector.model import Message, Task
from dissector.wire import messages as wire

#: What a message is compared by: direction, kind, operation, object, member.
Token = tuple[bool, str, str, str, str]
#: The rest of the time: waiting for the process, for the other end, for the capture to end.
OUTSIDE = "outside of calls"
START = "start of the process"


class DiffPart(NamedTuple):
    """A stretch of both sequences: ``tag`` is equal, delete, insert or replace (see difflib)."""

    tag: str
    a: Sequence[Message]
    b: Sequence[Message]


class Answers(NamedTuple):
    """The same call with another answer."""

    a: Message
    b: Message


class Spent(NamedTuple):
    """Calls of one member, and the time in them without that of the calls inside of them."""

    name: str
    to_remote: bool
    calls_a: int
    calls_b: int
    time_a: int
    time_b: int

    @property
    def change(self) -> int:
        return self.time_b - self.time_a


@dataclass(frozen=True, slots=True)
class Recording:
    """A task with its messages in order."""

    name: str
    task: Task
    messages: Sequence[Message]

    @property
    def duration(self) -> int:
        return max(self.task.end - self.task.start, 0)


@dataclass(frozen=True, slots=True)
class Difference:
    a: Recording
    b: Recording
    parts: Sequence[DiffPart]
    answers: Sequence[Answers]
    spent: Sequence[Spent]

    @property
    def alike(self) -> bool:
        """True when both say the same in the same order, with the same answers."""
        return not self.answers and all(part.tag == "equal" for part in self.parts)


def compare(a: Recording, b: Recording) -> Difference:
    """Compares two tasks.  Raises UsageError when they have too many messages to be compared."""
    parts = list(_parts(a.messages, b.messages))
    answers = [
        Answers(first, second)
        for part in parts
        if part.tag == "equal"
        for first, second in zip(part.a, part.b, strict=True)
        if _answer(first) != _answer(second)
    ]
    return Difference(a, b, parts, answers, _spent(a, b))


def choose(tasks: Sequence[Task], where: str, number: int | None, job: str | None) -> Task:
    """Task ``number``, else the first one of ``job``, else the only one.  Raises UsageError when there is none such."""
    if number is not None:
        found = [task for task in tasks if task.n == number]
    elif job is not None:
        found = [task for task in tasks if (task.job or "").casefold() == job.casefold()][:1]
    else:
        found = list(tasks)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{where} has {len(found)} tasks; say which: --job, or --task and --task-b")
    wanted = f"task {number}" if number is not None else f"task of job {job!r}" if job is not None else "task"
    raise UsageError(f"{where} has no {wanted}")


# --- sequences -----------------------------------------------------------------------------------------------------


def token(message: Message) -> Token:
    """Object ids and everything else that is another one in each run is left out."""
    return (
        message.to_remote,
        message.kind,
        (message.operation or "").lower(),
        message.object_name or (message.object_class or "").rpartition("::")[2],
        (message.member or "").lower(),
    )


def _parts(a: Sequence[Message], b: Sequence[Message]) -> Iterable[DiffPart]:
    """Equal beginnings and ends are cut off first: what is left to compare is short as a rule."""
    left, right = list(map(token, a)), list(map(token, b))
    shorter = min(len(left), len(right))
    head = next((at for at in range(shorter) if left[at] != right[at]), shorter)
    tail = next((at for at in range(shorter - head) if left[-1 - at] != right[-1 - at]), shorter - head)
    end_a, end_b = len(left) - tail, len(right) - tail
    if head:
        yield DiffPart("equal", a[:head], b[:head])
    if (end_a - head) * (end_b - head) > MAX_COMPARED:
        raise UsageError(f"{end_a - head} and {end_b - head} messages are too many to be compared")
    matcher = SequenceMatcher(None, left[head:end_a], right[head:end_b], autojunk=False)
    for tag, low_a, high_a, low_b, high_b in matcher.get_opcodes():
        yield DiffPart(tag, a[head + low_a : head + high_a], b[head + low_b : head + high_b])
    if tail:
        yield DiffPart("equal", a[end_a:], b[end_b:])


def _answer(message: Message) -> object:
    """What of an answer to the client can be compared: truth values, numbers, texts, and whether it failed."""
    if message.kind not in ("answer", "error") or message.to_remote:
        return None
    body = message.body
    if isinstance(body, wire.ErrorAnswer):
        return body.strings
    result = getattr(body, "result", None)
    value = result.value if isinstance(result, wire.Variant) else None
    return getattr(body, "hresult", None), value if isinstance(value, (bool, int, str)) else None


# --- time ----------------------------------------------------------------------------------------------------------


def _spent(a: Recording, b: Recording) -> list[Spent]:
    """The largest changes first, whatever their sign."""
    (calls_a, times_a), (calls_b, times_b) = _times(a), _times(b)
    found = [Spent(*key, calls_a[key], calls_b[key], times_a[key], times_b[key]) for key in {**times_a, **times_b}]
    return sorted(found, key=lambda one: (-abs(one.change), one.name))


def _times(recording: Recording) -> tuple[Counter[tuple[str, bool]], Counter[tuple[str, bool]]]:
    """Calls, and nanoseconds without those of the calls inside, by name and direction; all together are the task's
    duration."""
    calls, times = Counter[tuple[str, bool]](), Counter[tuple[str, bool]]()
    inside: Counter[int] = Counter()
    outermost = 0
    for request, latency in _asked(recording):
        key, depth = (call_name(request), request.to_remote), request.depth
        calls[key] += 1
        times[key] += latency - inside.pop(depth + 1, 0)
        inside[depth] += latency
        outermost += latency if depth == 0 else 0
        if depth == 0:
            inside.clear()
    delay = max(recording.task.callback_delay or 0, 0)
    times[START, True] += delay
    times[OUTSIDE, True] += recording.duration - outermost - delay
    return calls, times


def _asked(recording: Recording) -> Iterable[tuple[Message, int]]:
    """Requests in the order of their answers, with the time until then; behind them those that were never answered,
    the innermost first, with the time until the connection's end."""
    callback = recording.task.callback
    waiting: list[Message] = []
    for message in recording.messages:
        if callback is None or message.connection is not callback:
            continue
        if message.request is not None and message.latency is not None:
            yield message.request, message.latency
        elif message.kind == "request" and message.answered_by is None:
            waiting.append(message)
    for request in reversed(waiting):
        yield request, max(callback.end - request.time, 0) if callback is not None else 0


def call_name(message: Message) -> str:
    """``spooler_log.info``, ``step``, ``release``"""
    owner = message.object_name or (message.object_class or "").rpartition("::")[2]
    name = message.member or message.operation or message.kind
    if message.operation == "get_ids_of_names":
        name = f"lookup {name}"
    return f"{owner}.{name}" if owner and "instance_server" not in owner.lower() else name
