"""Slow senders: deadlines for what a peer sends and reads, and a limit of open connections.

uvicorn gives a sender all the time in the world. Here a connection is in one phase at a time, and one sweep a
second over all connections ends those that stay in a phase too long; the usual request pays for no timer.

≠ what a request says.
"""

from __future__ import annotations

import asyncio
import json
import resource
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus
from typing import Any, cast

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from .intake import Intake

_log = structlog.get_logger(__name__)

SWEEP_S = 1.0
MAX_HEADERS = 64 * 1024
"""Bytes of a request's line and headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much patience there is.

    Attributes:
        connections: Open at the same time; when there are more, one that idles is closed, or the newest is refused.
        headers_s: From the first byte of a request to the end of its headers, and for a new connection to begin.
        body_s: For a body, beside the time that it needs at `body_rate`.
        body_rate: Bytes a second that are fast enough.
        idle_s: Between an answer and the next request.
        reader_s: For a peer that reads nothing of its answer.
        spare_s: What idles that long may be closed for a new connection.
    """

    connections: int = 1024
    headers_s: float = 10.0
    body_s: float = 30.0
    body_rate: float = 16 * 1024
    idle_s: float = 75.0
    reader_s: float = 30.0
    spare_s: float = 5.0


class Phase(Enum):
    """What a connection is doing."""

    SILENT = "silent"
    HEADERS = "headers"
    BODY = "body"
    ANSWER = "answer"
    ENDING = "ending"


REASONS = ("slow_headers", "slow_body", "slow_reader", "idle", "too_many", "large_headers", "malformed")
"""Why a connection was ended before its time: a closed set."""


class Guard:
    """Knows the open connections, and ends those that take too long."""

    def __init__(self, intake: Intake, limits: Limits) -> None:
        self.limits = limits
        self.open: set[Guarded] = set()
        self.ended = intake.ended
        self.ended.update(dict.fromkeys(REASONS, 0))
        self._intake = intake
        self._timer: asyncio.TimerHandle | None = None

    def admits(self, newest: Guarded) -> bool:
        """Whether one more may stay; makes room by closing what has idled longest."""
        self.open.add(newest)
        self._intake.connections = len(self.open)
        if self._timer is None:
            self._timer = newest.loop.call_later(SWEEP_S, self._sweep, newest.loop)
        if len(self.open) <= self.limits.connections:
            return True
        now = newest.loop.time()
        idle = (one for one in self.open if one.phase is Phase.SILENT and now - one.since >= self.limits.spare_s)
        longest = min(idle, key=lambda one: one.since, default=None)
        if longest is None:
            return False
        self.ended["idle"] += 1
        longest.end()
        return True

    def forget(self, gone: Guarded) -> None:
        """Count a connection no longer."""
        self.open.discard(gone)
        self._intake.connections = len(self.open)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self.open):
            reason = connection.overdue(now)
            if reason is not None:
                self.ended[reason] += 1
                connection.give_up(reason)
        # A service without connections has no timer.
        self._timer = loop.call_later(SWEEP_S, self._sweep, loop) if self.open else None


class Guarded(HttpToolsProtocol):
    """uvicorn's protocol, watched by a guard."""

    guard: Guard

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.phase = Phase.SILENT
        self.since = self.loop.time()
        self._received = 0  # bytes in this phase
        self._requests = 0
        self._unread = 0  # bytes that the peer had not read at the last sweep
        self._unread_since = self.since
        self._looked_at = self.since

    # ── what the transport says ──────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Watch it from now on, or refuse it."""
        super().connection_made(transport)
        if not self.guard.admits(self):
            self.guard.ended["too_many"] += 1
            said = f"connections: {self.guard.limits.connections} are open: send again after a second"
            self._refuse(503, said, retry_after=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch it no longer."""
        self.guard.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; nothing more is read of a connection that ends."""
        if self.phase is Phase.ENDING:
            return
        begins = self.phase is Phase.SILENT
        self._received += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No other protocol is spoken here; the request is answered like any.
            pass
        except httptools.HttpParserError:
            self.send_400_response("it is no HTTP/1.1")
        if begins and self.phase is Phase.HEADERS:
            self._received = len(data)
        # A header without an end never comes to `on_header`; the parser keeps all of it.
        if self.phase is Phase.HEADERS and self._received > MAX_HEADERS:
            self.guard.ended["large_headers"] += 1
            self._refuse(431, f"headers: over {MAX_HEADERS} bytes: send fewer")

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        if self.phase is not Phase.ENDING:
            self.guard.ended["malformed"] += 1
            self._refuse(400, f"request: not valid: {msg}: send HTTP/1.1, and the Content-Length that is true")

    # ── what the parser says ─────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """Begin to wait for headers."""
        super().on_message_begin()
        self._enter(Phase.HEADERS)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer says nothing that anybody here asks for."""
        if self.phase is Phase.HEADERS:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to wait for the body."""
        self._enter(Phase.BODY)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Begin to wait for the answer."""
        super().on_message_complete()
        # The answer may have been given before the body's end.
        self._enter(Phase.SILENT if self.cycle is None or self.cycle.response_complete else Phase.ANSWER)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._requests += 1
        if self.phase is Phase.ANSWER and not self.pipeline:
            self._enter(Phase.SILENT)
        super().on_response_complete()

    def _enter(self, phase: Phase) -> None:
        if self.phase is Phase.ENDING:
            return
        self.phase = phase
        self.since = self.loop.time()
        self._received = 0

    # ── what the guard asks ──────────────────────────────────────────────────

    def overdue(self, now: float) -> str | None:
        """Return why it is to be ended, one of `REASONS`, or None."""
        limits, waited = self.guard.limits, now - self.since
        elapsed, self._looked_at = now - self._looked_at, now
        if self.phase is Phase.ENDING:
            # Said already; this is for a peer that does not take its answer.
            if waited > 2 * SWEEP_S:
                self.transport.abort()
            return None
        if self._reads_nothing(now):
            return "slow_reader"
        match self.phase:
            case Phase.SILENT:
                return "idle" if waited > (limits.idle_s if self._requests else limits.headers_s) else None
            case Phase.HEADERS:
                return "slow_headers" if waited > limits.headers_s else None
            case Phase.BODY:
                if self.flow.read_paused:
                    # We do not read: no fault of the sender's.
                    self.since += elapsed
                    return None
                if self.cycle.response_complete and waited > limits.body_s:
                    # Nobody waits for the rest.
                    return "slow_body"
                return "slow_body" if waited > limits.body_s + self._received / limits.body_rate else None
        return None

    def _reads_nothing(self, now: float) -> bool:
        unread = self.transport.get_write_buffer_size()
        if unread == 0 or unread < self._unread or self._unread == 0:
            self._unread_since = now
        self._unread = unread
        return unread > 0 and now - self._unread_since > self.guard.limits.reader_s

    def give_up(self, reason: str) -> None:
        """End it, with an answer where one can be given."""
        limits = self.guard.limits
        match reason:
            case "slow_headers":
                self._refuse(408, f"headers: not complete after {limits.headers_s:g} s: send them at once")
            case "slow_body":
                said = f"body: slower than {limits.body_rate:g} bytes/s for {limits.body_s:g} s: send it at once"
                self._refuse(408, said)
            case "slow_reader":
                self.transport.abort()
            case _:
                self.end()

    def end(self) -> None:
        """Close it."""
        self._enter(Phase.ENDING)
        self.transport.close()

    def _refuse(self, status: int, detail: str, *, retry_after: bool = False) -> None:
        """Answer beside the application, then close; an answer that has begun is cut off."""
        cycle = self.cycle
        begun = self.phase is Phase.BODY and cycle is not None and cycle.response_started
        self._enter(Phase.ENDING)
        if begun:
            self.transport.abort()
            return
        self.transport.write(_answer(status, detail, retry_after=retry_after))
        if self.transport.can_write_eof():
            # What is still on its way would turn our close into a reset, and take the answer with it:
            # the sweep closes, two seconds later.
            self.transport.write_eof()
        else:
            self.transport.close()
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()


def _answer(status: int, detail: str, *, retry_after: bool) -> bytes:
    phrase = HTTPStatus(status).phrase
    body = json.dumps({"type": "about:blank", "title": phrase, "status": status, "detail": detail}).encode()
    head = [f"HTTP/1.1 {status} {phrase}", "content-type: application/problem+json", f"content-length: {len(body)}"]
    head += ["connection: close", *(["retry-after: 1"] if retry_after else [])]
    return "\r\n".join([*head, "", ""]).encode() + body


def guarded(intake: Intake, limits: Limits | None = None) -> type[asyncio.Protocol]:
    """Return the protocol of a server whose connections are watched, and counted."""
    limits = limits or Limits()
    guard = Guard(intake, replace(limits, connections=allow_files(limits.connections)))
    return cast("type[asyncio.Protocol]", type("GuardedBy", (Guarded,), {"guard": guard}))


def allow_files(connections: int) -> int:
    """Have the process allowed enough open files, as far as its hard limit goes; return the connections that fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 512
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    fitting = max(64, soft - 256)
    _log.warning("connections.few", files=soft, connections=fitting)
    return fitting
