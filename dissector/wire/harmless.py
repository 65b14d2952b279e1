"""Text that another program is to show: what it would obey instead becomes visible.

For terminals, for comments in captures, for anything that is read by people; JSON has escapes of its own.
"""

from __future__ import annotations

import re

#: Ranges of C0 and C1 controls and DEL, the soft hyphen, fillers and joiners without a width, marks that change the
#: direction of writing, separators of lines, selectors and tags that are not seen, and lone surrogates.
HOSTILE = (
    (0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xD800, 0xDFFF),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_HOSTILE = re.compile("[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in HOSTILE) + "]")
_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str) -> str:
    r"""Shows what a terminal would obey: ``\n``, ``\t``, ``\x1b``, ``\u202e``.  Printable text stays as it is.

    A backslash stays one, too: the result is for reading, not for reading back.
    """
    return _HOSTILE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _NAMES:
        return _NAMES[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
