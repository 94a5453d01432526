"""Totals since the log began, for /metrics and the page.

Part of the engine's state, so a restart does not reset them.
"""

from __future__ import annotations

from math import inf

import msgspec
from claxon.event import Event
from claxon.taxonomy import Category

ALONE_S = 300.0
"""A failure is alone when the same model had none of its category for so long."""

Model = tuple[str, str, str]
"""(app, environment, model)."""


class Totals(msgspec.Struct, omit_defaults=True):
    """What one (app, environment, model) has done.

    Attributes:
        attempts: By category, of those it had any of; `by_category` has all.
        ok: Calls that succeeded.
        failed: Calls that failed with a retry left, or where none was possible.
        exhausted: Calls that failed without a retry left.
        absorbed: Failed attempts that a later one of the same call followed.
        refusals: Successes with `stop_reason: refusal`.
        requested, input, output, cache_read, cache_write: Tokens.
        seconds: Sum of the attempts' durations.
        timed: How many attempts had a duration.
        failed_at: The newest failure of each category, Unix seconds.
    """

    attempts: dict[str, int] = msgspec.field(default_factory=dict)
    ok: int = 0
    failed: int = 0
    exhausted: int = 0
    absorbed: int = 0
    refusals: int = 0
    requested: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    seconds: float = 0.0
    timed: int = 0
    failed_at: dict[str, float] = msgspec.field(default_factory=dict)

    def by_category(self) -> dict[str, int]:
        """Return the attempts of every category from 0, so that a first 401 is an increase."""
        return {category.value: self.attempts.get(category.value, 0) for category in Category}

    def by_outcome(self) -> dict[str, int]:
        """Return the calls that ended, by outcome."""
        return {"ok": self.ok, "failed": self.failed, "exhausted": self.exhausted}

    def by_kind(self) -> dict[str, int]:
        """Return the tokens by kind."""
        return {
            "requested": self.requested,
            "input": self.input,
            "output": self.output,
            "cache_read": self.cache_read,
            "cache_write": self.cache_write,
        }

    def succeed(self, n: int) -> None:
        """Take successes."""
        self.attempts["ok"] = self.attempts.get("ok", 0) + n
        self.ok += n

    def fail(self, event: Event) -> bool:
        """Take one attempt that did not succeed; return whether it is alone of its category in 5 min."""
        category = event.category
        before = self.failed_at.get(category, -inf)
        if event.at > before:
            self.failed_at[category] = event.at
        self.attempts[category] = self.attempts.get(category, 0) + 1
        if not event.final:
            self.absorbed += 1
        elif not event.provisional and category != "cancelled":
            self.end_failed(event)
        return abs(event.at - before) > ALONE_S

    def end_failed(self, event: Event) -> None:
        """Count a failed call, once it is known that nothing takes it back."""
        if event.exhausted:
            self.exhausted += 1
        else:
            self.failed += 1

    def measure(self, event: Event) -> None:
        """Take an attempt's tokens and duration."""
        n = event.tokens
        if n is None:
            n = event.max_tokens
        if n:
            self.requested += n
        if n := event.input_tokens:
            self.input += n
        if n := event.output_tokens:
            self.output += n
        if n := event.cache_read_tokens:
            self.cache_read += n
        if n := event.cache_write_tokens:
            self.cache_write += n
        if (duration := event.duration_ms) is not None:
            self.seconds += duration / 1000
            self.timed += 1
        if event.stop_reason == "refusal":
            self.refusals += 1

    def add(self, other: Totals) -> None:
        """Take all that another has counted."""
        for category, n in other.attempts.items():
            self.attempts[category] = self.attempts.get(category, 0) + n
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_SUMS = tuple(name for name in Totals.__struct_fields__ if name not in ("attempts", "failed_at"))
