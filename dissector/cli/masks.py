"""``--mask`` and ``--mask-regex``, and the file that has such for every command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])

_NAMES, _PATTERNS = "jstrace.mask", "jstrace.mask_regex"


def _take(key: str) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], None]:
    def take(context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> None:
        for text in given:
            if not text.strip():
                raise click.BadParameter("nothing is no name")
            if key == _PATTERNS:
                _check(text)
        context.meta[key] = given
        if _NAMES in context.meta and _PATTERNS in context.meta and not context.resilient_parsing:
            _apply(context.meta[_NAMES], context.meta[_PATTERNS])

    return take


def _check(pattern: str) -> None:
    from dissector.maskfile import fault_of

    if fault := fault_of(pattern):
        raise click.BadParameter(fault)


def _apply(names: tuple[str, ...], patterns: tuple[str, ...]) -> None:
    from dissector.cli.common import exit_codes
    from dissector.maskfile import configured

    with exit_codes():
        more_names, more_patterns = configured()
    names, patterns = (*more_names, *names), (*more_patterns, *patterns)
    # What was added for another command in the same process is forgotten.
    if names or patterns or "dissector.wire.secrets" in sys.modules:
        from dissector.wire.secrets import extend

        extend(names, patterns)


_MASK = click.option(
    "--mask",
    multiple=True,
    expose_value=False,
    callback=_take(_NAMES),
    metavar="NAME",
    help="Mask the values of names with NAME in them too, as those with password. Repeatable; see also mask.conf.",
)
_MASK_REGEX = click.option(
    "--mask-regex",
    multiple=True,
    expose_value=False,
    callback=_take(_PATTERNS),
    metavar="RE",
    help="Mask what the regular expression RE matches (its first group, if it has one) too. Repeatable.",
)


def mask_options(command: _F) -> _F:
    """Options ``--mask`` and ``--mask-regex``; they, and the configuration file, hold for the whole process."""
    return _MASK(_MASK_REGEX(command))
