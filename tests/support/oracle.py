"""Oracle: every alert by brute force, written from docs/reference/decisions.md and not from the engine.

Slow and plain on purpose. It is given the whole log at once, takes each alert
by itself, and at each whole second counts anew. Its one short cut: where no
event appears, gets ready, leaves a window or falls silent, and no time of the
alert has come, a second must be as the one before, and is passed over;
`every_second=True` does without it, and `scan=True` without counting by bucket.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, floor, inf, sqrt
from statistics import NormalDist
from typing import NamedTuple, Protocol

import msgspec
from claxon.event import Event

from alerts.decisions import Transition
from alerts.evaluator import Engine
from alerts.matchers import Matcher
from alerts.rules import Any, Budget, Consecutive, ErrorRate, Rule

SHORT, DAY = 300, 86_400
LEFT_OVER = 256
REMEMBERED_S = 600
CHANGES = ("pending", "calmed", "fired", "resolved")

Value = dict[str, float]


class Moment(NamedTuple):
    """One entry of the log: what was observed at `now`; no events make it a tick."""

    now: float
    events: Sequence[Event] = ()


class Change(NamedTuple):
    """One transition of one alert."""

    alert: str
    at: float
    change: str
    reason: str
    value: Value


@dataclass(slots=True, eq=False)
class Attempt:
    """One event as one key of one rule sees it.

    Attributes:
        event: As observed.
        seen_at: When it was observed; the evaluation at g sees it when seen_at < g.
        taken_back_at: When a higher attempt of its call had been observed too.
        matches: Whether it is among the failures that the rule is about.
    """

    event: Event
    seen_at: float
    taken_back_at: float
    matches: bool

    @property
    def at(self) -> float:
        return self.event.at

    @property
    def ok(self) -> bool:
        return self.event.category == "ok"

    def is_call(self, g: int) -> bool:
        """Whether it counts as a call at g: a success, or final and not taken back."""
        return self.ok or (bool(self.event.final) and g <= self.taken_back_at)

    def is_failed(self, g: int) -> bool:
        return not self.ok and self.matches and self.is_call(g)

    def is_exhausted(self, g: int) -> bool:
        return self.is_failed(g) and bool(self.event.exhausted)


@dataclass(frozen=True, slots=True)
class Counts:
    """What lies in one window at one second."""

    attempts: int = 0
    matching: int = 0
    calls: int = 0
    failed: int = 0
    exhausted: int = 0


def oracle(
    rules: Iterable[Rule], log: Sequence[Moment], *, scan: bool = False, every_second: bool = False
) -> dict[str, list[Change]]:
    """Return what becomes of every alert that changes at all, by "alertname{labels}", in order."""
    log = _never_back(log)
    taken_back_at = _taken_back_at(log)
    found: dict[str, list[Change]] = {}
    for rule in rules:
        for name, moments in _by_key(rule, log, taken_back_at).items():
            changes = _Key(rule, name, moments, scan=scan).run(log[-1].now, every_second=every_second)
            if changes:
                found[name] = changes
    return found


def _never_back(log: Sequence[Moment]) -> list[Moment]:
    latest, forward = -inf, []
    for moment in log:
        latest = max(latest, moment.now)
        forward.append(Moment(latest, moment.events))
    return forward


def _taken_back_at(log: Sequence[Moment]) -> dict[int, float]:
    """Return when each provisional failure is taken back, by the identity of its event."""
    calls: dict[tuple[str, str, str], list[tuple[float, Event]]] = defaultdict(list)
    for now, events in log:
        for event in events:
            if event.call_id is not None and (event.provisional or event.attempt > 1):
                calls[event.app, event.environment, event.call_id].append((now, event))
    return {
        identity: at
        for attempts in calls.values()
        for remembered in _while_remembered(attempts)
        for identity, at in _taken_back_among(remembered).items()
    }


def _while_remembered(attempts: list[tuple[float, Event]]) -> list[list[tuple[float, Event]]]:
    """Cut the attempts of a call where it had not been heard of for 10 min, by whole minutes."""
    cut = [attempts[:1]]
    for before, this in pairwise(attempts):
        if before[0] < floor(this[0] / 60) * 60 - REMEMBERED_S:
            cut.append([])
        cut[-1].append(this)
    return cut


def _taken_back_among(attempts: list[tuple[float, Event]]) -> dict[int, float]:
    found = {}
    for now, event in attempts:
        if event.provisional:
            higher = [max(now, later) for later, other in attempts if other.attempt > event.attempt]
            found[id(event)] = min(higher, default=inf)
    return found


def _all_match(matchers: Sequence[Matcher], event: Event) -> bool:
    return all(matcher.matches(_label(event, matcher.name)) for matcher in matchers)


def _label(event: Event, name: str) -> str:
    value = getattr(event, name)
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _by_key(rule: Rule, log: Sequence[Moment], taken_back_at: dict[int, float]) -> dict[str, list[_Batch]]:
    keys: dict[str, list[_Batch]] = defaultdict(list)
    for now, events in log:
        batch: dict[str, list[Attempt]] = defaultdict(list)
        for event in events:
            if _all_match(rule.scope, event):
                matches = event.category not in ("ok", "cancelled") and _all_match(rule.failures, event)
                taken = taken_back_at.get(id(event), inf)
                batch[alert_name(_labels(rule, event))].append(Attempt(event, now, taken, matches))
        for name, attempts in batch.items():
            keys[name].append(_Batch(now, attempts))
    return keys


def _labels(rule: Rule, event: Event) -> dict[str, str]:
    by = {name: getattr(event, name) for name in rule.by}
    return {"alertname": rule.alert} | {n: v for n, v in by.items() if v} | rule.labels


def alert_name(labels: dict[str, str]) -> str:
    """Return an alert's labels as one line."""
    rest = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "alertname")
    return f"{labels['alertname']}{{{rest}}}"


class _Batch(NamedTuple):
    now: float
    attempts: list[Attempt]


# ── one alert ────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Alert:
    state: str = "inactive"
    since: int = 0
    kept_since: int | None = None


class _Key:
    """One key of one rule, from its first event to the end of the log."""

    def __init__(self, rule: Rule, name: str, batches: list[_Batch], *, scan: bool) -> None:
        self.rule = rule
        self.name = name
        self.batches = batches
        everything = [attempt for batch in batches for attempt in batch.attempts]
        # A cancelled attempt shows that the key is alive, and is left out of everything else.
        self.attempts = [a for a in everything if a.event.category != "cancelled"]
        self.alert = _Alert()
        self.changes: list[Change] = []
        counter = scan_window if scan else Tally
        windows = {length: counter(self.attempts, length) for length in rule.windows}
        self.condition = _condition(rule, self.attempts, windows)
        self._last = _Newest([(a.seen_at, a.at) for a in everything])
        self._failed = _Newest([(a.seen_at, a.at) for a in self.attempts if _counts(rule, a)])

    def run(self, end: float, *, every_second: bool) -> list[Change]:
        times = self._interesting(floor(end))
        g = floor(self.batches[0].now) + 1
        for now, attempts in [*self.batches, _Batch(end, [])]:
            while g <= now:
                before = (self.alert.state, self.alert.kept_since)
                self._evaluate(g)
                changed = before != (self.alert.state, self.alert.kept_since)
                g = g + 1 if changed or every_second else self._next(g, times)
            if isinstance(self.rule.condition, Any):
                self._match(now, attempts)
                g = min(g, floor(now) + 1)
        return self.changes

    def _interesting(self, end: int) -> list[int]:
        """Return the seconds at which a condition may become another, but for the alert's own times."""
        found: set[int] = set()
        for batch in self.batches:
            found.add(floor(batch.now) + 1)
            found.update(ceil(a.at + self.rule.stale_after_s) for a in batch.attempts)
        for a in self.attempts:
            if a.taken_back_at < inf:
                found.add(floor(a.taken_back_at) + 1)
            for length in self.rule.windows:
                width = length // 60
                found.add((floor(a.at / width) + 60) * width)
            if isinstance(self.rule.condition, Consecutive):
                found.add(ready_at(a, self.rule.condition))
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
        silent = g - self._last.before(g) >= self.rule.stale_after_s
        old = g - self._failed.before(g) >= self.rule.stale_after_s
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
        self.changes.append(Change(self.name, at, change, reason, value))


def _counts(rule: Rule, attempt: Attempt) -> bool:
    """Whether an attempt speaks for a rule's condition."""
    match rule.condition:
        case ErrorRate():
            return attempt.matches and bool(attempt.event.final)
        case Budget():
            return attempt.matches and bool(attempt.event.exhausted)
    return attempt.matches


class _Newest:
    """The newest of some instants among those that were seen before a second; seconds only go forward."""

    def __init__(self, seen: Iterable[tuple[float, float]]) -> None:
        self._coming = sorted(seen, reverse=True)
        self._newest = -inf

    def before(self, g: int) -> float:
        while self._coming and self._coming[-1][0] < g:
            self._newest = max(self._newest, self._coming.pop()[1])
        return self._newest


# ── windows ──────────────────────────────────────────────────────────────────


class Window(Protocol):
    """Counts one window at a second."""

    def __call__(self, g: int) -> Counts: ...


def scan_window(attempts: Sequence[Attempt], length: int) -> Window:
    """Return a window that looks at every attempt each time."""
    width = length // 60

    def count(g: int) -> Counts:
        newest = floor(g / width)
        inside = [a for a in attempts if a.seen_at < g and newest - 59 <= floor(a.at / width) <= newest]
        return Counts(
            attempts=len(inside),
            matching=sum(a.matches for a in inside),
            calls=sum(a.is_call(g) for a in inside),
            failed=sum(a.is_failed(g) for a in inside),
            exhausted=sum(a.is_exhausted(g) for a in inside),
        )

    return count


class Tally:
    """The same from sixty sums, one for each bucket; seconds only go forward."""

    def __init__(self, attempts: Sequence[Attempt], length: int) -> None:
        self.width = length // 60
        self._coming = sorted(self._steps(attempts), key=lambda step: step[0], reverse=True)
        self._buckets: dict[int, list[int]] = defaultdict(lambda: [0] * 5)
        self._last = (-1, 0, Counts())

    @staticmethod
    def _steps(attempts: Sequence[Attempt]) -> Iterable[tuple[float, float, list[int]]]:
        """When, for which instant, and by how much the five sums change."""
        for a in attempts:
            first = floor(a.seen_at) + 1
            call = [int(a.is_call(first)), int(a.is_failed(first)), int(a.is_exhausted(first))]
            yield a.seen_at, a.at, [1, int(a.matches), *call]
            if a.taken_back_at < inf and call[0]:
                yield a.taken_back_at, a.at, [0, 0, *(-n for n in call)]

    def __call__(self, g: int) -> Counts:
        arrived = False
        while self._coming and self._coming[-1][0] < g:
            _, at, by = self._coming.pop()
            bucket = self._buckets[floor(at / self.width)]
            bucket[:] = [n + d for n, d in zip(bucket, by, strict=True)]
            arrived = True
        newest = floor(g / self.width)
        if arrived or newest != self._last[0]:
            inside = [self._buckets[i] for i in range(newest - 59, newest + 1) if i in self._buckets]
            self._last = (newest, g, Counts(*(sum(n) for n in zip(*inside, strict=True))))
        return self._last[2]


# ── conditions: (g, the alert's state) -> holds, value ────────────────────

Holds = tuple[bool | None, Value]
Condition = Callable[[int, str], Holds]


def _condition(rule: Rule, attempts: list[Attempt], windows: dict[int, Window]) -> Condition:
    match rule.condition:
        case Any():
            return _any(rule, attempts)
        case ErrorRate() as rate:
            return _error_rate(rate, windows[rate.window_s])
        case Consecutive() as consecutive:
            return _Consecutive(rule, consecutive, attempts, windows)
        case Budget() as budget if budget.max_count is not None:
            return _plain_count(budget.max_count, windows[budget.window_s])
        case Budget() as budget:
            return _burn(budget, windows)


def _any(rule: Rule, attempts: list[Attempt]) -> Condition:
    in_time = [a for a in attempts if a.matches and a.at + rule.stale_after_s > a.seen_at]
    matched = _Newest([(a.seen_at, a.at) for a in in_time])
    other = _Newest([(a.seen_at, a.at) for a in attempts if not a.matches])

    def holds(g: int, _state: str) -> Holds:
        matched_at, other_at = matched.before(g), other.before(g)
        return matched_at > -inf and matched_at >= other_at, {}

    return holds


def wilson_lower(failed: int, calls: int, confidence: float) -> float:
    """Return the one-sided lower bound of failed / calls, as the page writes it."""
    p, n, z = failed / calls, calls, NormalDist().inv_cdf(confidence)
    return (p + z**2 / (2 * n) - z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))) / (1 + z**2 / n)


def _error_rate(rate: ErrorRate, window: Window) -> Condition:
    def holds(g: int, state: str) -> Holds:
        n = window(g)
        value: Value = {"failed": n.failed, "calls": n.calls}
        if n.calls == 0:
            return None, value
        literal = n.failed >= rate.min_failed and n.failed / n.calls > rate.above
        if literal and rate.confidence is not None and state != "firing":
            return wilson_lower(n.failed, n.calls, rate.confidence) > rate.above, value
        return literal, value

    return holds


def _plain_count(most: int, window: Window) -> Condition:
    def holds(g: int, _state: str) -> Holds:
        n = window(g)
        value: Value = {"exhausted": n.exhausted, "calls": n.calls}
        return (n.exhausted > most if n.calls else None), value

    return holds


def _burn(budget: Budget, windows: dict[int, Window]) -> Condition:
    def over(n: Counts, burn: float) -> bool:
        return n.exhausted / n.calls > burn * (1 - budget.objective)

    def pair(g: int, long_s: int, short_s: int, burn: float) -> bool | None:
        long, short = windows[long_s](g), windows[short_s](g)
        if long.calls == 0:
            return None
        if not over(long, burn) or long.exhausted < budget.min_exhausted:
            return False
        return over(short, burn) if short.calls else None

    def holds(g: int, _state: str) -> Holds:
        said = [pair(g, tier.long_s, tier.short_s, tier.burn) for tier in budget.tiers]
        value: Value = {}
        for tier, word in zip(budget.tiers, said, strict=True):
            n = windows[tier.long_s](g)
            value |= {f"{tier.long_s}.exhausted": n.exhausted, f"{tier.long_s}.calls": n.calls}
            value[f"{tier.long_s}.holds"] = bool(word)
        if any(said):
            return True, value
        return (None if None in said else False), value

    return holds


def ready_at(attempt: Attempt, condition: Consecutive) -> int:
    """Return the first whole second that is settle after the attempt was observed, and after it at all."""
    return max(ceil(attempt.seen_at + condition.settle_s), floor(attempt.seen_at) + 1)


def adaptive_count(least: int, day: Counts, short: Counts) -> int:
    """Return how many failures in a row chance does not explain."""
    attempts, failures = day.attempts - short.attempts, day.matching - short.matching
    p = (failures + 0.5) / (attempts + 100)
    k = least
    while k < 64 and day.calls * p**k >= 0.01:
        k += 1
    return k


@dataclass(slots=True)
class _Consecutive:
    rule: Rule
    condition: Consecutive
    attempts: list[Attempt]
    windows: dict[int, Window]
    left: list[Attempt] = field(default_factory=list)
    boundary: float = -inf
    long: bool = False
    _seen: list[float] = field(default_factory=list)
    _successes: list[Attempt] = field(default_factory=list)
    _ready: dict[int, list[Attempt]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._successes = sorted((a for a in self.attempts if a.ok), key=lambda a: -a.seen_at)
        self._ready = defaultdict(list)
        for attempt in self.attempts:
            if attempt.ok or attempt.matches:
                self._ready[ready_at(attempt, self.condition)].append(attempt)

    def __call__(self, g: int, state: str) -> Holds:
        while self._successes and self._successes[-1].seen_at < g:
            insort(self._seen, self._successes.pop().at)
        k = self._count(g)
        ready = self._ready.get(g, [])
        # 1.
        forget = g - self.rule.keep_firing_for_s
        fresh = [a for a in ready if a.matches and a.at >= self.boundary and a.at > forget]
        # 2.
        before = fresh + self.left
        runs = self._runs(before)
        met = any(calls(run) >= k and any(a in run for a in fresh) for run in runs)
        value: Value = {"count": k, "longest": max((calls(run) for run in runs), default=0)}
        # 3.
        self.boundary = max([self.boundary, *(a.at for a in ready if a.ok)])
        after = sorted((a for a in before if a.at >= self.boundary), key=lambda a: a.at)
        self.left = after[-LEFT_OVER:]
        # 4.
        self.long = self.long or met
        if len(self.left) < len(before):
            self.long = self.long and any(calls(run) >= k for run in self._runs(self.left))
        # 5.
        return met or (self.long and state != "inactive"), value

    def _count(self, g: int) -> int:
        if not self.condition.adaptive:
            return self.condition.count
        return adaptive_count(self.condition.count, self.windows[DAY](g), self.windows[SHORT](g))

    def _runs(self, failures: list[Attempt]) -> list[list[Attempt]]:
        """Cut by every success that was seen; one at the instant of a failure comes before it."""
        runs: dict[int, list[Attempt]] = defaultdict(list)
        for failure in failures:
            runs[bisect_right(self._seen, failure.at)].append(failure)
        return list(runs.values())


def calls(run: list[Attempt]) -> int:
    """Return how many different calls failed; a failure without a call_id stands for itself."""
    named = {a.event.call_id for a in run if a.event.call_id is not None}
    return len(named) + sum(a.event.call_id is None for a in run)


# ── the engine, in the same words ────────────────────────────────────────────


def engine_changes(engine: Engine, log: Iterable[Moment]) -> dict[str, list[Change]]:
    """Return what the engine makes of a log, in the oracle's form."""
    found: dict[str, list[Change]] = defaultdict(list)
    for now, events in log:
        step = engine.observe(copies(events), now) if events else engine.tick(now)
        for change in map(change_of, step.transitions):
            if change.change in CHANGES:
                found[change.alert].append(change)
    return dict(found)


def copies(events: Iterable[Event]) -> list[Event]:
    """Return events that an engine may mark as its own."""
    return [msgspec.structs.replace(event) for event in events]


def change_of(transition: Transition) -> Change:
    """Return one transition of the engine in the oracle's form."""
    alert = transition.alert
    reason = alert.resolve_reason if transition.change.value == "resolved" else ""
    return Change(alert_name(alert.labels), transition.at, transition.change.value, reason, dict(alert.value))


def differences(engine: dict[str, list[Change]], truth: dict[str, list[Change]]) -> list[str]:
    """Return, one line each, where the engine and the oracle part; empty when they agree."""
    found = []
    for name in sorted(engine.keys() | truth.keys()):
        theirs, ours = engine.get(name, []), truth.get(name, [])
        for i in range(max(len(theirs), len(ours))):
            one, other = theirs[i : i + 1], ours[i : i + 1]
            if not one or not other or not _same(one[0], other[0]):
                found.append(f"{name} #{i}: engine {_shown(one)}, oracle {_shown(other)}")
                break
    return found


def _same(one: Change, other: Change) -> bool:
    if (one.at, one.change, one.reason) != (other.at, other.change, other.reason):
        return False
    # What is said of an end is the last measurement, or the one before it.
    return one.change in ("resolved", "calmed") or _same_value(one.value, other.value)


def _same_value(engine: Value, truth: Value) -> bool:
    """Whether every number that both know is the same; for a budget those of the tier that the engine names."""
    if "tier" in engine:
        long_s = engine["long_s"]
        tier = f"{long_s:g}."
        truth = {name.removeprefix(tier): n for name, n in truth.items() if name.startswith(tier)}
        if not truth["holds"]:
            return False
    if "streak" in engine and not engine["count"] <= engine["streak"] <= truth["longest"]:
        return False
    return all(engine[name] == n for name, n in truth.items() if name in engine)


def _shown(change: list[Change]) -> str:
    if not change:
        return "nothing"
    _, at, what, reason, value = change[0]
    return f"{what} at {at}{' ' + reason if reason else ''} {value}"
