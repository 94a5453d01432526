"""Alone: an alert that is told at once and by itself, and the incidents in which one page speaks for several.

≠ groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import msgspec

from .decisions import Decision, What
from .desk import Desk, page_key
from .groups import Groups
from .incidents import Incident, Place, closing, is_symptom, place_of
from .lifecycle import Alert
from .notification import AlertMessage, NotifyReason
from .notifier_state import Told
from .routes import Matched
from .storms import paced


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that is open.

    Attributes:
        alert: What it speaks of now: the alert that was told, or, when that is over, one of its incident that is not.
        episode: Of the alert that was told.
        key: What all its messages share.
    """

    alert: Alert
    episode: int
    key: str


class Alone:
    """Tells of alerts by themselves, each once an episode, and again while they go on."""

    def __init__(self, desk: Desk, groups: Groups) -> None:
        self._desk = desk
        self._groups = groups
        state = self._state = desk.state
        # Of thousands that fire, few are not told of: only those are weighed at each instant.
        self.untold = dict.fromkeys(name for name in state.firing if self._is_untold(name))
        self._open: dict[Place, list[str]] = {}
        for lead, incident in state.incidents.items():
            self._open.setdefault(place_of(incident.labels), []).append(lead)

    def _is_untold(self, name: str) -> bool:
        told = self._state.told.get(name)
        return told is None or bool(told.waiting)

    # ── beginnings ────────────────────────────────────────────────────────────

    def fired(self, alert: Alert) -> None:
        """Take an alert that fires, or holds again."""
        if self._is_untold(alert.fingerprint):
            self.untold[alert.fingerprint] = None

    def begin_all(self, now: float) -> None:
        """Tell of all that fires, is not told, and may be."""
        for name in sorted(self.untold, key=self._desk.rank):
            self._begin(self._state.firing[name], now)

    def begin_again(self, alert: Alert, now: float) -> None:
        """Note that an alert fires anew while the page of its earlier episode is open."""
        told = self._state.told.get(alert.fingerprint)
        if told is not None and told.episode != alert.episode:
            note = f"by its own open page, of episode {told.episode}"
            self._desk.note(What.INHIBITED, alert, now, note=note)

    def _routes(self, alert: Alert) -> list[Matched | str]:
        """Return the routes that tell of an alert by itself, or the receivers, where they are given."""
        known = self._state.received.get(alert.fingerprint)
        if known is not None and known.via:
            return list(known.via)
        return [m for m in self._desk.policy.route.matches(alert.labels) if m.route.group_by is None]

    def receivers(self, alert: Alert) -> list[str]:
        """Return who is told of an alert by itself, each once."""
        return list(dict.fromkeys(_name(one) for one in self._routes(alert)))

    def _begin(self, alert: Alert, now: float) -> None:
        name = alert.fingerprint
        routes = self._routes(alert)
        if not routes:
            self.untold.pop(name, None)  # It is told in groups only.
            return
        # What was held back while it held, and is over when its cause is, is news to nobody.
        if name in self._state.kept:
            return
        why, sentence = self._desk.held(alert, None, now)
        if why.startswith("inhibited"):
            self._desk.hold_back(alert, why, sentence, now)
            return
        lead = self._incident_of(alert)
        if lead is not None and lead != name:
            named = f"the open page of {self._state.incidents[lead].labels['alertname']}"
            self._desk.hold_back(alert, f"inhibited {lead}", f"by {named} {lead}", now)
            return
        if why:
            self._desk.hold_back(alert, why, sentence, now)
            return
        self._tell_those_who_may(alert, routes, now)

    def _tell_those_who_may(self, alert: Alert, routes: list[Matched | str], now: float) -> None:
        name = alert.fingerprint
        told = self._state.told.get(name)
        wanted = told.waiting if told is not None else list(dict.fromkeys(_name(one) for one in routes))
        open_now = {_name(one) for one in routes if isinstance(one, str) or not self._desk.muting(one, now)}
        ready = [receiver for receiver in wanted if receiver in open_now]
        waiting = [receiver for receiver in wanted if receiver not in open_now]
        if waiting:
            muting = next(m for one in routes if isinstance(one, Matched) and (m := self._desk.muting(one, now)))
            self._desk.hold_back(alert, f"muted {muting}", f"by the time interval {muting}: {', '.join(waiting)}", now)
        else:
            self._desk.let_go(name)
            self.untold.pop(name, None)
        if ready:
            self._tell(alert, routes, ready, waiting, now)
        elif told is not None:
            told.waiting = waiting
            self._state.told[name] = told

    def _tell(
        self, alert: Alert, routes: list[Matched | str], ready: list[str], waiting: list[str], now: float
    ) -> None:
        desk, name = self._desk, alert.fingerprint
        told = self._state.told.get(name) or Told(episode=alert.episode, receivers=[])
        one_by_one = [receiver for receiver in ready if paced(self._state.paces, receiver, now)]
        told.receivers = [*told.receivers, *one_by_one]
        told.waiting = waiting
        for one in routes:
            every = one.route.repeat_interval_s if isinstance(one, Matched) else inf
            receiver = _name(one)
            if receiver in one_by_one and every < inf:
                told.every[receiver] = min(every, told.every.get(receiver, inf))
                told.again[receiver] = now + told.every[receiver]
        self._state.told[name] = told
        for receiver in ready:
            if receiver not in one_by_one:
                self._groups.join_storm(alert, receiver, now)
        if not one_by_one:
            return
        self._open_page(alert, told.receivers)
        # The page says what is; the ledger what was when the alert changed last, however late a step comes.
        desk.note(What.NOTIFIED, alert, now, note=f"{NotifyReason.FIRST}: {', '.join(one_by_one)}")
        desk.tell(desk.say(alert), one_by_one, now, NotifyReason.FIRST)

    # ── again ─────────────────────────────────────────────────────────────────

    def next_at(self, name: str) -> float | None:
        """Return when somebody is told of an alert again."""
        told = self._state.told.get(name)
        return min(told.again.values(), default=None) if told is not None else None

    def repeat(self, name: str, now: float) -> None:
        """Tell again of an alert that still fires, those whose time has come."""
        told = self._state.told.get(name)
        if told is None:
            return
        due = [receiver for receiver, at in told.again.items() if at <= now]
        if not due:
            return
        for receiver in due:
            told.again[receiver] = now + told.every[receiver]
        self._state.told[name] = told
        page = self.page(name)
        if page is None or not self.needs_somebody(name, page, now):
            return
        alert = page.alert
        open_now = {
            _name(one) for one in self._routes(alert) if isinstance(one, str) or not self._desk.muting(one, now)
        }
        due = [receiver for receiver in due if receiver in open_now]
        if due:
            self._desk.note(What.NOTIFIED, alert, now, note=f"{NotifyReason.REPEAT}: {', '.join(due)}")
            self.tell_page(page, due, now, NotifyReason.REPEAT)

    def page(self, name: str) -> Page | None:
        """Return what the page of an alert speaks of now; None if nothing of it fires any more."""
        alert, labels = self._state.firing.get(name), None
        incident = self._state.incidents.get(name)
        if alert is None and incident is not None:
            labels = incident.labels
            alert = next((self._state.firing[n] for n in incident.firing if n in self._state.firing), None)
        if alert is None:
            return None
        told = self._state.told.get(name)
        episode = told.episode if told is not None and told.receivers else alert.episode
        return Page(alert=alert, episode=episode, key=page_key(labels or alert.labels, name, episode))

    def needs_somebody(self, name: str, page: Page, now: float) -> bool:
        """Whether nobody looks after a page, and nothing holds it back."""
        return not self._desk.acked(name, page.episode, now) and not self._desk.held(page.alert, None, now)[0]

    def tell_page(self, page: Page, receivers: list[str], now: float, reason: NotifyReason) -> None:
        """Have receivers told what an open page speaks of now, under its own key."""
        said = msgspec.structs.replace(self._desk.say(page.alert), episode=page.episode)
        self._desk.tell(said, receivers, now, reason, key=page.key)

    def due_now(self, name: str, now: float) -> None:
        """Have everybody who was told of an alert told again: nobody looks after it any more."""
        told = self._state.told.get(name)
        if told is not None:
            told.again = dict.fromkeys(told.again, now)
            self._state.told[name] = told

    # ── ends ──────────────────────────────────────────────────────────────────

    def end(self, alert: Alert, over: AlertMessage, now: float) -> AlertMessage | None:
        """Take the end of an alert: whoever was told of it is told of that.

        Returns:
            The end of the page that is over now, which may be another alert's; None while it goes on.
        """
        name = alert.fingerprint
        self.untold.pop(name, None)
        for lead in self._open.get(place_of(alert.labels), ()):
            if name in self._state.incidents[lead].firing:
                return self._leave(lead, alert, over, now)
        told = self._state.told.take(name)
        if told is not None and told.receivers:
            self._desk.note(What.NOTIFIED, alert, now, note=f"{NotifyReason.RESOLVED}: {', '.join(told.receivers)}")
            self._desk.tell(over, told.receivers, now, NotifyReason.RESOLVED)
        return over

    def forget(self, name: str) -> None:
        """Count an alert as not told: nobody who is there now knows of it."""
        self._state.told.take(name)
        incident = self._state.incidents.take(name)
        if incident is not None:
            self._open[place_of(incident.labels)].remove(name)
        self.untold[name] = None

    # ── one page for one incident ─────────────────────────────────────────────

    def _open_page(self, alert: Alert, receivers: list[str]) -> None:
        """Let a symptom that is told of speak for those that overlap with it."""
        if not is_symptom(alert, self._desk.policy.symptoms) or alert.fingerprint in self._state.incidents:
            return
        name = alert.fingerprint
        self._state.incidents[name] = Incident(
            lead=name, labels=alert.labels, rule=alert.rule, receivers=list(receivers), firing=[name]
        )
        self._open.setdefault(place_of(alert.labels), []).append(name)

    def gather(self) -> None:
        """Let the open pages speak for all that overlaps with them, before any of them is closed."""
        if self._state.incidents:
            leads = [name for name in self._state.incidents if name in self._state.firing]
            for name in (*self.untold, *leads):
                if name in self._state.firing:
                    self._incident_of(self._state.firing[name])

    def _incident_of(self, alert: Alert) -> str | None:
        """Return the lead of the open page that speaks for an alert, from now on if not before."""
        name = alert.fingerprint
        here = self._open.get(place_of(alert.labels), ())
        for lead in here:
            if name in self._state.incidents[lead].firing:
                return lead
        found: str | None = name if name in self._state.incidents else None  # Its own page is open still.
        if found is None and name not in self._state.told and is_symptom(alert, self._desk.policy.symptoms):
            receivers = self.receivers(alert)
            # One that is told in groups too says more there than a page could that speaks for it.
            if receivers:
                found = next((lead for lead in here if self._state.incidents[lead].speaks_for(alert, receivers)), None)
        if found is not None:
            incident = self._state.incidents[found]
            incident.firing.append(name)
            self._state.incidents[found] = incident
        return found

    def _leave(self, lead: str, alert: Alert, over: AlertMessage, now: float) -> AlertMessage | None:
        """Take an alert that ended out of its incident, and close the page if it was the last; return its end."""
        incident = self._state.incidents[lead]
        if alert.fingerprint == lead and incident.ended is None:
            incident.ended, incident.value = over, alert.value
        if alert.fingerprint in self._state.firing:
            self._state.incidents[lead] = incident
            return None  # It fires again, since the same instant.
        incident.firing.remove(alert.fingerprint)
        if incident.firing:
            self._state.incidents[lead] = incident
            return None
        del self._state.incidents[lead]
        self._open[place_of(incident.labels)].remove(lead)
        told = self._state.told.take(lead)
        receivers = told.receivers if told is not None else incident.receivers
        closed = closing(incident, over)
        row = Decision(
            at=now, what=What.NOTIFIED, subject=closed.fingerprint, labels=closed.labels, value=incident.value
        )
        row.rule, row.rule_hash = incident.rule, closed.rule_hash
        row.note = f"{NotifyReason.RESOLVED}: {', '.join(receivers)}"
        self._desk.decisions.append(row)
        self._desk.tell(closed, receivers, now, NotifyReason.RESOLVED)
        return closed

    def add_receiver(self, name: str, receiver: str) -> bool:
        """Have a receiver told of the end of what was told by itself, too; False if it was not."""
        told = self._state.told.get(name)
        if told is None or not told.receivers:
            return False
        told.receivers = [*dict.fromkeys([*told.receivers, receiver])]
        self._state.told[name] = told
        return True


def _name(one: Matched | str) -> str:
    return one if isinstance(one, str) else one.route.receiver
