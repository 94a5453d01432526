"""What three apps send when everything goes wrong that can: it fills every panel of every dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.pager import Pager
from tests.support.running import Process, until

CLAXON = """\
heartbeat: {{url: "{url}/ping", interval: 1s}}
route: {{receiver: pager}}
receivers: [{{name: pager, webhook_configs: [{{url: "{url}/page"}}]}}]
"""

CHAT = {"app": "chat", "environment": "prod", "model": "claude-sonnet-5"}
SHOP = {"app": "shop", "environment": "prod", "model": "claude-opus-5"}
NIGHTLY = {"app": "nightly", "model": "claude-haiku-5"}
# What the client tells of limits and of the patterns that keep calls alive.
LIMITS = {
    "requests_limit": 50, "requests_remaining": 20, "tokens_limit": 38_000, "tokens_remaining": 9_000,
    "input_tokens_limit": 30_000, "input_tokens_remaining": 8_000,
    "output_tokens_limit": 8_000, "output_tokens_remaining": 1_000,
}  # fmt: skip
STREAM = {"time_to_first_token_ms": 350, "stream_end": "complete"}
OPUS = SHOP | {"fallback_from": "claude-opus-5", "model": "claude-sonnet-5"}
USE = {"tokens": 1024, "input_tokens": 900, "output_tokens": 200, "cache_read_tokens": 700, "cache_write_tokens": 9}


def batch(i: int) -> list[dict[str, Any]]:
    """Return one of everything: three apps and models, each kind of outcome, and what is refused."""
    return [
        *[CHAT | USE | {"status": 200, "duration_ms": 800 + i, "call_id": f"c{i}-{n}"} for n in range(8)],
        CHAT | {"status": 429, "attempt": 1, "final": False, "call_id": f"r{i}", "duration_ms": 40},
        CHAT | {"status": 200, "attempt": 2, "call_id": f"r{i}", "duration_ms": 900},
        CHAT | USE | STREAM | {"status": 200, "stop_reason": "refusal", "ratelimit": LIMITS, "circuit": "closed"},
        CHAT | {"status": 429, "final": False, "call_id": f"p{i}", "retry_after_s": 300, "throttled_ms": 400},
        CHAT | {"status": 200, "stream_end": "truncated", "duration_ms": 2000},
        CHAT | {"error_type": "cancelled"},
        SHOP | {"status": 200, "duration_ms": 1500},
        SHOP | {"status": 500, "final": True, "exhausted": False, "duration_ms": 300},
        SHOP | USE | {"status": 529, "attempt": 3, "max_attempts": 3, "duration_ms": 200, "circuit": "open"},
        SHOP | {"status": 503, "final": True, "exhausted": True, "stopped_by": "deadline"},
        OPUS | {"status": 200, "circuit": "half_open"},
        SHOP | {"status": 500, "final": True, "cached": True},
        SHOP | {"error_type": "APITimeoutError", "final": True, "exhausted": True, "duration_ms": 60_000},
        NIGHTLY | {"status": 401},
        NIGHTLY | {"status": 400, "error_code": "organization_on_hold"},
        NIGHTLY | {"status": 200, "event_id": f"e{i}"},
        NIGHTLY | {"status": 200, "event_id": f"e{i}"},
        NIGHTLY | {"status": 999},
    ]


def scraped_service(folder: Path, *, times: int = 1) -> str:
    """Return what a real Claxon says, in OpenMetrics, after all of this has happened to so many times three apps."""
    with Pager() as pager, Process(folder, config=CLAXON.format(url=pager.url)) as claxon:
        for i in range(8 * times):
            named = [event | {"app": f"{event['app']}{i % times or ''}"} for event in batch(i)]
            status, answer, _ = claxon.post(named, claxon_client_dropped="2")
            assert status == 202, answer
        # Budgets, limits and the rest are weighed at whole seconds.
        assert until(lambda: "claxon_error_budget_burn_rate{" in _page(claxon), 10)
        assert until(lambda: {severity for _, severity in claxon.firing()} == {"page", "ticket"}, 10)
        assert until(lambda: 'pings_total{outcome="sent"} 0' not in _page(claxon), 10)
        return _page(claxon)


def _page(claxon: Process) -> str:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    status, page, _ = claxon.request("GET", "/metrics", headers=accept)
    assert status == 200
    return str(page)
