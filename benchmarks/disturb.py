"""What networks and late captures do to a pattern: loss and retransmission, reordering, a beginning that is missing."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from struct import Struct

from benchmarks.patterns import KEY_AT, NO_FLOW, Pattern, Step
from benchmarks.segments import FIN, RST, SYN, size_of

_TCP = 6
_SEQ_ACK = Struct(">II")
_FLAGS_AT = 9
_MASK, _HALF = 0xFFFF_FFFF, 1 << 31
#: Segments behind a lost one that make its sender repeat it at once, and how long it waits where there are fewer (ns).
_FAST, _TIMEOUT = 3, 200_000_000
#: Of the segments that are lost, so many were captured before.
_SEEN = 0.5


def late(pattern: Pattern, random: Random) -> Pattern:
    """Without its beginning, somewhere behind the handshakes: the capture began later."""
    first = random.randrange(4, max(5, len(pattern.steps) * 3 // 4))
    steps = pattern.steps[first:]
    begin = steps[0].delay
    moved = [step._replace(delay=step.delay - begin) for step in steps]
    # What of the task is left is not known from the count of packets alone.
    frames = pattern.frames * len(moved) // len(pattern.steps)
    return replace(pattern, steps=moved, size=sum(map(size_of, moved)), frames=frames)


def spread(pattern: Pattern, seconds: int, bursts: int) -> Pattern:
    """The same packets in ``bursts`` over so long: a task that is silent most of the time."""
    count, pause = len(pattern.steps), seconds * 1_000_000_000 // bursts
    steps = [step._replace(delay=step.delay + pause * (at * bursts // count)) for at, step in enumerate(pattern.steps)]
    return replace(pattern, steps=steps)


def lossy(
    pattern: Pattern, random: Random, loss: float = 0.01, reordered: float = 0.01, seen: float = _SEEN
) -> Pattern:
    """With so many of its data segments lost on their way (each is repeated; so many of them were captured before),
    and so many overtaken by the next one."""
    steps = list(pattern.steps)
    at = 0
    while at < len(steps):
        step = steps[at]
        if payload_size(step) and step.flow != NO_FLOW:
            chance = random.random()
            if chance < loss:
                _lose(steps, at, random, seen)
            elif chance < loss + reordered:
                _overtake(steps, at)
        at += 1
    return replace(pattern, steps=steps, size=sum(map(size_of, steps)))


def payload_size(step: Step) -> int:
    """Bytes of TCP's payload; 0 for other packets."""
    head, tail = step.head, step.tail
    if len(head) != KEY_AT or head[23] != _TCP or head[12:14] != b"\x08\0":
        return 0
    return int.from_bytes(head[16:18], "big") - 20 - (tail[8] >> 4 << 2)


def _overtake(steps: list[Step], at: int) -> None:
    """Changes places with the next segment of the same sender, if that comes next."""
    if at + 1 < len(steps) and steps[at + 1].flow == steps[at].flow and payload_size(steps[at + 1]):
        one, two = steps[at], steps[at + 1]
        steps[at], steps[at + 1] = two._replace(delay=one.delay), one._replace(delay=two.delay)


def _lose(steps: list[Step], at: int, random: Random, seen: float) -> None:
    """The receiver acknowledges nothing behind the segment until it comes again."""
    lost = steps[at]
    seq = _SEQ_ACK.unpack_from(lost.tail)[0]
    behind, place = 0, at + 1
    while place < len(steps) and behind < _FAST:
        step = steps[place]
        if step.flow >> 1 == lost.flow >> 1:
            if step.tail[_FLAGS_AT] & (SYN | FIN | RST) or (step.flow != lost.flow and payload_size(step)):
                break
            if step.flow == lost.flow:
                behind += bool(payload_size(step))
            else:
                steps[place] = _held(step, seq)
        place += 1
    shift = 0 if behind == _FAST else _TIMEOUT
    before = steps[place - 1].delay
    again = lost._replace(delay=before + shift + 20_000, head=_other_id(lost.head, random))
    if shift:
        steps[place:] = [step._replace(delay=step.delay + shift + 40_000) for step in steps[place:]]
    elif place < len(steps):
        again = again._replace(delay=min(again.delay, steps[place].delay))
    steps.insert(place, again)
    if random.random() >= seen:
        del steps[at]


def _held(step: Step, upto: int) -> Step:
    """An acknowledgement that does not go beyond ``upto``."""
    seq, ack = _SEQ_ACK.unpack_from(step.tail)
    if (ack - upto) & _MASK < _HALF:
        return step._replace(tail=_SEQ_ACK.pack(seq, upto) + step.tail[8:])
    return step


def _other_id(head: bytes, random: Random) -> bytes:
    return head[:18] + random.getrandbits(16).to_bytes(2, "big") + head[20:]
