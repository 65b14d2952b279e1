"""What an installed package brings along: every file that the code reads at run time."""

from __future__ import annotations

import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it for the versions before 3.11
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_data_file_is_packaged() -> None:
    patterns = _project()["tool"]["setuptools"]["package-data"]["dissector"]
    package = ROOT / "dissector"
    data = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert {"wire/ids.json", "codegen/lua/main.lua", "codegen/profile/colorfilters"} <= data
    assert sorted(name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)) == []
