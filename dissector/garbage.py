"""How often Python looks for garbage by itself.  What packets leave behind seldom is any, and looking after every 700
objects, as Python does, takes a tenth of the time; ``session.sweeping`` looks when tasks are over."""

from __future__ import annotations

import gc
from typing import NamedTuple


class LooksForGarbage(NamedTuple):
    """``objects`` to a look at those that are new, ``young`` of these looks to one that takes in what they left, and
    ``middle`` of those to one at all there is."""

    objects: int
    young: int
    middle: int


IN_FILES = LooksForGarbage(50_000, 20, 50)
#: A look at all there is would stop a screen for a second.
ON_SCREEN = IN_FILES._replace(middle=1_000)
#: It keeps little, for weeks.  Tasks that a look at what is new finds under way are old for the next one, and no
#: garbage to it: so it looks seldom, and then at all.
IN_LIVE = LooksForGarbage(200_000, 20, 10)


def look_seldom(looks: LooksForGarbage) -> None:
    gc.set_threshold(*looks)
