"""Sequence numbers, which count around, and what is near on their circle: for all that follows a direction of TCP."""

from __future__ import annotations

#: ``(number + HALF & MASK) - HALF`` is a distance with its sign.
MASK, HALF = 0xFFFF_FFFF, 0x8000_0000
#: No window of TCP is larger (RFC 7323): what is farther away than this belongs to no stream that was seen.
LARGEST_WINDOW = 1 << 30
#: Farther from the stream than this (bytes), a reset, a late or an early segment belongs to something else.
NEAR = 1 << 24
#: A packet that was captured at two interfaces comes twice within this time (ns); a second try takes longer or has
#: another IP id.
TWICE = 50_000_000
