"""Engine: rules x keys. Events and instants in, decisions out.

≠ routes, receivers, storage. docs/reference/decisions.md is the definition.
"""

from __future__ import annotations

import copy
import heapq
from collections.abc import Iterable
from math import floor, inf

import msgspec
from claxon.event import Event

from .counters import Totals
from .decisions import Decision, Step, Transition, What
from .feeds import Feed, FeedKey, Meter, Watched, meter_of, meters
from .labels import Labels, fingerprint
from .lifecycle import Alert, Change, State, advance, timers
from .meters import Series, new_series
from .provisional import LIMIT, Provisional
from .rules import SCOPE_LABELS, Any, Consecutive, Rule
from .streaks import Failure, Streak, ready_at
from .watches import Watch, evaluate, rollover

MAX_KEYS = 100_000
"""Keys of one rule; further ones share one key of `(overflow)`."""

OVERFLOW = "(overflow)"
CONFIRM_AFTER_S = 600
"""After so long without a later attempt, a provisional failure is a failed call in the counters too."""

_COUNT_AT = 20  # batches whose successes wait at most, so that their events do not fill the memory
_MAX_FEEDS = 200_000
HISTORY_S = 3600
_HISTORY = Meter(scope=(), failures=(), by=("app", "environment"), lengths=(300, HISTORY_S))

Key = tuple[str, ...]


class EngineState(msgspec.Struct):
    """All that the engine remembers; a snapshot is this.

    Attributes:
        now: The latest instant it was told.
        grid: The last whole second that was evaluated.
        series: By meter, by key.
        watches: By rule id, by key.
        totals: By (app, environment, model).
        provisional: Failures that may be taken back.
        overflowed: Distinct (app, environment, model, path) that a rule counts under `(overflow)`.
        resumed_at: When it was last told that nobody could have been heard before.
    """

    now: float = -inf
    grid: int | None = None
    series: dict[str, dict[Key, Series]] = msgspec.field(default_factory=dict)
    watches: dict[str, dict[Key, Watch]] = msgspec.field(default_factory=dict)
    totals: dict[tuple[str, str, str], Totals] = msgspec.field(default_factory=dict)
    provisional: Provisional = msgspec.field(default_factory=Provisional)
    overflowed: int = 0
    resumed_at: float = -inf


class Engine:
    """Evaluates rules over events, deterministically: the same calls give the same steps."""

    def __init__(self, rules: Iterable[Rule], state: EngineState | None = None) -> None:
        self.rules = {rule.id: rule for rule in rules}
        self._state = state if state is not None else EngineState()
        self._feeds: dict[FeedKey, Feed] = {}
        self._due: list[tuple[int, str, Key]] = []
        self._meters = meters(self.rules.values(), _HISTORY)
        self._step = Step()
        # One row for all events of a batch that were passed over for the same reason.
        self._quiet: dict[tuple[str, ...], Decision] = {}
        self._alerts: dict[str, Alert] = {}
        self._active = 0
        # Successes that are not counted yet. Nothing looks at them before the next whole second,
        # and to count a second's worth of a key at once costs a fifth of counting each batch's.
        self._successes: dict[FeedKey, list[Event]] = {}
        self._batches = 0
        self._seen_at = -inf
        self._ready_at: dict[str, int] = {}
        self._adopt()

    @property
    def state(self) -> EngineState:
        """All that is remembered, up to the latest event."""
        self._count_successes()
        return self._state

    @property
    def now(self) -> float:
        """The latest instant it was told."""
        return self._state.now

    # ── the two ways in ───────────────────────────────────────────────────────

    def observe(self, events: Iterable[Event], now: float) -> Step:
        """Take completed events that arrive at `now`, and return what was decided.

        First the whole seconds up to `now` are evaluated, as by `tick`.
        """
        now = self._advance(now)
        self._begin_batch(now)
        successes = self._successes
        for event in events:
            if event.call_id is not None and (event.provisional or event.attempt > 1):
                self._take_back(event, now)
            if event.category == "ok":
                key = (event.app, event.environment, event.model, event.path)
                group = successes.get(key)
                if group is None:
                    successes[key] = [event]
                else:
                    group.append(event)
            else:
                self._fail(event, now)
        return self._take_step()

    def tick(self, now: float) -> Step:
        """Evaluate every whole second that has passed, in order; a late tick loses nothing."""
        self._advance(now)
        return self._take_step()

    def resume(self, now: float) -> Step:
        """Go on after a pause in which no event could arrive: nobody was silent in it."""
        self._state.resumed_at = max(now, self._state.now)
        return self.tick(now)

    # ── reading ───────────────────────────────────────────────────────────────

    def alerts(self) -> list[Alert]:
        """Return every alert that has ever been pending or fired and is remembered."""
        return list(self._alerts.values())

    def firing(self) -> list[Alert]:
        """Return the alerts that fire now."""
        return [alert for alert in self._alerts.values() if alert.state is State.FIRING]

    def find(self, name: str) -> Alert | None:
        """Return the alert with a fingerprint."""
        return self._alerts.get(name)

    def history(self) -> dict[tuple[str, str], list[tuple[int, int, int]]]:
        """Return (minute's start, calls, failed) of the last hour, by (app, environment)."""
        g = self.state.grid or 0
        found: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
        for (app, environment), series in self._history_series().items():
            series.counts(HISTORY_S, g)
            rows = series.windows[HISTORY_S].rows
            found[app, environment] = [(row[0] * 60, row[1], row[2]) for row in rows]
        return found

    def recent(self, length: int = 300) -> dict[tuple[str, str], list[int]]:
        """Return the columns of the last `length` seconds (300 or 3600), by (app, environment)."""
        g = self.state.grid or 0
        found = self._history_series()
        return {(key[0], key[1]): list(series.counts(length, g)) for key, series in found.items()}

    def _history_series(self) -> dict[Key, Series]:
        return self.state.series.get(_HISTORY.id, {})

    # ── time ──────────────────────────────────────────────────────────────────

    def _advance(self, now: float) -> float:
        state = self._state
        now = state.now = max(now, state.now)
        until = floor(now)
        if state.grid is None:
            state.grid = until
        if self._successes and until > floor(self._seen_at):
            self._count_successes()
        while self._due and self._due[0][0] <= until:
            g, rule_id, key = heapq.heappop(self._due)
            watch = self._state.watches[rule_id][key]
            if watch.wake == g:
                watch.wake = None
                self._evaluate(rule_id, key, watch, g)
        if until // 60 > state.grid // 60 or len(state.provisional.calls) > 2 * LIMIT:
            # By whole minutes, so that it does not matter when a tick comes.
            self._confirm(until // 60 * 60)
        state.grid = max(state.grid, until)
        return now

    def _evaluate(self, rule_id: str, key: Key, watch: Watch, g: int) -> None:
        rule = self.rules[rule_id]
        series = self._series_of(rule, key)
        holds, value = evaluate(rule, watch, series, g)
        if watch.alert is None and not holds:
            self._sleep_until(rule_id, key, watch, rollover(rule, watch, series, g), g)
            return
        alert = watch.alert = watch.alert or _new_alert(rule, key)
        alert.last_at = max(series.last_at, alert.last_at, self._state.resumed_at)
        alert.evidence = watch.evidence or alert.evidence
        if value and holds is not None:
            alert.value = value
        self._move(rule, watch, alert, holds=holds, now=g)
        instants = [rollover(rule, watch, series, g), *timers(alert, rule)]
        # A timer that has passed waits for evidence, which wakes the key itself.
        ahead = [t for t in instants if t is not None and t > g]
        self._sleep_until(rule_id, key, watch, min(ahead, default=None), g)

    def _move(self, rule: Rule, watch: Watch, alert: Alert, *, holds: bool | None, now: float) -> None:
        change = advance(alert, rule, holds=holds, now=now)
        if alert.state is State.FIRING and _worse(alert.value, alert.peak):
            alert.peak = dict(alert.value)
        if change is None:
            return
        self._alerts[alert.fingerprint] = alert
        if change is Change.PENDING or (change is Change.FIRED and not rule.hold_s):
            self._active += 1
        elif change in (Change.CALMED, Change.RESOLVED):
            self._active -= 1
        if change is Change.RESOLVED:
            watch.matches = 0
        self._step.transitions.append(Transition(change=change, at=now, alert=copy.deepcopy(alert)))
        note = alert.resolve_reason if change is Change.RESOLVED else ""
        self._decide(What(change.value), now, alert.labels, alert.value, subject=alert.fingerprint, note=note)

    def _sleep_until(self, rule_id: str, key: Key, watch: Watch, instant: float | None, g: int) -> None:
        if instant is None:
            return
        wake = max(-floor(-instant), g + 1)
        if watch.wake is None or wake < watch.wake:
            watch.wake = wake
            heapq.heappush(self._due, (wake, rule_id, key))

    def _rouse(self, watched: Watched, now: float) -> None:
        """Have a key evaluated at the next whole second."""
        wake = watched.watch.wake
        if wake is None or wake > now + 1:
            self._sleep_until(watched.rule.id, watched.key, watched.watch, now, floor(now))

    # ── events ────────────────────────────────────────────────────────────────

    def _begin_batch(self, now: float) -> None:
        """Count what waits, unless it may wait on together with what is observed now."""
        ready = {
            rule.id: ready_at(now, rule.condition.settle_s)
            for rule in self.rules.values()
            if isinstance(rule.condition, Consecutive)
        }
        if ready != self._ready_at or self._batches >= _COUNT_AT:
            self._count_successes()
            self._ready_at = ready
        self._batches += 1
        self._seen_at = now

    def _count_successes(self) -> None:
        """Count the successes that wait, as observed when they were."""
        waiting, self._successes = self._successes, {}
        self._batches = 0
        for key, events in waiting.items():
            self._succeed(key, events, self._seen_at)

    def _succeed(self, key: FeedKey, events: list[Event], now: float) -> None:
        feed = self._feed(key)
        feed.totals.succeed(events)
        newest = feed.count_successes(events)
        for watch in feed.anys:
            if newest > watch.other_at:
                watch.other_at = newest
        for watched in feed.streaks:
            self._succeed_streak(watched, events, now)
        if self._active:
            for watched in feed.watched:
                if watched.watch.active:
                    self._rouse(watched, now)

    def _succeed_streak(self, watched: Watched, events: list[Event], now: float) -> None:
        streak = watched.watch.streak
        assert streak is not None
        ready = self._ready_at[watched.rule.id]
        streak.succeed(ready, [event.at for event in events], observed=floor(now) + 1)
        if not streak.quiet:
            self._sleep_until(watched.rule.id, watched.key, watched.watch, ready, floor(now))

    def _fail(self, event: Event, now: float) -> None:
        feed = self._feed((event.app, event.environment, event.model, event.path))
        alone = feed.totals.fail(event)
        if event.category == "cancelled":
            feed.see(event.at)
            return
        feed.count_failure(event)
        self._explain(event, now, alone=alone)
        for watched in feed.watched:
            self._fail_one(watched, event, now)

    def _fail_one(self, watched: Watched, event: Event, now: float) -> None:
        watch, rule = watched.watch, watched.rule
        matches = watched.counts(event)
        if isinstance(rule.condition, Any):
            self._match_any(watched, event, now, matches=matches)
        elif matches and isinstance(rule.condition, Consecutive):
            assert watch.streak is not None
            ready = self._ready_at[rule.id]
            watch.streak.fail(Failure(ready, event.at, event.call_id or ""))
            watched.gather(event, now)
            self._sleep_until(rule.id, watched.key, watch, ready, floor(now))
        elif matches:
            watched.gather(event, now)
        if watch.active or (matches and watched.worth_a_look()):
            self._rouse(watched, now)

    def _match_any(self, watched: Watched, event: Event, now: float, *, matches: bool) -> None:
        watch, rule = watched.watch, watched.rule
        if not matches:
            watch.other_at = max(watch.other_at, event.at)
            return
        if event.at + rule.stale_after_s <= now:
            self._decide(What.LATE, now, watched.labels, {"age_s": now - event.at}, note=rule.alert)
            return
        watched.gather(event, now)
        watch.matches += 1
        watch.matched_at = max(watch.matched_at, event.at)
        alert = watch.alert = watch.alert or _new_alert(rule, watched.key)
        alert.last_at = max(alert.last_at, watched.series.last_at)
        alert.evidence = watch.evidence or alert.evidence
        alert.value = {"count": watch.matches, "age_s": round(max(0.0, now - event.at), 3)}
        # It fires even if a success came after it: one rejected key is one too many.
        self._move(rule, watch, alert, holds=True, now=now)

    def _take_back(self, event: Event, now: float) -> None:
        for failure in self._state.provisional.meet(event, now):
            self._absorb(failure, now)

    def _absorb(self, failure: Event, now: float) -> None:
        feed = self._feed((failure.app, failure.environment, failure.model, failure.path))
        feed.take_back(failure)
        feed.totals.absorbed += 1
        for watched in feed.watched:
            if watched.watch.active:
                self._rouse(watched, now)

    def _confirm(self, now: int) -> None:
        for failure in self._state.provisional.expire(now - CONFIRM_AFTER_S):
            self._feed((failure.app, failure.environment, failure.model, failure.path)).totals.end_failed(failure)

    # ── why nothing was said ──────────────────────────────────────────────────

    def _explain(self, event: Event, now: float, *, alone: bool) -> None:
        if not event.final:
            what = What.ABSORBED
        elif alone and event.category == "rate_limit":
            what = What.LONE_429
        elif alone and event.category in ("server", "overloaded"):
            what = What.LONE_500
        else:
            return
        labels = {
            "app": event.app,
            "environment": event.environment,
            "model": event.model,
            "path": event.path,
        }
        about = (what, event.category, *labels.values())
        row = self._quiet.get(about)
        if row is None:
            row = self._quiet[about] = Decision(at=now, what=what, labels=labels, value={"n": 0}, note=event.category)
            self._step.decisions.append(row)
        row.value["n"] += 1

    def _decide(
        self,
        what: What,
        at: float,
        labels: Labels,
        value: dict[str, float],
        *,
        subject: str = "",
        note: str = "",
    ) -> None:
        row = Decision(at=at, what=what, subject=subject, labels=labels, value=value, note=note)
        self._step.decisions.append(row)

    def _take_step(self) -> Step:
        step, self._step = self._step, Step()
        self._quiet.clear()
        return step

    # ── keys ──────────────────────────────────────────────────────────────────

    def _feed(self, key: FeedKey) -> Feed:
        feed = self._feeds.get(key)
        if feed is None:
            if len(self._feeds) >= _MAX_FEEDS:
                self._feeds.clear()
            feed = self._feeds[key] = self._new_feed(key)
        return feed

    def _new_feed(self, key: FeedKey) -> Feed:
        app, environment, model, _ = key
        labels = dict(zip(SCOPE_LABELS, key, strict=True))
        of_model = (app, environment, model)
        if of_model not in self._state.totals and len(self._state.totals) >= MAX_KEYS:
            of_model = (OVERFLOW, OVERFLOW, OVERFLOW)
        totals = self._state.totals.setdefault(of_model, Totals())
        feed = Feed(totals=totals)
        for name, meter in self._meters.items():
            if all(m.matches(labels[m.name]) for m in meter.scope):
                feed.series.append((self._series(name, self._key(name, meter.by, labels)), meter.failures))
        for rule in self.rules.values():
            if all(m.matches(labels[m.name]) for m in rule.scope):
                series_key = self._key(meter_of(rule), rule.by, labels)
                feed.watch(self._watched(rule, series_key))
        self._state.overflowed += any(watched.key[:1] == (OVERFLOW,) for watched in feed.watched)
        return feed

    def _key(self, meter: str, by: tuple[str, ...], labels: Labels) -> Key:
        key = tuple(labels[name] for name in by)
        known = self._state.series.setdefault(meter, {})
        if key in known or len(known) < MAX_KEYS:
            return key
        return (OVERFLOW,) * len(by)

    def _series(self, meter: str, key: Key) -> Series:
        known = self._state.series.setdefault(meter, {})
        series = known.get(key)
        if series is None:
            series = known[key] = new_series(self._meters[meter].lengths)
        return series

    def _series_of(self, rule: Rule, key: Key) -> Series:
        return self._series(meter_of(rule), key)

    def _watched(self, rule: Rule, key: Key) -> Watched:
        watches = self._state.watches.setdefault(rule.id, {})
        watch = watches.get(key)
        if watch is None:
            watch = watches[key] = new_watch(rule)
        return Watched(rule=rule, key=key, watch=watch, series=self._series_of(rule, key), labels=_labels(rule, key))

    def _adopt(self) -> None:
        """Take over a restored state: link what it leaves out, drop what no rule asks for."""
        state = self._state
        for known in (state.watches, state.series):
            wanted = self.rules if known is state.watches else self._meters
            for gone in [name for name in known if name not in wanted]:
                del known[gone]
        for name, by_key in state.series.items():
            for series in by_key.values():
                for length in self._meters[name].lengths:
                    series.windows.setdefault(length, new_series((length,)).windows[length])
        for rule_id, watches in state.watches.items():
            for key, watch in watches.items():
                if watch.alert is not None and (watch.alert.episode or watch.active):
                    self._alerts[watch.alert.fingerprint] = watch.alert
                self._active += watch.active
                if watch.wake is not None:
                    self._due.append((watch.wake, rule_id, key))
        heapq.heapify(self._due)


def new_watch(rule: Rule) -> Watch:
    """Return the empty watch of a rule's key."""
    return Watch(streak=Streak() if isinstance(rule.condition, Consecutive) else None)


def _labels(rule: Rule, key: Key) -> Labels:
    named = {name: value for name, value in zip(rule.by, key, strict=True) if value}
    return {"alertname": rule.alert} | named | rule.labels


def _new_alert(rule: Rule, key: Key) -> Alert:
    labels = _labels(rule, key)
    return Alert(rule=rule.id, key=key, labels=labels, fingerprint=fingerprint(labels), rule_hash=rule.hash)


_SEVERITY_OF_VALUE = ("bound", "share", "burn", "streak", "exhausted", "count")


def _worse(value: dict[str, float], peak: dict[str, float]) -> bool:
    name = next((n for n in _SEVERITY_OF_VALUE if n in value), None)
    return name is not None and value[name] > peak.get(name, -inf)
