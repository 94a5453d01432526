"""Notifications for the receivers' tests: one that looks real, and any that could be."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from alerts.notification import AlertMessage, Notification, Status

FIRED_AT = 1_795_403_045.0  # 2026-11-23T03:04:05Z
PAGE_URL = "https://claxon.example/alerts/3f6c0a1b2c3d4e5f"
ACK_URL = f"{PAGE_URL}/ack"


def alert(**changes: Any) -> AlertMessage:
    """An overloaded model, as a page."""
    whole = AlertMessage(
        status=Status.FIRING,
        labels={
            "alertname": "ClaudeErrorRate",
            "severity": "page",
            "app": "checkout",
            "environment": "prod",
            "model": "claude-sonnet-4-5",
        },
        annotations={"runbook_url": "https://wiki.example/claude"},
        starts_at=FIRED_AT,
        ends_at=None,
        url=PAGE_URL,
        ack_url=ACK_URL,
        fingerprint="3f6c0a1b2c3d4e5f",
        episode=17,
        summary="checkout: 9 of 61 Claude calls failed",
        since=FIRED_AT - 132,
        measured="9 of 61 calls failed in 5m (14.8 %)",
        errors="overloaded_error (529) 7, api_error (500) 2",
        blame="provider",
        advice="The model is overloaded: shed load, fall back to another model, and wait.",
        request_ids=["req_011CSHoEeqs5C35K2UUqR7Fy", "req_011CSHoEeqs5C35K2UUqR7Fz"],
        resolve_reason="",
        rule_hash="9d1c0b7e55aa",
    )
    return msgspec.structs.replace(whole, **changes)


def resolved(**changes: Any) -> AlertMessage:
    """The end of the same alert."""
    told = {
        "status": Status.RESOLVED,
        "ends_at": FIRED_AT + 540,
        "resolve_reason": "no call failed for 5 minutes",
    }
    return alert(**{**told, **changes})


def notification(*alerts: AlertMessage, **changes: Any) -> Notification:
    """A group of these alerts; of one that fires, without any."""
    kept = list(alerts) or [alert()]
    fires = any(one.status is Status.FIRING for one in kept)
    whole = Notification(
        status=Status.FIRING if fires else Status.RESOLVED,
        receiver="oncall",
        group_key='{}:{alertname="ClaudeErrorRate", app="checkout"}',
        group_labels={"alertname": "ClaudeErrorRate", "app": "checkout"},
        common_labels={"alertname": "ClaudeErrorRate", "app": "checkout", "severity": "page"},
        common_annotations={"runbook_url": "https://wiki.example/claude"},
        external_url="https://claxon.example",
        reason="first notification" if fires else "all alerts resolved",
        dedup_key="claxon/ClaudeErrorRate/3f6c0a1b2c3d4e5f/17",
        at=FIRED_AT + 0.25,
        alerts=kept,
    )
    return msgspec.structs.replace(whole, **changes)


# Anything a string can hold, with what is special to terminals, Slack and JSON made likely.
_nasty = st.sampled_from([
    "\x1b[2J\x07", "<!channel>", "<@U0AAAAAAA>", "@here", "&amp;<b>", "`", "|", '"\\',
    "😀👩\u200d👩\u200d👧", "\u202e", "\ud800",
])  # fmt: skip
texts = st.one_of(
    st.text(st.characters(), max_size=60),
    st.builds(lambda piece, times: piece * times, _nasty, st.integers(1, 40)),
    st.builds(lambda piece, times: piece * times, st.text(min_size=1, max_size=12), st.integers(500, 3000)),
)
_moments = st.floats(min_value=0, max_value=4e9)
_labels = st.dictionaries(texts, texts, max_size=6)
_urls = st.one_of(st.just(""), st.just(PAGE_URL), st.integers(1, 3000).map(lambda n: PAGE_URL + "/x|<&>" + "a" * n))


@st.composite
def alerts(draw: st.DrawFn) -> AlertMessage:
    """Any alert."""
    severities = st.one_of(st.sampled_from(["page", "ticket", "info", ""]), texts)
    fires = draw(st.booleans())
    since = draw(_moments)
    return AlertMessage(
        status=Status.FIRING if fires else Status.RESOLVED,
        labels={**draw(_labels), "alertname": draw(texts), "severity": draw(severities), "app": draw(texts)},
        annotations=draw(_labels),
        starts_at=since + 1,
        ends_at=None if fires else since + draw(st.floats(0, 1e6)),
        url=draw(_urls),
        ack_url=draw(_urls),
        fingerprint="3f6c0a1b2c3d4e5f",
        episode=1,
        summary=draw(texts),
        since=since,
        measured=draw(texts),
        errors=draw(texts),
        blame=draw(texts),
        advice=draw(texts),
        request_ids=draw(st.lists(texts, max_size=5)),
        resolve_reason="" if fires else draw(texts),
        rule_hash=draw(texts),
    )


@st.composite
def notifications(draw: st.DrawFn) -> Notification:
    """Any notification, of one alert or of very many."""
    some = draw(st.lists(alerts(), min_size=1, max_size=3)) * draw(st.sampled_from([1, 1, 20]))
    return notification(
        *some,
        dedup_key=draw(st.one_of(st.just("claxon/x/1"), texts)) or "k",
        reason=draw(texts),
        external_url=draw(_urls),
        truncated_alerts=draw(st.integers(0, 10_000)),
    )
