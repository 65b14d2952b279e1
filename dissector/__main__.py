"""``python -m dissector`` is ``jstrace``."""

from dissector.cli import main

if __name__ == "__main__":
    main(prog_name="jstrace")
