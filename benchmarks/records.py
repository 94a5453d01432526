"""The records of the measurements: calls of 20 apps, 7 paths and 2 models, about 370 bytes of JSON each."""

from __future__ import annotations

import random
import time
from typing import Any


def make_events(n: int, *, seed: int, failing: float = 0.03) -> list[dict[str, Any]]:
    """Return events of 20 apps, 7 paths, 2 models, 3 % of which failed."""
    r = random.Random(seed)
    now = time.time()
    return [make_event(r, now - (n - i) / 50_000, f"app-{i % 20}", f"/chat/{i % 7}", failing=failing) for i in range(n)]


def make_event(r: random.Random, at: float, app: str, path: str, *, failing: float) -> dict[str, Any]:
    """Return one event of an app and a path at an instant."""
    failed = r.random() < failing
    return {
        "time": round(at, 3),
        "app": app,
        "path": path,
        "model": r.choice(["claude-sonnet-4-5", "claude-haiku-4-5"]),
        "attempt": 1,
        "max_attempts": 3,
        "final": True,
        "tokens": 1024,
        "input_tokens": r.randint(10, 5000),
        "output_tokens": r.randint(1, 1024),
        "duration_ms": round(r.expovariate(1 / 800), 1),
        "request_id": f"req_{r.getrandbits(96):024x}",
        "call_id": f"{r.getrandbits(128):032x}",
        "trace_id": f"{r.getrandbits(128):032x}",
        "status": 500 if failed else 200,
        "error_type": "api_error" if failed else None,
    }
