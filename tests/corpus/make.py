"""Makes the corpus: real peers, a real network, real faults, recorded on both legs of a router.

    sudo .venv/bin/python tests/corpus/make.py [NAME...]      (all cases take about five minutes)

Needs root, iproute2, nftables, ethtool and dumpcap.  Writes captures/corpus/NAME.c.pcapng (the router's interface
toward the client), NAME.r.pcapng (toward the remote) and NAME.json: what was done, and what each peer says happened.
``tests/test_corpus.py`` says what a trace of each has to find.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from signal import SIGCONT, SIGINT, SIGSTOP
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

from cases import CASES, At, Case  # noqa: E402  the folder of these is not on the path before
from netns import CLIENT, CLIENT2, REMOTE, Net  # noqa: E402  the folder of these is not on the path before

CORPUS = ROOT / "captures" / "corpus"
_AT_ONCE = 8
_PATIENCE = 200.0
#: After the client's end: the last packets of the remote.
_SETTLE = 0.8


class Peer:
    """A process of ``peer``; ``events`` are what it printed so far."""

    def __init__(self, net: Net, host: str, options: dict[str, Any]) -> None:
        words = net.command(host, sys.executable, str(HERE / "peer.py"), json.dumps(options))
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=_environment())
        self.events: list[dict[str, Any]] = []
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.events.append(json.loads(line))
                self.ready.set()


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "INTRUDER": f"{sys.executable} {HERE / 'intruder.py'}", **more}


class Recording:
    """One case, from its network to its files."""

    def __init__(self, case: Case, net: Net, folder: Path) -> None:
        self._case, self._net, self._folder = case, net, folder
        self._processes: list[subprocess.Popen[Any]] = []
        self._dumpcaps: list[subprocess.Popen[Any]] = []
        self._begun = 0.0

    def make(self) -> None:
        try:
            self._play()
        finally:
            for process in self._processes:
                process.kill()
                process.wait()

    def _play(self) -> None:
        case = self._case
        for host, line in case.before:
            self._net.shell(host, line)
        if case.impaired:
            self._run("router", f"exec {sys.executable} {HERE / 'slow_wire.py'} c0 w0 {case.impaired}")
            time.sleep(0.5)
        if case.late is None:
            self._capture()
        for host, line in case.beside:
            self._run(host, line)
        remote = None if case.no_remote else self._remote()
        if remote is not None and case.frozen:
            remote.process.send_signal(SIGSTOP)
        clients = self._clients()
        self._timeline(clients, remote)
        self._stop_capture()
        if remote is not None:
            remote.process.send_signal(SIGCONT)
            remote.process.send_signal(SIGINT)
            with suppress(subprocess.TimeoutExpired):
                remote.process.wait(3.0)
            time.sleep(0.1)
        self._write(clients, remote)

    def _remote(self) -> Peer:
        remote = self._peer("remote", {"side": "remote", "listen": f"{REMOTE}:4455", **self._shared()})
        assert remote.ready.wait(_PATIENCE)
        return remote

    def _clients(self) -> list[Peer]:
        options = {"side": "client", "remote": f"{REMOTE}:4455", "scenarios": [self._case.scenario], **self._shared()}
        clients = [self._peer("client", options)]
        if self._case.second_client:
            clients.append(self._peer("client2", options))
        assert clients[0].ready.wait(_PATIENCE)
        self._begun = time.monotonic()
        return clients

    def _shared(self) -> dict[str, Any]:
        return dict(self._case.run)

    def _peer(self, host: str, options: dict[str, Any]) -> Peer:
        peer = Peer(self._net, host, options)
        self._processes.append(peer.process)
        return peer

    def _timeline(self, clients: list[Peer], remote: Peer | None) -> None:
        case = self._case
        pids = {"CLIENT": str(clients[0].process.pid), "REMOTE": str(remote.process.pid) if remote else ""}
        for at in case.at:
            self._sleep_until(at.seconds)
            self._run(at.host, at.line, **pids)
        if case.late is not None:
            self._sleep_until(case.late)
            self._capture()
        if case.seconds is not None:
            self._sleep_until(case.seconds)
        else:
            for client in clients:
                client.process.wait(_PATIENCE)
            time.sleep(_SETTLE)

    def _sleep_until(self, seconds: float) -> None:
        time.sleep(max(0.0, self._begun + seconds - time.monotonic()))

    def _run(self, host: str, line: str, **environment: str) -> None:
        words = self._net.command(host, "sh", "-ec", line)
        self._processes.append(subprocess.Popen(words, env=_environment(**environment)))

    def _capture(self) -> None:
        for leg in "cr":
            path = self._folder / f"{self._case.name}.{leg}.pcapng"
            words = self._net.command("router", "dumpcap", "-q", "-i", leg, "-w", str(path), *self._case.dumpcap)
            process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
            assert process.stderr is not None
            told = [process.stderr.readline(), process.stderr.readline()]
            assert told[1].startswith("File:"), told
            self._dumpcaps.append(process)

    def _stop_capture(self) -> None:
        time.sleep(0.3)  # dumpcap gets packets a little late
        for process in self._dumpcaps:
            process.terminate()
            process.communicate()

    def _write(self, clients: list[Peer], remote: Peer | None) -> None:
        case = self._case
        said = {
            "case": case.name,
            "done": case.done,
            "client": CLIENT,
            **({"client2": CLIENT2} if case.second_client else {}),
            "remote": f"{REMOTE}:4455",
            "scenario": case.scenario,
            "options": case.run,
            "before": [{"on": host, "what": line} for host, line in case.before],
            "beside": [{"on": host, "what": _plain(line)} for host, line in case.beside],
            "actions": [{"at": at.seconds, "on": at.host, "what": _plain(at.line)} for at in case.at],
            "wire": case.impaired,
            "dumpcap": list(case.dumpcap),
            "client_says": [_brief(event) for client in clients for event in client.events],
            "remote_says": [_brief(event) for event in remote.events] if remote else [],
        }
        for leg in "cr":
            _strip(self._folder / f"{case.name}.{leg}.pcapng", CORPUS / f"{case.name}.{leg}.pcapng")
        kept = {key: value for key, value in said.items() if value not in ("", [], {})}
        text = json.dumps(kept, indent=1, ensure_ascii=False)
        (CORPUS / f"{case.name}.json").write_text(text + "\n", encoding="utf-8")


def _plain(line: str) -> str:
    return line.replace("$INTRUDER", "intruder.py")


def _brief(event: dict[str, Any]) -> dict[str, Any]:
    """Without what is the same in every run, and without the run's own time."""
    event.pop("seconds", None)
    return event


def _strip(source: Path, target: Path) -> None:
    """Without the names of the machine and its programs, which dumpcap writes into the section header."""
    subprocess.run(["editcap", "-F", "pcap", str(source), f"{source}.pcap"], check=True, capture_output=True)
    subprocess.run(["editcap", "-F", "pcapng", f"{source}.pcap", str(target)], check=True, capture_output=True)


def _net(case: Case, number: int) -> Net:
    return Net(f"jst{number}", impaired=bool(case.impaired), second_client=case.second_client)


def make(name: str, number: int) -> str:
    case = CASES[name]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, _net(case, number) as net:
        Path(folder).chmod(0o777)  # dumpcap gives up root's rights
        Recording(case, net, Path(folder)).make()
    return f"{name}: {time.monotonic() - begun:.0f} s"


def main() -> None:
    names = sys.argv[1:] or list(CASES)
    unknown = [name for name in names if name not in CASES]
    if unknown:
        sys.exit(f"no such case: {', '.join(unknown)}")
    CORPUS.mkdir(exist_ok=True)
    names.sort(key=lambda name: -(CASES[name].seconds or 0.0))  # the longest first
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in as_completed(pool.submit(make, name, number) for number, name in enumerate(names)):
            print(done.result(), flush=True)


__all__ = ["At", "Net", "make"]

if __name__ == "__main__":
    main()
