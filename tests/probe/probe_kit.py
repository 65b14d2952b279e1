"""Remotes and agents on loopback for a probe, and the probe as a process."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from click.testing import CliRunner

from dissector.cli.probe import probe as command_itself
from dissector.model import Endpoint

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
#: Ports of this worker, below those that the kernel takes for outgoing connections, above those of other tests.
PORT = 29_000 + 300 * WORKER
HIGH, LOW = PORT + 250, PORT + 200
_PATIENCE = 60


class Peer(Protocol):
    async def start(self) -> Endpoint: ...
    async def stop(self) -> None: ...


@contextmanager
def serving(make: Callable[[], Peer]) -> Iterator[Endpoint]:
    """A simulated peer in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(_PATIENCE)

    async def made() -> tuple[Peer, Endpoint]:
        peer = make()
        return peer, await peer.start()

    try:
        peer, end = do(made())
        try:
            yield end
        finally:
            do(peer.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def scripted(serve: Callable[[socket.socket], None]) -> Iterator[Endpoint]:
    """Whoever connects first is served by ``serve``, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_PATIENCE)

        def run() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(_PATIENCE)
                serve(peer)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield Endpoint(*listener.getsockname())
        finally:
            thread.join()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "dissector", "probe", *map(str, arguments)]


def probe(*arguments: object, status: int = 0, inside: Sequence[str] = ()) -> str:
    """Standard output of ``jstrace probe --yes``; ``inside`` is put before the command, which is a process then."""
    if not inside:
        result = CliRunner().invoke(command_itself, [*map(str, arguments), "--yes"])
        assert result.exit_code == status, result.output
        return result.stdout
    words = [*inside, *command(*arguments, "--yes")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=_PATIENCE, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def probed(*arguments: object, status: int = 0, inside: Sequence[str] = ()) -> dict[str, Any]:
    """The same as an object."""
    found: dict[str, Any] = json.loads(probe(*arguments, "--format", "json", status=status, inside=inside))
    return found


def steps(found: dict[str, Any], attempt: int = 0) -> list[str]:
    """Names of the steps; one that failed has a ! behind it."""
    return [one["step"] + ("" if one["ok"] else "!") for one in found["attempts"][attempt]["steps"]]
