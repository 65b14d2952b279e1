"""``python -m dissector.codegen`` writes the generated files; ``--check`` compares them with what the grammar says.

Exit status: 0 written or up to date, 1 not up to date (``--check``), 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from dissector.codegen import lua, python

ROOT = Path(__file__).resolve().parent.parent.parent

#: Generated file, from the checkout's root -> what makes its text.
TARGETS: dict[str, Callable[[], str]] = {
    "dissector/wire/_decoder.py": python.generate,
    "wireshark/jobscheduler.lua": lua.text,
}


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(f"usage: python -m dissector.codegen [--check], not {' '.join(arguments)}", file=sys.stderr)
        return 2
    texts = {ROOT / name: generate() for name, generate in TARGETS.items()}
    if not arguments:
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{path} is not what the grammar says: run python -m dissector.codegen", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
