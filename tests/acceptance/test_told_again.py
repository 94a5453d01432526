"""A real Alertmanager forgets what it does not hear of again; so it hears again, until the end."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.delivering import FINE, QUICK, REJECTED
from tests.support.peers import Running as Peer
from tests.support.peers import start_alertmanager
from tests.support.running import Running, until

pytestmark = pytest.mark.peer("alertmanager")

QUIET = "global: {resolve_timeout: 1s}\nroute: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
CONFIG = """
route: {{receiver: prometheus-world}}
receivers:
  - name: prometheus-world
    alertmanager_configs: [{{urls: ['{url}'], resend_interval: 1s}}]
"""


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with start_alertmanager(QUIET, tmp_path) as running:
        yield running


def ends(peer: Peer) -> list[float]:
    """Return until when each alert that it shows lasts."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{peer.url}/api/v2/alerts", timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return [datetime.fromisoformat(one["endsAt"]).timestamp() for one in found]


def test_an_alert_lasts_at_an_alertmanager_as_long_as_it_fires_here(tmp_path: Path, peer: Peer) -> None:
    with Running(tmp_path, config=CONFIG.format(url=peer.url), rules=[QUICK]) as claxon:
        claxon.post([REJECTED])
        assert until(lambda: ends(peer), 5)
        first = ends(peer)[0]
        assert until(lambda: ends(peer) and ends(peer)[0] > first + 2, 10)

        claxon.post([FINE])
        assert until(lambda: not ends(peer), 10)
        told = claxon.get("/v1/deliveries")["deliveries"]
        assert [(row["status"], row["state"], row["attempts"]) for row in told] == [
            ("resolved", "delivered", 1),
            ("firing", "delivered", 1),
        ]
