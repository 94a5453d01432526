"""What a page says: one alert in words.

≠ vendors' formats.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from .conditions import Budget, Condition, Consecutive, EndOfLife, ErrorRate, Headroom, Of, Own, Parked, Silent
from .durations import format_duration
from .labels import Labels
from .lifecycle import Alert, State
from .measured import about, ends, measured, percent, whole
from .notification import AlertMessage, Status
from .rules import Rule
from .templates import fill_in
from .values import limit_word

__all__ = ["measured", "message", "resolve_reason", "summary", "where"]


def message(alert: Alert, rule: Rule, *, external_url: str) -> AlertMessage:
    """Return an alert as a page tells it."""
    firing = alert.state is State.FIRING
    evidence = alert.evidence
    url = f"{external_url.rstrip('/')}/alerts/{alert.fingerprint}"
    starts_at = alert.fired_at if alert.fired_at is not None else alert.last_at
    told = AlertMessage(
        status=Status.FIRING if firing else Status.RESOLVED,
        labels=alert.labels,
        annotations={},
        starts_at=starts_at,
        ends_at=None if firing else alert.resolved_at,
        url=url,
        ack_url=f"{url}#acknowledge",
        fingerprint=alert.fingerprint,
        episode=alert.episode,
        summary=summary(alert, rule),
        since=min(evidence.first_at, starts_at) if evidence.failures else starts_at,
        measured=measured(alert.value if firing else alert.peak, rule, peak=not firing),
        errors=evidence.listing(),
        blame=evidence.blame(),
        advice=evidence.advice(),
        request_ids=evidence.request_ids(),
        resolve_reason="" if firing else resolve_reason(alert, rule),
        rule_hash=alert.rule_hash,
    )
    if not rule.annotations:
        return told
    annotations = _annotations(alert, rule, told)
    return msgspec.structs.replace(
        told, annotations=annotations, summary=annotations.get("summary", "").strip() or told.summary
    )


def _annotations(alert: Alert, rule: Rule, told: AlertMessage) -> Labels:
    """Return the rule's annotations, filled in."""
    # A label that is empty is left out of an alert, and yet no mistake in a template.
    labels = dict.fromkeys(rule.by, "") | rule.labels | alert.labels
    numbers = alert.value if told.status is Status.FIRING else alert.peak
    word = {"limit_kind": limit_word(numbers)} if "limit_kind" in numbers else {}
    about_it = {
        "name": rule.alert,
        "severity": rule.severity,
        "status": told.status.value,
        "starts_at": _instant(told.starts_at),
        "ends_at": _instant(told.ends_at),
        "episode": told.episode,
        "measured": told.measured,
        "errors": told.errors,
        "blame": told.blame,
        "advice": told.advice,
        "url": told.url,
        "fingerprint": told.fingerprint,
    }
    value: dict[str, object] = {**numbers, **word}
    return {name: fill_in(text, labels=labels, value=value, alert=about_it) for name, text in rule.annotations.items()}


def _instant(at: float | None) -> str:
    """Return an instant as RFC 3339; "" for none, and where no calendar has it."""
    try:
        return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""


def where(alert: Alert) -> str:
    """Return whose alert it is: "checkout (prod)"."""
    app = alert.labels.get("app", "all apps")
    environment = alert.labels.get("environment")
    return f"{app} ({environment})" if environment else app


def summary(alert: Alert, rule: Rule) -> str:
    """Return one line: what is wrong, and where."""
    if isinstance(rule.condition, Own):
        return _own(alert, rule)
    return f"{where(alert)}: {_wrong(alert, rule, rule.condition)}"


def _wrong(alert: Alert, rule: Rule, condition: Condition) -> str:
    labels, peak = alert.labels, alert.peak or alert.value
    on = f" on {labels['model']}" if "model" in labels else ""
    match condition:
        case ErrorRate(of=Of.CALLS):
            return f"{percent(peak.get('share', 0))} of Claude calls fail{on}"
        case ErrorRate():
            return f"{percent(peak.get('share', 0))} of attempts fail{on}, and retries hide it"
        case Consecutive():
            path = f" on {labels['path']}" if "path" in labels else ""
            return f"{whole(peak, 'streak')} server errors in a row{path}"
        case Budget(max_count=None):
            return f"calls fail with retries exhausted, the error budget burns at {peak.get('burn', 0):.3g}x"
        case Budget():
            return f"{whole(peak, 'exhausted')} calls failed with retries exhausted"
        case Parked():
            return f"{whole(peak, 'parked')} Claude calls sleep because of a long retry-after"
        case Headroom():
            return _headroom(alert, on)
        case Silent():
            return f"has sent nothing for {about(alert.value.get('silent_s', 0))}"
        case EndOfLife():
            return f"{labels.get('model', 'a model that is called')} is {ends(alert.value)}"
    return {
        "ClaudeAuthError": "the Claude API rejects the key",
        "ClaudeAccountBlocked": "the Claude account is blocked",
    }.get(rule.alert, rule.alert)


def _headroom(alert: Alert, on: str) -> str:
    limit = f"the limit of {limit_word(alert.value) or 'a rate'}{on}"
    out = alert.value.get("out_in_s", 0)
    return f"{limit} runs out in {about(out)}" if out > 0 else f"{limit} is used up"


def _own(alert: Alert, rule: Rule) -> str:
    said = {
        "ClaxonRuleFailed": "cannot be evaluated",
        "ClaxonKeysOverflow": "watches too many keys; further ones are watched as one",
    }.get(rule.alert, rule.alert)
    return f"Claxon: rule {alert.labels.get('rule', '')} {said}"


def resolve_reason(alert: Alert, rule: Rule) -> str:
    """Return why an episode ended, in words."""
    match alert.resolve_reason:
        case "stale":
            silence = format_duration(rule.stale_after_s)
            return f"closed: nothing heard for {silence}; this is not proof of recovery"
        case "rule removed":
            return "closed: its rule was removed; this is not proof of recovery"
        case "rule changed":
            return "closed: its rule was changed, and the new one begins anew; this is not proof of recovery"
    if not rule.keep_firing_for_s:
        return "recovered: the condition is no longer true"
    return f"recovered: the condition has been false for {format_duration(rule.keep_firing_for_s)}"
