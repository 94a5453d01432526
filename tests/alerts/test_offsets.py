"""alerts/offsets.py: instants after a start."""

from __future__ import annotations

import pytest

from alerts.errors import DurationError
from alerts.offsets import format_offset, parse_offset


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("0s", 0), ("90s", 90), ("1h30m", 5400), ("0.5s", 0.5), ("1m2.25s", 62.25), ("10m0.05s", 600.05)],
)
def test_an_offset_is_read(text: str, seconds: float) -> None:
    assert parse_offset(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "1.5m", ".5s", "1s2.5s", "-5s", "1.s"])
def test_what_is_no_offset_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(DurationError, match=r"not a duration: write numbers and units, such as 0\.5s, 30s, 5m, 1h30m"):
        parse_offset(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (62.5, "1m2.5s"), (0.05, "0.05s"), (600.05, "10m0.05s"), (3600, "1h"), (59.9999, "1m")],
)
def test_an_offset_is_written_to_the_millisecond(seconds: float, text: str) -> None:
    assert format_offset(seconds) == text
