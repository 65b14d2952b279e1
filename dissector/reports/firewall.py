"""Rules for packet filters, in the vendor's sense: only what comes in is restricted.

At the remote the port of its scheduler is open to the clients, at the client the callback ports to the remotes; at a
Universal Agent its one port is open to the masters.
Answers on connections that were opened the other way are let through, as every stateful filter does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple

#: Where systems take the source ports of connections that they open (Linux up to 60999, Windows and IANA from 49152).
EPHEMERAL = range(32_768, 65_536)
HINT = (
    "Rules of your own that drop on these ports must not drop answers (let established connections through, or drop "
    "SYNs only): connections to elsewhere have source ports in this range, too."
)


class Opening(NamedTuple):
    """TCP from ``sources`` (addresses or networks; none: from everywhere) to the ports ``low`` to ``high``."""

    place: str
    purpose: str
    sources: tuple[str, ...]
    low: int
    high: int


def client_opening(remotes: Sequence[str], lowest: int, highest: int, place: str = "client") -> Opening:
    """What the client has to let in."""
    return Opening(place, "JobScheduler callbacks", tuple(remotes), lowest, highest)


def remote_openings(clients: Sequence[str], ports: Sequence[int]) -> list[Opening]:
    """What the remote has to let in."""
    return [Opening("remote", "JobScheduler commands", tuple(clients), port, port) for port in ports]


def agent_opening(masters: Sequence[str], port: int, place: str = "agent") -> Opening:
    """What a Universal Agent has to let in; its masters let nothing in."""
    return Opening(place, "JobScheduler agent", tuple(masters), port, port)


def rules(openings: Sequence[Opening], form: str) -> str:
    """The text of the rules; ``form`` is one of ``FORMS``.

    ``nftables``: a file for ``nft -f``; ``iptables`` and ``netsh``: commands.  Comments begin with # (netsh: rem).
    """
    lines = list(FORMS[form](openings))
    if any(opening.high in EPHEMERAL for opening in openings):
        lines.append(f"{'rem' if form == 'netsh' else '#'} {HINT}")
    return "\n".join(lines) + "\n"


def _nftables(openings: Sequence[Opening]) -> Iterator[str]:
    """Into the chain that Debian's and most other configurations have; there the newest rule comes first."""
    yield "add table inet filter"
    yield "add chain inet filter input { type filter hook input priority 0; }"
    yield "insert rule inet filter input ct state established,related accept"
    for opening in openings:
        yield f"# at the {opening.place}: {opening.purpose}"
        ports = f"{opening.low}-{opening.high}" if opening.low < opening.high else str(opening.low)
        for family, sources in _families(opening.sources):
            origin = f"{family} saddr {{ {', '.join(sources)} }} " if sources else ""
            yield f'insert rule inet filter input {origin}tcp dport {ports} accept comment "{opening.purpose}"'


def _iptables(openings: Sequence[Opening]) -> Iterator[str]:
    for command in sorted({_iptables_name(family) for one in openings for family, _ in _families(one.sources)}):
        yield f"{command} -I INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
    for opening in openings:
        yield f"# at the {opening.place}: {opening.purpose}"
        ports = f"{opening.low}:{opening.high}" if opening.low < opening.high else str(opening.low)
        for family, sources in _families(opening.sources):
            origin = f"-s {','.join(sources)} " if sources else ""
            yield f"{_iptables_name(family)} -I INPUT -p tcp {origin}--dport {ports} -j ACCEPT"


def _iptables_name(family: str) -> str:
    return "ip6tables" if family == "ip6" else "iptables"


def _netsh(openings: Sequence[Opening]) -> Iterator[str]:
    for opening in openings:
        yield f"rem at the {opening.place}: {opening.purpose}"
        ports = f"{opening.low}-{opening.high}" if opening.low < opening.high else str(opening.low)
        origin = f" remoteip={','.join(opening.sources)}" if opening.sources else ""
        yield (
            f'netsh advfirewall firewall add rule name="{opening.purpose}" dir=in action=allow protocol=TCP '
            f"localport={ports}{origin}"
        )


def _families(sources: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """IPv4 and IPv6 sources apart, by the words of nftables; one rule for all when there are none."""
    if not sources:
        yield "ip", ()
        return
    for family, version in (("ip", 4), ("ip6", 6)):
        found = tuple(one for one in sources if ip_address(one.partition("/")[0]).version == version)
        if found:
            yield family, found


FORMS: dict[str, Callable[[Sequence[Opening]], Iterator[str]]] = {
    "nftables": _nftables,
    "iptables": _iptables,
    "netsh": _netsh,
}
