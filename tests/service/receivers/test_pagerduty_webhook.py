"""service/receivers/pagerduty_webhook.py: whose message it is, and what it says."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.receivers.pagerduty_webhook import Kind, Seen, parse, verify

SECRET = "vk5Eu9VjjHlyqPEVZ7qE"
# As in PagerDuty's documentation of webhooks v3, cut.
ACKNOWLEDGED: dict[str, Any] = {
    "event": {
        "id": "5ac64822-4adc-4fda-ade0-410becf0de4f",
        "event_type": "incident.acknowledged",
        "resource_type": "incident",
        "occurred_at": "2026-11-23T03:06:00.000Z",
        "agent": {
            "html_url": "https://acme.pagerduty.com/users/PLH1HKV",
            "id": "PLH1HKV",
            "self": "https://api.pagerduty.com/users/PLH1HKV",
            "summary": "Tenex Engineer",
            "type": "user_reference",
        },
        "client": None,
        "data": {
            "id": "PGR0VU2",
            "type": "incident",
            "incident_key": "claxon/ClaudeErrorRate/3f6c0a1b2c3d4e5f/17",
            "status": "acknowledged",
            "title": "checkout: 9 of 61 Claude calls failed",
        },
    }
}


def signature(body: bytes, secret: str = SECRET) -> str:
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def seen(**changes: Any) -> Seen:
    return parse(json.dumps({"event": {**ACKNOWLEDGED["event"], **changes}}).encode())


def test_the_one_who_knows_the_secret_is_believed() -> None:
    body = b'{"event":{}}'

    assert verify(SECRET, body, signature(body))
    assert verify(SECRET, body, f"v1={'0' * 64},{signature(body)}")
    assert verify(SECRET, body, f"{signature(body)}, {signature(body, 'the next secret')}")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "v1=",
        signature(b"another body"),
        signature(b"{}", "another secret"),
        signature(b"{}").replace("v1=", "v2="),
        signature(b"{}").removeprefix("v1="),
        signature(b"{}").upper(),
        signature(b"{}")[:-1],
        "v1=\udcff",
        ",".join(["v1=x"] * 9 + [signature(b"{}")]),
    ],
)
def test_nobody_else_is_believed(header: str) -> None:
    assert not verify(SECRET, b"{}", header)


def test_without_a_secret_nobody_is_believed() -> None:
    """An empty one would let everybody sign."""
    assert not verify("", b"{}", signature(b"{}", ""))


def test_an_acknowledgement_says_of_what_and_by_whom() -> None:
    assert seen() == Seen(
        event_id="5ac64822-4adc-4fda-ade0-410becf0de4f",
        kind=Kind.ACKNOWLEDGED,
        dedup_key="claxon/ClaudeErrorRate/3f6c0a1b2c3d4e5f/17",
        by="Tenex Engineer",
        occurred_at="2026-11-23T03:06:00.000Z",
    )


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("incident.unacknowledged", Kind.UNACKNOWLEDGED),
        ("incident.resolved", Kind.RESOLVED),
        ("incident.escalated", Kind.OTHER),
        ("incident.other", Kind.OTHER),
        ("service.updated", Kind.OTHER),
        ("", Kind.OTHER),
    ],
)
def test_each_type_is_of_one_kind(event_type: str, kind: Kind) -> None:
    assert seen(event_type=event_type).kind is kind


def test_what_no_person_did_was_done_by_nobody() -> None:
    """What Claxon resolves there comes back as PagerDuty's message."""
    agent = {"id": "P1", "summary": "Claxon (Events API v2)", "type": "inbound_integration_reference"}

    assert seen(event_type="incident.resolved", agent=agent).by == ""
    assert seen(agent=None).by == ""
    assert seen(agent={"summary": None, "type": "user_reference"}).by == ""


def test_an_incident_of_nobodys_key_has_none() -> None:
    assert seen(data={"id": "P1", "incident_key": None}).dedup_key == ""
    assert seen(data=None).dedup_key == ""


def test_a_ping_means_nothing_here() -> None:
    ping = seen(event_type="pagey.ping", agent=None, data=[1])

    assert ping.kind is Kind.OTHER


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event":{"id":1}}', b"\xff", b"[" * 100_000])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a message"):
        parse(body)


@given(body=st.binary(max_size=200), header=st.text(max_size=200))
def test_whatever_comes_nothing_but_a_refusal_happens(body: bytes, header: str) -> None:
    with suppress(ValueError):
        parse(body)

    assert not verify(SECRET, body, header)
