"""How often Python looks for garbage.  What packets leave behind seldom is any, and looking after every 700 objects, as
Python does by itself, takes a tenth of the time."""

from __future__ import annotations

import gc

#: Looks at the middle generation to one at all there is.  A screen for files would stop for a second at such a look;
#: ``live`` keeps little, and what it keeps longer than it has to is memory of a process that runs for weeks.
IN_FILES, ON_SCREEN, IN_LIVE = 50, 1_000, 10
_OBJECTS, _YOUNG_LOOKS = 50_000, 20


def look_seldom(middle_looks: int) -> None:
    gc.set_threshold(_OBJECTS, _YOUNG_LOOKS, middle_looks)
