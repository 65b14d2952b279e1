"""The commands as data: what click knows of them, without its layout.  Man page and site are made of this."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import NamedTuple

import click

from dissector.cli import main
from dissector.cli.help import FilterCommand

PROGRAM = "jstrace"
#: click's mark in front of a paragraph whose lines stay as they are.
_VERBATIM = "\b"


class Paragraph(NamedTuple):
    """Text to be filled, or lines that stay as they are."""

    text: str
    verbatim: bool


class Option(NamedTuple):
    """``value`` is what stands behind the name, empty for a flag; ``notes`` are bounds and the default."""

    names: tuple[str, ...]
    value: str
    words: str
    notes: tuple[str, ...]


class Command(NamedTuple):
    """``arguments`` as the usage line has them; ``summary`` is the first paragraph, ``body`` what follows."""

    name: str
    arguments: tuple[str, ...]
    summary: str
    body: tuple[Paragraph, ...]
    options: tuple[Option, ...]
    epilog: tuple[Paragraph, ...]
    has_filters: bool

    @property
    def usage(self) -> str:
        """``jstrace read [OPTIONS] FILE...``"""
        return " ".join((PROGRAM, self.name, "[OPTIONS]", *self.arguments))


def program() -> Command:
    """What is said of jstrace as a whole."""
    return _command("", main, _root())


def commands() -> list[Command]:
    """All of them, by name."""
    return [
        _command(name, command, click.Context(command, info_name=name, parent=_root()))
        for name, command in sorted(main.commands.items())
    ]


def _root() -> click.Context:
    return click.Context(main, info_name=PROGRAM, **main.context_settings)


def _command(name: str, command: click.Command, context: click.Context) -> Command:
    summary, *body = paragraphs(command.help or "")
    return Command(
        name,
        tuple(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"),
        summary.text,
        tuple(body),
        tuple(_options(command, context)),
        tuple(paragraphs(command.epilog or "")),
        isinstance(command, FilterCommand),
    )


def paragraphs(text: str) -> Iterator[Paragraph]:
    """The paragraphs of a help text."""
    for part in inspect.cleandoc(text).split("\n\n"):
        mark, _, lines = part.partition("\n")
        if mark.strip(" ") == _VERBATIM:
            yield Paragraph(lines.rstrip(), True)
        elif part.strip():
            yield Paragraph(" ".join(part.split()), False)


def _options(command: click.Command, context: click.Context) -> Iterator[Option]:
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and not parameter.hidden:
            names = (*parameter.opts, *parameter.secondary_opts)
            yield Option(names, _value(parameter, context), parameter.help or "", tuple(_notes(parameter)))


def _value(option: click.Option, context: click.Context) -> str:
    if option.is_flag or option.count:
        return ""
    return option.make_metavar(context)


def _notes(option: click.Option) -> Iterator[str]:
    kind = option.type
    if isinstance(kind, click.IntRange) and kind.max is not None:
        yield f"{kind.min} to {kind.max}"
    elif isinstance(kind, click.IntRange) and kind.min is not None:
        yield f"at least {kind.min}"
    if isinstance(option.show_default, str):
        yield f"default: {option.show_default}"
    elif option.show_default and isinstance(option.default, (list, tuple)):
        yield f"default: {', '.join(map(str, option.default))}"
    elif option.show_default:
        yield f"default: {option.default}"
