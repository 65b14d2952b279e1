"""The recordings of the genuine Universal Agent, exchange for exchange and message for message, and as tasks."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

RECORDINGS = Path(__file__).resolve().parents[1] / "captures" / "agent"
NAMES = sorted(path.name.removesuffix(".truth.json") for path in RECORDINGS.glob("*.truth.json"))
Json = dict[str, Any]
#: Those with TLS, and what deciphers them.
KEYS = {"ua113_https_rsa": ("--tls-keylog", RECORDINGS / "ua113_https_rsa.keys")}
PLAIN = [name for name in NAMES if name not in KEYS]

#: Job, task id, kind, outcome, exit code, messages, log lines and problems of each task.
TASKS: dict[str, list[tuple[object, ...]]] = {
    "c19_kill": [(None, None, "process", "killed", None, 0, 0, ["task_killed"])],
    "c19_shell": [(None, None, "process", "unknown", None, 0, 0, ["callback_not_captured"])],
    "ua110_credentials": [("/folder/old", 9001, "process", "success", 0, 16, 1, [])],
    "ua110_shell": [("/folder/old", 9001, "process", "failure", 7, 16, 1, ["job_failed"])],
    "ua110_startfail": [("/folder/old", 9001, "api", "refused", None, 0, 0, ["agent_refused_start"])],
    "ua111_api": [("/folder/old", 9001, "api", "success", None, 16, 2, [])],
    "ua111_task_killed": [("/folder/old", 9001, "api", "lost", None, 9, 1, ["task_process_lost"])],
    "ua113_api_java": [("/folder/java", 1002, "api", "success", None, 106, 12, [])],
    "ua113_frozen": [("/folder/shell", 1001, "process", "success", 0, 20, 2, ["request_repeated"])],
    "ua113_https_rsa": [("/folder/shell", 1001, "process", "success", 0, 20, 2, [])],
    "ua113_idle": [("/folder/idle", 1003, "process", "success", None, 4, 0, [])],
    "ua113_kill": [("/folder/kill", 1004, "process", "killed", 137, 18, 1, ["task_killed"])],
    "ua113_midcall": [("/folder/midcall", 1007, "process", "lost", None, 13, 1, ["heartbeat_missed"])],
    "ua113_raw_errors": [],
    "ua113_session": [("/folder/session", 1008, "process", "success", 0, 18, 1, [])],
    "ua113_shell_ok": [("/folder/shell", 1001, "process", "success", 0, 20, 2, [])],
    "ua113_slow_call": [("/folder/java", 1002, "api", "success", None, 24, 2, [])],
    "ua113_startfail": [("/folder/fail", 1006, "api", "refused", None, 0, 0, ["agent_refused_start"])] * 2,
    "ua113_two_tasks": [
        ("/folder/two1", 2001, "process", "success", 0, 20, 2, []),
        ("/folder/two0", 2000, "process", "success", 0, 20, 2, []),
    ],
    "ua113_wrong_secret": [("/folder/idle", 1003, "process", "success", None, 4, 0, [])],
}
#: Codes of problems of no task.
ALONE = {
    "ua113_raw_errors": {"no_start_command", "agent_refused_request", "agent_unauthorized", "tunnel_unknown"},
    "ua113_session": {"agent_refused_request"},
    "ua113_wrong_secret": {"tunnel_unknown"},
}


def truth_of(name: str) -> Json:
    document: Json = json.loads((RECORDINGS / f"{name}.truth.json").read_text())
    return document


def body_of(message: Json | None) -> Json:
    return (message or {}).get("body") or {}


def task_row(task: Json) -> tuple[object, ...]:
    counts = task["counts"]
    what = task["job"], task["task_id"], task["kind"], task["outcome"], task["exit_code"]
    return (*what, counts["messages"], len(task["log"]), task["problems"])


def test_every_recording_is_looked_at() -> None:
    assert sorted(TASKS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_exchanges_are_those_of_the_recording(name: str, trace: Callable[..., Json]) -> None:
    document = trace(RECORDINGS / f"{name}.pcap", "--show-secrets", *KEYS.get(name, ()))
    found, wanted = document["exchanges"], truth_of(name)["exchanges"]
    connections: dict[int, int] = {}
    assert len(found) == len(wanted)
    for one, true in zip(found, wanted, strict=True):
        request, response = true["request"], true.get("response")
        assert one["method"] == true["method"]
        assert one["target"] == request["start"].split()[1]
        assert one["status"] == true.get("status")
        assert one["request"] == body_of(request).get("json")
        assert one["response"] == body_of(response).get("json")
        packets = [one["packets"] for one in (request, response) if one and "packets" in one]
        assert set(one["packets"]) >= {number for first_last in packets for number in first_last}
        assert one["packets"] == sorted(one["packets"])
        assert connections.setdefault(one["connection"], true["connection"]) == true["connection"]
        if (true.get("status") or 0) >= 300:
            assert one["error"] == body_of(response)["text"].strip()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("ua")])
def test_messages_are_the_bodies_of_the_recording(name: str, trace: Callable[..., Json]) -> None:
    document = trace(RECORDINGS / f"{name}.pcap", "--show-secrets", *KEYS.get(name, ()))
    carried: dict[int, list[int]] = {}
    for message in document["messages"]:
        carried.setdefault(message["exchange"], []).append(message["bytes"])
        assert message["kind"] != "undecoded"
    delivered: set[tuple[str, str]] = set()
    for one, true in zip(document["exchanges"], truth_of(name)["exchanges"], strict=True):
        bodies = [body_of(true["request"]), body_of(true.get("response"))]
        wanted = [body["bytes"] for body in bodies if "hex" in body]
        if one["repeats"] is not None or one["task"] is None:
            wanted = []
        assert sorted(carried.get(one["n"], [])) == sorted(wanted), one["n"]
        delivered.add((one["method"], one["target"]))
    assert delivered


@pytest.mark.parametrize("name", NAMES)
def test_tasks_of_the_recording(name: str, trace: Callable[..., Json]) -> None:
    document = trace(RECORDINGS / f"{name}.pcap", *KEYS.get(name, ()))
    assert [task_row(task) for task in document["tasks"]] == TASKS[name]
    assert {problem["code"] for problem in document["problems"] if problem["task"] is None} == ALONE.get(name, set())
    for task in document["tasks"]:
        assert task["via"] == ("https" if name in KEYS else "http")
        if name.startswith("ua"):
            assert task["agent"]["ip"] == task["remote"]["ip"] == "127.0.0.1"
            assert task["agent"]["agent_task_id"] in ("***", None)
            assert task["callback"] == {"port": None, "peer": None}
        else:
            assert task["agent"] is None


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*_all.pcap")), ids=lambda path: path.stem)
def test_the_other_legs_of_a_task_are_the_same_task(path: Path, trace: Callable[..., Json]) -> None:
    """The master's own bridge, and the agent's connection to the task process."""
    name = path.stem.removesuffix("_all")
    document = trace(path)
    if name.startswith("ua"):
        assert [task_row(task) for task in document["tasks"]] == TASKS[name]
        assert {one["role"] for one in document["connections"]} == {"http", "callback"}
        assert {one["task"] for one in document["connections"]} <= {task["n"] for task in document["tasks"]}
    else:
        assert [task["outcome"] for task in document["tasks"]] == [{"c19_kill": "killed", "c19_shell": "failure"}[name]]


def secrets_of(value: Any, key: str = "") -> set[str]:
    if isinstance(value, dict):
        return {secret for name, item in value.items() for secret in secrets_of(item, name)}
    if isinstance(value, list):
        if len(value) == 2 and all(isinstance(one, str) for one in value) and value[0].lower() in HEADERS:
            return {value[1].removeprefix("Basic ")}
        return {secret for item in value for secret in secrets_of(item, key)}
    return {value} if key in ("secret", "agentTaskId") and isinstance(value, str) and len(value) > 5 else set()


HEADERS = {
    "authorization",
    "x-jobscheduler-tunnel-secret",
    "x-jobscheduler-licensekey",
    "x-jobscheduler-session",
}


@pytest.mark.parametrize(
    "arguments", [(), ("-v", "--http", "--full"), ("--bytes",), ("--format", "json", "--messages")]
)
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("ua")])
def test_no_secret_is_shown(name: str, arguments: tuple[str, ...], jstrace: Callable[..., Result]) -> None:
    shown = jstrace("read", RECORDINGS / f"{name}.pcap", *arguments, *KEYS.get(name, ())).stdout
    assert [secret for secret in secrets_of(truth_of(name)) if secret in shown] == []


def test_secrets_are_shown_on_demand(jstrace: Callable[..., Result]) -> None:
    path = RECORDINGS / "ua113_two_tasks.pcap"
    shown = jstrace("read", path, "--format", "json", "--messages", "--show-secrets").stdout
    names = {secret for secret in secrets_of(truth_of("ua113_two_tasks")) if secret.partition("-")[0].isdigit()}
    assert names
    assert [name for name in names if name not in shown] == []


def test_the_ladder_of_a_task_on_an_agent(jstrace: Callable[..., Result]) -> None:
    path = RECORDINGS / "ua113_slow_call.pcap"
    plain = jstrace("read", path, "--task", "1").stdout
    assert "master" in plain
    assert "StartApiTask(/folder/java, task 1002)" in plain
    assert "CloseTask()" in plain
    assert "202" not in plain.replace("2026", "")
    http = jstrace("read", path, "--http").stdout
    assert http.count("goes on waiting") == 2
    assert http.count("202: not yet after 10 s") == 2


def test_exchanges_of_no_task_are_shown_by_name(jstrace: Callable[..., Result]) -> None:
    shown = jstrace("read", RECORDINGS / "ua113_session.pcap", "--http").stdout
    assert [shown.count(name) for name in ("Login()", "Logout()", "NoOperation()")] == [3, 2, 3]
    assert "no task" in shown
    views = jstrace("read", RECORDINGS / "ua113_raw_errors.pcap", "--http").stdout
    assert "GET /jobscheduler/agent/api" in views
    assert "no task" not in jstrace("read", RECORDINGS / "ua113_session.pcap", "--task", "1").stdout


def test_no_http_lines_in_records(jstrace: Callable[..., Result]) -> None:
    result = jstrace("read", RECORDINGS / "ua113_idle.pcap", "--http", "--format", "json")
    assert result.exit_code == 2
    assert "--http has no effect on --format json" in result.stderr


# --- copies of captures --------------------------------------------------------------------------------------------

#: Where the connection to the task process begins with a secret, its messages can not be told from others without it;
#: and a guessed secret looks like the true one.
NOT_THE_SAME = {"ua113_wrong_secret"}


def unpacked(data: bytes) -> bytes:
    """With what the gzip members in it hold."""
    found = [data]
    for match in re.finditer(rb"\x1f\x8b\x08", data):
        with suppress(zlib.error):
            found.append(
                zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(data[match.start() : match.start() + 4_000])
            )
    return b"\n".join(found)


@pytest.mark.parametrize("options", [(), ("--all-text",)], ids=["secrets", "all texts"])
@pytest.mark.parametrize("name", [name for name in PLAIN if name.startswith("ua")])
def test_redacted_recordings_tell_the_same(
    name: str, options: tuple[str, ...], tmp_path: Path, jstrace: Callable[..., Result], trace: Callable[..., Json]
) -> None:
    target = tmp_path / "redacted.pcapng"
    result = jstrace("redact", *options, RECORDINGS / f"{name}.pcap", target)
    data = unpacked(target.read_bytes())
    assert [secret for secret in secrets_of(truth_of(name)) if secret.encode() in data] == []
    assert b'"$TYPE"' in data or not TASKS[name]
    if name in NOT_THE_SAME:
        return
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [task_row(task) for task in trace(target)["tasks"]]
    assert [row[1:] for row in rows] == [row[1:] for row in TASKS[name]]
    if options:
        assert all(set(str(row[0])) == {"x"} for row in rows)


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("ua*_all.pcap")), ids=lambda path: path.stem)
def test_other_legs_stay_the_same_task_in_a_copy_without_texts(
    path: Path, tmp_path: Path, jstrace: Callable[..., Result], trace: Callable[..., Json]
) -> None:
    target = tmp_path / "redacted.pcapng"
    assert jstrace("redact", "--all-text", path, target).exit_code == 0
    rows = [task_row(task) for task in trace(target)["tasks"]]
    assert [row[1:] for row in rows] == [row[1:] for row in TASKS[path.stem.removesuffix("_all")]]


def test_a_slice_has_all_connections_that_carry_a_task(
    tmp_path: Path, jstrace: Callable[..., Result], trace: Callable[..., Json]
) -> None:
    target = tmp_path / "slice.pcapng"
    assert jstrace("slice", RECORDINGS / "ua113_two_tasks.pcap", target, "--task", "2").exit_code == 0
    assert TASKS["ua113_two_tasks"][1] in [task_row(task) for task in trace(target)["tasks"]]
