"""What counts as a finding, and running one input apart: ``python -m fuzz.guard TARGET FILE`` prints what it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import process_time

#: Processor seconds that an input below 64 KiB may take.
SLOW_SECONDS = 1.0
#: Seconds after which an input counts as one that hangs.
HANG_SECONDS = 20
#: Resident memory of a process that fuzzes, coverage tables and corpus included.
MEMORY_MB = 256


def verdict(target: str, path: Path) -> str | None:
    """What is wrong with this input, seen by a process of its own without instruments; None when nothing is."""
    command = [sys.executable, "-m", "fuzz.guard", target, str(path)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"hangs (more than {HANG_SECONDS} s)"
    if found.returncode:
        return found.stderr.strip() or f"ended with {found.returncode}"
    seconds = float(found.stdout)
    return f"takes {seconds:.1f} s" if seconds > SLOW_SECONDS else None


def main() -> None:
    from fuzz.targets import TARGETS

    data = Path(sys.argv[2]).read_bytes()
    begin = process_time()
    TARGETS[sys.argv[1]](data)
    print(process_time() - begin)


if __name__ == "__main__":
    main()
