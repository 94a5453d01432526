"""One key of the database, and how a key is made.

≠ SQL, who makes one.
"""

from __future__ import annotations

import re
import secrets

import msgspec

from alerts.config import KeyConfig

from ..settings import hash_key

PREFIX = "claxon_"
SOURCE = "database"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_LIKE_A_KEY = re.compile(r"claxon_(?:ingest|read|admin)_")


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that Claxon made and keeps.

    Attributes:
        row: Its number in the database.
        key: What it may do.
        created_at: Unix seconds.
        created_by: Who made it, as the audit log has it.
        expires_at: The end of its life; None: it has none.
        overlap_until: Another took its place, and it goes on until then; None: none did.
        revoked_at: Since then it is refused.
    """

    row: int
    key: KeyConfig
    created_at: float
    created_by: str
    expires_at: float | None = None
    overlap_until: float | None = None
    revoked_at: float | None = None

    def alive(self, now: float) -> bool:
        """Whether it is let in."""
        return self.revoked_at is None and (self.ends_at is None or now < self.ends_at)

    @property
    def ends_at(self) -> float | None:
        """From when on it is refused; None: never."""
        return min((at for at in (self.expires_at, self.overlap_until) if at is not None), default=None)


def make_key(scope: str) -> tuple[str, str]:
    """Return a new key of 256 random bits, and its hash."""
    key = f"{PREFIX}{scope}_{secrets.token_urlsafe(32)}"
    return key, hash_key(key)


def short(sha256: str) -> str:
    """Return the first 8 digits of a key's hash, by which people tell keys of one name apart."""
    return sha256[:8]


def name_problem(name: str) -> str:
    """Return why something is not the name of a key, *where: value: remedy*; "" if it is one."""
    if len(name) > 20 and _LIKE_A_KEY.match(name):
        # It may be a key, pasted into the wrong place: it is not repeated.
        return "name: that looks like a key: give the name of the key, and keep the key itself to yourself"
    if _LIKE_A_KEY.match(name):
        return f"name: {name}: kept for keys of the environment: choose another"
    if _NAME.fullmatch(name) is None:
        return f"name: {name[:64]!r}: up to 64 of A-Z a-z 0-9 . _ @ -, the first a letter or a digit"
    return ""


def way_out(key: KeyConfig) -> str:
    """Return how to revoke a key that is kept elsewhere."""
    if key.source == "environment":
        return f"take {key.name.upper()} out of it and start Claxon again"
    return "take it out of `keys` in the file and reload"
