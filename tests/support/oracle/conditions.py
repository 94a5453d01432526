"""Which condition a rule asks of a key."""

from __future__ import annotations

from alerts import conditions as kinds

from .budgets import Burn, PlainCount
from .found import Condition
from .headroom import Headroom
from .keys import Key
from .matches import AnyMatch
from .parked import Parked
from .presence import EndOfLife, Silent
from .rates import ErrorRate
from .streaks import Consecutive
from .windows import Tally, Window, scan_window


def condition_of(key: Key, *, scan: bool) -> Condition:
    """Return the condition of a key's rule; with `scan` each second looks at every attempt."""
    counter = scan_window if scan else Tally
    windows: dict[int, Window] = {length: counter(key.attempts, length) for length in key.rule.windows}
    match key.rule.condition:
        case kinds.Any():
            return AnyMatch(key)
        case kinds.ErrorRate() as rate:
            return ErrorRate(rate, windows[rate.window_s], clear_below=key.rule.clear_below)
        case kinds.Consecutive() as consecutive:
            return Consecutive(key, consecutive, windows)
        case kinds.Budget() as budget:
            return Burn(budget, windows) if budget.max_count is None else PlainCount(budget, windows[budget.window_s])
        case kinds.Parked() as parked:
            return Parked(key, parked)
        case kinds.Headroom() as headroom:
            return Headroom(key, headroom, scan=scan)
        case kinds.Silent() as silent:
            return Silent(key, silent)
        case kinds.EndOfLife() as end:
            return EndOfLife(key, end)
    raise AssertionError(f"{key.rule.id}: only Claxon itself makes its alerts")
