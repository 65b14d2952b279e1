"""Tasks on Universal Agents in the plugin, by way of Wireshark's own dissectors of HTTP and TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
from plugin_kit import CAPTURES, Talk, rows, tshark, values, write

AGENT = CAPTURES / "agent"
SHELL, ERRORS = AGENT / "ua113_shell_ok.pcap", AGENT / "ua113_raw_errors.pcap"
HTTPS, KEYS = AGENT / "ua113_https_rsa.pcap", AGENT / "ua113_https_rsa.keys"
TABLE = ("-q", "-o", "jobscheduler.task_table:TRUE")
WITH_KEYS = ("-o", f"tls.keylog_file:{KEYS}")
JSON = "Content-Type: application/json\r\n"
BINARY = "Content-Type: application/octet-stream\r\n"


def request(path: str, body: bytes, headers: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: a:4445\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def response(body: bytes, headers: str = "", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def outcomes(path: Path, *options: str) -> list[tuple[str, str]]:
    """Job and outcome of each line of the task table."""
    lines = tshark(path, *TABLE, *options).partition("\n\n")[0].splitlines()[1:]  # problems stand behind the table
    return [(line.split()[2], line[line.index(line.split()[3]) :].split("  ")[0]) for line in lines]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ua113_shell_ok", [("/folder/shell:1001", "success")]),
        ("ua110_shell", [("/folder/old:9001", "exit 7")]),
        ("ua113_kill", [("/folder/kill:1004", "killed")]),
        ("ua113_startfail", [("/folder/fail:1006", "refused")] * 2),
        ("ua111_task_killed", [("/folder/old:9001", "lost")]),
        ("ua113_midcall", [("/folder/midcall:1007", "lost")]),  # nobody listens at the agent's port any more
        ("ua113_two_tasks", [("/folder/two1:2001", "success"), ("/folder/two0:2000", "success")]),
        ("ua113_shell_ok_all", [("/folder/shell:1001", "success")]),  # with the legs inside of both hosts
        ("ua113_wrong_secret", [("/folder/idle:1003", "success")]),
        ("ua113_raw_errors", []),
    ],
)
@pytest.mark.parametrize("options", [(), ("-2", "-Y", "http")], ids=("one pass", "two passes"))
def test_the_task_table_has_tasks_of_agents(
    name: str, expected: list[tuple[str, str]], options: tuple[str, ...]
) -> None:
    assert outcomes(AGENT / f"{name}.pcap", *options) == expected


def test_two_passes_without_a_filter_have_the_tasks() -> None:
    """In the first one tshark keeps no fields then."""
    assert outcomes(SHELL, "-2") == [("/folder/shell:1001", "success")]


def test_messages_of_a_tunnel_are_messages_of_the_task() -> None:
    found = rows(SHELL, "jobscheduler.kind", "jobscheduler.task", "jobscheduler.kind", options=("-2",))
    assert {task for task, _ in found} == {"1"}
    assert sum(kind in ("request", "answer") for _, kind in found) == len(found) == 20


def test_two_tasks_on_both_connections_keep_their_numbers() -> None:
    found = rows(
        AGENT / "ua113_two_tasks.pcap", "jobscheduler.kind", "tcp.stream", "jobscheduler.task", options=("-2",)
    )
    assert {task for _, task in found} == {"1", "2"}
    assert len({stream for stream, _ in found}) == 2
    assert len(set(found)) > 2


def test_requests_and_answers_are_linked_over_http() -> None:
    pairs = rows(
        SHELL, "jobscheduler.agent.type == StartNonApiTask", "frame.number", "jobscheduler.response_in", options=("-2",)
    )
    assert pairs == [("4", "6")]
    assert rows(SHELL, "frame.number == 6", "jobscheduler.request_in") == [("4",)]
    assert rows(SHELL, "frame.number == 10", "jobscheduler.request_in") == [("8",)]


def test_log_lines_of_a_task_on_an_agent() -> None:
    assert [line for line in values(SHELL, "jobscheduler.log.text")["jobscheduler.log.text"] if "stderr" in line] == [
        "[stderr] to stderr"
    ]


def test_a_repeated_request_counts_once() -> None:
    """The agent was frozen: the master sent the request four times."""
    frozen = AGENT / "ua113_frozen.pcap"
    repeated = rows(frozen, "jobscheduler.agent.repeats", "jobscheduler.agent.repeats", "jobscheduler.kind")
    assert len(repeated) == 3
    assert len({first for first, _ in repeated}) == 1
    assert {kind for _, kind in repeated} == {""}


@pytest.mark.parametrize("options", [(), ("-2",)], ids=("one pass", "two passes"))
def test_https_with_wiresharks_own_keys(options: tuple[str, ...]) -> None:
    assert outcomes(HTTPS, *WITH_KEYS, *options) == [("/folder/shell:1001", "success")]
    found = rows(HTTPS, "jobscheduler.kind == request", "frame.number", options=(*WITH_KEYS, *options))
    assert sum(len(row) for row in found) == 10
    assert rows(HTTPS, "jobscheduler.kind", "frame.number", options=options) == []


@pytest.mark.parametrize(("show", "seen"), [("FALSE", False), ("TRUE", True)])
def test_what_a_task_is_called_is_a_secret(show: str, seen: bool) -> None:
    options = ("-o", f"jobscheduler.show_secrets:{show}")
    texts = rows(SHELL, "jobscheduler.agent.value", "jobscheduler.agent.value", "_ws.col.Info", options=options)
    assert any("6500794818729890698" in text for row in texts for text in row) is seen
    assert any("09xMUWErQ9jqbzL28u1XoVSJ" in text for row in texts for text in row) is seen
    assert any("agentTaskId=***" in text for row in texts for text in row) is not seen


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ua113_startfail", "agent_refused_start"),
        ("ua113_wrong_secret", "tunnel_unknown"),
        ("ua111_task_killed", "task_process_lost"),
        ("ua113_raw_errors", "agent_unauthorized"),
    ],
)
def test_what_the_agent_refused_is_expert_information(name: str, code: str) -> None:
    assert rows(AGENT / f"{name}.pcap", f"jobscheduler.expert.{code}", "frame.number") != []
    assert rows(SHELL, f"jobscheduler.expert.{code}", "frame.number") == []


def test_a_read_filter_leaves_the_tasks() -> None:
    found = rows(SHELL, "jobscheduler.kind", "jobscheduler.task", options=("-2", "-R", "http"))
    assert len(found) == 20
    assert set(found) == {("1",)}


def test_without_http_there_is_nothing_and_no_error() -> None:
    assert rows(SHELL, "jobscheduler", "frame.number", options=("--disable-protocol", "http")) == []


def test_disabled_leaves_json_to_its_own_dissector() -> None:
    assert rows(SHELL, "jobscheduler", "frame.number", options=("--disable-protocol", "jobscheduler")) == []
    found = rows(SHELL, "json", "frame.number", options=("--disable-protocol", "jobscheduler"))
    assert [number for (number,) in found] == ["4", "6", "41", "42"]


def test_bodies_of_others_stay_with_their_dissectors(tmp_path: Path) -> None:
    talk = Talk(50_123, 8_080)
    talk.client(request("/api/other", b'{"agentTaskId":"1-123456789"}', JSON))
    talk.server(response(b'{"a":[1,{"b":2}]}', JSON))
    talk.client(request("/jobscheduler/engine/other", b"\0\1\2\3", BINARY))
    talk.server(response(b"some\ntext", "Content-Type: text/plain\r\n", "404 Not Found"))
    talk.close()
    path = write(tmp_path / "others.pcap", talk.records)
    assert rows(path, "json", "json.key") == [("agentTaskId",), ("b;a",)]
    assert len(rows(path, "data-text-lines", "frame.number")) == 1
    assert len(rows(path, "data", "frame.number")) == 1
    assert rows(path, "jobscheduler.agent.request || jobscheduler.kind", "frame.number") == []


def test_any_port_prefix_and_absolute_uri(tmp_path: Path) -> None:
    answer = b'{"tunnelToken":{"secret":"s","id":"7"},"agentTaskId":"7-1234567"}'
    create = bytes.fromhex(
        "53000000000000000043feee47a36c1b11d88103000476ee8afb0000000000000000000000000000000001"
        "feee47a26c1b11d88103000476ee8afb"
    )
    talk = Talk(50_123, 8_081)
    talk.client(
        request("/a/b/jobscheduler/agent/api/command", b'{"meta":{"taskId":3,"job":"/j"},"$TYPE":"StartApiTask"}', JSON)
    )
    talk.server(response(answer, JSON))
    tunnel = f"{BINARY}X-JobScheduler-Tunnel-Secret: s\r\nX-JobScheduler-Request-ID: 1 PT1H\r\n"
    talk.client(request("/a/b/jobscheduler/agent/api/tunnel/7", create, tunnel))
    talk.close()
    path = write(tmp_path / "prefix.pcap", talk.records)
    assert rows(path, "jobscheduler.kind", "jobscheduler.operation", "jobscheduler.agent.tunnel") == [
        ("create_instance", "7")
    ]
    assert outcomes(path) == [("/j:3", "running")]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"$TYPE":7}',
        b'{"$TYPE":"StartApiTask","meta":[]}',
        b'{"a":"\\uD800\\q"}',
        b"[" * 100_000,
        b"\xff\xfe{}",
        b'"x"',
        b"{} {}",
    ],
)
def test_bodies_that_make_no_sense(tmp_path: Path, body: bytes) -> None:
    talk = Talk(50_123, 4_445)
    talk.client(request("/jobscheduler/agent/api/command", body[:1_200], JSON))
    talk.server(response(b'{"agentTaskId":5,"tunnelToken":"x"}', JSON))
    talk.client(request("/jobscheduler/agent/api/tunnel/1", body[:1_200], BINARY))
    talk.server(response(body[:1_200], BINARY))
    talk.close()
    path = write(tmp_path / "odd.pcap", talk.records)
    for options in ((), ("-2",), ("-V",)):
        tshark(path, *options)
