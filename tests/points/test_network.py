"""Three places on a path through two routers: which of the devices between them did what.

    client 10.62.1.10 --- [a] --- 10.62.9.0/24 --- [b] --- remote 10.62.2.10

Recorded are the client's interface, the one of router ``a`` toward ``b``, and the remote's.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from live_kit import COMMAND, HIGH, LOW, PORT, QUICK, ROOT, eventually, inside, needs_namespaces, simulate
from network_kit import Port, forward, hosts, link, route, rules

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
#: So many answers of tcpdump with the same numbers of packets say that no more are to come.
_ALIKE = 4
#: A router with all of its interfaces in one file.
ROUTER: tuple[Place, ...] = ((A, "any", "router"),)


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    with hosts(CLIENT, A, B, REMOTE):
        link(Port(CLIENT, "c0", CLIENT_IP), Port(A, "a0", "10.62.1.1"))
        link(Port(A, "a1", A_IP), Port(B, "b1", B_IP))
        link(Port(B, "b2", "10.62.2.1"), Port(REMOTE, "r0", REMOTE_IP))
        route(CLIENT, "10.62.1.1")
        route(REMOTE, "10.62.2.1")
        route(A, B_IP, "10.62.2.0/24")
        route(B, A_IP, "10.62.1.0/24")
        for router in (A, B):
            forward(router)
        yield


@contextmanager
def running(command: Sequence[str], ready: str, stream: str = "stdout") -> Iterator[subprocess.Popen[str]]:
    """A program that is ready when it says so."""
    out, errors = (subprocess.PIPE if stream == name else subprocess.DEVNULL for name in ("stdout", "stderr"))
    with subprocess.Popen(command, text=True, cwd=ROOT, stdout=out, stderr=errors) as process:
        try:
            output = process.stdout or process.stderr
            assert output is not None
            while ready not in (line := output.readline()):
                assert line, f"{command} ended"
            yield process
        finally:
            process.terminate()
            process.communicate()


def _captured(tcpdump: subprocess.Popen[str]) -> str:
    """What it says of its numbers of packets; it has to be scheduled for that."""
    tcpdump.send_signal(signal.SIGUSR1)
    assert tcpdump.stderr is not None
    return tcpdump.stderr.readline()


def all_written(tcpdump: subprocess.Popen[str]) -> None:
    """Waits until it has written what the kernel captured for it, which may take a while on a busy machine."""
    told = [_captured(tcpdump)]
    while len(told) < _ALIKE or len(set(told[-_ALIKE:])) > 1:
        time.sleep(0.05)
        told.append(_captured(tcpdump))


def recorded(
    folder: Path,
    scenario: str,
    *options: str,
    server: str = REMOTE_IP,
    status: int = 0,
    places: Sequence[Place] = PLACES,
    meanwhile: Callable[[], object] | None = None,
) -> list[Path]:
    """The captures of these places while a task ran; with ``meanwhile`` it is cut off when that is through."""
    files = [folder / f"{name}.pcap" for _, _, name in places]
    remote = [*COMMAND, "simulate", "remote", "--listen", f"{REMOTE_IP}:{PORT}", "--callback-delay", "0.2", *options]
    recorders: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        stack.enter_context(running([*inside(REMOTE), *remote], "remote listens on"))
        for (host, device, _), file in zip(places, files, strict=True):
            command = [
                "tcpdump",
                "-i",
                device,
                # Of longer packets its ring has room for few, and a busy machine would lose some.
                "-s",
                "9000",
                "-B",
                "32768",
                "-U",
                "--immediate-mode",
                "-Z",
                "root",
                "-w",
                str(file),
                "tcp",
            ]
            recorders.append(stack.enter_context(running([*inside(host), *command], "listening on", "stderr")))
        arguments = ("client", "--remote", f"{server}:{PORT}", *QUICK, "--scenario", scenario, *options)
        if meanwhile is None:
            simulate(*arguments, inside=inside(CLIENT), status=status)
        else:
            client = [*inside(CLIENT), *COMMAND, "simulate", *arguments]
            with subprocess.Popen(client, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                try:
                    meanwhile()
                finally:
                    process.kill()
        time.sleep(0.3)  # for the last segments to arrive
        for recorder in recorders:
            all_written(recorder)
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


def the(code: str, problems: Sequence[Problem]) -> Problem:
    """The only one with this code."""
    (found,) = [one for one in problems if one.code == code]
    return found


def test_a_router_that_drops_recorded_at_all_of_its_interfaces(tmp_path: Path) -> None:
    """One file of ``any``, alone and with the client's: the callback was lost inside of the router."""
    with rules((A, f"-A FORWARD -p tcp --dport {CALLBACKS} --syn -j DROP")):
        files = recorded(tmp_path, "shell-job", status=1, places=(*ROUTER, PLACES[0]))
    for some in (files[:1], files):
        task, alarms = told(some)
        assert task.outcome.value == "no_callback"
        names = [point.name for point in task.points if point.name.startswith("router:if")]
        lost = the("lost_between_points", alarms)
        assert f"passed {names[1]} and never came to {names[0]}" in lost.summary


def test_a_dropped_callback_was_lost_between_the_right_two(tmp_path: Path) -> None:
    with rules((B, f"-A FORWARD -p tcp --dport {CALLBACKS} --syn -j DROP")):
        files = recorded(tmp_path, "shell-job", status=1)
    task, alarms = told(files)
    assert task.outcome.value == "no_callback"
    lost = the("lost_between_points", alarms)
    assert "passed remote and never came to middle" in lost.summary
    assert [point.name for point in task.points] == ["client", "middle", "remote"]
    for point in task.points:  # one machine, one clock
        assert point.clock_offset is not None
        assert point.clock_error is not None
        assert abs(point.clock_offset) <= point.clock_error < 5_000_000


def test_a_callback_that_the_host_itself_drops_arrived_there(tmp_path: Path) -> None:
    """A firewall of the client's host is behind the place where its interface is captured."""
    with rules((CLIENT, f"-A INPUT -p tcp --dport {CALLBACKS} --syn -j DROP")):
        files = recorded(tmp_path, "shell-job", status=1)
    task, alarms = told(files)
    assert task.outcome.value == "no_callback"
    dropped = the("dropped_at_host", alarms)
    assert "client" in dropped.summary
    assert not [one for one in alarms if one.code == "lost_between_points"]


def test_a_rejected_callback_was_answered_between_the_right_two(tmp_path: Path) -> None:
    with rules((A, f"-A FORWARD -p tcp --dport {CALLBACKS} --syn -j REJECT --reject-with tcp-reset")):
        files = recorded(tmp_path, "shell-job", status=1)
    _, alarms = told(files)
    answered = the("answered_by_device", alarms)
    assert "came to middle never passed client" in answered.summary


def test_large_segments_were_lost_between_the_right_two(tmp_path: Path) -> None:
    """The script of a megabyte does not pass, and no ICMP tells."""

    def meanwhile() -> None:
        eventually(lambda: (tmp_path / "client.pcap").stat().st_size > 12_000)
        time.sleep(1)  # they are sent again

    with rules((A, f"-A FORWARD -p tcp --sport {CALLBACKS} -m length --length 600:65535 -j DROP")):
        files = recorded(tmp_path, "big-script", meanwhile=meanwhile)
    _, alarms = told(files)
    lost = the("lost_between_points", alarms)
    assert "of the client passed client and never came to middle" in lost.summary
    assert "while smaller ones pass" in lost.summary


def test_what_the_network_repeats_is_told_of_the_right_two(tmp_path: Path) -> None:
    """Each tenth packet of the client comes twice."""
    tenth = f"-p tcp --sport {CALLBACKS} -m statistic --mode nth --every 10 --packet 0"
    with rules((B, f"-t mangle -A PREROUTING -i b1 {tenth} -j TEE --gateway {REMOTE_IP}")):
        task, alarms = told(recorded(tmp_path, "all-variants"))
    assert (task.outcome.value, alarms) == ("success", [])
    (repeated,) = [one for one in task.problems if one.code.endswith("between_points")]
    assert repeated.code == "repeated_between_points"
    assert "between middle and remote" in repeated.summary
    assert "of the client on the callback connection" in repeated.summary


def test_what_is_lost_and_sent_again_is_told_of_the_right_two(tmp_path: Path) -> None:
    fifteenth = "-m statistic --mode nth --every 15 --packet 4"
    with rules((B, f"-A FORWARD -p tcp --sport {CALLBACKS} {fifteenth} -j DROP")):
        task, alarms = told(recorded(tmp_path, "all-variants"))
    assert (task.outcome.value, alarms) == ("success", [])
    lost = the("lost_between_points", task.problems)
    assert "Lost between middle and remote" in lost.summary


def test_simulate_records_both_ends_by_itself(tmp_path: Path) -> None:
    files = [tmp_path / "client.pcapng", tmp_path / "remote.pcapng"]
    remote = [*COMMAND, "simulate", "remote", "--listen", f"{REMOTE_IP}:{PORT}", "--callback-delay", "0.2"]
    with running([*inside(REMOTE), *remote, "-w", str(files[1])], "remote listens on"):
        arguments = ("client", "--remote", f"{REMOTE_IP}:{PORT}", *QUICK, "--scenario", "shell-job")
        simulate(*arguments, "-w", files[0], inside=inside(CLIENT))
        time.sleep(0.3)
    task, alarms = told(files)
    assert (task.outcome.value, alarms) == ("success", [])
    assert [point.name for point in task.points] == ["client", "remote"]


def test_translations_on_both_sides(tmp_path: Path) -> None:
    """The client is behind ``a``, the remote behind ``b``: neither address is the same at all places.  ``b`` clamps."""
    with rules(
        (A, f"-t nat -A POSTROUTING -o a1 -s {CLIENT_IP} -j SNAT --to-source {A_IP}"),
        (A, f"-t nat -A PREROUTING -i a1 -p tcp --dport {CALLBACKS} -j DNAT --to-destination {CLIENT_IP}"),
        (B, f"-t nat -A PREROUTING -i b1 -p tcp --dport {PORT} -j DNAT --to-destination {REMOTE_IP}"),
        (B, f"-t nat -A POSTROUTING -o b1 -s {REMOTE_IP} -j SNAT --to-source {B_IP}"),
        (B, "-t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1200"),
    ):
        files = recorded(tmp_path, "shell-job", server=B_IP, places=(*PLACES, *ROUTER))
    router = files.pop()
    task, alarms = told(files)
    assert (task.outcome.value, alarms) == ("success", [])
    assert [point.name for point in task.points] == ["client", "middle", "remote"]
    words = " ".join(one.summary for one in task.problems if one.code == "rewritten_by_device")
    assert f"{CLIENT_IP}:" in words
    assert f"is {A_IP}:" in words
    assert f"{B_IP}:{PORT} is {REMOTE_IP}:{PORT} behind the device" in words
    assert "The MSS is changed between middle and remote: " in words
    task, alarms = told([router])  # both of its interfaces, and it translates between them
    assert (task.outcome.value, alarms, len(task.points)) == ("success", [], 2)
    assert any(f"{CLIENT_IP}:" in one.how and f"is {A_IP}:" in one.how for one in task.rewritten)


def _socat(_: Path, ports: dict[int, tuple[str, int]]) -> list[list[str]]:
    return [
        ["socat", f"TCP4-LISTEN:{port},fork,reuseaddr", f"TCP4:{host}:{target}"]
        for port, (host, target) in ports.items()
    ]


def _haproxy(folder: Path, ports: dict[int, tuple[str, int]]) -> list[list[str]]:
    lines = ["defaults", "mode tcp", "timeout connect 5s", "timeout client 60s", "timeout server 60s"]
    for port, (host, target) in ports.items():
        lines += [f"listen port{port}", f"bind 0.0.0.0:{port}", f"server one {host}:{target}"]
    file = folder / "haproxy.cfg"
    file.write_text("\n".join(lines) + "\n")
    return [["haproxy", "-db", "-f", str(file)]]


@contextmanager
def proxy(commands: list[list[str]], ports: Sequence[int]) -> Iterator[None]:
    """Programs of the first router, ready when all of these ports listen."""

    def is_ready() -> bool:
        shown = subprocess.run([*inside(A), "ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
        return all(f":{port} " in shown for port in ports)

    with ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen([*inside(A), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
        eventually(is_ready)
        yield


@pytest.mark.parametrize("made", [_socat, _haproxy], ids=["socat", "haproxy"])
def test_a_proxy_opens_connections_of_its_own(
    made: Callable[[Path, dict[int, tuple[str, int]]], list[list[str]]], tmp_path: Path
) -> None:
    """Router ``a`` hands on commands to the remote and callbacks to the client: no packet is the same on both sides."""
    ports = {PORT: (REMOTE_IP, PORT)} | {port: (CLIENT_IP, port) for port in range(HIGH - 4, HIGH + 1)}
    commands = made(tmp_path, ports)
    if shutil.which(commands[0][0]) is None:
        pytest.skip(f"needs {commands[0][0]}")
    with proxy(commands, list(ports)):
        files = recorded(tmp_path, "shell-job", server="10.62.1.1")
    names = {str(file): file.stem for file in files}
    for wanted in (None, Wanted(names)):
        task, alarms = told(files, wanted)
        assert (task.outcome.value, alarms) == ("success", [])
        assert [point.name for point in task.points] == ["client", "middle", "remote"]
    rewritten = [one for one in task.problems if one.code == "rewritten_by_device"]
    assert any("a proxy between client and middle" in one.cause for one in rewritten)
