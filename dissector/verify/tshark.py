"""What tshark says of a capture with the plugin loaded: messages as ``Told`` in the order of packets, then the tasks.

tshark exits with 0 whatever becomes of a Lua script.  So everything on standard error that is not known to be harmless
is an error here, and so is every Lua error inside of a packet's tree.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO
from xml.parsers.expat import ExpatError

from dissector.codegen import lua
from dissector.errors import ToolError, UsageError
from dissector.verify import pdml
from dissector.verify.records import Found, Row, Told

_FILTER = "jobscheduler || _ws.lua.error"
#: As a user sees it: what is masked is compared too.
_MASKED = "jobscheduler.show_secrets:FALSE"
_TABLE = "jobscheduler.task_table:TRUE"
#: What tshark says on standard error although all is well, or that Python says as well.
_HARMLESS = ("Running as user", "This could be dangerous", "appears to have been cut short in the middle of a packet")
#: Of a file that ends inside of a packet: tshark up to 4.4, and 4.6.
_CUT_SHORT = 2, 14
_MAX_COMPLAINTS = 8


@dataclass(frozen=True)
class Tshark:
    """How tshark is run.  ``preferences`` are ``name:value`` as behind ``-o``; ``plugin`` None: what is generated."""

    program: str = "tshark"
    plugin: Path | None = None
    two_pass: bool = False
    preferences: Sequence[str] = ()
    #: UDP ports of VXLAN besides those that tshark knows.
    vxlan_ports: Sequence[int] = ()

    def command(self, capture: str, plugin: Path, preferences: Sequence[str]) -> list[str]:
        options = [_MASKED, _TABLE, *preferences, *self.preferences]
        return [
            *(self.program, "-n", "-r", capture, "-X", f"lua_script:{plugin}"),
            *(["-2"] if self.two_pass else []),
            *(part for option in options for part in ("-o", option)),
            *(part for port in self.vxlan_ports for part in ("-d", f"udp.port=={port},vxlan")),
            *("-Y", _FILTER, "-T", "pdml", "-J", "jobscheduler"),
        ]

    def read(self, capture: str, preferences: Sequence[str] = ()) -> Generator[Told | Row | Found, None, None]:
        """The messages that the plugin shows, then the tasks; ``preferences`` as those of the record.

        :raises ToolError: there is no tshark, it can not read the file, or Lua complains
        :raises UsageError: the plugin is not there
        """
        with tempfile.TemporaryDirectory(prefix="jstrace-") as home, tempfile.TemporaryFile() as complaints:
            plugin = self.plugin or Path(home) / "jobscheduler.lua"
            if self.plugin is not None and not self.plugin.is_file():
                raise UsageError(f"{self.plugin}: there is no such file")
            if self.plugin is None:
                plugin.write_text(_generated(), encoding="utf-8")
            process = self._start(self.command(capture, plugin, preferences), home, complaints)
            assert process.stdout is not None
            try:
                yield from pdml.read(process.stdout)
                status = process.wait()
            except ExpatError:
                self._check(capture, complaints, process.wait())
                raise ToolError(f"{self.program}: its output is no XML") from None
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
            self._check(capture, complaints, status)

    def _start(self, command: list[str], home: str, complaints: IO[bytes]) -> subprocess.Popen[bytes]:
        """With an empty home: a plugin installed there would be a second one, and preferences could change anything."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "WIRESHARK_CONFIG"))}
        environment = kept | {"HOME": home, "LC_ALL": "C.UTF-8"}
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=environment,
            )
        except OSError as error:
            raise ToolError(f"{self.program}: {error.strerror}; it comes with Wireshark (package tshark)") from None

    def _check(self, capture: str, complaints: IO[bytes], status: int) -> None:
        complaints.seek(0)
        lines = complaints.read(65_536).decode("utf-8", errors="replace").splitlines()
        serious = [line.strip() for line in lines if line.strip() and not any(word in line for word in _HARMLESS)]
        if len(serious) == 1 and "unknown preference" in serious[0]:
            raise ToolError(f"{self.program} loads no Lua scripts{_root_words()}")
        if serious:
            raise ToolError("; ".join(serious[:_MAX_COMPLAINTS]))
        cut_short = any(_HARMLESS[-1] in line for line in lines)
        if status and not (status in _CUT_SHORT and cut_short):
            raise ToolError(f"{capture}: {self.program} ended with status {status}")


@lru_cache(maxsize=1)
def _generated() -> str:
    return lua.text()


def _root_words() -> str:
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return ": from release 4.4 on it does not for root, so run this as an ordinary user" if is_root else ""
