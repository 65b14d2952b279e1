"""Three places on a path through two routers: which of the devices between them did what.

    client 10.62.1.10 --- [a] --- 10.62.9.0/24 --- [b] --- remote 10.62.2.10

Recorded are the client's interface, the one of router ``a`` toward ``b``, and the remote's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from live_kit import COMMAND, HIGH, LOW, PORT, QUICK, ROOT, inside, needs_namespaces, sh, simulate

from dissector.model import Event, Problem, Severity, Task
from dissector.reading import Reading
from dissector.survey import Wanted

pytestmark = [
    needs_namespaces,
    pytest.mark.skipif(shutil.which("tcpdump") is None, reason="records with tcpdump"),
]
NAME = f"jsp{os.getpid() % 10_000}"
CLIENT, A, B, REMOTE = (f"{NAME}{letter}" for letter in "cabr")
CLIENT_IP, REMOTE_IP, A_IP, B_IP = "10.62.1.10", "10.62.2.10", "10.62.9.1", "10.62.9.2"
CALLBACKS = f"{LOW}:{HIGH}"
#: Host, its interface, and the name of the place.
Place = tuple[str, str, str]
PLACES: tuple[Place, ...] = ((CLIENT, "c0", "client"), (A, "a1", "middle"), (REMOTE, "r0", "remote"))
#: A router with all of its interfaces in one file.
ROUTER: tuple[Place, ...] = ((A, "any", "router"),)
#: Listens on ports and hands on what comes: ``proxy.py [PORT HOST PORT]...``
_PROXY = """
import asyncio, sys
async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
def handler(host, port):
    async def handle(reader, writer):
        try:
            other_reader, other_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))
    return handle
async def main(words):
    servers = [await asyncio.start_server(handler(host, int(port)), "0.0.0.0", int(listen))
               for listen, host, port in zip(words[::3], words[1::3], words[2::3])]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))
asyncio.run(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    names = (CLIENT, A, B, REMOTE)
    try:
        for name in names:
            sh(f"ip netns add {name}")
            sh(f"ip -n {name} link set lo up")
        for one, near, other, far, near_ip, far_ip in (
            (CLIENT, "c0", A, "a0", CLIENT_IP, "10.62.1.1"),
            (A, "a1", B, "b1", A_IP, B_IP),
            (B, "b2", REMOTE, "r0", "10.62.2.1", REMOTE_IP),
        ):
            sh(f"ip link add {near} netns {one} type veth peer name {far} netns {other}")
            for host, device, ip in ((one, near, near_ip), (other, far, far_ip)):
                sh(f"ip -n {host} address add {ip}/24 dev {device}")
                sh(f"ip -n {host} link set {device} up")
        sh(f"ip -n {CLIENT} route add default via 10.62.1.1")
        sh(f"ip -n {REMOTE} route add default via 10.62.2.1")
        sh(f"ip -n {A} route add 10.62.2.0/24 via {B_IP}")
        sh(f"ip -n {B} route add 10.62.1.0/24 via {A_IP}")
        for router in (A, B):
            sh(f"ip netns exec {router} sysctl -q -w net.ipv4.ip_forward=1")
        yield
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def rules(*commands: tuple[str, str]) -> Iterator[None]:
    """iptables rules of routers while it lasts."""
    try:
        for router, command in commands:
            sh(f"ip netns exec {router} iptables {command}")
        yield
    finally:
        for router, command in commands:
            sh(f"ip netns exec {router} iptables {command.replace('-A ', '-D ')}")


@contextmanager
def running(command: Sequence[str], ready: str, stream: str = "stdout") -> Iterator[None]:
    """A program that is ready when it says so."""
    out, errors = (subprocess.PIPE if stream == name else subprocess.DEVNULL for name in ("stdout", "stderr"))
    with subprocess.Popen(command, text=True, cwd=ROOT, stdout=out, stderr=errors) as process:
        try:
            output = process.stdout or process.stderr
            assert output is not None
            while ready not in (line := output.readline()):
                assert line, f"{command} ended"
            yield
        finally:
            process.terminate()
            process.communicate()


def recorded(
    folder: Path, scenario: str, *, server: str = REMOTE_IP, status: int = 0, places: Sequence[Place] = PLACES
) -> list[Path]:
    """The captures of these places while a task ran."""
    files = [folder / f"{name}.pcap" for _, _, name in places]
    remote = [*COMMAND, "simulate", "remote", "--listen", f"{REMOTE_IP}:{PORT}", "--callback-delay", "0.2"]
    with ExitStack() as stack:
        stack.enter_context(running([*inside(REMOTE), *remote], "remote listens on"))
        for (host, device, _), file in zip(places, files, strict=True):
            command = [
                "tcpdump",
                "-i",
                device,
                "-s",
                "0",
                "-U",
                "--immediate-mode",
                "-Z",
                "root",
                "-w",
                str(file),
                "tcp",
            ]
            stack.enter_context(running([*inside(host), *command], "listening on", "stderr"))
        arguments = ("client", "--remote", f"{server}:{PORT}", *QUICK, "--scenario", scenario)
        simulate(*arguments, inside=inside(CLIENT), status=status)
        time.sleep(0.3)
    return files


def told(files: Sequence[Path], wanted: Wanted | None = None) -> tuple[Task, list[Problem]]:
    """The only task, and its alarms; the same in both orders."""
    verdicts = []
    for order in (files, files[::-1]):
        events: list[Event] = list(
            Reading(order, (PORT,), (LOW, HIGH), messages=False, prefetch=False, wanted=wanted).events()
        )
        (task,) = [event for event in events if isinstance(event, Task)]
        alarms = [one for one in task.problems if one.severity is not Severity.INFO]
        verdicts.append((task, alarms))
    (task, alarms), (again, others) = verdicts
    assert (task.outcome, [one.code for one in alarms]) == (again.outcome, [one.code for one in others])
    return task, alarms


def test_three_places_of_a_task_that_went_well(tmp_path: Path) -> None:
    task, alarms = told(recorded(tmp_path, "shell-job"))
    assert (task.outcome.value, alarms) == ("success", [])
    assert [point.name for point in task.points] == ["client", "middle", "remote"]
    for point in task.points:  # one machine, one clock
        assert point.clock_offset is not None
        assert point.clock_error is not None
        assert abs(point.clock_offset) <= point.clock_error < 5_000_000


def test_a_router_that_drops_recorded_at_all_of_its_interfaces(tmp_path: Path) -> None:
    """One file of ``any``, alone and with the client's: the callback was lost inside of the router."""
    with rules((A, f"-A FORWARD -p tcp --dport {CALLBACKS} --syn -j DROP")):
        files = recorded(tmp_path, "shell-job", status=1, places=(*ROUTER, PLACES[0]))
    for some in (files[:1], files):
        task, alarms = told(some)
        assert task.outcome.value == "no_callback"
        names = [point.name for point in task.points if point.name.startswith("router:if")]
        (lost,) = [one for one in alarms if one.code == "lost_between_points"]
        assert f"passed {names[1]} and never came to {names[0]}" in lost.summary


@pytest.mark.parametrize(("router", "near", "far"), [(B, "remote", "middle"), (A, "middle", "client")], ids=["b", "a"])
def test_a_dropped_callback_was_lost_between_the_right_two(router: str, near: str, far: str, tmp_path: Path) -> None:
    rule = (router, f"-A FORWARD -p tcp --dport {CALLBACKS} --syn -j DROP")
    with rules(rule):
        files = recorded(tmp_path, "shell-job", status=1)
    task, alarms = told(files)
    assert task.outcome.value == "no_callback"
    (lost,) = [one for one in alarms if one.code == "lost_between_points"]
    assert f"passed {near} and never came to {far}" in lost.summary


@pytest.mark.parametrize(("router", "near", "far"), [(B, "middle", "remote"), (A, "client", "middle")], ids=["b", "a"])
def test_a_rejected_callback_was_answered_between_the_right_two(
    router: str, near: str, far: str, tmp_path: Path
) -> None:
    rule = (router, f"-A FORWARD -p tcp --dport {CALLBACKS} --syn -j REJECT --reject-with tcp-reset")
    with rules(rule):
        files = recorded(tmp_path, "shell-job", status=1)
    _, alarms = told(files)
    (answered,) = [one for one in alarms if one.code == "answered_by_device"]
    assert f"came to {far} never passed {near}" in answered.summary


def test_translations_on_both_sides(tmp_path: Path) -> None:
    """The client is behind ``a``, the remote behind ``b``: neither address is the same at all places."""
    with rules(
        (A, f"-t nat -A POSTROUTING -o a1 -s {CLIENT_IP} -j SNAT --to-source {A_IP}"),
        (A, f"-t nat -A PREROUTING -i a1 -p tcp --dport {CALLBACKS} -j DNAT --to-destination {CLIENT_IP}"),
        (B, f"-t nat -A PREROUTING -i b1 -p tcp --dport {PORT} -j DNAT --to-destination {REMOTE_IP}"),
        (B, f"-t nat -A POSTROUTING -o b1 -s {REMOTE_IP} -j SNAT --to-source {B_IP}"),
    ):
        files = recorded(tmp_path, "shell-job", server=B_IP)
    task, alarms = told(files)
    assert (task.outcome.value, alarms) == ("success", [])
    assert [point.name for point in task.points] == ["client", "middle", "remote"]
    words = " ".join(one.summary for one in task.problems if one.code == "rewritten_by_device")
    assert f"{CLIENT_IP}:" in words
    assert f"is {A_IP}:" in words
    assert f"{B_IP}:{PORT} is {REMOTE_IP}:{PORT} behind the device" in words


def test_a_proxy_opens_connections_of_its_own(tmp_path: Path) -> None:
    """Router ``a`` hands on commands to the remote and callbacks to the client: no packet is the same on both sides."""
    ports = [word for port in range(HIGH - 4, HIGH + 1) for word in (str(port), CLIENT_IP, str(port))]
    proxy = [sys.executable, "-c", _PROXY, str(PORT), REMOTE_IP, str(PORT), *ports]
    with running([*inside(A), *proxy], "ready"):
        files = recorded(tmp_path, "shell-job", server="10.62.1.1")
    names = {str(file): file.stem for file in files}
    for wanted in (None, Wanted(names)):
        task, alarms = told(files, wanted)
        assert (task.outcome.value, alarms) == ("success", [])
        assert [point.name for point in task.points] == ["client", "middle", "remote"]
    rewritten = [one for one in task.problems if one.code == "rewritten_by_device"]
    assert any("a proxy between client and middle" in one.cause for one in rewritten)
