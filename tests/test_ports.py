"""``jstrace ports``: what was used of the callback ports, the range by the vendor's rule, and rules that work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from dissector.errors import UsageError
from dissector.model import Connection, Endpoint, Task
from dissector.reports.firewall import client_opening, remote_openings, rules
from dissector.reports.ports import HIGHEST, SECOND, plan, port_uses

Command = Callable[..., Result]

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None or shutil.which("unshare") is None,
    reason="loads rules into a network namespace",
)


def task(n: int, start: float, end: float, port: int = HIGHEST, client: str = "10.1.0.1") -> Task:
    """A task whose callback connection ends with it; times in seconds."""
    begin, finish = round(start * SECOND), round(end * SECOND)
    remote = Endpoint("10.2.0.1", 4444)
    callback = Connection(Endpoint("10.2.0.1", 40_000 + n), Endpoint(client, port), begin, n, end=finish)
    return Task(
        begin, n, n=n, end=finish, client=Endpoint(client, 50_000), remote=remote, callback_port=port, callback=callback
    )


def of(jstrace: Command, *arguments: object) -> list[dict[str, Any]]:
    result = jstrace("ports", *arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    clients: list[dict[str, Any]] = json.loads(result.stdout)["clients"]
    return clients


# --- figures -------------------------------------------------------------------------------------------------------


def test_parallel_tasks_and_ports_held_for_two_minutes() -> None:
    (use,) = port_uses([task(1, 0, 10), task(2, 5, 15, HIGHEST - 1), task(3, 100, 101), task(4, 300, 301)])
    assert (use.parallel, use.distinct, use.highest, use.lowest) == (2, 2, HIGHEST, HIGHEST - 1)
    assert use.held == 3  # 59999 twice: the vendor's rule would not have let it be used again
    assert (use.starts_per_minute, use.starts_in_two_minutes) == (2, 3)
    assert (use.reuse_least, use.reuse_median) == (90 * SECOND, round(144.5 * SECOND))
    assert (use.plan.size, str(use.plan)) == (5, "59999-59995")


def test_a_task_that_ends_as_another_begins_is_not_parallel() -> None:
    (use,) = port_uses([task(1, 0, 10), task(2, 10, 20)])
    assert use.parallel == 1


def test_the_lowest_port_seen_is_in_the_range() -> None:
    (use,) = port_uses([task(1, 0, 1, HIGHEST - 50)])
    assert str(use.plan) == "59999-59949"


def test_clients_apart() -> None:
    found = port_uses([task(1, 0, 10), task(2, 0, 10, client="10.1.0.2"), task(3, 20, 30, client="10.1.0.2")])
    assert [(use.client, len(use.uses), use.parallel) for use in found] == [("10.1.0.2", 2, 1), ("10.1.0.1", 1, 1)]
    assert port_uses([Task(0, 1, n=1)]) == []


def test_eight_starts_a_second(captures: Path, jstrace: Command) -> None:
    (use,) = of(jstrace, captures / "faults/22_eight_per_second.c.pcap")
    assert (use["tasks"], use["highest"], use["lowest"], use["distinct"]) == (64, 59999, 59976, 24)
    assert (use["parallel"], use["starts_per_minute"], use["held"]) == (24, 64, 64)
    assert 0.75 < use["reuse_least"] < 0.85
    assert use["plan"] == {
        "range": "59999-59912",
        "highest": 59999,
        "lowest": 59912,
        "ports": 88,
        "parallel": 24,
        "starts_in_two_minutes": 64,
    }


def test_two_clients(captures: Path, jstrace: Command) -> None:
    found = of(jstrace, captures / "faults/21_two_clients.c.pcap")
    assert {(use["client"], use["distinct"], use["lowest"]) for use in found} == {
        ("10.50.1.10", 2, 59998),
        ("10.50.1.11", 2, 59998),
    }


def test_the_picture(captures: Path, jstrace: Command) -> None:
    result = jstrace("ports", captures / "engine_ten_tasks.pcap")
    rows = [line for line in result.stdout.splitlines() if "│" in line]
    ports = {use["port"] for use in of(jstrace, captures / "engine_ten_tasks.pcap")[0]["uses"]}
    assert len(ports) == 10
    assert {int(row.split()[0]) for row in rows if "█" in row} == ports
    assert max(map(len, result.stdout.splitlines())) <= 120


# --- the rule ------------------------------------------------------------------------------------------------------


def test_the_vendors_rule(jstrace: Command) -> None:
    result = jstrace("ports", "--plan", "--parallel", 30, "--starts-per-minute", 60)
    assert result.exit_code == 0
    assert "59999-59850" in result.stdout
    assert plan(30, 120).size == 150
    with pytest.raises(UsageError, match="more ports"):
        plan(60_000, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--plan",),
        ("--plan", "--parallel", 30),
        ("--plan", "--parallel", 30, "--starts-per-minute", 60, "--rules", "nftables", "--format", "json"),
        ("--plan", "--parallel", 30, "--starts-per-minute", 60, "--rules", "nftables", "--client", "drop; }"),
        ("--plan", "--parallel", 30_000, "--starts-per-minute", 30_000),
    ],
)
def test_wrong_usage(arguments: tuple[object, ...], jstrace: Command) -> None:
    result = jstrace("ports", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


# --- rules ---------------------------------------------------------------------------------------------------------

OPENINGS = [client_opening(["10.2.0.1", "fd00::2"], 59_850, 59_999), *remote_openings(["10.1.0.0/24"], [4444])]


def test_the_range_at_the_client_and_the_port_at_the_remote() -> None:
    text = rules(OPENINGS, "iptables")
    assert "iptables -I INPUT -p tcp -s 10.2.0.1 --dport 59850:59999 -j ACCEPT" in text
    assert "ip6tables -I INPUT -p tcp -s fd00::2 --dport 59850:59999 -j ACCEPT" in text
    assert "iptables -I INPUT -p tcp -s 10.1.0.0/24 --dport 4444 -j ACCEPT" in text
    assert "OUTPUT" not in text
    windows = rules(OPENINGS, "netsh").splitlines()
    assert windows[1].endswith("protocol=TCP localport=59850-59999 remoteip=10.2.0.1,fd00::2")
    assert windows[3].endswith("protocol=TCP localport=4444 remoteip=10.1.0.0/24")
    assert all("dir=in" in line for line in windows[1::2])


@pytest.mark.parametrize(("form", "mark"), [("iptables", "#"), ("nftables", "#"), ("netsh", "rem")])
def test_answers_have_such_ports_too(form: str, mark: str) -> None:
    """Linux takes source ports up to 60999: a rule that drops by port alone would drop answers to those connections."""
    hint = rules([client_opening([], 59_850, 59_999)], form).splitlines()[-1]
    assert hint.startswith(f"{mark} ")
    assert "must not drop answers" in hint
    assert "answers" not in rules(remote_openings([], [4444]), form)


def test_rules_for_one_side(captures: Path, jstrace: Command) -> None:
    path = captures / "faults/07_remote_multihomed.c.pcap"
    client = jstrace("ports", path, "--rules", "nftables", "--side", "client").stdout
    assert "ip saddr { 10.50.2.10, 10.50.2.11 } tcp dport 59998-59999 accept" in client
    assert "4455" not in client
    remote = jstrace("ports", path, "--rules", "nftables", "--side", "remote", "--client", "10.50.1.10").stdout
    assert "ip saddr { 10.50.1.10 } tcp dport 4455 accept" in remote
    assert "59999" not in remote
    assert jstrace("ports", path, "--rules", "nftables", "--client", "10.9.9.9").exit_code == 2


@needs_root
@pytest.mark.parametrize("openings", [OPENINGS, [client_opening([], 59_999, 59_999)]])
def test_nft_reads_the_rules(openings: list[Any]) -> None:
    subprocess.run(["nft", "-c", "-f", "-"], input=rules(openings, "nftables").encode(), check=True, timeout=30)


_TRY = """
ip link set lo up
nft add table inet filter
nft 'add chain inet filter input { type filter hook input priority 0; policy drop; }'
connects() { python3 -c '
import socket, threading
listener = socket.create_server(("127.0.0.1", 59999))
try:
    socket.create_connection(("127.0.0.1", 59999), 0.5).sendall(b"x")
    print("open", listener.accept()[0].recv(1))
except OSError:
    print("blocked")
'; }
connects
nft -f "$1"
connects
"""


@needs_root
def test_the_rules_let_the_callback_through(tmp_path: Path, jstrace: Command) -> None:
    result = jstrace(
        "ports", "--plan", "--parallel", 2, "--starts-per-minute", 2, "--rules", "nftables", "--side", "client"
    )
    file = tmp_path / "rules.nft"
    file.write_text(result.stdout)
    command = ["unshare", "-n", "sh", "-ec", _TRY, "sh", str(file)]
    tried = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if "ermitted" in tried.stderr:
        pytest.skip("no network namespaces here")
    assert tried.stdout.splitlines() == ["blocked", "open b'x'"], tried.stderr


# --- Universal Agents ----------------------------------------------------------------------------------------------

AGENT_FILE, CLASSIC_FILE = "agent/ua113_two_tasks.pcap", "engine_shell_ok.pcap"


def test_an_agent_needs_one_rule(captures: Path, jstrace: Command) -> None:
    result = jstrace("ports", captures / AGENT_FILE, "--format", "json")
    record = json.loads(result.stdout)
    assert (result.exit_code, record["clients"]) == (0, [])
    agent = {"agent": "127.0.0.1", "port": 4445, "masters": ["127.0.0.1"], "tasks": 2, "parallel": 2}
    assert record["agents"] == [agent]
    shown = jstrace("ports", captures / AGENT_FILE).stdout
    assert "rule for the firewall  4445  one port" in shown
    assert "59999" not in shown
    rule = jstrace("ports", captures / AGENT_FILE, "--rules", "iptables").stdout
    assert "iptables -I INPUT -p tcp -s 127.0.0.1 --dport 4445 -j ACCEPT" in rule.splitlines()
    assert "59999" not in rule
    assert "must not drop answers" not in rule


def test_agents_beside_classic_remotes(captures: Path, jstrace: Command) -> None:
    paths = captures / AGENT_FILE, captures / CLASSIC_FILE
    record = json.loads(jstrace("ports", *paths, "--format", "json").stdout)
    assert [one["client"] for one in record["clients"]] == ["127.0.0.1"]
    assert [one["port"] for one in record["agents"]] == [4445]
    both = jstrace("ports", *paths, "--rules", "iptables").stdout
    assert [line.split("--dport ")[1].split()[0] for line in both.splitlines() if "--dport" in line] == [
        "59998:59999", "4455", "4445",
    ]  # fmt: skip
    client = jstrace("ports", *paths, "--rules", "iptables", "--side", "client").stdout
    assert "4445" not in client
    assert "59998:59999" in client
    assert jstrace("ports", captures / CLASSIC_FILE, "--rules", "iptables").stdout.count("4445") == 0


def test_masters_let_nothing_in(captures: Path, jstrace: Command) -> None:
    result = jstrace("ports", captures / AGENT_FILE, "--rules", "netsh", "--side", "client")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "masters of Universal Agents let nothing in" in result.stderr
    other = jstrace("ports", captures / AGENT_FILE, "--rules", "netsh", "--client", "10.9.9.9")
    assert (other.exit_code, other.stdout) == (2, "")


def test_a_plan_for_an_agent(jstrace: Command) -> None:
    assert "4445  one port" in jstrace("ports", "--plan", "--agent").stdout
    assert json.loads(jstrace("ports", "--plan", "--agent", "--format", "json").stdout)["plan"] == {"port": 4445}
    rules_of = jstrace("ports", "--plan", "--agent", "--rules", "netsh", "--client", "10.1.0.10").stdout
    assert "localport=4445 remoteip=10.1.0.10" in rules_of
    assert jstrace("ports", "--agent", "x.pcap").exit_code == 2
    assert jstrace("ports", "--plan", "--agent", "--rules", "netsh", "--side", "client").exit_code == 2
