"""Hearing: what an event says beside what is counted of it.

It takes back earlier failures, fires what does not wait for the grid, parks and
wakes calls, and brings what is known of limits and of a model's end. ≠ windows, time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from claxon.event import Event, RateLimits

from .agenda import Agenda
from .conditions import Parked
from .counting import Counting
from .end_of_life import ends_at, later_word
from .engine_state import EngineState
from .feeds import Feed, Source, Watched
from .keyring import Keyring, labels_of_alert
from .ledger import Ledger
from .lifecycle import Alert, State
from .provisional import call_name
from .rules import Rule


class Hearing:
    """Takes the events of which more is to be done than to count a success."""

    def __init__(
        self,
        state: EngineState,
        keys: Keyring,
        agenda: Agenda,
        counting: Counting,
        ledger: Ledger,
        *,
        matched: Callable[[Watched, Alert, float], None],
    ) -> None:
        """`matched` is told of each match of `any` that may fire, with its alert and the instant."""
        self._state = state
        self._keys = keys
        self._agenda = agenda
        self._counting = counting
        self._ledger = ledger
        self._matched = matched
        # Who counts a call as parked, by its name: another attempt of it may be of other keys.
        self._sleeping: dict[str, dict[Watched, None]] = {}

    def restore(self, all_watched: Iterable[Watched]) -> None:
        """Take over the calls that are parked."""
        for watched in all_watched:
            for name in watched.watch.parked.named if watched.watch.parked is not None else ():
                self._sleeping.setdefault(name, {})[watched] = None

    def forget_awake(self) -> None:
        """Forget the calls that nobody counts as parked any more."""
        for name, by in list(self._sleeping.items()):
            if not any(watched.watch.parked is not None and name in watched.watch.parked.named for watched in by):
                del self._sleeping[name]

    def take(self, feed: Feed, event: Event, now: float) -> None:
        """Take an event that was observed at `now`."""
        if event.call_id is not None and (event.provisional or event.attempt > 1):
            self._take_back(event, now)
        if event.category != "cancelled":
            # A 429 says for itself that a limit ran out; one alone is nobody's business.
            if event.ratelimit is not None and event.category != "rate_limit":
                self._sample(feed, event, event.ratelimit)
            if event.model_end_of_life is not None:
                self._hear_end(feed, event, event.model_end_of_life)
        if event.category == "ok":
            self._counting.note(feed, event.at)
        else:
            self._fail(feed, event, now)

    def _take_back(self, event: Event, now: float) -> None:
        for failure in self._state.provisional.meet(event, now):
            self._counting.take_back(failure)
        name = call_name(event)
        for watched in self._sleeping.get(name, ()):
            parked = watched.watch.parked
            if parked is not None and parked.wake(name, event.attempt):
                self._agenda.rouse(watched)

    def _sample(self, feed: Feed, event: Event, limits: RateLimits) -> None:
        for rule, place in feed.plan.headrooms:
            watched, _ = self._keys.watched(rule, feed.sources[place])
            assert watched.watch.samples is not None
            watched.watch.samples.add(event.at, limits)
            self._agenda.rouse(watched)

    def _hear_end(self, feed: Feed, event: Event, said: str) -> None:
        ends = ends_at(said)
        if ends is None:
            return
        for rule, place in feed.plan.lives:
            watched, _ = self._keys.watched(rule, feed.sources[place])
            watched.watch.lifetime = later_word(watched.watch.lifetime, event.at, ends)
            self._agenda.rouse(watched)

    def _fail(self, feed: Feed, event: Event, now: float) -> None:
        alone = feed.totals.fail(event)
        lane = feed.lane(event)
        if event.category != "cancelled":
            self._ledger.explain(event, now, alone=alone)
            for rule, source in lane.anys:
                self._match_any(rule, source, event, now)
            if event.retry_after_s is not None:
                for rule, source in lane.parked:
                    self._park(rule, source, event, event.retry_after_s, now)
        self._counting.add_failure(lane, event)

    def _match_any(self, rule: Rule, source: Source, event: Event, now: float) -> None:
        if event.at + rule.stale_after_s <= now:
            self._ledger.note_late(event, now, rule, labels_of_alert(rule, source.key))
            return
        watched, _ = self._keys.watched(rule, source)
        watch = watched.watch
        watched.gather([event], now)
        watch.matches += 1
        watch.matched_at = max(watch.matched_at, event.at)
        self._agenda.rouse(watched)
        alert = watch.alert
        if alert is not None and alert.state is State.FIRING and alert.kept_at is None:
            return
        alert = watch.alert = alert or watched.new_alert()
        alert.last_at = max(alert.last_at, source.series.last_at, event.at)
        alert.evidence = watch.evidence or alert.evidence
        alert.value = {"count": float(watch.matches), "age_s": round(max(0.0, now - event.at), 3)}
        self._matched(watched, alert, now)

    def _park(self, rule: Rule, source: Source, event: Event, sleeps_s: float, now: float) -> None:
        assert isinstance(rule.condition, Parked)
        ended, until = event.final and not event.provisional, event.at + sleeps_s
        if ended or sleeps_s <= rule.condition.over_s or until <= now:
            return
        if event.call_id is not None and self._state.provisional.highest(event) > event.attempt:
            return
        watched, _ = self._keys.watched(rule, source)
        assert watched.watch.parked is not None
        name = call_name(event) if event.call_id is not None else None
        watched.watch.parked.park(name, event.attempt, until)
        if name is not None:
            self._sleeping.setdefault(name, {})[watched] = None
        watched.gather([event], now)
        self._agenda.rouse(watched)
