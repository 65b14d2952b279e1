"""Records the packets of what a command does itself."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dissector.model import Endpoint
    from dissector.simulate.report import PacketRecorder


def interface_of(remote: Endpoint) -> str:
    """Where its packets pass on this host."""
    from dissector.sources.interfaces import ANY

    return "lo" if remote.ip in ("localhost", "::1") or remote.ip.startswith("127.") else ANY


def recorder(path: str, overwrite: bool) -> PacketRecorder:
    """Records through the same sniffer as ``live``, from before the first packet to behind the last one."""

    @contextmanager
    def recording(remote: Endpoint, ports: tuple[int, int]) -> Iterator[None]:
        from threading import Event, Thread

        from dissector.sources.filters import port_filter
        from dissector.sources.live import LiveCapture
        from dissector.sources.ring import CaptureWriter

        writer = CaptureWriter(path, overwrite=overwrite)
        capture = LiveCapture([interface_of(remote)], port_filter((remote.port or 0,), (ports[1], ports[0])), writer)
        over = Event()

        def follow() -> None:
            while not over.is_set():
                capture.poll(0.05)
            while capture.poll(0.1):
                pass

        thread = Thread(target=follow, name="recorder")
        thread.start()
        with ExitStack() as ending:
            ending.callback(writer.close, check=True)
            ending.callback(capture.close)
            ending.callback(thread.join)
            ending.callback(over.set)
            yield

    def enter(remote: Endpoint, ports: tuple[int, int]) -> AbstractContextManager[None]:
        return recording(remote, ports)

    return enter
