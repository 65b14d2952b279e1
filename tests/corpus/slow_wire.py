"""A cable with faults: carries Ethernet frames between two interfaces, late, lost, doubled or in another order.

    python slow_wire.py c0 w0 --delay 20 --jitter 5 --loss 3 --double 0 --reorder 10 --seed 1

Milliseconds and percent, per direction; a reordered frame overtakes the ones that wait.  (The kernel's netem does the
same; not every kernel has it.)
"""

from __future__ import annotations

import argparse
import heapq
import select
import socket
import time
from itertools import count
from random import Random

_ALL = 0x0003  # ETH_P_ALL
_OUTGOING = 4  # PACKET_OUTGOING: what this host sent itself
_LONGEST = 65_536


def main() -> None:
    options = _options()
    chance = Random(options.seed)
    ends = [_open(name) for name in options.interfaces]
    queue: list[tuple[float, int, int, bytes]] = []
    order = count()
    while True:
        patience = max(0.0, queue[0][0] - time.monotonic()) if queue else None
        readable, _, _ = select.select(ends, [], [], patience)
        for end in readable:
            frame, address = end.recvfrom(_LONGEST)
            if address[2] == _OUTGOING or chance.uniform(0, 100) < options.loss:
                continue
            for _ in range(2 if chance.uniform(0, 100) < options.double else 1):
                late = options.delay + chance.uniform(0, options.jitter)
                if chance.uniform(0, 100) < options.reorder:
                    late = 0.0
                heapq.heappush(queue, (time.monotonic() + late / 1_000, next(order), 1 - ends.index(end), frame))
        while queue and queue[0][0] <= time.monotonic():
            _, _, target, frame = heapq.heappop(queue)
            ends[target].send(frame)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("interfaces", nargs=2)
    for name in ("delay", "jitter", "loss", "double", "reorder"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _open(name: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    end.bind((name, _ALL))
    return end


if __name__ == "__main__":
    main()
