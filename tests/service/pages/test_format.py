"""Times, durations and numbers in words."""

from __future__ import annotations

import pytest

from service.pages.format import ago, clock, count, iso, percent, plain, span, when
from tests.service.pages.world import NOON


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (1e300, "–"),
        (0, "0 s"),
        (0.4, "under 1 s"),
        (59.9, "59 s"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3900, "1 h 5 min"),
        (90_000, "1 d 1 h"),
        (86_460, "1 d"),
    ],
)
def test_a_duration_has_its_two_greatest_units(seconds: float | None, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("at", "words"),
    [(NOON, "just now"), (NOON - 12, "12 s ago"), (NOON + 90, "in 1 min 30 s"), (None, "–"), (-1e300, "–")],
)
def test_how_long_ago(at: float | None, words: str) -> None:
    assert ago(at, NOON) == words


def test_a_time_of_another_day_says_which() -> None:
    assert clock(NOON, NOON) == "14:13:20 UTC"
    assert clock(NOON - 86_400, NOON) == "20 Sep 2026, 14:13:20 UTC"
    assert clock(-1e300, NOON) == "an impossible time"


def test_an_instant_is_marked_up_in_utc() -> None:
    assert when(NOON, NOON) == '<time datetime="2026-09-21T14:13:20Z">14:13:20 UTC</time>'
    assert when(None, NOON) == "–"
    assert iso(-1e300) == ""


def test_unknown_is_never_zero() -> None:
    assert percent(None) == "–"
    assert percent(0.0) == "0 %"
    assert percent(0.1475) == "14.8 %"


def test_numbers_have_separators() -> None:
    assert count(1_234_567) == "1,234,567"
    assert count(2.345) == "2.35"


def test_what_cannot_be_seen_is_made_visible() -> None:
    assert plain("a\x00\u202eb\u200b\ud800") == "a\ufffd\ufffdb\ufffd\ufffd"
    assert plain("naïve – 日本語 😀\n") == "naïve – 日本語 😀\n"
