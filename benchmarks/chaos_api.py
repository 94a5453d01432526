"""A Claude API that fails by chance, for benchmarks.chaos: one process that answers thousands of requests a second.

    python -m benchmarks.chaos_api PLAN-AS-JSON

Prints its port, serves until its standard input is closed, and prints what it has seen. What becomes of a request is
decided by the seed, the call (`x-call`) and how many requests came of that call and model before, so that every client
meets the same luck. Its seconds are real ones divided by `factor`, as those of its clients are (benchmarks.fast_clock).
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import httptools
import uvloop

MIXTURE = {"429": 25, "429 bare": 5, "500": 20, "529": 26, "timeout": 4, "reset": 10, "stream": 10}
"""Of a hundred failures. A cut stream is one only where the call is streamed, else a reset."""

STREAM_ENDS = ("cut", "eof", "event")
ERRORS = {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}
MEDIAN_S, SPREAD = 1.5, 0.5
"""Of the time to a good answer: log-normal."""

FAILURE_S = 0.2
PIECES = 4
INPUT_TOKENS, OUTPUT_TOKENS = 2_000, 400


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the API does.

    Attributes:
        seed: Of all chance.
        factor: How many of its seconds pass in a real one.
        origin: The Unix time at which both clocks show the same.
        failing: The share of requests that fail by chance.
        storm_from_s: After the first request, when a storm of 529 begins; `storm_to_s` when it ends.
        storm_models: Whom it hits.
    """

    seed: int
    factor: float
    origin: float
    failing: float
    storm_from_s: float = 0.0
    storm_to_s: float = 0.0
    storm_models: tuple[str, ...] = ()

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))


class Api:
    """What all connections share."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loop = asyncio.get_running_loop()
        self.began: float | None = None
        self.seen: Counter[tuple[str, str]] = Counter()
        self.fates: Counter[str] = Counter()
        self.in_storm = 0
        self.usage: dict[str, list[int]] = {}
        self.unread: dict[str, list[int]] = {}
        self.late: list[float] = []

    def fate(self, call: str, model: str) -> tuple[str, random.Random]:
        """Return what becomes of a request, and the chance for the rest of it."""
        now = self.loop.time()
        self.began = self.began if self.began is not None else now
        self.seen[call, model] += 1
        # A string, for the hash of anything else differs from process to process.
        chance = random.Random(f"{self.plan.seed} {call} {model} {self.seen[call, model]}")
        passed = (now - self.began) * self.plan.factor
        if self.plan.storm_from_s <= passed < self.plan.storm_to_s:
            self.in_storm += 1
            if model in self.plan.storm_models:
                return "529", chance
        if chance.random() >= self.plan.failing:
            return "ok", chance
        return chance.choices(list(MIXTURE), weights=list(MIXTURE.values()))[0], chance

    def bill(self, model: str, output: int, *, read: bool) -> None:
        """Note the tokens of an answer; `read` is whether the app gets all of it."""
        for kept in (self.usage,) if read else (self.usage, self.unread):
            tokens = kept.setdefault(model, [0, 0])
            tokens[0] += INPUT_TOKENS
            tokens[1] += output

    def summary(self) -> dict[str, Any]:
        """Return what was seen, in its own seconds."""
        late = sorted(self.late)
        return {
            "requests": sum(self.fates.values()),
            "in_storm": self.in_storm,
            "fates": dict(self.fates),
            "usage": self.usage,
            "unread": self.unread,
            "late_p99_s": late[int(len(late) * 0.99)] * self.plan.factor if late else 0.0,
            "cpu_s": time.process_time(),
        }


class Connection(asyncio.Protocol):
    """One connection; a request at a time."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._headers, self._body = {}, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """The request is there: see what becomes of it."""
        asked = json.loads(self._body)
        model, stream = asked["model"], bool(asked.get("stream"))
        fate, chance = self._api.fate(self._headers[b"x-call"].decode(), model)
        if fate == "stream":
            fate = chance.choice(STREAM_ENDS) if stream else "reset"
        self._api.fates[fate] += 1
        answered_s = chance.lognormvariate(0, SPREAD) * MEDIAN_S
        if fate == "timeout":
            self._api.bill(model, OUTPUT_TOKENS, read=False)
        elif fate == "reset":
            self._after(FAILURE_S, self._reset)
        elif fate in ("429", "429 bare", "500", "529"):
            self._after(FAILURE_S, self._send, *_error(int(fate[:3]), chance, bare=fate == "429 bare"))
        elif stream:
            self._stream(model, fate, answered_s)
        else:
            self._api.bill(model, OUTPUT_TOKENS, read=True)
            message = _message(model, [{"type": "text", "text": "Hello! " * 50}], "end_turn", OUTPUT_TOKENS)
            self._after(answered_s, self._send, 200, message, {})

    def _after(self, seconds: float, act: Any, *arguments: Any) -> None:
        loop = self._api.loop
        due = loop.time() + seconds / self._api.plan.factor

        def then() -> None:
            self._api.late.append(loop.time() - due)
            if self._transport is not None and not self._transport.is_closing():
                act(*arguments)

        loop.call_at(due, then)

    def _reset(self) -> None:
        assert self._transport is not None
        self._transport.abort()

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def _send(self, status: int, body: dict[str, Any], more: dict[str, str]) -> None:
        text = json.dumps(body).encode()
        headers = {**self._shared(), **more, "content-length": str(len(text))}
        self._write(_head(status, headers | {"content-type": "application/json"}) + text)

    def _shared(self) -> dict[str, str]:
        plan = self._api.plan
        now = plan.origin + (time.time() - plan.origin) * plan.factor
        reset = datetime.fromtimestamp(now + 5, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        left = "3200"  # failures by chance: no limit is near
        return {
            "request-id": f"req_{sum(self._api.fates.values())}",
            "anthropic-ratelimit-requests-limit": "4000",
            "anthropic-ratelimit-requests-remaining": left,
            "anthropic-ratelimit-requests-reset": reset,
        }

    def _stream(self, model: str, fate: str, answered_s: float) -> None:
        whole = fate == "ok"
        self._api.bill(model, OUTPUT_TOKENS if whole else OUTPUT_TOKENS // 2, read=whole)
        head = {**self._shared(), "content-type": "text/event-stream", "transfer-encoding": "chunked"}
        start = _message(model, [], None, 1)
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        first = _head(200, head) + _chunk({"type": "message_start", "message": start}) + _chunk(block)
        self._after(answered_s * 0.4, self._write, first)
        pieces = PIECES if whole else PIECES // 2
        for number in range(1, pieces + 1):
            delta = {"type": "text_delta", "text": "Hello! " * 10}
            piece = _chunk({"type": "content_block_delta", "index": 0, "delta": delta})
            self._after(answered_s * (0.4 + 0.1 * number), self._write, piece)
        self._after(answered_s * (0.45 + 0.1 * pieces), self._end, fate)

    def _end(self, fate: str) -> None:
        if fate == "cut":
            self._reset()
        elif fate == "eof":
            self._write(b"0\r\n\r\n")
        elif fate == "event":
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            self._write(_chunk(error) + b"0\r\n\r\n")
        else:
            usage = {"output_tokens": OUTPUT_TOKENS}
            delta = {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": usage,
            }
            ends = ({"type": "content_block_stop", "index": 0}, delta, {"type": "message_stop"})
            self._write(b"".join(map(_chunk, ends)) + b"0\r\n\r\n")


def _error(status: int, chance: random.Random, *, bare: bool) -> tuple[int, dict[str, Any], dict[str, str]]:
    body = {"type": "error", "error": {"type": ERRORS[status], "message": ERRORS[status]}}
    return status, body, {"retry-after": str(chance.randint(1, 5))} if status == 429 and not bare else {}


def _message(model: str, content: list[Any], stop_reason: str | None, output: int) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": output},
    }


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _chunk(event: dict[str, Any]) -> bytes:
    data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


async def serve(plan: Plan) -> None:
    """Serve until standard input is closed."""
    loop = asyncio.get_running_loop()
    api = Api(plan)
    server = await loop.create_server(lambda: Connection(api), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(api.summary()), flush=True)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    uvloop.run(serve(Plan(**{**given, "storm_models": tuple(given["storm_models"])})))
