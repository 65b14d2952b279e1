"""The packets of a probe: captured where that is allowed, and read for what they tell of a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dissector.cli.recording import recorder
from dissector.errors import JstraceError
from dissector.model import Connection, Endpoint, Problem
from dissector.reports.probe import ProbeResult, is_of_the_path, look_closer


class ProbePackets:
    """``path`` is where they are written, ``ports`` the highest and the lowest callback port; ``why``: what keeps them
    from being captured, which is no error unless they are to be kept (``is_wanted``)."""

    def __init__(self, path: str, ports: tuple[int, int], *, is_wanted: bool, overwrite: bool) -> None:
        self.why = ""
        self._path, self._ports, self._is_wanted = path, ports, is_wanted
        self._record = recorder(path, overwrite)

    def recording(self, remote: Endpoint) -> AbstractContextManager[object]:
        """
        :raises JstraceError: they are to be kept, and can not be captured or written
        """
        stack = ExitStack()
        try:
            stack.enter_context(self._record(remote, self._ports))
        except (JstraceError, OSError) as error:
            if self._is_wanted:
                raise
            self.why = str(error)
        return stack

    def problems(self, result: ProbeResult) -> list[Problem]:
        """What they prove of the probe's own connections; what they do not tell is looked for in the sockets' words,
        to which they add what they know."""
        if self.why:
            return []
        from dissector.reading import Reading

        reading = Reading([self._path], (result.remote.port or 0,), (self._ports[1], self._ports[0]), messages=False)
        clients = {one.client.port for one in result.attempts if one.client is not None}
        found, connections = list[Problem](), list[Connection]()
        for event in reading.events():
            if not isinstance(event, (Connection, Problem)):
                continue
            client = event.task.client if event.task is not None else None
            if result.kind != "agent" and (client is None or client.port not in clients):
                continue
            if isinstance(event, Connection):
                connections.append(event)
            elif is_of_the_path(event):
                found.append(event)
        look_closer(result.attempts, connections)
        return found


@contextmanager
def probe_packets(path: str | None, ports: tuple[int, int], *, overwrite: bool) -> Iterator[ProbePackets]:
    """In a folder that is gone afterwards, unless ``path`` says where they are to be kept."""
    with ExitStack() as ending:
        if path is None:
            folder = ending.enter_context(TemporaryDirectory(prefix="jstrace-"))
            yield ProbePackets(str(Path(folder) / "probe.pcapng"), ports, is_wanted=False, overwrite=False)
        else:
            yield ProbePackets(path, ports, is_wanted=True, overwrite=overwrite)
