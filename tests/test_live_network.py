"""Client, router and remote in network namespaces: ``jstrace live`` on the router sees what a network does to tasks.

The test makes the namespaces itself and removes them: client 10.61.1.10, remote 10.61.2.10, the router between.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from builders import pcap
from live_kit import (
    COMMAND,
    HIGH,
    LOW,
    PORT,
    PORTS,
    QUICK,
    ROOT,
    inside,
    live,
    needs_namespaces,
    records,
    sh,
    simulate,
)
from network_kit import Port, forward, hosts, link, route, rules

from benchmarks.encapsulations import ENCAPSULATIONS

pytestmark = needs_namespaces
NAME = f"jst{os.getpid() % 10_000}"
CLIENT, ROUTER, REMOTE = (f"{NAME}{letter}" for letter in "crs")
CLIENT_IP, REMOTE_IP = "10.61.1.10", "10.61.2.10"
Json = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """client (c0) --- (eth1) router (eth2) --- (s0) remote"""
    with hosts(CLIENT, ROUTER, REMOTE):
        link(Port(CLIENT, "c0", CLIENT_IP), Port(ROUTER, "eth1", "10.61.1.1"))
        link(Port(REMOTE, "s0", REMOTE_IP), Port(ROUTER, "eth2", "10.61.2.1"))
        route(CLIENT, "10.61.1.1")
        route(REMOTE, "10.61.2.1")
        sh(f"ip -n {REMOTE} address add 10.61.2.11/24 dev s0")
        forward(ROUTER)
        yield


@contextmanager
def remote(*arguments: object, ip: str = REMOTE_IP) -> Iterator[None]:
    """A remote scheduler in its namespace that listens already."""
    command = [*inside(REMOTE), *COMMAND, "simulate", "remote", "--listen", f"{ip}:{PORT}", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            assert "remote listens on" in process.stdout.readline()
            yield
        finally:
            process.terminate()
            process.communicate()


def run(
    *scenarios: str, interface: tuple[str, ...] = ("eth1",), status: int = 0, options: tuple[str, ...] = ()
) -> list[Json]:
    """The tasks that the router saw while client and remote played the scenarios."""
    chosen = [word for scenario in scenarios for word in ("--scenario", scenario)]
    with (
        remote("--callback-delay", "0.2", "--callback-address", "10.61.2.11"),
        live(*interface, *PORTS, "--format", "jsonl", inside=inside(ROUTER)) as watching,
    ):
        simulate(
            "client", "--remote", f"{REMOTE_IP}:{PORT}", *QUICK, *chosen, *options, inside=inside(CLIENT), status=status
        )
        tasks = records(watching.end(), "task")
    return sorted(tasks, key=lambda task: int(task["n"]))


def test_scenarios_through_a_router() -> None:
    names = ("shell-job", "failing-job", "killed-task", "lost-task", "refused-start", "late-callback", "api-job")
    tasks = run(*names)
    assert [task["outcome"] for task in tasks] == [
        "success", "failure", "killed", "lost", "refused", "success", "success",
    ]  # fmt: skip
    assert {task["client"]["ip"] for task in tasks} == {CLIENT_IP}
    assert {task["remote"]["ip"] for task in tasks} == {REMOTE_IP}
    assert {task["callback"]["peer"]["ip"] for task in tasks if task["callback"]["peer"]} == {REMOTE_IP}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("interface", [("eth2",), ("any",), ("eth1", "eth2")])
def test_other_interfaces(interface: tuple[str, ...]) -> None:
    tasks = run("shell-job", "failing-job", interface=interface)
    assert [task["outcome"] for task in tasks] == ["success", "failure"]
    assert [task["counts"]["messages"] for task in tasks] == [32, 30]


def test_a_callback_from_another_address() -> None:
    (task,) = run("callback-other-address")
    assert (task["outcome"], task["callback"]["peer"]["ip"]) == ("success", "10.61.2.11")
    assert "callback_other_address" in task["problems"]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("-j DROP", "callback_dropped"),
        ("-j REJECT --reject-with icmp-admin-prohibited", "callback_refused"),
        ("-p tcp -j REJECT --reject-with tcp-reset", "callback_refused"),
    ],
)
def test_a_firewall_on_the_way_back(rule: str, code: str) -> None:
    way_back = f"-A FORWARD -s {REMOTE_IP} -d {CLIENT_IP} -p tcp --dport {LOW}:{HIGH}"
    with rules((ROUTER, f"{way_back} {rule.removeprefix('-p tcp ')}")):
        (task,) = run("shell-job", status=1, interface=("eth2",), options=("--callback-timeout", "5s"))
    assert task["outcome"] == "no_callback"
    assert code in task["problems"]


def test_a_network_address_translation() -> None:
    """The remote sees the router instead of the client, and calls that: it is told on."""
    with rules(
        (ROUTER, f"-t nat -A POSTROUTING -s {CLIENT_IP} -o eth2 -j MASQUERADE"),
        (ROUTER, f"-t nat -A PREROUTING -i eth2 -p tcp --dport {LOW}:{HIGH} -j DNAT --to-destination {CLIENT_IP}"),
    ):
        (behind,) = run("shell-job", interface=("eth2",))
        (before,) = run("shell-job", interface=("eth1",))
    assert (behind["client"]["ip"], behind["outcome"]) == ("10.61.2.1", "success")
    assert (before["client"]["ip"], before["outcome"]) == (CLIENT_IP, "success")


def test_an_interface_that_goes_down_and_away(tmp_path: Path) -> None:
    sh(f"ip link add jd0 netns {ROUTER} type veth peer name jd1 netns {ROUTER}")
    sh(f"ip -n {ROUTER} link set jd0 up")
    path = tmp_path / "x.pcapng"
    with live("jd0", "--plain", "-w", path, inside=inside(ROUTER)) as running:
        sh(f"ip -n {ROUTER} link set jd0 down")
        running.until("jd0: the interface is down; waiting for it to come up again")
        sh(f"ip -n {ROUTER} link set jd0 up")
        sh(f"ip -n {ROUTER} link del jd0")
        text = running.end(None, status=2)
    assert running.errors.endswith("jstrace: jd0: the interface is gone\n")
    assert text.endswith("no task\n")
    assert path.stat().st_size > 0


# --- packets of a recording on a wire ------------------------------------------------------------------------------

_SEND = """
import sys
from scapy.arch.linux import L2Socket
from scapy.utils import RawPcapReader
import socket, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
for number, (data, _) in enumerate(RawPcapReader(sys.argv[2])):
    out.send(data)
    if number % 20 == 0:
        time.sleep(0.002)
"""


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["engine_ten_tasks", "engine_order", "engine_shell_fail", "engine_kill_task"])
def test_a_recording_on_a_wire(name: str, captures: Path, trace: Callable[..., Json]) -> None:
    """Packet for packet with an MTU that takes them; times differ, the rest of the tasks does not."""
    path = captures / f"{name}.pcap"
    sh(f"ip link add jr0 netns {ROUTER} type veth peer name jr1 netns {ROUTER}")
    try:
        for one in ("jr0", "jr1"):
            sh(f"ip -n {ROUTER} link set {one} mtu 65535 up")
        with live("jr1", "--command-port", 4455, "--format", "jsonl", inside=inside(ROUTER)) as running:
            subprocess.run([*inside(ROUTER), sys.executable, "-c", _SEND, "jr0", str(path)], check=True, cwd=ROOT)
            lines = running.end()
    finally:
        sh(f"ip -n {ROUTER} link del jr0")
    tasks = sorted(records(lines, "task"), key=lambda task: int(task["n"]))
    assert [timeless(task) for task in tasks] == [timeless(task) for task in trace(path)["tasks"]]


def timeless(task: Json) -> Json:
    same = {key: value for key, value in task.items() if key not in ("start", "end", "duration", "callback_delay")}
    same["log"] = [(line["level"], line["text"]) for line in task["log"]]
    # The system sends packets of its own before the recording's.
    same["points"] = [{**point, "first_packet": None} for point in task["points"]]
    return same


@pytest.fixture
def send_tagged(captures: Path, tmp_path: Path) -> Iterator[Callable[[bytes], None]]:
    """Sends a recording from jv0 to jv1, each packet with these tags."""
    from scapy.utils import RawPcapReader, RawPcapWriter

    sh(f"ip link add jv0 netns {ROUTER} type veth peer name jv1 netns {ROUTER}")

    def send(tags: bytes) -> None:
        tagged = tmp_path / "tagged.pcap"
        with RawPcapWriter(str(tagged), linktype=1) as writer:
            writer.write_header(None)
            with RawPcapReader(str(captures / "engine_shell_fail.pcap")) as reader:
                for data, _ in reader:
                    writer.write_packet(data[:12] + tags + data[12:])
        subprocess.run([*inside(ROUTER), sys.executable, "-c", _SEND, "jv0", str(tagged)], check=True, cwd=ROOT)

    try:
        for one in ("jv0", "jv1"):
            sh(f"ip -n {ROUTER} link set {one} mtu 65535 up")
        yield send
    finally:
        sh(f"ip -n {ROUTER} link del jv0")


def test_vlan_tags(send_tagged: Callable[[bytes], None], tmp_path: Path) -> None:
    """The kernel takes tags off before a capture sees the packet; the recording has them again."""
    own = tmp_path / "own.pcapng"
    with live("jv1", "--command-port", 4455, "--format", "jsonl", "-w", own, inside=inside(ROUTER)) as running:
        send_tagged(struct.pack("!HH", 0x8100, 7))
        tasks = records(running.end(), "task")
    assert [(task["job"], task["outcome"]) for task in tasks] == [("shell_fail", "failure")]
    written = own.read_bytes()
    assert written.count(struct.pack("!HHH", 0x8100, 7, 0x0800)) == 58


@pytest.mark.one_in(4)
@pytest.mark.parametrize("interface", ["jv1", "any"])
@pytest.mark.parametrize(
    "tags",
    [
        b"\x88\xa8\0\x07\x81\0\0\x08",
        b"\x81\0\0\x07\x81\0\0\x08",
        b"\x88\xa8\0\x07\x88\xa8\0\x08",
        b"\x88\xa8\0\x07\x81\0\0\x08\x81\0\0\x09",
    ],
)
def test_stacked_tags(interface: str, tags: bytes, send_tagged: Callable[[bytes], None]) -> None:
    with live(interface, "--command-port", 4455, "--format", "jsonl", inside=inside(ROUTER)) as running:
        send_tagged(tags)
        tasks = records(running.end(), "task")
    assert [(task["job"], task["outcome"]) for task in tasks] == [("shell_fail", "failure")]


_ABOUT_TAGS = [
    (b"\x81\0\0\x07", "vlan 7", True),
    (b"\x81\0\x20\x07", "vlan 7 and host 127.0.0.1", True),
    (b"\x81\0\0\x07", "vlan 8", False),
    (b"\x81\0\0\x07", "not vlan", False),
    (b"", "vlan", False),
    (b"", "not vlan 7", True),
]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("interface", "tags", "narrow", "passes"),
    [
        *((name, *case) for name in ("jv1", "any") for case in _ABOUT_TAGS),
        ("jv1", b"\x88\xa8\0\x07\x81\0\0\x08", "vlan 7 and vlan 8 and tcp", True),
        ("jv1", b"\x88\xa8\0\x07\x81\0\0\x08", "vlan 8", False),
    ],
)
def test_filters_about_tags(
    interface: str, tags: bytes, narrow: str, passes: bool, send_tagged: Callable[[bytes], None]
) -> None:
    """As tcpdump, although the kernel has taken the outermost tag off the packet."""
    options = ("--command-port", 4455, "--filter-bpf", narrow, "--format", "jsonl")
    with live(interface, *options, inside=inside(ROUTER)) as running:
        send_tagged(tags)
        tasks = records(running.end(), "task")
    assert [task["job"] for task in tasks] == ["shell_fail"] * passes


_WRAPPED = [name for name, one in ENCAPSULATIONS.items() if one.link_type == 1]


@pytest.mark.parametrize("interface", ["jt1", "any"])
def test_every_encapsulation(interface: str, captures: Path, tmp_path: Path) -> None:
    """A recording in each of them on a wire."""
    from scapy.utils import RawPcapReader

    with RawPcapReader(str(captures / "engine_shell_fail.pcap")) as reader:
        frames = [data for data, _ in reader]
    path = tmp_path / "wrapped.pcap"
    wrapped = [
        ENCAPSULATIONS[name].wrap(_moved(frame, number)) for number, name in enumerate(_WRAPPED) for frame in frames
    ]
    path.write_bytes(pcap([(0, frame) for frame in wrapped]))
    sh(f"ip link add jt0 netns {ROUTER} type veth peer name jt1 netns {ROUTER}")
    try:
        for one in ("jt0", "jt1"):
            sh(f"ip -n {ROUTER} link set {one} mtu 65535 up")
        with live(interface, "--command-port", 4455, "--format", "jsonl", inside=inside(ROUTER)) as running:
            subprocess.run([*inside(ROUTER), sys.executable, "-c", _SEND, "jt0", str(path)], check=True, cwd=ROOT)
            lines = running.end()
    finally:
        sh(f"ip -n {ROUTER} link del jt0")
    seen = {task["client"]["ip"].split(".")[2]: task["outcome"] for task in records(lines, "task")}
    assert seen == {str(number): "failure" for number, _ in enumerate(_WRAPPED)}


def _moved(frame: bytes, network: int) -> bytes:
    """The same segment of other addresses and other sequence numbers: of another connection, not of a gateway's other
    side."""
    data = bytearray(frame)
    data[28] = data[32] = network
    for at in (38, 42) if data[47] & 0x10 else (38,):
        number = int.from_bytes(data[at : at + 4], "big") + network * 12_345_678
        data[at : at + 4] = (number & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("interface", ["jf1", "any"])
def test_fragments(interface: str, captures: Path, tmp_path: Path) -> None:
    from scapy.utils import RawPcapReader

    with RawPcapReader(str(captures / "engine_shell_fail.pcap")) as reader:
        frames = [piece for number, (data, _) in enumerate(reader) for piece in _pieces(data, number)]
    path = tmp_path / "fragments.pcap"
    path.write_bytes(pcap([(0, frame) for frame in frames]))
    sh(f"ip link add jf0 netns {ROUTER} type veth peer name jf1 netns {ROUTER}")
    try:
        for one in ("jf0", "jf1"):
            sh(f"ip -n {ROUTER} link set {one} mtu 65535 up")
        with live(interface, "--command-port", 4455, "--format", "jsonl", inside=inside(ROUTER)) as running:
            subprocess.run([*inside(ROUTER), sys.executable, "-c", _SEND, "jf0", str(path)], check=True, cwd=ROOT)
            tasks = records(running.end(), "task")
    finally:
        sh(f"ip -n {ROUTER} link del jf0")
    assert [(task["job"], task["outcome"]) for task in tasks] == [("shell_fail", "failure")]


def _pieces(frame: bytes, ident: int) -> list[bytes]:
    """Fragments of 64 bytes."""
    ends, payload = frame[26:34], frame[34 : 14 + int.from_bytes(frame[16:18], "big")]
    starts = range(0, len(payload), 64)
    return [
        frame[:14]
        + struct.pack(
            ">BBHHHBBH", 0x45, 0, 20 + len(payload[at : at + 64]), ident,
            at >> 3 | (0 if at == starts[-1] else 0x2000), 64, 6, 0,
        )
        + ends
        + payload[at : at + 64]
        for at in starts
    ]  # fmt: skip


@contextmanager
def tunnel(kind: str) -> Iterator[None]:
    """10.62.0.1 at the client, 10.62.0.2 at the remote, through a tunnel of the kernel's."""
    ends = ((CLIENT, CLIENT_IP, REMOTE_IP, 1), (REMOTE, REMOTE_IP, CLIENT_IP, 2))
    try:
        for host, near, far, number in ends:
            added = f"ip -n {host} link add jk0 type {kind.format(near=near, far=far)}"
            done = subprocess.run(added.split(), check=False, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"this kernel has no such tunnel: {kind}: {done.stderr.strip()}")
            sh(f"ip -n {host} address add 10.62.0.{number}/24 dev jk0")
            sh(f"ip -n {host} link set jk0 up")
        yield
    finally:
        for host, *_ in ends:
            subprocess.run(["ip", "-n", host, "link", "del", "jk0"], check=False, capture_output=True)


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("kind", "names", "options"),
    [
        ("vxlan id 42 local {near} remote {far} dstport 4789", "vxlan 42", ()),
        ("vxlan id 42 local {near} remote {far} dstport 9999", "vxlan 42", ("--vxlan-port", "9999")),
        ("geneve id 5 remote {far}", "geneve 5", ()),
        ("gre local {near} remote {far} key 7", "gre 7", ()),
        ("ipip local {near} remote {far}", "ipip", ()),
    ],
)
@pytest.mark.parametrize(
    ("host", "interface", "is_inside"),
    [(ROUTER, "eth1", True), (ROUTER, "any", True), (CLIENT, "any", False)],
    ids=["router", "router-any", "client-any"],
)
def test_tunnels_of_the_kernel(
    kind: str, names: str, options: tuple[str, ...], host: str, interface: str, is_inside: bool
) -> None:
    """Where the tunnel ends, ``any`` has each packet twice: in it and without it."""
    with (
        tunnel(kind),
        remote("--callback-delay", "0.2", ip="10.62.0.2"),
        live(interface, *PORTS, *options, "--format", "jsonl", inside=inside(host)) as watching,
    ):
        simulate("client", "--remote", f"10.62.0.2:{PORT}", *QUICK, "--scenario", "shell-job", inside=inside(CLIENT))
        lines = watching.end()
    assert [(task["outcome"], task["remote"]["ip"]) for task in records(lines, "task")] == [("success", "10.62.0.2")]
    if is_inside:
        assert {tuple(connection["via"]) for connection in records(lines, "connection")} == {(names,)}
