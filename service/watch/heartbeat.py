"""Heartbeat: pings somebody else's dead man's switch while everything works, and is silent else.

≠ whether everything works.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from pathlib import Path

from alerts.config import HeartbeatConfig

from ..receivers.address import url_problem
from ..receivers.base import DeliveryError
from ..receivers.endpoint import Endpoint
from ..receivers.http import Http
from ..receivers.secret import Secret, SecretFile, SecretSource
from .saying import Saying
from .tally import WatchTally

TIMEOUT_S = 10.0
TRIES = 6
"""A ping that nobody took is tried again, so many times an interval."""

_SHORTEST_PAUSE_S = 1.0

_log = Saying(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """How somebody is told that Claxon works.

    Attributes:
        endpoint: Who; its address is a secret, for whoever has it can keep the switch quiet.
        method: GET or POST.
        interval_s: From one ping to the next.
    """

    endpoint: Endpoint
    method: str = "GET"
    interval_s: float = 60.0


def read_beat(config: HeartbeatConfig, folder: Path) -> Beat:
    """Return how the configuration has somebody told.

    Args:
        config: What it says.
        folder: Where it lies.

    Raises:
        ValueError: The address cannot be read, or is none; it is not quoted.
    """
    url: SecretSource
    if config.url_file:
        url = SecretFile(folder / config.url_file, check=url_problem)
    elif problem := url_problem(config.url):
        raise ValueError(problem)
    else:
        url = Secret(config.url)
    endpoint = Endpoint(url=url, timeout=min(TIMEOUT_S, config.interval_s))
    return Beat(endpoint=endpoint, method=config.method, interval_s=config.interval_s)


class Heartbeat:
    """Sends what is due. Instants are of the clock that never jumps, but `wall`."""

    def __init__(self, tally: WatchTally) -> None:
        self._tally = tally
        self._beat: Beat | None = None
        self._http: Http | None = None
        self._due_at = -inf
        self._told: list[str] = []

    async def use(self, beat: Beat | None) -> None:
        """Ping like this from now on; None pings nobody."""
        if beat == self._beat:
            return
        await self.close()
        self._beat, self._due_at, self._told = beat, -inf, []
        self._http = Http(beat.endpoint) if beat is not None else None

    def due(self, now: float) -> bool:
        """Whether a ping is due."""
        return self._beat is not None and now >= self._due_at

    def withhold(self, wrong: list[str], now: float) -> None:
        """Note that a ping is due and is not sent; it is, as soon as everything works."""
        assert self._beat is not None
        parts = [said.partition(":")[0] for said in wrong]
        if parts != self._told or now >= self._due_at + self._beat.interval_s:
            self._told, self._due_at = parts, now
            self._tally.pings["withheld"] += 1
            _log.error("heartbeat.withheld", wrong=wrong)

    async def ping(self, now: float, *, wall: float) -> None:
        """Ping once; what fails is tried again within the interval."""
        beat, http = self._beat, self._http
        assert beat is not None
        assert http is not None
        if self._told:
            _log.info("heartbeat.resumed")
            self._told = []
        try:
            await http.ask(beat.method)
        except DeliveryError as fault:
            self._due_at = now + max(beat.interval_s / TRIES, _SHORTEST_PAUSE_S)
            self._tally.pings["failed"] += 1
            _log.warning("heartbeat.failed", error=str(fault))
            return
        self._due_at = now + beat.interval_s
        self._tally.pings["sent"] += 1
        self._tally.pinged_at = wall

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()
