"""``jstrace lua``: the Wireshark plugin."""

from __future__ import annotations

import sys

import click

from dissector.cli.common import PROBLEMS, exit_codes, say


@click.command()
@click.option(
    "-o", "--output", type=click.Path(), metavar="FILE", help="Write it to FILE; - is standard output, as without it."
)
@click.option(
    "--check", is_flag=True, help="Only check whether the checkout's wireshark/jobscheduler.lua is up to date."
)
@click.option("--install", "installing", is_flag=True, help="Install it and a profile in your Wireshark folders.")
@click.option("--uninstall", "removing", is_flag=True, help="Remove both.")
def lua(output: str | None, check: bool, installing: bool, removing: bool) -> None:
    """Print the plugin for Wireshark and tshark (4.0 and later) that shows what jstrace shows.

    The profile jobscheduler has columns, colouring rules and filter buttons.

    Exit status: 0 done, 1 not up to date (--check), 2 wrong usage or a file that can not be written.
    """
    if sum(map(bool, (output, check, installing, removing))) > 1:
        raise click.UsageError("only one of -o, --check, --install and --uninstall")
    from dissector.codegen import install, lua
    from dissector.errors import UsageError
    from dissector.outfile import is_stdout, write_text

    with exit_codes():
        if check:
            if not lua.TARGET.is_file():
                raise UsageError(f"{lua.TARGET} is not there: --check is for a checkout of jstrace")
            if not lua.is_current():
                say(f"{lua.TARGET} is out of date: jstrace lua -o {lua.TARGET}")
                sys.exit(PROBLEMS)
        elif installing or removing:
            paths = install.install() if installing else install.uninstall()
            for path in paths:
                click.echo(f"{'written' if installing else 'removed'}: {path}")
            if not paths:
                click.echo("nothing to remove")
        elif output is not None and not is_stdout(output):
            write_text(output, lua.text())
        else:
            click.echo(lua.text(), nl=False)
