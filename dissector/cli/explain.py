"""``jstrace explain``: what codes mean."""

from __future__ import annotations

import sys

import click

from dissector.cli.common import exit_codes
from dissector.cli.tracing import output_options


def _complete(_context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
    from dissector.reports.explain import all_codes

    return [code for code in all_codes() if code.lower().startswith(text.lower())]


@click.command()
@click.argument("codes", nargs=-1, metavar="[CODE]...", shell_complete=_complete)
@output_options
def explain(codes: tuple[str, ...], form: str, color: str) -> None:
    """Explain codes: those of jstrace's problems, and those of the engine's logs such as Z-REMOTE-118.

    Without a code: a list of all. For a code of the engine it also lists the problems that can be behind it, and how
    they differ in a capture.

    Exit status: 0 done, 2 no such code.
    """
    from dissector.render.explain import print_explanations, print_json, print_list
    from dissector.render.terminal import Terminal
    from dissector.reports import explain as table

    with exit_codes():
        explanations = [table.explain(code) for code in codes or table.all_codes()]
        if form == "json":
            print_json(sys.stdout, explanations)
        else:
            (print_explanations if codes else print_list)(Terminal(sys.stdout, color), explanations)
