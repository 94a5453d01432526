"""Notifier: which alerts are told to whom, when, and what holds them back. Deterministic: the time is an argument.

≠ how a condition is found, how a message is delivered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from math import inf
from operator import attrgetter

from .alone import Alone, Page
from .decisions import Decision, Transition, What
from .desk import Desk, Find
from .errors import AlertError
from .escalations import Escalations
from .groups import Groups
from .inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from .lifecycle import Alert, Change
from .notification import Notification
from .notifier_state import Ack, NotifierState
from .notifier_state import Told as TellingOf
from .policy import Policy
from .posts import Posts
from .received import Posted
from .routes import Route
from .rules import Rule
from .silence_book import SilenceBook
from .silences import Silence
from .timers import Timer, Timers

__all__ = ["Notifier", "NotifierState", "Told"]

QUIET_S = 60.0
"""Time intervals begin and end at whole minutes."""

Told = tuple[list[Notification], list[Decision]]


class Notifier:
    """Turns the alerts as they are into the notifications that are due."""

    def __init__(
        self,
        route: Route | None = None,
        inhibit_rules: Iterable[InhibitRule] = DEFAULT_INHIBIT_RULES,
        *,
        external_url: str = "",
        state: NotifierState | None = None,
        policy: Policy | None = None,
    ) -> None:
        """Begin, or go on where a state was taken.

        Args:
            route: Who is told of what, where no policy is given.
            inhibit_rules: Which alert mutes which.
            external_url: Where people reach this Claxon.
            state: What another notifier remembered; it is used, not copied.
            policy: All of it, and more.
        """
        self.policy = policy or Policy(
            route=route or Route(receiver="console"), inhibit_rules=tuple(inhibit_rules), external_url=external_url
        )
        self.state = state if state is not None else NotifierState()

    @property
    def state(self) -> NotifierState:
        """All that is remembered."""
        return self._state

    @state.setter
    def state(self, state: NotifierState) -> None:
        self._state = state
        self._desk = Desk(self.policy, state)
        self._groups = Groups(self._desk)
        self._alone = Alone(self._desk, self._groups)
        self._escalations = Escalations(self._desk, self._alone)
        self._timers = Timers()
        self._posts = Posts(self._desk, self._timers)
        self._silences = SilenceBook(self._desk, self._timers)
        for name in {*state.firing, *state.received, *state.acks, *state.told, *state.escalations}:
            self._wind(name)
        for name, group in state.groups.items():
            self._timers.set(Timer.GROUP, name, group.next_at)
        self._quiet_at = -inf
        # Up to when all that was due is done; after a restart nobody knows.
        self._done_until = -inf

    @property
    def desk(self) -> Desk:
        """What holds an alert back, for who asks."""
        return self._desk

    # ── what happens ──────────────────────────────────────────────────────────

    def step(self, transitions: Iterable[Transition], rules: Mapping[str, Rule], find: Find) -> Told:
        """Return what is to be told because alerts changed, and why.

        Transitions of one instant are weighed together, so that a cause and its
        symptom, or two symptoms, that begin at once make one page, and so that it
        does not matter in how many steps the transitions came.

        Args:
            transitions: What changed since the last step, in order.
            rules: By id.
            find: The alert with a fingerprint as it is now, for what a page says.
        """
        self._desk.begin(rules, find)
        self._take(transitions)
        return self._done()

    def tick(self, now: float, rules: Mapping[str, Rule], find: Find) -> Told:
        """Return what is to be told because time went on: timers, posted alerts that end, silences, escalations."""
        self._desk.begin(rules, find)
        self._run(now)
        return self._done()

    def weigh(self, rules: Mapping[str, Rule], find: Find, now: float) -> Told:
        """Return what is to be told of alerts that fire already, after routes or inhibit rules have changed."""
        self._desk.begin(rules, find)
        self._settle(now)
        return self._done()

    def _take(self, transitions: Iterable[Transition]) -> None:
        for at, group in groupby(transitions, key=attrgetter("at")):
            self._run(at)
            changed = list(group)
            for transition in changed:
                self._apply(transition)
            self._alone.gather()
            for transition in changed:
                if transition.change is Change.RESOLVED:
                    self._end(transition.alert, at)
                elif transition.change is Change.FIRED:
                    self._alone.begin_again(transition.alert, at)
            self._settle(at)

    def _settle(self, now: float) -> None:
        """Tell of all that may be told, and look at the groups that are due."""
        before = len(self._desk.due)
        self._alone.begin_all(now)
        self._look_at_groups(now)
        for notification in self._desk.due[before:]:
            for told in notification.alerts:
                alert = self._state.firing.get(told.fingerprint)
                if alert is not None:
                    self._escalations.begin(alert, now)
                    self._wind(told.fingerprint)

    def _apply(self, transition: Transition) -> None:
        alert = transition.alert
        name = alert.fingerprint
        state = self._state
        if transition.change is Change.KEPT:
            state.kept[name] = True
            return
        state.kept.take(name)
        if transition.change in (Change.FIRED, Change.HELD):
            self._desk.fires(alert)
            self._alone.fired(alert)
            self._groups.fired(alert, transition.at)
        if transition.change is Change.RESOLVED:
            self._desk.is_over(alert)

    def _end(self, alert: Alert, now: float) -> None:
        name = alert.fingerprint
        over = self._desk.say(alert)
        if self._groups.ended(alert, now) and name not in self._state.firing:
            self._state.ended[name] = over
        closed = self._alone.end(alert, over, now)
        # What ends may be the page of another alert that this one was the last of.
        for ended in (over, closed or over):
            if self._alone.page(ended.fingerprint) is None:
                self._escalations.end(ended, now)
                self._state.acks.take(ended.fingerprint)

    def _done(self) -> Told:
        return self._desk.due, self._desk.decisions

    # ── timers ────────────────────────────────────────────────────────────────

    def _run(self, until: float) -> None:
        """Do what is due up to an instant, in order."""
        if self._has_intervals() and until // QUIET_S != self._quiet_at // QUIET_S:
            self._quiet_at = until
            self._timers.set(Timer.QUIET, "", until)
        while (due := self._timers.pop(until)) is not None:
            at, timer, name = due
            self._fire(timer, name, until if self._done_until == -inf else max(at, self._done_until))
        self._done_until = max(until, self._done_until)

    def _has_intervals(self) -> bool:
        return bool(self.policy.time_intervals) and bool(self._alone.untold)

    def _fire(self, timer: Timer, name: str, at: float) -> None:
        match timer:
            case Timer.POSTED:
                self._end_posted(name, at)
            case Timer.ACK:
                self._end_ack(name, at)
            case Timer.SILENCE:
                self._silence_turns(name, at)
            case Timer.QUIET:
                self._settle(at)
            case Timer.GROUP:
                self._groups.changed.add(name)
                self._settle(at)
            case Timer.REPEAT:
                self._alone.repeat(name, at)
                self._wind(name)
            case _:
                self._escalations.step(name, at)
                self._wind(name)

    def _wind(self, name: str) -> None:
        """Set the timers of an alert anew."""
        state = self._state
        known = state.received.get(name)
        if known is not None and name in state.firing:
            self._timers.set(Timer.POSTED, name, known.ends_at)
        ack = state.acks.get(name)
        self._timers.set(Timer.ACK, name, ack.until if ack is not None else None)
        self._timers.set(Timer.REPEAT, name, self._alone.next_at(name))
        self._timers.set(Timer.ESCALATION, name, self._escalations.next_at(name))

    def _look_at_groups(self, now: float) -> None:
        """Look at the groups that need not wait, for what they say belongs to this instant; wake the others later."""
        while self._groups.changed:
            key = min(self._groups.changed)
            self._groups.changed.discard(key)
            group = self._state.groups.get(key)
            if group is not None and group.next_at <= now:
                self._groups.look(key, now)
                # A group without an interval must not be looked at for ever.
                self._groups.changed.discard(key)
                group = self._state.groups.get(key)
            self._timers.set(Timer.GROUP, key, group.next_at if group is not None else None)

    # ── posted alerts ─────────────────────────────────────────────────────────

    def post(
        self, posted: Iterable[Posted], now: float, rules: Mapping[str, Rule], find: Find
    ) -> tuple[Told, list[str]]:
        """Take alerts that somebody posted; return what is to be told, and what was wrong with those not taken.

        Raises nothing: what is right is taken.
        """
        self._desk.begin(rules, find)
        self._run(now)
        wrong: list[str] = []
        changes: list[Transition] = []
        for one in posted:
            try:
                change = self._posts.take(one, now)
            except AlertError as fault:
                wrong.append(str(fault))
                continue
            if change is not None:
                changes.append(change)
        self._take(changes)
        return self._done(), wrong

    def _end_posted(self, name: str, at: float) -> None:
        ended = self._posts.over(name, at)
        if ended is not None:
            self._apply(Transition(change=Change.RESOLVED, at=at, alert=ended))
            self._end(ended, at)
            self._settle(at)

    # ── people ────────────────────────────────────────────────────────────────

    def acknowledge(self, name: str, *, by: str, now: float) -> Alert | None:
        """Note who looks after an alert's page, and return what that speaks of now; None if it is over.

        The acknowledgement of a page expires.
        """
        page = self._alone.page(name)
        if page is None:
            return None
        expires = self.policy.ack_expires_s if page.alert.labels.get("severity") in ("page", "critical") else 0.0
        self._state.acks[name] = Ack(episode=page.episode, by=by, at=now, until=now + expires if expires else None)
        self._wind(name)
        return page.alert

    def unacknowledge(self, name: str, now: float, rules: Mapping[str, Rule], find: Find, *, by: str = "") -> Told:
        """Note that nobody looks after an alert any more: those who were told of it are told again."""
        self._desk.begin(rules, find)
        self._end_ack(name, now, taken_back_by=by or "somebody")
        return self._done()

    def _end_ack(self, name: str, now: float, *, taken_back_by: str = "") -> None:
        ack, page = self._state.acks.get(name), self._alone.page(name)
        if ack is None or page is None or (not taken_back_by and (ack.until is None or ack.until > now)):
            return
        self._state.acks.take(name)
        why = f"taken back by {taken_back_by}" if taken_back_by else "it still fires"
        self._desk.note(What.ACK_EXPIRED, page.alert, now, note=f"of {ack.by}: {why}")
        self._alone.due_now(name, now)
        self._groups.due_now(name, now)
        self._alone.repeat(name, now)
        self._wind(name)
        self._settle(now)

    def silence(self, silence: Silence, now: float, rules: Mapping[str, Rule], find: Find) -> Told:
        """Put a silence, new or changed or expired, in force."""
        self._desk.begin(rules, find)
        self._silences.put(silence, now)
        self._settle(now)
        return self._done()

    def put_back(self, name: str, before: Silence | None) -> None:
        """Take back what was last done to a silence."""
        self._silences.put_back(name, before)

    def _silence_turns(self, name: str, now: float) -> None:
        notice = self._silences.turn(name, now)
        change = self._posts.take(notice, now) if notice is not None else None
        if change is not None:
            self._apply(change)
        self._settle(now)

    def forget_old(self, now: float) -> None:
        """Forget posted alerts that have ended, and silences that ended long ago."""
        self._posts.forget_old(now)
        self._silences.forget_old(now)

    # ── another configuration, another time ───────────────────────────────────

    def adopt(self, policy: Policy, now: float) -> None:
        """Take over another configuration; `weigh` follows.

        An alert of which only receivers were told that are gone is told anew: nobody who is
        there now knows of it. One of which somebody knows is not told again by other routes.
        """
        self.policy = self._desk.policy = policy
        state = self._state
        self._groups.adopt(now)
        for name in list(state.told):
            told = state.told[name]
            if told.receivers and not any(policy.knows(receiver) for receiver in told.receivers):
                self._alone.forget(name)
        self.state = state
        for name, alert in state.firing.items():
            if not self._is_told(name):
                state.told.take(name)
                self._alone.fired(alert)
                self._groups.fired(alert, now)

    def _is_told(self, name: str) -> bool:
        told = self._state.told.get(name)
        alone = told is not None and bool(told.receivers)
        return alone or any(self.policy.knows(receiver) for receiver in self._groups.told(name))

    def resume(self) -> None:
        """Take a pause: what was due meanwhile is due now, once, and not at each of the instants that have passed."""
        self._done_until = -inf

    def rewind(self, now: float) -> None:
        """Take the clock's being set back to `now`: nothing waits longer than it would have."""
        state = self._state
        self._groups.rewind(now)
        for name, told in state.told.items():
            told.again = {receiver: min(at, now + told.every[receiver]) for receiver, at in told.again.items()}
            state.told[name] = told
        for name, ack in state.acks.items():
            if ack.until is not None:
                ack.until = min(ack.until, now + self.policy.ack_expires_s)
                state.acks[name] = ack
        self.state = state

    def remember(self, alert: Alert, receivers: list[str]) -> None:
        """Take over that receivers were told of an alert that fires, from who knows it."""
        self._state.firing[alert.fingerprint] = alert
        self._state.told[alert.fingerprint] = TellingOf(episode=alert.episode, receivers=receivers)
        self.state = self._state

    # ── for who asks ──────────────────────────────────────────────────────────

    def page(self, name: str) -> Page | None:
        """Return what the page of an alert speaks of now; None if nothing of it fires any more."""
        return self._alone.page(name)

    def told(self, name: str) -> list[str]:
        """Return the receivers that know that an alert fires."""
        told = self._state.told.get(name)
        alone = told.receivers if told is not None else []
        escalation = self._state.escalations.get(name)
        further = escalation.told if escalation is not None else []
        return list(dict.fromkeys([*alone, *self._groups.told(name), *further]))

    def held_back(self, name: str) -> str:
        """Return what holds an alert back, as `NotifierState.held_back`, by itself or in a group; "" is nothing."""
        return self._state.held_back.get(name, "") or self._groups.held_back(name)

    def holds_back(self, by: str) -> list[str]:
        """Return the alerts that another one inhibits."""
        why = f"inhibited {by}"
        return [name for name in self._state.firing if self.held_back(name) == why]

    def next_at(self) -> float | None:
        """Return when something is due next; None is never."""
        return self._timers.next_at()

    def untold_pages(self, now: float, *, after_s: float) -> list[Alert]:
        """Return the pages that fire for a while, that nobody was told of, and that nothing known holds back."""
        state = self._state
        return [
            alert
            for name, alert in state.firing.items()
            if alert.labels.get("severity") == "page"
            and alert.fired_at is not None
            and now - alert.fired_at > after_s
            and not self.held_back(name)
            and name not in state.kept
            and not self.told(name)
            and not self._waits(name, now)
        ]

    def _waits(self, name: str, now: float) -> bool:
        """Whether an alert waits for a group that has not been looked at yet, or for a storm's next message."""
        return any(
            name in group.members and group.next_at >= now and (not group.log or group.route == "storm")
            for group in self._state.groups.values()
        )
