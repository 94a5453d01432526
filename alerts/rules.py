"""Rule: the typed, validated form of each kind of rule.

≠ state.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from .budgets import Tier
from .durations import format_duration
from .errors import RuleError
from .labels import Labels
from .matchers import Matcher

SCOPE_LABELS = ("app", "environment", "model", "path")
"""What a rule may be split by; every event has them."""

FAILURE_LABELS = ("category", "status", "error_type", "error_code", "final", "exhausted")
"""What else a rule may match: these say which failures count, not which calls."""

DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Any:
    """Fires on any matching event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRate:
    """Over a share of calls failed in a window.

    Attributes:
        above: A share in (0, 1).
        window_s: Whole minutes, in seconds.
        min_failed: The floor, on failures.
        confidence: None for the literal share; in (0.5, 1) to begin only when it is not chance.
    """

    above: float = 0.05
    window_s: int = 300
    min_failed: int = 3
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consecutive:
    """So many failures in a row, of different calls, without a success between.

    Attributes:
        count: At least 2.
        settle_s: How long a failure waits for successes that lie before it.
        adaptive: Whether the count rises on paths where chance makes such runs.
    """

    count: int = 2
    settle_s: float = 2.0
    adaptive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Exhausted calls burn the error budget too fast, or are more than `max_count` in a window.

    Attributes:
        objective: The share of calls that must succeed, in (0, 1).
        period_s: The budget's period.
        tiers: Any of them is enough.
        min_exhausted: The floor, in the long window.
        max_count: With `window_s`, a plain count in place of burn rates.
    """

    objective: float = 0.999
    period_s: int = 30 * DAY
    tiers: tuple[Tier, ...] = ()
    min_exhausted: int = 3
    max_count: int | None = None
    window_s: int = 3600


Condition: TypeAlias = Any | ErrorRate | Consecutive | Budget


# No slots: what is derived is computed once and kept.
@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        alert: The alert's name.
        condition: When it fires.
        match: Which events it looks at.
        by: One alert for each distinct value of these.
        hold_s: `for`: how long the condition must hold first.
        keep_firing_for_s: How long the alert stays after the condition stopped holding.
        stale_after_s: How long a key may be silent before its alert is closed.
        labels: Added to the alert; `severity` is one of them.
        annotations: Added to the page.
    """

    alert: str
    condition: Condition
    match: tuple[Matcher, ...] = ()
    by: tuple[str, ...] = ("app", "environment")
    hold_s: int = 0
    keep_firing_for_s: int = 900
    stale_after_s: int = 3600
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self)

    @cached_property
    def severity(self) -> str:
        """The label `severity`, "page" where the rule has none."""
        return self.labels.get("severity", "page")

    @cached_property
    def id(self) -> str:
        """What names the rule among others: its alert and severity."""
        return f"{self.alert}/{self.severity}"

    @cached_property
    def scope(self) -> tuple[Matcher, ...]:
        """The matchers that say which calls the rule looks at."""
        return tuple(m for m in self.match if m.name in SCOPE_LABELS)

    @cached_property
    def failures(self) -> tuple[Matcher, ...]:
        """The matchers that say which failures count."""
        return tuple(m for m in self.match if m.name in FAILURE_LABELS)

    @cached_property
    def hash(self) -> str:
        """12 hex digits that change when anything that decides changes."""
        said = "\n".join(
            [
                repr(self.condition),
                *map(str, self.match),
                repr((self.by, self.hold_s)),
                repr((self.keep_firing_for_s, self.stale_after_s)),
                repr(sorted(self.labels.items())),
                self.alert,
            ]
        )
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    @cached_property
    def windows(self) -> tuple[int, ...]:
        """The lengths of the windows the condition reads, in seconds."""
        match self.condition:
            case ErrorRate(window_s=window):
                return (window,)
            case Consecutive(adaptive=True):
                return (300, DAY)
            case Budget(max_count=None, tiers=tiers):
                return tuple(sorted({s for tier in tiers for s in (tier.long_s, tier.short_s)}))
            case Budget(window_s=window):
                return (window,)
        return ()


def _check(rule: Rule) -> None:
    where = f"rule {rule.id!r}"
    for name in rule.by:
        if name not in SCOPE_LABELS:
            raise RuleError(f"{where}: by: {name}: one of {', '.join(SCOPE_LABELS)}")
    for matcher in rule.match:
        if matcher.name not in SCOPE_LABELS + FAILURE_LABELS:
            known = ", ".join(SCOPE_LABELS + FAILURE_LABELS)
            raise RuleError(f"{where}: match: {matcher}: no event has this label; one of {known}")
    for length in rule.windows:
        if length < 60 or length % 60:
            raise RuleError(f"{where}: window: {format_duration(length)}: whole minutes, at least 1m")
    _check_condition(rule, where)


def _check_condition(rule: Rule, where: str) -> None:
    match rule.condition:
        case Any() if rule.hold_s:
            raise RuleError(f"{where}: for: {format_duration(rule.hold_s)}: `any` fires at once; leave it out")
        case ErrorRate(above=above) if not 0 < above < 1:
            raise RuleError(f"{where}: above: {above}: write a share between 0 and 1, such as 5%")
        case ErrorRate(confidence=float(confidence)) if not 0.5 < confidence < 1:
            raise RuleError(f"{where}: confidence: {confidence}: between 50% and 100%, such as 99%")
        case Consecutive(count=count) if not 2 <= count <= 64:
            raise RuleError(f"{where}: count: {count}: from 2 to 64; for one event write `any`")
        case Budget() as budget:
            _check_budget(budget, where)


def _check_budget(budget: Budget, where: str) -> None:
    if budget.max_count is not None:
        return
    if not 0 < budget.objective < 1:
        raise RuleError(f"{where}: objective: {budget.objective}: write a share between 0 and 1, such as 99.9%")
    most = 1 / (1 - budget.objective)
    for tier in budget.tiers:
        if tier.burn >= most:
            remedy = (
                f"even a total outage burns at {most:.4g}x, so it can never fire; lower the burn or raise the objective"
            )
            raise RuleError(f"{where}: burn: {tier.burn:g}x: {remedy}")
