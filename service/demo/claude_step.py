"""claude_step: what a request to the fake API was, and what is to become of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a step does."""

    STATUS = "status"  # answers with a status: a message for 200, else an error
    REFUSAL = "refusal"  # a message that declines
    HTML = "html"  # a proxy's page behind a 200
    RESET = "reset"  # resets the connection instead of answering
    HANG = "hang"  # keeps silent, then closes the connection
    STREAM_ERROR = "stream-error"  # an error event inside the stream
    STREAM_CUT = "stream-cut"  # resets the connection inside the stream
    STREAM_END = "stream-end"  # ends the stream cleanly, but too early
    STREAM_HANG = "stream-hang"  # keeps silent inside the stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of one request.

    Attributes:
        kind: What to do.
        status: The answer's status.
        error_type: `error.type`; by default what the API says at that status.
        error_code: `error.details.error_code`.
        message: `error.message`.
        retry_after: The header's value: seconds or a date.
        retry_after_ms: The header's value, in milliseconds.
        should_retry: The header `x-should-retry`, `true` or `false`.
        delay: Seconds before the answer; how long to keep silent in a hang.
        remaining: The share of the rate limits that is left, in [0, 1]; None is
            80 %, or nothing at a 429.
        html: The error's body is a proxy's page.
        blocks: What a streamed answer is made of: `text`, `thinking`, `tool`, joined by `+`; may be empty.
        fault_at: How many events of a stream pass before its fault.
        headers: In place of the usual rate limits; empty sends none. Not in a text.
    """

    kind: Kind = Kind.STATUS
    status: int = 200
    error_type: str | None = None
    error_code: str | None = None
    message: str | None = None
    retry_after: str | None = None
    retry_after_ms: str | None = None
    should_retry: str | None = None
    delay: float = 0.0
    remaining: float | None = None
    html: bool = False
    blocks: str = "text"
    fault_at: int = 4
    headers: Mapping[str, str] | None = None

    @classmethod
    def parse(cls, text: str) -> Step:
        """Return the step that `text` describes, such as `429:retry_after_ms=5;error_code=x`.

        Before the colon: a status or the name of another kind. After it: fields.

        Raises:
            ValueError: There is no such kind or field.
        """
        name, _, rest = text.strip().partition(":")
        given: dict[str, Any] = {"status": int(name)} if name.isdigit() else {"kind": Kind(name)}
        for pair in filter(None, rest.split(";")):
            key, _, value = pair.partition("=")
            if key not in _IN_TEXT:
                raise ValueError(f"{text}: {key}: use one of {', '.join(_IN_TEXT)}")
            given[key] = _TYPES.get(key, str)(value)
        return cls(**given)


_IN_TEXT = tuple(name for name in Step.__dataclass_fields__ if name != "headers")

_TYPES: dict[str, Callable[[str], Any]] = {
    "status": int,
    "delay": float,
    "remaining": float,
    "fault_at": int,
    "kind": Kind,
    "html": lambda value: value != "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it arrived.

    Attributes:
        attempt: From 1, by the SDK's own header.
        body: The JSON body; empty if there was none.
        headers: Names in lower case.
        at: `time.monotonic()` of its arrival.
    """

    method: str
    path: str
    attempt: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def model(self) -> str:
        """The model asked for; Bedrock's is in the path."""
        if self.path.startswith("/model/"):
            return self.path.split("/")[2]
        return str(self.body.get("model", "claude-test"))

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return bool(self.body.get("stream")) or self.on_bedrock

    @property
    def on_bedrock(self) -> bool:
        """Whether Bedrock's framing is expected."""
        return self.path.endswith("/invoke-with-response-stream")
