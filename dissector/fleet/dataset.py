"""A dataset on disk: Parquet files, and the manifest that says which of them count.

``manifest.jsonl`` is written last and in one step, so a reader finds what it was before a run or behind it, also when
the run was killed; files that it does not name are remains of such a run, and the next one takes them away.  What a
reader has open when it is replaced stays readable as long as it is open.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from dissector.errors import UsageError
from dissector.fleet.captures import KnownCapture, absolute
from dissector.fleet.columns import SCHEMA, TABLES
from dissector.fleet.views import BRIEFS
from dissector.render.json import SCHEMA as CONTRACT
from dissector.sources.bytestream import open_file
from dissector.sources.remote import RemoteFile, is_remote

#: Where a part may lie: what a manifest names is opened, and removed.
_PART = re.compile(
    rf"(({'|'.join(TABLES)})/day=\d{{4}}-\d\d-\d\d|{'|'.join(BRIEFS)})/point=[^/]+/[0-9a-f]+\.parquet", re.ASCII
)
MANIFEST, _LOCK, _WORK = "manifest.jsonl", ".lock", ".work"
#: What a manifest is called until it is whole.
_HALF = f".{MANIFEST}-"


class PartFile(NamedTuple):
    """A Parquet file of a table; ``path`` from the dataset's folder on, ``last`` the last begin of its rows.  Briefs
    are of all days of their points: they have neither ``day`` nor ``last``."""

    table: str
    day: str
    point: str
    path: str
    rows: int
    size: int
    last: str

    @property
    def is_brief(self) -> bool:
        return not self.day


class PointState(NamedTuple):
    """How far a point is known: what begins from ``tail`` on (ISO, UTC; empty: nothing) may still change."""

    point: str
    tail: str


@dataclass
class Manifest:
    """What a dataset holds.  ``messages``: it has tables of messages and exchanges."""

    messages: bool = False
    points: dict[str, PointState] = field(default_factory=dict)
    captures: list[KnownCapture] = field(default_factory=list)
    parts: list[PartFile] = field(default_factory=list)

    @property
    def tables(self) -> list[str]:
        return [table for table in TABLES if self.messages or table not in ("messages", "exchanges")]

    def lines(self) -> Iterator[dict[str, Any]]:
        yield {"record": "dataset", "schema": SCHEMA, "records": CONTRACT, "messages": self.messages}
        for state in sorted(self.points.values()):
            yield {"record": "point", **state._asdict()}
        for capture in sorted(self.captures, key=lambda one: (one.point, one.first or 0, one.path, one.digest)):
            yield {"record": "capture", **capture._asdict()}
        for part in sorted(self.parts):
            yield {"record": "part", **part._asdict()}


class Dataset:
    """The dataset in ``folder``.

    :raises UsageError: there is something else, or one of another version
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(absolute(folder))
        #: Where it is elsewhere: such a one is read only.
        self.remote = RemoteFile.at(folder) if is_remote(folder) else None
        self.manifest = Manifest()
        self.is_new = self.remote is None and not (self.folder / MANIFEST).is_file()
        if not self.is_new:
            self._read()

    @property
    def name(self) -> str:
        """A path, or a URL."""
        return str(self.folder) if self.remote is None else self.remote.url

    @classmethod
    def existing(cls, folder: str) -> Dataset:
        """:raises UsageError: there is none"""
        found = cls(folder)
        if found.is_new:
            raise UsageError(f"{folder}: no dataset; jstrace index {folder} CAPTURES... makes one")
        return found

    def read_anew(self) -> bool:
        """Takes the manifest that is there now; True when it is another one."""
        before, self.manifest = self.manifest, Manifest()
        self._read()
        return self.manifest != before

    def _read(self) -> None:
        manifest = self.manifest
        try:
            with open_file(f"{self.name}/{MANIFEST}") as file:
                text = file.read().decode()
            for record in map(json.loads, text.splitlines()):
                kind = record.pop("record")
                if kind == "dataset":
                    if record["schema"] != SCHEMA:
                        raise UsageError(f"{self.name}: a dataset of {record['schema']}, not {SCHEMA}: index anew")
                    manifest.messages = record["messages"]
                elif kind == "point":
                    manifest.points[record["point"]] = PointState(**record)
                elif kind == "capture":
                    manifest.captures.append(KnownCapture(**record))
                elif kind == "part":
                    part = PartFile(**record)
                    if not _PART.fullmatch(part.path) or not part.path.startswith(f"{part.table}/"):
                        raise ValueError
                    manifest.parts.append(part)
        except OSError as error:
            raise UsageError(f"{self.name}/{MANIFEST}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{self.name}/{MANIFEST}: this is no manifest of a dataset") from None

    def files(self, table: str) -> list[str]:
        return [f"{self.name}/{part.path}" for part in self.manifest.parts if part.table == table]

    @property
    def has_briefs(self) -> bool:
        """Every point with tasks, connections or problems has the briefs of them."""
        parts = {(part.table, part.point) for part in self.manifest.parts}
        return all(
            (brief, point) in parts for brief, one in BRIEFS.items() for table, point in parts if table == one.of[0]
        )

    # --- writing ---------------------------------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone to write; begins with what a killed run left.

        :raises UsageError: another run writes, or the folder is something else, or elsewhere
        """
        if self.remote is not None:
            raise UsageError(f"{self.name}: a dataset is written to a folder here, and copied from there")
        if self.is_new and self.folder.exists() and (not self.folder.is_dir() or self._has_others()):
            raise UsageError(f"{self.folder}: neither a dataset nor an empty folder")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / _LOCK).open("ab") as lock:
            _lock(lock.fileno(), str(self.folder))
            if (self.folder / MANIFEST).is_file():
                self.read_anew()
                self.is_new = False
            self._clean()
            try:
                yield
            finally:
                shutil.rmtree(self.folder / _WORK, ignore_errors=True)

    def _has_others(self) -> bool:
        """Something that no run leaves, wherever it was killed."""
        known = (_LOCK, _WORK, *TABLES, *BRIEFS)
        return any(not (path.name in known or path.name.startswith(_HALF)) for path in self.folder.iterdir())

    def _clean(self) -> None:
        shutil.rmtree(self.folder / _WORK, ignore_errors=True)
        known = {self.folder / part.path for part in self.manifest.parts}
        for table in (*TABLES, *BRIEFS):
            for path in (self.folder / table).rglob("*.parquet"):
                if path not in known:
                    path.unlink()
        for path in self.folder.glob(f"{_HALF}*"):
            path.unlink()

    def work_folder(self) -> Path:
        """A new folder for one unit of work."""
        path = self.folder / _WORK / os.urandom(8).hex()
        path.mkdir(parents=True, mode=0o700)
        return path

    def part_path(self, table: str, day: str, point: str, digest: str) -> str:
        """Where a file of this content belongs; the same content has the same name.  ``day`` is empty of a brief."""
        of_day = f"/day={day}" if day else ""
        return f"{table}{of_day}/point={quote(point, safe='')}/{digest}.parquet"

    def place(self, source: str, path: str) -> None:
        """Moves a whole file to where it belongs."""
        target = self.folder / path
        for folder in reversed(target.relative_to(self.folder).parents[:-1]):
            (self.folder / folder).mkdir(exist_ok=True, mode=0o700)
        Path(source).replace(target)
        _sync(target.parent)

    def commit(self, changed: Manifest) -> None:
        """From now on the dataset is this; what it does not name any more is taken away."""
        own = self.folder / f"{_HALF}{os.urandom(6).hex()}"
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            for line in changed.lines():
                file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        own.replace(self.folder / MANIFEST)
        _sync(self.folder)
        kept = {part.path for part in changed.parts}
        for part in self.manifest.parts:
            if part.path not in kept:
                self._remove(part.path)
        self.manifest, self.is_new = changed, False

    def _remove(self, path: str) -> None:
        """A file, and the folders that have nothing else."""
        file = self.folder / path
        with suppress(OSError):
            file.unlink()
            file.parent.rmdir()
            file.parent.parent.rmdir()


def _sync(folder: Path) -> None:
    """That names are on the disk, where a system lets one ask for it."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _lock(number: int, name: str) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: whoever writes twice at a time is on their own
        return
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UsageError(f"{name}: another jstrace index writes to it") from None
