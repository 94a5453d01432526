"""Scanners read from a passing stream what an event needs, and keep nothing else.

Each is fed chunks as they pass, in any slices. Text deltas are recognised by
their first bytes and skipped without being parsed; what is kept between two
chunks is bounded. A scanner that meets something it cannot read turns itself
off: then nobody says how the stream ended, rather than something wrong.
"""

from __future__ import annotations

import time
from typing import Protocol

import msgspec
from msgspec.structs import replace

from .attempt import NO_USAGE, Usage
from .failures import Failure

BOUND = 256 * 1024
"""Bytes kept at most, of one unfinished event or one body."""


class Scanner(Protocol):
    """What a tee asks of a scanner.

    Attributes:
        off: Whether it has given up reading.
        done: Whether the answer is complete.
        failure: The error inside the stream, if there was one.
        usage: Token counts; None where they are not known for sure.
        first_token: `perf_counter()` at the first content; None before.
        json: False when the body turned out to be no JSON.
        is_stream: Whether an end before `done` cuts an answer in two.
    """

    off: bool
    done: bool
    failure: Failure | None
    usage: Usage
    stop_reason: str | None
    first_token: float | None
    json: bool
    is_stream: bool

    def feed(self, chunk: bytes) -> None: ...

    def finish(self) -> None: ...


class _Message(msgspec.Struct, gc=False):
    usage: Usage | None = None


class _Delta(msgspec.Struct, gc=False):
    stop_reason: str | None = None


class _Frame(msgspec.Struct, gc=False):
    """Those parts of a stream event that are read; content has no place here."""

    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: Usage | None = None
    error: Failure | None = None


_decode_frame = msgspec.json.Decoder(_Frame).decode

_READ = frozenset({b"message_start", b"message_delta", b"message_stop", b"error"})


class Frames:
    """What the events of a stream add up to, whatever carries them."""

    def __init__(self, *, off: bool = False) -> None:
        self.off = off
        self.done = False
        self.failure: Failure | None = None
        self.usage = NO_USAGE
        self.stop_reason: str | None = None
        self.first_token: float | None = None
        self.json = True
        self.is_stream = True

    def finish(self) -> None:
        """Forget the output of an answer that was cut: its last count is not the true one."""
        if not self.done:
            self.usage = replace(self.usage, output_tokens=None)

    def _content(self) -> None:
        if self.first_token is None:
            self.first_token = time.perf_counter()

    def _frame(self, data: bytes) -> None:
        frame = _decode_frame(data)
        if frame.type == "message_start" and frame.message is not None:
            # It counts 1 before there is any output; only message_delta knows.
            self.usage = replace(frame.message.usage or NO_USAGE, output_tokens=None)
        elif frame.type == "message_delta":
            self._add(frame)
        elif frame.type == "message_stop":
            self.done = True
        elif frame.type == "error":
            self.failure = frame.error or Failure(type="error")

    def _add(self, frame: _Frame) -> None:
        if frame.delta is not None and frame.delta.stop_reason:
            self.stop_reason = frame.delta.stop_reason
        if frame.usage is not None:
            # Counts are cumulative: the last one is the total.
            counts = msgspec.structs.asdict(frame.usage)
            self.usage = replace(self.usage, **{name: n for name, n in counts.items() if n is not None})


class SSEScanner(Frames):
    """Scans `text/event-stream`."""

    def __init__(self, *, off: bool = False) -> None:
        super().__init__(off=off)
        self._rest = b""
        self._skipping = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self.off:
            return
        if b"\r" in chunk:
            # JSON has no raw carriage return, so each is half of a line's end.
            chunk = chunk.replace(b"\r", b"")
        data = self._rest + chunk if self._rest else chunk
        start = 0
        while (end := data.find(b"\n\n", start)) >= 0:
            if self._skipping:
                self._skipping = False
            elif data.startswith(b"event: content_block_", start):
                if self.first_token is None and data.startswith(b"event: content_block_delta", start):
                    self._content()
            else:
                self._event(data[start:end])
            start = end + 2
        self._keep(data, start)

    def _keep(self, data: bytes, start: int) -> None:
        """Keep an unfinished event only if it will be read."""
        rest = data[start:] if start else data
        if not self._skipping and rest.startswith(b"event:"):
            line, newline, _ = rest.partition(b"\n")
            name = line[6:].strip()
            if newline and name not in _READ:
                self._skipping = True
                if name == b"content_block_delta":
                    self._content()
        if self._skipping:
            rest = b"\n" if rest.endswith(b"\n") else b""
        if len(rest) > BOUND:
            self.off, rest = True, b""
        self._rest = rest

    def _event(self, event: bytes) -> None:
        name, data = b"", b""
        for line in event.split(b"\n"):
            if line.startswith(b"event:"):
                name = line[6:].strip()
            elif line.startswith(b"data:"):
                data += line[5:]
        if name == b"content_block_delta":
            self._content()
        elif name in _READ and data:
            self._frame(data)


class _Answer(msgspec.Struct, gc=False):
    usage: Usage | None = None
    stop_reason: str | None = None


decode_answer = msgspec.json.Decoder(_Answer).decode


class BodyScanner:
    """Keeps a JSON body that the app reads itself, to read its usage at the end."""

    def __init__(self, *, off: bool = False) -> None:
        self.off = off
        self.done = False
        self.failure: Failure | None = None
        self.usage = NO_USAGE
        self.stop_reason: str | None = None
        self.first_token: float | None = None
        self.json = True
        self.is_stream = False
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self.off:
            return
        self._kept += chunk
        if len(self._kept) > BOUND:
            self.off = True
            self._kept.clear()

    def finish(self) -> None:
        """Read the body, and let it go."""
        if not self.off:
            self.json, self.usage, self.stop_reason = read_answer(bytes(self._kept))
        self._kept.clear()


def read_answer(body: bytes) -> tuple[bool, Usage, str | None]:
    """Return (is it a JSON object, its usage, its stop reason) of a successful answer's body."""
    try:
        answer = decode_answer(body)
    except msgspec.ValidationError:
        # JSON, but of a shape that is not a message's.
        return body.lstrip()[:1] == b"{", NO_USAGE, None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False, NO_USAGE, None
    return True, answer.usage or NO_USAGE, answer.stop_reason
