"""Post one span as the Claude API's export does, of a request that met an overloaded model.

How to: docs/howto/claude-export.md

CLAXON_KEY=... python try_it.py https://claxon.example.com
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
import urllib.request

ATTRIBUTES = {
    "gen_ai.provider.name": "anthropic",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "claude-sonnet-5",
    "http.response.status_code": 529,
    "error.type": "overloaded_error",
    "anthropic.request.id": f"req_try_{secrets.token_hex(6)}",
}


def export(now_ns: int) -> dict[str, object]:
    """Return an export with one span that has just ended."""
    span = {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": "messages",
        "kind": 2,
        "startTimeUnixNano": str(now_ns - 10**9),
        "endTimeUnixNano": str(now_ns),
        "attributes": [{"key": name, "value": _value(said)} for name, said in ATTRIBUTES.items()],
        "status": {"code": 2},
    }
    scope = {"name": "com.anthropic.claude-platform"}
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": scope, "spans": [span]}]}]}


def _value(said: str | int) -> dict[str, str]:
    return {"intValue": str(said)} if isinstance(said, int) else {"stringValue": said}


def main(url: str) -> None:
    """Post it, and print what is answered and how to find it."""
    request = urllib.request.Request(url.rstrip("/") + "/v1/traces", data=json.dumps(export(time.time_ns())).encode())
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {os.environ.get('CLAXON_KEY', '')}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        print(answer.status, answer.read().decode())
    print(ATTRIBUTES["anthropic.request.id"])


if __name__ == "__main__":
    main(sys.argv[1])
