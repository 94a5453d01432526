"""What a page says: one alert in words.

≠ vendors' formats.
"""

from __future__ import annotations

from .durations import format_duration
from .lifecycle import Alert, State, Value
from .notification import AlertMessage, Status
from .rules import Any, Budget, Consecutive, ErrorRate, Rule


def message(alert: Alert, rule: Rule, *, external_url: str) -> AlertMessage:
    """Return an alert as a page tells it."""
    firing = alert.state is State.FIRING
    evidence = alert.evidence
    url = f"{external_url.rstrip('/')}/alerts/{alert.fingerprint}"
    starts_at = alert.fired_at if alert.fired_at is not None else alert.last_at
    return AlertMessage(
        status=Status.FIRING if firing else Status.RESOLVED,
        labels=alert.labels,
        annotations=rule.annotations,
        starts_at=starts_at,
        ends_at=None if firing else alert.resolved_at,
        url=url,
        ack_url=f"{url}#acknowledge",
        fingerprint=alert.fingerprint,
        episode=alert.episode,
        summary=rule.annotations.get("summary") or summary(alert, rule),
        since=min(evidence.first_at, starts_at) if evidence.failures else starts_at,
        measured=measured(alert.value if firing else alert.peak, rule, peak=not firing),
        errors=evidence.listing(),
        blame=evidence.blame(),
        advice=evidence.advice(),
        request_ids=evidence.request_ids(),
        resolve_reason="" if firing else resolve_reason(alert, rule),
        rule_hash=alert.rule_hash,
    )


def where(alert: Alert) -> str:
    """Return whose alert it is: "checkout (prod)"."""
    app = alert.labels.get("app", "all apps")
    environment = alert.labels.get("environment")
    return f"{app} ({environment})" if environment else app


def summary(alert: Alert, rule: Rule) -> str:
    """Return one line: what is wrong, and where."""
    labels, peak = alert.labels, alert.peak or alert.value
    match rule.condition:
        case Any() if rule.alert == "ClaudeAuthError":
            return f"{where(alert)}: the Claude API rejects the key"
        case Any() if rule.alert == "ClaudeAccountBlocked":
            return f"{where(alert)}: the Claude account is blocked"
        case Any():
            return f"{where(alert)}: {rule.alert}"
        case ErrorRate():
            on = f" on {labels['model']}" if "model" in labels else ""
            return f"{where(alert)}: {_percent(peak.get('share', 0))} of Claude calls fail{on}"
        case Consecutive():
            on = f" on {labels['path']}" if "path" in labels else ""
            return f"{where(alert)}: {_whole(peak, 'streak')} server errors in a row{on}"
        case Budget(max_count=None):
            burn = f"{peak.get('burn', 0):.3g}x"
            return f"{where(alert)}: calls fail with retries exhausted, the error budget burns at {burn}"
        case Budget():
            return f"{where(alert)}: {_whole(peak, 'exhausted')} calls failed with retries exhausted"


def measured(value: Value, rule: Rule, *, peak: bool = False) -> str:
    """Return k of n, the streak or the burn; `peak` says it is the worst of the episode."""
    text = _measured(value, rule)
    if peak and isinstance(rule.condition, Any):
        return f"in all {int(value.get('count', 0)):,} attempts"
    return f"at its worst {text}" if peak and text else text


def _measured(value: Value, rule: Rule) -> str:
    match rule.condition:
        case Any():
            late = value.get("age_s", 0)
            age = f", {format_duration(late)} before it reached Claxon" if late >= 60 else ""
            count = int(value.get("count", 0))
            return f"{count:,} attempt{'' if count == 1 else 's'}; one is enough{age}"
        case ErrorRate(window_s=window, above=above):
            bound = f", surely over {_percent(value['bound'])}" if "bound" in value else ""
            share = _percent(value.get("share", 0))
            counts = f"{_whole(value, 'failed')} of {_whole(value, 'calls')} calls failed in {format_duration(window)}"
            return f"{counts} ({share}{bound}; threshold {_percent(above)})"
        case Consecutive():
            return f"{_whole(value, 'streak')} in a row from different calls (threshold {_whole(value, 'count')})"
        case Budget(max_count=None):
            counts = f"{_whole(value, 'exhausted')} of {_whole(value, 'calls')} calls exhausted their retries"
            long = format_duration(value.get("long_s", 0))
            burn = f"{value.get('burn', 0):.3g}x, threshold {value.get('tier', 0):g}x"
            return f"{counts} in {long} (burns the budget at {burn})"
        case Budget(max_count=most, window_s=window):
            return f"{_whole(value, 'exhausted')} exhausted in {format_duration(window)} (threshold {most})"


def resolve_reason(alert: Alert, rule: Rule) -> str:
    """Return why an episode ended, in words."""
    if alert.resolve_reason == "stale":
        return f"closed: nothing heard for {format_duration(rule.stale_after_s)}; this is not proof of recovery"
    return f"recovered: the condition has been false for {format_duration(rule.keep_firing_for_s)}"


def _whole(value: Value, name: str) -> str:
    return f"{int(value.get(name, 0)):,}"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
