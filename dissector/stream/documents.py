"""The documents of a command connection: bytes of one direction in, whole documents out.

A client's XML document has neither length nor terminator: its end is found by counting start and end tags, as the
engine does (docs/protocol.md#where-a-document-ends).  Comments, CDATA sections, ``<?...?>`` and ``<!...>`` do not
count, and a document may be one empty element.  As in the engine a tag ends at its first ``>``, even inside an
attribute's value.  Unlike the engine, which hands a whole segment to its XML parser, this reader cuts between
documents: the cut does not depend on segments.

Between a client's documents: spaces are keep-alives, NUL and CR are skipped, one LF behind a document belongs to it,
any other LF is a debugging poke, 0x04 asks for the end.  A document that does not begin with ``<`` is a typed command
and ends at its LF.  A server's document ends at a NUL.  A direction whose first byte is an upper-case letter is HTTP.
"""

from __future__ import annotations

import re
from typing import Protocol

from dissector.limits import MAX_XML_DEPTH
from dissector.stream import wrong_bytes
from dissector.stream.assembly import Assembly
from dissector.stream.http import HTTP_BEGINNING, HttpReader
from dissector.traffic import Chunk, Gap, RawDocument, Side, StreamProblem

Found = list[RawDocument | StreamProblem]

_BLANKS = re.compile(rb"[ \0\r]*")
_LETTER = re.compile(rb"[A-Za-z]")
_COMMENT, _CDATA = b"<!--", b"<![CDATA["
_SERVER_BEGINNING = re.compile(rb"<\?xml|<spooler")
_END_OF_TRANSMISSION = 0x04


class _Reader(Protocol):
    def feed(self, chunk: Chunk) -> Found: ...
    def gap(self, gap: Gap) -> Found: ...
    def finish(self, time: int) -> Found: ...


class DocumentReader:
    """Reads one direction of a command connection: ``side`` labels it, ``is_client`` says which rules hold.

    With ``mid_stream`` the first bytes may be the middle of a document: reading begins at the next beginning.
    """

    def __init__(self, side: Side, is_client: bool, mid_stream: bool = False) -> None:
        self._side = side
        self._client = _ClientReader(side, mid_stream) if is_client else None
        self._reader: _Reader = self._client or _ServerReader(side, mid_stream)
        self._begun = False
        self._mid_stream = mid_stream

    @property
    def keep_alives(self) -> int:
        """Single spaces that the client sent between its documents."""
        return self._client.keep_alives if self._client else 0

    def feed(self, chunk: Chunk) -> Found:
        """Takes the next bytes; chunks come in stream order."""
        if not chunk.data:
            return []
        if not self._begun:
            self._begin(chunk.data)
        return self._reader.feed(chunk)

    def _begin(self, data: bytes) -> None:
        is_http = HTTP_BEGINNING.match(data) is not None if self._mid_stream else b"A" <= data[:1] <= b"Z"
        if is_http:
            self._reader = HttpReader(self._side)
        self._begun = is_http or not self._mid_stream or data.startswith(b"<")

    def gap(self, gap: Gap) -> Found:
        """A hole: the document under way is lost, reading goes on at the next beginning."""
        self._mid_stream = True
        return self._reader.gap(gap)

    def finish(self, number: int, time: int) -> Found:  # noqa: ARG002  the packet that ended it brought no bytes
        """The connection ended: what is left over, if it is more than blanks, as an incomplete document."""
        return self._reader.finish(time)


class _XmlReader:
    """What both directions share: the document under way and the search for a beginning behind a hole."""

    def __init__(self, side: Side, lost: bool) -> None:
        self._document = Assembly(side)
        self._lost = lost

    def gap(self, gap: Gap) -> Found:
        document = self._document
        was_lost, self._lost = self._lost, True
        if not document.under_way:
            return [] if was_lost else [document.between(gap)]
        report = document.problem("gap", gap.number, gap.time, wrong_bytes.missing_of_document(gap.size))
        document.clear()
        return [report]

    def finish(self, time: int) -> Found:  # noqa: ARG002  its bytes came earlier
        document = self._document
        if document.skipping or not document.buffer.strip(b" \0\r\n"):
            return []
        kind = "xml" if document.buffer[:1] == b"<" else "shorthand"
        return [*document.take(len(document.buffer), document.time, kind, complete=False)]


class _ServerReader(_XmlReader):
    """Documents that end at a NUL."""

    def feed(self, chunk: Chunk) -> Found:
        start = self._beginning(chunk.data) if self._lost else 0
        if start < 0:
            return []
        self._lost = False
        document = self._document
        document.add(chunk, start)
        found: Found = []
        while (end := document.buffer.find(b"\0", document.at)) >= 0:
            if end or document.skipping:
                found += document.take(end, chunk.time, "xml")
            document.drop(1)
        document.at = len(document.buffer)
        found += document.limit(chunk)
        return found

    @staticmethod
    def _beginning(data: bytes) -> int:
        return 0 if _SERVER_BEGINNING.match(data) else data.find(b"\0")


class _ClientReader(_XmlReader):
    """Documents that end with their last tag, or at a LF."""

    def __init__(self, side: Side, lost: bool) -> None:
        super().__init__(side, lost)
        self.keep_alives = 0
        #: A LF now would end the document before, and not be a poke.
        self._behind_document = False
        self._after_return = False
        self._gave_up = False
        self._is_xml = False
        self._open_elements = 0
        #: What ends the markup at hand (tag, comment, CDATA section); empty in text.
        self._terminator = b""
        #: First byte of the tag at hand; empty outside of tags.
        self._tag = b""

    def feed(self, chunk: Chunk) -> Found:
        if self._lost and not chunk.data.lstrip(b" \0\r\n").startswith(b"<"):
            return []
        self._lost = False
        document = self._document
        document.add(chunk)
        found: Found = []
        while document.buffer and self._step(chunk, found):
            pass
        if self._open_elements > MAX_XML_DEPTH:
            return found + self._give_up(chunk)
        found += document.limit(chunk)
        return found

    def _give_up(self, chunk: Chunk) -> Found:
        """Elements nested without end: counting on would cost time for nothing.  Told once in a direction."""
        text = wrong_bytes.nested_too_deep()
        report = self._document.problem("undecoded_frame", chunk.number, chunk.time, text)
        first, self._gave_up, self._lost = not self._gave_up, True, True
        self._document.clear()
        self._reset()
        return [report] if first else []

    def gap(self, gap: Gap) -> Found:
        self._reset()
        self._behind_document = False
        return super().gap(gap)

    def _reset(self) -> None:
        self._open_elements = 0
        self._terminator = self._tag = b""
        self._after_return = False

    def _step(self, chunk: Chunk, found: Found) -> bool:
        """Blanks, a poke or a document: False when more bytes are needed."""
        document = self._document
        if document.at == 0 and not document.skipping and not self._terminator:
            if self._between(chunk, found):
                return True
            self._is_xml = document.buffer[:1] == b"<"
        end = self._xml_end() if self._is_xml else self._line_end()
        if end < 0:
            return False
        found += document.take(end, chunk.time, "xml" if self._is_xml else "shorthand")
        self._reset()
        self._behind_document = True
        return True

    def _between(self, chunk: Chunk, found: Found) -> bool:
        """Takes what stands in front of a document: False when there is nothing."""
        document = self._document
        blanks = _BLANKS.match(document.buffer)
        if blanks and blanks.end():
            spaces = blanks[0].count(b" ")
            self.keep_alives += spaces
            if spaces:
                self._behind_document = False
            self._after_return = blanks[0].endswith(b"\r")
            document.drop(blanks.end())
            return True
        first = document.buffer[0]
        if first == _END_OF_TRANSMISSION:
            found += document.take(1, chunk.time, "poke")
        elif first == 0x0A and self._behind_document:
            document.drop(1)
        elif first == 0x0A:
            found += [self._with_return(poke) for poke in document.take(1, chunk.time, "poke")]
        else:
            return False
        self._behind_document = self._after_return = False
        return True

    def _with_return(self, poke: RawDocument) -> RawDocument:
        return poke._replace(data=b"\r\n", offset=poke.offset - 1) if self._after_return else poke

    def _line_end(self) -> int:
        document = self._document
        end = document.buffer.find(b"\n", document.at)
        document.at = len(document.buffer)
        return end - 1 if end > 0 and document.buffer[end - 1] == 0x0D else end

    def _xml_end(self) -> int:
        """Index behind the document's last byte, -1 when it is not there yet."""
        document = self._document
        buffer = document.buffer
        while self._open_elements <= MAX_XML_DEPTH:
            if not self._terminator and not self._enter(buffer):
                return -1
            found = buffer.find(self._terminator, document.at)
            if found < 0:
                document.at = max(document.at, len(buffer) - len(self._terminator) + 1)
                return -1
            document.at = found + len(self._terminator)
            self._terminator = b""
            if self._tag and self._leave_tag(buffer[found - 1 : found]):
                return document.at
        return -1

    def _enter(self, buffer: bytearray) -> bool:
        """Goes to the next markup and tells what ends it: False when it is not there yet."""
        document = self._document
        start = buffer.find(b"<", document.at)
        if start < 0:
            document.at = len(buffer)
            return False
        head = bytes(buffer[start : start + len(_CDATA)])
        self._tag = b""
        if head.startswith(_COMMENT):
            self._terminator, size = b"-->", len(_COMMENT)
        elif head == _CDATA:
            self._terminator, size = b"]]>", len(_CDATA)
        elif _COMMENT.startswith(head) or _CDATA.startswith(head):
            document.at = start
            return False
        else:
            self._terminator, size = b">", 2
            self._tag = head[1:2]
        document.at = start + size
        return True

    def _leave_tag(self, before_end: bytes | bytearray) -> bool:
        """Counts the tag that ended: True when it was the document's last one."""
        if self._tag == b"/":
            self._open_elements -= 1
            return self._open_elements == 0
        if not _LETTER.match(self._tag):
            return False
        if before_end != b"/":
            self._open_elements += 1
            return False
        return self._open_elements == 0
