"""Answers Prometheus, in threads of its own.  The port is opened while root may still do so, the threads start later:
a thread keeps the rights that it began with."""

from __future__ import annotations

import socket
import threading
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from prometheus_client import CollectorRegistry, MetricsHandler, generate_latest

from dissector.errors import CaptureError
from dissector.model import Endpoint

LOCALHOST = "127.0.0.1"
#: Seconds that one who asks may take for its request, and how many may at a time.
_TIMEOUT, _MOST = 10.0, 16


class ScrapeServer(ThreadingMixIn, TCPServer):
    """Listens at ``place`` (without a host: on loopback alone); ``start`` begins to answer.

    :raises CaptureError: the port can not be opened
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = _MOST

    def __init__(self, place: Endpoint, registry: CollectorRegistry) -> None:
        host, port = place.ip or LOCALHOST, place.port or 0
        self._room = threading.BoundedSemaphore(_MOST)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            self.address_family = found[0]
            handler = type("Scrape", (MetricsHandler,), {"registry": registry, "timeout": _TIMEOUT})
            super().__init__((host, port), handler)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CaptureError(f"--metrics {Endpoint(host, port)}", reason) from None
        # What it loads when first asked may be where only root can read.
        generate_latest(registry)

    @property
    def url(self) -> str:
        ip, port = self.server_address[:2]
        return f"http://{Endpoint(str(ip), int(port))}/metrics"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked went away."""
