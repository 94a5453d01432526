"""token_bucket_api: a Claude API whose rate limits are token buckets, with the headers that the real one sends.

Requests and input tokens are drawn when a call is admitted, output tokens when
it is answered. A bucket that holds too little refuses with a 429, whose
`retry-after` says when there is enough again. Counts of tokens in the headers
are rounded to the thousand, and instants to the second, as the real ones are.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from service.demo.claude_step import Request, Step

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one call draws."""

    requests: float = 1.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0


class Limits:
    """The buckets of one workspace and model. Thread-safe; told the time.

    Args:
        limits: A minute, by kind: `requests`, `input_tokens`, `output_tokens`.
        filled: The share that is in them at first.
        now: Then.
    """

    def __init__(self, limits: Mapping[str, float], *, filled: float = 1.0, now: float = 0.0) -> None:
        self.limits = dict(limits)
        self._left = {kind: limit * filled for kind, limit in limits.items()}
        self._at = now
        self._lock = threading.Lock()

    def _refill(self, now: float) -> None:
        for kind, limit in self.limits.items():
            self._left[kind] = min(limit, self._left[kind] + limit / MINUTE_S * (now - self._at))
        self._at = now

    def admit(self, cost: Cost, now: float) -> float | None:
        """Draw what a call costs at its start; return the seconds until there would be enough, if there is not."""
        with self._lock:
            self._refill(now)
            short = [
                (needed - self._left[kind]) / (limit / MINUTE_S)
                for kind, limit in self.limits.items()
                if self._left[kind] < (needed := 1.0 if kind == "output_tokens" else getattr(cost, kind))
            ]
            if short:
                return max(short)
            for kind in self.limits:
                if kind != "output_tokens":
                    self._left[kind] -= getattr(cost, kind)
            return None

    def answered(self, cost: Cost, now: float) -> None:
        """Draw what was written."""
        with self._lock:
            self._refill(now)
            if "output_tokens" in self._left:
                self._left["output_tokens"] -= cost.output_tokens

    def headers(self, now: float, *, epoch: float = 1_800_000_000.0) -> dict[str, str]:
        """Return the headers at an instant; `epoch` is the Unix time of the clock's 0."""
        with self._lock:
            self._refill(now)
            left = dict(self._left)
        found = {}
        for kind, limit in self.limits.items():
            name = f"anthropic-ratelimit-{kind.replace('_', '-')}-"
            held = max(0.0, left[kind])
            remaining = math.floor(held) if kind == "requests" else round(held, -3)
            full_at = epoch + now + (limit - left[kind]) / (limit / MINUTE_S)
            found[name + "limit"] = f"{limit:.0f}"
            found[name + "remaining"] = f"{remaining:.0f}"
            found[name + "reset"] = datetime.fromtimestamp(math.floor(full_at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return found


class TokenBucketApi:
    """What to give `FakeClaude(respond=...)`: it answers 200 or 429 as the limits say.

    Args:
        limits: As of `Limits`.
        filled: The share that is in them at first.
        cost: What a request draws.
        takes_s: How long an answer takes.
        clock: Seconds.

    Attributes:
        answered: How many calls were; `refused` likewise.
    """

    def __init__(
        self,
        limits: Mapping[str, float],
        *,
        filled: float = 1.0,
        cost: Callable[[Request], Cost] = lambda request: Cost(),
        takes_s: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._cost = cost
        self._takes_s = takes_s
        self._count = threading.Lock()
        self.limits = Limits(limits, filled=filled, now=clock())
        self.answered = 0
        self.refused = 0

    def __call__(self, request: Request) -> Step:
        """Return what becomes of a request."""
        cost = self._cost(request)
        short_s = self.limits.admit(cost, self._clock())
        with self._count:
            self.answered += short_s is None
            self.refused += short_s is not None
        headers = self.limits.headers(self._clock(), epoch=0.0)
        if short_s is not None:
            return Step(status=429, retry_after=str(math.ceil(short_s)), headers=headers)
        self.limits.answered(cost, self._clock())
        return Step(delay=self._takes_s, headers=headers)
