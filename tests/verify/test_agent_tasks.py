"""Tasks on Universal Agents: both sides tell the same outcome and the same problems, in the same words.

Verify tells a difference where the plugin has another row, or lacks a fact.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from agent_kit import (
    AGENT,
    API,
    CLIENT,
    Pool,
    answer,
    begun,
    bodies,
    close,
    gone_on_twice,
    idle,
    post,
    refusal,
    request,
    response,
    start,
    started,
)
from conversation import ACK, RST, SECOND, SYN, Address
from test_tasks import disagreements, packets_of, written
from verify_kit import PLUGIN, ROOT, told_by_python

from dissector.session.agent_outcomes import AGENT_OUTCOMES
from dissector.verify.records import Found, Row
from dissector.verify.tshark import Tshark

TEXT = PLUGIN.read_text(encoding="utf-8")
#: The number of the request whose response says how the job went.
RESULT = 5
DATE = "Date: Thu, 01 Jan 1970 00:01:01 GMT"


def later(pool: Pool, seconds: float) -> None:
    """Something about no task is captured then."""
    pool.wait(seconds)
    pool.exchange(request(f"{API}/task", method="GET"), answer([]), line=7)


def refused(pool: Pool) -> None:
    pool.exchange(start(), refusal(400, "License key required for 'Universal Agent' (1 unreleased tasks)"))


def refused_by_a_web_form(pool: Pool) -> None:
    pool.exchange(start(), refusal(403, "HTML form POST is forbidden"))


def killed(pool: Pool) -> None:
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    pool.exchange(close(kill=True), answer({}), line=1)


def killed_and_broken(pool: Pool) -> None:
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    pool.ask(close(kill=True), line=1)
    pool.reply(refusal(500, "TunnelConnectionClosedException"))
    pool.reply(answer({}), line=1)


def healthy(pool: Pool) -> None:
    begun(pool, len(bodies()))
    pool.exchange(close(), answer({}))


def with_exit_code(pool: Pool, messages: int) -> None:
    pool.exchange(start(), started())
    for number, (asked, answered) in enumerate(bodies()[:messages], 1):
        pool.exchange(post(number, asked), response(200, answered.replace(b'exit_code="0"', b'exit_code="7"')))
    pool.exchange(close(), answer({}))


def failed(pool: Pool) -> None:
    with_exit_code(pool, len(bodies()))


def failed_without_a_release(pool: Pool) -> None:
    with_exit_code(pool, RESULT)


def cut_request(pool: Pool) -> None:
    """The snap length cut off what the master said last: it may be anything."""
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    _cut(pool)


def failed_and_cut(pool: Pool) -> None:
    pool.exchange(start(), started())
    for number, (asked, answered) in enumerate(bodies()[:RESULT], 1):
        pool.exchange(post(number, asked), response(200, answered.replace(b'exit_code="0"', b'exit_code="7"')))
    pool.ask(close())
    _cut(pool)


def signalled_and_cut(pool: Pool) -> None:
    """The job ended by a signal, and another request of the master can not be read: it may have asked for that."""
    pool.exchange(start(), started())
    for number, (asked, answered) in enumerate(bodies(), 1):
        signalled = answered.replace(b'"true" exit_code="0"', b'"1"  exit_code="137"')  # as long as before
        pool.exchange(post(number, asked), response(200, signalled))
    pool.ask(close())
    _cut(pool)


def cut_answer_to_the_start(pool: Pool) -> None:
    pool.exchange(start(), started())
    _cut(pool)


def cut_elsewhere(pool: Pool) -> None:
    """On a connection that said nothing else."""
    begun(pool)
    pool.ask(close(), 1)
    _cut(pool)


def _cut(pool: Pool) -> None:
    records = pool.network.records
    last = max(at for at, one in enumerate(records) if len(one.data) > 120)
    records[last] = records[last]._replace(data=records[last].data[:120])


def without_its_step(pool: Pool) -> None:
    """Released, but how the job went was not captured."""
    pool.exchange(start(), started())
    for number, (asked, answered) in enumerate(bodies(), 1):
        if number != RESULT:
            pool.exchange(post(number, asked), response(200, answered))


def broken(pool: Pool) -> None:
    number = begun(pool)
    pool.exchange(
        post(number, bodies()[3][0]), refusal(500, "TunnelConnectionClosedException: Peer has closed the connection")
    )
    pool.exchange(close(kill=True), answer({}))


def gone(pool: Pool) -> None:
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    for port in range(50_000, 50_005):
        pool.wait(1)
        line = pool.network.line(Address(CLIENT, port), AGENT)
        line.packet(pool.now, 0, SYN)
        line.packet(pool.now + 1_000, 1, RST | ACK)


def cut_off(pool: Pool) -> None:
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    for port in range(50_000, 50_005):
        pool.wait(1)
        pool.network.line(Address(CLIENT, port), AGENT).packet(pool.now, 0, SYN)


def redirected(pool: Pool) -> None:
    pool.exchange(start(), response(302, b"", "Location: https://agent:4446/"))


def answered_by_a_page(pool: Pool) -> None:
    pool.exchange(start(), response(200, b"<html>Log in</html>", kind="text/html"))


def asked_by_a_proxy(pool: Pool) -> None:
    pool.exchange(start(), refusal(407, "Proxy Authentication Required"))


def ended_instead_of_an_answer(pool: Pool) -> None:
    pool.ask(start())
    pool.lines[0].finish(pool.now + SECOND, 1)
    later(pool, 5)


def silent(pool: Pool) -> None:
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    later(pool, 61)


def silent_for_long(pool: Pool) -> None:
    """The agent has ended it by then."""
    begun(pool)
    for seconds in (119, 2, 30):
        later(pool, seconds)


def not_silent_for_long(pool: Pool) -> None:
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    later(pool, 59)


def closed(pool: Pool) -> None:
    begun(pool)
    pool.exchange(close(), answer({}))


def never_answered(pool: Pool) -> None:
    number = begun(pool)
    for line in range(3):
        pool.ask(post(number, bodies()[3][0]), line)
        pool.wait(11)
    later(pool, 61)


def late_heartbeat(pool: Pool) -> None:
    begun(pool)
    pool.wait(13)
    pool.exchange(idle(), response(200))
    pool.exchange(close(), answer({}))


def nearly_late_heartbeat(pool: Pool) -> None:
    begun(pool)
    pool.wait(11)
    pool.exchange(idle(), response(200))
    pool.exchange(close(), answer({}))


def with_another_clock(pool: Pool) -> None:
    head, _, rest = started().partition(b"\r\n")
    pool.exchange(start(), head + b"\r\n" + DATE.encode() + b"\r\n" + rest)


def wrong_secret(pool: Pool) -> None:
    number = begun(pool)
    pool.exchange(post(number, b"S", secret="guessed"), refusal(500, "Wrong tunnel secret"))


def wrong_but_taken_out(pool: Pool) -> None:
    number = begun(pool, secret="******")
    pool.exchange(post(number - 1, b"S", secret="******"), refusal(500, "Wrong tunnel secret"), 1)


TALKS = (
    refused, refused_by_a_web_form, killed, killed_and_broken, healthy, failed, failed_without_a_release,
    without_its_step, broken, gone, silent, silent_for_long, not_silent_for_long, closed, gone_on_twice, never_answered,
    late_heartbeat, nearly_late_heartbeat, with_another_clock, wrong_secret, wrong_but_taken_out, cut_off, redirected,
    answered_by_a_page, asked_by_a_proxy, ended_instead_of_an_answer, cut_request, failed_and_cut,
    cut_answer_to_the_start, cut_elsewhere, signalled_and_cut,
)  # fmt: skip
Part = tuple[str, int, int]
#: The talk that each row of the table decides, in its order; or a recording and its packets that are lost.
DECIDED: tuple[Callable[[Pool], None] | Part, ...] = (
    refused, ("ua111_task_killed", 22, 25), killed, signalled_and_cut, failed, healthy, without_its_step, broken, gone,
    silent, failed_without_a_release, closed, failed_and_cut, cut_request, not_silent_for_long,
)  # fmt: skip
#: A fact that the plugin collects, what it is instead, and where that makes a difference.
CHANGES = [
    ("heard = about.heard,", "heard = -1e11,", not_silent_for_long),
    ("start_failure = about.start_failure", "start_failure = nil", refused),
    ("clock_skew = about.clock_skew", "clock_skew = nil", with_another_clock),
    ("close = self:exchange(about.close)", "close = nil", closed),
    ("kill = self:exchange(about.kill)", "kill = nil", killed),
    ("failed = self:exchange(about.failed)", "failed = nil", broken),
    ("waiting = self:exchange(about.waiting)", "waiting = nil", silent),
    ("repeated = about.repeated,", "repeated = 0,", never_answered),
    ("py.list_of({ table.unpack(about.repetitions) })", "py.pack()", gone_on_twice),
    ("longest_wait = about.longest_wait", "longest_wait = 0", gone_on_twice),
    ("return about.missing, about.missing_in", "return -1, about.missing_in", cut_answer_to_the_start),
    ("missed.time > about.missing then return", "false then return", cut_elsewhere),
    ("missed = about.missed,", "missed = 0,", late_heartbeat),
    ("missed_by = self:exchange(about.missed_by)", "missed_by = nil", late_heartbeat),
    ("heartbeat = about.heartbeat and", "heartbeat = nil and", late_heartbeat),
    ("count = outage.count", "count = 1", gone),
    ("packets = outage.packets", "packets = js.py.pack()", gone),
    ("unanswered = outage.unanswered,", "unanswered = 0,", cut_off),
    ("answered = exchange.answered,", "answered = nil,", killed_and_broken),
    ("self.agents:age(now)", "", silent_for_long),
]  # fmt: skip


def capture(talk: Callable[[Pool], None], tmp_path: Path) -> Path:
    pool = Pool(now=61 * SECOND)
    talk(pool)
    path = tmp_path / f"{talk.__name__}.pcap"
    path.write_bytes(pool.network.capture())
    return path


def part(name: str, first: int, last: int, tmp_path: Path) -> Path:
    """What is left of a recording."""
    packets = packets_of(ROOT / "captures" / "agent" / f"{name}.pcap")
    return written(tmp_path / f"{name}.pcap", packets[: first - 1] + packets[last:])


def problems(path: Path, plugin: Path = PLUGIN) -> tuple[list[Found], list[Found]]:
    """What both sides tell, in all words."""
    told, shown = told_by_python(path), Tshark(plugin=plugin).read(str(path))
    return [one for one in told if isinstance(one, Found)], [one for one in shown if isinstance(one, Found)]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("two_pass", [False, True])
@pytest.mark.parametrize("talk", TALKS)
def test_both_tell_the_same(talk: Callable[[Pool], None], two_pass: bool, tmp_path: Path) -> None:
    path = capture(talk, tmp_path)
    assert disagreements(path, two_pass=two_pass) == []
    python, shown = problems(path)
    assert python == shown


def test_a_connection_of_which_the_only_request_is_missing(tmp_path: Path) -> None:
    """It may have been a kill, and began with what is missing; only the packet that shows so is another one."""
    path = part("ua113_kill", 35, 35, tmp_path)
    assert [one.outcome for one in told_by_python(path) if isinstance(one, Row)] == ["unknown"]
    assert [one for one in disagreements(path) if "outcome" in one] == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("index", range(len(AGENT_OUTCOMES)))
def test_another_outcome_is_seen(index: int, tmp_path: Path) -> None:
    begin = TEXT.index("session_agent_outcomes.AGENT_OUTCOMES = ")
    word = list(re.compile(r'(?<=Row\.new\(")\w+').finditer(TEXT, begin, TEXT.index("\n", begin)))[index]
    decided = DECIDED[index]
    path = part(*decided, tmp_path) if isinstance(decided, tuple) else capture(decided, tmp_path)
    (row,) = (one for one in told_by_python(path) if isinstance(one, Row))
    expected = AGENT_OUTCOMES[index].outcome.value
    assert word[0] == expected
    assert row.outcome == ("exit 7" if expected == "failure" else expected)
    changed = tmp_path / "changed.lua"
    changed.write_text(TEXT[: word.start()] + "other" + TEXT[word.end() :], encoding="utf-8")
    assert any("tshark other" in one for one in disagreements(path, changed))


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("old", "new", "talk"), CHANGES)
def test_a_change_is_seen(old: str, new: str, talk: Callable[[Pool], None], tmp_path: Path) -> None:
    assert TEXT.count(old) == 1
    changed = tmp_path / "changed.lua"
    changed.write_text(TEXT.replace(old, new), encoding="utf-8")
    path = capture(talk, tmp_path)
    python, shown = problems(path, changed)
    assert disagreements(path, changed) or python != shown
