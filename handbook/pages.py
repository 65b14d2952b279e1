"""Pages made from the commands: one for each, and what their filters know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dissector.render.filter.guide import guide
from handbook.commands import Command, Option, Paragraph
from handbook.markdown import block, code, plain


def command_page(part: Command) -> str:
    """``jstrace read``, as its ``--help`` has it."""
    return "\n".join(_command(part)) + "\n"


def command_list(parts: Iterable[Command]) -> str:
    """The page in front of them."""
    lines = ["# Commands", "", "`jstrace COMMAND --help` and `man jstrace` say the same.", ""]
    lines += ["| command | |", "|---|---|"]
    lines += [f"| [{code(f'jstrace {part.name}')}]({part.name}.md) | {plain(part.summary)} |" for part in parts]
    return "\n".join(lines) + "\n"


def filter_page() -> str:
    """The page of ``jstrace help filter``."""
    return "\n".join(
        (
            "# Filters",
            "",
            "The same words choose tasks in [`read`](commands/read.md), [`slice`](commands/slice.md) and "
            "[`live`](commands/live.md) (`--filter`, `--until`, and the key `f`). This is `jstrace help filter`:",
            "",
            block("\n".join(guide())),
        )
    )


def _command(part: Command) -> Iterator[str]:
    yield from (f"# jstrace {part.name}", "", plain(part.summary), "", block(part.usage))
    yield from _paragraphs(part.body)
    if part.has_filters:
        yield from ("What `--filter` knows: [Filters](../filters.md).", "")
    yield from ("## Options", "")
    for one in part.options:
        yield from _option(one)
    yield from _paragraphs(part.epilog)


def _option(one: Option) -> Iterator[str]:
    names = ", ".join(code(name) for name in one.names)
    value = f" {code(one.value)}" if one.value else ""
    notes = f" *({plain('; '.join(one.notes))})*" if one.notes else ""
    yield from (f"{names}{value}", f":   {plain(one.words)}{notes}".rstrip(), "")


def _paragraphs(parts: Iterable[Paragraph]) -> Iterator[str]:
    for part in parts:
        yield from (block(part.text) if part.verbatim else plain(part.text), "")
