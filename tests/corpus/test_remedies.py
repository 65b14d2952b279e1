"""The rules that ``jstrace ports`` prints, loaded into packet filters that block.

Without them the task fails, with them it runs, and other ports stay closed.  Needs root and network namespaces.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from make import CORPUS, Peer
from netns import CLIENT, REMOTE, Net


def _can() -> bool:
    tools = ("ip", "nft", "iptables", "ethtool", "sysctl")
    if os.geteuid() != 0 or not all(map(shutil.which, tools)):
        return False
    probe = f"jstprobe{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", probe], capture_output=True, check=False)
    return made


pytestmark = pytest.mark.skipif(not _can(), reason="needs root, network namespaces, nft, iptables and ethtool")

#: Seconds that the client waits for the callback: few, so that a blocked one is quick.
PATIENCE = 1.5
CLOSED = {
    "nftables": """
table inet filter {
  chain input { type filter hook input priority 0; policy drop; ct state established,related accept; }
}
""",
    "iptables": """
iptables -P INPUT DROP
iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
""",
}


@pytest.fixture
def net() -> Iterator[Net]:
    with Net(f"jstrule{os.getpid()}") as built:
        yield built


@pytest.fixture
def remote(net: Net) -> Iterator[Peer]:
    peer = Peer(net, "remote", {"side": "remote", "listen": f"{REMOTE}:4455"})
    assert peer.ready.wait(20.0)
    yield peer
    peer.process.kill()
    peer.process.wait()
    peer.reader.join()


def load(net: Net, host: str, form: str, text: str) -> None:
    if form == "nftables":
        net.nft(text, host)
    else:
        net.shell(host, text)


def run_a_task(net: Net) -> str:
    """Its outcome as the client met it."""
    options: dict[str, Any] = {"side": "client", "remote": f"{REMOTE}:4455", "callback_timeout": PATIENCE}
    client = Peer(net, "client", options)
    client.process.wait(30.0)
    client.reader.join(5.0)
    (task,) = [event for event in client.events if event["event"] == "task"]
    return str(task["outcome"])


def is_open(net: Net, host: str, address: str, port: int) -> bool:
    """True when a SYN from ``host`` is answered: by a listener or by RST."""
    code = (
        f"import socket\ntry: socket.create_connection(({address!r}, {port}), 0.5)\n"
        "except ConnectionRefusedError: pass\nexcept OSError: raise SystemExit(1)"
    )
    return subprocess.run(net.command(host, sys.executable, "-c", code), check=False).returncode == 0


@pytest.mark.one_in(2)
@pytest.mark.parametrize("form", ["nftables", "iptables"])
@pytest.mark.usefixtures("remote")
def test_the_client_s_rule_lets_the_callback_through(net: Net, form: str, jstrace: Callable[..., Result]) -> None:
    load(net, "client", form, CLOSED[form])
    assert run_a_task(net) == "no_callback"
    printed = jstrace("ports", CORPUS / "parallel.c.pcapng", "--rules", form, "--side", "client")
    assert printed.exit_code == 0, printed.output
    assert REMOTE in printed.stdout
    load(net, "client", form, printed.stdout)
    assert run_a_task(net) == "success"
    assert is_open(net, "remote", CLIENT, 59_999)
    assert not is_open(net, "remote", CLIENT, 22)  # nothing else is open now,
    assert not is_open(net, "scanner", CLIENT, 59_999)  # and to nobody else


@pytest.mark.parametrize("form", ["nftables", "iptables"])
@pytest.mark.usefixtures("remote")
def test_the_remote_s_rule_lets_the_command_through(net: Net, form: str, jstrace: Callable[..., Result]) -> None:
    load(net, "remote", form, CLOSED[form])
    assert run_a_task(net) == "unreachable"
    printed = jstrace("ports", CORPUS / "parallel.c.pcapng", "--rules", form, "--side", "remote")
    assert printed.exit_code == 0, printed.output
    assert CLIENT in printed.stdout
    load(net, "remote", form, printed.stdout)
    assert run_a_task(net) == "success"
    assert not is_open(net, "client", REMOTE, 22)


@pytest.mark.usefixtures("remote")
def test_the_planned_range_is_enough(net: Net, jstrace: Callable[..., Result]) -> None:
    load(net, "client", "nftables", CLOSED["nftables"])
    assert run_a_task(net) == "no_callback"
    plan = ("--plan", "--parallel", 2, "--starts-per-minute", 4)
    load(net, "client", "nftables", jstrace("ports", *plan, "--rules", "nftables", "--side", "client").stdout)
    assert run_a_task(net) == "success"
