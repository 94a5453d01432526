"""What real instrumentations really sent (captured by capture.py) becomes the events that the calls were."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from claxon.event import Event

from service.otlp.names import READ
from service.otlp.taking import take_records, take_spans
from tests.otlp.capture import FOLDER, captured
from tests.otlp.instrumented import CANARY, MODEL, SCRIPTS
from tests.support.repository import ROOT

# By script: what each of the calls was. `exhausted` where retries were spent.
TRUTH = (
    "ok",
    "ok",
    "authentication",
    "rate_limit exhausted",
    "ok",
    "overloaded exhausted",
    "account",
    "invalid_request",
    "ok",
    "connection exhausted",
    "overloaded",
    "stream",
    "server",
    "cancelled",
)

# What an instrumentation does not tell, nobody can know; docs/howto/otlp.md says so.
NATIVE = (*TRUTH[:6], "rate_limit exhausted", *TRUTH[7:])
SEES_NO_END = (*TRUTH[:12], "ok", "ok")
TOLD = {
    "native": NATIVE,
    "openllmetry": (*TRUTH[:10], "ok"),
    "openllmetry-over-native": TRUTH,
    "genai": SEES_NO_END,
    "genai-over-native": TRUTH,
    "openinference": SEES_NO_END,
    "openinference-over-native": TRUTH,
    "logfire": SEES_NO_END,
    "node": NATIVE[:13],
}
IN_JSON = {"node"}
TWICE = [name for name in TOLD if name.endswith("-over-native")]


def _events(name: str) -> list[Event]:
    json = name in IN_JSON
    return take_spans(captured(name, json=json), json=json, received_at=time.time(), app="default").batch.events


def _outcome(event: Event) -> str:
    return f"{event.category} exhausted" if event.exhausted else event.category


def test_the_calls_that_were_captured_are_those_of_the_table() -> None:
    assert len(SCRIPTS) + 1 == len(TRUTH)
    assert {path.name.partition(".")[0] for path in FOLDER.iterdir()} == set(TOLD)


@pytest.mark.parametrize("name", TOLD)
def test_each_call_becomes_one_event_of_its_category(name: str) -> None:
    assert tuple(map(_outcome, _events(name))) == TOLD[name]


@pytest.mark.parametrize("name", TOLD)
def test_an_event_says_whose_it_is_what_it_cost_and_how_long_it_took(name: str) -> None:
    events = _events(name)

    assert {(event.app, event.environment, event.model) for event in events} == {(name, "test", MODEL)}
    assert all(event.final for event in events)
    assert all(event.duration_ms and event.duration_ms > 0 for event in events)
    first = events[0]
    spent = (first.input_tokens, first.cache_read_tokens, first.cache_write_tokens, first.output_tokens)
    assert (first.max_tokens or 50, spent) == (50, (10, 7, 3, 5))


@pytest.mark.parametrize("name", TOLD)
def test_a_failure_has_the_apis_request_id_whoever_tells_of_it(name: str) -> None:
    failed = [event for event in _events(name) if event.status is not None and event.status >= 400]

    assert len(failed) == 5
    assert all((event.request_id or "").startswith("req_") for event in failed)


@pytest.mark.parametrize("name", TWICE)
def test_a_call_that_two_instrumentations_saw_is_one_event_by_the_one_that_says_more(name: str) -> None:
    taken = take_spans(captured(name), json=False, received_at=time.time(), app="default")

    assert len(taken.batch.events) == len(TRUTH)
    assert taken.twins >= len(TRUTH) - 3
    assert [event.attempt for event in taken.batch.events][3:5] == [3, 3]


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_no_prompt_no_answer_and_no_stack_trace_gets_through(path: Path) -> None:
    name, kind = path.name.split(".")[:2]
    json = name in IN_JSON
    body = captured(name, kind, json=json)
    assert CANARY.encode() in body

    take = take_spans if kind == "traces" else take_records
    batch = take(body, json=json, received_at=time.time(), app="default").batch

    told = batch.body + repr(batch.events).encode() + repr(batch.claims).encode()
    assert batch.events
    assert [word for word in (CANARY, "canary", "Hello", "Hel", "Traceback", "too long") if word.encode() in told] == []


def test_the_conventions_events_tell_of_the_same_calls_as_their_spans() -> None:
    records = take_records(captured("genai", "logs"), json=False, received_at=time.time(), app="default").batch.events

    told = [event.category for event in records]
    assert told[:10] == [outcome.partition(" ")[0] for outcome in TRUTH[:10]]
    assert [event.span_id for event in records] == [event.span_id for event in _events("genai")]


def test_every_attribute_that_is_read_is_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/otlp.md").read_text("utf-8")

    assert [name for name in READ if f"`{name}`" not in reference] == []
