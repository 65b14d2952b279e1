"""A real Prometheus that scrapes, where one is installed; and how long a scrape takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds between two scrapes that are timed.
_EVERY = 1.0
PROGRAM = shutil.which("prometheus")


@contextmanager
def prometheus(folder: Path, metrics: str, own: str) -> Iterator[Callable[[str], float]]:
    """Scrapes ``metrics`` (address and port) once a second, and answers at ``own``; gives what it says to a query: 0
    as long as it says nothing, or where it is not installed."""

    def asked(query: str) -> float:
        try:
            address = f"http://{own}/api/v1/query?" + urllib.parse.urlencode({"query": query})
            with urllib.request.urlopen(address, timeout=10) as answer:
                result = json.load(answer)["data"]["result"]
        except OSError:
            return 0
        return float(result[0]["value"][1]) if result else 0

    if PROGRAM is None:
        yield asked
        return
    scrape = {"job_name": "jstrace", "honor_labels": True, "static_configs": [{"targets": [metrics]}]}
    configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(configuration), encoding="utf-8")
    command = [PROGRAM, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={own}", "--log.level=error"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield asked
        finally:
            process.terminate()


class Scrapes(threading.Thread):
    """Scrapes ``metrics`` again and again until ``stop``, and keeps the seconds of each."""

    def __init__(self, metrics: str) -> None:
        super().__init__(daemon=True)
        self._url, self._stopped = f"http://{metrics}/metrics", threading.Event()
        self.seconds: list[float] = []
        self.failed = 0

    def run(self) -> None:
        while not self._stopped.wait(_EVERY):
            begun = time.monotonic()
            try:
                with urllib.request.urlopen(self._url, timeout=10) as answer:
                    answer.read()
            except OSError:
                self.failed += 1
            self.seconds.append(time.monotonic() - begun)

    def stop(self) -> list[float]:
        """All of them, the shortest first."""
        self._stopped.set()
        self.join()
        return sorted(self.seconds)
