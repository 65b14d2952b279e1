"""One target under atheris: ``python -m fuzz.worker TARGET FOLDER FLAG...``; started by ``__main__``.

An input that raises or is slow is written to ``FOLDER/findings`` and fuzzing goes on: one finding a place in the code.
"""

from __future__ import annotations

import sys
import traceback
from hashlib import sha256
from pathlib import Path
from time import process_time

import atheris

from fuzz.guard import SLOW_SECONDS

with atheris.instrument_imports(include=["dissector"]):
    from fuzz.targets import TARGETS


class Watch:
    """Calls the target and writes down what should not have been."""

    def __init__(self, name: str, folder: Path) -> None:
        self._target = TARGETS[name]
        self._folder = folder / "findings"
        self._known: set[str] = set()

    def __call__(self, data: bytes) -> None:
        begin = process_time()
        try:
            self._target(data)
        except Exception as error:
            self._keep(data, _place(error))
        if process_time() - begin > SLOW_SECONDS:
            self._keep(data, "slow")

    def _keep(self, data: bytes, place: str) -> None:
        if place == "slow":
            # Instruments cost time: who judges slowness is the process that looks again without them.
            place = f"slow-{len(self._known)}"
        if place not in self._known and len(self._known) < 100:
            self._known.add(place)
            (self._folder / sha256(data).hexdigest()[:12]).write_bytes(data)
            print(f"finding: {place}", file=sys.stderr)


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {last.filename}:{last.lineno}"


def main() -> None:
    name, folder, *flags = sys.argv[1:]
    atheris.Setup([sys.argv[0], *flags], Watch(name, Path(folder)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
