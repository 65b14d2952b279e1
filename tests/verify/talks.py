"""Conversations that Hypothesis makes: calls inside of calls, every record of the grammar, and what breaks it."""

from __future__ import annotations

import dataclasses
from itertools import chain
from typing import Any, NamedTuple

from conversation import MICROSECOND, Address, Network, TaskScript, dialog, start_command, started_answer
from hypothesis import strategies as st
from strategies import (
    call_answers,
    error_answers,
    hresults,
    hresults_failed,
    hresults_ok,
    invoke_answers,
    query_interface_answers,
    references,
    requests,
    signed,
)

from dissector.wire import messages as m
from dissector.wire.decode import encode_frame

_DEEPEST = 3
_CLIENT = 1


class Turn(NamedTuple):
    """A frame of one side, 1 the client's."""

    side: int
    frame: bytes


class Talk(NamedTuple):
    """What is said behind a task's ``begin``; ``cut`` is the size of the segments."""

    turns: tuple[Turn, ...]
    cut: int
    is_announced: bool


def _same_count(request: m.Request) -> st.SearchStrategy[m.Answer]:
    """Answers to the requests that say how much is answered."""
    if isinstance(request, m.CreateInstance):
        results = st.builds(m.InterfaceResult, hresults, references)
        many = st.lists(results, min_size=len(request.iids), max_size=len(request.iids)).map(tuple)
        return st.builds(m.CreateInstanceAnswer, hresults_ok, many) | st.builds(
            m.CreateInstanceAnswer, hresults_failed, st.none()
        )
    assert isinstance(request, m.GetIdsOfNames)
    found = st.lists(signed(32), min_size=len(request.names), max_size=len(request.names)).map(tuple)
    return st.builds(m.GetIdsOfNamesAnswer, hresults_ok, found) | st.builds(
        m.GetIdsOfNamesAnswer, hresults_failed, st.none()
    )


def _answers(request: m.Request) -> st.SearchStrategy[m.Answer]:
    match request:
        case m.CreateInstance() | m.GetIdsOfNames():
            right: st.SearchStrategy[m.Answer] = _same_count(request)
        case m.Invoke():
            right = invoke_answers
        case m.Call():
            right = call_answers
        case m.QueryInterface() | m.JavaQueryInterface():
            right = query_interface_answers
        case _:
            right = st.builds(m.EmptyAnswer)
    return st.one_of(right, right, right, error_answers)


#: Behind a message: mostly nothing.
_trailing = st.one_of(st.just(b""), st.just(b""), st.just(b""), st.binary(max_size=5))


@st.composite
def _turns(draw: st.DrawFn, side: int, objects: tuple[int, ...], depth: int) -> list[Turn]:
    """A call of ``side`` with the calls inside of it and its answer, which may be missing or broken."""
    request = draw(requests)
    if hasattr(request, "object_id") and draw(st.booleans()):
        known = draw(st.sampled_from(objects))
        again = {"object_id_again": known} if isinstance(request, m.JavaQueryInterface) else {}
        changed: Any = request  # one of several records that have such a field
        request = dataclasses.replace(changed, object_id=known, **again)
    turns = [Turn(side, encode_frame(request, draw(_trailing)))]
    for _ in range(draw(st.integers(0, 2 if depth < _DEEPEST else 0))):
        turns += draw(_turns(1 - side, objects, depth + 1))
    kind = draw(st.sampled_from(["answer"] * 12 + ["nothing", "broken", "unknown class"]))
    if kind == "answer":
        turns.append(Turn(1 - side, encode_frame(draw(_answers(request)), draw(_trailing))))
    elif kind == "broken":
        turns.append(Turn(1 - side, _frame(b"A" + draw(st.binary(max_size=12)))))
    elif kind == "unknown class":
        turns.append(Turn(1 - side, _frame(b"Z" + draw(st.binary(max_size=4)))))
    return turns


def _frame(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


#: Objects of ``conversation.dialog`` with the ports that ``play`` gives: instance server, spooler, log.
_SALT = (50_000 << 48) | (59_999 << 32)
OBJECTS = (_SALT | 1, _SALT | 0x8000_0001, _SALT | 0x8000_0002)

talks = st.builds(
    Talk,
    st.lists(_turns(_CLIENT, OBJECTS, 0), min_size=1, max_size=4).map(lambda calls: tuple(chain.from_iterable(calls))),
    st.sampled_from([7, 100, 1_448, 1_448]),
    st.integers(0, 3).map(bool),
)


def play(network: Network, talk: Talk, number: int) -> None:
    """The talk as a task of its own: client and remote have addresses that no other one has."""
    client, remote = f"10.1.{number // 250}.{number % 250 + 1}", f"10.2.{number // 250}.{number % 250 + 1}"
    script = TaskScript(job=f"job{number}", client=client, remote=remote, process_id=number)
    now = number * 1_000_000_000
    if talk.is_announced:
        command = network.line(Address(client, script.command_port), Address(remote, script.remote_port))
        command.open(now)
        command.send(now + 100 * MICROSECOND, 0, start_command(script))
        command.send(now + 200 * MICROSECOND, 1, started_answer(script))
    callback = network.line(script.peer_address, Address(client, script.callback_port))
    callback.open(now + 300 * MICROSECOND)
    now += 400 * MICROSECOND
    prologue = [Turn(side, encode_frame(body)) for side, body in list(dialog(script))[:6]]
    for side, data in _joined([*prologue, *talk.turns]):
        now += 50 * MICROSECOND
        callback.send(now, side, data, talk.cut)
    callback.finish(now + 50 * MICROSECOND, 1)


def _joined(turns: list[Turn]) -> list[Turn]:
    """Frames that one side sends behind each other go out together."""
    found: list[Turn] = []
    for turn in turns:
        if found and found[-1].side == turn.side:
            found[-1] = Turn(turn.side, found[-1].frame + turn.frame)
        else:
            found.append(turn)
    return found
