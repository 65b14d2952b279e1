"""What the plugin knows of headers is what Python knows of them."""

from __future__ import annotations

import re

from dissector.codegen import lua
from dissector.stream import ip, tunnels
from dissector.stream.packets import CARRIERS


def numbers(name: str) -> set[int]:
    """Those in the plugin's set of this name."""
    found = re.search(rf"local {name} = set\(([\d, ]+)\)", lua.text())
    assert found is not None
    return set(map(int, found[1].split(", ")))


def test_what_may_carry_tcp() -> None:
    assert numbers("CARRIERS") == CARRIERS


def test_ports_of_tunnels() -> None:
    assert numbers("TUNNEL_PORTS") == tunnels.BY_PORT.keys() - tunnels.SEALED_PORTS.keys()


def test_extension_headers() -> None:
    found = re.search(r"local EXTENSIONS = \{(.+)\}", lua.text())
    assert found is not None
    assert set(map(int, re.findall(r"\[(\d+)\] = true", found[1]))) == ip.EXTENSIONS
