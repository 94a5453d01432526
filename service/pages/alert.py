"""One alert's page: evidence, request ids, who was told.

≠ how it was gathered.
"""

from __future__ import annotations

from typing import Any

from alerts.conditions import ErrorRate
from alerts.decisions import Decision, What
from alerts.evidence import Sample
from alerts.labels import Labels
from alerts.lifecycle import Alert
from alerts.wording import measured

from ..storage.outbox import DeliveryRow
from ..views import AlertPage
from .chart import THRESHOLD, Chart, draw
from .format import UNKNOWN, iso, plain
from .gather import One
from .words import rule_words

_LINKS = ("http://", "https://")


def context(found: One, *, clock: float, may_acknowledge: bool) -> dict[str, Any]:
    """Return what the template needs."""
    page, alert, rule = found.page, found.page.current.alert, found.page.rule
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
        "support": support_block(alert),
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


def support_block(alert: Alert) -> str:
    """Return what to paste into a request to support: one line a failed attempt that has a request id."""
    lines = [
        _support_line(sample) for sample in sorted(alert.evidence.samples, key=lambda s: s.at) if sample.request_id
    ]
    return "\n".join(dict.fromkeys(lines))


def _support_line(sample: Sample) -> str:
    # Foreign text must not make lines of its own in what somebody pastes elsewhere.
    parts = (iso(sample.at) or UNKNOWN, sample.request_id, sample.error, sample.model, sample.path)
    return "  ".join(plain(" ".join(part.split())) for part in parts)


def _chart(page: AlertPage, clock: float) -> Chart:
    condition = page.rule.condition if page.rule is not None else None
    threshold = condition.above if isinstance(condition, ErrorRate) else THRESHOLD
    episodes = {v.alert.episode: v.alert for v in [*page.episodes, page.current]}
    fired = [(a.fired_at, a.resolved_at) for a in episodes.values() if a.fired_at is not None]
    return draw(page.minutes, now=clock, threshold=threshold, fired=fired)
