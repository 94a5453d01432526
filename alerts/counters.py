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


class Totals(msgspec.Struct):
    """What one (app, environment, model) has done.

    Attributes:
        attempts: By category; every category starts at 0, so that a first 401 is an increase.
        calls: By outcome: `ok`, `failed`, and `exhausted` (failed without a retry left).
        absorbed: Failed attempts that a later one of the same call followed.
        refusals: Successes with `stop_reason: refusal`.
        tokens: By kind: `requested`, `input`, `output`, `cache_read`, `cache_write`.
        seconds: Sum of the attempts' durations.
        timed: How many attempts had a duration.
        failed_at: The newest failure of each category, Unix seconds.
    """

    attempts: dict[str, int] = msgspec.field(default_factory=lambda: {c.value: 0 for c in Category})
    calls: dict[str, int] = msgspec.field(default_factory=lambda: {"ok": 0, "failed": 0, "exhausted": 0})
    absorbed: int = 0
    refusals: int = 0
    tokens: dict[str, int] = msgspec.field(
        default_factory=lambda: {"requested": 0, "input": 0, "output": 0, "cache_read": 0, "cache_write": 0}
    )
    seconds: float = 0.0
    timed: int = 0
    failed_at: dict[str, float] = msgspec.field(default_factory=dict)

    def succeed(self, events: list[Event]) -> None:
        """Take the successes of one batch."""
        self.attempts["ok"] += len(events)
        self.calls["ok"] += len(events)
        for event in events:
            if event.stop_reason == "refusal":
                self.refusals += 1
        self._measure(events)

    def fail(self, event: Event) -> bool:
        """Take one attempt that did not succeed; return whether it is alone of its category in 5 min."""
        before = self.failed_at.get(event.category, -inf)
        self.failed_at[event.category] = max(before, event.at)
        self.attempts[event.category] += 1
        self._measure([event])
        if not event.final:
            self.absorbed += 1
        elif not event.provisional and event.category != "cancelled":
            self.end_failed(event)
        return abs(event.at - before) > ALONE_S

    def end_failed(self, event: Event) -> None:
        """Count a failed call, once it is known that nothing takes it back."""
        self.calls["exhausted" if event.exhausted else "failed"] += 1

    def _measure(self, events: list[Event]) -> None:
        requested = taken = given = read = written = timed = 0
        milliseconds = 0.0
        for event in events:
            if event.tokens:
                requested += event.tokens
            if event.input_tokens:
                taken += event.input_tokens
            if event.output_tokens:
                given += event.output_tokens
            if event.cache_read_tokens:
                read += event.cache_read_tokens
            if event.cache_write_tokens:
                written += event.cache_write_tokens
            if event.duration_ms is not None:
                milliseconds += event.duration_ms
                timed += 1
        tokens = self.tokens
        tokens["requested"] += requested
        tokens["input"] += taken
        tokens["output"] += given
        tokens["cache_read"] += read
        tokens["cache_write"] += written
        self.seconds += milliseconds / 1000
        self.timed += timed
