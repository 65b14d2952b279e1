"""Blocks on their way through a pipe, from the process that makes them to the one that traces them.

They go as tuples without names, which ``marshal`` packs faster than anything else.
"""

from __future__ import annotations

import marshal
from array import array
from contextlib import suppress
from struct import Struct
from typing import Any, BinaryIO

from dissector.stream.block import Block, Buffer, Conversation, Part, Run, Stretch
from dissector.stream.records import Located

_SIZE = Struct("=I")
#: How much may wait in a pipe: of one block is found 30 to 200 KB.  More is not to be had without privileges.
_PIPE_BYTES = 1 << 20
_new = tuple.__new__


def widen(descriptor: int) -> None:
    """Linux: room in a pipe for what is written in advance, blocks or lines; what cannot be had stays at 64 KiB."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def send(out: BinaryIO, *message: Any) -> None:
    """``out`` may be unbuffered.

    :raises BrokenPipeError: nobody listens any more
    """
    data = memoryview(marshal.dumps(message))
    out.write(_SIZE.pack(len(data)))
    while data:
        data = data[out.write(data) :]


def receive(file: BinaryIO) -> Any:
    """What was sent; None when whoever sends is gone.  ``file`` may be unbuffered."""
    size = _exactly(file, _SIZE.size)
    data = _exactly(file, *_SIZE.unpack(size)) if size else b""
    return marshal.loads(data) if data else None


def _exactly(file: BinaryIO, size: int) -> bytes:
    """So many bytes; none at all where the file ends before."""
    data = file.read(size)
    while data and len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data if len(data) == size else b""


def packed(some: Located | Block) -> tuple[Any, ...]:
    """What a Located and a Block have in front."""
    places = array("Q", some.begins).tobytes(), array("Q", some.ends).tobytes()
    times: Any = list(some.times)
    with suppress(OverflowError):
        times = array("q", times).tobytes()
    return (*places, times, some.ordered, some.span, some.links, some.cut, some.secrets)


def unpacked(found: Any, data: Buffer) -> Located:
    begins, ends, times, *rest = found
    times = memoryview(times).cast("q").tolist() if isinstance(times, bytes) else times
    return Located(data, memoryview(begins).cast("Q"), memoryview(ends).cast("Q"), times, *rest)


def packed_block(block: Block) -> tuple[Any, ...]:
    conversations = [
        (keys, syns, places, [(*run[:2], tuple(map(tuple, run.parts)), *run[3:]) for run in runs], foreign_at)
        for keys, syns, places, runs, foreign_at in block.conversations
    ]
    found = list(map(tuple, block.stretches)), block.other_segments, block.others, conversations
    return packed(block), found


def unpacked_block(parts: Any, data: Buffer) -> Block:
    front, (stretches, other_segments, others, conversations) = parts
    _, begins, ends, times, ordered, span, _, cut, secrets = unpacked(front, data)
    stretches = [Stretch(*one) for one in stretches]
    found = [
        _new(Conversation, (keys, syns, places, [_run(*run) for run in runs] if runs else [], foreign_at))
        for keys, syns, places, runs, foreign_at in conversations
    ]
    return Block(
        data, begins, ends, times, ordered, span, stretches, cut, other_segments, others, found, secrets=secrets
    )


def _run(first: int, stop: int, parts: Any, *rest: Any) -> Run:
    one, two = parts
    return Run(first, stop, (Part(*one), Part(*two)), *rest)
