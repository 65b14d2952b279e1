"""The peers themselves: ports, limits, signals, and whoever else may connect."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from recording import BASE, CALLBACK_PORTS, LISTEN, QUICK

from dissector.errors import UsageError
from dissector.model import Endpoint, Outcome
from dissector.simulate.client import Client
from dissector.simulate.remote import Remote
from dissector.simulate.report import MetTask, Options, Peers, ServedTask
from dissector.simulate.run import simulate
from dissector.simulate.scenario import scenario
from dissector.wire import control

HIGH, LOW = CALLBACK_PORTS
FREE = BASE + 2


def listening(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", port))
    sock.listen(1)
    return sock


# --- ports ---------------------------------------------------------------------------------------------------------


def test_callback_ports_go_down_and_are_used_again() -> None:
    summary = simulate(replace(QUICK, tasks=3, parallel=1))
    assert [task.callback_port for task in summary.tasks] == [HIGH] * 3
    summary = simulate(replace(QUICK, scenarios=("idle",), tasks=3))
    assert sorted(task.callback_port or 0 for task in summary.tasks) == [HIGH - 2, HIGH - 1, HIGH]


def test_a_port_in_use_is_passed_over() -> None:
    with listening(HIGH), listening(HIGH - 1):
        (task,) = simulate(QUICK).tasks
    assert (task.callback_port, task.outcome) == (HIGH - 2, Outcome.SUCCESS)


def test_no_callback_port_is_left() -> None:
    with listening(HIGH), pytest.raises(UsageError, match=f"no callback port is free between {HIGH} and {HIGH}"):
        simulate(replace(QUICK, callback_ports=(HIGH, HIGH)))


def test_no_callback_port_is_left_in_mid_run() -> None:
    taken: list[socket.socket] = []

    def take(_record: MetTask) -> None:
        if not taken:
            taken.append(listening(HIGH))

    summary = simulate(replace(QUICK, callback_ports=(HIGH, HIGH), tasks=5, on_task=take))
    for sock in taken:
        sock.close()
    assert summary.failure == f"no callback port is free between {HIGH} and {HIGH}"
    assert len(summary.tasks) == 1


def test_the_remotes_port_is_in_use() -> None:
    with listening(BASE), pytest.raises(UsageError, match=f"can not listen on 127.0.0.1:{BASE}"):
        simulate(QUICK)


def test_any_free_port_for_the_remote() -> None:
    ready: list[Endpoint] = []
    summary = simulate(replace(QUICK, listen=Endpoint("127.0.0.1", 0), on_ready=ready.append))
    assert summary.remote is not None
    assert (summary.remote.port or 0) > 1_024
    assert ready == [summary.remote]
    assert summary.outcomes == {Outcome.SUCCESS: 1}


def test_a_client_without_its_remote() -> None:
    remote = Endpoint("127.0.0.1", FREE)
    (task,) = simulate(replace(QUICK, side=Peers.CLIENT, remote=remote)).tasks
    assert task.outcome is Outcome.UNREACHABLE
    assert "refused" in (task.error or "") or "Connect call failed" in (task.error or "")


def test_a_remote_without_an_address() -> None:
    with pytest.raises(UsageError, match=r"remote no\.such\.host\.invalid"):
        simulate(replace(QUICK, side=Peers.CLIENT, remote=Endpoint("no.such.host.invalid", 4444)))


def test_the_other_address_is_not_ours() -> None:
    """Documentation's own network (RFC 5737): the task process can not bind to it and never calls back."""
    served: list[ServedTask] = []
    options = replace(
        QUICK,
        scenarios=("callback-other-address",),
        callback_address="192.0.2.1",
        callback_timeout=0.3,
        on_served=served.append,
    )
    summary = simulate(options)
    assert summary.outcomes == {Outcome.NO_CALLBACK: 1}
    assert summary.unexpected == 1
    assert "192.0.2.1" in (served[0].error or "")


# --- arguments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Options(scenarios=("nonsense",)), "no scenario 'nonsense': one of shell-job, api-job,"),
        (lambda: Options(scenarios=()), "no scenario"),
        (lambda: Options(tasks=0), "the number of tasks is 1 or more"),
        (lambda: Options(rate=0), "the rate is more than 0"),
        (lambda: Options(rate=float("nan")), "the rate is more than 0"),
        (lambda: Options(parallel=0), "parallel tasks are 1 to 10000"),
        (lambda: Options(duration=-1), "a duration is more than 0"),
        (lambda: Options(callback_ports=(50_000, 59_999)), "from the highest down"),
        (lambda: Options(callback_ports=(2_000, 80)), "from the highest down"),
        (lambda: Options(callback_timeout=0), "a timeout is more than 0"),
        (lambda: Options(work=-1), "a time is 0 or more"),
        (lambda: Options(log_lines=-1), "log lines are 0"),
        (lambda: Options(keep=-1), "a number of records is 0 or more"),
        (lambda: Options(listen=Endpoint("127.0.0.1", 70_000)), "a port is a number"),
        (lambda: Options(side=Peers.CLIENT), "a client needs the address"),
        (lambda: Options(remote=Endpoint("127.0.0.1", 4444)), "a remote is given where"),
    ],
)
def test_impossible_options(make: Callable[[], Options], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make()


# --- limits --------------------------------------------------------------------------------------------------------


def test_never_more_tasks_at_once_than_allowed() -> None:
    summary = simulate(replace(QUICK, scenarios=("idle",), tasks=9, parallel=3))
    assert (summary.most_parallel, summary.outcomes) == (3, {Outcome.SUCCESS: 9})
    assert summary.seconds >= 3 * QUICK.work


def test_never_more_tasks_at_once_than_ports() -> None:
    summary = simulate(replace(QUICK, scenarios=("idle",), tasks=4, callback_ports=(HIGH, HIGH - 1)))
    assert (summary.most_parallel, summary.outcomes) == (2, {Outcome.SUCCESS: 4})


def test_the_parallel_scenario_brings_its_numbers() -> None:
    summary = simulate(replace(QUICK, scenarios=("parallel",), rate=100.0))
    assert summary.started == 20
    assert summary.most_parallel > 5


def test_duration_ends_the_starts() -> None:
    summary = simulate(replace(QUICK, duration=0.5, rate=20.0))
    assert 5 <= summary.started <= 10
    assert summary.outcomes == {Outcome.SUCCESS: summary.started}


def test_the_summary_keeps_the_newest_records_only() -> None:
    seen: list[int] = []
    summary = simulate(replace(QUICK, tasks=12, keep=5, parallel=1, on_task=lambda record: seen.append(record.n)))
    assert [task.n for task in summary.tasks] == [8, 9, 10, 11, 12]
    assert seen == list(range(1, 13))
    assert (summary.outcomes[Outcome.SUCCESS], summary.starts_served, len(summary.served)) == (12, 12, 5)


def test_the_recorder_is_there_before_and_after_the_packets() -> None:
    told: list[object] = []

    @contextmanager
    def recorder(remote: Endpoint, ports: tuple[int, int]) -> Iterator[None]:
        told.append((remote, ports))
        yield
        told.append("end")

    def task_over(record: MetTask) -> None:
        told.append(record.n)

    simulate(replace(QUICK, recorder=recorder, on_task=task_over))
    assert told == [(LISTEN, CALLBACK_PORTS), 1, "end"]


def test_one_connection_a_task_then_nobody_listens() -> None:
    """While the task runs its port is closed."""

    async def run() -> tuple[bool, Outcome]:
        served: list[ServedTask] = []
        remote = Remote(QUICK, served.append)
        client = Client(QUICK, await remote.start())
        task = asyncio.create_task(client.run(1, scenario("idle")))
        while not (served and served[0].peer):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", HIGH)
        except ConnectionRefusedError:
            refused = True
        else:
            refused = False
            writer.close()
        record = await task
        await remote.stop()
        return refused, record.outcome

    assert asyncio.run(run()) == (True, Outcome.SUCCESS)


# --- strangers -----------------------------------------------------------------------------------------------------


class Background:
    """A remote alone, in a thread, for so long."""

    def __init__(self, seconds: float, **changes: object) -> None:
        self.ready = threading.Event()
        options = replace(QUICK, side=Peers.REMOTE, duration=seconds, on_ready=lambda _: self.ready.set(), **changes)  # type: ignore[arg-type]
        self.thread = threading.Thread(target=simulate, args=(options,))

    def __enter__(self) -> Background:
        self.thread.start()
        assert self.ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.join(10)
        assert not self.thread.is_alive()


def ask(*pieces: bytes) -> list[control.Document]:
    """What the remote answers, until it is silent or closes."""
    with socket.create_connection((LISTEN.ip, LISTEN.port or 0), timeout=0.3) as sock:
        received = b""
        try:
            for piece in pieces:
                sock.sendall(piece)
                time.sleep(0.02)
            while data := sock.recv(65_536):
                received += data
        except OSError:
            pass
    return [control.parse_answer(part) for part in received.split(b"\0") if part]


def test_commands_in_pieces_and_with_spaces() -> None:
    start = control.encode_start(control.StartTask(FREE, "process"))
    with Background(0.8):
        (answer,) = ask(b"  ", start[:40], start[40:70], start[70:])
        assert control.process_started(answer) == control.ProcessStarted(1)


def test_the_remote_knows_one_connections_processes_only() -> None:
    with Background(0.8):
        (answer,) = ask(control.encode_close(control.CloseTask(99)))
        assert answer.error is not None
        assert "unknown process id" in answer.error.text


def test_unknown_commands_are_refused() -> None:
    with Background(0.8):
        (answer,) = ask(b"<show_state/>")
        assert answer.error is not None
        assert answer.error.code == "LIBXML2-007"


def test_junk_on_the_command_port_does_no_harm() -> None:
    with Background(3.0):
        for junk in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), b"<a" * 60_000, b"<a b='>'", b"\0\0"):
            assert ask(junk) == []
        start = control.encode_start(control.StartTask(FREE, "process"))
        assert len(ask(start)) == 1


@pytest.mark.parametrize(
    ("junk", "error"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "a frame of 1195725856 bytes"),
        (bytes(4), "a frame of 0 bytes"),
        (b"\0\0\0\x01Z", "class"),
        (b"\0\0\0\x05A\0\0\0\0", "at offset"),
        (b"", "the callback connection was lost"),
    ],
)
def test_a_stranger_takes_the_callback(junk: bytes, error: str) -> None:
    """The first who connects is taken, as by the engine; what is no answer ends the task."""

    def stranger(record: ServedTask) -> None:
        with socket.create_connection((record.target.ip, record.target.port or 0)) as sock:
            sock.sendall(junk)

    options = replace(QUICK, scenarios=("no-callback",), on_served=stranger)
    (task,) = simulate(options).tasks
    assert (task.outcome, task.as_expected) == (Outcome.LOST, False)
    assert error in (task.error or "")


# --- signals -------------------------------------------------------------------------------------------------------

RUN = """
import os, sys
from dissector.model import Endpoint
from dissector.simulate.report import Options, Peers
from dissector.simulate.run import simulate
before = set(os.listdir("/proc/self/fd"))
options = Options(
    side=Peers(sys.argv[1]), scenarios=("idle",), work=60.0, tasks=8, listen=Endpoint("127.0.0.1", {base}),
    callback_ports=({high}, {low}), on_ready=lambda endpoint: print("ready", flush=True),
    on_served=lambda record: print("served", flush=True),
)
summary = simulate(options)
assert set(os.listdir("/proc/self/fd")) == before
print(summary.interrupted, summary.started, len(summary.tasks), summary.unexpected)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_cleanly(number: signal.Signals) -> None:
    with runner("both") as process:
        lines = [process.stdout.readline() for _ in range(9)] if process.stdout else []
        assert lines == ["ready\n", *["served\n"] * 8]
        time.sleep(0.3)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "True 8 8 0\n", "")


def test_a_signal_ends_a_remote_that_serves_a_client() -> None:
    with runner("remote") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        ended: list[MetTask] = []
        options = replace(
            QUICK, side=Peers.CLIENT, listen=Endpoint("", 0), remote=LISTEN, scenarios=("idle",), on_task=ended.append
        )
        client = threading.Thread(target=simulate, args=(options,))
        client.start()
        assert process.stdout.readline() == "served\n"
        wait_for_callback()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        client.join(20)
    assert (process.returncode, out, err) == (0, "True 0 0 0\n", "")
    assert [record.outcome for record in ended] == [Outcome.LOST]


def wait_for_callback() -> None:
    """Until the callback connection is established: its line in the kernel's table has state 01."""
    deadline = time.monotonic() + 10
    wanted = f":{HIGH:04X}"
    while not any(
        fields[1].endswith(wanted) and fields[3] == "01"
        for fields in map(str.split, Path("/proc/net/tcp").read_text(encoding="ascii").splitlines())
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def runner(side: str) -> Iterator[subprocess.Popen[str]]:
    code = RUN.format(base=BASE, high=HIGH, low=LOW)
    command = [sys.executable, "-W", "error", "-c", code, side]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()
