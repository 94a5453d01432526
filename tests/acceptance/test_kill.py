"""kill -9, a dozen times under load: nothing acknowledged is lost, nobody is told twice, the log proves it all."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

import pytest

from service.cli import main
from tests.support.pager import Pager
from tests.support.running import Process, until

CONFIG = """
route: {{receiver: on-call}}
receivers: [{{name: on-call, webhook_configs: [{{url: "{url}/hook"}}]}}]
"""


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


class Load:
    """Posts batches, each again until it is acknowledged, with a key that makes that harmless."""

    def __init__(self, claxon: Process) -> None:
        self.taken = Counter[str]()
        self._claxon = claxon
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(n,)) for n in range(2)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _post(self, number: int) -> None:
        chance = random.Random(number)
        for i in itertools.count():
            if self._ended.is_set():
                return
            app = f"app-{chance.randint(0, 20)}"
            events = [{"model": "m", "app": app, "status": 200 if chance.random() < 0.9 else 500} for _ in range(30)]
            events[0]["status"] = 401 if chance.random() < 0.02 else 200
            self._until_taken(events, f"{number}-{i}")
            self.taken[app] += len(events)

    def _until_taken(self, events: list[dict[str, Any]], key: str) -> None:
        while True:
            try:
                status, _, _ = self._claxon.post(events, Idempotency_Key=key)
            except (OSError, HTTPException):
                time.sleep(0.02)
                continue
            if status == 202:
                return


def test_a_dozen_kills_under_load_lose_nothing_and_tell_nobody_twice(tmp_path: Path, pager: Pager) -> None:
    claxon = Process(tmp_path, config=CONFIG.format(url=pager.url))
    chance = random.Random(7)
    claxon.start()
    with Load(claxon) as load:
        for _ in range(12):
            time.sleep(chance.uniform(0.05, 1.2))
            claxon.kill()
            claxon.start()
    taken = load.taken

    text = claxon.request("GET", "/metrics")[1]
    for app, n in taken.items():
        counted = sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith(f'claxon_attempts_total{{app="{app}",')
        )
        assert counted == n, app
    assert "claxon_ledger_mismatches_total 0.0" in text
    told = claxon.get("/v1/deliveries?limit=1000")["deliveries"]
    assert until(lambda: all(d["ended_at"] for d in claxon.get("/v1/deliveries?limit=1000")["deliveries"]), 20)
    assert len(told) == len({(d["fingerprint"], d["status"], d["created_at"]) for d in told})
    # The same page twice only with the same key: when it was killed between a receiver's answer and its note.
    keys = Counter(received.headers["idempotency-key"] for received in pager.received)
    assert sum(keys.values()) - len(keys) <= 12
    claxon.kill()
    assert main(["verify", "--data", str(claxon.data)]) == 0


def test_a_pending_alert_waits_on_over_a_restart_and_does_not_begin_anew(tmp_path: Path, pager: Pager) -> None:
    (tmp_path / "rules.yml").write_text(
        "rules:\n  - alert: Slow\n    error_rate: {above: 10%, window: 5m, min_failed: 3}\n    by: [app]\n    for: 6s\n"
        "    labels: {severity: page}\n"
    )
    claxon = Process(tmp_path, config=CONFIG.format(url=pager.url) + "rule_files: [rules.yml]\n")
    claxon.start()
    claxon.post([{"model": "m", "app": "shop", "status": 400}] * 5)
    assert until(lambda: claxon.get("/v1/alerts")["alerts"], 5)
    (pending,) = claxon.get("/v1/alerts")["alerts"]
    assert pending["state"] == "pending"
    time.sleep(3)
    claxon.kill()

    with claxon:
        pager.wait_for(1, within=15)
        (firing,) = claxon.get("/v1/alerts")["alerts"]

    assert firing["alert"]["fingerprint"] == pending["alert"]["fingerprint"]
    assert firing["alert"]["active_at"] == pending["alert"]["active_at"]
    assert 6 <= firing["alert"]["fired_at"] - firing["alert"]["active_at"] <= 9
