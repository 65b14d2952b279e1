"""The tables of outcomes, row by row: an example that each row decides, and that another word comes out without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from parts import HERE, REMOTE, SECOND, THERE, connection, facts, lost, message, record

from dissector.model import Connection, Endpoint, Exchange, Mark, Message, Outcome, Role
from dissector.session import outcomes
from dissector.session.agent_facts import AgentFacts, Outage
from dissector.session.agent_outcomes import AGENT_OUTCOMES
from dissector.session.case import Case
from dissector.session.conditions import kill_unseen
from dissector.session.life import AnswerState, CommandState, JoinState
from dissector.session.outcomes import OUTCOMES
from dissector.session.task import TaskFacts

Example = tuple[TaskFacts, int]
SOON, LATE = 10 * SECOND, 100 * SECOND


def unopened(*, syns: int, now: int, start: int | None = None) -> Example:
    made = facts(callback=False, start=start)
    command = made.record.command = connection()
    command.syns, command.syn_acks = [Mark(number, 0) for number in range(syns)], []
    return made, now


def uncalled(now: int = SOON, start: int | None = 0, **fields: object) -> Example:
    made = facts(callback=False, start=start)
    for name, value in fields.items():
        setattr(made, name, value)
    return made, now


def refused_attempt() -> Connection:
    made = connection(Role.CALLBACK)
    made.sides[THERE].rst, made.syn_acks = Mark(9, SECOND), []
    return made


def silent_attempt() -> Connection:
    made = connection(Role.CALLBACK)
    made.syn_acks = []
    return made


def command_ended(example: Example, side: int = HERE, time: int = SOON, data: int = 0) -> Example:
    command = example[0].record.command
    assert command is not None
    command.sides[side].fin, command.sides[THERE].bytes = Mark(20, time), data
    command.bytes = data
    return example


def refused(example: Example) -> Example:
    example[0].life.command = CommandState.REFUSED
    return example


def unheard(example: Example) -> Example:
    command = example[0].record.command
    assert command is not None
    sender = command.sides[HERE]
    sender.sent, sender.last_data = 100, Mark(10, 0)
    sender.retransmitted = [Mark(number, SECOND) for number in (11, 12, 13)]
    return example


def called(now: int = LATE, *, settled: bool = True, **fields: object) -> Example:
    made = facts()
    made.proof.state = AnswerState.SETTLED if settled else AnswerState.UNSETTLED
    for name, value in fields.items():
        setattr(made if hasattr(made, name) else made.record, name, value)
    return made, now


def ended(example: Example, side: int = HERE, kind: str = "rst", **fields: object) -> Example:
    _, callback = record(example[0])
    setattr(callback.sides[side], kind, Mark(30, 20 * SECOND))
    for name, value in fields.items():
        setattr(callback, name, value)
    return example


def half_captured() -> Example:
    example = called(released=message(20 * SECOND))
    _, callback = record(example[0])
    callback.bytes, callback.sides[HERE].packets = 10, 0
    return example


def reported_gone(release: Message | None = None, kill: Message | None = None, end: int = SOON) -> Example:
    close = message(15 * SECOND)
    example = called(close=close, close_answer=message(20 * SECOND, request=close), release=release, kill=kill)
    record(example[0])[1].end = end
    return example


def end_acknowledged(example: Example, role: Role, side: int = THERE) -> Example:
    """The other end says that it has one byte more than the capture."""
    made = example[0].record
    about = made.command if role is Role.COMMAND else made.callback
    assert about is not None
    about.sides[side].end_acked, about.sides[side].lost_by = about.sides[side].sent + 1, 90
    return example


def silent_since_command_end(example: Example) -> Example:
    command, callback = record(end_acknowledged(example, Role.COMMAND)[0])
    callback.end = command.end
    return example


def of_callback(example: Example) -> Example:
    """The capture begins while the callback connection is open, and has nothing of the command connection."""
    made = example[0]
    made.start = made.start_answer = made.record.command = None
    assert made.record.callback is not None
    made.record.callback.mid_stream, made.life.join, made.record.start = True, JoinState.CONFIRMED, 15 * SECOND
    return example


def answered_unseen(example: Example) -> Example:
    """The remote answers what was not captured."""
    record(example[0])[0].sides[THERE].last_data = Mark(11, 5 * SECOND)
    return example


KILL = message(SOON)
#: In the order of the rows.
EXAMPLES: list[Callable[[], Example]] = [
    lambda: unopened(syns=0, now=SOON),
    lambda: unopened(syns=1, now=SOON),
    lambda: unopened(syns=2, now=SOON),
    lambda: unopened(syns=1, now=SECOND),
    lambda: refused(uncalled()),
    lambda: command_ended(uncalled(start_answer=None), THERE),
    lambda: uncalled(intruder=connection(Role.CALLBACK)),
    lambda: uncalled(kill=KILL),
    lambda: uncalled(attempts=[refused_attempt()], cut_command=5 * SECOND),
    lambda: uncalled(5 * SECOND, None, attempts=[silent_attempt()]),
    lambda: uncalled(attempts=[refused_attempt()]),
    lambda: uncalled(SECOND, None, attempts=[silent_attempt()]),
    lambda: uncalled(start=None),
    lambda: unheard(uncalled(20 * SECOND)),
    lambda: uncalled(LATE),
    lambda: end_acknowledged(uncalled(), Role.COMMAND),
    lambda: uncalled(),
    lambda: command_ended(uncalled(start_answer=None), data=5),
    lambda: command_ended(uncalled(cut_command=5 * SECOND)),
    lambda: command_ended(uncalled()),
    lambda: uncalled(close=message(SOON)),
    lambda: uncalled(LATE, close=message(LATE)),
    lambda: uncalled(LATE, close=message(60 * SECOND)),
    half_captured,
    lambda: called(released=message(20 * SECOND), kill=KILL),
    lambda: called(released=message(20 * SECOND), exit_code=129, cut_command=SOON),
    lambda: called(released=message(20 * SECOND), exit_code=128, cut_command=SOON),
    lambda: called(released=message(20 * SECOND)),
    lambda: called(released=message(20 * SECOND), settled=False),
    lambda: end_acknowledged(called(exit_code=1), Role.CALLBACK),
    lambda: end_acknowledged(called(), Role.CALLBACK, HERE),
    lambda: (lost(), LATE),
    lambda: unheard(called(close=message(SOON))),
    lambda: reported_gone(kill=message(14 * SECOND), end=SOON + 1),
    lambda: reported_gone(release=message(14 * SECOND)),
    reported_gone,
    lambda: command_ended(called(cut_command=5 * SECOND), THERE),
    lambda: called(now=LATE, kill=message(LATE), close=message(LATE)),
    lambda: called(kill=KILL),
    lambda: command_ended(called(close=message(SOON), exit_code=1), THERE),
    lambda: command_ended(called(), HERE),
    lambda: silent_since_command_end(called(exit_code=1)),
    lambda: silent_since_command_end(called()),
    lambda: answered_unseen(called(cut_command=SECOND)),
    lambda: called(),
    lambda: ended(called(kill=KILL)),
    lambda: ended(called(), snapped=10),
    lambda: ended(called(exit_code=1), THERE, gaps=1),
    lambda: ended(called(), THERE, gaps=1),
    lambda: ended(called(exit_code=1), kind="fin", mid_stream=True),
    lambda: ended(called(), kind="fin", gaps=1),
    lambda: ended(called(cut_command=5 * SECOND)),
    lambda: of_callback(ended(called())),
    lambda: ended(called(), mid_stream=True),
    lambda: ended(called()),
]


def test_a_client_that_left_waits_for_nobody() -> None:
    """A callback is still tried, but the command connection has ended long before a client gives up."""
    made, now = command_ended(uncalled(SECOND, attempts=[silent_attempt()]), HERE, SECOND // 2)
    assert outcomes.outcome(made, now) is Outcome.NO_CALLBACK
    made, now = uncalled(SECOND, attempts=[silent_attempt()])
    assert outcomes.outcome(made, now) is Outcome.RUNNING


def on_agent(now: int = SOON, **fields: object) -> Example:
    """A task that was heard of at second 0, of a master and an agent that wait 60 s for each other."""
    made = facts()
    made.proof.state = AnswerState.SETTLED
    made.agent = AgentFacts(0)
    for name, value in fields.items():
        owner = next(one for one in (made.agent, made.record, made) if hasattr(one, name))
        setattr(owner, name, value)
    return made, now


def exchange(time: int) -> Exchange:
    return Exchange(1, connection(), time, (1,), "tunnel", None)


RELEASED = message(5 * SECOND)
#: In the order of the rows for agents.
ON_AGENTS: list[Callable[[], Example]] = [
    lambda: on_agent(start_failure="no more tasks"),
    lambda: on_agent(kill=exchange(SECOND), kill_unsure=True),
    lambda: on_agent(kill=exchange(SECOND)),
    lambda: on_agent(released=RELEASED, exit_code=129, missing=0),
    lambda: on_agent(released=RELEASED, exit_code=129, start=exchange(0)),
    lambda: on_agent(released=RELEASED),
    lambda: on_agent(released=RELEASED, result=message(SECOND), result_odd=True),
    lambda: on_agent(failed=exchange(SECOND)),
    lambda: on_agent(outage=Outage(Endpoint(REMOTE, 4_445))),
    lambda: on_agent(61 * SECOND),
    lambda: on_agent(close=exchange(SECOND), exit_code=1),
    lambda: on_agent(close=exchange(SECOND)),
    lambda: on_agent(asked=SECOND, missing=SECOND + 1, exit_code=1),
    lambda: on_agent(asked=SECOND, missing=SECOND + 1),
    lambda: on_agent(60 * SECOND, asked=SECOND, missing=SECOND),
]


@pytest.mark.parametrize(
    "end", [{"released": RELEASED}, {"close": exchange(SECOND)}, {"asked": SECOND, "missing": SECOND + 1}]
)
def test_a_kill_of_a_task_on_an_agent_may_have_been_missed(end: dict[str, Any]) -> None:
    """Without its start nobody knows what the kill would name."""
    for code, start, word in (
        (129, None, Outcome.UNKNOWN),
        (128, None, Outcome.FAILURE),
        (129, exchange(0), Outcome.UNKNOWN if "missing" in end else Outcome.FAILURE),
    ):
        assert outcomes.outcome(*on_agent(exit_code=code, start=start, **end)) is word


TABLES = {"OUTCOMES": (OUTCOMES, EXAMPLES), "AGENT_OUTCOMES": (AGENT_OUTCOMES, ON_AGENTS)}
PLACES = [(table, index) for table, (rows, _) in TABLES.items() for index in range(len(rows))]


@pytest.mark.parametrize("table", TABLES)
def test_each_row_has_its_example(table: str) -> None:
    rows, examples = TABLES[table]
    assert len(examples) == len(rows)


@pytest.mark.parametrize(("table", "index"), PLACES)
def test_a_row_decides_its_example(table: str, index: int) -> None:
    rows, examples = TABLES[table]
    example = examples[index]()
    case = Case(*example)
    assert next(at for at, row in enumerate(rows) if all(holds(case) for holds in row.when)) == index
    assert outcomes.outcome(*example) is rows[index].outcome


@pytest.mark.parametrize(("end", "word"), [(SOON, Outcome.LOST), (SOON + 1, Outcome.KILLED)])
def test_a_kill_behind_five_seconds_of_silence_is_not_what_ended_the_task(end: int, word: Outcome) -> None:
    assert outcomes.outcome(*reported_gone(kill=message(14 * SECOND), end=end)) is word


@pytest.mark.parametrize(
    ("mid_stream", "until", "answered", "missed"),
    [(True, 20, False, True), (True, 21, False, False), (True, 20, True, False), (False, 20, False, False)],
)
def test_when_a_kill_may_have_been_before_the_capture(
    mid_stream: bool, until: int, answered: bool, missed: bool
) -> None:
    """The capture has the task from second 10 on."""
    made, _ = called(start=None, start_answer=message(0) if answered else None)
    command, _ = record(made)
    command.mid_stream, made.record.start = mid_stream, 10 * SECOND
    assert kill_unseen(made, until * SECOND) is missed
    made.kill = KILL
    assert not kill_unseen(made, until * SECOND)


def test_of_a_callback_alone_its_beginning_tells_whether_a_kill_was_missed() -> None:
    made, _ = of_callback(called())
    assert kill_unseen(made, 20 * SECOND)
    assert made.record.callback is not None
    made.record.callback.mid_stream = False
    assert not kill_unseen(made, 20 * SECOND)


@pytest.mark.parametrize(("side", "kind", "word"), [(HERE, "fin", Outcome.UNKNOWN), (THERE, "rst", Outcome.LOST)])
def test_a_kill_ends_the_process_and_not_the_client(side: int, kind: str, word: Outcome) -> None:
    assert outcomes.outcome(*of_callback(ended(called(), side, kind))) is word


def test_what_a_remote_answers_behind_the_start_was_a_close_or_a_kill() -> None:
    """Unless the start is what it answers, or the callback connection goes on."""
    made, now = answered_unseen(called(cut_command=SECOND))
    command, callback = record(made)
    callback.end = 5 * SECOND
    assert outcomes.outcome(made, now) is Outcome.UNKNOWN
    callback.end += 1
    assert outcomes.outcome(made, now) is Outcome.RUNNING
    callback.end, command.sides[THERE].last_data = 0, Mark(10, 5 * SECOND)
    assert outcomes.outcome(made, now) is Outcome.RUNNING
    made, now = answered_unseen(called())
    assert outcomes.outcome(made, now) is Outcome.RUNNING


def test_a_message_of_the_opener_proves_who_called() -> None:
    example = ended(called(), THERE, mid_stream=True)
    assert outcomes.outcome(*example) is Outcome.UNKNOWN
    example[0].life.join = JoinState.CONFIRMED
    assert outcomes.outcome(*example) is Outcome.LOST


def test_a_job_that_was_ended_by_a_signal_may_have_been_killed_before_the_capture() -> None:
    for signal, start, word in ((9, 15, Outcome.UNKNOWN), (9, 9, Outcome.FAILURE), (None, 15, Outcome.FAILURE)):
        example = called(start=None, start_answer=None, released=message(20 * SECOND), exit_code=1, signal=signal)
        record(example[0])[0].mid_stream, example[0].record.start = True, start * SECOND
        assert outcomes.outcome(*example) is word


def test_of_a_callback_alone_nobody_knows_who_sent_a_signal() -> None:
    example = called(released=message(20 * SECOND), signal=9)
    assert outcomes.outcome(*example) is Outcome.FAILURE
    example[0].record.command = None
    assert outcomes.outcome(*example) is Outcome.UNKNOWN


@pytest.mark.parametrize(("table", "index"), PLACES)
def test_no_row_can_go(table: str, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, examples = TABLES[table]
    example = examples[index]()
    monkeypatch.setattr(outcomes, table, rows[:index] + rows[index + 1 :])
    found: Outcome | None = None
    if rows[index].when:  # the last one takes whatever is left
        found = outcomes.outcome(*example)
    assert found is not rows[index].outcome
