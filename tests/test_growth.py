"""Work grows no faster than the capture, whatever grows in it; what has a cap stays below it and says so."""

from __future__ import annotations

import bz2
import gc
import gzip
import lzma
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from work_kit import work

from benchmarks import attacks
from dissector import monitor
from dissector.errors import CaptureError
from dissector.limits import MAX_ATTEMPTS, MAX_PROBLEMS
from dissector.model import CaptureInfo, Connection, Event, Message, Outcome, Problem, Task
from dissector.render.filter import Filter, parse
from dissector.session import bounds, commands, opened
from dissector.session import task as task_module
from dissector.session.tracer import Tracer
from dissector.sources import bytestream, pcapng
from dissector.sources.blocks import block_of
from dissector.sources.capture import CaptureReader
from dissector.sources.live import Recorder
from dissector.stream import direction
from dissector.stream.block import Block
from dissector.stream.prefilter import Prefilter
from dissector.traffic import Packet
from dissector.view.listing import Rows
from dissector.view.store import Store
from dissector.wire import control
from dissector.wire.masking import Mask

#: Sizes that are compared.  Twice as many may cost twice the work and a little more.
FEW, MANY, MOST = 120, 240, 2.3
#: Each packet is due for a look at what time changes.
STEP = 250_000_000


def block(found: attacks.lines.Packets, begin: int = 1_790_000_000_000_000_000, step: int = STEP) -> Block:
    times = count(begin + step, step)
    return block_of(Prefilter(), [(next(times), 1, data, max(len(data), 54)) for _, data in found])


def packets(found: attacks.lines.Packets) -> Iterable[Packet]:
    return block(found).packets()


def trace(found: Iterable[Packet], *, window: int | None = None) -> list[Event]:
    tracer = Tracer(window=window)
    events = [event for packet in found for event in tracer.feed(packet)]
    return events + tracer.finish()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("shape", attacks.SHAPES)
def test_work_is_linear(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direction, "MAX_WALKED", 500)
    few, many = ([*packets(attacks.SHAPES[shape](n))] for n in (FEW, MANY))
    trace(many)  # what is made once, and what is known by its bytes from then on
    assert work(lambda: trace(many)) < MOST * work(lambda: trace(few))


@pytest.mark.parametrize("shape", ["open tasks", "starts on one connection", "starts without answer", "closing tasks"])
def test_work_is_linear_where_tasks_are_given_up(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MAX_OPEN_TASKS", FEW - 20)
    few, many = ([*packets(attacks.SHAPES[shape](n))] for n in (FEW, MANY))
    trace(few[:500])
    assert work(lambda: trace(many)) < MOST * work(lambda: trace(few))


@pytest.mark.parametrize("shape", ["open tasks", "silent then starts", "closing tasks"])
def test_work_of_a_capture_that_is_followed_is_linear(shape: str) -> None:
    few, many = ([*packets(attacks.SHAPES[shape](n))] for n in (FEW, MANY))
    assert work(lambda: trace(many, window=10**12)) < MOST * work(lambda: trace(few, window=10**12))


# --- looks at a capture that is followed ---------------------------------------------------------------------------


class Quiet:
    """One block, and then none."""

    def __init__(self, found: Block) -> None:
        self.info = CaptureInfo("made up")
        self.warnings: list[Problem] = []
        self.over = False
        self.dropped = 0
        self.recorder: Recorder | None = None
        self._blocks = [found]

    def poll(self, timeout: float) -> list[Block]:  # noqa: ARG002  a source's shape
        found, self._blocks = self._blocks, []
        return found

    def news(self) -> list[str]:
        return []

    def close(self) -> None: ...


class Follower:
    """A capture that is followed on the full screen, without the screen."""

    def __init__(self, shape: str, n: int, monkeypatch: pytest.MonkeyPatch, typed: str = "") -> None:
        monkeypatch.setattr(monitor, "_PERIOD", 0)
        monkeypatch.setattr(monitor, "_SHARE", 0)
        self.store = Store(Mask(), Filter(), 10)
        self.store.choose(parse((typed,)))
        found = block(attacks.SHAPES[shape](n), 0, STEP // n)
        self._monitor = monitor.Monitor(Quiet(found), Tracer(window=1), self.store, slow=10**10)
        self._at = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self._at)
        self.look(2.0)

    def look(self, seconds: float) -> None:
        """Time goes on in steps of a look, and the screen is drawn."""
        for _ in range(int(seconds * 4)):
            self._at += 0.25
            self._monitor.step(0)
            assert self.store.counts == (len(self.store.under_way()), 0)
            rows = Rows(self.store.under_way(), self.store.ended())
            assert rows.find(rows[-1]) == len(rows) - 1
            for entry in rows[:10]:
                self.store.refresh(entry)
                self.store.row_of(entry, self.store.now)


@pytest.mark.parametrize("typed", ["", "outcome=running port>1"])
@pytest.mark.parametrize("shape", ["open tasks", "starts without answer", "called back"])
def test_a_look_costs_the_same_however_much_is_under_way(
    shape: str, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(attacks.SHAPES, "called back", called_back)
    costs = []
    for n in (FEW, MANY):
        follower = Follower(shape, n, monkeypatch, typed)
        assert follower.store.counts == (n, 0)
        costs.append(work(lambda follower=follower: follower.look(2.0)))  # type: ignore[misc]
    assert costs[1] < 1.05 * costs[0]


@pytest.mark.parametrize("shape", ["open tasks", "called back"])
def test_warnings_cost_as_much_as_there_are_of_them(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(attacks.SHAPES, "called back", called_back)
    costs = []
    for n in (FEW, MANY):
        follower = Follower(shape, n, monkeypatch)
        costs.append(work(lambda follower=follower: follower.look(70.0)))  # type: ignore[misc]
        codes = Counter(news.code for news in follower.store.news if isinstance(news, Problem))
        assert codes == ({"callback_missing": 2 * n} if shape == "open tasks" else {"slow_call": n})
    assert costs[1] < MOST * costs[0]


def called_back(n: int) -> attacks.lines.Packets:
    """Callbacks whose clients wait for the answer to a call."""
    return (
        packet
        for number in range(n)
        for packet in attacks.lines.clocked(attacks.lines.opening(attacks.lines.callback(number, 59_999 - number)))
    )


# --- caps ----------------------------------------------------------------------------------------------------------


def told(events: Iterable[Event]) -> list[str]:
    return [one.summary for one in events if isinstance(one, Problem) and one.code == "limit_reached"]


def tasks(events: Iterable[Event]) -> list[Task]:
    return sorted((one for one in events if isinstance(one, Task)), key=lambda task: task.n)


@pytest.mark.parametrize("most", [9, 10, 11])
def test_of_too_many_open_tasks_the_idlest_is_given_up(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MAX_OPEN_TASKS", most)
    tracer = Tracer()
    events: list[Event] = []
    for packet in packets(attacks.tasks.open_tasks(10)):
        events += tracer.feed(packet)
        assert len(tracer.running) <= most
    events += tracer.finish()
    found = tasks(events)
    given_up = [task.n for task in found if any(problem.code == "limit_reached" for problem in task.problems)]
    assert [task.n for task in found] == [*range(1, 11)]
    assert given_up == [*range(1, 11 - most)]
    assert len(told(events)) == len(given_up)
    assert all(task.outcome is Outcome.UNKNOWN for task in found if task.n in given_up)
    assert all(task.outcome is Outcome.RUNNING for task in found if task.n not in given_up)


def test_commands_about_a_task_that_was_given_up_are_about_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MAX_OPEN_TASKS", 9)
    events = trace(packets(attacks.tasks.starts_on_one_connection(40)))
    closes = [
        one for one in events if isinstance(one, Message) and one.operation == "remote_scheduler.remote_task.close"
    ]
    commands = [one.task.n if one.task else None for one in closes if one.kind == "command"]
    assert commands == [*[None] * 31, *range(32, 41)]


@pytest.mark.parametrize("most", [9, 10])
def test_the_connections_of_a_task_that_was_given_up_are_let_go(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told, and what still comes on them is passed over; a new one with the same ports is followed."""
    monkeypatch.setattr(opened, "MAX_OPEN_TASKS", most)
    line = attacks.lines.command(0)
    starts = [data for _, data in attacks.tasks.open_tasks(10)]
    first = [*line.open(), *line.send(0, attacks.lines.start(59_999)), *line.send(1, attacks.lines.started(0))]
    assert starts[: len(first)] == first
    close = control.encode_close(control.CloseTask(0))
    tracer, talk = Tracer(), [*starts, *line.send(0, close), *line.open(), *line.send(0, close)]
    events = [event for packet in packets(iter((0, data) for data in talk)) for event in tracer.feed(packet)]
    events += tracer.finish()
    told = [one for one in events if isinstance(one, Connection) and one.client.port == 1_024]
    assert len(told) == 2
    assert told[0].over
    said = [one.operation for one in events if isinstance(one, Message) and one.connection is told[0]]
    begun, closed = "remote_scheduler.start_remote_task", "remote_scheduler.remote_task.close"
    assert said == [begun, begun, *[closed] * (most == 10)]
    assert [one.operation for one in events if isinstance(one, Message) and one.connection is told[1]] == [closed]


def test_of_many_tasks_no_more_is_kept_than_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MAX_OPEN_TASKS", 5)
    before, tracer, told = kept(Task), Tracer(messages=False), 0
    for packet in packets(attacks.tasks.open_tasks(60)):
        told += sum(isinstance(one, Task) for one in tracer.feed(packet))
    assert told == 55
    assert kept(Task) - before <= 5 + 1


def kept(kind: type) -> int:
    gc.collect()
    return sum(type(one) is kind for one in gc.get_objects())


def test_a_connection_that_is_over_is_few_things() -> None:
    """A look for garbage goes over all of them, and thousands are remembered for the packets that come late."""
    lines = [attacks.lines.command(number) for number in range(200)]
    talk = [data for line in lines for data in (*line.open(), *line.send(0, b"<"), *line.finish())]
    gc.collect()
    before = len(gc.get_objects())
    tracer = Tracer(window=1)
    for packet in packets((0, data) for data in talk):
        for _ in tracer.feed(packet):
            pass
    gc.collect()
    assert len(gc.get_objects()) - before < 20 * len(lines)


def test_a_task_that_still_talks_is_not_the_one_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MAX_OPEN_TASKS", 2)
    one, two, three = ([*packets(attacks.tasks.open_tasks(n))] for n in (1, 2, 3))
    again = one[-1]._replace(number=99, time=two[-1].time + STEP)
    late = [packet._replace(number=packet.number + 99, time=packet.time + 2 * STEP) for packet in three[len(two) :]]
    found = tasks(trace([*two, again, *late]))
    assert [task.outcome for task in found] == [Outcome.RUNNING, Outcome.UNKNOWN, Outcome.RUNNING]


@pytest.mark.parametrize(("most", "more"), [(9, 1), (10, 0)])
def test_calls_to_one_port_are_counted(most: int, more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_ATTEMPTS", most)
    events = trace(packets(attacks.tasks.calls_to_one_port(10)))
    # The words name the cap as it is, which was lowered to be met.
    assert told(events) == [f"1 more connection to port 59999, behind the first {MAX_ATTEMPTS}: counted only."] * more


@pytest.mark.parametrize(("most", "alone"), [(40, 1), (41, 0)])
def test_commands_without_an_answer_are_told_without_it(most: int, alone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MAX_PENDING_COMMANDS", most)
    events = trace(packets(attacks.talks.pending_commands(1)))
    messages = [one for one in events if isinstance(one, Message)]
    assert len(messages) == 41
    assert sum(one.note is not None and "not paired" in one.note for one in messages) == alone


def test_answers_are_paired_up_to_the_cap_and_again_when_all_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MAX_PENDING_COMMANDS", 2)
    line = attacks.lines.Line((1, 2_000), (2, 4_444))
    talk = [*line.open()]
    names = ("a", "b", "c", "d")
    for name in names:
        talk += line.send(0, f"<remote_scheduler.{name}/>".encode())
    for name in names:
        talk += line.send(1, f"<spooler><answer><{name}/></answer></spooler>\0".encode())
    talk += line.send(0, b"<remote_scheduler.e/>")
    talk += line.send(1, b"<spooler><answer><e/></answer></spooler>\0")
    events = trace(packets(iter((0, data) for data in talk)))
    messages = [one for one in events if isinstance(one, Message)]
    answers = [(one.request.operation if one.request else None) for one in messages if one.kind == "command_answer"]
    assert answers == ["remote_scheduler.a", "remote_scheduler.b", None, None, "remote_scheduler.e"]


@pytest.mark.parametrize(("most", "more"), [(9, 1), (10, 0)])
def test_problems_are_counted(most: int, more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_PROBLEMS", most)
    events = trace(packets(attacks.talks.problems(1)))
    assert told(events) == [f"1 more problem of its bytes, behind the first {MAX_PROBLEMS}: counted only."] * more


@pytest.mark.parametrize(("most", "more"), [(9, 1), (10, 0)])
def test_problems_of_no_task_are_counted(most: int, more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_PROBLEMS", most)
    events = trace(packets(attacks.talks.gaps(10)))
    assert sum(isinstance(one, Problem) and one.code == "gap" for one in events) == min(most, 10)
    assert told(events) == ["command connection: 1 more problem of its bytes: counted only."] * more


@pytest.mark.parametrize(("cap", "value"), [("MAX_LOG_LINES", 3), ("MAX_LOG_BYTES", len("line 0 password=0") * 3)])
def test_log_lines_are_counted(cap: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_module, cap, value)
    events = trace(packets(attacks.talks.log_lines(1)))
    (task,) = tasks(events)
    assert (len(task.log), task.counts.log_lines) == (3, 4)
    assert len(told(events)) == 1
    assert told(events)[0].startswith("1 more log line ")
    monkeypatch.setattr(task_module, cap, value * 2)
    assert not told(trace(packets(attacks.talks.log_lines(1))))


# --- files ---------------------------------------------------------------------------------------------------------


def read(path: Path) -> CaptureReader:
    reader = CaptureReader([str(path)])
    list(reader)
    return reader


@pytest.mark.parametrize("shape", attacks.FILES)
def test_reading_is_linear(shape: str, tmp_path: Path) -> None:
    few, many = (attacks.written(tmp_path / f"{n}.pcapng", shape, n) for n in (1_000, 2_000))
    read(few)
    assert work(lambda: read(many)) < MOST * work(lambda: read(few))
    assert read(many).infos[0].packets == 2_000
    assert len(read(many).infos[0].link_type or "") < 400


@pytest.mark.parametrize(("most", "packets_read"), [(99, 0), (101, 100)])
def test_different_interfaces_are_bounded(
    most: int, packets_read: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pcapng, "MAX_INTERFACES", most)
    path = attacks.written(tmp_path / "x.pcapng", "many link types", 100)
    if packets_read:
        assert read(path).infos[0].packets == packets_read
    else:
        with pytest.raises(CaptureError, match="more than 99 different interfaces"):
            read(path)


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "pack",
    [
        zstandard.ZstdCompressor(level=19).compress,
        gzip.compress,
        lzma.compress,
        bz2.compress,
        lz4.frame.compress,
    ],
)
def test_what_unpacks_to_far_too_much_is_not_read_to_its_end(
    pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bytestream, "MAX_UNPACKED", 1 << 20)
    path = tmp_path / "x"
    empty = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1) + bytes(4 << 20)
    path.write_bytes(pack(empty))
    monkeypatch.setattr(bytestream, "MAX_RATIO", 100)
    reader = read(path)
    assert reader.infos[0].packets <= (1 << 20) // 16
    assert "unpacks to more than 100 times as much" in reader.warnings[0].summary
    monkeypatch.setattr(bytestream, "MAX_RATIO", 1 << 20)
    assert read(path).infos[0].packets == (4 << 20) // 16
