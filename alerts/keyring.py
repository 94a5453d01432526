"""Keyring: the feeds, sources and watches of all keys, made as they are needed, and bounded.

≠ time, what a condition says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from claxon.event import Event

from .conditions import Own
from .counters import Totals
from .engine_state import EngineState
from .feeds import Feed, FeedKey, Key, Plan, Source, Watched, in_scope, labels_of, make_plan
from .labels import Labels
from .meters import Meter, meter_of, meters, new_series
from .own_rules import OWN_RULES
from .rules import Rule
from .watches import new_watch

MAX_KEYS = 100_000
"""Keys of one rule; further ones share one key of `(overflow)`."""

OVERFLOW = "(overflow)"

HISTORY_S = 3600
HISTORY = Meter(scope=(), failures=(), by=("app", "environment"), lengths=(300, HISTORY_S))
"""What the page's charts read."""

_MAX_FEEDS = 2 * MAX_KEYS


class Keyring:
    """Everything that is looked up by key."""

    def __init__(self, rules: Iterable[Rule], state: EngineState, *, overflowed: Callable[[Rule], None]) -> None:
        ours = {rule.id: rule for rule in OWN_RULES}
        self.rules = {rule.id: rule for rule in rules} | ours
        self.feeds: dict[FeedKey, Feed] = {}
        self._watching = [rule for rule in self.rules.values() if not isinstance(rule.condition, Own)]
        self._meters = meters(self._watching, HISTORY)
        self._state = state
        self._overflowed = overflowed
        self._sources: dict[tuple[str, Key], Source] = {}
        self._plans: dict[tuple[bool, ...], Plan] = {}
        # Feeds that meet the same of these are looked at by the same rules.
        self._scopes = tuple(dict.fromkeys(rule.scope for rule in self._watching if rule.scope))
        self._meter_of = {rule.id: meter_of(rule) for rule in self._watching} | {rule.id: _OWN for rule in OWN_RULES}
        self._adopt()

    def feed_of(self, event: Event, *, second: int, drop: Callable[[Feed], None]) -> Feed:
        """Return where an event is counted; `drop` counts what a feed holds that has to make room."""
        key = (event.app, event.environment, event.model, event.path)
        feed = self.feeds.get(key)
        if feed is None:
            if len(self.feeds) >= _MAX_FEEDS:
                self._make_room(drop, second=second)
            feed = self.feeds[key] = self._new_feed(key)
        return feed

    def watched(self, rule: Rule, source: Source) -> tuple[Watched, bool]:
        """Return what a rule remembers of a key, and whether it remembered nothing so far."""
        known = source.watched.get(rule.id)
        if known is not None:
            return known, False
        watches = self._state.watches.setdefault(rule.id, {})
        watch = watches.get(source.key)
        new = watch is None
        if watch is None:
            watch = watches[source.key] = new_watch(rule)
        made = Watched(rule=rule, key=source.key, watch=watch, source=source, labels=labels_of_alert(rule, source.key))
        source.watched[rule.id] = made
        if watch.streak is not None:
            source.streaks.append(made)
        return made, new

    def find(self, rule_id: str, key: Key) -> Watched:
        """Return what a rule remembers of a key."""
        return self.watched(self.rules[rule_id], self.source(self._meter_of[rule_id], key))[0]

    def source(self, meter: str, key: Key) -> Source:
        """Return the counts of a key."""
        source = self._sources.get((meter, key))
        if source is None:
            of = self._meters.get(meter, HISTORY)
            known = self._state.series.setdefault(meter, {})
            series = known.get(key)
            if series is None:
                series = known[key] = new_series(self._meters[meter].lengths if meter in self._meters else ())
            widths = tuple(length // 60 for length in of.lengths) if meter in self._meters else ()
            source = self._sources[meter, key] = Source(series=series, meter=of, key=key, widths=widths)
        return source

    def sources(self) -> Iterable[Source]:
        """Return the counts of all keys that were looked up."""
        return self._sources.values()

    def own(self, rule: Rule, about: str) -> Watched:
        """Return what is remembered of a fault of Claxon's own."""
        return self.watched(rule, self.source(_OWN, (about,)))[0]

    def restore(self, key: FeedKey, recent: list[float], *, second: int) -> None:
        """Take over the successes of a feed that were observed in the second that is going on."""
        feed = self.feeds[key] = self._new_feed(key)
        feed.recent_second, feed.recent = second, recent
        for source in feed.sources:
            source.behind[feed] = None

    def recent(self, *, second: int) -> dict[FeedKey, list[float]]:
        """Return the successes that were observed in the second that is going on, and are counted."""
        return {key: feed.recent for key, feed in self.feeds.items() if feed.recent and feed.recent_second == second}

    # ── making ────────────────────────────────────────────────────────────────

    def _new_feed(self, key: FeedKey) -> Feed:
        labels = labels_of(key)
        plan = self._plan(labels)
        app, environment, model, _ = key
        of_model = (app, environment, model)
        if of_model not in self._state.totals and len(self._state.totals) >= MAX_KEYS:
            of_model = (OVERFLOW, OVERFLOW, OVERFLOW)
        totals = self._state.totals.setdefault(of_model, Totals())
        sources = [self.source(name, self._key(name, labels)) for name in plan.meters]
        over = {rule.id: rule for rule, place in plan.rules if sources[place].key[:1] == (OVERFLOW,)}
        if over:
            self._state.overflowed += 1
        for rule in over.values():
            self._overflowed(rule)
        return Feed(key, totals, plan, sources)

    def _plan(self, labels: Labels) -> Plan:
        met = tuple(in_scope(scope, labels) for scope in self._scopes)
        plan = self._plans.get(met)
        if plan is None:
            plan = self._plans[met] = make_plan(self._watching, self._meters, labels)
        return plan

    def _key(self, meter: str, labels: Labels) -> Key:
        by = self._meters[meter].by
        key = tuple(labels[name] for name in by)
        known = self._state.series.setdefault(meter, {})
        if key in known or len(known) < MAX_KEYS:
            return key
        return (OVERFLOW,) * len(by)

    def _make_room(self, drop: Callable[[Feed], None], *, second: int) -> None:
        """Forget the feeds that hold nothing of the second that is going on."""
        for key, feed in list(self.feeds.items()):
            held = [*feed.ok, feed.second, feed.recent_second]
            if max(held) < second:
                drop(feed)
                del self.feeds[key]

    def _adopt(self) -> None:
        """Take over a restored state: drop what no rule asks for, add the windows that it lacks."""
        state = self._state
        wanted = {*self._meters, _OWN}
        for gone in [name for name in state.series if name not in wanted]:
            del state.series[gone]
        for gone in [name for name in state.watches if name not in self.rules]:
            del state.watches[gone]
        for name, by_key in state.series.items():
            lengths = self._meters[name].lengths if name != _OWN else ()
            for series in by_key.values():
                for length in lengths:
                    if length not in series.windows:
                        series.windows[length] = new_series((length,)).windows[length]
                for length in [length for length in series.windows if length not in lengths]:
                    del series.windows[length]


_OWN = "own"


def labels_of_alert(rule: Rule, key: Key) -> Labels:
    """Return the labels of the alert of a rule's key; empty ones are left out."""
    named = {name: value for name, value in zip(rule.by, key, strict=True) if value}
    return {"alertname": rule.alert} | named | rule.labels
