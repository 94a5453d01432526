"""What alerts and budgets are on /metrics, as they change; and what a restart, and a fault in measuring, leave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.metrics.budgets import window_name
from tests.service.metrics.test_metrics import Series, parsed, value
from tests.support.running import Running, until

AUTH = {"alertname": "ClaudeAuthError", "severity": "page", "app": "shop"}


@pytest.fixture
def claxon(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as running:
        yield running


def series(claxon: Running) -> Series:
    return parsed(claxon.get("/metrics"))


def states(claxon: Running, **labels: str) -> set[str]:
    """Return the states that the alerts with these labels have."""
    return {
        dict(has)["alertstate"]
        for name, has in series(claxon)
        if name == "claxon_alert_state" and labels.items() <= dict(has).items()
    }


def rejected(claxon: Running) -> str:
    """Have shop's key rejected; return the fingerprint of its alert."""
    claxon.post({"model": "m", "app": "shop", "status": 401})
    assert until(claxon.firing, 5)
    fingerprint: str = claxon.firing()["ClaudeAuthError", "page"]["alert"]["fingerprint"]
    return fingerprint


# ── alerts ────────────────────────────────────────────────────────────────────


def test_an_alert_is_firing_until_somebody_looks_after_it(claxon: Running) -> None:
    fingerprint = rejected(claxon)
    before = states(claxon, **AUTH)
    claxon.request("POST", f"/v1/alerts/{fingerprint}/ack", b'{"by": "ada"}', {"Content-Type": "application/json"})

    assert (before, states(claxon, **AUTH)) == ({"firing"}, {"acknowledged"})


def test_an_alert_that_was_told_and_then_silenced_is_silenced(claxon: Running) -> None:
    rejected(claxon)
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "app", "value": "shop", "isRegex": False}],
        "startsAt": (now - timedelta(minutes=1)).isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "ada",
        "comment": "we know",
    }
    status, *_ = claxon.request(
        "POST", "/api/v2/silences", msgspec.json.encode(silence), {"Content-Type": "application/json"}
    )

    assert status == 200
    assert until(lambda: states(claxon, **AUTH) == {"silenced"}, 5)


def test_a_symptom_of_a_rejected_key_is_inhibited(claxon: Running) -> None:
    claxon.post([{"model": "m", "app": "shop", "status": 401} for _ in range(20)])

    assert until(lambda: states(claxon, alertname="ClaudeErrorRate") == {"inhibited"}, 8), states(claxon)
    assert states(claxon, **AUTH) == {"firing"}


def test_an_alert_that_somebody_posted_is_there_too(claxon: Running) -> None:
    posted = [{"labels": {"alertname": "DiskFull", "severity": "page", "app": "db"}}]
    claxon.request("POST", "/api/v2/alerts", msgspec.json.encode(posted), {"Content-Type": "application/json"})

    assert until(lambda: states(claxon, alertname="DiskFull", app="db") == {"firing"}, 5)


# ── budgets ───────────────────────────────────────────────────────────────────


def test_without_a_call_there_is_no_budget_to_show(claxon: Running) -> None:
    claxon.post({"model": "m", "app": "shop", "error_type": "cancelled"})

    assert [name for name, _ in series(claxon) if "error_budget" in name] == []


def test_a_budget_that_does_not_burn_is_whole_and_has_no_end(claxon: Running) -> None:
    claxon.post([{"model": "m", "app": "shop", "status": 200}] * 5)
    found = series(claxon)

    assert value(found, "claxon_error_budget_remaining_ratio", app="shop") == 1
    assert value(found, "claxon_error_budget_burn_rate", app="shop", window="1h") == 0
    assert "claxon_error_budget_exhausted_timestamp_seconds" not in {name for name, _ in found}


@pytest.mark.parametrize(
    ("seconds", "name"),
    [(300, "5m"), (1800, "30m"), (3600, "1h"), (21_600, "6h"), (259_200, "3d"), (5400, "90m"), (7, "7s")],
)
def test_a_window_is_named_as_people_write_it(seconds: int, name: str) -> None:
    assert window_name(seconds) == name


# ── limits and breakers fade ──────────────────────────────────────────────────


def test_what_was_said_of_a_limit_is_gone_after_ten_minutes(claxon: Running) -> None:
    said = {"model": "m", "app": "shop", "status": 200, "circuit": "open"}
    limits = {"ratelimit": {"requests_limit": 50, "requests_remaining": 40}}
    claxon.post(
        [said | limits | {"time": time.time() - 599}, said | limits | {"time": time.time() - 601, "app": "old"}]
    )
    found = series(claxon)

    names = ("claxon_ratelimit_remaining", "claxon_circuit_state")
    assert {(name, dict(labels)["app"]) for name, labels in found if name in names} == {
        (name, "shop") for name in names
    }


# ── restarts and faults ───────────────────────────────────────────────────────


def test_what_is_measured_begins_anew_with_the_process_and_what_the_engine_counts_goes_on(tmp_path: Path) -> None:
    event = {"model": "claude-opus-4-5", "app": "shop", "status": 200, "duration_ms": 5, "output_tokens": 1_000_000}
    with Running(tmp_path) as claxon:
        claxon.post([event] * 3)
        before = series(claxon)
    with Running(tmp_path) as claxon:
        claxon.post(event)
        after = series(claxon)

    def numbers(found: Series) -> list[float]:
        return [
            value(found, "claxon_attempts_total", category="ok"),
            value(found, "claxon_attempt_duration_seconds_count"),
            value(found, "claxon_cost_dollars_total", kind="output"),
        ]

    assert (numbers(before), numbers(after)) == ([3, 3, 75], [4, 1, 25])


def test_a_fault_in_measuring_stops_nothing_and_is_counted(claxon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claxon.service.core, "measures", _Faulty(claxon.service.core.measures))
    rejected(claxon)

    found = series(claxon)
    assert value(found, "claxon_evaluation_faults_total") == 1
    assert value(found, "claxon_attempts_total", category="authentication") == 1


class _Faulty:
    """Measures that cannot take events."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def take(self, *_: object) -> None:
        raise ZeroDivisionError


def test_a_scrape_tells_how_long_the_one_before_took(claxon: Running) -> None:
    first, second = series(claxon), series(claxon)

    assert "claxon_scrape_duration_seconds" not in {name for name, _ in first}
    assert 0 < value(second, "claxon_scrape_duration_seconds") < 5
