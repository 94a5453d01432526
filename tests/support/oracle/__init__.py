"""Oracle: every alert by brute force, written from docs/reference/decisions.md and not from the engine.

Slow and plain on purpose. It is given the whole log at once, takes each alert
by itself, and at each whole second counts anew. Its one short cut: where no
event appears, gets ready, leaves a window, wakes or falls silent, and no time of
the alert has come, a second must be as the one before, and is passed over;
`every_second=True` does without it, and `scan=True` without any running sum.

    log         what was observed when, and what its calls tell of each other
    keys        one key of one rule: what it saw
    windows     counts of one window at one second
    lifecycle   inactive, pending, firing, resolved; which seconds are looked at
    conditions  which of the following a rule asks
    matches     any
    rates       error_rate
    streaks     consecutive
    budgets     budget
    parked      parked
    headroom    headroom
    presence    silent, end_of_life
    comparison  the engine's transitions in the same words, and where the two part
"""

from .comparison import CHANGES, change_of, copies, differences, engine_changes
from .keys import alert_name
from .lifecycle import oracle
from .log import Change, Moment, Resumed
from .rates import wilson_lower
from .streaks import adaptive_count
from .windows import Counts

__all__ = [
    "CHANGES",
    "Change",
    "Counts",
    "Moment",
    "Resumed",
    "adaptive_count",
    "alert_name",
    "change_of",
    "copies",
    "differences",
    "engine_changes",
    "oracle",
    "wilson_lower",
]
