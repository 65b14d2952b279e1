"""``jstrace help``: the help of a command, or of what several commands share."""

from __future__ import annotations

import click

from dissector.cli.common import exit_codes

_FILTER = "filter"


@click.command("help")
@click.argument("topic", required=False, metavar="[COMMAND|filter]")
@click.pass_context
def help_(context: click.Context, topic: str | None) -> None:
    """Explain a command, or filter: fields, values and examples of --filter.

    Exit status: 0 done, 2 there is no such topic.
    """
    root = context.find_root()
    commands = root.command.commands if isinstance(root.command, click.Group) else {}
    if topic is None:
        click.echo(root.get_help())
    elif topic == _FILTER:
        from dissector.render.filter.guide import guide

        with exit_codes():
            click.echo("\n".join(guide()))
    elif topic in commands:
        command = commands[topic]
        click.echo(command.get_help(click.Context(command, info_name=topic, parent=root)))
    else:
        raise click.UsageError(f"there is no help on {topic!r}; there is {', '.join((*commands, _FILTER))}")


class FilterCommand(click.Command):
    """A command whose help lists what its ``--filter`` knows."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from dissector.render.filter.guide import guide

        with formatter.section("Filters"):
            formatter.write("".join(f"  {line}".rstrip() + "\n" for line in guide()))
        super().format_epilog(ctx, formatter)
