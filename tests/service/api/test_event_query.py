"""GET /v1/events over HTTP: what was posted is found again, by its values, by its alert, page by page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from alerts.config import KeyConfig
from service.settings import hash_key
from tests.support.running import Running, until

FAILED = {"model": "claude-test", "app": "shop", "status": 500, "error_type": "api_error", "final": True}


@pytest.fixture
def claxon(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as running:
        yield running


def found(claxon: Running, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = claxon.get("/v1/events?" + urlencode(asked))
    return answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [event["request_id"] for event in answer["events"]]


def test_failures_come_newest_first_in_the_shape_they_were_posted_in(claxon: Running) -> None:
    at = time.time() - 60
    claxon.post(
        [FAILED | {"request_id": "r1", "time": at}, FAILED | {"request_id": "r2", "time": at + 9, "status": 200}]
    )
    claxon.post([FAILED | {"request_id": "r3", "time": at + 5, "max_tokens": 7}, {"model": "m", "status": 200}])

    answer = found(claxon)

    assert ids(answer) == ["r2", "r3", "r1"]
    assert answer["next"] is None
    assert answer["looked_back_to"] is None
    assert answer["events"][1] == {
        **FAILED,
        "request_id": "r3",
        "time": answer["events"][1]["time"],
        "max_tokens": 7,
        "tokens": 7,
        "category": "server",
        "exhausted": True,
    }


def test_pages_follow_each_other_by_the_cursor(claxon: Running) -> None:
    at = time.time() - 60
    claxon.post([FAILED | {"request_id": f"r{i}", "time": at + i} for i in range(7)])

    first = found(claxon, limit=3)
    second = found(claxon, limit=3, cursor=first["next"])
    third = found(claxon, limit=3, cursor=second["next"])

    assert ids(first) + ids(second) + ids(third) == [f"r{i}" for i in reversed(range(7))]
    assert third["next"] is None


def test_what_became_of_them_may_be_asked_for(claxon: Running) -> None:
    claxon.post([FAILED | {"request_id": "bad"}, {"model": "m", "status": 200, "request_id": "good"}])
    claxon.post([{"model": "m", "error_type": "cancelled", "request_id": "given up"}])

    assert ids(found(claxon)) == ["bad"]
    assert ids(found(claxon, outcome="ok")) == ["good"]
    assert ids(found(claxon, category="ok")) == ["good"]
    assert ids(found(claxon, category="cancelled")) == ["given up"]
    assert ids(found(claxon, outcome="all")) == ["given up", "good", "bad"]


def test_an_event_that_was_known_already_is_not_shown_again(claxon: Running) -> None:
    claxon.post([FAILED | {"request_id": "first", "event_id": "e"}])
    claxon.post([FAILED | {"request_id": "again", "event_id": "e"}, FAILED | {"request_id": "other", "event_id": "f"}])

    assert sorted(ids(found(claxon))) == ["first", "other"]


def test_a_failure_that_a_later_attempt_may_take_back_says_so(claxon: Running) -> None:
    claxon.post([{"model": "m", "status": 500, "call_id": "c"}])

    assert found(claxon)["events"][0]["provisional"] is True


def test_the_failures_behind_an_alert_are_those_of_its_labels_matchers_and_time(claxon: Running) -> None:
    now = time.time()
    denied = {"model": "m", "app": "shop", "environment": "prod", "status": 401}
    claxon.post([denied | {"request_id": "long ago", "time": now - 7200}])
    claxon.post([denied | {"request_id": "behind it", "time": now - 1}])
    claxon.post([denied | {"request_id": "another app", "app": "other"}, FAILED | {"environment": "prod"}])
    claxon.post([denied | {"request_id": "another environment", "environment": ""}])
    until(lambda: len(claxon.firing()) > 0, 10)
    alerts = [one["alert"] for one in claxon.get("/v1/alerts")["alerts"]]
    shops = {(a["labels"]["app"], a["labels"].get("environment", "")): a["fingerprint"] for a in alerts}

    assert ids(found(claxon, alert=shops["shop", "prod"])) == ["behind it"]
    assert ids(found(claxon, alert=shops["shop", ""])) == ["another environment"]
    assert ids(found(claxon, alert=shops["shop", "prod"], app="other")) == []


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("alert=0123456789abcdef", 404, "never fired"),
        ("cursor=nonsense!", 422, "cursor: nonsense!: not a cursor"),
        ("since=soon", 422, "since: 'soon': write how long ago"),
        ("limit=0", 422, "limit"),
        ("outcome=maybe", 422, "outcome"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_remedy(claxon: Running, query: str, status: int, says: str) -> None:
    answered, body, _ = claxon.request("GET", f"/v1/events?{query}")

    assert answered == status
    assert says in str(body)


def test_only_keys_that_may_read_are_answered(tmp_path: Path) -> None:
    keys = tuple(KeyConfig(name=scope, scope=scope, sha256=hash_key(f"{scope}-" * 5)) for scope in ("ingest", "read"))
    with Running(tmp_path, keys=keys) as claxon:
        answers = [
            claxon.request("GET", "/v1/events", headers={"Authorization": f"Bearer {scope}" + "-" + f"{scope}-" * 4})[0]
            for scope in ("ingest", "read")
        ]

        assert answers == [403, 200]
        assert claxon.request("GET", "/v1/events")[0] == 401
