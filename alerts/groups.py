"""Groups: alerts that are told together, by Alertmanager's timers and its notification log.

Source: Alertmanager's dispatcher (a group is looked at after `group_wait`, then every
`group_interval`; what has ended leaves after the look) and its dedup stage (`reason_of`). What
differs is said in docs/alerting.md.

≠ alerts that are told by themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from math import inf

import msgspec

from . import storms
from .decisions import Decision, What
from .desk import Desk
from .label_order import in_order
from .labels import Labels, common
from .lifecycle import Alert
from .notification import AlertMessage, Notification, NotifyReason, Status, facts
from .notifier_state import Group, Log
from .routes import ALL_LABELS, Matched, Route

_MOMENT_S = 0.001

_RETIRED = "retired"
"""Stands for the route of a group whose route is gone."""


class Groups:
    """Tells of alerts in groups."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._state = desk.state
        self.changed: set[str] = set()
        self._routes: dict[str, Matched] = {}
        self._of: dict[str, list[str]] = {}
        for key, group in self._state.groups.items():
            for name in group.members:
                self._of.setdefault(name, []).append(key)
        self.use_routes()

    def use_routes(self) -> None:
        """Look the routes up anew."""
        self._routes = {m.id: m for m in self._desk.policy.route.walk() if m.route.group_by is not None}

    # ── who is in which ───────────────────────────────────────────────────────

    def fired(self, alert: Alert, now: float) -> None:
        """Put an alert that fires into its groups."""
        known = self._state.received.get(alert.fingerprint)
        if known is not None and known.via:
            return
        for matched in self._desk.policy.route.matches(alert.labels):
            if matched.route.group_by is not None:
                self._insert(alert, matched, now)
        for key in self._of.get(alert.fingerprint, ()):
            self._stir(key, now)

    def _insert(self, alert: Alert, matched: Matched, now: float) -> None:
        route = matched.route
        labels = _group_labels(alert.labels, route)
        key = f"{matched.id}\n{route.receiver}\n{_text(labels)}"
        group = self._state.groups.get(key)
        if group is None:
            due = now + route.group_wait_s
            started = alert.fired_at if alert.fired_at is not None else now
            # One that has fired for long enough elsewhere waits for nobody.
            if started + route.group_wait_s < now:
                due = now
            group = Group(
                route=matched.id,
                receiver=route.receiver,
                key=f"{matched.key}:{_text(labels)}",
                labels=labels,
                next_at=due,
            )
        self._join(group, key, alert, now)

    def join_storm(self, alert: Alert, receiver: str, now: float) -> None:
        """Put an alert that came too fast after others into the one group of its receiver."""
        key = f"{storms.ROUTE}\n{receiver}"
        group = self._state.groups.get(key)
        if group is None:
            due = now + storms.GROUP_WAIT_S
            group = Group(route=storms.ROUTE, receiver=receiver, key="{}:{}", labels={}, next_at=due)
        self._join(group, key, alert, now)

    def _join(self, group: Group, key: str, alert: Alert, now: float) -> None:
        name = alert.fingerprint
        # A group may have thousands of members.
        if key not in self._of.get(name, ()):
            group.members.append(name)
            self._of.setdefault(name, []).append(key)
            wait = max(group.next_at - now, 0.0)
            if wait:
                self._desk.note(
                    What.GROUPED, alert, now, note=f"waits {wait:g} s for the group {group.key} of {group.receiver}"
                )
        self._state.groups[key] = group
        self.changed.add(key)

    def ended(self, alert: Alert, now: float) -> bool:
        """Take the end of an alert; return whether a group has to tell of it."""
        keys = self._of.get(alert.fingerprint, [])
        for key in keys:
            self._stir(key, now)
        return bool(keys)

    def _stir(self, key: str, now: float) -> None:
        """Have a group that waits for nothing looked at now."""
        group = self._state.groups[key]
        if self._interval(group) == 0 and group.next_at > now:
            group.next_at = now
            self._state.groups[key] = group
            self.changed.add(key)

    def held_back(self, name: str) -> str:
        """Return what holds an alert back in a group; "" if nothing does."""
        return next((why for key in self._of.get(name, ()) if (why := self._state.groups[key].held.get(name))), "")

    def told(self, name: str) -> list[str]:
        """Return the receivers that were told in groups that an alert fires."""
        groups = (self._state.groups[key] for key in self._of.get(name, ()))
        return [g.receiver for g in groups if any(name in log.firing for log in g.log.values())]

    def due_now(self, name: str, now: float) -> None:
        """Have those who were told of an alert told again: nobody looks after it any more."""
        for key in self._of.get(name, ()):
            group = self._state.groups[key]
            for log in group.log.values():
                if name in log.firing:
                    log.at = -inf
            group.next_at = min(group.next_at, now)
            self._state.groups[key] = group
            self.changed.add(key)

    # ── looks ─────────────────────────────────────────────────────────────────

    def look(self, key: str, now: float) -> None:
        """Look at a group whose time has come: tell what there is to tell, and let go of what has ended."""
        group = self._state.groups[key]
        seen = _Seen(self._desk, group, self._routes.get(group.route), now)
        for lane in self._desk.policy.lanes_of(group.receiver):
            self._tell(group, seen, lane, now)
        members = set(seen.resolved)
        group.members = [name for name in group.members if name not in members]
        group.held = {name: why for name, why in group.held.items() if name not in members}
        for name in members:
            self._left(name, key)
        if not group.members:
            del self._state.groups[key]
            return
        group.next_at = self._next(group, now)
        self._state.groups[key] = group
        self.changed.add(key)

    def _left(self, name: str, key: str) -> None:
        keys = self._of[name]
        keys.remove(key)
        if not keys:
            del self._of[name]
            if name not in self._state.firing:
                self._state.ended.take(name)

    def _tell(self, group: Group, seen: _Seen, lane: bool | None, now: float) -> None:
        name = {None: "all", True: "ends", False: "no ends"}[lane]
        log = group.log.get(name)
        firing, resolved = seen.parted(log)
        reason = reason_of(log, firing, resolved, wants_ends=lane is not False, repeat_s=self._repeat(group), now=now)
        if reason is NotifyReason.REPEAT and not seen.worth_repeating(firing):
            reason = None
        if reason is None:
            return
        listed = in_order(_listed(group, log, firing, resolved), seen.labels)
        left_out = len(firing) + len(resolved) - len(listed)
        opened_at = log.opened_at if log is not None and log.firing else now
        kept = set(listed)
        known = kept.union(log.firing) if log is not None else kept
        group.log[name] = Log(
            firing=[n for n in firing if n in known],
            resolved=[n for n in resolved if n in kept],
            at=now,
            opened_at=opened_at,
        )
        if lane is False and reason is NotifyReason.RESOLVED:
            return
        messages = [m for n in listed if (m := seen.message(n)).status is Status.FIRING or lane is not False]
        self._say(group, messages, reason, lane, left_out=left_out, opened_at=opened_at, now=now)

    def _say(
        self,
        group: Group,
        messages: list[AlertMessage],
        reason: NotifyReason,
        lane: bool | None,
        *,
        left_out: int,
        opened_at: float,
        now: float,
    ) -> None:
        firing = any(m.status is Status.FIRING for m in messages)
        self._desk.due.append(
            Notification(
                status=Status.FIRING if firing else Status.RESOLVED,
                receiver=group.receiver,
                group_key=group.key,
                group_labels=group.labels,
                common_labels=common(m.labels for m in messages),
                common_annotations=common(map(facts, messages)),
                external_url=self._desk.policy.external_url,
                reason=reason.value,
                dedup_key=_dedup_key(group, opened_at),
                at=now,
                alerts=messages,
                truncated_alerts=left_out,
                send_resolved=lane,
            )
        )
        self._note(group, messages, reason, now)

    def _note(self, group: Group, messages: list[AlertMessage], reason: NotifyReason, now: float) -> None:
        for told in messages:
            row = Decision(at=now, what=What.NOTIFIED, subject=told.fingerprint, labels=told.labels)
            row.rule_hash, row.note = told.rule_hash, f"{reason}: {group.receiver}, in the group {group.key}"
            self._desk.decisions.append(row)

    # ── timers ────────────────────────────────────────────────────────────────

    def _interval(self, group: Group) -> float:
        if group.route == storms.ROUTE:
            return storms.GROUP_INTERVAL_S
        matched = self._routes.get(group.route)
        return matched.route.group_interval_s if matched is not None else 0.0

    def _repeat(self, group: Group) -> float:
        matched = self._routes.get(group.route)
        every = (matched.route if matched is not None else self._desk.policy.route).repeat_interval_s
        # Alertmanager asks whether more than that has passed; a group without an interval is looked at right then.
        return every if self._interval(group) > 0 else every - _MOMENT_S

    def _next(self, group: Group, now: float) -> float:
        interval = self._interval(group)
        if group.route == storms.ROUTE and self._unnamed(group):
            return now + storms.NEXT_S
        if interval > 0:
            return now + interval
        latest = min((log.at for log in group.log.values()), default=now)
        every = self._repeat(group) + _MOMENT_S
        return latest + every if latest + every > now else now + every

    def _unnamed(self, group: Group) -> bool:
        named = {name for log in group.log.values() for name in log.firing}
        return any(name in self._state.firing and name not in named for name in group.members)

    # ── other routes ──────────────────────────────────────────────────────────

    def adopt(self, now: float) -> None:
        """Take over other routes: groups of routes that are gone only tell ends, and those go on that are the same."""
        self.use_routes()
        for key, group in list(self._state.groups.items()):
            if group.route != storms.ROUTE and not self._fits(group):
                self._retire(key, group)
            elif self._interval(group) > 0:
                group.next_at = min(group.next_at, now + max(self._interval(group), self._wait(group)))
                self._state.groups[key] = group
                self.changed.add(key)

    def _fits(self, group: Group) -> bool:
        """Whether the route of a group would make the same group now."""
        matched = self._routes.get(group.route)
        if matched is None or matched.route.receiver != group.receiver:
            return False
        state = self._state
        labels = [alert.labels for name in group.members if (alert := state.firing.get(name)) is not None]
        return all(_group_labels(one, matched.route) == group.labels for one in labels[:1])

    def rewind(self, now: float) -> None:
        """Take the clock's being set back: no group waits for longer than it would from now."""
        for key, group in list(self._state.groups.items()):
            group.next_at = min(group.next_at, now + max(self._interval(group), self._wait(group)))
            for log in group.log.values():
                log.at = min(log.at, now)
            self._state.groups[key] = group
            self.changed.add(key)

    def _wait(self, group: Group) -> float:
        matched = self._routes.get(group.route)
        return matched.route.group_wait_s if matched is not None else storms.GROUP_WAIT_S

    def _retire(self, key: str, group: Group) -> None:
        """Keep of a group only what somebody who is still there was told of."""
        there = self._desk.policy.knows(group.receiver)
        told = {name for log in group.log.values() for name in log.firing} if there else set()
        group.route = _RETIRED
        for name in [name for name in group.members if name not in told]:
            group.members.remove(name)
            self._left(name, key)
        if not group.members:
            del self._state.groups[key]
            return
        self._state.groups[key] = group


class _Seen:
    """A group as it is at one look."""

    def __init__(self, desk: Desk, group: Group, matched: Matched | None, now: float) -> None:
        self._desk = desk
        self._now = now
        self._messages: dict[str, AlertMessage] = {}
        state = desk.state
        self._firing = [name for name in group.members if name in state.firing]
        self.resolved = [name for name in group.members if name not in state.firing]
        self._held: dict[str, str] = {}
        for name in self._firing:
            alert = state.firing[name]
            why, sentence = desk.held(alert, matched, now)
            if why:
                self._held[name] = sentence
                told = any(name in log.firing for log in group.log.values())
                if not told and group.held.get(name) != why:
                    group.held[name] = why
                    desk.note_held(alert, why, sentence, now)
            else:
                group.held.pop(name, None)
        for name in self.resolved:
            over = state.ended.get(name)
            if over is not None and self._is_held(over, matched):
                self._held[name] = "held back"

    def _is_held(self, over: AlertMessage, matched: Matched | None) -> bool:
        desk = self._desk
        muted = matched is not None and bool(desk.muting(matched, self._now))
        return muted or bool(desk.silencing.by(over.labels, self._now)) or desk.inhibition.source_of(over) is not None

    def parted(self, log: Log | None) -> tuple[list[str], list[str]]:
        """Return who fires and who has ended, of those that may be told, or were."""
        told = set(log.firing) if log is not None else set()
        kept = self._desk.state.kept
        firing = [n for n in self._firing if n in told or (n not in self._held and n not in kept)]
        return firing, [n for n in self.resolved if n in told or n not in self._held]

    def worth_repeating(self, firing: Iterable[str]) -> bool:
        """Whether somebody should be told again: not all of it is held back or looked after."""
        return any(n not in self._held and not self._is_acked(n) for n in firing)

    def _is_acked(self, name: str) -> bool:
        episode = self._desk.episode_of(self._desk.state.firing[name])
        return self._desk.acked(name, episode, self._now)

    def labels(self, name: str) -> Labels:
        """Return the labels of an alert."""
        alert = self._desk.state.firing.get(name)
        return alert.labels if alert is not None else self._desk.state.ended[name].labels

    def message(self, name: str) -> AlertMessage:
        """Return what is said of an alert."""
        if name not in self._messages:
            alert = self._desk.state.firing.get(name)
            said = self._desk.say(alert) if alert is not None else self._desk.state.ended[name]
            if alert is not None and name in self._held:
                said = msgspec.structs.replace(said, muted_by=self._held[name])
            self._messages[name] = said
        return self._messages[name]


def reason_of(
    log: Log | None, firing: list[str], resolved: list[str], *, wants_ends: bool, repeat_s: float, now: float
) -> NotifyReason | None:
    """Return why a group is told now; None if it is not.

    Source:
        Alertmanager's `DedupStage.needsUpdate`.

    Args:
        log: What was told last; None before the first time.
        firing: Who fires.
        resolved: Who has ended.
        wants_ends: The integrations' `send_resolved`.
        repeat_s: After how long the same is told again.
        now: Unix seconds.
    """
    if log is None:
        return NotifyReason.FIRST if firing else None
    if not set(firing) <= set(log.firing):
        return NotifyReason.NEW if log.firing else NotifyReason.FIRST
    if not firing:
        return NotifyReason.RESOLVED if log.firing else None
    if wants_ends and not set(resolved) <= set(log.resolved):
        return NotifyReason.SOME_RESOLVED
    return NotifyReason.REPEAT if log.at < now - repeat_s else None


def _listed(group: Group, log: Log | None, firing: list[str], resolved: list[str]) -> list[str]:
    """Return whom a message names; of a storm those first that no message named."""
    everybody = [*firing, *resolved]
    if group.route != storms.ROUTE or len(everybody) <= storms.LISTED:
        return everybody
    told = set(log.firing) if log is not None else set()
    fresh = [name for name in firing if name not in told]
    ends = [name for name in resolved if name in told]
    first = [*ends, *fresh]
    return [*first, *(name for name in firing if name in told)][: max(storms.LISTED, len(ends))]


def _group_labels(labels: Labels, route: Route) -> Labels:
    if route.group_by == ALL_LABELS:
        return dict(labels)
    return {name: labels[name] for name in route.group_by or () if name in labels}


def _text(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{labels[name]}"' for name in sorted(labels)) + "}"


def _dedup_key(group: Group, opened_at: float) -> str:
    name = group.labels.get("alertname", "group")[:200]
    digest = hashlib.sha256(f"{group.route}\n{group.receiver}\n{group.key}".encode()).hexdigest()[:16]
    return f"claxon/{name}/{digest}/{round(opened_at * 1000)}"
