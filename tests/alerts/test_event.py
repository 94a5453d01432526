"""claxon/event.py: what a sender may leave out, and what follows from the rest. Source: docs/reference/events.md."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from claxon.event import Event, EventError, complete, to_wire
from hypothesis import given
from hypothesis import strategies as st

from alerts.counters import Totals
from tests.support.events import NOON, make_event


def outcome(**fields: Any) -> tuple[str, bool | None, bool | None, bool]:
    event = make_event(now=NOON, **fields)
    return event.category, event.final, event.exhausted, event.provisional


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("ok", True, False, False)),
        ({"status": 200}, ("ok", True, False, False)),
        # said outright
        ({"status": 500, "final": True, "exhausted": True}, ("server", True, True, False)),
        ({"status": 500, "final": True, "exhausted": False}, ("server", True, False, False)),
        ({"status": 500, "final": False}, ("server", False, False, False)),
        ({"status": 500, "final": False, "exhausted": True}, ("server", False, False, False)),
        ({"status": 500, "exhausted": True}, ("server", True, True, False)),
        # not retryable: final, and no retry was left out
        ({"status": 400}, ("invalid_request", True, False, False)),
        ({"status": 401}, ("authentication", True, False, False)),
        ({"status": 401, "max_attempts": 3}, ("authentication", True, False, False)),
        # retryable, with max_attempts
        ({"status": 500, "attempt": 1, "max_attempts": 3}, ("server", False, False, False)),
        ({"status": 500, "attempt": 3, "max_attempts": 3}, ("server", True, True, False)),
        ({"status": 429, "attempt": 1, "max_attempts": 1}, ("rate_limit", True, True, False)),
        # retryable, and nothing more is said
        ({"status": 500}, ("server", True, False, False)),
        ({"status": 500, "call_id": "one"}, ("server", True, False, True)),
        # in a stream no retry is possible
        ({"status": 200, "stream_end": "complete"}, ("ok", True, False, False)),
        ({"status": 200, "stream_end": "truncated"}, ("stream", True, False, False)),
        ({"status": 200, "stream_end": "error_event"}, ("stream", True, False, False)),
        ({"status": 200, "stream_end": "closed"}, ("cancelled", True, False, False)),
        (
            {"status": 200, "stream_end": "error_event", "error_type": "overloaded_error", "call_id": "one"},
            ("overloaded", True, False, False),
        ),
        ({"status": 200, "error_type": "overloaded_error"}, ("overloaded", True, False, False)),
    ],
)
def test_final_and_exhausted_follow_from_what_was_said(fields: dict[str, Any], expected: tuple[object, ...]) -> None:
    assert outcome(**fields) == expected


@pytest.mark.parametrize(
    ("time", "at"),
    [
        (None, NOON),
        (NOON - 5, NOON - 5),
        (NOON + 5, NOON),
        (NOON + 300, NOON),
        ("2026-09-21T13:13:20Z", NOON - 3600),
        ("2026-09-21T15:13:20+02:00", NOON - 3600),
    ],
)
def test_an_event_counts_at_its_time_and_never_later_than_its_receipt(time: object, at: float) -> None:
    event = msgspec.convert({"model": "m", "time": time}, Event)

    assert complete(event, received_at=float(NOON)).at == at


def test_an_event_over_five_minutes_ahead_is_refused_and_milliseconds_are_recognised() -> None:
    with pytest.raises(EventError, match="5 minutes ahead"):
        make_event(now=NOON, time=NOON + 301)
    with pytest.raises(EventError, match="not milliseconds"):
        make_event(now=NOON, time=NOON * 1000)


def test_fewer_attempts_at_most_than_made_is_a_contradiction() -> None:
    with pytest.raises(EventError, match="max_attempts: 2: at least attempt, which is 3"):
        make_event(now=NOON, status=500, attempt=3, max_attempts=2)


def test_the_app_is_that_of_the_key_where_the_event_has_none() -> None:
    assert complete(Event(model="m"), received_at=NOON, default_app="chat").app == "chat"
    assert complete(Event(model="m", app="batch"), received_at=NOON, default_app="chat").app == "batch"


def test_an_error_type_alone_says_the_status() -> None:
    assert make_event(now=NOON, error_type="overloaded_error").status == 529


def test_max_tokens_is_another_name_for_tokens_to_who_counts_and_on_the_wire() -> None:
    """An event keeps the name that its sender gave; totals and to_wire know both."""
    event = make_event(now=NOON, status=200, max_tokens=1024)
    totals = Totals()

    totals.measure(event)

    assert (event.tokens, totals.requested, to_wire(event)["tokens"]) == (None, 1024, 1024)


def test_where_both_names_are_given_tokens_is_what_counts() -> None:
    totals = Totals()

    totals.measure(make_event(now=NOON, status=200, tokens=512, max_tokens=1024))

    assert totals.requested == 512


def test_a_message_is_one_line_short_and_without_keys() -> None:
    event = make_event(now=NOON, status=401, error_message="bad key\nsk-ant-api03-SECRET_x " + "x" * 600)

    assert event.error_message is not None
    assert event.error_message.startswith("bad key sk-ant-*** x")
    assert len(event.error_message) == 500


@pytest.mark.parametrize(
    "fields", [{"prompt": "x"}, {"model": ""}, {"status": 99}, {"attempt": 0}, {"tokens": -1}, {"app": "x" * 65}]
)
def test_what_the_event_has_no_place_for_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"model": "m", **fields}, Event)


@given(
    status=st.none() | st.integers(100, 599),
    error_type=st.none() | st.sampled_from(["overloaded_error", "RateLimitError", "cancelled", "Unheard"]),
    final=st.none() | st.booleans(),
    exhausted=st.none() | st.booleans(),
    attempt=st.integers(1, 4),
    max_attempts=st.none() | st.integers(4, 6),
    call_id=st.none() | st.just("one"),
)
def test_a_completed_event_is_consistent_whatever_was_sent(**fields: Any) -> None:
    event = make_event(now=NOON, **fields)

    assert isinstance(event.final, bool)
    assert isinstance(event.exhausted, bool)
    assert event.final or not event.exhausted
    assert event.final or not event.provisional
    assert not event.ok or (event.final and not event.exhausted)


def test_what_is_sent_on_says_the_same_when_it_is_read_again() -> None:
    event = make_event(now=NOON, time=NOON - 7.25, status=529, attempt=2, max_attempts=2, call_id="one")

    wire = to_wire(event)
    category = wire.pop("category")
    again = complete(msgspec.convert(wire, Event), received_at=NOON + 60)

    assert (again.at, again.category, again.final, again.exhausted) == (NOON - 7.25, category, True, True)
