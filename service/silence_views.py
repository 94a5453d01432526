"""Silences as people see them, and what a preview needs to know; every function runs in the core's thread.

≠ HTTP, HTML, what a silence means.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from alerts.decisions import Decision, What
from alerts.labels import Labels
from alerts.lifecycle import Alert
from alerts.notifier import Notifier
from alerts.rules import Rule
from alerts.silences import Silence, SilenceState, compile_matchers

from .core import Core
from .preview import WEEK_S, Hidden, told_by
from .storage import ledger, state
from .storage.ledger import Wanted
from .views import Views

EXPIRED_SHOWN = 30
LOOK_AT = 20_000
"""Episodes of the last week that a preview looks at, at most; the newest."""

_ROWS = 1000


class SilenceView(msgspec.Struct, kw_only=True):
    """One silence.

    Attributes:
        matchers: As Alertmanager writes them.
        state: pending, active or expired.
        hides: (fingerprint, labels) of what fires and it matches, while it is active.
        history: What was done to it, newest first.
    """

    id: str
    matchers: list[str]
    starts_at: float
    ends_at: float
    created_by: str
    comment: str
    state: str
    hides: list[tuple[str, Labels]]
    history: list[Decision]


class Silences(msgspec.Struct, kw_only=True):
    """The silences' page.

    Attributes:
        active: That end first, first.
        pending: That begin first, first.
        expired: In the last week, newest first.
        longest_s: How long one may last; 0 is for ever.
        firing: How many alerts fire in all.
    """

    active: list[SilenceView]
    pending: list[SilenceView]
    expired: list[SilenceView]
    longest_s: float
    firing: int


def silences(core: Core, views: Views) -> Silences:
    """Return all silences, but for those that ended over a week ago."""
    notifier, now = core.notifier, views.present
    history: dict[str, list[Decision]] = {}
    for row in views.ledger(Wanted(what=What.SILENCE), limit=_ROWS):
        history.setdefault(row.subject, []).append(row)
    hides = _hides(notifier, now)
    by_state: dict[SilenceState, list[SilenceView]] = {found: [] for found in SilenceState}
    for name, silence in notifier.state.silences.items():
        if silence.ends_at > now - WEEK_S:
            view = _view(silence, now, hides.get(name, []), history.get(name, []))
            by_state[silence.state(now)].append(view)
    return Silences(
        active=sorted(by_state[SilenceState.ACTIVE], key=lambda v: v.ends_at),
        pending=sorted(by_state[SilenceState.PENDING], key=lambda v: v.starts_at),
        expired=sorted(by_state[SilenceState.EXPIRED], key=lambda v: -v.ends_at)[:EXPIRED_SHOWN],
        longest_s=notifier.policy.silence_max_s,
        firing=len(notifier.state.firing),
    )


def silence(core: Core, name: str) -> SilenceView | None:
    """Return one silence, without what it hides and what was done to it; None if it is not known."""
    found = core.notifier.state.silences.get(name)
    return _view(found, core.engine.now, [], []) if found is not None else None


def _hides(notifier: Notifier, now: float) -> dict[str, list[tuple[str, Labels]]]:
    found: dict[str, list[tuple[str, Labels]]] = {}
    for name, alert in notifier.state.firing.items():
        for silence in notifier.desk.silencing.by(alert.labels, now):
            found.setdefault(silence, []).append((name, dict(alert.labels)))
    return found


def _view(silence: Silence, now: float, hides: list[tuple[str, Labels]], history: list[Decision]) -> SilenceView:
    return SilenceView(
        id=silence.id,
        matchers=[str(matcher) for matcher in compile_matchers(silence.matchers)],
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        created_by=silence.created_by,
        comment=silence.comment,
        state=silence.state(now).value,
        hides=hides,
        history=history,
    )


# ── for a preview ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a preview looks at.

    Attributes:
        firing: What fires now.
        posted: What was posted and ended in the last week.
        episodes: What ended in the last week, as JSON: it is read elsewhere, for the core has other things to do.
        rules: Those in force.
    """

    firing: list[Hidden]
    posted: list[Hidden]
    episodes: list[str]
    rules: tuple[Rule, ...]


class _Episode(msgspec.Struct):
    """As much of a stored episode as a preview needs."""

    fingerprint: str
    episode: int
    labels: Labels
    fired_at: float | None = None
    resolved_at: float | None = None


def see(core: Core) -> Seen:
    """Return what a preview looks at."""
    notifier, now = core.notifier, core.engine.now
    firing = [_hidden(alert, told=notifier.told(name)) for name, alert in notifier.state.firing.items()]
    posted = [
        Hidden(
            fingerprint=name,
            episode=known.episode,
            labels=known.labels,
            fired_at=known.starts_at,
            resolved_at=known.ends_at,
        )
        for name, known in notifier.state.received.items()
        if name not in notifier.state.firing and known.ends_at > now - WEEK_S
    ]
    return Seen(
        firing=firing,
        posted=posted,
        episodes=state.texts_since(core.connection, now - WEEK_S, limit=LOOK_AT),
        rules=tuple(core.engine.rules.values()),
    )


def _hidden(alert: Alert, *, told: list[str]) -> Hidden:
    return Hidden(
        fingerprint=alert.fingerprint,
        episode=alert.episode,
        labels=dict(alert.labels),
        fired_at=alert.fired_at or 0.0,
        told=told,
    )


def ended(seen: Seen) -> list[Hidden]:
    """Return the episodes of the last week that are over; to be run beside the core."""
    decoded = msgspec.json.Decoder(_Episode)
    read = [decoded.decode(text) for text in seen.episodes]
    return seen.posted + [
        Hidden(
            fingerprint=one.fingerprint,
            episode=one.episode,
            labels=one.labels,
            fired_at=one.fired_at or 0.0,
            resolved_at=one.resolved_at,
        )
        for one in read
    ]


def told_of(core: Core, episodes: list[Hidden]) -> dict[tuple[str, int], list[str]]:
    """Return who was told of episodes that are over, as far as the ledger goes back."""
    told = {}
    for one in episodes:
        until = one.resolved_at + 1e-6 if one.resolved_at is not None else None
        wanted = Wanted(subject=one.fingerprint, since=one.fired_at, until=until)
        told[one.fingerprint, one.episode] = told_by(ledger.find(core.connection, wanted, limit=_ROWS))
    return told
