"""A clock that is wrong: seen in the service's answers, warned of, and put right where it would cost events."""

from __future__ import annotations

import email.utils
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import claxon
import pytest
from claxon.skew import Skew

from service.demo.fake_claude import FakeClaude
from tests.client.ingest import Ingest
from tests.client.spooling import FAST, note
from tests.support.running import Running

NOW = 1_800_000_000.0


def told(skew: Skew, *, ours: float, theirs: float, took: float = 0.01) -> None:
    """Note an answer that a server gave when its clock showed `theirs`, and ours `ours`."""
    skew.note(email.utils.formatdate(theirs, usegmt=True), sent=ours, received=ours + took)


@pytest.mark.parametrize("ahead", [0.0, 0.4, -3.0, 30.0, -600.0, 86_400.0])
def test_the_difference_is_known_to_a_second_after_one_answer_and_better_after_ten(ahead: float) -> None:
    skew = Skew("http://x")
    told(skew, ours=NOW, theirs=NOW + ahead)
    assert skew.seconds is not None
    assert abs(skew.seconds - ahead) <= 1.1

    for number in range(1, 10):
        told(skew, ours=NOW + number * 1.13, theirs=NOW + number * 1.13 + ahead)
    assert abs(skew.seconds - ahead) <= 0.7


def test_a_clock_that_is_set_is_measured_anew() -> None:
    skew = Skew("http://x")
    told(skew, ours=NOW, theirs=NOW + 600)
    assert skew.correction != 0

    told(skew, ours=NOW + 700, theirs=NOW + 700)

    assert skew.correction == 0
    assert skew.seconds is not None
    assert abs(skew.seconds) <= 1.1


def test_a_correction_holds_still_while_measurements_vary_by_a_second() -> None:
    """Or events of one app would change their order."""
    skew = Skew("http://x")
    told(skew, ours=NOW, theirs=NOW + 600)
    first = skew.correction
    for number in range(20):
        told(skew, ours=NOW + number, theirs=NOW + number + 600 + (number % 3) * 0.5)

    assert skew.correction == first


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Foo 2026 00:00:00 GMT"])
def test_an_answer_without_a_date_says_nothing(date: str | None) -> None:
    skew = Skew("http://x")
    skew.note(date, sent=NOW, received=NOW)

    assert (skew.seconds, skew.correction) == (None, 0.0)


def test_an_answer_that_took_long_says_nothing() -> None:
    skew = Skew("http://x")
    told(skew, ours=NOW, theirs=NOW, took=9.0)

    assert skew.seconds is None


@pytest.mark.parametrize(
    ("ahead", "warned", "corrected"), [(3, 0, False), (20, 1, False), (-20, 1, False), (90, 1, True)]
)
def test_over_5_s_it_is_warned_of_once_and_over_a_minute_put_right(
    ahead: float, warned: int, corrected: bool, caplog: pytest.LogCaptureFixture
) -> None:
    skew = Skew("http://x")
    for number in range(3):
        told(skew, ours=NOW + number, theirs=NOW + number + ahead)

    assert len(caplog.records) == warned
    assert bool(skew.correction) == corrected


def test_clocks_that_agree_change_no_event(ingest: Ingest) -> None:
    claxon.instrument(url=ingest.url, **FAST)
    before = time.time()
    note(1, failed=True)
    assert claxon.flush(5)
    note(2, failed=True)
    assert claxon.flush(5)

    assert all(before - 0.001 <= event["time"] <= time.time() for event in ingest.events)
    skew = claxon.stats().clock_skew_s
    assert skew is not None
    assert abs(skew) < 2


APP = """
import sys, time
right = time.time
time.time = lambda: right() + AHEAD
import anthropic, claxon
claxon.instrument(url=URL, app="shop", interval_s=60)
client = anthropic.Anthropic(api_key="x", base_url=FAKE, max_retries=0)
for number in range(3):
    for script in ("200", "401"):
        try:
            client.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "x"}],
                                   extra_headers={"x-fake": script})
        except anthropic.APIError:
            pass
    assert claxon.flush(10)
stats = claxon.stats()
print(stats.sent, stats.rejected, sum(stats.dropped.values()), stats.clock_skew_s)
"""


@pytest.mark.parametrize("ahead", [-7200.0, 200.0, 600.0, 86_400.0])
def test_the_real_service_takes_and_judges_what_a_process_with_a_wrong_clock_sends(
    ahead: float, tmp_path: Path, fake: FakeClaude
) -> None:
    """More than 5 minutes ahead the service refuses: such a process would lose everything."""
    with Running(tmp_path) as service:
        code = APP
        given: dict[str, Any] = {"AHEAD": ahead, "URL": service.url, "FAKE": fake.url}
        for name, value in given.items():
            code = code.replace(name, repr(value))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        found = service.get("/v1/events?limit=10")["events"]

    sent, rejected, dropped, skew = done.stdout.split()
    assert (int(sent), int(rejected), int(dropped)) == (6, 0, 0)
    assert abs(float(skew) + ahead) < 2
    assert done.stderr.count("set both by NTP") == 1
    # The first batch told us of the clock: of one that is behind, or little ahead, it was taken as it was.
    times = [_seconds(event["time"]) for event in found]
    assert len(times) == 3, "the failures"
    assert sum(abs(at - time.time()) < 30 for at in times) >= 2


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
