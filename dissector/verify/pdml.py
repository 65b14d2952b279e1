"""PDML, tshark's own XML with name, value, position and size of every field, as it comes.

Not by way of pyshark, which reads PDML too: it puts all fields of a layer into one flat dictionary by name, so which
field stands in which is lost; it repairs broken XML without a word; and what tshark writes to standard error, where a
plugin that does not load is reported, goes to its debug log.  Nor by a tree: of a long capture there would be too much.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO
from xml.parsers.expat import ExpatError, ParserCreate, errors

from dissector.errors import ToolError
from dissector.verify.records import ComparedField, Found, Row, Told
from dissector.verify.table import rows

_PREFIX = "jobscheduler."
_PROTOCOL = "jobscheduler"
_PROBLEM = "problem"
_READ_SIZE = 1 << 16
_BEHIND_THE_END = errors.codes[errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]

XmlAttributes = dict[str, str]


def read(stream: IO[bytes]) -> Iterator[Told | Row | Found]:
    """The messages that the plugin shows, and the rows of the task table and the problems if they are behind it.

    :raises ExpatError: it is no XML
    :raises ToolError: the tree of a packet has a Lua error, or what is behind the document is no table
    """
    reader = _Reader()
    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.EntityDeclHandler = _refuse
    taken = 0
    while data := stream.read(_READ_SIZE):
        try:
            parser.Parse(data, False)
        except ExpatError as error:
            if error.code != _BEHIND_THE_END:
                raise
            yield from reader.take()
            yield from rows((data[parser.ErrorByteIndex - taken :] + stream.read()).decode("utf-8", "replace"))
            return
        yield from reader.take()
        taken += len(data)
    parser.Parse(b"", True)
    yield from reader.take()


def _refuse(*_declaration: object) -> None:
    raise ExpatError("an entity of its own")


class _Reader:
    """Follows the elements.  In a message's tree what has a value has bytes; what was generated has none."""

    def __init__(self) -> None:
        self._packet = 0
        self._told: Told | None = None
        self._origin = 0
        #: Elements around the one at hand inside of a message's tree.
        self._depth = 0
        #: Depth of a subtree that belongs to another dissector; 0: none.
        self._foreign = 0
        self._done: list[Told] = []

    def take(self) -> list[Told]:
        done, self._done = self._done, []
        return done

    def start(self, element: str, attributes: XmlAttributes) -> None:
        if self._told is not None:
            self._depth += 1
            if not self._foreign:
                self._field(self._told, attributes)
            return
        name = attributes.get("name", "")
        if element == "proto" and name == _PROTOCOL:
            self._told = Told(self._packet, int(attributes["size"]))
            self._origin = int(attributes["pos"])
        elif name == "num":
            self._packet = int(attributes["show"])
        elif attributes.get("show", "").startswith("Lua Error"):
            raise ToolError(f"packet {self._packet}: {attributes['show']}")

    def end(self, _element: str) -> None:
        if self._told is None:
            return
        if self._foreign == self._depth:
            self._foreign = 0
        if self._depth == 0:
            if "kind" in self._told.facts:
                self._done.append(self._told)
            self._told = None
        else:
            self._depth -= 1

    def _field(self, told: Told, attributes: XmlAttributes) -> None:
        name, show = attributes.get("name", ""), attributes.get("show", "")
        if not name.startswith(_PREFIX):
            self._foreign = self._depth
            return
        name, size = name[len(_PREFIX) :], int(attributes["size"])
        if name.partition(".")[0] == _PROBLEM:
            return  # of the task, not of the message: see the problems behind the table
        raw = attributes.get("value")
        if size:
            start = int(attributes["pos"]) - self._origin
            told.fields.append(ComparedField(name, self._depth, start, start + size, show, bytes.fromhex(raw or "")))
        elif raw is None:
            told.facts[name] = (*told.facts.get(name, ()), show)
