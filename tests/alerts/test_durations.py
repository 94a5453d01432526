"""alerts/durations.py: "1h30m" <-> 5400."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.durations import format_duration, parse_duration
from alerts.errors import DurationError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1d2h3m4s", 93_784),
        ("2w", 1_209_600),
        ("1y", 31_536_000),
        ("90m", 5400),
    ],
)
def test_a_duration_is_read_as_prometheus_reads_it(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "1.5h", "30m1h", "5m5m", "5min", "1h ", "٥m "])
def test_what_is_no_duration_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(DurationError, match="number and a unit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (-3, "0s"), (0.4, "0s"), (59.6, "1m"), (5400, "1h30m"), (2_592_000, "30d")]
)
def test_seconds_are_written_as_people_write_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(1, 10**9))
def test_what_was_written_is_read_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds
