"""`silent` and `end_of_life`: what a key's events say by being there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from math import floor

from alerts import conditions

from .found import Holds
from .keys import Key
from .log import resumed_at
from .windows import Arriving, Newest


class Silent:
    """Who called steadily has sent nothing for a while."""

    def __init__(self, key: Key, condition: conditions.Silent) -> None:
        self.condition = condition
        self.key = key
        self.width = condition.window_s // 60
        self._last = Newest([(a.seen_at, a.at) for a in key.everything])

    def __call__(self, g: int, state: str) -> Holds:
        last, after_s = self._last.before(g), self.condition.after_s
        value = {"silent_s": g - last}
        if state != "inactive":
            return g - last >= after_s, value
        return g - max(last, resumed_at(self.key.pauses, g)) >= after_s and self._steady(g, last), value

    def _steady(self, g: int, last: float) -> bool:
        w, steady_s = self.width, self.condition.steady_s
        attempts = self._buckets(g)
        near = range(floor((last - steady_s) / w), floor(last / w) + 1)
        whole = [b for b in near if last - steady_s <= b * w and (b + 1) * w <= last]
        return bool(whole) and all(attempts[b] >= self.condition.per_minute * w / 60 for b in whole)

    def _buckets(self, g: int) -> Counter[int]:
        newest = floor(g / self.width)
        seen = (floor(a.at / self.width) for a in self.key.attempts if a.seen_at < g)
        return Counter(b for b in seen if newest - 59 <= b <= newest)

    def instants(self) -> Iterable[float]:
        for attempt in self.key.everything:
            yield attempt.at + self.condition.after_s
        for pause in self.key.pauses:
            yield pause.resumed_at + self.condition.after_s


class EndOfLife:
    """A model that is called will be gone soon."""

    def __init__(self, key: Key, condition: conditions.EndOfLife) -> None:
        self.within_s = condition.within_s
        said = [(a.seen_at, a.at, end_of(a.event.model_end_of_life)) for a in key.attempts]
        self._dates = [(seen, (at, -end)) for seen, at, end in said if end is not None]
        self._arriving = Arriving(self._dates)
        self._newest: tuple[float, float] | None = None

    def __call__(self, g: int, state: str) -> Holds:
        known = self._arriving.before(g)
        self._newest = max([*known, *([self._newest] if self._newest else [])], default=None)
        if self._newest is None:
            return None, {}
        left_s = -self._newest[1] - g
        return left_s <= self.within_s, {"left_s": left_s}

    def instants(self) -> Iterable[float]:
        for _, (_, minus_end) in self._dates:
            yield -minus_end - self.within_s


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def end_of(text: str | None) -> float | None:
    """Return when a day begins, UTC; None for what does not begin with a date of the calendar."""
    date = _DATE.match(text or "")
    if date is None:
        return None
    try:
        return datetime.strptime(date[0], "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
