"""retry_rules: whether to try again, and after how long; decided from numbers alone.

Source:
    "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): of its
    variants, full jitter makes the least load and is nearly the fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .outcome import NEVER, Outcome
from .taxonomy import KINDS, Category


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """How often a call is tried again after failures of one category.

    Attributes:
        retries: After how many failures of this category another attempt follows, at most.
        within_s: Only as long as the attempt begins this soon after the first of them; None is as long as the deadline.
    """

    retries: int
    within_s: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.retries <= 100:
            raise ValueError(f"RetryRule: retries: {self.retries!r}: give a whole number from 0 to 100")
        if self.within_s is not None and not self.within_s > 0:
            raise ValueError(f"RetryRule: within_s: {self.within_s!r}: give seconds above 0, or None")


RULES: dict[Category, RetryRule] = {
    Category.RATE_LIMIT: RetryRule(retries=3),
    Category.OVERLOADED: RetryRule(retries=3, within_s=30.0),
    Category.SERVER: RetryRule(retries=3),
    Category.CONNECTION: RetryRule(retries=3),
    # Ten minutes each, unless the app says otherwise.
    Category.TIMEOUT: RetryRule(retries=1),
    Category.CONFLICT: RetryRule(retries=2),
}
"""What a policy does unless told otherwise. A category that is not here is not tried again,
unless the API says `x-should-retry: true`: then once."""

ONCE = RetryRule(retries=1)
NO_RETRY = RetryRule(retries=0)


def read_rules(given: Mapping[Category | str, RetryRule | int] | None) -> dict[Category, RetryRule]:
    """Return the rules, those given in place of the usual ones; a number is that many retries.

    Raises:
        ValueError: A category that does not exist, or that no retry can help.
    """
    rules = dict(RULES)
    for name, rule in (given or {}).items():
        try:
            category = Category(name)
        except ValueError:
            choices = ", ".join(category for category in Category if category not in NEVER)
            raise ValueError(f"RetryPolicy: rules: {name!r}: no such category: use one of {choices}") from None
        rules[category] = RetryRule(retries=rule) if isinstance(rule, int) else rule
        if rules[category].retries and category in NEVER:
            advice = KINDS[category].advice
            raise ValueError(f"RetryPolicy: rules: {name}: cannot be retried: leave it out. {advice}")
    return rules


class Decision(NamedTuple):
    """Whether to try again.

    Attributes:
        delay_s: Seconds to sleep before the next attempt; None ends the call.
        stopped_by: Why it ends, where another attempt might have helped.
    """

    delay_s: float | None
    stopped_by: str | None = None


@dataclass(slots=True, kw_only=True)
class Course:
    """What has happened to one call so far.

    Attributes:
        deadline: The instant at which it must have ended; None without one.
        attempts: That have been sent.
        spent_usd: What failed attempts may have cost.
        failures: By category: how many, and when the first one ended.
        stopped_by: Why it was not tried again.
    """

    deadline: float | None
    attempts: int = 0
    spent_usd: float = 0.0
    failures: dict[Category, tuple[int, float]] = field(default_factory=dict)
    stopped_by: str | None = None

    def failed(self, category: Category, now: float) -> tuple[int, float]:
        """Count a failure; return how many of its category there were, and when the first was."""
        times, first = self.failures.get(category, (0, now))
        self.failures[category] = (times + 1, first)
        return times + 1, first


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to sleep.

    Attributes:
        base_s: The most before the first retry; doubles.
        most_s: The most before any.
        random: Uniform in [0, 1).
    """

    base_s: float
    most_s: float
    random: Callable[[], float]

    def after(self, attempts: int, retry_after_s: float | None) -> float:
        """Return the seconds to sleep after `attempts` attempts.

        With full jitter; after what the API asked for and a little, so that not
        all who were told the same come back at the same moment.
        """
        if retry_after_s is not None:
            return retry_after_s + self.random() * self.base_s
        return self.random() * min(self.most_s, self.base_s * 2.0 ** min(attempts - 1, 30))


def decide(
    outcome: Outcome,
    course: Course,
    *,
    rules: Mapping[Category, RetryRule],
    most_attempts: int,
    most_retry_after_s: float,
    backoff: Backoff,
    now: float,
) -> Decision:
    """Return whether a failed attempt is followed by another, by all but the budgets."""
    if not outcome.retryable:
        return Decision(None)
    times, first = course.failed(outcome.category, now)
    rule = rules.get(outcome.category, ONCE if outcome.should_retry else NO_RETRY)
    if times > rule.retries or course.attempts >= most_attempts:
        return Decision(None, "max_attempts")
    asked = outcome.retry_after_s
    if asked is not None and asked > most_retry_after_s:
        return Decision(None, "retry_after")
    delay = backoff.after(course.attempts, asked)
    if rule.within_s is not None and now + delay > first + rule.within_s:
        return Decision(None, "max_attempts")
    if course.deadline is not None and now + delay >= course.deadline:
        return Decision(None, "deadline")
    return Decision(delay)
