"""`headroom`: at the present pace a rate limit runs out before it is full again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from math import floor, inf
from typing import NamedTuple

from claxon.event import Event

from alerts.conditions import Headroom as Condition

from .found import Holds
from .keys import Key
from .log import Value
from .windows import Arriving

KINDS = ("requests", "tokens", "input_tokens", "output_tokens")
GRAIN_S = 5
LEAST_S = 10


class Sample(NamedTuple):
    """What an event says of one kind; no `reset` is the earliest."""

    kind: str
    at: float
    remaining: float
    limit: float
    reset: float


def _samples(event: Event) -> Iterator[Sample]:
    if event.category == "rate_limit":
        return
    for kind in KINDS:
        limit = getattr(event.ratelimit, f"{kind}_limit", None)
        remaining = getattr(event.ratelimit, f"{kind}_remaining", None)
        if limit and remaining is not None:
            yield Sample(kind, event.at, remaining, limit, _instant(getattr(event.ratelimit, f"{kind}_reset")))


def _instant(reset: datetime | float | None) -> float:
    if reset is None:
        return -inf
    return reset.timestamp() if isinstance(reset, datetime) else float(reset)


class Headroom:
    """Any kind of limit is short."""

    def __init__(self, key: Key, condition: Condition, *, scan: bool) -> None:
        self.condition = condition
        self.scan = scan
        self._coming = [(a.seen_at, sample) for a in key.attempts for sample in _samples(a.event)]
        self._arriving = Arriving(self._coming)
        self._known: list[Sample] = []

    def __call__(self, g: int, state: str) -> Holds:
        inside = self._inside(g)
        value: Value = {}
        said = []
        for kind in KINDS:
            of_kind = [sample for sample in inside if sample.kind == kind]
            if of_kind:
                said.append(self._short(of_kind, value))
        return (any(said) if said else None), value

    def _inside(self, g: int) -> list[Sample]:
        after = g - self.condition.window_s
        if self.scan:
            return [sample for seen_at, sample in self._coming if seen_at < g and sample.at > after]
        self._known += self._arriving.before(g)
        self._known = [sample for sample in self._known if sample.at > after]
        return self._known

    def _short(self, samples: list[Sample], value: Value) -> bool:
        grains = {floor(sample.at / GRAIN_S) for sample in samples}
        newest, oldest = _of_grain(samples, max(grains)), _of_grain(samples, min(grains))
        value |= {f"{newest.kind}.remaining": newest.remaining, f"{newest.kind}.limit": newest.limit}
        if newest.remaining == 0:
            return True
        passed_s, used = newest.at - oldest.at, oldest.remaining - newest.remaining
        if newest.remaining / newest.limit >= self.condition.below or passed_s < LEAST_S or used <= 0:
            return False
        return newest.at + newest.remaining * passed_s / used < newest.reset

    def instants(self) -> Iterable[float]:
        for _, sample in self._coming:
            yield sample.at + self.condition.window_s


def _of_grain(samples: list[Sample], grain: int) -> Sample:
    same = [sample for sample in samples if floor(sample.at / GRAIN_S) == grain]
    return max(same, key=lambda sample: (sample.at, -sample.remaining, sample.limit, sample.reset))
