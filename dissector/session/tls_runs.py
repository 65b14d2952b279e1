"""Runs of records of TLS: deciphered together, then taken as the messages over HTTP that they carry."""

from __future__ import annotations

from dissector.session.run_exchanges import RunExchanges
from dissector.session.tls import Tls
from dissector.stream.block import Block, Run
from dissector.traffic import Side

#: The sides of both directions of a conversation.
Sides = tuple[Side, Side]


def deciphered(sealed: Tls, run: Run, block: Block, sides: Sides) -> list[bytes] | None:
    """What the program sent in each record of a run; None where that can not be told of all, and nothing changes.

    The connection has to be ``in_step``."""
    data, found = block.data, []
    numbers = [sealed.halves[side].sequence for side in sides]
    for way, _, begin, end, _ in run.records:
        plain = sealed.plain(sealed.halves[sides[way]], numbers[way], data[begin:end])
        if plain is None:
            return None
        numbers[way] += 1
        found.append(plain)
    return found


def taken(
    sealed: Tls, run: Run, plains: list[bytes], block: Block, sides: Sides, bases: tuple[int, int]
) -> tuple[Run, bytes, tuple[int, int]]:
    """The run as one of messages over HTTP, where these are, and the offsets of its directions there.  ``bases`` are
    those in the connection's streams."""
    halves = [sealed.halves[side] for side in sides]
    inner = halves[0].offset, halves[1].offset
    data, at = b"".join(plains), 0
    messages = RunExchanges(data, {})
    for (way, index, begin, end, before), plain in zip(run.records, plains, strict=True):
        half, stop = halves[way], at + len(plain)
        half.took(bases[way] + before, end - begin, len(plain))
        if plain:
            piece = way, index, at, stop, half.offset - len(plain) - inner[way]
            if not messages.payload(piece, block.times[index]):
                messages.other(piece)
        at = stop
    messages.finish()
    found = run._replace(heads=list(messages.heads), heard=messages.heard, streaks=messages.streaks, records=())
    return found, data, inner
