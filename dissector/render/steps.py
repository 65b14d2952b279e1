"""What the ladder of a task shows of its messages, line by line.

No widths and no colours here.  A plain ladder has a line for a call (request and answer together); lookups, releases
and keep-alives that went well are folded into the call that they interrupt.  A verbose one has a line a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from dissector.model import Exchange, Message
from dissector.render.theme import log_style
from dissector.render.words import LogCall, Said, Words, log_call

_COMMANDS = ("command", "command_answer")
_FOLDED = {"get_ids_of_names": "lookup", "release": "release", "keep_alive": "keep-alive"}


class Lane(IntEnum):
    CLIENT = 0
    REMOTE = 1
    PROCESS = 2


class LadderStep(NamedTuple):
    """One line.  An arrow from ``source`` to ``target`` with its ``label``; without lanes a remark.  ``said`` stands
    right of the lanes, ``folded`` tells what the line stands for besides; ``messages`` are what it shows."""

    time: int
    packets: tuple[int, ...]
    label: str
    said: Said = Said("")
    source: Lane | None = None
    target: Lane | None = None
    latency: int | None = None
    line: str = "solid"
    style: str = ""
    depth: int = 0
    folded: str = ""
    #: The arrow ends half way: nobody at its target got it; or begins there: nobody at its source sent it.
    half: str = ""
    #: The two places of capture between which it does so.
    between: tuple[str, str] = ("", "")
    messages: tuple[Message, ...] = ()
    #: What it shows of HTTP.
    exchange: Exchange | None = None


def message_steps(messages: Sequence[Message], words: Words, verbose: bool, running: bool = False) -> list[LadderStep]:
    """The messages' part of a ladder; ``messages`` by their numbers.  ``running``: their task may still answer."""
    return list(_verbose(messages, words, running)) if verbose else _calls(messages, words, running)


def _verbose(messages: Sequence[Message], words: Words, running: bool) -> Iterator[LadderStep]:
    for message in messages:
        if _is_answer(message):
            said = words.answer(message)
            yield _arrow(message, said._replace(text=""))._replace(
                label=_answer_label(said), latency=message.latency, style="error" if said.failed else "answer"
            )
        else:
            yield _arrow(message, _silence(message, running), words)


def _answer_label(said: Said) -> str:
    text = said.text.removeprefix("=> ")
    return f"= {text}" if text != said.text and not said.failed else text or "ok"


def _calls(messages: Sequence[Message], words: Words, running: bool) -> list[LadderStep]:
    """A line for a request and its answer; command connections keep a line for each document."""
    answers = {message.answers: message for message in messages if message.answers is not None}
    shown = {message.n for message in messages}
    lines: list[LadderStep] = []
    parents: list[int] = []
    folded: dict[int, Counter[str]] = {}
    for message in messages:
        if message.kind in _COMMANDS:
            if message.kind == "command":
                lines.append(_arrow(message, _silence(message, running), words))
            else:
                lines.append(_command_answer(_arrow(message, words.answer(message), words), message))
            continue
        if _is_answer(message) and message.answers in shown:
            continue
        answer = answers.get(message.n)
        if parents and answer is not None and _folds(message, answer):
            parent = parents[min(message.depth, len(parents)) - 1]
            folded.setdefault(parent, Counter())[_FOLDED[message.operation or ""]] += 1
            continue
        lines.append(_call(message, answer, words, running))
        del parents[message.depth :]
        parents.append(len(lines) - 1)
    for index, counts in folded.items():
        lines[index] = lines[index]._replace(folded=_counted(counts))
    return lines


def _call(message: Message, answer: Message | None, words: Words, running: bool) -> LadderStep:
    if _is_answer(message):
        said = words.answer(message)
        return _arrow(message, Said(""), words)._replace(
            label=said.text or "answer", latency=message.latency, style="error" if said.failed else ""
        )
    if answer is not None:
        step = _arrow(message, words.answer(answer), words)
        return step._replace(latency=answer.latency, messages=(message, answer))
    return _arrow(message, _silence(message, running), words)


def _silence(message: Message, running: bool) -> Said:
    """What stands at a request that nobody answered."""
    if message.kind == "undecoded" or message.answered_by is not None:
        return Said("")
    return Said("not answered yet") if running else Said("no answer", failed=True)


def _command_answer(step: LadderStep, message: Message) -> LadderStep:
    label, failed = step.said
    style = "error" if failed else step.style
    return step._replace(label=label, said=Said(""), latency=message.latency, style=style)


def _folds(message: Message, answer: Message) -> bool:
    """Lookups, releases inside another call and keep-alives, all with the answer that they should have."""
    if message.operation not in _FOLDED or answer.kind != "answer" or getattr(answer.body, "hresult", None):
        return False
    return message.depth > 0 or message.operation == "keep_alive"


def _counted(counts: Counter[str]) -> str:
    return "+ " + ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())


def _is_answer(message: Message) -> bool:
    if message.kind == "undecoded":
        return message.answers is not None or message.raw[:1] in (b"A", b"E")
    return message.kind in ("answer", "error", "command_answer")


def _arrow(message: Message, said: Said, words: Words | None = None) -> LadderStep:
    other = Lane.REMOTE if message.kind in _COMMANDS else Lane.PROCESS
    source, target = (Lane.CLIENT, other) if message.to_remote else (other, Lane.CLIENT)
    log = log_call(message, message.body)
    return LadderStep(
        time=message.time,
        packets=message.packets,
        label=words.request(message) if words is not None else "",
        said=said,
        source=source,
        target=target,
        style=_style(message, log),
        depth=message.depth,
        messages=(message,),
    )


def _style(message: Message, log: LogCall | None) -> str:
    if log is not None:
        return log_style(log.level)
    if message.kind == "undecoded":
        return "warning"
    if message.kind in _COMMANDS:
        return "command"
    return "call" if message.to_remote else "callback"
