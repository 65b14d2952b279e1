"""Hosts of a test's own: network namespaces, links between them, and the rules of their packet filters."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from live_kit import sh


class Port(NamedTuple):
    """An interface of a host, and its address in a network of 24 bits."""

    host: str
    device: str
    ip: str


@contextmanager
def hosts(*names: str) -> Iterator[None]:
    """They have loopback, and are gone afterwards."""
    try:
        for name in names:
            sh(f"ip netns add {name}")
            sh(f"ip -n {name} link set lo up")
        yield
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def link(near: Port, far: Port) -> None:
    """A cable."""
    sh(f"ip link add {near.device} netns {near.host} type veth peer name {far.device} netns {far.host}")
    for end in (near, far):
        sh(f"ip -n {end.host} address add {end.ip}/24 dev {end.device}")
        sh(f"ip -n {end.host} link set {end.device} up")


def route(host: str, gateway: str, net: str = "default") -> None:
    sh(f"ip -n {host} route add {net} via {gateway}")


def forward(host: str) -> None:
    """It is a router."""
    sh(f"ip netns exec {host} sysctl -q -w net.ipv4.ip_forward=1")


@contextmanager
def rules(*commands: tuple[str, str]) -> Iterator[None]:
    """iptables rules, each with its host, while it lasts."""
    try:
        for host, command in commands:
            sh(f"ip netns exec {host} iptables {command}")
        yield
    finally:
        for host, command in commands:
            sh(f"ip netns exec {host} iptables {command.replace('-A ', '-D ')}")
