"""From the table of states to every transition of every alert."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf

from alerts import conditions
from alerts.rules import Rule

from .conditions import condition_of
from .keys import Attempt, Batch, Key, keys_of
from .log import Calls, Change, Moment, Value, never_back, pauses_of, resumed_at
from .parked import says_sleep
from .windows import Newest


def oracle(
    rules: Iterable[Rule], log: Sequence[Moment], *, scan: bool = False, every_second: bool = False
) -> dict[str, list[Change]]:
    """Return what becomes of every alert that changes at all, by "alertname{labels}", in order."""
    log = never_back(log)
    calls, pauses = Calls(log), pauses_of(log)
    found: dict[str, list[Change]] = {}
    for rule in rules:
        for key in keys_of(rule, log, calls=calls, pauses=pauses):
            changes = _Life(key, scan=scan).run(log[-1].now, every_second=every_second)
            if changes:
                found[key.name] = changes
    return found


@dataclass(slots=True)
class _Alert:
    state: str = "inactive"
    since: int = 0
    kept_since: int | None = None


class _Life:
    """The alert of one key, from the key's first event to the end of the log."""

    def __init__(self, key: Key, *, scan: bool) -> None:
        self.key = key
        self.rule = key.rule
        self.alert = _Alert()
        self.changes: list[Change] = []
        self.condition = condition_of(key, scan=scan)
        self._last = Newest([(a.seen_at, a.at) for a in key.everything])
        self._news = Newest([(a.seen_at, a.at) for a in _news(key)])

    def run(self, end: float, *, every_second: bool) -> list[Change]:
        times = self._interesting(floor(end))
        g = floor(self.key.batches[0].now) + 1
        for now, attempts in [*self.key.batches, Batch(end, [])]:
            while g <= now:
                before = (self.alert.state, self.alert.kept_since)
                self._evaluate(g)
                changed = before != (self.alert.state, self.alert.kept_since)
                g = g + 1 if changed or every_second else self._next(g, times)
            if isinstance(self.rule.condition, conditions.Any):
                self._match(now, attempts)
                g = min(g, floor(now) + 1)
        return self.changes

    # ── which seconds are looked at ───────────────────────────────────────────

    def _interesting(self, end: int) -> list[int]:
        """Return the seconds at which a condition may become another, but for the alert's own times."""
        stale_s = self.rule.stale_after_s
        found = {floor(batch.now) + 1 for batch in self.key.batches}
        found.update(ceil(a.at + stale_s) for a in self.key.everything)
        found.update(ceil(pause.resumed_at + stale_s) for pause in self.key.pauses)
        found.update(map(ceil, self.condition.instants()))
        for a in self.key.attempts:
            if a.taken_back_at < inf:
                found.add(floor(a.taken_back_at) + 1)
            for length in self.rule.windows:
                width = length // 60
                found.add((floor(a.at / width) + 60) * width)
        near = {g + d for g in found for d in (-1, 0, 1)}
        return sorted(g for g in near if g <= end)

    def _next(self, g: int, times: list[int]) -> int:
        """Return the next second after g that may differ from it."""
        i = bisect_right(times, g)
        ahead = [times[i]] if i < len(times) else []
        alert = self.alert
        if alert.state == "pending":
            ahead.append(alert.since + self.rule.hold_s)
        if alert.kept_since is not None:
            ahead.append(alert.kept_since + self.rule.keep_firing_for_s)
        later = [t for t in ahead if t > g]
        # Past the last one nothing can change: any second beyond the log's end will do.
        return min(later, default=2**62)

    # ── the table ─────────────────────────────────────────────────────────────

    def _match(self, now: float, attempts: list[Attempt]) -> None:
        stale = self.rule.stale_after_s
        matching = [a for a in attempts if a.matches and a.at + stale > now]
        if not matching:
            return
        self.alert.kept_since = None
        if self.alert.state != "firing":
            self.alert.state = "firing"
            self._tell(now, "fired", value={})

    def _evaluate(self, g: int) -> None:
        """Move the alert as the table says."""
        holds, value = self.condition(g, self.alert.state)
        last = max(self._last.before(g), resumed_at(self.key.pauses, g))
        silent = g - last >= self.rule.stale_after_s
        old = g - self._news.before(g) >= self.rule.stale_after_s
        match self.alert.state:
            case "inactive":
                self._begin(g, holds=bool(holds) and not old, value=value)
            case "pending":
                self._wait(g, holds=False if silent else holds, value=value)
            case _:
                self._keep(g, holds=holds, silent=silent, value=value)

    def _begin(self, g: int, *, holds: bool, value: Value) -> None:
        if holds and self.rule.hold_s:
            self.alert = _Alert(state="pending", since=g)
            self._tell(g, "pending", value=value)
        elif holds:
            self.alert = _Alert(state="firing")
            self._tell(g, "fired", value=value)

    def _wait(self, g: int, *, holds: bool | None, value: Value) -> None:
        if holds is False:
            self.alert = _Alert()
            self._tell(g, "calmed", value=value)
        elif holds and g - self.alert.since >= self.rule.hold_s:
            self.alert = _Alert(state="firing")
            self._tell(g, "fired", value=value)

    def _keep(self, g: int, *, holds: bool | None, silent: bool, value: Value) -> None:
        alert = self.alert
        if holds:
            alert.kept_since = None
        elif holds is False and alert.kept_since is None:
            alert.kept_since = g
        kept_s = g - alert.kept_since if alert.kept_since is not None else -1
        if holds is False and kept_s >= self.rule.keep_firing_for_s:
            self._resolve(g, "recovered", value)
        elif silent:
            self._resolve(g, "stale", value)

    def _resolve(self, g: int, reason: str, value: Value) -> None:
        self.alert = _Alert()
        self._tell(g, "resolved", reason=reason, value=value)

    def _tell(self, at: float, change: str, *, value: Value, reason: str = "") -> None:
        self.changes.append(Change(self.key.name, at, change, reason, value))


def _news(key: Key) -> list[Attempt]:
    """Return the attempts of which one must be young for an alert to begin."""
    match key.rule.condition:
        case conditions.Headroom() | conditions.Silent() | conditions.EndOfLife():
            return key.everything
    return [a for a in key.attempts if _speaks(key.rule, a)]


def _speaks(rule: Rule, attempt: Attempt) -> bool:
    """Whether an attempt is a failure that speaks for a rule."""
    match rule.condition:
        case conditions.ErrorRate(of=conditions.Of.CALLS):
            return attempt.matches and attempt.final
        case conditions.Budget():
            return attempt.matches and bool(attempt.event.exhausted)
        case conditions.Parked() as parked:
            return says_sleep(attempt, parked)
    return attempt.matches
