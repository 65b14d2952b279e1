"""Mutants that no test can notice, with the reasons: ``equivalent.txt``."""

from __future__ import annotations

from pathlib import Path

LIST = Path(__file__).with_name("equivalent.txt")


def equivalents() -> dict[tuple[str, str, str], str]:
    """(module, line before, line after) -> why this mutant does what the original does.

    Raises ValueError for a block that is not of this form.
    """
    found = {}
    for block in LIST.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        module, before, after, *reason = lines
        if before[:2] != "- " or after[:2] != "+ " or not reason:
            raise ValueError(f"{LIST}: {block}")
        found[module, before[2:], after[2:]] = " ".join(reason)
    return found
