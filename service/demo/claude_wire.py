"""claude_wire: the Claude API's bodies and headers, byte for byte as the SDK reads them."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""`error.type` by status; any other status is an `api_error`."""

ERROR_MESSAGES = {
    401: "invalid authentication credentials",
    429: "This request would exceed your organization's rate limit.",
    500: "Internal server error",
    529: "Overloaded",
}

USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 7,
    "output_tokens": 5,
    "service_tier": "standard",
}

STREAMED_OUTPUT_TOKENS = 12

FIRST_ID = "msg_01fake"

LIMITS = {"requests": 50, "input-tokens": 30_000, "output-tokens": 8_000, "tokens": 38_000}


def error_body(status: int, request_id: str, *, kind: str | None, code: str | None, message: str | None) -> bytes:
    """Return the JSON of an error."""
    error: dict[str, Any] = {
        "type": kind or ERROR_TYPES.get(status, "api_error"),
        "message": message or ERROR_MESSAGES.get(status, f"The fake API answers {status}"),
    }
    if code:
        error["details"] = {"error_code": code}
    return _json({"type": "error", "error": error, "request_id": request_id})


def message_body(model: str, *, refusal: bool = False, message_id: str = FIRST_ID) -> bytes:
    """Return the JSON of a message; of a refusal, which is a success too."""
    return _json(_message(model, refusal=refusal, message_id=message_id))


def _message(model: str, *, refusal: bool, message_id: str) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [] if refusal else [{"type": "text", "text": "Hello!"}],
        "stop_reason": "refusal" if refusal else "end_turn",
        "stop_sequence": None,
        "usage": dict(USAGE),
    }


BLOCKS: dict[str, tuple[dict[str, Any], tuple[dict[str, Any], ...]]] = {
    "text": (
        {"type": "text", "text": ""},
        tuple({"type": "text_delta", "text": text} for text in ("Hel", "lo!")),
    ),
    "thinking": (
        {"type": "thinking", "thinking": "", "signature": ""},
        (
            *({"type": "thinking_delta", "thinking": text} for text in ("A greeting ", "is asked for.")),
            {"type": "signature_delta", "signature": "c2lnbmVk"},
        ),
    ),
    "tool": (
        {"type": "tool_use", "id": "toolu_01fake", "name": "get_weather", "input": {}},
        tuple({"type": "input_json_delta", "partial_json": part} for part in ('{"days": 3, "ci', 'ty": "Par', 'is"}')),
    ),
}
"""How each kind of content block begins, and what is added to it."""


def stream_events(
    model: str, *, refusal: bool = False, message_id: str = FIRST_ID, blocks: str = "text"
) -> Iterator[dict[str, Any]]:
    """Yield the events of one streamed message; of a text the fifth is its second piece."""
    message = _message(model, refusal=refusal, message_id=message_id)
    message.update(content=[], stop_reason=None, usage={**USAGE, "output_tokens": 1})
    reason = "refusal" if refusal else "tool_use" if blocks.endswith("tool") else "end_turn"
    yield {"type": "message_start", "message": message}
    for index, name in enumerate(filter(None, blocks.split("+"))):
        block, deltas = BLOCKS[name]
        yield {"type": "content_block_start", "index": index, "content_block": block}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": {"output_tokens": STREAMED_OUTPUT_TOKENS},
    }
    yield {"type": "message_stop"}


def error_event(kind: str, message: str | None) -> dict[str, Any]:
    """Return an error as it arrives inside a stream, behind a 200."""
    return {"type": "error", "error": {"type": kind, "message": message or "Overloaded"}}


def sse(event: dict[str, Any]) -> bytes:
    """Return an event as the Messages API frames it."""
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), _json(event))


def aws_frame(event: dict[str, Any]) -> bytes:
    """Return an event as Bedrock frames it."""
    if event["type"] == "error":
        headers = _aws_header(":message-type", "exception")
        headers += _aws_header(":exception-type", "throttlingException")
        payload = _json({"message": event["error"]["message"]})
    else:
        headers = _aws_header(":event-type", "chunk") + _aws_header(":message-type", "event")
        payload = _json({"bytes": base64.b64encode(_json(event)).decode(), "p": "abcdef"})
    prelude = struct.pack(">II", 12 + len(headers) + len(payload) + 4, len(headers))
    frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


def _aws_header(name: str, value: str) -> bytes:
    text = value.encode()
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(text)) + text


def limit_headers(remaining: float, *, now: datetime | None = None) -> dict[str, str]:
    """Return the rate-limit headers when `remaining`, a share in [0, 1], of each limit is left."""
    now = now or datetime.now(UTC)
    headers: dict[str, str] = {}
    for number, (kind, limit) in enumerate(LIMITS.items(), 1):
        reset = now + timedelta(seconds=number if remaining else 60)
        headers[f"anthropic-ratelimit-{kind}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{kind}-remaining"] = str(int(limit * remaining))
        headers[f"anthropic-ratelimit-{kind}-reset"] = reset.strftime("%Y-%m-%dT%H:%M:%SZ")
    return headers


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
