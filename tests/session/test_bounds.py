"""The numbers of pairing and of remembering, from both sides."""

from __future__ import annotations

import pytest
from kit import Story
from parts import CLIENT, HERE, MS, REMOTE, SECOND, THERE, connection, facts, message

from dissector.model import CaptureInfo, Connection, Endpoint, Mark, Message, Outcome, Role
from dissector.session.bounds import admits, counted, reached, unlisted
from dissector.session.case import Case
from dissector.session.cut import CutStarts
from dissector.session.detect import listens
from dissector.session.dialog import Dialog
from dissector.session.early import Early
from dissector.session.failed_callbacks import IN_VAIN, Called
from dissector.session.findings import first as first_of
from dissector.session.join import Joiner
from dissector.session.opened import OpenTasks
from dissector.session.pairs import Copies, Unannounced
from dissector.session.proof import Proof
from dissector.session.skim import Skim
from dissector.session.task import TaskFacts
from dissector.session.tracer import Tracer
from dissector.sources.blocks import block_of
from dissector.sources.tally import Tally
from dissector.stream.flows import FlowTable
from dissector.stream.prefilter import Prefilter
from dissector.traffic import SYN, Frame, Segment, Side, StreamProblem
from dissector.wire.decode import encode
from dissector.wire.messages import Call, DispParams, NewObject, Reference, Release, SafeArray, Variant


def callback(start: int = 0, **fields: object) -> Connection:
    return connection(Role.CALLBACK, start=start, **{"end": start, **fields})


def half_known(told: int) -> TaskFacts:
    """A task of which only the answer to the start was read, at this time."""
    made = facts(callback=False, start=None)
    made.record.callback_port = None
    made.start_answer = message(told)
    return made


def unannounced(*told: int) -> Unannounced:
    tasks = OpenTasks()
    for time in told:
        tasks.add(half_known(time))
    return Unannounced(Joiner((50_000, 59_999)), tasks, CutStarts((50_000, 59_999), Tracer()))


# --- callbacks that nobody announced ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "waits"), [(2 * SECOND - 1, True), (2 * SECOND, False)])
def test_how_long_a_callback_is_held_back(age: int, waits: bool) -> None:
    one = callback(10 * SECOND)
    one.end = one.start + age
    assert unannounced(10 * SECOND).waits(one) is waits


@pytest.mark.parametrize(("before", "fits"), [(SECOND, True), (SECOND + 1, False)])
def test_how_long_before_its_start_s_answer_a_callback_may_come(before: int, fits: bool) -> None:
    known = unannounced(10 * SECOND)
    assert (known.owner(callback(10 * SECOND - before))[0] is not None) is fits


@pytest.mark.parametrize(("later", "pushed_out"), [(2 * 2 * SECOND - 1, False), (2 * 2 * SECOND, True)])
def test_how_long_a_held_callback_is_a_rival(later: int, pushed_out: bool) -> None:
    known, first = unannounced(10 * SECOND), callback(10 * SECOND)
    assert known.waits(first)
    known.settle(first.start + later)
    owner, several = known.owner(callback(10 * SECOND))
    assert (owner is not None, several) == (pushed_out, not pushed_out)


@pytest.mark.parametrize(("others", "is_rival"), [(255, True), (256, False)])
def test_how_many_callbacks_are_held(others: int, is_rival: bool) -> None:
    known = unannounced(10 * SECOND)
    assert known.waits(callback(10 * SECOND))
    for index in range(others):
        assert known.waits(callback(9 * SECOND + index))
    last = callback(10 * SECOND)
    for one in list(known._held)[1 if is_rival else 0 :]:
        known.drop(one)
    assert (known.owner(last)[0] is None) is is_rival


def test_of_two_tasks_that_fit_none_is_chosen() -> None:
    assert unannounced(10 * SECOND, 10 * SECOND).owner(callback(10 * SECOND)) == (None, True)
    assert unannounced().owner(callback(10 * SECOND)) == (None, False)


# --- copies -----------------------------------------------------------------------------------------------------------


def copied(later: int = MS, ttl: int = 63, ip_id: int = 0, client: str = "192.0.2.9", seq: int = 77) -> bool:
    """True when a second connection is taken for the first one on the other leg of a translation."""
    copies, first = Copies(), connection(start=SECOND, syns=[Mark(1, SECOND, 64, 5)])
    first.sides[HERE].first_seq = 77
    assert copies.original(first) is None
    second = connection(start=SECOND + later, syns=[Mark(2, SECOND + later, ttl, ip_id)])
    second.client, second.sides[HERE].first_seq = Endpoint(client, 40_000), seq
    return copies.original(second) == (first.client, first.server)


@pytest.mark.parametrize(("later", "is_copy"), [(0, True), (50 * MS, True), (50 * MS + 1, False), (-1, False)])
def test_how_soon_a_copy_comes(later: int, is_copy: bool) -> None:
    assert copied(later) is is_copy


def test_a_copy_is_one_hop_on_or_has_the_same_ip_id() -> None:
    assert copied(ttl=65)
    assert not copied(ttl=62)
    assert not copied(ttl=64)
    assert copied(ttl=60, ip_id=5)
    assert not copied(ttl=60, ip_id=6)
    assert not copied(seq=78)
    assert not copied(client=CLIENT)


@pytest.mark.parametrize(("others", "known"), [(2, True), (3, False)])
def test_how_many_connections_are_known_for_copies(others: int, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.pairs.MAX_CLOSED", 3)
    copies = Copies()
    first = connection(syns=[Mark(1, 0, 64, 5)])
    copies.original(first)
    first.sides[HERE].first_seq = 77
    copies.original(first)
    for index in range(others):
        copies.original(connection(client=Endpoint(CLIENT, 1_000 + index)))
    second = connection(client=Endpoint("192.0.2.9", 40_000), syns=[Mark(2, 0, 63, 0)])
    second.sides[HERE].first_seq = 77
    assert (copies.original(second) is not None) is known


# --- callbacks that come before their start ---------------------------------------------------------------------------


def early(behind: int, others: int = 0, **fields: object) -> list[object]:
    """Callbacks found for a start of the second 1."""
    table, found = FlowTable(), Early()
    for index in range(others + 1):
        segment = Segment(
            1, SECOND + behind, b"\x0a\2\0\x0a", 50_000 + index, b"\x0a\1\0\x0a", 59_999, 1, 0, SYN, 1, b"", 0, 64, 1
        )
        flow, _ = table.add(segment, from_client=True, mid_stream=False)
        flow.connection.syns = [Mark(1, SECOND + behind)]
        if index:
            flow.connection.role = Role.COMMAND
        else:
            for name, value in fields.items():
                setattr(flow.connection, name, value)
        found.note(flow)
    return list(found.callbacks(facts(callback=False, start=SECOND)))


@pytest.mark.parametrize(
    ("behind", "number"), [(0, 1), (10 * MS, 1), (10 * MS + 1, 0), (-10 * MS, 1), (-10 * MS - 1, 0)]
)
def test_how_much_out_of_order_a_callback_may_be(behind: int, number: int) -> None:
    assert len(early(behind)) == number


@pytest.mark.parametrize(("others", "number"), [(31, 1), (32, 0)])
def test_how_many_connections_are_kept_in_mind(others: int, number: int) -> None:
    assert len(early(0, others)) == number


def test_who_spoke_or_sent_no_syn_or_is_known_was_not_early() -> None:
    assert early(0, bytes=1) == early(0, syns=[]) == early(0, role=Role.COMMAND) == []
    assert early(0, server=Endpoint(CLIENT, 59_998)) == []


# --- tasks under way --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("used", "found"), [(63, 1), (64, 0)])
def test_how_many_tasks_between_two_hosts_are_looked_at(used: int, found: int) -> None:
    tasks = OpenTasks()
    tasks.add(half_known(1))
    for _ in range(used):
        other = half_known(2)
        tasks.add(other)
        other.attempts.append(callback())
    assert len(tasks.half_known(callback())) == found


@pytest.mark.parametrize(("number", "given_up"), [(2, False), (3, True)])
def test_how_many_tasks_may_be_open(number: int, given_up: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.opened.MAX_OPEN_TASKS", 3)
    tasks, all_ = OpenTasks(), []
    for index in range(number):
        made = facts(callback=False)
        assert made.record.command is not None
        made.record.command.end = (number - index) * SECOND
        tasks.add(made)
        all_.append(made)
    assert tasks.too_many() is (all_[-1] if given_up else None)


def test_a_task_is_due_once_when_it_is_over_and_has_been_silent_for_150_s() -> None:
    tasks, made = OpenTasks(), facts(callback=False)
    command = made.record.command
    assert command is not None
    tasks.add(made)
    command.end, command.over = 5 * SECOND, True
    tasks.touched(made)
    assert tasks.due(155 * SECOND - 1) == []
    assert tasks.due(155 * SECOND) == [made]
    assert tasks.due(500 * SECOND) == []


def test_a_task_that_is_not_over_waits_until_something_happens() -> None:
    tasks, made = OpenTasks(), facts(callback=False)
    tasks.add(made)
    assert tasks.due(500 * SECOND) == []
    assert made.record.command is not None
    made.record.command.over = True
    tasks.touched(made)
    assert tasks.due(500 * SECOND) == [made]


def test_a_task_that_waits_for_a_connection_again_is_not_due() -> None:
    tasks, made = OpenTasks(), facts(callback=False)
    command = made.record.command
    assert command is not None
    command.over = True
    tasks.add(made)
    made.attempts.append(callback())
    tasks.touched(made)
    assert tasks.due(500 * SECOND) == []


def shared(number: int) -> tuple[OpenTasks, list[TaskFacts], Connection]:
    """Tasks that were started on one connection."""
    tasks, command = OpenTasks(), connection(end=SECOND)
    made = [TaskFacts.of_command(command) for _ in range(number)]
    for one in made:
        tasks.add(one)
    return tasks, made, command


def test_tasks_of_one_connection_are_due_each_by_its_own_last_packet() -> None:
    tasks, made, command = shared(3)
    command.over, heard = True, callback(SECOND, over=True)
    made[1].attempts.append(heard)
    for one in made:
        tasks.touched(one)
    command.end = 20 * SECOND
    assert tasks.due(170 * SECOND - 1) == []
    heard.end = 30 * SECOND
    assert tasks.due(170 * SECOND) == [made[0], made[2]]
    assert tasks.due(180 * SECOND - 1) == []
    assert tasks.due(180 * SECOND) == [made[1]]


def test_of_tasks_of_one_connection_the_one_is_given_up_that_nothing_else_was_heard_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dissector.session.opened.MAX_OPEN_TASKS", 2)
    tasks, made, _ = shared(2)
    made[0].attempts.append(callback(2 * SECOND))
    assert tasks.too_many() is made[1]
    tasks.remove(made[1])
    assert tasks.too_many() is None


@pytest.mark.parametrize("is_over", [False, True])
def test_looking_at_tasks_of_one_connection_costs_the_same_however_many(
    is_over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def looked(facts: TaskFacts) -> Connection:
        looks.append(facts)
        assert facts.record.command is not None
        return facts.record.command

    monkeypatch.setattr("dissector.session.silence.latest", looked)
    tasks, made, command = shared(50)
    command.over = is_over
    for one in made:
        tasks.touched(one)
    looks.clear()
    for second in range(100, 2_000, 100):
        command.end = second * SECOND
        assert tasks.due((second + 149) * SECOND) == []
    assert not looks
    monkeypatch.setattr("dissector.session.opened.MAX_OPEN_TASKS", 2)
    assert tasks.too_many() is made[0]
    assert len(looks) == 1


@pytest.mark.parametrize(("others", "known"), [(63, True), (64, False)])
def test_how_many_starts_of_one_port_are_told_apart(others: int, known: bool) -> None:
    joiner, first = Joiner((50_000, 59_999)), facts(callback=False)
    joiner.announce(first)
    for _ in range(others):
        other = facts(callback=False, start=SECOND)
        other.record.start = SECOND
        joiner.announce(other)
    assert (joiner.announced(callback(0)) is first) is known


@pytest.mark.parametrize(("others", "known"), [(63, True), (64, False)])
def test_how_many_unread_commands_between_two_hosts_are_told_apart(others: int, known: bool) -> None:
    joiner, first = Joiner((50_000, 59_999)), connection(gaps=1)
    joiner.command(first)
    for _ in range(others):
        joiner.command(connection())
    made = facts(callback=False).record
    made.callback, made.callback_peer = callback(last_packet=2), Endpoint(REMOTE, 50_000)
    assert joiner.unread(made) is (first if known else None)


# --- ports, link types ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "other", "other_listens"),
    [
        (40_000, 4_455, True),
        (4_455, 40_000, False),
        (50_000, 59_999, True),
        (59_999, 50_000, False),
        (59_998, 59_998, True),
        (49_999, 50_000, True),
        (50_000, 49_999, False),
        (60_000, 59_999, True),
        (59_999, 60_000, False),
        (1_024, 55_000, True),
        (1_023, 55_000, False),
        (55_000, 1_024, False),
        (55_000, 1_023, True),
        (8_080, 8_081, False),
        (8_081, 8_080, True),
        (8_080, 8_080, True),
        (4_444, 4_455, False),
    ],
)
def test_who_listens(port: int, other: int, other_listens: bool) -> None:
    assert listens({4_444, 4_455}, (50_000, 59_999), port, other) is other_listens


def test_sixteen_link_types_are_named_and_counted() -> None:
    for number, more in ((16, False), (17, True), (18, True)):
        info = CaptureInfo("x")
        tally = Tally(info)
        for index in range(number):
            tally.numbered(block_of(Prefilter(), [(1, 500 + index, bytes(60), 60)]))
        assert info.link_type is not None
        assert info.link_type.endswith(", ...") is more
        assert info.link_type.count("link type") == 16
        assert len(tally.unread) == 16


# --- problems of bytes ------------------------------------------------------------------------------------------------


def odd(number: int) -> StreamProblem:
    return StreamProblem("undecoded_frame", HERE, 0, number, number, "odd")


@pytest.mark.parametrize(("number", "more"), [(200, None), (201, "1 more problem"), (203, "3 more problems")])
def test_how_many_problems_of_a_connection_without_a_task_are_told(number: int, more: str | None) -> None:
    one = connection()
    told = [counted(odd(index), one, None) for index in range(number)]
    assert sum(problem is not None for problem in told) == 200
    rest = unlisted(one)
    assert (rest is None) is (more is None)
    assert rest is None or (more and f"{more} of its bytes: counted only." in rest.summary)


@pytest.mark.parametrize(("number", "more"), [(200, 0), (201, 1)])
def test_how_many_problems_of_a_task_are_kept(number: int, more: int) -> None:
    made = facts()
    one = made.record.callback
    assert one is not None
    assert [counted(odd(index), one, made) for index in range(number)] == [None] * number
    assert (len(made.record.problems), made.more["problem"]) == (200, more)
    assert counted(odd(1), one, None) is unlisted(one) is None


def test_how_many_connections_to_the_port_of_a_start_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.bounds.MAX_ATTEMPTS", 3)
    made = facts(callback=False)
    for number in range(5):
        if admits(made):
            made.attempts.append(callback())
        assert (len(made.attempts), made.more["connection"]) == (min(number + 1, 3), max(number - 2, 0))
    (problem,) = reached(Case(made, 0))
    assert problem.summary.startswith("2 more connections to port 59999, behind the first")


# --- proof of a success -----------------------------------------------------------------------------------------------


def ask(operation: str = "call") -> Message:
    return message(1, operation=operation)


def reply(proof: Proof, *, is_step: bool = False) -> bool:
    """The answer to the call under way; true when it is that for certain."""
    return proof.answered(proof.asking, is_step=is_step)


def test_a_job_whose_answers_are_all_there_is_settled() -> None:
    proof, release = Proof(), ask()
    assert proof.holds(None)
    for member in ("construct", "begin", "step"):
        proof.asked(ask(), "call")
        assert not proof.holds(None)
        assert reply(proof, is_step=member == "step")
        assert proof.holds(None)
    proof.asked(release, "release")
    assert proof.holds(release)
    assert not proof.holds(ask())


@pytest.mark.parametrize(("sides", "settled"), [((HERE,), False), ((THERE,), True), ((THERE, HERE), False)])
def test_bytes_lost_between_calls(sides: tuple[Side, ...], settled: bool) -> None:
    """What the task process said between calls is an answer."""
    proof = Proof()
    for side in sides:
        proof.lost(side)
    assert proof.settled is settled


@pytest.mark.parametrize(
    ("sides", "certain"), [((), True), ((HERE,), True), ((THERE,), True), ((HERE, HERE), True), ((HERE, THERE), False)]
)
def test_bytes_lost_while_a_call_is_under_way(sides: tuple[Side, ...], certain: bool) -> None:
    proof = Proof()
    proof.lost(THERE)
    proof.asked(ask(), "call")
    for side in sides:
        proof.lost(side)
    assert reply(proof) is certain
    assert proof.settled is certain


def test_a_step_settles_what_was_lost_before_and_other_answers_do_not() -> None:
    for is_step in (True, False):
        proof = Proof()
        proof.lost(HERE)
        proof.asked(ask(), "call")
        assert reply(proof, is_step=is_step)
        assert proof.settled is is_step


def test_a_call_behind_one_without_an_answer_and_the_first_of_all() -> None:
    proof = Proof()
    proof.asked(ask(), "call")
    proof.asked(ask(), "call")
    assert not proof.settled
    proof.asked(ask("create_instance"), "create_instance")
    assert proof.settled


@pytest.mark.parametrize(
    ("of_client", "settled", "asking"), [(True, False, False), (False, True, True), (None, False, True)]
)
def test_an_answer_that_can_not_be_read(of_client: bool | None, settled: bool, asking: bool) -> None:
    """Of the call under way, of a callback, of a request that is not known."""
    proof, request = Proof(), ask()
    proof.asked(request, "call")
    inner = message(1, to_remote=False)
    answered = request if of_client else None if of_client is None else inner
    proof.unread(answered, to_remote=bool(of_client))
    assert (proof.settled, proof.asking is request) == (settled, asking)


# --- skimming ---------------------------------------------------------------------------------------------------------


def test_who_may_ask_to_be_skimmed() -> None:
    """The task process, when nobody or the client asked last, and not too deep."""
    one = callback(gaps=1)
    dialog, made = Dialog(one, THERE, iter(range(1, 999)).__next__), facts()
    skim, request = Skim(dialog, THERE), Frame(HERE, 0, encode(Release(7)), (1,), 1)
    assert not skim.may_ask(THERE)
    assert skim.may_ask(HERE)
    assert skim.take(request, made)
    # Bytes are missing, the answer perhaps among them: the dialog has to give the first request up.
    assert not skim.take(request, made)
    dialog.feed(request)
    assert [given_up.n for given_up in dialog.given_up()] == [1]
    for depth in (62, 63):
        dialog.stack = [(THERE, message(1), None)] * (depth + 1)
        assert skim.may_ask(HERE) is (depth == 62)


@pytest.mark.parametrize(
    ("object_id", "name", "known"),
    [(7, Variant(8, "log"), {7: "log"}), (7, Variant(3, 5), {7: None}), (0, Variant(8, "log"), {})],
)
def test_which_names_begin_gives(object_id: int, name: Variant, known: dict[int, str | None]) -> None:
    """An object has a name where one is a text; no object has none."""
    dialog = Dialog(callback(), THERE, iter(range(1, 9)).__next__)
    new = Variant(9, Reference(object_id, NewObject("Com_log", bytes(16), ()) if object_id else None))
    arrays = [Variant(0x200C, SafeArray(0x0880, 0, 12, (one,))) for one in (new, name)]
    dialog.feed(Frame(THERE, 0, encode(Call(1, "begin", DispParams((), tuple(arrays[::-1])))), (1,), 1))
    assert {number: info.name for number, info in dialog.objects.items()} == known


@pytest.mark.parametrize(("first", "expected"), [(10, Outcome.UNKNOWN), (9, Outcome.SUCCESS), (6, Outcome.SUCCESS)])
def test_a_capture_that_begins_behind_the_result_proves_no_success(first: int, expected: Outcome) -> None:
    """Its first message is the release; or the answer to the step, or the question for it."""
    told = Story().start().say(0.02, first).leave(0.06).close(0.07).found()
    assert told.outcome is expected


@pytest.mark.parametrize(("syns", "certain"), [(1, False), (2, True)])
def test_a_single_syn_without_an_answer_is_less_certain(syns: int, certain: bool) -> None:
    attempt = callback(SECOND, syns=[Mark(number, SECOND) for number in range(syns)], syn_acks=[])
    (problem,) = first_of(IN_VAIN, Called(Case(facts(callback=False), 9 * SECOND), attempt))
    assert ("less certain" in problem.cause) is not certain


@pytest.mark.parametrize(("last", "down"), [(SECOND, False), (SECOND - 1, True), (None, True)])
def test_a_client_that_says_something_meanwhile_is_not_down(last: int | None, down: bool) -> None:
    made, attempt = facts(callback=False), callback(SECOND, syns=[Mark(1, SECOND)] * 2, syn_acks=[])
    assert made.record.command is not None
    made.record.command.sides[HERE].last = None if last is None else Mark(9, last)
    (problem,) = first_of(IN_VAIN, Called(Case(made, 9 * SECOND), attempt))
    assert ("that host is down" in problem.cause) is down
