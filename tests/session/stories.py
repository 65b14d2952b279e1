"""Made tasks with everything that may be in a dialog, well and damaged: for tests that tell them to two readers."""

from __future__ import annotations

import struct
from collections.abc import Callable

from kit import (
    FIN,
    MICROSECOND,
    RST,
    STEP_ASKED,
    Address,
    Story,
    nanoseconds,
    start_command,
    started_answer,
)

from dissector.wire import messages as m

SALT = (50_000 << 48) | (59_999 << 32)
LOG, SPOOLER, NEW = SALT | 0x8000_0002, SALT | 0x8000_0001, SALT | 0x8000_0009
NOBODY = bytes(16)
EMPTY, TEXT, NUMBER = m.Variant(0, None), m.Variant(8, "a text"), m.Variant(3, 1)
NO_SUCH_NAME, NO_SUCH_MEMBER, FAILED = 0x80020006, 0x80020003, 0x80020009
PROCESS, CLIENT = 0, 1
Talk = tuple[tuple[int, "m.Body | bytes"], ...]


def invoke(*values: m.Variant, of: int = LOG, dispid: int = 14, flags: int = 1) -> tuple[int, m.Body]:
    return PROCESS, m.Invoke(of, dispid, NOBODY, 0, flags, m.DispParams((), values[::-1]))


def answer(value: m.Variant = EMPTY, hresult: int = 0) -> tuple[int, m.Body]:
    failure = m.InvokeFailure(0, m.ExcepInfo(0, 0, "source", "why", "", 0, 0)) if hresult >> 31 else None
    return CLIENT, m.InvokeAnswer(hresult, None if failure else value, failure)


def lookup(name: str, *dispids: int, hresult: int = 0, of: int = LOG) -> Talk:
    return (
        (PROCESS, m.GetIdsOfNames(of, NOBODY, 0, (name,))),
        (CLIENT, m.GetIdsOfNamesAnswer(hresult, dispids or None)),
    )


def reference(object_id: int = NEW) -> m.Variant:
    return m.Variant(9, m.Reference(object_id, m.NewObject("sos::scheduler::Com_job", NOBODY, ())))


LINES: Talk = tuple(one for index in range(12) for one in (invoke(NUMBER, m.Variant(8, f"line {index}")), answer()))

TALKS: dict[str, Talk] = {
    "lines": LINES,
    "levels": tuple(
        one for level in (-9, -1, 0, 1, 2) for one in (invoke(m.Variant(3, level), TEXT), answer(), *LINES[:4])
    ),
    "learnt names": (*lookup("warn", 77), invoke(TEXT, dispid=77), answer(), *LINES, invoke(TEXT, dispid=77), answer()),
    "the same name again": (*lookup("warn", 77), *lookup("error", 77), invoke(TEXT, dispid=77), answer()),
    "a name learnt between its calls": (
        *(invoke(TEXT, dispid=77), answer(), *lookup("warn", 77), invoke(TEXT, dispid=77), answer()),
        *(*lookup("none", hresult=NO_SUCH_NAME), *LINES[:4], *lookup("error", 78), invoke(TEXT, dispid=78), answer()),
        *lookup("warn", 77, 78),
    ),
    "names that are none": (
        *lookup("warn", hresult=NO_SUCH_NAME),
        *lookup("info", hresult=NO_SUCH_MEMBER),
        *lookup("error", hresult=FAILED),
        *LINES,
    ),
    "values": (
        *(invoke(dispid=3, of=SPOOLER, flags=2), answer(TEXT)),
        *(invoke(m.Variant(11, True)), answer(m.Variant(11, False))),
        *(invoke(m.Variant(1, None)), answer(m.Variant(1, None))),
        *(invoke(TEXT, TEXT, TEXT), answer(NUMBER)),
        *(
            one
            for vt in (2, 6, 10, 16, 17, 18, 19, 20, 21, 22, 23)
            for one in (
                invoke(m.Variant(vt, 7)),
                answer(m.Variant(vt, 9)),
                invoke(m.Variant(vt, 1), TEXT),
                answer(),
            )
        ),
        *(
            one
            for vt in (4, 5, 7)
            for one in (
                invoke(m.Variant(vt, m.Double("1.5"))),
                answer(m.Variant(vt, m.Double("-0.1e3"))),
                invoke(NUMBER, m.Variant(vt, m.Double("1.5"))),
                answer(),
            )
        ),
        *(invoke(), answer()),
        *LINES,
    ),
    "objects": (
        *(invoke(reference(), of=SPOOLER, dispid=3), answer(), *LINES),
        *(invoke(of=SPOOLER, dispid=3), answer(reference()), invoke(of=NEW, dispid=3), answer(TEXT), *LINES),
        (PROCESS, m.Release(NEW)),
        (CLIENT, m.EmptyAnswer()),
        *(invoke(of=NEW, dispid=3), answer(), *LINES),
    ),
    "arrays": (
        *(invoke(m.Variant(0x200C, m.SafeArray(0x0880, 0, 12, (TEXT, NUMBER)))), answer()),
        *(invoke(TEXT), answer(m.Variant(0x200C, m.SafeArray(0x0880, 0, 12, (TEXT,)))), *LINES),
    ),
    "failures": (*(invoke(TEXT), answer(hresult=FAILED)), *LINES, *(invoke(TEXT), answer(hresult=FAILED)), *LINES[:6]),
    "interfaces": (
        (PROCESS, m.QueryInterface(LOG, bytes(15) + b"\1")),
        (CLIENT, m.QueryInterfaceAnswer(0x80004002, None)),
        *LINES,
    ),
    "errors": (invoke(TEXT), (CLIENT, m.ErrorAnswer(("name=x", "code=Z-1", "what=no"))), *LINES),
    "keep-alives": ((PROCESS, m.KeepAlive()), (CLIENT, m.EmptyAnswer()), *LINES, (PROCESS, m.KeepAlive())),
    "the client asks back": (
        invoke(TEXT),
        (CLIENT, m.Call(SPOOLER, "name", m.DispParams((), ()))),
        (PROCESS, m.CallAnswer(0, TEXT)),
        answer(),
        *LINES,
    ),
    "the client releases first": (
        *LINES[:6],
        (CLIENT, m.Release(SPOOLER)),
        *LINES,
        *((PROCESS, m.Release(LOG)), (CLIENT, m.EmptyAnswer()), (PROCESS, m.EmptyAnswer())),
        *LINES[:6],
    ),
    "without answers": (invoke(TEXT), *LINES, invoke(TEXT), invoke(NUMBER), *LINES[:3]),
    "answers to nothing": (answer(), *LINES, (PROCESS, m.CallAnswer(0, TEXT)), *LINES),
    "bytes left over": (
        (PROCESS, b"O" + struct.pack(">Q", LOG) + b"R\0"),
        (CLIENT, b"A\0"),
        (PROCESS, b"O" + struct.pack(">Q", LOG) + b"R"),
        (CLIENT, b"A" + bytes(8) + b"\0"),
        *LINES,
        (PROCESS, b"O" + struct.pack(">Q", LOG) + b"I"),
        (CLIENT, b"A" + bytes(8)),
        *LINES,
        (PROCESS, b"N"),
        *LINES,
    ),
}


def story(talk: Talk, pace: float = 0.001) -> Story:
    """A task that says this between the question for the step and its answer."""
    told = Story().start().call_back().say(0.02, last=STEP_ASKED)
    begin, end = 0.03, 0.03 + len(talk) * pace
    told.talk(begin, *talk, pace=pace).say(end, 9).leave(end + 0.05).close(end + 0.06)
    return told


def several() -> Story:
    """Two tasks at the same time, others' connections, and a callback port that is used again at once."""
    told = story(TALKS["lines"])
    other = Story(told.network, job="other", callback_port=59_998, command_port=40_001, peer_port=50_001, process_id=2)
    other.start(0.005).call_back(0.015).say(0.021, last=STEP_ASKED).talk(0.0305, *LINES).say(0.06, 9)
    other.leave(0.08).close(0.09)
    for port in (80, 4_455, 8_080):
        told.network.say(
            Address("10.8.0.1", 33_000 + port), Address("10.8.0.2", port), (0, b"GET / HTTP/1.0\r\n\r\n"), (1, b"no")
        )
    Story(told.network, command_port=40_002, peer_port=50_002, process_id=3).healthy(0.5)
    return told


def hesitating() -> Story:
    """The client says nothing but blanks at first, and the remote as little, before the start command comes."""
    told = Story()
    told.command.open(0)
    for index in range(4):
        told.command.send(nanoseconds(0.001 * (index + 1)), index % 2, b" ")
    told.command.send(nanoseconds(0.006), 0, start_command(told.script))
    told.command.send(nanoseconds(0.007), 1, started_answer(told.script))
    return told.call_back(0.01).say(0.02).leave(0.06).close(0.07)


def damaged(change: Callable[[Story], object]) -> Story:
    told = story(TALKS["learnt names"] + TALKS["lines"])
    told.records.sort(key=lambda record: record.time)
    change(told)
    return told


def without_answers(told: Story) -> Story:
    """The client's answers to the third and the fourth line were not captured, but acknowledged."""
    told.records.sort(key=lambda record: record.time)
    answers = [
        index
        for index, record in enumerate(told.records)
        if record.data[34:36] == b"\xea\x5f" and len(record.data) == 54 + 13 and record.time > nanoseconds(0.03)
    ]
    for index in (answers[3], answers[2]):
        del told.records[index]
    return told


def twice(told: Story) -> None:
    """A packet with data is retransmitted, another one comes too early."""
    place = next(index for index, record in enumerate(told.records) if record.time > nanoseconds(0.04))
    again = told.records[place]
    told.records.insert(place + 4, again._replace(time=told.records[place + 4].time + MICROSECOND))
    early, late = told.records[place + 8], told.records[place + 12]
    told.records[place + 8], told.records[place + 12] = early._replace(time=late.time), late._replace(time=early.time)


STORIES: dict[str, Callable[[], Story]] = {
    **{name: (lambda talk=talk: story(talk)) for name, talk in TALKS.items()},  # type: ignore[misc]
    "slow answers": lambda: story(TALKS["lines"][:8], pace=0.9),
    "slower answers": lambda: story(TALKS["lines"][:8], pace=1.3),
    "a minute between": lambda: story((*LINES, *LINES), pace=61.0),
    "several": several,
    "blanks before the start": hesitating,
    "a packet is missing": lambda: damaged(lambda told: told.records.pop(60)),
    "two packets are missing": lambda: damaged(lambda told: (told.records.pop(50), told.records.pop(70))),
    "the beginning is missing": lambda: damaged(lambda told: told.records.__delitem__(slice(0, 14))),
    "the middle is missing": lambda: damaged(lambda told: told.records.__delitem__(slice(14, 40))),
    "the end is missing": lambda: damaged(lambda told: told.records.__delitem__(slice(80, None))),
    "answers are missing": lambda: without_answers(story(LINES)),
    "answers are missing, and the end": lambda: without_answers(story(LINES).leave(0.0405, side=0, flags=RST)),
    "retransmitted": lambda: damaged(twice),
    "reset": lambda: story(LINES).leave(0.0405, side=0, flags=RST),
    "closed in the middle": lambda: story(LINES).leave(0.0405, side=0, flags=FIN),
}
