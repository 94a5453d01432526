"""A real trace, posted to a running service, has the result it has in the engine."""

from __future__ import annotations

import time
from pathlib import Path

from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from tests.support.oracle import engine_changes
from tests.support.running import Process, until
from tests.support.traces import as_log, endpoint_calls, shift_to

OUTAGE = ("claude-sonnet-4.6/anthropic/2", "2026-08-16 21:00", "2026-08-16 22:35")
Labels = frozenset[tuple[str, str]]


def test_a_trace_that_ends_in_an_outage_fires_the_same_alerts_over_http_as_in_event_time(tmp_path: Path) -> None:
    """95 minutes in event time, shifted to end now and posted within seconds."""
    with Process(tmp_path) as claxon:
        now = time.time()
        calls = shift_to(now, endpoint_calls(*OUTAGE))
        for i in range(0, len(calls), 500):
            batch = calls[i : i + 500]
            assert claxon.post(batch)[1] == {"accepted": len(batch), "rejected": []}

        engine = Engine(DEFAULT_RULES)
        engine_changes(engine, as_log(calls))
        engine.tick(now)
        expected = {frozenset(alert.labels.items()) for alert in engine.firing()}

        def firing() -> set[Labels]:
            found = claxon.get("/v1/alerts")["alerts"]
            return {frozenset(a["alert"]["labels"].items()) for a in found}

        assert len(expected) >= 5
        assert until(lambda: firing() == expected, 10), (firing(), expected)
