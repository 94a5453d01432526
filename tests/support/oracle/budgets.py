"""`budget`: burn rates over pairs of windows, or a plain count."""

from __future__ import annotations

from alerts.budgets import Tier
from alerts.conditions import Budget

from .found import Holds
from .log import Value
from .rates import wilson_lower
from .windows import Counts, Window


class PlainCount:
    """More than so many exhausted calls in a window."""

    def __init__(self, budget: Budget, window: Window) -> None:
        assert budget.max_count is not None
        self.most = budget.max_count
        self.window = window

    def __call__(self, g: int, state: str) -> Holds:
        n = self.window(g)
        value: Value = {"exhausted": n.exhausted, "calls": n.calls}
        return (n.exhausted > self.most if n.calls else None), value

    def instants(self) -> list[float]:
        return []


class Burn:
    """The error budget burns too fast over both windows of a pair."""

    def __init__(self, budget: Budget, windows: dict[int, Window]) -> None:
        self.budget = budget
        self.windows = windows

    def __call__(self, g: int, state: str) -> Holds:
        said = [self._pair(g, tier, sure=state != "firing") for tier in self.budget.tiers]
        value: Value = {}
        for tier, word in zip(self.budget.tiers, said, strict=True):
            n = self.windows[tier.long_s](g)
            value |= {f"{tier.long_s}.exhausted": n.exhausted, f"{tier.long_s}.calls": n.calls}
            value[f"{tier.long_s}.holds"] = bool(word)
        if any(said):
            return True, value
        return (None if None in said else False), value

    def _pair(self, g: int, tier: Tier, *, sure: bool) -> bool | None:
        long, short = self.windows[tier.long_s](g), self.windows[tier.short_s](g)
        if long.calls == 0:
            return None
        if not self._over(long, tier) or long.exhausted < self.budget.min_exhausted:
            return False
        if short.calls == 0:
            return None
        if not self._over(short, tier):
            return False
        return not sure or (self._surely_over(long, tier) and self._surely_over(short, tier))

    def _over(self, n: Counts, tier: Tier) -> bool:
        return n.exhausted / n.calls > self._limit(tier)

    def _surely_over(self, n: Counts, tier: Tier) -> bool:
        confidence = self.budget.confidence
        return confidence is None or wilson_lower(n.exhausted, n.calls, confidence) > self._limit(tier)

    def _limit(self, tier: Tier) -> float:
        return tier.burn * (1 - self.budget.objective)

    def instants(self) -> list[float]:
        return []
