"""EngineState: all that the engine remembers; a snapshot is this.

≠ how any of it comes about.
"""

from __future__ import annotations

from math import inf

import msgspec

from .counters import Totals
from .decisions import Chain, Decision
from .feeds import FeedKey, Key
from .meters import Series
from .provisional import Provisional
from .watches import Watch


class EngineState(msgspec.Struct):
    """All that is remembered.

    Attributes:
        now: The latest instant it was told.
        grid: The last whole second that was evaluated.
        series: By meter, by key.
        watches: By rule id, by key.
        totals: By (app, environment, model).
        provisional: Failures that may be taken back.
        recent: Successes observed in the second that is going on, by feed.
        quiet: What was passed over in it, not in the ledger yet.
        overflowed: Distinct (app, environment, model, path) that a rule counts under `(overflow)`.
        taken: How many events there were.
        resumed_at: When it was last told that nobody could have been heard before.
        chain: The hash over all decisions.
    """

    now: float = -inf
    grid: int | None = None
    series: dict[str, dict[Key, Series]] = msgspec.field(default_factory=dict)
    watches: dict[str, dict[Key, Watch]] = msgspec.field(default_factory=dict)
    totals: dict[tuple[str, str, str], Totals] = msgspec.field(default_factory=dict)
    provisional: Provisional = msgspec.field(default_factory=Provisional)
    recent: dict[FeedKey, list[float]] = msgspec.field(default_factory=dict)
    quiet: list[Decision] = msgspec.field(default_factory=list)
    overflowed: int = 0
    taken: int = 0
    resumed_at: float = -inf
    chain: Chain = msgspec.field(default_factory=Chain)
