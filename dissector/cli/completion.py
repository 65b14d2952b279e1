"""``jstrace completion``: what a shell needs to complete the options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete jstrace's options.

    \b
    bash:  eval "$(jstrace completion bash)"     in ~/.bashrc
    zsh:   eval "$(jstrace completion zsh)"      in ~/.zshrc
    fish:  jstrace completion fish > ~/.config/fish/completions/jstrace.fish
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    assert complete is not None, "click knows the shells of the choice"
    click.echo(complete(click.get_current_context().find_root().command, {}, "jstrace", "_JSTRACE_COMPLETE").source())
