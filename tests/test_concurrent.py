"""Many tasks at once, joined from two connections each: compared with what the writer of the capture knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from conversation import EPOCH, SECOND, Network, TaskScript

Json = dict[str, Any]
CLIENTS = ("10.1.0.10", "10.1.0.11", "10.1.0.12")
REMOTES = ("10.2.0.10", "10.2.0.20")
#: The second remote has another address that it prefers for its own connections.
OTHER_ADDRESS = "10.9.9.9"


def thirty_tasks() -> Network:
    """Three clients, each with ten tasks over both remotes, started 0.7 ms apart so that their messages interleave.

    Every client counts its ports down from 59999 as the engine does, so the same ports are in use at three clients at
    once, for tasks of both remotes; process ids repeat between the remotes.
    """
    network = Network()
    for index in range(30):
        remote = index // 3 % 2
        script = TaskScript(
            job=f"job_{index}",
            client=CLIENTS[index % 3],
            remote=REMOTES[remote],
            peer=OTHER_ADDRESS if remote == 1 else None,
            command_port=40_000 + index // 3,
            callback_port=59_999 - index // 3,
            peer_port=50_000 + index,
            task_id=100 + index,
            process_id=1 + index // 6,
            pid=None if index % 4 else 7_000 + index,
            log=tuple(f"job_{index} says {line}" for line in range(index % 5)),
            exit_code=0 if index % 7 else 3,
            delay=0.004 - 0.0001 * index,
        )
        network.play(script, start=0.0007 * index)
    return network


def reused_ports() -> Network:
    """One client, one port, six tasks: each begins within a second of the end of the one before.

    The odd ones come from the same port of the task process as the one before: only the SYN tells them apart.
    """
    network = Network()
    start = 0.0
    for index in range(6):
        script = TaskScript(
            job=f"turn_{index}",
            command_port=40_000 + index,
            peer_port=50_000 + index // 2,
            task_id=index,
            process_id=index + 1,
            log=(f"turn {index}",),
        )
        start = network.play(script, start) / SECOND + 0.2
    return network


def facts_found(task: Json) -> Json:
    """What the program says of a task, as far as the writer knows it."""
    return {
        "client": task["client"],
        "remote": task["remote"],
        "callback": task["callback"],
        "kind": task["kind"],
        "process_id": task["process_id"],
        "pid": task["pid"],
        "job": task["job"],
        "task_id": str(task["task_id"]),
        "outcome": task["outcome"],
        "exit_code": task["exit_code"],
        "log": [(line["level"], line["text"]) for line in task["log"]],
        "start": task["start"],
    }


def facts_written(start: int, script: TaskScript) -> Json:
    peer = script.peer_address
    moment = datetime.fromtimestamp(EPOCH, timezone.utc).replace(microsecond=start % SECOND // 1_000)
    assert start < SECOND
    return {
        "client": {"ip": script.client, "port": script.command_port},
        "remote": {"ip": script.remote, "port": script.remote_port},
        "callback": {"port": script.callback_port, "peer": {"ip": peer.ip, "port": peer.port}},
        "kind": "process" if script.pid is None else "api",
        "process_id": script.process_id,
        "pid": script.pid,
        "job": script.job,
        "task_id": str(script.task_id),
        "outcome": "failure" if script.exit_code else "success",
        "exit_code": script.exit_code,
        "log": [("info", text) for text in script.log],
        "start": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def test_thirty_tasks_are_joined_rightly(tmp_path: Path, trace: Callable[..., Json]) -> None:
    network = thirty_tasks()
    path = tmp_path / "thirty.pcap"
    path.write_bytes(network.capture())
    document = trace(path)
    assert [facts_found(task) for task in document["tasks"]] == [facts_written(*task) for task in network.tasks]
    assert [task["n"] for task in document["tasks"]] == list(range(1, 31))
    assert len(document["connections"]) == 60
    assert {connection["task"] for connection in document["connections"]} == set(range(1, 31))


def test_tasks_do_overlap_in_the_capture() -> None:
    """The test above means nothing if the tasks run one after the other."""
    network = thirty_tasks()
    first_end = Network().play(network.expected()[0])
    assert sum(start < first_end for start, _ in network.tasks) >= 20


def test_messages_belong_to_their_tasks(tmp_path: Path, trace: Callable[..., Json]) -> None:
    network = thirty_tasks()
    path = tmp_path / "thirty.pcap"
    path.write_bytes(network.capture())
    document = trace(path)
    for n, script in enumerate(network.expected(), 1):
        mine = [message for message in document["messages"] if message["task"] == n]
        assert sum(message["member"] == "log" and message["kind"] == "request" for message in mine) == len(script.log)
        assert len(mine) == 4 + 14 + 2 * len(script.log)
        settings = next(message for message in mine if message["member"] == "construct")["arguments"][0]["value"]
        assert {"type": "BSTR", "value": f"job={script.job}"} in settings


def test_another_address_is_noted_and_nothing_else(tmp_path: Path, trace: Callable[..., Json]) -> None:
    network = thirty_tasks()
    path = tmp_path / "thirty.pcap"
    path.write_bytes(network.capture())
    for task, script in zip(trace(path)["tasks"], network.expected(), strict=True):
        expected = {"callback_other_address"} if script.peer else set()
        assert set(task["problems"]) - {"job_failed"} == expected


def test_a_port_used_again_makes_a_new_task(tmp_path: Path, trace: Callable[..., Json]) -> None:
    network = reused_ports()
    path = tmp_path / "reused.pcap"
    path.write_bytes(network.capture())
    tasks = trace(path)["tasks"]
    assert [(task["job"], [line["text"] for line in task["log"]]) for task in tasks] == [
        (f"turn_{index}", [f"turn {index}"]) for index in range(6)
    ]
    assert {task["outcome"] for task in tasks} == {"success"}
    assert {task["callback"]["port"] for task in tasks} == {59_999}


@pytest.mark.parametrize("mss", [1, 3, 4, 100])
def test_small_segments_change_nothing(mss: int, tmp_path: Path, trace: Callable[..., Json]) -> None:
    network = Network()
    network.play(TaskScript(log=("one", "two")), mss=mss)
    path = tmp_path / "small.pcap"
    path.write_bytes(network.capture())
    (task,) = trace(path)["tasks"]
    assert (task["outcome"], [line["text"] for line in task["log"]]) == ("success", ["one", "two"])
