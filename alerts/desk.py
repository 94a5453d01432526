"""Desk: what the parts of the notifier share: the state, what is due, and what holds an alert back.

≠ when somebody is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf

import msgspec

from . import received as posted
from .decisions import Decision, What
from .inhibition import Inhibition
from .labels import Labels
from .lifecycle import Alert, State
from .notification import AlertMessage, Notification, NotifyReason, Status, facts
from .notifier_state import NotifierState
from .policy import Policy
from .routes import Matched
from .rules import Rule
from .silences import Silencing
from .time_intervals import muted_by
from .wording import message

Find = Callable[[str], Alert | None]

_ROWS = {"inhibited": What.INHIBITED, "silenced": What.SILENCED, "muted": What.MUTED}


class Desk:
    """Shared by all that tell somebody of something."""

    def __init__(self, policy: Policy, state: NotifierState) -> None:
        self.policy = policy
        self.state = state
        self.silencing = Silencing(state.silences)
        self.inhibition = Inhibition(policy.inhibit_rules, state.firing.values())
        self._ranks = {name: rank for rank, name in enumerate(state.firing)}
        self._latest_rank = len(self._ranks)
        self.due: list[Notification] = []
        self.decisions: list[Decision] = []
        self.rules: Mapping[str, Rule] = {}
        self.find: Find = dict[str, Alert]().get

    def begin(self, rules: Mapping[str, Rule], find: Find) -> None:
        """Begin with nothing due."""
        self.due, self.decisions, self.rules, self.find = [], [], rules, find

    def fires(self, alert: Alert) -> None:
        """Take an alert that fires, or holds again."""
        name = alert.fingerprint
        if name not in self.state.firing:
            self._latest_rank += 1
            self._ranks[name] = self._latest_rank
        self.state.firing[name] = alert
        self.state.ended.take(name)
        self.inhibition.add(alert)

    def is_over(self, alert: Alert) -> None:
        """Take an alert that has ended."""
        self.state.firing.take(alert.fingerprint)
        self.state.held_back.take(alert.fingerprint)
        self._ranks.pop(alert.fingerprint, None)
        self.inhibition.discard(alert)

    def rank(self, name: str) -> int:
        """Return where an alert stands in the order in which those that fire began; the same after a restart."""
        return self._ranks.get(name, 0)

    # ── what is said ──────────────────────────────────────────────────────────

    def say(self, alert: Alert) -> AlertMessage:
        """Return an alert as a page tells it; one that fires as it is now."""
        if alert.state is State.FIRING:
            alert = _latest(alert, self.find(alert.fingerprint))
        name = alert.fingerprint
        external = self.policy.external_url
        known = self.state.received.get(name)
        rule = self.rules.get(alert.rule)
        if rule is None:
            known = known or posted.unknown(alert)
            url = f"{external.rstrip('/')}/alerts/{name}"
            said = posted.message(known, alert, url=url, ack_url=f"{url}#acknowledge")
        else:
            said = message(alert, rule, external_url=external)
        changes: dict[str, str] = {}
        episode = self.episode_of(alert)
        if self.policy.ack_url is not None:
            changes["ack_url"] = self.policy.ack_url(name, episode)
        ack = self.state.acks.get(name)
        if ack is not None and ack.episode == episode:
            changes["acked_by"] = ack.by
        return msgspec.structs.replace(said, **changes) if changes else said

    def tell(
        self, told: AlertMessage, receivers: Iterable[str], now: float, reason: NotifyReason, *, key: str = ""
    ) -> None:
        """Have receivers told of one alert by itself; `key` is that of its page, where that is another alert's."""
        self.due += [
            Notification(
                status=Status.RESOLVED if reason is NotifyReason.RESOLVED else Status.FIRING,
                receiver=receiver,
                group_key=_group_key(told.labels),
                group_labels=told.labels,
                common_labels=told.labels,
                common_annotations=facts(told),
                external_url=self.policy.external_url,
                reason=reason.value,
                dedup_key=key or episode_key(told),
                at=now,
                alerts=[told],
            )
            for receiver in receivers
        ]

    def note(self, what: What, alert: Alert, now: float, *, note: str) -> None:
        """Add a row about an alert to the ledger."""
        row = Decision(at=now, what=what, subject=alert.fingerprint, labels=alert.labels, value=alert.value, note=note)
        row.rule, row.rule_hash = alert.rule, alert.rule_hash
        self.decisions.append(row)

    # ── what holds it back ────────────────────────────────────────────────────

    def held(self, alert: Alert, matched: Matched | None, now: float) -> tuple[str, str]:
        """Return what holds an alert back and a sentence about it; two empty texts if nothing does.

        The order is Alertmanager's: inhibition, time intervals, silences.

        Args:
            alert: Which fires.
            matched: The route by which it would be told; None where no time interval counts.
            now: Unix seconds.
        """
        before = self.state.held_back.get(alert.fingerprint, "").partition(" ")[2]
        source = self.inhibition.source_of(alert, before=before)
        if source is not None:
            return (
                f"inhibited {source.fingerprint}",
                f"by {source.labels.get('alertname', 'alert')} {source.fingerprint}",
            )
        muting = self.muting(matched, now) if matched is not None else ""
        if muting:
            return f"muted {muting}", f"by the time interval {muting}"
        silences = self.silencing.by(alert.labels, now)
        if silences:
            silence = self.state.silences[silences[0]]
            return f"silenced {silence.id}", f"by the silence {silence.id} of {silence.created_by}: {silence.comment}"
        return "", ""

    def muting(self, matched: Matched, now: float) -> str:
        """Return the time interval that mutes a route now; "" is none."""
        route = matched.route
        if not route.mute_time_intervals and not route.active_time_intervals:
            return ""
        return next(iter(muted_by(route, self.policy.time_intervals, now)), "")

    def hold_back(self, alert: Alert, why: str, sentence: str, now: float) -> None:
        """Note that an alert is held back, once for each cause."""
        name = alert.fingerprint
        if self.state.held_back.get(name) != why:
            self.state.held_back[name] = why
            self.note_held(alert, why, sentence, now)

    def note_held(self, alert: Alert, why: str, sentence: str, now: float) -> None:
        """Add a row to the ledger about what holds an alert back."""
        self.note(_ROWS[why.partition(" ")[0]], alert, now, note=sentence)

    def let_go(self, name: str) -> None:
        """Note that nothing holds an alert back."""
        self.state.held_back.take(name)

    def episode_of(self, alert: Alert) -> int:
        """Return the episode of an alert's open page, which may be an earlier one than its own."""
        told = self.state.told.get(alert.fingerprint)
        return told.episode if told is not None and told.receivers else alert.episode

    def acked(self, name: str, episode: int, now: float) -> bool:
        """Whether somebody looks after the page of an alert's episode."""
        ack = self.state.acks.get(name)
        return ack is not None and ack.episode == episode and now < (inf if ack.until is None else ack.until)


def episode_key(one: Alert | AlertMessage) -> str:
    """Return what the firing and the end of one episode share; at most 255 characters."""
    return page_key(one.labels, one.fingerprint, one.episode)


def page_key(labels: Labels, name: str, episode: int) -> str:
    """Return the key of the page of an alert's episode; at most 255 characters."""
    return f"claxon/{labels.get('alertname', 'alert')[:200]}/{name}/{episode}"


def _latest(begun: Alert, current: Alert | None) -> Alert:
    """Return the alert as it is now, if it still is the one that began."""
    same = current is not None and current.state is State.FIRING and current.episode == begun.episode
    return current if same and current is not None else begun


def _group_key(labels: Labels) -> str:
    inside = ", ".join(f'{name}="{labels[name]}"' for name in sorted(labels))
    return "{}:{" + inside + "}"
