"""``jstrace`` alone: in a terminal what to do next with the captures in this folder, else the help."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

#: What captures are called, also compressed.
_ENDINGS = (".pcap", ".pcapng", ".cap", ".snoop")
_PACKED = (".gz", ".zst", ".xz", ".bz2", ".lz4")
#: Captures that are listed.
_MOST = 8


def start(context: click.Context) -> None:
    """:raises click.UsageError: nobody looks, so nobody is told (exit status 2, as for any missing command)"""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.exceptions.NoArgsIsHelpError(context)
    from dissector.cli.common import exit_codes

    with exit_codes():
        for line in _hints():
            click.echo(line)


def _hints() -> list[str]:
    found = captures()
    lines = ["jstrace traces the remote tasks of SOS JobScheduler 1.x in packet captures.", ""]
    if found:
        from dissector.numbers import count
        from dissector.render.text import escape, size
        from dissector.render.times import dated

        lines.append(
            f"{count(len(found), 'capture')} in this folder{', the newest first' if len(found) > _MOST else ''}:"
        )
        stats = [(path, path.stat()) for path in found[:_MOST]]
        widest = max(len(_command(path)) for path, _ in stats)
        for path, stat in stats:
            when = dated(stat.st_mtime_ns)[:-4]
            lines.append(f"  jstrace {escape(_command(path)):<{widest}}  {size(stat.st_size):>7}  {when}")
        first = escape(_command(found[0]))
        lines += ["", f"  jstrace {first}  opens it on the full screen", f"  jstrace read {first}  prints its tasks"]
    else:
        lines += ["No capture in this folder. To make one:", "  sudo jstrace live eth0 -w tasks.pcapng"]
        lines += ["  sudo tcpdump -i eth0 -w tasks.pcap  (on the client's or the remote's host)"]
    lines += ["  jstrace live  lists interfaces to follow tasks on as they run", "  jstrace --help  lists all commands"]
    return lines


def captures() -> list[Path]:
    """Those in this folder by their names, the newest first."""
    from pathlib import Path

    def kind(name: str) -> str:
        for ending in _PACKED:
            name = name.removesuffix(ending)
        return Path(name).suffix

    files = [path for path in Path().iterdir() if kind(path.name.lower()) in _ENDINGS and path.is_file()]
    return sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _command(path: Path) -> str:
    """Its name as a shell takes it."""
    name = path.name
    return shlex.quote(f"./{name}" if name.startswith("-") else name)
