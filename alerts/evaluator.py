"""Engine: rules x keys. Events and instants in, decisions out.

≠ routes, receivers, storage. docs/reference/decisions.md is the definition.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from math import floor, inf

import msgspec
from claxon.event import Event

from .agenda import Agenda
from .conditions import Any, Consecutive, Own
from .counters import Model, Totals
from .counting import PEAK_S, WAITING, Counting
from .decisions import Decision, Step, What
from .engine_state import EngineState
from .feeds import Key, Source, Watched
from .hearing import Hearing
from .keyring import HISTORY, HISTORY_S, Keyring
from .ledger import Ledger
from .lifecycle import Alert, Change, State, Value, advance, close, timers, worse
from .meters import meter_of
from .near_misses import near_miss
from .outlook import outlook
from .own_rules import KEYS_OVERFLOW, OWN_RULES, RULE_FAILED
from .rewinding import rewind
from .rules import Rule, same_keys
from .watches import evaluate

CONFIRM_AFTER_S = 600
"""After so long without a later attempt, a provisional failure is a failed call in the counters too."""

_SAID_FOR_S = 3600.0  # the same near miss of a key is not told again for so long
_AGAIN_S = 60  # a rule that failed is evaluated again after so long


class Engine:
    """Evaluates rules over events, deterministically: the same calls give the same steps."""

    def __init__(self, rules: Iterable[Rule], state: EngineState | None = None, *, measure: bool = True) -> None:
        """Begin, or go on where a state was taken.

        Args:
            rules: With distinct ids.
            state: What an engine with the same rules remembered; it is used, not copied.
            measure: Whether to sum tokens and durations, which decide nothing.
        """
        self._measure = measure
        self._load(rules, state if state is not None else EngineState())

    def _load(self, rules: Iterable[Rule], state: EngineState) -> None:
        self._state = state
        self._agenda = Agenda()
        self._agenda.second = state.grid if state.grid is not None else 0
        self._agenda.taken = state.taken
        self._ledger = Ledger(state.chain, state.quiet)
        self._keys = Keyring(rules, state, overflowed=self._overflow)
        self._counting = Counting(self._keys, self._agenda)
        self.rules = self._keys.rules
        self._alerts: dict[str, Alert] = {}
        for watched in self._all_watched():
            alert = watched.watch.alert
            if alert is not None and (alert.episode or watched.watch.active):
                self._alerts[alert.fingerprint] = alert
            self._agenda.restore(watched)
        self._hearing = Hearing(state, self._keys, self._agenda, self._counting, self._ledger, matched=self._matched)
        self._hearing.restore(self._all_watched())
        for key, instants in state.recent.items():
            self._keys.restore(key, instants, second=self._agenda.second)

    # ── the ways in ───────────────────────────────────────────────────────────

    def observe(self, events: Iterable[Event], now: float) -> Step:
        """Take completed events that arrive at `now`, and return what was decided.

        First the whole seconds up to `now` are evaluated, as by `tick`.
        """
        self._advance(now)
        self._take(events, edge=inf, latest=inf)
        return self._ledger.take()

    def replay(self, events: Iterable[Event]) -> Step:
        """Take completed events in the order in which they arrived, each at the latest instant so far.

        The same as `observe([event], max(now, event.at))` for one after another.
        """
        edge = self._agenda.second + 1 if self._state.grid is not None else -inf
        self._state.now = self._take(events, edge=edge, latest=self._state.now)
        return self._ledger.take()

    def tick(self, now: float) -> Step:
        """Evaluate every whole second that has passed, in order; a late tick loses nothing."""
        self._advance(now)
        return self._ledger.take()

    def resume(self, now: float) -> Step:
        """Go on after a pause in which no event could arrive: nobody was silent in it."""
        self._state.resumed_at = max(now, self._state.now)
        return self.tick(now)

    def rewind(self, now: float) -> Step:
        """Go on at an earlier instant: the clock was ahead, and was set back.

        What it put after `now` is let go from the windows, and no time of an alert lies ahead.
        """
        state, before = self.state, self._state.now
        if now >= before:
            return self.tick(now)
        rewind(state, now)
        self._ledger.decide(Decision(at=now, what=What.CLOCK_BACK, value={"by_s": before - now}))
        step = self._ledger.take()
        self._load(self._given_rules(), state)
        return step

    def replace_rules(self, rules: Iterable[Rule], now: float) -> Step:
        """Go on with other rules; what the unchanged ones remember is kept.

        An alert of a rule that is gone, or that no longer means the same keys, is
        closed. A rule with another limit keeps its alerts, and judges them by it.
        """
        self._advance(now)
        wanted = {rule.id: rule for rule in rules}
        for rule_id in sorted(set(wanted) | {rule.id for rule in self._given_rules()}):
            old, new = self.rules.get(rule_id), wanted.get(rule_id)
            if old is not None and new is not None and old.hash == new.hash:
                continue
            self._tell_change(rule_id, old, new)
            if old is not None and (new is None or not same_keys(old, new)):
                self._drop_rule(old, "rule changed" if new is not None else "rule removed")
        step = self._ledger.take()
        self._load(wanted.values(), self.state)
        for watched in self._all_watched():
            self._agenda.rouse(watched)
        return step

    # ── reading ───────────────────────────────────────────────────────────────

    @property
    def state(self) -> EngineState:
        """All that is remembered, up to the latest event."""
        self._counting.count_all()
        self._state.recent = self._keys.recent(second=self._agenda.second)
        self._state.quiet = self._ledger.quiet
        self._state.taken = self._agenda.taken
        return self._state

    @property
    def now(self) -> float:
        """The latest instant it was told."""
        return self._state.now

    @property
    def ledger_hash(self) -> str:
        """The hash over all decisions so far, 32 hex digits; "" before the first."""
        return self._state.chain.digest

    @property
    def decided(self) -> int:
        """How many decisions there were."""
        return self._state.chain.n

    @property
    def totals(self) -> Mapping[Model, Totals]:
        """What each model has done since the log began."""
        self._counting.count_all()
        return self._state.totals

    @property
    def overflowed(self) -> int:
        """How many distinct (app, environment, model, path) are counted under `(overflow)`."""
        return self._state.overflowed

    def alerts(self) -> list[Alert]:
        """Return every alert that has ever been pending or fired and is remembered."""
        return list(self._alerts.values())

    def firing(self) -> list[Alert]:
        """Return the alerts that fire now."""
        return [alert for alert in self._alerts.values() if alert.state is State.FIRING]

    def find(self, name: str) -> Alert | None:
        """Return the alert with a fingerprint."""
        return self._alerts.get(name)

    def seen(self, alert: Alert) -> Alert:
        """Return an alert with what its condition measures now; an engine need not look that often."""
        watched = self._keys.find(alert.rule, alert.key) if alert.rule in self.rules else None
        if watched is None or not watched.watch.active or isinstance(watched.rule.condition, Consecutive):
            return alert
        self._counting.count_failures()
        self._counting.catch_up(watched.source)
        holds, value = evaluate(watched.rule, watched.watch, watched.source.series, self._agenda.second)
        return alert if holds is None else msgspec.structs.replace(alert, value=value)

    def watching(self) -> dict[str, int]:
        """Return how many keys each rule watches, by its id; of Claxon's own those of which it ever said something."""
        series, watches = self._state.series, self._state.watches
        return {
            name: len((watches.get(name) if isinstance(rule.condition, Own) else series.get(meter_of(rule))) or ())
            for name, rule in self.rules.items()
        }

    def measures(self, rule: Rule, *, most: int) -> dict[Key, Value]:
        """Return what a rule's condition measures now, of the first so many keys with trouble, firing ones too."""
        self._counting.count_failures()
        watches = islice(self._state.watches.get(rule.id, {}), most)
        return {key: value for key in watches if (value := self._measured(self._keys.find(rule.id, key)))}

    def _measured(self, watched: Watched) -> Value:
        watch, rule = watched.watch, watched.rule
        if isinstance(rule.condition, Consecutive):
            assert watch.streak is not None
            # To evaluate a run is to move it on.
            return {"streak": float(watch.streak.present), "count": float(rule.condition.count)}
        self._counting.catch_up(watched.source)
        try:
            return evaluate(rule, watch, watched.source.series, self._agenda.second)[1]
        except Exception:  # noqa: BLE001 — it is told of where it is evaluated
            return {}

    def counts(self, rule: Rule) -> dict[Key, dict[int, list[int]]]:
        """Return the columns of each window that a rule reads, by key."""
        g = self._agenda.second
        return {
            key: {length: list(source.series.counts(length, g)) for length in rule.windows}
            for key, source in self._read(meter_of(rule)).items()
        }

    def known(self, rule: Rule) -> dict[Key, int]:
        """Return how many seconds back the longest window of a rule knows each key: since its first call in it."""
        g = self._agenda.second
        longest = max(rule.windows)
        return {key: source.series.known(longest, g) for key, source in self._read(meter_of(rule)).items()}

    def history(
        self, only: Collection[tuple[str, str]] | None = None
    ) -> dict[tuple[str, str], list[tuple[int, int, int]]]:
        """Return (minute's start, calls, failed) of the last hour, by (app, environment); of all, or of some."""
        g = self._agenda.second
        found: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
        for (app, environment), source in self._read(HISTORY.id).items():
            if only is not None and (app, environment) not in only:
                continue
            source.series.counts(HISTORY_S, g)
            rows = source.series.windows[HISTORY_S].rows
            found[app, environment] = [(row[0] * 60, row[1], row[2]) for row in rows]
        return found

    def recent(self, length: int = 300) -> dict[tuple[str, str], list[int]]:
        """Return the columns of the last `length` seconds (300 or 3600), by (app, environment)."""
        g = self._agenda.second
        found = self._read(HISTORY.id)
        return {(key[0], key[1]): list(source.series.counts(length, g)) for key, source in found.items()}

    def asleep(self, rule: Rule) -> dict[Key, int]:
        """Return how many calls sleep, by key, of a rule about calls that do."""
        watches = self._state.watches.get(rule.id, {})
        return {key: watch.parked.asleep(self.now) for key, watch in watches.items() if watch.parked is not None}

    def sizes(self) -> dict[str, int]:
        """Return how much is remembered, by kind."""
        state = self._state
        return {
            "model": len(state.totals),
            "window": sum(map(len, state.series.values())),
            "watch": sum(map(len, state.watches.values())),
            "call": len(state.provisional.calls),
        }

    def _read(self, meter: str) -> dict[Key, Source]:
        sources = {key: self._keys.source(meter, key) for key in self._state.series.get(meter, {})}
        self._counting.count_failures()
        for source in sources.values():
            self._counting.catch_up(source)
        return sources

    # ── time ──────────────────────────────────────────────────────────────────

    def _advance(self, now: float) -> None:
        state, agenda = self._state, self._agenda
        now = state.now = max(now, state.now)
        until = floor(now)
        if state.grid is None:
            state.grid = agenda.second = until
        if until <= agenda.second:
            return
        self._end_second()
        while (due := agenda.pop(until)) is not None:
            g, rule_id, key = due
            watched = self._keys.find(rule_id, key)
            if watched.watch.wake == g:
                watched.watch.wake = None
                # All that was observed before `g` is of seconds that are over.
                agenda.second = g
                self._evaluate(watched, g)
        if until // 60 > state.grid // 60:
            # By whole minutes, so that it does not matter when a tick comes.
            self._confirm(until // 60 * 60)
        state.grid = agenda.second = until

    def _end_second(self) -> None:
        """Count what was observed in the second that is over, as far as somebody looks at it."""
        self._counting.count_failures()
        for watched in self._agenda.overheated():
            self._counting.catch_up(watched.source)
            self._agenda.heat(watched, 0)
            of_a_run = isinstance(watched.rule.condition, Consecutive) and not watched.watch.active
            if not of_a_run and watched.source.series.version != watched.watch.version:
                self._agenda.rouse(watched)
        self._ledger.end_second()

    def _evaluate(self, watched: Watched, g: int) -> None:
        rule, watch, series = watched.rule, watched.watch, watched.source.series
        resumed_at = self._state.resumed_at
        self._counting.catch_up(watched.source)
        watch.version = series.version
        try:
            holds, value = evaluate(rule, watch, series, g, resumed_at=resumed_at)
            # Floats, as they are once they have been stored: the same decision must read the same after a restart.
            value = {name: float(number) for name, number in value.items()}
            self._judge(watched, holds, value, g)
            ahead = outlook(rule, watch, series, g, holds=holds, resumed_at=resumed_at)
        except Exception as fault:  # noqa: BLE001 — whatever is wrong with one rule, the others go on
            self._rule_failed(watched, g, fault)
            return
        watch.failures, watch.enough, watch.until = 0, ahead.enough, max(0.0, ahead.until)
        self._agenda.heat(watched, ahead.spare)
        instants = [ahead.at, *(timers(watch.alert, rule) if watch.alert is not None else ())]
        for instant in instants:
            # A timer that has passed waits for evidence, which wakes the key itself.
            if instant is not None and instant > g:
                self._agenda.wake_at(watched, instant)

    def _judge(self, watched: Watched, holds: bool | None, value: Value, g: int) -> None:
        """Move a key's alert by what its condition said."""
        watch = watched.watch
        if watch.alert is None and not holds:
            self._pass_over(watched, holds, value, g)
            return
        alert = watch.alert = watch.alert or watched.new_alert()
        alert.last_at = max(watched.source.series.last_at, alert.last_at, self._state.resumed_at)
        if isinstance(watched.rule.condition, Own):
            alert.last_at = g
        alert.evidence = watch.evidence or alert.evidence
        if value and holds is not None:
            alert.value = value
        changed = self._move(watched, alert, holds=holds, value=value, now=g)
        if not changed and not watch.active:
            self._pass_over(watched, holds, value, g)

    def _move(self, watched: Watched, alert: Alert, *, holds: bool | None, value: Value, now: float) -> bool:
        # No event says that something is wrong with Claxon itself.
        heard_at = None if isinstance(watched.rule.condition, Own) else watched.source.series.last_at
        change = advance(alert, watched.rule, holds=holds, now=now, heard_at=heard_at)
        # Now and then only, so that it does not matter how often it is looked at.
        due = now % PEAK_S == 0 or isinstance(watched.rule.condition, Any)
        if due and alert.state is State.FIRING and worse(alert.value, alert.peak):
            alert.peak = dict(alert.value)
        if change is None:
            return False
        if holds is None:
            alert.value = value
        self._alerts[alert.fingerprint] = alert
        self._tell(watched, alert, change, value, now)
        return True

    def _tell(self, watched: Watched, alert: Alert, change: Change, value: Value, now: float) -> None:
        if change is Change.RESOLVED:
            watched.watch.matches = 0
        watched.watch.said = ""
        self._ledger.tell(watched, copy.deepcopy(alert), change, now, value)

    def _pass_over(self, watched: Watched, holds: bool | None, value: Value, g: int) -> None:
        """Tell the ledger why an alert does not fire, once for each reason and hour."""
        watch = watched.watch
        why = near_miss(watched.rule, value) if holds is False else None
        if why is None or (why.value == watch.said and g < watch.said_until):
            return
        watch.said, watch.said_until = why.value, g + _SAID_FOR_S
        self._ledger.decide_of(watched, why, g, value)

    # ── events ────────────────────────────────────────────────────────────────

    def _take(self, events: Iterable[Event], *, edge: float, latest: float) -> float:
        """Take events; one that ended after `latest` moves it, one at or after `edge` the time. Return `latest`."""
        state, agenda, counting, hearing, measure = (
            self._state,
            self._agenda,
            self._counting,
            self._hearing,
            self._measure,
        )
        feeds, second, before = self._keys.feeds, agenda.second, agenda.taken
        now = state.now if latest == inf else inf
        n = 0
        for n, event in enumerate(events, 1):
            at = event.at
            if at > latest:
                latest = at
                if at >= edge:
                    agenda.taken = before + n - 1
                    self._pass(at)
                    second = agenda.second
                    edge = second + 1
            feed = feeds.get((event.app, event.environment, event.model, event.path))
            if feed is None:
                feed = counting.feed(event)
            if measure:
                feed.totals.measure(event)
            if (
                event.category == "ok"
                and event.attempt == 1
                and event.ratelimit is None
                and event.model_end_of_life is None
            ):
                ok = feed.ok
                if at >= second and 0 < len(ok) < WAITING:
                    ok.append(at)
                else:
                    counting.note(feed, at)
            else:
                hearing.take(feed, event, min(latest, now))
        agenda.taken = before + n
        return latest

    def _pass(self, now: float) -> None:
        """Let whole seconds pass; most of them are nobody's concern."""
        state, agenda = self._state, self._agenda
        second = floor(now)
        if (
            state.grid is None
            or self._counting.waiting
            or self._ledger.waiting
            or second // 60 > state.grid // 60
            or not agenda.idle_until(second)
        ):
            self._advance(now)
        else:
            state.grid = agenda.second = second

    def _matched(self, watched: Watched, alert: Alert, now: float) -> None:
        """Fire on a match of `any`, even if a success came after it: one rejected key is one too many."""
        self._move(watched, alert, holds=True, value=alert.value, now=now)
        self._agenda.heat(watched, 0)

    def _confirm(self, now: int) -> None:
        self._hearing.forget_awake()
        for failure in self._state.provisional.expire(now - CONFIRM_AFTER_S):
            self._counting.feed(failure).totals.end_failed(failure)

    # ── what is wrong with Claxon itself ──────────────────────────────────────

    def _rule_failed(self, watched: Watched, g: int, fault: Exception) -> None:
        note = f"{type(fault).__name__}: {fault}"[:300]
        row = Decision(at=g, what=What.RULE_FAILED, rule=watched.rule.id, rule_hash=watched.rule.hash, note=note)
        row.labels = watched.labels
        self._ledger.decide(row)
        self._agenda.wake_at(watched, g + _AGAIN_S)
        self._own_fault(RULE_FAILED, watched.rule.id, g)

    def _overflow(self, rule: Rule) -> None:
        if not self._keys.own(KEYS_OVERFLOW, rule.id).watch.active:
            self._ledger.decide(Decision(at=self.now, what=What.OVERFLOW, rule=rule.id, rule_hash=rule.hash))
        self._own_fault(KEYS_OVERFLOW, rule.id, self.now)

    def _own_fault(self, rule: Rule, about: str, now: float) -> None:
        watched = self._keys.own(rule, about)
        watched.watch.matches += 1
        watched.watch.matched_at = max(watched.watch.matched_at, now)
        self._agenda.wake_at(watched, floor(now) + 1)

    # ── other rules ───────────────────────────────────────────────────────────

    def _given_rules(self) -> list[Rule]:
        return [rule for rule in self.rules.values() if rule not in OWN_RULES]

    def _tell_change(self, rule_id: str, old: Rule | None, new: Rule | None) -> None:
        note = f"{old.hash if old is not None else 'none'} -> {new.hash if new is not None else 'none'}"
        row = Decision(at=self.now, what=What.RULE_CHANGED, rule=rule_id, note=note)
        row.rule_hash = new.hash if new is not None else ""
        self._ledger.decide(row)

    def _drop_rule(self, rule: Rule, reason: str) -> None:
        """Close a rule's alerts and forget its keys."""
        for key in list(self._state.watches.get(rule.id, {})):
            watched = self._keys.find(rule.id, key)
            alert = watched.watch.alert
            change = close(alert, reason, now=self.now) if alert is not None else None
            if alert is not None and change is not None:
                self._tell(watched, alert, change, alert.value, self.now)
        self._state.watches.pop(rule.id, None)

    def _all_watched(self) -> list[Watched]:
        return [self._keys.find(rule_id, key) for rule_id, watches in self._state.watches.items() for key in watches]
