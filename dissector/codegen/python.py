"""The text of ``wire/_decoder.py``: straight ``struct`` code from the grammar's IR, the same every time.

Both halves of the file follow one grammar: ``decode_message`` builds records and stops without a word at what is wrong,
``walk_message`` is slow, knows every byte's place and names the one that is wrong.  ``python -m dissector.codegen``
writes the file.  Why construct does not decode itself: docs/decisions/0003-generated-decoder.md.
"""

from __future__ import annotations

from dissector.codegen.from_construct import grammar
from dissector.codegen.ir import Grammar
from dissector.codegen.python_fast import FastHalf
from dissector.codegen.python_walk import WalkHalf

_HEAD = '''\
"""Generated from wire/grammar.py by ``python -m dissector.codegen``; do not edit."""
# ruff: noqa
# fmt: off
# mypy: ignore-errors

from __future__ import annotations

from struct import Struct
from typing import Any

from dissector.wire.fields import Reader
from dissector.wire.messages import (
'''


def generate(source: Grammar | None = None) -> str:
    """The whole text of the module, by default for the grammar of ``wire``."""
    source = source or grammar()
    fast, walk = FastHalf(source), WalkHalf(source)
    records = [f"    {record}," for record in sorted(fast.records)]
    structs = [f'_unpack_{layout} = Struct(">{layout}").unpack_from' for layout in sorted(fast.structs)]
    return _HEAD + "\n".join([*records, ")", "", *structs, "", "", *fast.lines, "", "", *walk.lines]) + "\n"
