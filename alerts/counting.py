"""Counting: events into the windows, runs and evidence of every key that they belong to.

≠ what a condition says, time.
"""

from __future__ import annotations

from claxon.event import Event

from .agenda import Agenda
from .conditions import Consecutive
from .feeds import Feed, Lane, Source, Watched, matches_failure
from .keyring import Keyring
from .meters import buckets_of, seconds_of
from .rules import Rule
from .streaks import Failure, Streak, ready_at
from .watches import is_awake, worth_a_look
from .windows import CALLS, FAILED

WAITING = 128  # successes of a feed that wait before they are counted
_LANES = 4096  # failures that wait, of all feeds

PEAK_S = 10
"""What an alert measures at its worst is looked at so often, in seconds."""


class Counting:
    """Notes events down, and counts them when somebody looks, or when too many wait."""

    def __init__(self, keys: Keyring, agenda: Agenda) -> None:
        self._keys = keys
        self._agenda = agenda
        self._lanes: list[Lane] = []
        self._failures = 0

    @property
    def waiting(self) -> bool:
        """Whether failures wait, which must be counted before the next second is evaluated."""
        return bool(self._lanes)

    def feed(self, event: Event) -> Feed:
        """Return where an event is counted."""
        return self._keys.feed_of(event, second=self._agenda.second, drop=self._let_go)

    def note(self, feed: Feed, at: float) -> None:
        """Note a success down that ended before the second that is going on, or is the first of several."""
        second = self._agenda.second
        if len(feed.ok) >= WAITING:
            self._count_successes(feed)
        if not feed.ok:
            self._note_behind(feed)
        if feed.second != second:
            feed.second, feed.start = second, len(feed.ok)
        feed.ok.append(at)

    def _note_behind(self, feed: Feed) -> None:
        for source in feed.sources:
            source.behind[feed] = None
        for rule, place in feed.plan.silents:
            known = feed.sources[place].watched.get(rule.id)
            if known is None or known.watch.wake is None:
                self._agenda.rouse(known or self._keys.watched(rule, feed.sources[place])[0])

    def add_failure(self, lane: Lane, event: Event) -> None:
        """Note a failure, or a cancelled attempt, down."""
        if not lane.feed.ok:
            self._note_behind(lane.feed)
        if not lane.events:
            self._lanes.append(lane)
        lane.events.append(event)
        self._failures += 1
        if self._failures >= _LANES:
            self.count_failures()

    def take_back(self, failure: Event) -> None:
        """Make a failed call an absorbed attempt."""
        self.count_failures()
        feed = self.feed(failure)
        feed.totals.absorbed += 1
        for source in feed.sources:
            matches = matches_failure(source.meter.failures, failure)
            source.series.take_back(failure.at, (CALLS, FAILED) if matches else (CALLS,))
            for watched in source.watched.values():
                self._agenda.rouse(watched)

    def catch_up(self, source: Source) -> None:
        """Count all that has arrived of a key."""
        for feed in list(source.behind):
            if feed.ok:
                self._count_successes(feed)
            if feed.recent and feed.recent_second != self._agenda.second:
                feed.settle()
            if not feed.recent:
                source.behind.pop(feed, None)
        if not source.behind:
            # A dict that was used keeps its room.
            source.behind = {}
        source.fold()

    def count_all(self) -> None:
        """Count all that has arrived."""
        self.count_failures()
        for feed in self._keys.feeds.values():
            if feed.ok:
                self._count_successes(feed)
        for source in self._keys.sources():
            self.catch_up(source)

    def count_failures(self) -> None:
        """Count the failures that wait."""
        lanes, self._lanes, self._failures = self._lanes, [], 0
        for lane in lanes:
            self._count_lane(lane)

    # ── successes ─────────────────────────────────────────────────────────────

    def _let_go(self, feed: Feed) -> None:
        if feed.ok:
            self._count_successes(feed)
        if feed.recent:
            feed.settle()
        for source in feed.sources:
            source.behind.pop(feed, None)

    def _count_successes(self, feed: Feed) -> None:
        instants, second = feed.ok, self._agenda.second
        newest = max(instants)
        recent, settled = feed.observed_in(second, newest)
        if recent:
            if feed.recent and feed.recent_second != second:
                feed.settle()
            feed.recent_second = second
            feed.recent += recent
        feed.ok, feed.start = [], 0
        feed.totals.succeed(len(instants))
        seconds = seconds_of(instants)
        for source in feed.sources:
            source.succeed(seconds, newest, settled)
            if source.streaks:
                for watched in source.streaks:
                    self._succeed(watched, settled, recent)

    def _succeed(self, watched: Watched, settled: float, recent: list[float]) -> None:
        """Tell a run of successes: of those of seconds that are over, and of those of this one."""
        streak, condition = watched.watch.streak, watched.rule.condition
        assert streak is not None
        assert isinstance(condition, Consecutive)
        streak.settle_at(settled)
        if not recent:
            return
        ready, awake = ready_at(self._agenda.second, condition.settle_s), is_awake(watched.rule, watched.watch)
        streak.succeed(ready, list(recent), second=self._agenda.second, awake=awake)
        if awake:
            self._agenda.wake_at(watched, ready)

    # ── failures ──────────────────────────────────────────────────────────────

    def _count_lane(self, lane: Lane) -> None:
        events, lane.events = lane.events, []
        instants = [event.at for event in events]
        newest = max(instants)
        buckets = buckets_of(seconds_of(instants), lane.feed.plan.widths)
        for source in lane.feed.sources:
            source.series.version += 1
            source.series.last_at = max(source.series.last_at, newest)
        for source, columns, matches in lane.counted:
            source.series.add(buckets, columns)
            if not matches:
                source.series.other_at = max(source.series.other_at, newest)
        for rule, source in lane.matched:
            self._fail(rule, source, events)

    def _fail(self, rule: Rule, source: Source, events: list[Event]) -> None:
        watched, _ = self._keys.watched(rule, source)
        watch, second = watched.watch, self._agenda.second
        watched.gather(events, second)
        watch.failures += len(events)
        if isinstance(rule.condition, Consecutive):
            self._fail_in_a_row(watched, events, rule.condition)
        elif watch.said_until <= second or (
            (watch.failures > watch.enough or second >= watch.until) and worth_a_look(rule, source.series)
        ):
            self._agenda.rouse(watched)
        else:
            # Too few to change anything, until so much has left the windows that they may.
            self._agenda.wake_at(watched, watch.until)
            if watch.active:
                # What it measures at its worst is told; that need not be to the second.
                self._agenda.wake_at(watched, second - second % PEAK_S + PEAK_S)

    def _fail_in_a_row(self, watched: Watched, events: list[Event], condition: Consecutive) -> None:
        watch, rule, second = watched.watch, watched.rule, self._agenda.second
        streak, ready = watch.streak, ready_at(second, condition.settle_s)
        assert streak is not None
        if not is_awake(rule, watch) and (watch.active or streak.size + len(events) >= condition.count):
            self._catch_up_run(watched, streak, ready)
        streak.fail([Failure(ready, event.at, event.call_id or "") for event in events])
        if is_awake(rule, watch):
            if watch.most is None:
                self._agenda.heat(watched, 0)
            self._agenda.wake_at(watched, streak.next_ready())
        elif watch.said_until <= second:
            self._agenda.rouse(watched)

    def _catch_up_run(self, watched: Watched, streak: Streak, ready: int) -> None:
        """Tell a run of the successes that nobody told it of while it was too short to matter."""
        source = watched.source
        self.catch_up(source)
        recent = [at for feed in source.behind for at in feed.recent]
        self._succeed(watched, source.series.ok_at, recent)
        streak.forget_settled(ready)
