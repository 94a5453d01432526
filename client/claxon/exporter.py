"""exporter: posts one batch to the service, and says what became of it.

One connection, kept alive, of the standard library: no instrumentation of the
app's HTTP library sees it. No redirects are followed: the events and the key go
to the address that was configured, and nowhere else.
"""

from __future__ import annotations

import email.utils
import http.client
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from . import __version__, compression
from .packing import Batch
from .settings import Settings
from .skew import Skew

PATH = "/v1/events"
LARGEST_ANSWER = 1024 * 1024
LONGEST_WAIT_S = 3600.0
DROPPED_HEADER = "Claxon-Client-Dropped"
"""How many events the client has given up since the last batch that was accepted."""


class Outcome(StrEnum):
    """What became of a batch."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHED = "unreached"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one try.

    Attributes:
        outcome: ACCEPTED and REFUSED are final; UNREACHED (no answer) and BUSY
            (an answer that asks for patience, or a server error) are not.
        accepted: Events taken.
        rejected: Events refused one by one.
        why: For the log; no secret, no event.
        retry_after_s: How long the service asked us to wait.
        misdated: The places of events that were refused for their `time`.
    """

    outcome: Outcome
    accepted: int = 0
    rejected: int = 0
    why: str = ""
    retry_after_s: float | None = None
    misdated: tuple[int, ...] = ()


class _Rejected(msgspec.Struct):
    index: int = 0
    error: str = ""


class _Receipt(msgspec.Struct):
    accepted: int = 0
    rejected: list[_Rejected] = []

    @property
    def misdated(self) -> tuple[int, ...]:
        """The places of events that were refused for their `time`."""
        return tuple(one.index for one in self.rejected if one.error.startswith("time:"))


# ValueError: a host name that cannot be encoded.
_FAILURES = (OSError, http.client.HTTPException, ValueError)


_parents: list[http.client.HTTPConnection] = []
"""In a forked child: the connections of its parent."""


class Exporter:
    """Posts batches; used by the shipping thread only.

    Attributes:
        skew: What the answers say of the service's clock.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self.skew = Skew(settings.url)
        parts = urlsplit(settings.url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._path = parts.path + PATH
        self._connection: http.client.HTTPConnection | None = None
        self.encoding, self.compress = compression.best()

    def send(self, batch: Batch) -> Answer:
        """Post a batch once; once more when a kept connection turns out to be dead."""
        kept = self._connection is not None
        try:
            return self._post(batch)
        except _FAILURES as error:
            self.close()
            if not kept or isinstance(error, TimeoutError):
                return _unreached(error)
        try:
            return self._post(batch)
        except _FAILURES as error:
            self.close()
            return _unreached(error)

    def close(self) -> None:
        """Let the connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def leave_to_parent(self) -> None:
        """Let the connection go, in a forked child.

        Closing it could wait for ever: the parent's thread may have been reading
        from it, and holds the lock of its buffer, also in the child, where it is not.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        # Nor may it be collected, which closes it.
        _parents.append(connection)
        if connection.sock is not None:
            os.close(connection.sock.detach())

    def _post(self, batch: Batch) -> Answer:
        connection = self._connection or self._connect()
        sent = self._clock()
        connection.request("POST", self._path, batch.body, self._headers(batch))
        response = connection.getresponse()
        body = response.read(LARGEST_ANSWER)
        if not response.isclosed():
            # More than we are ready to read: this connection cannot be used again.
            self.close()
        headers = response.headers
        self.skew.note(headers.get("date"), sent=sent, received=self._clock())
        return _answer(response.status, headers.get("retry-after"), body, batch.events)

    def _connect(self) -> http.client.HTTPConnection:
        settings = self._settings
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(
                self._host,
                self._port,
                timeout=settings.connect_timeout_s,
                context=ssl.create_default_context(),
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=settings.connect_timeout_s)
        self._connection = connection
        connection.connect()
        connection.sock.settimeout(settings.read_timeout_s)
        return connection

    def _headers(self, batch: Batch) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": batch.encoding,
            "Idempotency-Key": batch.key,
            "User-Agent": f"claxon-python/{__version__}",
        }
        if self._settings.key:
            headers["Authorization"] = f"Bearer {self._settings.key}"
        if batch.dropped:
            headers[DROPPED_HEADER] = str(batch.dropped)
        return headers


def _unreached(error: Exception) -> Answer:
    return Answer(outcome=Outcome.UNREACHED, why=f"{type(error).__name__}: {error}")


def _answer(status: int, retry_after: str | None, body: bytes, events: int) -> Answer:
    if 200 <= status < 300:
        return _receipt(body, events)
    why = f"HTTP {status}"
    if status in (408, 425, 429) or status >= 500:
        return Answer(outcome=Outcome.BUSY, why=why, retry_after_s=_seconds(retry_after))
    receipt = _read(body)
    misdated = () if receipt is None else receipt.misdated
    return Answer(outcome=Outcome.REFUSED, why=f"{why}: {_first_words(body)}", misdated=misdated)


def _receipt(body: bytes, events: int) -> Answer:
    receipt = _read(body)
    if receipt is None:
        return Answer(outcome=Outcome.ACCEPTED, accepted=events)
    return Answer(
        outcome=Outcome.ACCEPTED,
        accepted=receipt.accepted,
        rejected=len(receipt.rejected),
        why=receipt.rejected[0].error[:200] if receipt.rejected else "",
        misdated=receipt.misdated,
    )


def _read(body: bytes) -> _Receipt | None:
    try:
        return msgspec.json.decode(body, type=_Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _first_words(body: bytes) -> str:
    return " ".join(body[:200].decode("utf-8", "replace").split())


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which may be a date."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        date = email.utils.parsedate_tz(retry_after)
        if date is None:
            return None
        seconds = email.utils.mktime_tz(date) - time.time()
    return min(max(0.0, seconds), LONGEST_WAIT_S)
