"""Messages that are skimmed: a task knows the same of them as of those that were decoded into Messages."""

from __future__ import annotations

from itertools import count
from typing import Any, NamedTuple

import pytest
from conversation import bstr
from kit import HEALTHY, STEP_ASKED
from parts import HERE, THERE, facts
from test_bounds import callback

from dissector.session import skim as skim_module
from dissector.session.dialog import Dialog
from dissector.session.run_pairs import DONE
from dissector.session.skim import Skim
from dissector.session.task import TaskFacts
from dissector.session.timeouts import SLOW_CALLBACK
from dissector.traffic import Frame, Side
from dissector.wire import messages as wire
from dissector.wire.decode import encode

_LOG = HEALTHY[STEP_ASKED][1]
assert isinstance(_LOG, wire.Invoke)
LOG = _LOG
MS = 1_000_000
OTHER = 0xB_0000_0077


def invoke(*arguments: wire.Variant, object_id: int = LOG.object_id, dispid: int = 14) -> wire.Invoke:
    return wire.Invoke(object_id, dispid, LOG.iid, 0, 1, wire.DispParams((), arguments))


def log(text: str) -> wire.Invoke:
    return invoke(bstr(text), wire.Variant(3, 0))


def result(vt: int, value: Any) -> wire.InvokeAnswer:
    return wire.InvokeAnswer(0, wire.Variant(vt, value), None)


def lookup(*names: str, object_id: int = OTHER) -> wire.GetIdsOfNames:
    return wire.GetIdsOfNames(object_id, LOG.iid, 0x409, names)


REFERENCE = wire.Reference(OTHER, wire.NewObject("Com_thing", LOG.iid, ()))
ARRAY = wire.SafeArray(0x0880, 0, 12, (wire.Variant(3, 5),))
FAILURE = wire.InvokeAnswer(0x80020009, None, wire.InvokeFailure(0, wire.ExcepInfo(1, 0, "s", "d", "", 0, 0)))
PLAIN, QUICK = result(0, None), 5 * MS


class Case(NamedTuple):
    """A request of the task process, its answer, how long that took, and which of the two are skimmed."""

    request: wire.Body | bytes
    answer: wire.Body | bytes = PLAIN
    latency: int = QUICK
    taken: tuple[bool, bool] = (True, True)


CASES = {
    "log": Case(log("one")),
    "level": Case(invoke(bstr("warned"), dispid=15)),
    "number": Case(invoke(wire.Variant(3, 7)), result(3, -1)),
    "text": Case(invoke(bstr("x"), object_id=OTHER), result(8, "text")),
    "flag": Case(invoke(wire.Variant(11, True), object_id=OTHER), result(11, False)),
    "dispatch given": Case(invoke(wire.Variant(9, REFERENCE)), taken=(False, False)),
    "unknown given": Case(invoke(bstr("x"), wire.Variant(13, REFERENCE)), taken=(False, False)),
    "log and more": Case(invoke(bstr("x"), wire.Variant(3, 1), wire.Variant(10, 5))),
    "array given": Case(invoke(wire.Variant(0x200C, ARRAY)), taken=(False, False)),
    "bytes given": Case(invoke(wire.Variant(0x2011, wire.SafeArray(0, 0, 17, b"xy"))), taken=(False, False)),
    "dispatch": Case(invoke(bstr("x")), result(9, REFERENCE), taken=(True, False)),
    "unknown": Case(invoke(bstr("x")), result(13, REFERENCE), taken=(True, False)),
    "array": Case(invoke(bstr("x")), result(0x200C, ARRAY), taken=(True, False)),
    "failure": Case(invoke(bstr("x")), FAILURE, taken=(True, False)),
    "just not slow": Case(invoke(bstr("x")), PLAIN, SLOW_CALLBACK - 1),
    "slow": Case(invoke(bstr("x")), PLAIN, SLOW_CALLBACK, (True, False)),
    "trailing": Case(encode(invoke(bstr("x"))) + b"x", taken=(False, False)),
    "odd": Case(encode(invoke(bstr("x")))[:-1], taken=(False, False)),
    "trailing answer": Case(invoke(bstr("x")), encode(PLAIN) + b"\0", taken=(True, False)),
    "odd answer": Case(invoke(bstr("x")), encode(PLAIN)[:-1], taken=(True, False)),
    "names": Case(lookup("name", "value"), wire.GetIdsOfNamesAnswer(0, (3, 4))),
    "no name": Case(lookup("name"), wire.GetIdsOfNamesAnswer(0x80020006, None)),
    "no member": Case(lookup("name"), wire.GetIdsOfNamesAnswer(0x80020003, None)),
    "failed names": Case(lookup("name"), wire.GetIdsOfNamesAnswer(0x80004005, None), taken=(True, False)),
    "release": Case(wire.Release(OTHER), wire.EmptyAnswer()),
    "release answered as invoke": Case(wire.Release(OTHER), DONE, taken=(True, False)),
    "query": Case(wire.QueryInterface(OTHER, LOG.iid), wire.EmptyAnswer(), taken=(False, False)),
}


def data_of(body: wire.Body | bytes) -> bytes:
    return body if isinstance(body, bytes) else encode(body)


class Played:
    """A healthy task up to its step, then ``frames``: skimmed where that is possible, or never."""

    def __init__(self, *, skims: bool, header: int = 4) -> None:
        self.facts, self.numbers = facts(), count(1)
        self.dialog = Dialog(callback(), THERE, self.numbers.__next__)
        self.skim = Skim(self.dialog, THERE, header)
        self.skims, self.header = skims, header
        self.packet, self.time = 0, 0
        for side, body in HEALTHY[:STEP_ASKED]:
            self.say((HERE, THERE)[side], encode(body), MS)

    def say(self, side: Side, data: bytes, after: int) -> bool:
        """True where it was skimmed."""
        self.time, self.packet = self.time + after, self.packet + 10
        frame = Frame(side, 0, data, (self.packet, self.packet + 1), self.time)
        if self.skims and self.skim.take(frame, self.facts):
            return True
        message = self.dialog.feed(frame)
        message.size = len(data) + self.header
        self.facts.frame(message)
        list(self.dialog.told(message))
        return False

    def pair(self, case: Case) -> tuple[bool, bool]:
        return self.say(HERE, data_of(case.request), MS), self.say(THERE, data_of(case.answer), case.latency)

    def known(self) -> tuple[object, ...]:
        """What is known of the task, and what will be known of the next one that names something."""
        return told_of(self.facts), len(self.dialog.stack), next(self.numbers), dict(self.dialog.objects), self.learnt()

    def learnt(self) -> list[str | None]:
        return [self.dialog.member(invoke(object_id=OTHER, dispid=dispid)) for dispid in range(6)]


def told_of(made: TaskFacts) -> tuple[object, ...]:
    counts = made.record.counts
    numbers = counts.messages, counts.bytes, counts.calls, counts.callbacks, counts.errors, counts.log_lines
    return numbers, made.callback_time, list(made.record.log)


@pytest.mark.parametrize("header", [4, 0])
@pytest.mark.parametrize("name", CASES)
def test_what_is_skimmed_counts_as_what_is_not(name: str, header: int) -> None:
    one, other = Played(skims=True, header=header), Played(skims=False, header=header)
    assert one.pair(CASES[name]) == CASES[name].taken
    assert other.pair(CASES[name]) == (False, False)
    assert one.known() == other.known()
    for played in (one, other):
        played.pair(Case(log("later")))
    assert one.known() == other.known()


def test_a_log_line_is_of_the_first_packet_of_its_message() -> None:
    played = Played(skims=True)
    played.pair(CASES["log"])
    (line,) = played.facts.record.log
    assert (line.text, line.packet, line.time) == ("one", played.packet - 10, played.time - QUICK)


def test_callbacks_in_callbacks() -> None:
    """A client may ask while it answers; that is not skimmed, what the task process asks then is."""
    for skims in (True, False):
        played = Played(skims=skims)
        taken = [
            played.say(HERE, encode(log("outer")), MS),
            played.say(THERE, encode(wire.Release(OTHER)), MS),
            played.say(HERE, encode(log("inner")), MS),
            played.say(THERE, encode(PLAIN), MS),
            played.say(HERE, encode(wire.EmptyAnswer()), MS),
            played.say(THERE, encode(PLAIN), MS),
        ]
        assert taken == ([True, False, True, True, False, True] if skims else [False] * 6)
        assert (played.facts.record.counts.callbacks, played.facts.record.counts.log_lines) == (2, 2)


@pytest.mark.parametrize("side", [HERE, THERE])
def test_an_answer_of_who_asked_or_to_nothing_is_not_skimmed(side: Side) -> None:
    played = Played(skims=True)
    assert played.say(HERE, encode(CASES["log"].request), MS) is True  # type: ignore[arg-type]
    frame = Frame(side, 0, DONE, (1,), played.time + 1)
    assert played.skim.take(frame, played.facts) is (side is THERE)
    fresh = Skim(Dialog(callback(), THERE, count(1).__next__), THERE)
    before = told_of(played.facts)
    assert fresh.take(frame, played.facts) is False
    assert told_of(played.facts) == before


@pytest.mark.parametrize("data", [b"C", b"E", b"K", b"S" + bytes(20), b"N" + bytes(8), b"@", b"P"])
def test_what_is_neither_a_callback_nor_an_answer_is_not_skimmed(data: bytes) -> None:
    played = Played(skims=True)
    before = told_of(played.facts)
    assert played.skim.take(Frame(HERE, 0, data, (1,), played.time), played.facts) is False
    assert told_of(played.facts) == before


# --- by the dozen -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "errors"),
    [
        (wire.GetIdsOfNamesAnswer(0, (3, 4)), 0),
        (wire.GetIdsOfNamesAnswer(0x80020006, None), 1),
        (wire.GetIdsOfNamesAnswer(0x80020003, None), 1),
    ],
)
def test_pairs_count_as_their_messages(answer: wire.GetIdsOfNamesAnswer, errors: int) -> None:
    one, other = Played(skims=False), Played(skims=False)
    pairs = [Case(log("a")), Case(lookup("name", "value"), answer), Case(log("b"), PLAIN, 7 * MS)]
    for case in pairs:
        other.pair(case)
    size = sum(len(data_of(case.request)) + len(data_of(case.answer)) + 8 for case in pairs)
    times = [line.time for line in other.facts.record.log]
    numbers = [line.packet for line in other.facts.record.log]
    lines: list[Any] = [
        (times[0], 0, 0, (0, "a")),
        (encode(lookup("name", "value")), encode(answer)),
        (times[1], 1, 0, (0, "b")),
    ]
    heads = [encode(invoke())]
    one.skim.take_pairs((0, 3, size, lines, 2 * QUICK + 7 * MS, []), heads, one.facts, numbers)
    assert told_of(one.facts) == told_of(other.facts)
    assert one.facts.record.counts.errors == errors
    assert one.learnt() == other.learnt()
    assert other.learnt()[3:5] == ([None, None] if errors else ["name", "value"])


def test_only_logs_have_lines() -> None:
    played = Played(skims=False)
    heads = [encode(invoke(object_id=OTHER)), encode(invoke()), encode(invoke(dispid=15))]
    lines: list[Any] = [(5, 0, 0, (0, "no")), (6, 1, 1, (0, "one")), (7, 2, 2, (0, "two")), (8, 0, 1, (0, "three"))]
    played.skim.take_pairs((0, 4, 0, lines, 0, []), heads, played.facts, [91, 92, 93])
    seen = [(line.time, line.packet, line.text) for line in played.facts.record.log]
    assert (6, 92, "one") in seen
    assert (8, 91, "three") in seen
    assert all(text != "no" for _, _, text in seen)


@pytest.mark.parametrize("object_id", [1, 255, (1 << 64) - 1])
def test_names_are_learnt_whatever_the_object(object_id: int) -> None:
    skim_module._looked_up.cache_clear()
    request, answer = encode(lookup("name", object_id=object_id)), encode(wire.GetIdsOfNamesAnswer(0, (3,)))
    played = Played(skims=False)
    played.skim._look_up(request, answer, played.facts)
    assert played.dialog.member(invoke(object_id=object_id, dispid=3)) == "name"
    assert played.dialog.member(invoke(object_id=object_id ^ 2, dispid=3)) is None
