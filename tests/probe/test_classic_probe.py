"""The path to a classic remote and back: what is sent, what is told, and that nothing is left behind."""

from __future__ import annotations

import re
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest
from probe_kit import HIGH, LOW, ROOT, command, probe, probed, scripted, serving, steps

from dissector.model import Endpoint
from dissector.simulate.remote import Remote
from dissector.simulate.report import Options, Peers, ServedTask
from dissector.simulate.values import DONE
from dissector.wire import control
from dissector.wire.decode import encode_frame

PORTS = ("--callback-ports", f"{LOW}-{HIGH}")
WHOLE = ["connect", "start", "callback", "create_instance", "release", "close"]
QUICK = ("--timeout", "1s")
TIME = "2026-11-22 04:00:00.000"


def remote(served: list[ServedTask]) -> Remote:
    return Remote(Options(side=Peers.REMOTE, listen=Endpoint("127.0.0.1", 0)), served.append)


def read(sock: socket.socket, until: bytes) -> bytes:
    data = b""
    while not data.endswith(until):
        more = sock.recv(65_536)
        if not more:
            break
        data += more
    return data


def test_there_and_back() -> None:
    served: list[ServedTask] = []
    with serving(lambda: remote(served)) as end:
        found = probed(end, *PORTS)
    assert steps(found) == WHOLE
    assert (found["ok"], found["kind"], found["problems"]) == (True, "process", [])
    (attempt,) = found["attempts"]
    assert attempt["port"] == HIGH
    assert (attempt["started"], attempt["ended"], attempt["problem"]) == ("process 1", True, None)
    assert attempt["client"]["ip"] == attempt["callback_from"]["ip"] == "127.0.0.1"
    (task,) = served
    assert (task.error, task.target.port) == (None, HIGH)


def test_the_page() -> None:
    with serving(lambda: remote([])) as end:
        text = probe(end, *PORTS, "--kind", "api")
    lines = text.splitlines()
    assert lines[0] == f" {end}  classic remote, callback port {HIGH}"
    assert [line.split()[0] for line in lines[2:8]] == WHOLE
    assert ", pid " in lines[3]
    assert lines[-1].startswith(" The path there and back is open: ")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("engine_shell_ok", ()),
        ("engine_shell_fail", ()),
        ("engine_bigscript", ()),
        ("engine_order", ()),
        ("engine_ten_tasks", ()),
        ("engine_api_java_ok", ("--kind", "api")),
        ("engine_api_sub", ("--kind", "api")),
        ("engine_api_manylog", ("--kind", "api")),
    ],
)
def test_what_is_sent_is_what_the_genuine_client_sends(name: str, options: tuple[str, ...], captures: Path) -> None:
    """Byte for byte, but for the port, the number of the process and that of its object."""
    recorded = (captures / f"{name}.pcap").read_bytes()
    kind = rb"/>" if options else rb' kind="process"/>'
    port = re.findall(rb'start_remote_task tcp_port="(\d+)"' + kind, recorded)[0]
    process = int(re.findall(rb"remote_task\.close process_id='(\d+)'", recorded)[0])
    heard: dict[str, bytes] = {}

    def serve(sock: socket.socket) -> None:
        heard["start"] = read(sock, b"/>")
        start = control.start_task(control.parse_command(heard["start"]))
        assert start is not None
        assert start.tcp_port is not None
        sock.sendall(control.encode_process_answer(control.ProcessStarted(process), TIME))
        with socket.create_connection(("127.0.0.1", start.tcp_port)) as callback:
            heard["create"] = callback.recv(65_536)
            place = recorded.index(heard["create"])
            answer = recorded.index(b"A\0\0\0\0", place) - 4
            length = int.from_bytes(recorded[answer : answer + 4], "big")
            callback.sendall(recorded[answer : answer + 4 + length])
            heard["release"] = callback.recv(65_536)
            callback.sendall(encode_frame(DONE))
            heard["end"] = callback.recv(1)
        heard["close"] = read(sock, b"/>")
        sock.sendall(control.encode_ok(TIME))

    with scripted(serve) as end:
        found = probed(end, *PORTS, *options)
    assert steps(found) == WHOLE
    assert heard["start"].replace(str(HIGH).encode(), port) in recorded
    assert heard["create"] in recorded
    assert heard["release"] in recorded  # the object's id is that of the recording's answer
    assert heard["close"] in recorded
    assert heard["end"] == b""


def test_a_range_is_tried_port_by_port() -> None:
    with (
        serving(lambda: remote([])) as end,
        socket.create_server(("", HIGH - 2)),
    ):
        found = probed(end, "--ports", f"{HIGH}-{HIGH - 4}", "--parallel", 2)
        text = probe(end, "--ports", f"{HIGH - 4}-{HIGH}")
    assert [one["port"] for one in found["attempts"]] == [HIGH, HIGH - 1, HIGH - 2, HIGH - 3, HIGH - 4]
    assert [one["in_use"] for one in found["attempts"]] == [False, False, True, False, False]
    assert found["ok"]
    lines = text.splitlines()
    assert lines[2].startswith(f" {HIGH}-{HIGH - 1}  open")
    assert lines[3].split() == [str(HIGH - 2), "in", "use", "here", "1", "port"]
    assert lines[4].startswith(f" {HIGH - 3}-{HIGH - 4}  open")


def test_all_ports_in_use_is_no_success() -> None:
    with serving(lambda: remote([])) as end, socket.create_server(("", HIGH)):
        assert "Nothing was tried" in probe(end, "--ports", HIGH, status=1)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    found = probed(f"127.0.0.1:{port}", status=1)
    assert steps(found) == ["connect!"]
    (problem,) = found["problems"]
    assert (problem["code"], found["attempts"][0]["problem"]) == ("command_refused",) * 2
    assert f"127.0.0.1:{port}" in problem["summary"]


def test_a_client_that_is_not_allowed() -> None:
    def serve(sock: socket.socket) -> None:
        read(sock, b"/>")

    with scripted(serve) as end:
        found = probed(end, *PORTS, status=1)
    assert (steps(found), found["attempts"][0]["problem"]) == (["connect", "start!"], "command_rejected")
    assert 'allowed_host host="127.0.0.1"' in found["problems"][0]["remedy"]
    assert found["attempts"][0]["started"] is None


def test_an_error_for_an_answer() -> None:
    error = control.XmlError(
        "SCHEDULER-121", "SCHEDULER-121  The security settings do not allow this operation \x1b[2J"
    )

    def serve(sock: socket.socket) -> None:
        read(sock, b"/>")
        sock.sendall(control.encode_error(error._replace(text=error.text.rstrip("\x1b[2J")), TIME))

    with scripted(serve) as end:
        found = probed(end, *PORTS, status=1)
    assert (steps(found), found["attempts"][0]["problem"]) == (["connect", "start!"], "start_error")
    assert 'level="all"' in found["problems"][0]["remedy"]


def test_no_callback() -> None:
    """The remote is told to kill what it started; here it does."""
    heard = []

    def serve(sock: socket.socket) -> None:
        read(sock, b"/>")
        sock.sendall(control.encode_process_answer(control.ProcessStarted(7), TIME))
        heard.append(read(sock, b"/>"))
        sock.sendall(control.encode_ok(TIME))

    with scripted(serve) as end:
        found = probed(end, *PORTS, *QUICK, status=1)
    assert steps(found) == ["connect", "start", "callback!", "close"]
    assert heard == [control.encode_close(control.CloseTask(7, kill=True))]
    (attempt,) = found["attempts"]
    assert (attempt["problem"], attempt["ended"]) == ("callback_missing", True)


def test_a_remote_that_does_not_confirm_the_end() -> None:
    def serve(sock: socket.socket) -> None:
        read(sock, b"/>")
        sock.sendall(control.encode_process_answer(control.ProcessStarted(7), TIME))
        while sock.recv(65_536):
            pass

    with scripted(serve) as end:
        text = probe(end, *PORTS, *QUICK, status=1)
    assert "1 end is not confirmed: process 7" in text


def test_somebody_else_calls() -> None:
    def serve(sock: socket.socket) -> None:
        start = control.start_task(control.parse_command(read(sock, b"/>")))
        sock.sendall(control.encode_process_answer(control.ProcessStarted(7), TIME))
        assert start is not None
        with socket.create_connection(("127.0.0.1", start.tcp_port or 0)) as foreign:
            foreign.sendall(b"GET / HTTP/1.0\r\n\r\n")
            foreign.settimeout(10)
            try:
                while foreign.recv(100):
                    pass
            except OSError:
                pass
        read(sock, b"/>")
        sock.sendall(control.encode_ok(TIME))

    with scripted(serve) as end:
        found = probed(end, *PORTS, *QUICK, status=1)
    assert steps(found) == ["connect", "start", "callback", "create_instance!", "close"]
    assert found["attempts"][0]["problem"] == "callback_foreign_bytes"


def test_a_process_that_dies() -> None:
    def serve(sock: socket.socket) -> None:
        start = control.start_task(control.parse_command(read(sock, b"/>")))
        sock.sendall(control.encode_process_answer(control.ProcessStarted(7), TIME))
        assert start is not None
        with socket.create_connection(("127.0.0.1", start.tcp_port or 0)) as callback:
            callback.recv(65_536)
            callback.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        read(sock, b"/>")
        sock.sendall(control.encode_ok(TIME))

    with scripted(serve) as end:
        found = probed(end, *PORTS, status=1)
    assert found["attempts"][0]["problem"] == "connection_lost"
    assert found["attempts"][0]["ended"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_was_started(number: int) -> None:
    heard = []
    process: list[subprocess.Popen[str]] = []

    def serve(sock: socket.socket) -> None:
        read(sock, b"/>")
        sock.sendall(control.encode_process_answer(control.ProcessStarted(7), TIME))
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        process[0].send_signal(number)
        sock.settimeout(20)
        heard.append(read(sock, b"/>"))
        sock.sendall(control.encode_ok(TIME))

    with scripted(serve) as end:
        words = command(end, *PORTS, "--yes")
        process.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT))
        out, errors = process[0].communicate(timeout=30)
    assert heard == [control.encode_close(control.CloseTask(7, kill=True))]
    assert process[0].returncode == 1
    assert "Interrupted; nothing is left behind." in out
    assert "Traceback" not in errors


def test_it_asks_before_it_starts_anything() -> None:
    done = subprocess.run(
        command("127.0.0.1:1"), stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "jstrace: starts a process at 127.0.0.1:1: say --yes\n"


@pytest.mark.parametrize(
    "target", ["", "ftp://host:1", "host:99999", "host:0", "user@host:4444", "host/path", ":4444", "http://"]
)
def test_targets_that_are_none(target: str) -> None:
    done = subprocess.run(command(target, "--yes"), capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
