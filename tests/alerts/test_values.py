"""alerts/values.py: one table of what each kind measures."""

from __future__ import annotations

import pytest

from alerts.conditions import (
    KINDS,
    Any,
    Budget,
    Condition,
    Consecutive,
    EndOfLife,
    ErrorRate,
    Headroom,
    Of,
    Own,
    Parked,
    Silent,
    kind_of,
)
from alerts.values import VALUES, limit_word, value_names

EACH: list[tuple[Condition, str]] = [
    (Any(), "count age_s"),
    (ErrorRate(), "failed calls share"),
    (ErrorRate(confidence=0.99), "failed calls share bound"),
    (ErrorRate(of=Of.ATTEMPTS), "failed attempts absorbed share"),
    (Consecutive(), "streak count calls_24h failures_24h"),
    (Consecutive(adaptive=False), "streak count"),
    (Budget(), "exhausted calls burn tier long_s short_s"),
    (Budget(confidence=0.99), "exhausted calls burn tier long_s short_s bound"),
    (Budget(max_count=3), "exhausted calls long_s"),
    (Parked(), "parked longest_s calls"),
    (Headroom(), "limit_kind limit remaining share out_in_s reset_in_s"),
    (Silent(), "silent_s attempts"),
    (EndOfLife(), "left_s"),
    (Own(), "count"),
]


@pytest.mark.parametrize(("condition", "names"), EACH)
def test_the_names_of_a_value_follow_the_condition(condition: Condition, names: str) -> None:
    assert value_names(condition) == tuple(names.split())


def test_every_kind_and_every_name_is_in_the_table() -> None:
    found: dict[str, set[str]] = {}
    for condition, names in EACH:
        found.setdefault(kind_of(condition), set()).update(names.split())

    assert {kind: set(names) for kind, names in VALUES.items()} == found
    assert set(VALUES) == {*KINDS, "own"}


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"limit_kind": 0.0}, "requests"),
        ({"limit_kind": 2}, "input tokens"),
        ({}, ""),
        ({"limit_kind": 4}, ""),
        ({"limit_kind": 0.5}, ""),
    ],
)
def test_a_limit_is_named_in_words(value: dict[str, float], word: str) -> None:
    assert limit_word(value) == word
