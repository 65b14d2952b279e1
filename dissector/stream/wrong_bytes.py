"""What is said of bytes that are no frame or document, in the words of ``jstrace read`` and of the Wireshark plugin.

``codegen`` translates these functions to Lua, so they take numbers and give text, nothing else.
"""

from __future__ import annotations

from dissector.limits import MAX_DECODED_MESSAGE, MAX_DOCUMENT, MAX_XML_DEPTH
from dissector.numbers import count, verb


def missing(size: int, snapped: bool, acknowledged: bool) -> str:
    """``snapped`` and ``acknowledged`` as in ``Gap``."""
    if snapped:
        return f"{count(size, 'byte')} {verb(size, 'was')} cut off by the snap length"
    if acknowledged:
        return f"{count(size, 'byte')} {verb(size, 'is')} missing in the capture"
    return f"{count(size, 'byte')} {verb(size, 'was')} not captured and never acknowledged"


def message_lost(length: int, offset: int) -> str:
    """What a gap costs that lies inside of one message: behind the words of the gap."""
    return f", the message of {count(length, 'byte')} at offset {offset} is lost"


def missing_of_document(size: int) -> str:
    return f"{count(size, 'byte')} of a document {verb(size, 'is')} missing"


def missing_of_http(size: int) -> str:
    return f"{count(size, 'byte')} of an HTTP message {verb(size, 'is')} missing"


def impossible_length(length: int) -> str:
    if length == 0:
        return "a message of length 0 has no class"
    return f"length {length} is none that the engine accepts, looking for the next message"


def too_long(length: int) -> str:
    return f"a message of {length} bytes is skipped: jstrace decodes messages of up to {MAX_DECODED_MESSAGE} bytes"


def document_too_long() -> str:
    return f"a document is skipped: jstrace reads documents of up to {MAX_DOCUMENT} bytes"


def nested_too_deep() -> str:
    return f"elements nested deeper than {MAX_XML_DEPTH}"


def begun_before(size: int) -> str:
    return f"the capture begins inside a message: {count(size, 'byte')} skipped"
