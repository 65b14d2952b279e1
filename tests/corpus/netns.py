"""A small network of its own: client, router and remote scheduler as Linux network namespaces.  Needs root.

    client 10.60.1.10 --- c [router] r --- remote 10.60.2.10 (and 10.60.2.11)
                                x
                                +--- scanner 10.60.3.66

With a second client (10.60.1.11), ``c`` is a bridge.  Checksums are real (no offloading), segments are what the wire
carries, and IPv6 is off, so that a recording holds nothing that was not sent on purpose.
"""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager
from types import TracebackType

CLIENT, CLIENT2, REMOTE, SCANNER = "10.60.1.10", "10.60.1.11", "10.60.2.10", "10.60.3.66"
REMOTE_SECOND = "10.60.2.11"
ROUTER_C, ROUTER_R, ROUTER_X = "10.60.1.1", "10.60.2.1", "10.60.3.1"

_HOSTS = ("client", "client2", "remote", "scanner")
#: Outgoing connections take ports below those of callbacks, so that a rule for one kind never hits the other.
_QUIET = (
    "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0"
    " net.ipv4.ip_local_port_range='32768 49999'"
)
_FIREWALL = """
table ip fw {
  chain forward { type filter hook forward priority 0; policy accept; }
  chain output { type filter hook output priority 0; policy accept; }
}
"""


class Net(AbstractContextManager["Net"]):
    """Namespaces ``PREFIX-client`` and so on, from entering to leaving.  ``impaired``: the client's cable is left open
    between the router's interfaces ``c0`` and ``w0``, for a program that carries its frames (``slow_wire``)."""

    def __init__(self, prefix: str, *, impaired: bool = False, second_client: bool = False) -> None:
        self.prefix = prefix
        self._impaired = impaired
        self._second_client = second_client

    def name(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def command(self, host: str, *words: str) -> list[str]:
        """A command line that runs on this host."""
        return ["ip", "netns", "exec", self.name(host), *words]

    def shell(self, host: str, line: str) -> None:
        """:raises RuntimeError: the command failed"""
        done = subprocess.run(self.command(host, "sh", "-ec", line), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name(host)}: {line}: {done.stderr.strip()}")

    def nft(self, rules: str, host: str = "router") -> None:
        """:raises RuntimeError: nft does not take them"""
        done = subprocess.run(
            self.command(host, "nft", "-f", "-"), input=rules, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"nft on {self.name(host)}: {done.stderr.strip()}")

    def __enter__(self) -> Net:
        self._remove()  # what a run left that was killed
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _build(self) -> None:
        for host in ("router", *_HOSTS):
            subprocess.run(["ip", "netns", "add", self.name(host)], check=True, capture_output=True)
            self.shell(host, f"{_QUIET}; ip link set lo up")
        self.shell("router", "sysctl -qw net.ipv4.ip_forward=1")
        self._client_side()
        self._cable("remote", REMOTE, ROUTER_R, "r")
        self._cable("scanner", SCANNER, ROUTER_X, "x")
        self.shell("remote", f"ip addr add {REMOTE_SECOND}/24 dev eth0")
        for leg, address in (("c", ROUTER_C), ("r", ROUTER_R), ("x", ROUTER_X)):
            self.shell("router", f"ip addr add {address}/24 dev {leg}")
        self.nft(_FIREWALL)

    def _client_side(self) -> None:
        if self._second_client:
            self.shell("router", "ip link add name c type bridge mcast_snooping 0; ip link set c up")
            self._plain("router", "c")
            self._cable("client", CLIENT, ROUTER_C, "c0")
            self._cable("client2", CLIENT2, ROUTER_C, "c1")
            self.shell("router", "ip link set c0 master c; ip link set c1 master c")
        elif self._impaired:
            self._cable("client", CLIENT, ROUTER_C, "c0")
            self.shell("router", "ip link add name w0 type veth peer name c; ip link set w0 up; ip link set c up")
            self._plain("router", "w0")
            self._plain("router", "c")
            self.shell("router", "ip link set c0 arp off; ip link set w0 arp off")  # or the router answers there
        else:
            self._cable("client", CLIENT, ROUTER_C, "c")

    def _cable(self, host: str, address: str, router: str, leg: str) -> None:
        """From a host's eth0 to the router's interface ``leg``."""
        self.shell("router", f"ip link add name {leg} type veth peer name eth0 netns {self.name(host)}")
        self._plain("router", leg)
        self._plain(host, "eth0")
        self.shell("router", f"ip link set {leg} up")
        self.shell(host, f"ip addr add {address}/24 dev eth0; ip link set eth0 up; ip route add default via {router}")

    def _plain(self, host: str, device: str) -> None:
        """No work is left to a network card that does not exist."""
        self.shell(host, f"ethtool -K {device} tx off tso off gso off gro off >/dev/null")

    def _remove(self) -> None:
        for host in ("router", *_HOSTS):
            subprocess.run(["ip", "netns", "del", self.name(host)], check=False, capture_output=True)
