"""The keys that count now, those of the configuration, of the environment and of the database: asked at every request.

All but `adopt`, `replace` and `uses` is called in the event loop alone; these swap or read what is there in one go.

≠ HTTP, where a key is kept.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from alerts.config import KeyConfig

from .. import clock as clocks
from ..settings import hash_key
from .bucket import Bucket
from .guesses import Guesses
from .record import StoredKey

ADDRESSES = 1_000
"""Addresses, the latest, from which a key was seen."""

MISSED = 1_000
"""Unknown keys, the latest, that are remembered: one of them may be so new that this node has not heard of it."""

_log = structlog.get_logger(__name__)


class Why(StrEnum):
    """Why nobody is let in by what was presented."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    GUESSING = "guessing"


class Denied(Exception):
    """Whoever asks is not let in; the text is *where: value: remedy*.

    Attributes:
        why: The kind.
        wait_s: For how long it is of no use to ask again; 0.0 where another key is needed.
    """

    def __init__(self, why: Why, text: str, *, wait_s: float = 0.0) -> None:
        super().__init__(text)
        self.why = why
        self.wait_s = wait_s


class Limit(StrEnum):
    """What a key's limits are about."""

    EVENTS = "events"
    REQUESTS = "requests"


@dataclass(slots=True)
class _Known:
    """A key, dead or alive, and what is remembered of it."""

    key: KeyConfig
    ends_at: float | None = None
    revoked: bool = False
    used_at: float = 0.0
    seen_from: dict[str, None] = field(default_factory=dict)

    def note(self, address: str, at: float) -> None:
        self.used_at = at
        if address not in self.seen_from:
            self.seen_from[address] = None
            if len(self.seen_from) > ADDRESSES:
                del self.seen_from[next(iter(self.seen_from))]


class Keys:
    """The keys in force; without any, and on this machine alone, everybody may do everything.

    Attributes:
        denied: How often nobody was let in, by why.
        limited: How often a key with a limit was told to wait, by its name and what it had too much of.
    """

    def __init__(
        self,
        keys: Iterable[KeyConfig] = (),
        *,
        exposed: bool = False,
        clock: Callable[[], float] = clocks.now,
        steady: Callable[[], float] = clocks.monotonic,
    ) -> None:
        """Put keys in force.

        Args:
            keys: Of the configuration and the environment.
            exposed: Whether others than this machine can reach us: then a key is needed whether there is one or not.
            clock: Unix seconds, for the end of a key.
            steady: Seconds that never jump, for limits.
        """
        self.denied: dict[Why, int] = dict.fromkeys(Why, 0)
        self.limited: dict[tuple[str, Limit], int] = {}
        self._exposed = exposed
        self._clock = clock
        self._steady = steady
        self._fixed = tuple(keys)
        self._stored: tuple[StoredKey, ...] = ()
        self._known: dict[str, _Known] = {}
        self._buckets: dict[tuple[str, Limit], Bucket] = {}
        self._guesses = Guesses()
        # The hash of an unknown key, and who sent it.
        self._missed: dict[str, str] = {}
        self._settle()

    # ── what is in force ──────────────────────────────────────────────────────

    def replace(self, keys: Iterable[KeyConfig]) -> None:
        """Put other keys of the configuration and the environment in force, from the next request on."""
        self._fixed = tuple(keys)
        self._settle()

    def adopt(self, stored: Iterable[StoredKey]) -> None:
        """Put other keys of the database in force, from the next request on; those that are dead among them."""
        self._stored = tuple(stored)
        self._settle()

    def _settle(self) -> None:
        known = {one.key.sha256: self._remembered(one.key, one) for one in self._stored}
        known |= {key.sha256: self._remembered(key) for key in self._fixed}
        names = {one.key.name: one.key for one in known.values() if not one.revoked}
        buckets: dict[tuple[str, Limit], Bucket] = {}
        before = {one.key.name: one.key for one in self._known.values() if not one.revoked}
        for name, key in names.items():
            # A key that was rotated shares the limits of its name, and what it has spent stays spent.
            kept = self._buckets if name in before and _limits(before[name]) == _limits(key) else {}
            for limit, rate in ((Limit.EVENTS, key.events_per_second), (Limit.REQUESTS, key.requests_per_second)):
                if rate:
                    buckets[name, limit] = kept.get((name, limit)) or Bucket(rate, burst_s=key.burst_s)
        self._buckets, self._known = buckets, known
        for digest in known.keys() & self._missed.keys():
            self._guesses.forgive(self._missed.pop(digest))
        self.limited = {what: self.limited.get(what, 0) for what in buckets}

    def _remembered(self, key: KeyConfig, stored: StoredKey | None = None) -> _Known:
        before = self._known.get(key.sha256)
        return _Known(
            key=key,
            ends_at=stored.ends_at if stored is not None else None,
            revoked=stored is not None and stored.revoked_at is not None,
            used_at=before.used_at if before is not None else 0.0,
            seen_from=before.seen_from if before is not None else {},
        )

    @property
    def needed(self) -> bool:
        """Whether a key is asked for. One that is dead opens no door: it keeps the door shut."""
        return bool(self._known) or self._exposed

    @property
    def fixed(self) -> tuple[KeyConfig, ...]:
        """Those of the configuration and the environment."""
        return self._fixed

    def alive(self) -> list[KeyConfig]:
        """Return those that let somebody in now."""
        return [*self._fixed, *self.stored_alive()]

    def stored_alive(self) -> list[KeyConfig]:
        """Return those of the database that let somebody in now."""
        now = self._clock()
        return [one.key for one in self._stored if one.alive(now)]

    def uses(self) -> dict[str, float]:
        """Return when each key was used last, by its hash, if it was since the start; any thread may ask."""
        return {digest: one.used_at for digest, one in list(self._known.items()) if one.used_at}

    # ── at a request ──────────────────────────────────────────────────────────

    def find(self, presented: str, address: str = "") -> KeyConfig:
        """Return the key that was presented.

        An address that has tried many is not heard for a while, but for keys that were let in from there before: who
        guesses learns nothing, and an app is not shut out by what its neighbour has wrong.

        Raises:
            Denied: It is none, or dead, or the address is not heard.
        """
        if not presented:
            raise self._deny(Why.MISSING, "Authorization: missing: send a key as a bearer token")
        digest = hash_key(presented)
        known = self._known.get(digest)
        if known is not None and not hmac.compare_digest(known.key.sha256, digest):
            known = None
        steady = self._steady()
        wait_s = self._guesses.wait_s(address, steady)
        if wait_s and (known is None or address not in known.seen_from):
            said = f"Authorization: too many unknown keys from {address}: wait {wait_s:.0f} s"
            raise self._deny(Why.GUESSING, said, wait_s=wait_s)
        if known is None:
            self._miss(digest, address)
            if self._guesses.failed(address, steady):
                _log.warning("keys.guessed", address=address)
            raise self._deny(Why.UNKNOWN, "Authorization: unknown key: send one that `claxon keys list` shows")
        now = self._clock()
        self._check_alive(known, now)
        known.note(address, now)
        return known.key

    def _miss(self, digest: str, address: str) -> None:
        self._missed[digest] = address
        if len(self._missed) > MISSED:
            del self._missed[next(iter(self._missed))]

    def of_session(self, key_sha256: str, address: str = "") -> KeyConfig:
        """Return the key that somebody logged in with.

        Raises:
            Denied: It is dead, or gone.
        """
        known = self._known.get(key_sha256)
        if known is None:
            raise self._deny(Why.UNKNOWN, "session: its key is gone: log in with another")
        now = self._clock()
        self._check_alive(known, now)
        known.note(address, now)
        return known.key

    def _check_alive(self, known: _Known, now: float) -> None:
        name = known.key.name
        if known.revoked:
            raise self._deny(Why.REVOKED, f"Authorization: key {name!r}: revoked: ask for another")
        if known.ends_at is not None and now >= known.ends_at:
            said = f"Authorization: key {name!r}: it has ended: send the one that took its place, or ask for another"
            raise self._deny(Why.EXPIRED, said)

    def _deny(self, why: Why, text: str, *, wait_s: float = 0.0) -> Denied:
        self.denied[why] += 1
        return Denied(why, text, wait_s=wait_s)

    def request(self, key: KeyConfig) -> float:
        """Count a request of a key; return 0.0, or for how many seconds it must wait first."""
        return self._spend(key, Limit.REQUESTS, 1, self._steady()) if key.requests_per_second else 0.0

    def spend(self, key: KeyConfig | None, events: int, at: float) -> float:
        """Count events of a key; return 0.0, or for how many seconds it must wait first, and then none was counted."""
        if key is None or not key.events_per_second:
            return 0.0
        return self._spend(key, Limit.EVENTS, events, at)

    def _spend(self, key: KeyConfig, limit: Limit, n: int, at: float) -> float:
        bucket = self._buckets.get((key.name, limit))
        # Of a key that went while its request was on the way.
        if bucket is None:
            return 0.0
        wait_s = bucket.spend(n, at)
        if wait_s:
            self.limited[key.name, limit] = self.limited.get((key.name, limit), 0) + 1
        return wait_s


def _limits(key: KeyConfig) -> tuple[float, float, float]:
    return key.events_per_second, key.requests_per_second, key.burst_s
