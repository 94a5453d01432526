"""POST /v1/events, against the real service on a real socket and real SQLite."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.support.running import Running

OK = {"model": "claude-test", "app": "shop", "status": 200}


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("events")) as running:
        yield running


def attempts(claxon: Running, app: str) -> int:
    totals = claxon.core(lambda: dict(claxon.service.core.engine.state.totals))
    return sum(sum(t.attempts.values()) for (name, _, _), t in totals.items() if name == app)


@pytest.mark.parametrize(
    ("body", "kind", "count"),
    [
        (json.dumps(OK).encode(), "application/json", 1),
        (json.dumps([OK, OK]).encode(), "application/json", 2),
        (json.dumps([OK, OK], indent=2).encode(), "application/json; charset=utf-8", 2),
        (json.dumps(OK, indent=2).encode(), "application/json", 1),
        (b"\n".join([json.dumps(OK).encode()] * 3), "application/x-ndjson", 3),
        (b"\r\n".join([json.dumps(OK).encode()] * 3) + b"\r\n\r\n", "application/json", 3),
        (json.dumps(OK).encode(), "application/x-www-form-urlencoded", 1),
        (json.dumps(OK).encode(), "", 1),
    ],
)
def test_an_object_an_array_and_lines_are_taken(claxon: Running, body: bytes, kind: str, count: int) -> None:
    status, answer, _ = claxon.post(body, Content_Type=kind)

    assert (status, answer) == (202, {"accepted": count, "rejected": []})


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate", "identity"])
def test_bodies_may_be_compressed(claxon: Running, encoding: str) -> None:
    plain = json.dumps([OK]).encode()
    packed = {"gzip": gzip.compress, "zstd": zstandard.compress, "deflate": zlib.compress, "identity": bytes}[encoding]

    assert claxon.post(packed(plain), Content_Encoding=encoding)[0] == 202


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"app": "shop"}, "model: missing: a string of 1 to 128 characters; it is required"),
        (OK | {"attempt": 0}, "attempt: 0: an integer from 1 to 1000000"),
        (OK | {"attempt": "two"}, "attempt: two: an integer from 1 to 1000000"),
        (OK | {"attempt": 3, "max_attempts": 2}, "max_attempts: 2: at least attempt, which is 3"),
        (OK | {"status": 42}, "status: 42: an integer from 100 to 599"),
        (OK | {"time": "yesterday"}, "time: yesterday: an RFC 3339 string with a time zone, or Unix seconds"),
        (OK | {"time": "2026-11-23T10:00:00"}, "time: 2026-11-23T10:00:00: an RFC 3339 string with a time zone"),
        (OK | {"time": 1795000000000}, "Unix seconds, not milliseconds"),
        (OK | {"stream_end": "maybe"}, "stream_end: maybe: one of complete, error_event"),
        (OK | {"ratelimit": {"tokens_limit": -1}}, "ratelimit.tokens_limit: -1: an object of"),
        (OK | {"attributes": {"a": 1}}, "a flat object of at most 16 strings"),
        (OK | {"app": "x" * 65}, "app: xxx"),
        ("text", "event: text: a JSON object"),
        (None, "event: None: a JSON object"),
        ([], "event: []: a JSON object"),
    ],
)
def test_a_bad_event_is_refused_with_where_value_and_remedy(claxon: Running, bad: Any, error: str) -> None:
    status, answer, _ = claxon.post([OK, bad, OK])

    assert status == 202
    assert answer["accepted"] == 2
    assert [r["index"] for r in answer["rejected"]] == [1]
    assert error in answer["rejected"][0]["error"]


def test_a_batch_without_a_good_event_is_a_400_that_names_each(claxon: Running) -> None:
    status, answer, headers = claxon.post([{"app": "a"}, {"model": ""}])

    assert status == 400
    assert headers["content-type"] == "application/problem+json"
    assert answer["title"] == "Bad Request"
    assert [r["index"] for r in answer["rejected"]] == [0, 1]


@pytest.mark.parametrize(
    ("body", "headers", "status", "detail"),
    [
        (b"", {}, 400, "body: empty"),
        (b"{", {}, 400, "event: {: not valid JSON"),
        (b"[1,", {}, 400, "body: not valid JSON"),
        (b"[" * 100_000, {}, 400, "body: not valid JSON"),
        (b"\xff\xfe[", {}, 400, "body: UTF-16 or UTF-32, or not text: send UTF-8"),
        (b"not gzip", {"Content_Encoding": "gzip"}, 400, "body: not valid gzip"),
        (gzip.compress(b"[]", mtime=0)[:-4], {"Content_Encoding": "gzip"}, 400, "end too early"),
        (b"not zstd", {"Content_Encoding": "zstd"}, 400, "body: not valid zstd"),
        (b"[]", {"Content_Encoding": "br"}, 415, "Content-Encoding: br: use gzip, zstd or none"),
        (b"[]", {"Content_Type": "text/html"}, 415, "Content-Type: text/html"),
        (b"x" * (17 * 1024 * 1024), {}, 413, "body: over 16777216 bytes"),
        (gzip.compress(b" " * (80 * 1024 * 1024), mtime=0), {"Content_Encoding": "gzip"}, 413, "decompressed"),
        (zstandard.compress(b" " * (80 * 1024 * 1024)), {"Content_Encoding": "zstd"}, 413, "decompressed"),
        (b"[" + b",".join([b"{}"] * 50_001) + b"]", {}, 413, "at most 50000"),
    ],
)
def test_what_cannot_be_read_is_one_clear_problem(
    claxon: Running, body: bytes, headers: dict[str, str], status: int, detail: str
) -> None:
    got, answer, _ = claxon.post(body, **headers)

    assert got == status, answer
    assert detail in answer["detail"]


def test_unknown_fields_are_dropped_and_counted_never_stored(claxon: Running) -> None:
    before = claxon.service.intake.dropped_fields

    claxon.post([OK | {"prompt": "my secret question", "messages": [1]}])

    assert claxon.service.intake.dropped_fields == before + 2
    stored = claxon.core(lambda: claxon.service.core.connection.execute("SELECT body FROM event_log").fetchall())
    assert all(b"secret" not in zstandard.decompress(row[0]) for row in stored)


def test_null_is_the_same_as_absent(claxon: Running) -> None:
    nothing = dict.fromkeys(("app", "path", "environment", "attempt", "error_type", "ratelimit", "time"))

    assert claxon.post([{"model": "m"} | nothing])[1] == {"accepted": 1, "rejected": []}


def test_an_api_key_in_a_message_is_blotted_out_before_it_is_stored(claxon: Running) -> None:
    told = OK | {"app": "leaky", "status": 401, "error_message": "bad key sk-ant-api03-abcdef was sent"}

    claxon.post([told])

    stored = claxon.core(lambda: claxon.service.core.connection.execute("SELECT body FROM event_log").fetchall())
    assert all(b"abcdef" not in zstandard.decompress(row[0]) for row in stored)
    assert "abcdef" not in json.dumps(claxon.get("/v1/alerts"))
    assert "sk-ant-***" in json.dumps(claxon.get("/v1/alerts"))


def test_a_repost_with_the_same_idempotency_key_gets_the_first_answer_and_counts_once(claxon: Running) -> None:
    batch = [OK | {"app": "idempotent"}, {"app": "bad"}]

    first = claxon.post(batch, Idempotency_Key="k1")
    again = claxon.post(batch, Idempotency_Key="k1")
    other = claxon.post(batch, Idempotency_Key="k2")

    assert first[:2] == again[:2] == other[:2]
    assert attempts(claxon, "idempotent") == 2


def test_a_repost_of_an_event_id_counts_once_in_whatever_batch(claxon: Running) -> None:
    def event(name: str) -> dict[str, Any]:
        return OK | {"app": "ids", "event_id": name}

    claxon.post([event("a"), event("b"), event("a")])
    status, answer, _ = claxon.post([event("c"), event("b")])

    assert (status, answer["accepted"]) == (202, 2)
    assert attempts(claxon, "ids") == 3


def test_event_ids_of_two_apps_do_not_meet(claxon: Running) -> None:
    claxon.post([OK | {"app": "ids-1", "event_id": "same"}, OK | {"app": "ids-2", "event_id": "same"}])

    assert (attempts(claxon, "ids-1"), attempts(claxon, "ids-2")) == (1, 1)


def test_an_event_a_little_ahead_counts_now_and_one_far_ahead_is_refused(claxon: Running) -> None:
    status, answer, _ = claxon.post([OK | {"time": time.time() + 200}, OK | {"time": time.time() + 400}])

    assert (status, answer["accepted"]) == (202, 1)
    assert "at most 5 minutes ahead" in answer["rejected"][0]["error"]


def test_a_disk_that_is_full_answers_507_and_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        claxon.post([OK | {"app": "before"}])
        claxon.core(lambda: claxon.service.core.connection.execute("PRAGMA max_page_count = 1"))

        status, answer, headers = claxon.post(
            [OK | {"app": "during", "call_id": f"{i * 7919:0100d}"} for i in range(5000)]
        )

        assert status == 507, answer
        assert "disk: full" in answer["detail"]
        assert headers["retry-after"] == "30"
        claxon.core(lambda: claxon.service.core.connection.execute("PRAGMA max_page_count = 1073741823"))
        assert claxon.post([OK | {"app": "after"}])[0] == 202
        assert (attempts(claxon, "before"), attempts(claxon, "during"), attempts(claxon, "after")) == (1, 0, 1)


def test_a_foreign_page_in_a_browser_cannot_post(claxon: Running) -> None:
    status, answer, _ = claxon.post([OK], Origin="https://evil.example")

    assert status == 403
    assert "another site may not post here" in answer["detail"]


def test_a_foreign_host_name_is_not_answered_without_keys(claxon: Running) -> None:
    """Else a page could re-bind its own name to 127.0.0.1 and read everything."""
    assert claxon.request("GET", "/v1/alerts", headers={"Host": "evil.example"})[0] == 403


def test_more_than_can_be_answered_soon_is_refused_at_once_and_taken_again_when_that_is_done(claxon: Running) -> None:
    """Whoever waits for seconds gives up, and sends it again on top."""
    bodies = claxon.service.bodies
    bodies.held += 25 * 1024 * 1024

    status, answer, headers = claxon.post(json.dumps(OK).encode())
    bodies.held -= 25 * 1024 * 1024

    assert (status, answer["detail"]) == (503, "queue: full: send again after a second")
    assert {name.lower(): value for name, value in headers.items()}["retry-after"] == "1"
    assert claxon.post(json.dumps(OK).encode())[0] == 202
