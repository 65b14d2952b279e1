"""A dataset on disk: Parquet files, and the manifest that says which of them count.

``manifest.jsonl`` is written last and in one step, so a reader finds what it was before a run or behind it, also when
the run was killed; files that it does not name are remains of such a run, and the next one takes them away (those of
an object store after a day, see ``storage``).  What a reader has open in a folder when it is replaced stays readable
as long as it is open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

from dissector.errors import UsageError
from dissector.fleet.captures import KnownCapture
from dissector.fleet.columns import SCHEMA, TABLES
from dissector.fleet.storage import read, storage_of
from dissector.fleet.views import BRIEFS
from dissector.render.contract import SCHEMA as CONTRACT
from dissector.sources.remote import alone, within

#: Where a part may lie: what a manifest names is opened, and removed.
_PART = re.compile(
    rf"(({'|'.join(TABLES)})/day=\d{{4}}-\d\d-\d\d|{'|'.join(BRIEFS)})/point=[^/]+/[0-9a-f]+\.parquet", re.ASCII
)
MANIFEST = "manifest.jsonl"


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
    """The dataset at ``place``, a folder here or a URL.

    :raises UsageError: there is something else, or one of another version
    """

    def __init__(self, place: str) -> None:
        self.storage = storage_of(place)
        self.manifest = Manifest()
        #: The manifest as it was read or written last; None: there is none.
        self._text: bytes | None = None
        self._read()

    @property
    def name(self) -> str:
        """A path, or a URL."""
        return self.storage.name

    @property
    def is_new(self) -> bool:
        return self._text is None

    @classmethod
    def existing(cls, place: str) -> Dataset:
        """:raises UsageError: there is none"""
        found = cls(place)
        if found.is_new:
            raise UsageError(f"{place}: no dataset; jstrace index {place} CAPTURES... makes one")
        return found

    def read_anew(self) -> bool:
        """Takes the manifest that is there now; True when it is another one."""
        before, self.manifest = self.manifest, Manifest()
        self._read()
        return self.manifest != before

    def _read(self) -> None:
        manifest = self.manifest
        try:
            self._text = self._stored()
            lines = (self._text or b"").decode().splitlines()
            for record in json.loads(f"[{','.join(lines)}]"):  # at once: there may be ten thousand
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
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{self.name}/{MANIFEST}: this is no manifest of a dataset") from None

    def _stored(self) -> bytes | None:
        """The manifest as it is there."""
        try:
            return read(within(self.name, MANIFEST))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UsageError(f"{self.name}/{MANIFEST}: {error.strerror}") from None

    def path_of(self, part: PartFile) -> str:
        return within(self.name, part.path)

    def files(self, table: str) -> list[str]:
        """As ``storage.system`` calls them."""
        return [alone(self.path_of(part)) for part in self.manifest.parts if part.table == table]

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
        """Alone to write, where that can be had; begins with what a killed run left.

        :raises UsageError: another run writes, or there is something else
        """
        if self.is_new and any(name not in (*TABLES, *BRIEFS) for name in self._begun()):
            raise UsageError(f"{self.name}: neither a dataset nor an empty folder")
        with self.storage.writing():
            self.read_anew()
            for path in self.storage.remains({part.path for part in self.manifest.parts}):
                self.storage.remove(path)
            yield

    def _begun(self) -> Iterator[str]:
        try:
            yield from self.storage.begun()
        except OSError as error:
            raise UsageError(f"{self.name}: {error.strerror}") from None

    def commit(self, changed: Manifest) -> None:
        """From now on the dataset is this; what it does not name any more is taken away.

        :raises UsageError: it is another one meanwhile
        :raises CaptureError: it can not be written
        """
        if self._stored() != self._text:
            raise UsageError(f"{self.name}: another jstrace index wrote to it meanwhile: run it again")
        text = "".join(f"{json.dumps(line)}\n" for line in changed.lines()).encode()
        self.storage.replace(MANIFEST, text)
        kept = {part.path for part in changed.parts}
        for part in self.manifest.parts:
            if part.path not in kept:
                self.storage.remove(part.path)
        self.manifest, self._text = changed, text


def part_path(table: str, day: str, point: str, digest: str) -> str:
    """Where a file of this content belongs; the same content has the same name.  ``day`` is empty of a brief."""
    of_day = f"/day={day}" if day else ""
    return f"{table}{of_day}/point={quote(point, safe='')}/{digest}.parquet"
