"""Aliases: a line that was written for people to read is an event, where it can mean one thing only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from claxon.event import FIELDS, Event

from service.aliases import ALIASES, rows
from service.decoding import Batch, decode
from tests.support.repository import ROOT

NOW = 1795600000.0


def taken(line: dict[str, Any] | bytes, *, ndjson: bool = False) -> Batch:
    body = line if isinstance(line, bytes) else json.dumps(line).encode()
    return decode(body, ndjson=ndjson, received_at=NOW, app="default")


def event(line: dict[str, Any]) -> Event:
    batch = taken({"model": "m"} | line)
    assert batch.refusals == []
    return batch.events[0]


def test_a_hand_written_structlog_line_just_works() -> None:
    line = {
        "event": "claude call failed",
        "level": "error",
        "timestamp": "2026-11-25T08:00:00.123456Z",
        "model": "claude-opus-4-5",
        "tokens": 100,
        "error_type": "RateLimitError",
        "attempt": 2,
    }

    batch = taken(line)

    one = batch.events[0]
    assert (one.model, one.tokens, one.attempt, one.category) == ("claude-opus-4-5", 100, 2, "rate_limit")
    assert one.at == 1795593600.123456
    assert batch.dropped_fields == 1
    assert b"timestamp" not in batch.body


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ({"ts": 1795599999}, "at", 1795599999.0),
        ({"date": 1795599999.25}, "at", 1795599999.25),
        ({"@timestamp": 1795599999250}, "at", 1795599999.25),
        ({"timestamp": 1795599999250000}, "at", 1795599999.25),
        ({"timestamp": 1795599999250000000}, "at", 1795599999.25),
        ({"timestamp": "2026-11-25 08:00:00,500+0000"}, "at", 1795593600.5),
        ({"timestamp": "2026-11-25 08:00:00 UTC"}, "at", 1795593600.0),
        ({"service": "shop"}, "app", "shop"),
        ({"service": {"name": "shop"}}, "app", "shop"),
        ({"service.name": "shop"}, "app", "shop"),
        ({"env": "prod"}, "environment", "prod"),
        ({"http": {"route": "/ask"}}, "path", "/ask"),
        ({"latency_ms": 12.5}, "duration_ms", 12.5),
        ({"elapsed_s": 1.5}, "duration_ms", 1500.0),
        ({"duration": "1.5s"}, "duration_ms", 1500.0),
        ({"duration": "340 ms"}, "duration_ms", 340.0),
        ({"duration": 1.5}, "duration_ms", None),
        ({"status_code": 529}, "status", 529),
        ({"http": {"response": {"status_code": 529}}}, "status", 529),
        ({"http_status": "429"}, "status", 429),
        ({"usage": {"input_tokens": 5}}, "input_tokens", 5),
        ({"usage": {"cache_creation_input_tokens": 7}}, "cache_write_tokens", 7),
        ({"retry_count": 0}, "attempt", 1),
        ({"max_retries": 2}, "max_attempts", 3),
        ({"retry-after-ms": "1500"}, "retry_after_s", 1.5),
        ({"request-id": "req_1"}, "request_id", "req_1"),
        ({"exc_type": "anthropic.RateLimitError"}, "error_type", "RateLimitError"),
        ({"error": "OverloadedError: Error code: 529"}, "error_type", "OverloadedError"),
        ({"error": "it went wrong"}, "error_message", "it went wrong"),
        ({"error": "it went wrong"}, "category", "unknown"),
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, "category", "overloaded"),
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, "error_message", "Overloaded"),
        ({"error": ""}, "category", "ok"),
        ({"error": None}, "category", "ok"),
        ({"error": True}, "category", "unknown"),
        ({"level": "error"}, "category", "unknown"),
        ({"level": "ERROR", "status": 529}, "category", "overloaded"),
        ({"level": "error", "status": 200}, "category", "ok"),
        ({"level": "info"}, "category", "ok"),
        ({"levelname": "CRITICAL"}, "category", "unknown"),
    ],
)
def test_an_alias_is_read_as_its_field(line: dict[str, Any], field: str, value: object) -> None:
    assert getattr(event(line), field) == value


TRACEBACK = """Traceback (most recent call last):
  File "shop.py", line 7, in ask
    client.messages.create(...)
anthropic.RateLimitError: Error code: 429 - {'type': 'error'}
and a second line"""


@pytest.mark.parametrize(
    "exception",
    [
        TRACEBACK,
        "anthropic.RateLimitError",
        "RateLimitError('Error code: 429')",
        [{"exc_type": "RateLimitError", "exc_value": "Error code: 429", "frames": [{"locals": {"prompt": "secret"}}]}],
    ],
)
def test_of_an_exception_its_class_is_kept_and_nothing_else(exception: Any) -> None:
    batch = taken({"model": "m", "exception": exception})

    assert json.loads(batch.body) == [{"model": "m", "error_type": "RateLimitError"}]


@pytest.mark.parametrize(("own", "alias"), [("duration_ms", "latency_ms"), ("input_tokens", "prompt_tokens")])
def test_an_alias_counts_only_where_the_field_is_absent(own: str, alias: str) -> None:
    assert getattr(event({own: 1, alias: 2}), own) == 1
    assert getattr(event({own: None, alias: 2}), own) == 2


def test_the_first_alias_of_the_table_wins() -> None:
    assert event({"ts": 1795599000, "timestamp": 1795599999}).at == 1795599999


@pytest.mark.parametrize("value", [5, -1, 1e12 - 1, True, "yesterday", "2026-11-25 08:00:00", "2026-11-25", [1]])
def test_a_time_that_may_mean_more_than_one_is_refused_with_a_remedy(value: object) -> None:
    refused = taken({"model": "m", "timestamp": value}).refusals

    assert "an RFC 3339 string with a time zone, or Unix" in refused[0].error


def test_milliseconds_in_time_itself_are_refused_as_ever() -> None:
    assert "Unix seconds, not milliseconds" in taken({"model": "m", "time": 1795600000000}).refusals[0].error


@pytest.mark.parametrize("line", ["log", "message"])
def test_a_line_that_its_shipper_did_not_parse_is_refused_with_what_to_do(line: str) -> None:
    error = taken({"date": 1795599999.1, line: '{"model": "m"}'}).refusals[0].error

    assert error.startswith("model: missing: ")
    assert error.endswith(f"`{line}` holds JSON as text: have the shipper parse it")


def test_every_alias_stands_for_a_field_and_none_for_two_of_them() -> None:
    fields_of: dict[str, set[str]] = {}
    for alias in ALIASES:
        assert alias.field in FIELDS
        for name in alias.names:
            assert name not in FIELDS
            fields_of.setdefault(name, set()).add(alias.field)

    # `error` is a type where it is a known one, and the message in any case.
    assert {name for name, fields in fields_of.items() if len(fields) > 1} == {"error"}


def test_the_reference_has_the_table() -> None:
    page = Path(ROOT / "docs/reference/events.md").read_text()

    assert "\n".join(rows()) in page


FLUENT_BIT = [
    (b'[{"date":1795599999.25,"model":"m"},{"date":1795599999.5,"model":"n"}]', False),
    (b'{"date":1795599999.25,"model":"m"}\n{"date":1795599999.5,"model":"n"}\n', True),
    (b'{"date":1795599999.25,"model":"m"}{"date":1795599999.5,"model":"n"}', False),
    (b'{"date":"2026-11-25T09:46:39.250000Z","model":"m"}\n{"date":1795599999500,"model":"n"}', True),
]


@pytest.mark.parametrize(("body", "ndjson"), FLUENT_BIT)
def test_each_form_of_fluent_bit_is_read(body: bytes, ndjson: bool) -> None:
    batch = taken(body, ndjson=ndjson)

    assert [(one.model, one.at) for one in batch.events] == [("m", 1795599999.25), ("n", 1795599999.5)]
    assert batch.refusals == []


@pytest.mark.parametrize("space", [b"", b" ", b"\n", b"\r\n\r\n"])
def test_objects_one_after_another_are_read_and_a_bad_end_costs_only_itself(space: bytes) -> None:
    batch = taken(space.join([b'{"model": "m", "attributes": {"a": "} {"}}', b'{"model":"n"}', b'{"model":']))

    assert [one.model for one in batch.events] == ["m", "n"]
    assert [refusal.index for refusal in batch.refusals] == [2]


def test_a_trailing_comma_is_not_read() -> None:
    assert "trailing characters" in taken(b'{"model":"m"},').refusals[0].error
