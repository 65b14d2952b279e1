"""The simulated Universal Agent and its master: every scenario, and their traffic beside that of the genuine ones."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recording import QUICK, record, trace

from dissector.errors import UsageError
from dissector.model import Exchange, Outcome
from dissector.simulate.agent_scenarios import AGENT_SCENARIOS
from dissector.simulate.report import Options, Summary
from dissector.simulate.run import simulate
from dissector.wire.http import headers_of

RECORDINGS = Path(__file__).resolve().parents[2] / "captures" / "agent"
QUICK_AGENT = replace(QUICK, agent=True, scenarios=("agent-shell",), heartbeat=0.2, work=0.5)
#: Outcomes that the tracer tells, and codes of problems, where they are not those of the scenario's only task.
TRACED: dict[str, list[Outcome]] = {
    "agent-no-license": [Outcome.SUCCESS, Outcome.REFUSED],
    "agent-files": [],
}
CODES = {
    "agent-failing": "job_failed",
    "agent-kill": "task_killed",
    "agent-lost": "task_process_lost",
    "agent-frozen": "request_repeated",
    "agent-start-fails": "agent_refused_start",
    "agent-terminating": "agent_terminating",
    "agent-no-license": "agent_license",
    "agent-wrong-credentials": "agent_unauthorized",
    "agent-wrong-secret": "tunnel_unknown",
    "agent-restart": "tunnel_unknown",
}
#: What each recording shows, and the scenario that is like it.
ALIKE = {
    "ua113_shell_ok": "agent-shell",
    "ua113_api_java": "agent-api",
    "ua113_kill": "agent-kill",
    "ua113_startfail": "agent-start-fails",
    "ua113_idle": "agent-idle",
    "ua113_slow_call": "agent-slow",
    "ua113_frozen": "agent-frozen",
    "ua113_session": "agent-session",
    "ua111_task_killed": "agent-lost",
}


def options(scenario: str) -> Options:
    beat = 0.2 if scenario in ("agent-slow", "agent-idle", "agent-frozen") else 10.0
    return replace(QUICK_AGENT, scenarios=(scenario,), heartbeat=beat, work=1.4 if scenario == "agent-frozen" else 0.5)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Summary, Any]]:
    """Each scenario once."""
    found = {}
    for name in AGENT_SCENARIOS:
        summary, packets = record(tmp_path_factory.mktemp(name), options(name))
        found[name] = summary, trace(packets)
    return found


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", AGENT_SCENARIOS)
def test_scenarios_end_as_they_say(name: str, runs: dict[str, tuple[Summary, Any]]) -> None:
    summary, traced = runs[name]
    assert (summary.started, summary.unexpected) == (1, 0), list(summary.tasks)
    outcomes = TRACED.get(name, [AGENT_SCENARIOS[name].outcome])
    assert [task.outcome for task in traced.tasks] == outcomes
    for task in traced.tasks:
        assert task.job == f"/simulated/{name}"
        assert task.via == "http"
        assert task.kind == ("process" if AGENT_SCENARIOS[name].is_shell else "api")
    told = [code for code in traced.codes if code not in ("slow_call", "open_call", "mid_stream")]
    assert set(told) == ({CODES[name]} if name in CODES else set())


# --- beside the recordings -----------------------------------------------------------------------------------------


def kind_of(method: str, target: str, headers: list[tuple[str, str]], value: Any) -> str:
    """What a request is: the type of a command, or what is asked of a tunnel."""
    if "/tunnel/" not in target:
        return str((value or {}).get("$TYPE"))
    names = {name for name, _ in headers}
    found = [name for name in names if name.startswith("X-JobScheduler-Heartbeat")]
    return f"{method} tunnel {found}"


def shape(value: Any) -> Any:
    """A JSON value with its names and types only; a failed start may have any text."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def fixed(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers in their order; values that differ from run to run left out."""
    return [(name, value if name in CONSTANT else "") for name, value in headers]


CONSTANT = {"Content-Encoding", "Cache-Control", "Accept", "User-Agent", "Content-Type", "Server"}
Row = tuple[str, Any, Any, Any, Any, Any]


def recorded(name: str) -> Counter[str]:
    rows: Counter[str] = Counter()
    for one in json.loads((RECORDINGS / f"{name}.truth.json").read_text())["exchanges"]:
        request, response = one["request"], one["response"]
        value = (request["body"] or {}).get("json")
        headers = [tuple(header) for header in request["headers"]]
        answer = (response["body"] or {}).get("json")
        answers = fixed([tuple(header) for header in response["headers"]])
        rows[row(one["method"], request["start"].split()[1], headers, value, one["status"], answers, answer)] += 1
    return rows


def row(
    method: str, target: str, headers: Any, value: Any, status: int | None, answers: list[tuple[str, str]], answer: Any
) -> str:
    place = re.sub(r"\d+", "N", target)
    said = (
        kind_of(method, target, headers, value),
        place,
        fixed(headers),
        shape(value),
        status,
        answers,
        shape(answer),
    )
    return json.dumps(said)


def simulated(traced: Any) -> Counter[str]:
    rows: Counter[str] = Counter()
    for one in (event for event in traced.events if isinstance(event, Exchange)):
        headers, answers = list(headers_of(one.request.head)), fixed(list(headers_of(one.response.head)))
        value, answer = one.request.json, one.response.json
        rows[row(one.request.method, one.request.path, headers, value, one.status, answers, answer)] += 1
    return rows


@pytest.mark.parametrize("name", ALIKE)
def test_traffic_is_that_of_the_recording(name: str, runs: dict[str, tuple[Summary, Any]]) -> None:
    """Each kind of exchange of the recording is in the simulated one with the same headers in the same order, the same
    status, and JSON of the same names and types; and the other way round."""
    wanted, found = set(recorded(name)), set(simulated(runs[ALIKE[name]][1]))
    left_out = NOT_SIMULATED.get(name, set())
    missing = {one for one in wanted - found if json.loads(one)[0] not in left_out}
    assert missing == set()
    assert wanted & found
    usual = {"CloseTask", "StartNonApiTask"}
    assert {json.loads(one)[0] for one in found} <= {json.loads(one)[0] for one in wanted} | usual


#: Logouts without a session, logins in a session; a start with credentials of Windows.
NOT_SIMULATED = {
    "ua113_session": {"Logout", "Login", "NoOperation"},
    "ua113_startfail": {"StartApiTask"},
    "ua113_slow_call": {"StartApiTask"},
    "ua111_task_killed": {"POST tunnel ['X-JobScheduler-Heartbeat']"},
}


def test_the_order_of_a_task(runs: dict[str, tuple[Summary, Any]]) -> None:
    """Start, tunnel with Request-IDs from 1 on, close; first and last messages are those of the recording."""
    exchanges = [one for one in runs["agent-shell"][1].events if isinstance(one, Exchange)]
    assert [one.type for one in exchanges] == ["StartNonApiTask", *[None] * (len(exchanges) - 2), "CloseTask"]
    assert [one.request_id for one in exchanges[1:-1]] == list(range(1, len(exchanges) - 1))
    truth = json.loads((RECORDINGS / "ua113_shell_ok.truth.json").read_text())["exchanges"]
    bodies = [bytes.fromhex(one["request"]["body"]["hex"]) for one in truth[1:-1]]
    assert exchanges[1].request.body == bodies[0]
    construct = re.compile(rb"[\x20-\x7e]{3,}?=")
    assert construct.findall(exchanges[2].request.body)[:10] == construct.findall(bodies[1])[:10]
    assert b"R" in [one.request.body[9:10] for one in exchanges[-12:-1]]
    assert {message.operation for message in runs["agent-shell"][1].messages} >= {"create_instance", "call", "release"}


def test_bodies_of_commands_are_written_as_by_the_master(runs: dict[str, tuple[Summary, Any]]) -> None:
    start = next(one for one in runs["agent-shell"][1].events if isinstance(one, Exchange))
    truth = json.loads((RECORDINGS / "ua113_shell_ok.truth.json").read_text())["exchanges"][0]["request"]["body"][
        "text"
    ]
    same = start.request.body.decode().replace("/simulated/agent-shell", "/folder/shell").replace('"1"', '"1001"')
    assert same == truth


def test_repetitions_and_their_answers(runs: dict[str, tuple[Summary, Any]]) -> None:
    exchanges = [one for one in runs["agent-frozen"][1].events if isinstance(one, Exchange)]
    again = [one for one in exchanges if one.repeats is not None]
    assert again
    assert len({one.connection for one in again}) == len(again)
    first = next(one for one in exchanges if one.n == again[0].repeats)
    beats = {one.response.header("X-JobScheduler-Heartbeat") for one in (first, *again)}
    assert len(beats) == 1


# --- runs ----------------------------------------------------------------------------------------------------------


def test_many_tasks_at_the_same_time() -> None:
    summary = simulate(replace(QUICK_AGENT, tasks=30, work=0.05))
    assert summary.outcomes == {Outcome.SUCCESS: 30}
    assert summary.most_parallel == 30


def test_https(tmp_path: Path) -> None:
    pem = tmp_path / "agent.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=agent", "-days", "1"]
    try:
        subprocess.run([*made, "-keyout", str(pem), "-out", f"{pem}.crt"], check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    pem.write_bytes(pem.read_bytes() + Path(f"{pem}.crt").read_bytes())
    summary = simulate(replace(QUICK_AGENT, tls=str(pem)))
    assert summary.outcomes == {Outcome.SUCCESS: 1}
    assert ssl.OPENSSL_VERSION


def test_wrong_wishes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="HTTPS is for agents"):
        replace(QUICK, tls="x")
    with pytest.raises(UsageError, match="no scenario"):
        replace(QUICK_AGENT, scenarios=("shell-job",))
    with pytest.raises(UsageError, match=r"missing\.pem"):
        simulate(replace(QUICK_AGENT, tls=str(tmp_path / "missing.pem")))
