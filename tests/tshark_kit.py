"""The tsharks that the plugin is tried in."""

from __future__ import annotations

import os
from pathlib import Path

#: Where ``make test`` keeps what it gets.
CACHE = Path(os.environ.get("TSHARK_CACHE") or Path.home() / ".cache" / "jstrace")
#: This machine's and those of later Debian suites, which ``make tsharks`` gets.
TSHARKS = ("tshark", *(str(CACHE / f"tshark-{suite}" / "tshark") for suite in ("trixie", "forky")))
