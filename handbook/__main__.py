"""``python -m handbook man|json|life [--check]`` and ``python -m handbook site``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from handbook import contract, fleet, lives, man

_WORK = Path("build") / "docs"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m handbook", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    page = kinds.add_parser("man", help="write man/jstrace.1")
    page.add_argument("--check", action="store_true", help="compare instead; status 1 when it is not new")
    page = kinds.add_parser("json", help="fill the tables of docs/json.md and docs/fleet.md")
    page.add_argument("--check", action="store_true", help="compare instead; status 1 when they are not new")
    page = kinds.add_parser("life", help="fill the tables of docs/architecture.md")
    page.add_argument("--check", action="store_true", help="compare instead; status 1 when they are not new")
    kinds.add_parser("site", help=f"build the documentation site in {_WORK}; status 1 when a link leads nowhere")
    wanted = parser.parse_args()
    if wanted.kind == "man":
        return _write(man.TARGET, man.text(), wanted)
    if wanted.kind == "json":
        pages = [(one.TARGET, one.filled(one.TARGET.read_text(encoding="utf-8"))) for one in (contract, fleet)]
        return max(_write(target, made, wanted) for target, made in pages)
    if wanted.kind == "life":
        return _write(lives.TARGET, lives.filled(lives.TARGET.read_text(encoding="utf-8")), wanted)
    return _site()


def _write(target: Path, made: str, wanted: argparse.Namespace) -> int:
    if wanted.check:
        if target.read_text(encoding="utf-8") == made:
            return 0
        print(f"{target} is not up to date: python -m handbook {wanted.kind}", file=sys.stderr)
        return 1
    target.parent.mkdir(exist_ok=True)
    target.write_text(made, encoding="utf-8")
    return 0


def _site() -> int:
    from handbook.site import build, layout

    layout(_WORK)
    wrong = build(_WORK)
    for line in wrong:
        print(line, file=sys.stderr)
    print(_WORK / "site" / "index.html", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
