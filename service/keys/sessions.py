"""Sessions: who logged in on the pages, so that a browser need not hold a key.

A session is a random id in a cookie. Claxon keeps the id's hash and which key it stands for, and asks at each request
whether that key still counts: what the key may not, the session may not. All is called in the event loop, but `rows`.

≠ HTTP, SQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..settings import hash_key

IDLE_S = 12 * 3600.0
"""Without a request for so long a session is over."""

LASTS_S = 30 * 86_400.0
"""Also one that is in use."""

MOST = 1_000
"""The one that was seen longest ago goes first."""

Row = tuple[str, str, float, float]


@dataclass(slots=True, kw_only=True)
class Session:
    """One login.

    Attributes:
        sha256: Of its id.
        key_sha256: Of its key.
        made_at: Unix seconds.
        seen_at: When it was used last.
    """

    sha256: str
    key_sha256: str
    made_at: float
    seen_at: float

    def over(self, now: float) -> bool:
        """Whether it counts no longer."""
        return now - self.seen_at > IDLE_S or now - self.made_at > LASTS_S


class Sessions:
    """Those that are open.

    Attributes:
        changed: Whether there is something that `rows` would say, and has not.
    """

    def __init__(self, rows: Iterable[Row] = (), *, clock: Callable[[], float]) -> None:
        """Take over what is known.

        Args:
            rows: Of the database, the one that was seen longest ago first.
            clock: Unix seconds.
        """
        self._clock = clock
        self._open = {
            name: Session(sha256=name, key_sha256=key, made_at=made, seen_at=seen) for name, key, made, seen in rows
        }
        self.changed = False

    def __len__(self) -> int:
        """How many there are, those that are over and not forgotten yet too."""
        return len(self._open)

    def begin(self, key_sha256: str) -> str:
        """Return the id of a new session of a key: 256 random bits, which nobody keeps but its browser."""
        name, now = secrets.token_urlsafe(32), self._clock()
        digest = hash_key(name)
        self._open[digest] = Session(sha256=digest, key_sha256=key_sha256, made_at=now, seen_at=now)
        self.changed = True
        if len(self._open) > MOST:
            del self._open[next(iter(self._open))]
        return name

    def find(self, name: str) -> Session | None:
        """Return the session of an id, and note its use; None where there is none, or it is over."""
        if not name:
            return None
        digest, now = hash_key(name), self._clock()
        found = self._open.get(digest)
        if found is None:
            return None
        if found.over(now):
            self.end(found)
            return None
        if now != found.seen_at:
            # Put back at the end: the order is that of the last use.
            del self._open[digest]
            self._open[digest] = found
            found.seen_at = now
            self.changed = True
        return found

    def end(self, session: Session) -> None:
        """Forget one: somebody logged out, or its key is gone."""
        if self._open.pop(session.sha256, None) is not None:
            self.changed = True

    def rows(self) -> list[Row] | None:
        """Return all that are open, or None where nothing has changed since the last time; any thread may ask."""
        if not self.changed:
            return None
        # Before it looks: what changes meanwhile is written the next time.
        self.changed = False
        now = self._clock()
        return [(s.sha256, s.key_sha256, s.made_at, s.seen_at) for s in list(self._open.values()) if not s.over(now)]
