"""The house plan, read off the imports: floors point down only, and each big library stays in its room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent / "dissector"

#: Room -> the rooms that it may see besides itself.
GROUND = {"errors", "limits", "numbers", "ports", "traffic", "places", "sides", "tlsfacts", "model"}
WIRE_ONLY = GROUND | {"wire"}
CORE = WIRE_ONLY | {"stream"}
SIGHT: dict[str, set[str]] = {
    "errors": set(),
    "limits": set(),
    "numbers": set(),
    "ports": set(),
    "traffic": set(),
    "places": {"traffic"},
    "sides": set(),
    "tlsfacts": {"traffic", "sides"},
    "model": {"traffic", "places", "sides", "tlsfacts"},
    "garbage": set(),
    # How files are written by whatever writes some.
    "outfile": {"errors"},
    "wire": GROUND,
    "stream": GROUND,
    "session": CORE,
    # What several captures of one path prove together.
    "points": CORE | {"session"},
    # The names and meanings of problems go into the plugin.
    "codegen": WIRE_ONLY | {"outfile", "session"},
    "sources": GROUND | {"stream", "outfile"},
    "reports": WIRE_ONLY | {"session"},
    "render": WIRE_ONLY | {"reports"},
    # The full screen.
    "view": WIRE_ONLY | {"outfile", "render", "reports"},
    "share": CORE | {"session", "sources", "outfile", "beside", "survey"},
    "simulate": WIRE_ONLY,
    # Tests a path with the client's side of those peers.
    "probe": WIRE_ONLY | {"simulate", "reports"},
    # Capture files through the core, for whoever wants what is in them.
    # Files with secrets of TLS, for whoever deciphers.
    "keys": GROUND | {"wire", "sources"},
    "looks": CORE | {"session", "sources", "points"},
    "survey": CORE | {"session", "sources", "points", "looks"},
    "beside": CORE | {"session", "sources", "points", "survey"},
    "reading": CORE | {"session", "sources", "beside", "survey"},
    # Which secrets this user names besides.
    "maskfile": {"errors"},
    # Follows a capture as it grows: the tracer fed by a live source, for whoever listens.
    "monitor": CORE | {"session", "sources"},
    # Files for the full screen: read in a thread, looked into again, cut.
    "opening": CORE | {"session", "outfile", "reading", "share", "survey"},
    # Many captures as one dataset; what watches unattended.
    "fleet": CORE | {"session", "sources", "outfile", "keys", "reading", "render", "reports", "monitor", "garbage"},
    # Compares what the core makes of a capture file with what tshark and the generated plugin make of it.
    "verify": CORE | {"session", "sources", "codegen"},
    "cli": CORE
    | {"session", "sources", "render", "simulate", "probe", "codegen", "verify", "reports", "share"}
    | {"monitor", "outfile", "reading", "maskfile", "keys", "points", "survey", "beside", "opening", "view", "fleet"}
    | {"garbage"},
    "__init__": set(),
    "__main__": {"cli"},
}

#: Library -> the only places that may import it.
FENCES: dict[str, tuple[str, ...]] = {
    "construct": ("wire/grammar.py", "wire/decode.py", "codegen/from_construct.py"),
    "scapy": ("sources/",),
    "rich": ("render/", "view/"),
    "textual": ("view/",),
    "click": ("cli/",),
    "cryptography": ("wire/tls_cipher.py",),
    "jinja2": ("render/report/",),
    "opentelemetry": ("render/otlp/",),
    "pyarrow": ("fleet/parquet.py",),
    "duckdb": ("fleet/briefs.py", "fleet/query.py"),
    "distributed": ("fleet/workers.py",),
    "dask": (),
    "fsspec": ("sources/remote.py",),
    "prometheus_client": ("fleet/metrics.py", "fleet/scrapes.py"),
    "pyshark": (),
    "xml": ("wire/control.py", "verify/", "simulate/"),
}

#: What does I/O, reads a clock or starts something has no place below ``sources`` and ``render``.
NO_IO_ROOMS = {
    "errors",
    "limits",
    "numbers",
    "ports",
    "traffic",
    "places",
    "sides",
    "tlsfacts",
    "model",
    "wire",
    "stream",
    "session",
    "points",
    "reports",
}
IO_MODULES = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "select",
    "socket",
    "subprocess",
    "sys",
    "threading",
    "time",
}

MAX_LINES = 400
GENERATED = {"wire/_decoder.py"}

MODULES = sorted(ROOT.rglob("*.py"))


class Import(NamedTuple):
    place: str
    line: int
    target: str

    @property
    def room(self) -> str:
        return room_of(self.place)


def room_of(place: str) -> str:
    """``wire/decode.py`` -> ``wire``, ``cli.py`` -> ``cli``."""
    return place.split("/")[0].removesuffix(".py")


def imports(path: Path, root: Path = ROOT) -> Iterator[Import]:
    """Every import of a module with its absolute dotted target, wherever in the module it stands."""
    place = path.relative_to(root).as_posix()
    package = ["dissector", *path.relative_to(root).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(place, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(place, node.lineno, f"{source}.{alias.name}")


def trespasses(found: Import) -> bool:
    """True for an import of the package itself from a room that must not see it."""
    parts = found.target.split(".")
    if parts[0] != "dissector" or len(parts) < 2 or parts[1] not in SIGHT:
        return False
    return parts[1] != found.room and parts[1] not in SIGHT.get(found.room, set())


def climbs_a_fence(found: Import) -> bool:
    """True for an import of a fenced library outside of its room."""
    places = FENCES.get(found.target.split(".")[0])
    return places is not None and not found.place.startswith(places or ("-",))


def does_io(found: Import) -> bool:
    return found.room in NO_IO_ROOMS and found.target.split(".")[0] in IO_MODULES


def listing(rule: object) -> list[str]:
    assert callable(rule)
    return [f"{i.place}:{i.line} imports {i.target}" for path in MODULES for i in imports(path) if rule(i)]


def test_every_module_has_a_room() -> None:
    assert MODULES
    assert {room_of(path.relative_to(ROOT).as_posix()) for path in MODULES} <= set(SIGHT)


def test_imports_point_down_only() -> None:
    assert listing(trespasses) == []


def test_libraries_stay_behind_their_fences() -> None:
    assert listing(climbs_a_fence) == []


def test_no_input_or_output_below_the_sources() -> None:
    assert listing(does_io) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_stay_small(path: Path) -> None:
    if path.relative_to(ROOT).as_posix() not in GENERATED:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize(
    ("place", "code", "rule"),
    [
        ("wire/a.py", "from dissector.stream.framing import Framer", trespasses),
        ("wire/a.py", "from ..stream import framing", trespasses),
        ("stream/a.py", "import dissector.wire.enums", trespasses),
        ("session/a.py", "def f():\n    from dissector import render", trespasses),
        ("session/a.py", "from dissector.codegen.ir import Node", trespasses),
        ("sources/a.py", "from dissector.render import rows", trespasses),
        ("render/a.py", "from dissector.session.tracer import Tracer", trespasses),
        ("simulate/a.py", "from dissector.sources.capture import CaptureReader", trespasses),
        ("model.py", "from .wire.messages import Body", trespasses),
        ("session/a.py", "from scapy.all import IP", climbs_a_fence),
        ("wire/enums.py", "import construct as c", climbs_a_fence),
        ("sources/a.py", "import rich.table", climbs_a_fence),
        ("render/a.py", "import click", climbs_a_fence),
        ("sources/a.py", "import pyshark", climbs_a_fence),
        ("session/a.py", "import socket", does_io),
    ],
)
def test_the_rules_see_a_breach(place: str, code: str, rule: object, tmp_path: Path) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    assert callable(rule)
    assert [rule(found) for found in imports(path, tmp_path)] == [True]
