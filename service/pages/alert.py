"""One alert's page: evidence, request ids, who was told.

≠ how it was gathered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from claxon.event import Event

from alerts.conditions import EndOfLife, ErrorRate, Headroom, Own, Silent
from alerts.decisions import Decision, What
from alerts.evidence import Sample, error_name
from alerts.labels import Labels
from alerts.lifecycle import Alert
from alerts.wording import measured

from ..storage.outbox import DeliveryRow
from ..views import AlertPage
from . import around, tally
from .around import Around
from .axis import Axis
from .chart import THRESHOLD, Chart, draw
from .format import UNKNOWN, iso, plain
from .gather import One
from .words import rule_words

SUPPORT_IDS = 20
"""Request ids that are ready to paste, at most: support asks for some, not for all."""

WITHOUT_FAILURES = (EndOfLife, Headroom, Own, Silent)
"""What fires on no failure; those of the app in that time are shown all the same."""

FIELDS = ("category", "model", "path", "app")

_LINKS = ("http://", "https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """The failures behind an alert.

    Attributes:
        newest: The newest of them.
        more: Whether there are others.
        near: Those of the same kind in the time around its firing, the newest.
        whole: Whether they are all of that time.
        axis: That time.
        fault: Why they could not be looked for; "" is nothing.
    """

    newest: Sequence[Event] = ()
    more: bool = False
    near: Sequence[Event] = ()
    whole: bool = False
    axis: Axis
    fault: str = ""


def context(found: One, *, clock: float, may_acknowledge: bool, behind: Behind | None = None) -> dict[str, Any]:
    """Return what the template needs."""
    page, alert, rule = found.page, found.page.current.alert, found.page.rule
    newest = behind.newest if behind is not None else ()
    peak = measured(alert.peak, rule) if rule is not None else ""
    return {
        "now": clock,
        "firing": found.firing,
        "view": page.current,
        "peak": peak if peak != page.current.message.measured else "",
        "held_back_by": found.held_back_by,
        "holder_fires": found.holder_fires,
        "holds_back": found.holds_back,
        "telling": page.telling,
        "escalated": escalated(page.ledger, alert),
        "samples": sorted(alert.evidence.samples, key=lambda s: s.at),
        "failures": alert.evidence.failures,
        "support": support_block(alert, newest),
        "support_ids": SUPPORT_IDS,
        "behind": behind,
        "around": _around(page, behind, clock),
        "breakdowns": [tally.by(newest, name) for name in FIELDS] if newest else [],
        "about_failures": rule is None or not isinstance(rule.condition, WITHOUT_FAILURES),
        "rule_id": rule.id if rule is not None else "",
        "told": told(page.deliveries, alert),
        "rule": rule_words(rule) if rule is not None else [],
        "rule_hash": rule.hash if rule is not None else "",
        "annotations": _beside(page),
        "source": page.source if page.source.startswith(_LINKS) else "",
        "ledger": page.ledger,
        "deliveries": page.deliveries,
        "episodes": [v for v in page.episodes if v.alert.episode != alert.episode],
        "chart": _chart(page, clock),
        "may_acknowledge": may_acknowledge,
    }


def _beside(page: AlertPage) -> Labels:
    """Return what else whoever posted an alert says of it."""
    if not page.current.posted:
        return {}
    said = page.current.message.summary
    return {name: text for name, text in page.current.message.annotations.items() if " ".join(text.split()) != said}


def escalated(ledger: list[Decision], alert: Alert) -> list[Decision]:
    """Return the steps of this episode's escalation that were taken, in order."""
    since = alert.fired_at or 0.0
    return [row for row in reversed(ledger) if row.what is What.ESCALATED and row.at >= since]


def told(deliveries: list[DeliveryRow], alert: Alert) -> list[DeliveryRow]:
    """Return the deliveries of this episode's beginning: who knows of it."""
    since = alert.fired_at or 0.0
    return [row for row in deliveries if row.status == "firing" and row.created_at >= since]


def support_block(alert: Alert, newest: Iterable[Event] = ()) -> str:
    """Return what to paste into a request to support: one line a failed attempt that has a request id, oldest first.

    The samples of the alert are among them, the first failure being one of these; the rest are the newest.
    """
    lines: dict[str, tuple[float, str]] = {}
    for sample in alert.evidence.samples:
        if sample.request_id:
            lines[sample.request_id] = sample.at, _support_line(sample.at, sample.request_id, sample.error, sample)
    for event in newest:
        if len(lines) >= SUPPORT_IDS:
            break
        if event.request_id and event.request_id not in lines:
            lines[event.request_id] = event.at, _support_line(event.at, event.request_id, error_name(event), event)
    return "\n".join(line for _, line in sorted(lines.values()))


def _support_line(at: float, request_id: str, error: str, of: Sample | Event) -> str:
    # Foreign text must not make lines of its own in what somebody pastes elsewhere.
    parts = (iso(at) or UNKNOWN, request_id, error, of.model, of.path)
    return "  ".join(plain(" ".join(part.split())) for part in parts)


def _around(page: AlertPage, behind: Behind | None, clock: float) -> Around | None:
    if behind is None or behind.fault or page.rule is None:
        return None
    return around.draw(page, page.rule, behind.axis, events=behind.near, whole=behind.whole, now=clock)


def _chart(page: AlertPage, clock: float) -> Chart:
    condition = page.rule.condition if page.rule is not None else None
    threshold = condition.above if isinstance(condition, ErrorRate) else THRESHOLD
    episodes = {v.alert.episode: v.alert for v in [*page.episodes, page.current]}
    fired = [(a.fired_at, a.resolved_at) for a in episodes.values() if a.fired_at is not None]
    return draw(page.minutes, now=clock, threshold=threshold, fired=fired)
