"""The comparison sees what differs; else what it finds equal would say nothing."""

from __future__ import annotations

from typing import Any

import pytest

from .outcome import Outcome, differences, message, unexpected, wrong_reasons

START = 1_750_000_000.0


def body(*, status: str = "firing", **changes: Any) -> dict[str, Any]:
    """Return Alertmanager's message of one alert."""
    alert = {
        "status": status,
        "labels": {"alertname": "a", "tt": "t", "x": "1"},
        "annotations": {"what": "full"},
        "startsAt": "2025-06-15T15:06:40.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2025-06-15T15:06:43Z",
        "generatorURL": "",
        "fingerprint": "0123456789abcdef",
    }
    told = {
        "version": "4",
        "status": status,
        "receiver": "t-page",
        "groupKey": '{}/{tt="t"}:{alertname="a"}',
        "groupLabels": {"alertname": "a"},
        "commonLabels": alert["labels"],
        "commonAnnotations": alert["annotations"],
        "truncatedAlerts": 0,
        "alerts": [alert | {k: v for k, v in changes.items() if k in alert}],
    }
    return told | {name: value for name, value in changes.items() if name not in alert}


def outcome(*messages: tuple[float, dict[str, Any]]) -> Outcome:
    return Outcome(
        messages=[message(told, at=START + at, start=START, timetable="t", webhook="page") for at, told in messages]
    )


def test_a_message_is_a_line() -> None:
    assert outcome((1.04, body())).lines == ["1.0 page: +a x=1"]
    assert outcome((3, body(status="resolved", truncatedAlerts=2))).lines == ["3.0 page: -a x=1 (2 more, resolved)"]


def test_what_differs_by_nature_does_not_differ() -> None:
    here = body(
        annotations={"what": "full", "acknowledge": "https://claxon.example/a"},
        generatorURL="https://claxon.example/alerts/0123456789abcdef",
        startsAt="2025-06-15T15:06:40Z",
        notification_reason="first notification",
        externalURL="https://claxon.example",
    )

    assert differences(outcome((1.0, body())), outcome((1.5, here))) == []


@pytest.mark.parametrize(
    "other",
    [
        [],
        [(1.8, body())],
        [(1.0, body()), (3.0, body())],
        [(1.0, body(status="resolved"))],
        [(1.0, body(labels={"alertname": "a", "tt": "t", "x": "2"}))],
        [(1.0, body(annotations={"what": "empty"}))],
        [(1.0, body(startsAt="2025-06-15T15:06:41Z"))],
        [(1.0, body(endsAt="2025-06-15T15:06:44Z"))],
        [(1.0, body(generatorURL="http://prometheus.example/"))],
        [(1.0, body(fingerprint="0"))],
        [(1.0, body(groupKey="{}:{}"))],
        [(1.0, body(groupLabels={}))],
        [(1.0, body(commonLabels={}))],
        [(1.0, body(receiver="t-mail"))],
        [(1.0, body(truncatedAlerts=1))],
    ],
    ids=lambda other: str(other)[:60] or "nothing",
)
def test_what_differs_is_seen(other: list[tuple[float, dict[str, Any]]]) -> None:
    assert differences(outcome((1.0, body())), outcome(*other)) != []


def test_answers_and_what_is_looked_at_are_compared() -> None:
    one, other = outcome(), outcome()
    one.answers, other.answers = [200], [400]
    one.seen, other.seen = [[{"a": 1}]], [[{"a": 2}]]

    assert differences(one, other) == ["answers: [200] != [400]", "look 0: [0].a: 1 != 2"]


def test_lines_are_held_to_their_instants() -> None:
    seen = outcome((1.2, body()), (3.0, body()))

    assert unexpected(["1 page: +a x=1", "3 page: +a x=1"], seen) == []
    assert unexpected(["1 page: +a x=1", "5 page: +a x=1"], seen) == [
        "did not come: 5 page: +a x=1",
        "came: 3.0 page: +a x=1",
    ]


def test_reasons_are_held_to_the_messages_before() -> None:
    first, again, over = (
        (1.0, body(notification_reason="first notification")),
        (3.0, body(notification_reason="repeat interval elapsed")),
        (5.0, body(status="resolved", notification_reason="all alerts resolved")),
    )

    assert wrong_reasons(outcome(first, again, over)) == []
    assert len(wrong_reasons(outcome(again, again, over))) == 1
    assert len(wrong_reasons(outcome(first, over, first))) == 0
    assert len(wrong_reasons(outcome(first, over, again))) == 1
