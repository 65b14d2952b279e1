"""jstrace by its own name: ``python -m jstrace`` is the command, ``jstrace.__version__`` its version.

What it is made of lies in the package ``dissector``, whose modules may change from release to release.
"""

from dissector import __version__

__all__ = ["__version__"]
