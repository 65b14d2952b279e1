"""The same tasks as two places of capture have them: one beside the client schedulers, one beside the remotes.

Between the places packets take their time (never the same), some get lost and are sent again, and a router takes one
off their TTL; where it translates as well, all schedulers have one address behind it.  The remote side's clock is wrong
and drifts.  Each task draws its sequence numbers and IP ids anew, as systems do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random
from struct import Struct

from benchmarks import disturb, foreign, inputs, segments
from benchmarks.inputs import BEGINNING, SECOND, Casting, Made, Playing, Totals, round_of
from benchmarks.patterns import NO_FLOW, Keys, Pattern, Step
from benchmarks.segments import size_of


@dataclass(frozen=True)
class Form:
    """``translated``: the router translates addresses; ``most``: packets of a task at most; ``share`` of all packets
    are those of tasks, the rest is other traffic of a busy host."""

    translated: bool = False
    most: int | None = None
    share: float = 1.0


FORMS = {
    "routed": Form(),
    "translated": Form(translated=True),
    "short tasks": Form(most=100),
    "other traffic": Form(share=inputs.JOBSCHEDULER_SHARE),
}
CLIENT_SIDE, REMOTE_SIDE = "client", "remote"
#: Nanoseconds on the way, and how much longer at most.
_WAY, _JITTER = 10_000_000, 3_000_000
_LOSS = 0.01
#: What the remote side's clock is ahead (ns), and gains a nanosecond.
_AHEAD, _DRIFT = 1_500_000_000, 20e-6
_BEHIND = bytes((192, 0, 2, 1))
_SCHEDULERS = bytes((10, 1))
_PACKETS_A_SECOND = 2_000
_NUMBERS = Struct(">II")
_MASK = 0xFFFF_FFFF
_IPV4, _TCP = b"\x08\0", 6


def made(form: str, packets: int, folder: Path) -> tuple[Made, Made]:
    """The captures of both places with about so many packets each: the client side's, the remote side's."""
    sources = [Path(__file__), *(Path(str(module.__file__)) for module in (disturb, foreign, segments))]
    name = f"pair-{form.replace(' ', '-')}-{packets}"
    client, remote = (
        inputs.cached(f"{name}-{side}", folder, partial(_side, packets, FORMS[form], side), sources)
        for side in (CLIENT_SIDE, REMOTE_SIDE)
    )
    return client, remote


def _side(packets: int, form: Form, side: str, totals: Totals) -> Iterator[Playing]:
    """What one place has; chance is the same for both."""
    random, sent = Random(31), 0
    for pattern, keys in _played(form, random):
        if sent >= packets:
            return
        start = sent * SECOND // _PACKETS_A_SECOND
        client, remote = both_sides(pattern, random)
        shown = client
        if side == REMOTE_SIDE:
            shown = _by_wrong_clock(remote)
            start += _AHEAD + round(start * _DRIFT)
            keys = _translated(keys) if form.translated else keys
        if shown.steps:
            yield BEGINNING + start, shown, keys
            totals.count(shown)
        sent += len(client.steps)


def _played(form: Form, random: Random) -> Iterator[tuple[Pattern, Keys]]:
    """Tasks, and other traffic as far as it has its share."""
    casting = Casting(random)
    light, _ = foreign.patterns(random)
    dialogs = cycle(one for one in round_of(quick_acks=True) if form.most is None or len(one.steps) <= form.most)
    ours = others = 0
    while True:
        if ours <= (ours + others) * form.share:
            pattern = next(dialogs)
            ours += len(pattern.steps)
            yield pattern, casting.dialog(pattern)
        else:
            pattern = random.choice(light)
            others += len(pattern.steps)
            yield pattern, casting.foreign(pattern)


def both_sides(dialog: Pattern, random: Random) -> tuple[Pattern, Pattern]:
    """A dialog as the client side has it, and the remote side: nobody answers what has not come yet."""
    steps = disturb.lossy(dialog, random, _LOSS, 0, seen=1).steps
    drawn = [random.getrandbits(32) for _ in range(2 * len(dialog.lines))]
    lost = _lost(steps)
    sides: tuple[list[Step], list[Step]] = [], []
    later, came = 0, [0, 0]
    for number, step in enumerate(steps):
        if not _is_routed(step):
            sides[0].append(step)
            continue
        near = _host(dialog, step)
        later = max(later, came[near] - step.delay)
        sent = step.delay + later
        step = _drawn(step, drawn, random)
        sides[near].append(step._replace(delay=sent))
        if number not in lost:
            came[1 - near] = max(sent + _WAY + random.randrange(_JITTER), came[1 - near] + 1_000)
            sides[1 - near].append(_routed(step)._replace(delay=came[1 - near]))
    client, remote = (sorted(side, key=lambda step: step.delay) for side in sides)
    return (
        replace(dialog, steps=client, size=sum(map(size_of, client))),
        replace(dialog, steps=remote, size=sum(map(size_of, remote))),
    )


def _is_routed(step: Step) -> bool:
    """IPv4 goes through a router, ARP does not."""
    return step.flow != NO_FLOW and step.head[12:14] == _IPV4


def _host(dialog: Pattern, step: Step) -> int:
    """Who sends a step: 0 the client scheduler, 1 the remote side."""
    return step.flow & 1 ^ dialog.lines[step.flow >> 1].callback


def _lost(steps: list[Step]) -> set[int]:
    """Segments that come again: the first try did not come."""
    last: dict[tuple[int, bytes], int] = {}
    found = set[int]()
    for number, step in enumerate(steps):
        if disturb.payload_size(step):
            key = step.flow, step.tail
            if key in last:
                found.add(last[key])
            last[key] = number
    return found


def _drawn(step: Step, drawn: list[int], random: Random) -> Step:
    """With this task's sequence numbers and an IP id of its own."""
    head = step.head[:18] + random.randrange(1, 1 << 16).to_bytes(2, "big") + step.head[20:]
    if head[23] != _TCP:
        return step._replace(head=head)
    seq, ack = _NUMBERS.unpack_from(step.tail)
    ack = ack + drawn[step.flow ^ 1] if step.tail[9] & segments.ACK else ack
    tail = _NUMBERS.pack(seq + drawn[step.flow] & _MASK, ack & _MASK) + step.tail[8:]
    return step._replace(head=head, tail=tail)


def _routed(step: Step) -> Step:
    """Behind the router: one hop less to go, another link."""
    head = step.head
    return step._replace(head=segments.MAC + head[12:22] + bytes((head[22] - 1,)) + head[23:])


def _by_wrong_clock(pattern: Pattern) -> Pattern:
    return replace(
        pattern, steps=[step._replace(delay=step.delay + round(step.delay * _DRIFT)) for step in pattern.steps]
    )


def _translated(keys: Keys) -> Keys:
    """With one address for all client schedulers."""

    def known(address: bytes) -> bytes:
        return _BEHIND if address[:2] == _SCHEDULERS else address

    return keys._replace(flows=[known(flow[:4]) + known(flow[4:8]) + flow[8:] for flow in keys.flows])
