"""A backtest of a log finds the alerts that the live service raised over the same events."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from service.cli import main
from tests.support.logs import Wire, write
from tests.support.running import Running, until

MODEL = "claude-sonnet-4-5"


def outage(now: float) -> list[list[Wire]]:
    """Return batches of a bad minute that ends now: a rejected key, a streak, an error rate, and what pages nobody."""
    ok = [{"app": "web", "status": 200} for _ in range(20)]
    batches: list[list[Wire]] = [
        [{"app": "quiet", "status": 429, "final": True}, {"app": "lone", "status": 500, "final": True}],
        [{"app": "shop", "status": 401, "environment": "prod", "request_id": "req_key"}],
        [*ok, *({"app": "web", "status": 400} for _ in range(20))],
        [{"app": "batch", "path": "/nightly", "status": 500, "final": True, "call_id": name} for name in "ab"],
        [{"app": "batch", "path": "/nightly", "status": 529, "max_attempts": 3, "attempt": 3} for _ in range(30)],
    ]
    for number, batch in enumerate(batches):
        for event in batch:
            event |= {"model": MODEL, "time": round(now - 5 + number, 3)}
    return batches


def alerts(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return sorted((json.dumps(a["labels"], sort_keys=True), a["episode"]) for a in found)


def test_a_backtest_finds_what_the_live_service_found(tmp_path: Path, capsys: Any) -> None:
    batches = outage(time.time())
    log = write(tmp_path / "log.zst", [event for batch in batches for event in batch])
    assert main(["backtest", str(log), "--format", "json"]) == 0
    expected = alerts(json.loads(capsys.readouterr().out)["alerts"])
    assert {json.loads(labels)["app"] for labels, _ in expected} == {"shop", "web", "batch"}

    with Running(tmp_path) as service:
        for batch in batches:
            assert service.post(batch)[0] == 202

        def live() -> list[tuple[str, int]]:
            return alerts([entry["alert"] for entry in service.get("/v1/alerts")["alerts"]])

        until(lambda: live() == expected, 15)
        assert live() == expected
