"""alerts/rule_values.py: durations, shares, counts, texts, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.conditions import Of
from alerts.errors import ConfigError
from alerts.rule_values import (
    COUNT,
    DURATION,
    FINE_DURATION,
    FLAG,
    NUMBER,
    SHARE,
    ValueKind,
    choice,
    read_text,
)
from tests.support.rules import UNHURRIED


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        (DURATION, "1h30m", 5400),
        (DURATION, 0, 0),
        (DURATION, "0", 0),
        (DURATION, "3000ms", 3),
        (FINE_DURATION, "1s500ms", 1.5),
        (FINE_DURATION, "2s", 2.0),
        (SHARE, "5%", 0.05),
        (SHARE, "99.9 %", 0.999),
        (SHARE, 0.05, 0.05),
        (SHARE, 1, 1.0),
        (COUNT, 0, 0),
        (NUMBER, 14.4, 14.4),
        (NUMBER, 6, 6.0),
        (FLAG, False, False),
        (choice(Of), "attempts", Of.ATTEMPTS),
    ],
)
def test_a_value_is_read_as_it_is_meant(kind: ValueKind, written: object, meant: object) -> None:
    read = kind.read(written)

    assert (read, type(read)) == (meant, type(meant))


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [
        (DURATION, 5, "5: not a duration: write a number and a unit, such as 30s, 5m, 1h30m, 30d"),
        (DURATION, "5 min", "'5 min': not a duration: write a number and a unit"),
        (DURATION, "500ms", "'500ms': not in whole seconds: write 30s or 5m"),
        (DURATION, False, "False: not a duration: write a number and a unit"),
        (DURATION, "11y", "'11y': too long: at most 3650d"),
        (FINE_DURATION, "11y", "'11y': too long: at most 3650d"),
        (FINE_DURATION, None, "None: not a duration: write a number and a unit"),
        (SHARE, "5", "'5': not a share: write a share such as 5% or 0.05"),
        (SHARE, "five %", "'five %': not a share: write a share such as 5% or 0.05"),
        (SHARE, True, "True: not a number: write a share such as 5% or 0.05"),
        (SHARE, float("nan"), "nan: too large: write a share such as 5% or 0.05"),
        (NUMBER, "14.4x", "'14.4x': not a number: write a number, such as 14.4"),
        (NUMBER, float("inf"), "inf: too large: write a number, such as 14.4"),
        (COUNT, 2.5, "2.5: not a count: write a whole number, such as 3"),
        (COUNT, True, "True: not a count: write a whole number, such as 3"),
        (COUNT, -1, "-1: from 0 to 1000000000"),
        (FLAG, "yes", "'yes': true or false"),
        (choice(Of), "call", "'call': one of calls, attempts"),
        (choice(Of), 3, "3: one of calls, attempts"),
    ],
)
def test_a_value_that_cannot_be_taken_is_refused_with_a_remedy(kind: ValueKind, written: object, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        kind.read(written)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (3, "3: not a text: write it in quotes"),
        (None, "None: not a text: write a text, or leave it out"),
        (" ", "' ': empty: write a text, or leave it out"),
        ("abcdef", "'abcdef': 6 characters: at most 5"),
        ("a\nb", "'a\\nb': has characters that cannot be seen: leave them out"),
        ("a\ud800", "'a\\ud800': has characters that cannot be seen: leave them out"),
        ("a\u202e", "'a\\u202e': has characters that cannot be seen: leave them out"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused_with_a_remedy(written: object, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_text(written, most=5)

    assert str(refused.value) == said


def test_a_long_text_may_have_lines() -> None:
    assert read_text("a\n\tb", most=5, lines=True) == "a\n\tb"


@UNHURRIED
@given(st.floats(0, 1))
def test_a_share_that_was_written_is_read_back_to_the_last_bit(share: float) -> None:
    assert SHARE.read(SHARE.write(share)) == share


@pytest.mark.parametrize(
    ("share", "text"), [(0.05, "5%"), (0.999, "99.9%"), (1.0, "100%"), (0.0, "0%"), (1e-40, 1e-40)]
)
def test_a_share_is_written_as_percent(share: float, text: object) -> None:
    assert SHARE.write(share) == text


@UNHURRIED
@given(st.integers(0, 10**9))
def test_milliseconds_that_were_written_are_read_back(milliseconds: int) -> None:
    assert FINE_DURATION.read(FINE_DURATION.write(milliseconds / 1000)) == milliseconds / 1000


@UNHURRIED
@given(st.floats(0, 1e9) | st.integers(0, 10**9).map(float))
def test_a_number_that_was_written_is_read_back(number: float) -> None:
    assert NUMBER.read(NUMBER.write(number)) == number
