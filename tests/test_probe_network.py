"""Client, firewall and remote in network namespaces: ``jstrace probe`` names the cause that ``read`` names.

The test makes the namespaces itself and removes them: client 10.62.1.10, remote 10.62.2.10, the firewall between.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from live_kit import COMMAND, ROOT, eventually, inside, needs_namespaces
from network_kit import Port, forward, hosts, link, route, rules

pytestmark = needs_namespaces
NAME = f"jsp{os.getpid() % 10_000}"
CLIENT, FIREWALL, REMOTE = (f"{NAME}{letter}" for letter in "cfr")
CLIENT_IP, REMOTE_IP = "10.62.1.10", "10.62.2.10"
PORT, AGENT_PORT = 4444, 4445


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """client (c0) --- (f1) firewall (f2) --- (r0) remote, on which a remote and an agent listen"""
    peers: list[subprocess.Popen[str]] = []
    with hosts(CLIENT, FIREWALL, REMOTE):
        link(Port(CLIENT, "c0", CLIENT_IP), Port(FIREWALL, "f1", "10.62.1.1"))
        link(Port(REMOTE, "r0", REMOTE_IP), Port(FIREWALL, "f2", "10.62.2.1"))
        route(CLIENT, "10.62.1.1")
        route(REMOTE, "10.62.2.1")
        forward(FIREWALL)
        try:
            for more in (["--listen", f"{REMOTE_IP}:{PORT}"], ["--agent", "--listen", f"{REMOTE_IP}:{AGENT_PORT}"]):
                words = [*inside(REMOTE), *COMMAND, "simulate", "remote", *more]
                peers.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT))
            for peer in peers:
                assert peer.stdout is not None
                assert "listens" in peer.stdout.readline()
            yield
        finally:
            for peer in peers:
                peer.terminate()
                peer.communicate()


def probed(*arguments: object, target: str = f"{REMOTE_IP}:{PORT}", status: int = 0) -> dict[str, Any]:
    words = [*inside(CLIENT), *COMMAND, "probe", target, *map(str, arguments), "--yes", "--format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert not done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def codes(found: dict[str, Any]) -> list[str]:
    return [one["code"] for one in found["problems"]]


def test_an_open_way() -> None:
    found = probed()
    assert found["attempts"][0]["callback_from"]["ip"] == REMOTE_IP
    assert probed(target=f"http://{REMOTE_IP}:{AGENT_PORT}")["ok"]


DROP, RST = "-j DROP", "-p tcp -j REJECT --reject-with tcp-reset"
THERE, BACK = f"-s {CLIENT_IP} -p tcp --dport {PORT}", f"-s {REMOTE_IP} -p tcp --syn"
LOCAL = "-A INPUT -p tcp --dport 50000:59999 --syn"
#: Where, rule, problem code of the packets, words of its cause or summary.
WALLS = [
    ("firewall", f"-A FORWARD {THERE} {DROP}", "command_unanswered", ""),
    ("firewall", f"-A FORWARD {THERE} -j REJECT --reject-with icmp-admin-prohibited", "command_refused", "ICMP"),
    ("firewall", f"-A FORWARD {THERE} -j REJECT --reject-with tcp-reset", "command_refused", "RST"),
    ("firewall", f"-A FORWARD -s {REMOTE_IP} -p tcp --sport {PORT} {DROP}", "command_unanswered", ""),
    ("firewall", f"-A FORWARD {BACK} {DROP}", "callback_missing", ""),
    ("firewall", f"-A FORWARD {BACK} -j REJECT --reject-with tcp-reset", "callback_missing", ""),
    ("client", f"{LOCAL} {DROP}", "callback_dropped", "this host itself"),
    ("client", f"{LOCAL} -j REJECT --reject-with tcp-reset", "callback_refused", "RST"),
    ("client", f"{LOCAL} -j REJECT --reject-with icmp-port-unreachable", "callback_refused", "ICMP"),
]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("place", "rule", "code", "word"), WALLS)
def test_what_a_firewall_answered(place: str, rule: str, code: str, word: str) -> None:
    with rules((FIREWALL if place == "firewall" else CLIENT, rule)):
        found = probed("--timeout", "1500ms", status=1)
    assert codes(found) == [code]
    (problem,) = found["problems"]
    assert word in problem["summary"] + problem["cause"]
    assert problem["packets"] or code == "callback_missing"  # the proof, where there is something to be seen


def test_ports_that_a_firewall_lets_through() -> None:
    with rules((FIREWALL, f"-A FORWARD {BACK} --dport 59996:59997 {DROP}")):
        found = probed("--ports", "59999-59994", "--timeout", "2s", "--parallel", 6, status=1)
    assert [one["port"] for one in found["attempts"] if not one["ok"]] == [59997, 59996]
    (problem,) = found["problems"]
    assert (problem["code"], "1 more port" in problem["summary"]) == ("callback_missing", True)


def test_the_packets_are_kept(tmp_path: Any) -> None:
    path = tmp_path / "probe.pcapng"
    probed("-w", path)
    read = subprocess.run([*COMMAND, "read", path], capture_output=True, text=True, cwd=ROOT, check=True)
    assert f"{REMOTE_IP}:{PORT}" in read.stdout
    assert "59999" in read.stdout


def test_a_user_without_rights_is_told_that_packets_are_missing() -> None:
    """The sockets tell the most."""
    words = [*inside(CLIENT), *COMMAND, "probe", f"{REMOTE_IP}:{PORT + 5}", "--yes"]
    without = ["setpriv", "--bounding-set", "-net_raw,-net_admin", "--inh-caps", "-net_raw,-net_admin"]
    done = subprocess.run([*words[:4], *without, *words[4:]], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert "command_refused" in done.stdout
    assert "without packets" in done.stderr


def test_everything_that_was_started_has_ended() -> None:
    """Behind all of these the remote has no process left that anybody could end."""

    def none_is_left() -> bool:
        view = probed(target=f"http://{REMOTE_IP}:{AGENT_PORT}")["attempts"][0]["steps"][1]["text"]
        return "tasks under way: 0" in view

    eventually(none_is_left)
