"""Agents over HTTPS at two places: the same is told wherever the secrets stand, and records are taken in runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from test_faults import FAULTS
from test_places import SECOND

from dissector.model import Connection, Exchange, Problem, Task
from dissector.reading import Reading
from dissector.session import advance, tls_runs
from dissector.sources import capture, prefetch
from dissector.sources.capture import CaptureReader
from dissector.sources.formats import Pcapng
from dissector.wire.tls_keys import Secrets

RECORDING = FAULTS.parent / "agent" / "ua113_https_rsa.pcap"
LOG = RECORDING.with_suffix(".keys").read_bytes()
#: Where the secrets of a file stand among its packets, by their number; None: it has none.
FRONT, BEHIND = 0, -1


class Place(NamedTuple):
    """A capture of the recording's packets: behind a router or not, by a wrong clock, with secrets or without."""

    name: str
    hops: int = 0
    ahead: int = 0
    secrets: int | None = None

    def written(self, folder: Path) -> Path:
        form, path = Pcapng(), folder / f"{self.name}.pcapng"
        data = [form.begin()]
        for packet in CaptureReader([RECORDING]):
            frame = bytearray(packet.data)
            frame[22] -= self.hops
            time = packet.time + self.ahead + self.hops * 1_000_000
            data.append(form.packet(time, packet.link_type, bytes(frame), packet.wire_length))
        if self.secrets is not None:
            data.insert(len(data) if self.secrets == BEHIND else 1, form.secrets(LOG))
        path.write_bytes(b"".join([*data, form.end()]))
        return path


def told(files: Iterable[Path], log: bytes = b"", *, two_processes: bool = False) -> list[Any]:
    """What is found in files, beside what depends on their names."""
    secrets = Secrets()
    secrets.add_log(log)
    found: list[Any] = []
    for event in Reading(files, secrets=secrets, prefetch=two_processes).events():
        if isinstance(event, Task):
            found.append((event.n, event.job, event.outcome, event.start, event.first_packet, len(event.points)))
        elif isinstance(event, Exchange):
            found.append((event.n, event.packets, event.request_raw, event.response_raw))
        elif isinstance(event, Problem):
            found.append((event.code, event.packets, event.summary))
        elif isinstance(event, Connection):
            found.append((event.n, event.point, event.client, event.first_packet, event.last_packet))
    return found


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of records of the runs that were deciphered."""
    found: list[int] = []
    deciphered = tls_runs.deciphered

    def noted(*arguments: Any) -> Any:
        found.append(len(arguments[1].records))
        return deciphered(*arguments)

    monkeypatch.setattr(advance, "deciphered", noted)
    return found


@pytest.mark.parametrize("where", [FRONT, BEHIND])
@pytest.mark.parametrize("two_processes", [False, True])
def test_secrets_within_a_file_bring_what_a_key_log_does(
    where: int, two_processes: bool, runs: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "WORTH", 0)
    # The other process makes the blocks.
    monkeypatch.setattr(prefetch.SharedBuffers, "is_awaited", False)
    wanted = told([Place("a").written(tmp_path)], LOG)
    by_log = runs[:]
    assert told([Place("a", secrets=where).written(tmp_path)], two_processes=two_processes) == wanted
    assert by_log
    assert runs == 2 * by_log
    assert sum(one[1] == "/folder/shell" for one in wanted) == 1


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("ahead", [0, -2 * SECOND, 3_600 * SECOND])
def test_of_two_places_either_may_have_the_secrets(
    ahead: int, turned: bool, runs: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "WORTH", 0)
    near, far = Place("near"), Place("far", hops=1, ahead=ahead)

    def both(near: Place, far: Place, log: bytes = b"", *, two_processes: bool = False) -> list[Any]:
        files = [near.written(tmp_path), far.written(tmp_path)]
        return told(files[::-1] if turned else files, log, two_processes=two_processes)

    wanted = both(near, far, LOG)
    by_log = sorted(runs)
    runs.clear()
    assert both(near, far, LOG, two_processes=True) == wanted
    assert [one[-1] for one in wanted if one[1] == "/folder/shell"] == [2]
    for one, two in ((FRONT, None), (None, FRONT), (BEHIND, None), (None, BEHIND)):
        runs.clear()
        assert both(near._replace(secrets=one), far._replace(secrets=two)) == wanted
        # The first block of a place may come before the secrets of another one.
        assert runs in (by_log, by_log[1:])
    assert len(by_log) == 2
