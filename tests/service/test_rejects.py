"""GET /v1/rejects: what was refused is seen, and tells nothing that it should not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alerts.config import KeyConfig
from service.rejects import MOST_OF_A_BATCH, MOST_WAITING
from service.settings import hash_key
from service.storage import rejects as rows
from service.storage.database import Transaction
from tests.support.running import Process, Running

OK = {"model": "m"}
PROMPT = "tell me about my illness"


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("rejects")) as running:
        yield running


def newest(claxon: Running, query: str = "") -> dict[str, Any]:
    return claxon.get(f"/v1/rejects{query}")["rejects"][0]


def test_a_refused_event_is_kept_with_its_place_its_error_and_its_known_fields(claxon: Running) -> None:
    claxon.post([OK, OK | {"app": "shop", "attempt": 0, "status": 429, "prompt": PROMPT}])

    kept = newest(claxon)
    assert abs(kept.pop("at") - claxon.service.clock()) < 5
    assert kept.pop("number") > 0
    assert kept == {
        "index": 1,
        "reason": "bad_value",
        "error": "attempt: 0: an integer from 1 to 1000000",
        "app": "shop",
        "fields": {"model": "m", "app": "shop", "attempt": 0, "status": 429},
        "address": "127.0.0.1",
        "door": "/v1/events",
    }


@pytest.mark.parametrize(
    ("event", "reason", "error"),
    [
        ({"app": "a"}, "no_model", "model: missing: a string of 1 to 128 characters"),
        ({"prompt": PROMPT}, "no_model", "it has no field of an event: send only the lines about calls"),
        ({"log": json.dumps({"model": "m", "x": PROMPT})}, "no_model", "`log` holds JSON as text: have the shipper"),
        (PROMPT, "not_object", "event: (24 characters): a JSON object"),
        ([PROMPT], "not_object", "event: (a list of 1): a JSON object"),
        (OK | {"model": {"prompt": PROMPT}}, "bad_value", "model: (an object of 1): a string"),
        (OK | {"attributes": {PROMPT: 1}}, "bad_value", "attributes: 1: a flat object of at most 16 strings"),
        (OK | {"attributes": {"a": {"b": PROMPT}}}, "bad_value", "attributes: (an object of 1): a flat object"),
        (OK | {"time": 4e9}, "too_far_ahead", "time: 4000000000.0: at most 5 minutes ahead"),
        (OK | {"time": "1969-12-31T23:59:59Z"}, "bad_value", "time: 1969-12-31T23:59:59+00:00: 1970 or later"),
        (OK | {"attempt": 3, "max_attempts": 2}, "contradiction", "max_attempts: 2: at least attempt, which is 3"),
        (OK | {"ratelimit": {"tokens_limit": "x"}}, "bad_value", "ratelimit.tokens_limit: x: an object of"),
        (OK | {"error_message": PROMPT * 300_000}, "too_large", "event: (13 characters): at most 1048576"),
    ],
)
def test_each_kind_of_refusal_has_a_reason_and_keeps_no_prompt(
    claxon: Running, event: Any, reason: str, error: str
) -> None:
    before = claxon.service.intake.reasons[reason]

    claxon.post([OK, event])

    kept = newest(claxon)
    assert (kept["reason"], kept["index"]) == (reason, 1)
    assert error in kept["error"]
    assert PROMPT not in json.dumps(kept)
    assert claxon.service.intake.reasons[reason] == before + 1


def test_a_line_that_is_no_json_is_kept_as_position_and_kind_alone(claxon: Running) -> None:
    claxon.post(b'{"model":"m"}\n{"model": "m", "prompt": ' + PROMPT.encode() + b"}")

    kept = newest(claxon)
    assert kept["reason"] == "not_json"
    assert "invalid character (byte 29)" in kept["error"]
    assert PROMPT[:4] not in json.dumps(kept)
    assert "fields" not in kept


def test_secrets_are_blotted_out(claxon: Running) -> None:
    said = "sk-ant-api03-abc was sent as x-api-key: hunter22hunter or 'Authorization: Bearer eyJhbGciOi.abc'"
    claxon.post([OK | {"attempt": 0, "error_message": said, "call_id": "sk-ant-api03-abc"}])

    kept = json.dumps(newest(claxon))
    assert "sk-ant-***" in kept
    for secret in ("api03", "hunter22", "eyJ"):
        assert secret not in kept


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"", {}, "empty"),
        (b"[1,", {}, "not_json"),
        (b"not gzip", {"Content_Encoding": "gzip"}, "bad_encoding"),
        (b"[]", {"Content_Encoding": "br"}, "bad_encoding"),
        (b"[]", {"Content_Type": "text/html"}, "bad_type"),
        (b"x" * (17 * 1024 * 1024), {}, "too_large"),
        (b"[" + b",".join([b"{}"] * 50_001) + b"]", {}, "too_large"),
    ],
)
def test_a_whole_body_that_is_refused_is_one_reject(
    claxon: Running, body: bytes, headers: dict[str, str], reason: str
) -> None:
    number = newest(claxon)["number"]
    assert claxon.post(body, **headers)[0] in (400, 413, 415)

    kept = newest(claxon)
    assert kept["number"] == number + 1
    assert kept["reason"] == reason
    assert "index" not in kept
    assert "fields" not in kept


def test_rejects_are_chosen_by_app_time_and_number(claxon: Running) -> None:
    for app in ("one", "two", "one"):
        claxon.post([{"app": app}])

    found = claxon.get("/v1/rejects?app=one&limit=2")["rejects"]
    assert [kept["app"] for kept in found] == ["one", "one"]
    assert found[0]["number"] > found[1]["number"]
    assert claxon.get("/v1/rejects?since=1h&app=two")["rejects"][0]["app"] == "two"
    assert claxon.get(f"/v1/rejects?since={claxon.service.clock() + 60}")["rejects"] == []
    assert claxon.request("GET", "/v1/rejects?since=soon")[0] == 422


def test_a_flood_of_bad_events_keeps_the_newest_few(claxon: Running) -> None:
    unkept = claxon.service.intake.unkept

    status, answer, _ = claxon.post([{"app": str(i)} for i in range(5000)])

    assert (status, len(answer["rejected"])) == (400, 5000)
    assert claxon.service.intake.unkept - unkept == 5000 - MOST_OF_A_BATCH
    assert len(claxon.service.rejects.take()) <= MOST_WAITING


def test_what_is_kept_is_bounded_in_number_size_and_age(claxon: Running) -> None:
    connection = claxon.service.core.connection

    def fill(size: int, count: int, at: float) -> tuple[int, int]:
        with Transaction(connection):
            rows.add(connection, [(at, "a", "x" * size)] * count, now=at)
        return tuple(connection.execute("SELECT count(*), sum(length(row)) FROM rejects").fetchone())

    now = claxon.service.clock()
    assert claxon.core(lambda: fill(10, 1500, now)) == (1000, 10_000)
    count, size = claxon.core(lambda: fill(10_000, 500, now))
    assert rows.MAX_BYTES - 10_000 <= size <= rows.MAX_BYTES
    assert count < 1000
    assert claxon.core(lambda: fill(10, 1, now + rows.MAX_AGE_S + 1)) == (1, 10)
    claxon.core(lambda: connection.execute("DELETE FROM rejects"))


def test_rejects_are_read_with_a_read_key_and_say_which_key_sent_them(tmp_path: Path) -> None:
    keys = tuple(
        KeyConfig(name=name, scope=scope, sha256=hash_key(name), app=app)
        for name, scope, app in (("shop-prod", "ingest", "shop"), ("me", "read", ""))
    )
    with Running(tmp_path, keys=keys) as claxon:
        claxon.post([OK | {"attempt": 0}], Authorization="Bearer shop-prod")
        asked = [
            claxon.request("GET", "/v1/rejects", headers={"Authorization": f"Bearer {name}"})
            for name in ("me", "shop-prod")
        ]

    assert [status for status, _, _ in asked] == [200, 403]
    kept = asked[0][1]["rejects"][0]
    assert (kept["key"], kept["app"]) == ("shop-prod", "shop")


def test_rejects_outlive_a_restart(tmp_path: Path) -> None:
    with Process(tmp_path) as claxon:
        claxon.post([{"app": "before"}])
        assert newest(claxon)["app"] == "before"
        claxon.kill()
        claxon.start()

        assert newest(claxon)["app"] == "before"


def test_a_disk_that_is_full_drops_rejects_and_nothing_else(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        claxon.post([OK])
        claxon.core(lambda: claxon.service.core.connection.execute("PRAGMA max_page_count = 1"))
        for _ in range(30):
            claxon.post([{"app": "x", "error_message": "y" * 100} for _ in range(MOST_OF_A_BATCH)])
            claxon.core(claxon.service.reject_log.write)

        assert claxon.service.intake.unkept > 0
        assert claxon.request("GET", "/-/healthy")[0] == 200
