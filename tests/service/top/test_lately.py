"""What came lately: the last five minutes of each model, whatever the totals before, and GET /v1/top."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.lately import STEP_S, Noted, Recent
from tests.support.bench import Bench
from tests.support.running import Running, until

SHOP = ("shop", "prod", "m")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def post(bench: Bench, n: int, **more: Any) -> None:
    bench.post([{"model": "m", "app": "shop", "environment": "prod", "status": 200} | more] * n)


def pass_time(bench: Bench, noted: Noted, seconds: float) -> None:
    """Let time pass, noted as often as in life."""
    for _ in range(int(seconds / STEP_S)):
        bench.wait(STEP_S)
        bench.ask(noted.note)


def test_only_the_last_five_minutes_count(bench: Bench) -> None:
    post(bench, 100)
    noted = Noted(bench.core, steady=lambda: bench.steady)
    bench.ask(noted.note)
    pass_time(bench, noted, 60)
    post(bench, 10, status=529, final=False)
    pass_time(bench, noted, 120)
    post(bench, 5, status=500, final=True, exhausted=True)
    post(bench, 3, status=429, throttled_ms=2000)

    found = bench.ask(noted.lately)

    assert found.window_s == 180
    assert found.models[SHOP] == Recent(
        attempts=18,
        per_s=8 / 60,
        errors={"overloaded": 10, "server": 5, "rate_limit": 3},
        absorbed=10,
        exhausted=5,
        throttled_s=6.0,
    )
    pass_time(bench, noted, 200)
    found = bench.ask(noted.lately)
    assert found.window_s == 300
    assert found.models[SHOP].errors == {"server": 5, "rate_limit": 3}
    pass_time(bench, noted, 200)
    assert bench.ask(noted.lately).models == {}


def test_what_came_before_the_first_note_is_not_of_late(bench: Bench) -> None:
    """As after a restart: the totals go on, the last minutes begin."""
    post(bench, 100)
    noted = Noted(bench.core, steady=lambda: bench.steady)
    assert bench.ask(noted.lately).models == {}
    bench.ask(noted.note)
    post(bench, 2)

    found = bench.ask(noted.lately)

    assert found.models[SHOP].attempts == 2
    assert (found.models[SHOP].per_s, found.events_per_s) == (None, None), "no pace before a second"


def test_a_cancelled_attempt_is_no_error(bench: Bench) -> None:
    noted = Noted(bench.core, steady=lambda: bench.steady)
    bench.ask(noted.note)
    post(bench, 4, status=None, error_type="cancelled", category="cancelled")

    assert bench.ask(noted.lately).models[SHOP].errors == {}


def event(app: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "app": app, "environment": "prod", "status": 200} | more


def test_the_answer_has_claxon_the_alerts_and_the_models_in_the_order_asked_for(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        claxon.post([event("shop", status=401), *[event("busy")] * 30, *[event("worn", status=500, final=False)] * 2])
        assert until(claxon.firing, 10)

        found = claxon.get("/v1/top")

        assert (found["claxon"]["ready"], found["claxon"]["fault"], found["claxon"]["failing"]) == (True, "", [])
        assert found["counts"] == {"firing": 1, "pages": 1, "pending": 0, "acknowledged": 0}
        [alert] = found["alerts"]
        assert (alert["alertname"], alert["app"], alert["state"]) == ("ClaudeAuthError", "shop", "firing")
        assert alert["measured"] == "1 attempt; one is enough"
        orders = {
            sort: [row["app"] for row in claxon.get(f"/v1/top?sort={sort}")["models"]] for sort in ("errors", "name")
        }
        assert orders == {"errors": ["worn", "shop", "busy"], "name": ["busy", "shop", "worn"]}
        few = claxon.get("/v1/top?models=1")
        assert (len(few["models"]), few["more_models"], few["quiet_models"]) == (1, 2, 0)
        assert few["models"][0] | {"per_s": 0.0} == {
            "app": "worn",
            "environment": "prod",
            "model": "m",
            "attempts": 2,
            "per_s": 0.0,
            "errors": {"server": 2},
            "failed": 2,
            "absorbed": 2,
            "exhausted": 0,
            "throttled_s": 0.0,
            "budget_left": None,
            "firing": 0,
        }
        assert claxon.request("GET", "/v1/top?sort=colour")[0] == 422


def test_alerts_that_need_somebody_come_first(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        claxon.post([event("one", status=401)])
        assert until(lambda: len(claxon.get("/v1/top")["alerts"]) == 1, 10)
        claxon.post([event("two", status=401)])
        assert until(lambda: [row["app"] for row in claxon.get("/v1/top")["alerts"]] == ["two", "one"], 10)

        second = claxon.get("/v1/top")["alerts"][0]["fingerprint"]
        claxon.request("POST", f"/v1/alerts/{second}/ack?by=bo")

        assert until(lambda: [row["app"] for row in claxon.get("/v1/top")["alerts"]] == ["one", "two"], 10)
        found = claxon.get("/v1/top")
        assert found["alerts"][1]["ack"]["by"] == "bo"
        assert found["counts"]["acknowledged"] == 1
