"""Storms: how fast pages may begin at one receiver; what comes faster is told as one group.

≠ how fast a vendor takes messages.
"""

from __future__ import annotations

from .parts import Part

MOST = 20
"""Alerts that may begin to be told one by one, within `WITHIN_S`."""

WITHIN_S = 60.0

ROUTE = "storm"
"""Stands for the route of a storm's group."""

GROUP_WAIT_S = 1.0
GROUP_INTERVAL_S = 60.0
LISTED = 1000
"""Alerts that one message of a storm names; the others are in the next."""

NEXT_S = 2.0
"""How long after a message that could not name all of them the next one comes."""


def paced(paces: Part[list[float]], receiver: str, now: float) -> bool:
    """Take one beginning at a receiver into account; False if there are too many to tell them one by one."""
    recent = [at for at in paces.get(receiver, ()) if now - WITHIN_S < at <= now]
    if len(recent) >= MOST:
        return False
    paces[receiver] = [*recent, now]
    return True
