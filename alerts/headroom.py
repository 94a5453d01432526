"""How much is left of the rate limits of one key, and for how long at the present pace.

≠ rules, keys. docs/reference/decisions.md, `headroom`, is the definition.
"""

from __future__ import annotations

from datetime import datetime
from math import inf

import msgspec
from claxon.event import RateLimits

LIMITS = ("requests", "tokens", "input_tokens", "output_tokens")
"""What the API limits; a shortage, and `limit_kind` in a value, name one by its place here."""

BUCKET_S = 5
LEAST_SPAN_S = 10.0
"""A pace is taken between samples that are at least so far apart."""


class Sample(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one event said of one limit.

    Attributes:
        at: Unix seconds.
        remaining: Of the limit.
        limit: Over 0.
        reset: When the bucket is full again, Unix seconds; None where it was not said.
    """

    at: float
    remaining: float
    limit: float
    reset: float | None


class Shortage(msgspec.Struct, frozen=True):
    """A limit as it is: which one, what is left, and when it runs out at the present pace (None: it does not)."""

    kind: int
    sample: Sample
    out_at: float | None


class Samples(msgspec.Struct):
    """The samples of one key: for each limit, by bucket of 5 s, the newest of each."""

    kinds: list[dict[int, Sample]] = msgspec.field(default_factory=lambda: [{} for _ in LIMITS])

    def add(self, at: float, limits: RateLimits) -> None:
        """Take what an event said."""
        for kind, name in enumerate(LIMITS):
            sample = _sample(at, limits, name)
            if sample is None:
                continue
            known = self.kinds[kind].get(bucket := int(at // BUCKET_S))
            if known is None or _rank(sample) > _rank(known):
                self.kinds[kind][bucket] = sample

    def forget_after(self, now: float) -> None:
        """Let go what a clock that was ahead put after `now`."""
        for samples in self.kinds:
            for bucket in [b for b, sample in samples.items() if sample.at > now]:
                del samples[bucket]

    def low(self, below: float) -> bool:
        """Whether the newest sample of any limit is below a share of it."""
        newest = [samples[max(samples)] for samples in self.kinds if samples]
        return any(sample.remaining <= 0 or sample.remaining / sample.limit < below for sample in newest)

    def judge(self, since: float) -> list[Shortage]:
        """Return each limit of which there are samples after an instant, and forget older ones."""
        found: list[Shortage] = []
        for kind, samples in enumerate(self.kinds):
            for bucket in [b for b, sample in samples.items() if sample.at <= since]:
                del samples[bucket]
            if samples:
                found.append(_judge(kind, samples))
        return found


def _judge(kind: int, samples: dict[int, Sample]) -> Shortage:
    oldest, newest = samples[min(samples)], samples[max(samples)]
    span = newest.at - oldest.at
    used = oldest.remaining - newest.remaining
    out_at = newest.at + newest.remaining * span / used if span >= LEAST_SPAN_S and used > 0 else None
    return Shortage(kind=kind, sample=newest, out_at=out_at)


def is_short(shortage: Shortage, *, below: float) -> bool:
    """Whether a limit is used up, or will be before it is full again."""
    sample = shortage.sample
    if sample.remaining <= 0:
        return True
    if shortage.out_at is None or sample.reset is None or sample.remaining / sample.limit >= below:
        return False
    return shortage.out_at < sample.reset


def _rank(sample: Sample) -> tuple[float, float, float, float]:
    """Return what puts the newest sample last, and of two at once the one that is shorter of its limit."""
    return sample.at, -sample.remaining, sample.limit, sample.reset if sample.reset is not None else -inf


def _sample(at: float, limits: RateLimits, name: str) -> Sample | None:
    limit, remaining = getattr(limits, f"{name}_limit"), getattr(limits, f"{name}_remaining")
    if limit is None or remaining is None or limit <= 0:
        return None
    reset = getattr(limits, f"{name}_reset")
    return Sample(at, remaining, limit, reset.timestamp() if isinstance(reset, datetime) else reset)
