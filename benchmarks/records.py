"""The records of the measurements: calls of 20 apps, 7 paths and 2 models, about 370 bytes of JSON each."""

from __future__ import annotations

import random
import time
from typing import Any


def make_events(n: int, *, seed: int, failing: float = 0.03) -> list[dict[str, Any]]:
    """Return events of 20 apps, 7 paths, 2 models, 3 % of which failed."""
    r = random.Random(seed)
    now = time.time()
    events = []
    for i in range(n):
        failed = r.random() < failing
        events.append(
            {
                "time": round(now - (n - i) / 50_000, 3),
                "app": f"app-{i % 20}",
                "path": f"/chat/{i % 7}",
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
        )
    return events
